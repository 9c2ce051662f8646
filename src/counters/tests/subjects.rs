//! What counters of many subjects and shared ones promise: each counts alone, their number is bounded, none is forgotten
//! to make room.

use std::num::NonZeroUsize;

use super::*;

const BY: &str = r#"{"counter":"c","window":"minute","max":5,"by":["args.to"]}"#;

fn admitted_on(counters: &Counters, account: &Account, charge: Charge<'_>) -> usize {
    let calls = (0..20).map(|_| counters.admit(&[charge], account, START));
    calls.filter(Result::is_ok).count()
}

#[test]
fn each_subject_has_a_counter_of_its_own() {
    let limits = limits_of(&[BY]);
    let counters = many();
    let account = account(&counters, &limits);
    for subject in 1..=3 {
        assert_eq!(admitted_on(&counters, &account, on(&limits[0], subject)), 5);
        assert_eq!(admitted_on(&counters, &account, on(&limits[0], subject)), 0);
    }
    assert_eq!(admitted_on(&counters, &account, whole(&limits[0])), 5);
}

#[test]
fn who_shares_a_counter_is_the_scopes_affair() {
    for (scope, same_grant, same_server, all) in [
        ("grant", 0, 5, 5),
        ("session", 0, 5, 5),
        ("server", 0, 0, 5),
        ("organisation", 0, 0, 0),
    ] {
        for subject in [None, Some(Subject::in_test(9))] {
            let text = format!(r#"{{"counter":"c","window":"minute","max":5,"scope":"{scope}"}}"#);
            let limits = limits_of(&[&text]);
            let counters = many();
            let charge = Charge {
                subject,
                ..whole(&limits[0])
            };
            let left = |grant, server| {
                let holder = Holder { grant, server };
                let guard = Guard::new(GuardSettings::default());
                let account = counters.account(holder, &limits, Arc::new(guard));
                admitted_on(&counters, &account, charge)
            };
            assert_eq!(left("a", "s"), 5, "{scope}");
            assert_eq!(left("a", "s"), same_grant, "{scope}");
            assert_eq!(left("b", "s"), same_server, "{scope}");
            assert_eq!(left("c", "z"), all, "{scope}");
        }
    }
}

#[test]
fn a_key_depends_on_subject_secret_by_and_shadow() {
    let holder = Holder {
        grant: "g",
        server: "s",
    };
    let key = |text: &str| CounterKey::of(holder, &limits_of(&[text])[0]);
    let plain = r#"{"counter":"c","window":"minute","max":5}"#;
    let keys = [
        key(plain),
        key(BY),
        key(r#"{"counter":"c","window":"minute","max":5,"by":["args.from"]}"#),
        key(r#"{"counter":"c","window":"minute","max":5,"by":["args.to","tool"]}"#),
        key(r#"{"counter":"c","window":"minute","max":5,"shadow":true}"#),
    ];
    for (at, one) in keys.iter().enumerate() {
        assert!(!keys[..at].contains(one), "{at}");
    }
    let edited = r#"{"counter":"c","window":"minute","max":7,"increment":2,"by":["args.to"]}"#;
    assert_eq!(key(BY), key(edited), "editing keeps the counts");
    let of = |subject, secret| {
        let secret = Secret::from_bytes([secret; 32]);
        keys[1].of_subject(Subject::in_test(subject), &secret)
    };
    assert_eq!(of(1, 7), of(1, 7));
    assert!(of(1, 7) != of(2, 7) && of(1, 7) != of(1, 8));
}

#[test]
fn ten_thousand_subjects_of_a_grant_are_counted_and_the_next_is_refused_not_evicted() {
    let limits = limits_of(&[r#"{"counter":"c","window":"minute","max":1,"by":["args.to"]}"#]);
    let counters = many();
    let account = account_of(&counters, "greedy", &limits);
    let admit = |subject, now| counters.admit(&[on(&limits[0], subject)], &account, now);
    for subject in 1..=10_000 {
        assert!(admit(subject, START).is_ok(), "{subject}");
    }
    assert_eq!(counters.len(), 10_000);
    assert!(matches!(admit(10_001, START), Err(Denial::CountersFull(_))));
    for subject in 1..=10_000 {
        let again = admit(subject, START);
        assert!(
            matches!(again, Err(Denial::LimitReached(_))),
            "{subject} was forgotten"
        );
    }
    // A fixed counter, and another grant, have their room.
    assert!(counters.admit(&charges(&limits), &account, START).is_ok());
    let other = account_of(&counters, "other", &limits);
    assert!(counters.admit(&[on(&limits[0], 1)], &other, START).is_ok());
    let later = START.plus(60 * SECOND);
    counters.sweep(later);
    assert!(admit(10_001, later).is_ok(), "idle ones left by themselves");
}

#[test]
fn a_reload_gives_a_grant_no_fresh_bound_and_a_full_gateway_refuses_all() {
    let limits = limits_of(&[BY]);
    let bounds = Bounds {
        all: NonZeroUsize::new(3).unwrap(),
        per_grant: NonZeroUsize::new(2).unwrap(),
    };
    let counters = Counters::new(bounds, Secret::from_bytes([7; 32]));
    let admit = |grant, subject| {
        // Each time a new account, as after a reload.
        let account = account_of(&counters, grant, &limits);
        counters.sweep(START);
        counters
            .admit(&[on(&limits[0], subject)], &account, START)
            .is_ok()
    };
    assert!(admit("a", 1) && admit("a", 2));
    assert!(!admit("a", 3), "the bound of the grant");
    assert!(admit("b", 1));
    assert!(!admit("b", 2), "the bound of all");
    assert!(admit("a", 1), "what is there is counted on");
}

// Once the counters of a restart counted for nobody: each gave a flood its whole bound again.
#[test]
fn a_restart_gives_a_grant_no_fresh_bound() {
    let limits = limits_of(&[BY]);
    let two = NonZeroUsize::new(2).unwrap();
    let bounds = Bounds {
        per_grant: two,
        ..Bounds::default()
    };
    let secret = || Secret::from_bytes([7; 32]);
    let before = Counters::new(bounds, secret());
    let account = account_of(&before, "a", &limits);
    let mut history = History::default();
    for subject in [1, 2] {
        let call = before.admit(&[on(&limits[0], subject)], &account, START);
        let taken = call.unwrap().into_taken();
        for ((key, charged), opener) in taken.parts().zip(taken.openers()) {
            history.charge(key, charged);
            history.opened(key, opener.expect("its value opened it"));
        }
    }
    let read = History::from_kept(history.newest(), history.to_kept()).unwrap();
    let after = Counters::restored(&read, bounds, secret());
    let admit = |grant, subject, now| {
        let account = account_of(&after, grant, &limits);
        let call = after.admit(&[on(&limits[0], subject)], &account, now);
        call.is_ok()
    };
    let now = START.plus(SECOND);
    assert!(!admit("a", 3, now), "two are open");
    assert!(admit("a", 1, now), "what is there is counted on");
    assert!(admit("b", 3, now), "another grant opened none");
    let later = now.plus(61 * SECOND);
    after.sweep(later);
    assert!(admit("a", 3, later), "idle ones have left");
}

#[test]
fn sixty_four_threads_get_exactly_what_one_subject_and_what_one_server_allow() {
    let limits = limits_of(&[
        r#"{"counter":"c","window":"minute","max":100,"by":["args.to"]}"#,
        r#"{"counter":"s","window":"minute","max":150,"scope":"server"}"#,
    ]);
    for round in 0..30 {
        let counters = many();
        let accounts = ["a", "b"].map(|grant| account_of(&counters, grant, &limits));
        let admitted: [AtomicUsize; 2] = Default::default();
        std::thread::scope(|scope| {
            for thread in 0..64 {
                let (counters, admitted, limits) = (&counters, &admitted, &limits);
                let account = &accounts[thread % 2];
                scope.spawn(move || {
                    let now = START.plus(Duration::from_micros(thread as u64 % 7));
                    for _ in 0..50 {
                        let charges = [on(&limits[0], 5), whole(&limits[1])];
                        let is_ok = counters.admit(&charges, account, now).is_ok();
                        admitted[thread % 2].fetch_add(is_ok.into(), Ordering::Relaxed);
                    }
                });
            }
        });
        let [a, b] = admitted.map(AtomicUsize::into_inner);
        assert_eq!(a + b, 150, "in round {round}");
        assert!(a <= 100 && b <= 100, "in round {round}: {a} and {b}");
    }
}

#[test]
fn sixty_four_threads_get_exactly_what_each_of_two_subjects_allows() {
    let limits = limits_of(&[
        r#"{"counter":"c","window":"minute","max":100,"scope":"organisation","by":["args.to"]}"#,
    ]);
    for round in 0..30 {
        let counters = many();
        let accounts = ["a", "b", "c"].map(|grant| account_of(&counters, grant, &limits));
        let admitted: [AtomicUsize; 2] = Default::default();
        std::thread::scope(|scope| {
            for thread in 0..64 {
                let (counters, admitted, limits) = (&counters, &admitted, &limits);
                let account = &accounts[thread % 3];
                scope.spawn(move || {
                    for _ in 0..50 {
                        let charge = [on(&limits[0], thread as u128 % 2 + 1)];
                        let is_ok = counters.admit(&charge, account, START).is_ok();
                        admitted[thread % 2].fetch_add(is_ok.into(), Ordering::Relaxed);
                    }
                });
            }
        });
        let admitted = admitted.map(AtomicUsize::into_inner);
        assert_eq!(admitted, [100, 100], "in round {round}");
    }
}

#[test]
fn sixty_four_threads_that_all_bring_new_subjects_open_exactly_as_many_as_are_allowed() {
    let limits = limits_of(&[BY]);
    let bounds = Bounds {
        per_grant: NonZeroUsize::new(50).unwrap(),
        ..Bounds::default()
    };
    let counters = Counters::new(bounds, Secret::from_bytes([7; 32]));
    let account = account(&counters, &limits);
    std::thread::scope(|scope| {
        for thread in 0..64_u128 {
            let (counters, account, limits) = (&counters, &account, &limits);
            scope.spawn(move || {
                for subject in 1..=10 {
                    let _full =
                        counters.admit(&[on(&limits[0], thread * 100 + subject)], account, START);
                }
            });
        }
    });
    assert_eq!(counters.len(), 50);
}

#[test]
fn a_full_limit_in_shadow_is_told_and_refuses_nothing() {
    let limits = limits_of(&[
        r#"{"counter":"c","window":"minute","max":2,"shadow":true}"#,
        r#"{"counter":"e","window":"minute","max":4}"#,
    ]);
    let counters = many();
    let account = account(&counters, &limits);
    for call in 1..=4 {
        let admitted = counters.admit(&charges(&limits), &account, START).unwrap();
        let full = admitted.shadowed().iter();
        let full: Vec<_> = full.map(|full| full.limit.index).collect();
        let taken = admitted.taken().parts().count();
        match call {
            1 | 2 => assert_eq!((full, taken), (vec![], 2), "call {call}"),
            _ => assert_eq!((full, taken), (vec![0], 1), "call {call}"),
        }
    }
    assert!(counters.admit(&charges(&limits), &account, START).is_err());
    let bounds = Bounds {
        per_grant: NonZeroUsize::MIN,
        ..Bounds::default()
    };
    let counters = Counters::new(bounds, Secret::from_bytes([7; 32]));
    for (subject, told) in [(1, 0), (2, 1)] {
        let admitted = counters.admit(&[on(&limits[0], subject)], &account, START);
        assert_eq!(
            admitted.unwrap().shadowed().len(),
            told,
            "a counter too many"
        );
    }
}

#[test]
fn a_refused_call_takes_nothing_from_limits_in_shadow() {
    let limits = limits_of(&[
        r#"{"counter":"c","window":"minute","max":2,"shadow":true}"#,
        r#"{"counter":"e","window":"minute","max":1}"#,
    ]);
    let counters = many();
    let account = account(&counters, &limits);
    for call in 1..=6 {
        let is_admitted = counters.admit(&charges(&limits), &account, START).is_ok();
        assert_eq!(is_admitted, call == 1, "call {call}");
    }
    let shadow = charges(&limits[..1]);
    for told in [0, 1] {
        let admitted = counters.admit(&shadow, &account, START).unwrap();
        assert_eq!(
            admitted.shadowed().len(),
            told,
            "one of two was taken before"
        );
    }
}
