//! What the map of counters promises: it is bounded, it forgets nothing that counts, and a key means one counter.

use std::num::NonZeroUsize;

use super::*;

#[test]
fn a_full_map_denies_new_counters_and_keeps_the_old_ones() {
    let all = NonZeroUsize::new(2).unwrap();
    let bounds = Bounds {
        all,
        ..Bounds::default()
    };
    let counters = Counters::new(bounds, Secret::from_bytes([7; 32]));
    let limits = [limit(0, 1, Window::MINUTE)];
    let charges = charges(&limits);
    let accounts = ["a", "b", "c"].map(|grant| account_of(&counters, grant, &limits));
    for (account, is_admitted) in accounts.iter().zip([true, true, false]) {
        assert_eq!(
            counters.admit(&charges, account, START).is_ok(),
            is_admitted
        );
        assert!(
            counters.admit(&charges, account, START).is_err(),
            "each had its one call"
        );
    }
    assert_eq!(counters.len(), 2);
    drop(accounts);
    let later = START.plus(60 * SECOND);
    counters.sweep(later);
    assert!(counters.is_empty());
    let newcomer = account_of(&counters, "c", &limits);
    assert!(counters.admit(&charges, &newcomer, later).is_ok());
}

#[test]
fn a_sweep_leaves_counters_that_are_held_or_remember_something() {
    let counters = many();
    let limits = [
        limit(0, 1, Window::MINUTE),
        with_burst(limit(1, 4, Window::MINUTE), 2),
        limit(2, 5_000, Window::MINUTE),
    ];
    let held = account_of(&counters, "held", &limits);
    for account in [&held, &account_of(&counters, "gone", &limits)] {
        assert!(counters.admit(&charges(&limits), account, START).is_ok());
    }
    counters.sweep(START.plus(59 * SECOND));
    assert_eq!(counters.len(), 6, "all remember their call");
    counters.sweep(START.plus(200 * SECOND));
    assert_eq!(counters.len(), 3, "those of the living account stay");
}

#[test]
fn a_swept_counter_does_not_come_back_in_the_past() {
    let counters = many();
    let limits = [limit(0, 1, Window::MINUTE)];
    assert_eq!(admitted_of(&counters, &limits, 1, START), 1);
    counters.sweep(START.plus(60 * SECOND));
    assert!(counters.is_empty());
    // A thread that looked at the clock before the sweep.
    assert_eq!(
        admitted_of(&counters, &limits, 1, START.plus(59 * SECOND)),
        1
    );
    assert_eq!(
        admitted_of(&counters, &limits, 1, START.plus(119 * SECOND)),
        0
    );
}

#[test]
fn a_time_that_was_given_back_is_given_to_no_other_call() {
    // Times run ahead of the clock when calls come at the same moment. Once a counter forgot this when its calls were
    // given back and it was swept.
    let counters = many();
    let limits = [limit(0, 5, Window::MINUTE)];
    let mut times = Vec::new();
    for _ in 0..2 {
        let account = account(&counters, &limits);
        let calls = (0..3).map(|_| counters.admit(&charges(&limits), &account, START));
        let calls: Vec<Taken> = calls.map(|call| call.unwrap().into_taken()).collect();
        for taken in calls {
            times.extend(taken.parts().map(|(_, charged)| charged.at()));
            counters.refund(taken);
        }
        drop(account);
        counters.sweep(START);
    }
    times.dedup();
    assert_eq!(times.len(), 6, "{times:?}");
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_new_account_finds_the_same_counters() {
    let limits = [limit(0, 2, Window::MINUTE)];
    let counters = many();
    let passed: usize = (0..4)
        .map(|_| admitted_of(&counters, &limits, 1, START))
        .sum();
    assert_eq!(passed, 2);
}

#[test]
fn a_key_depends_on_holder_rule_and_window_and_on_nothing_else() {
    let holder = Holder {
        grant: "ab",
        server: "c",
    };
    let plain = limit(0, 10, Window::MINUTE);
    let key = CounterKey::of(holder, &plain);
    let same = Limit {
        index: 7,
        ..with_burst(limit(0, 99, Window::MINUTE), 3)
    };
    assert_eq!(CounterKey::of(holder, &same), key);
    let others = [
        CounterKey::of(
            Holder {
                grant: "a",
                server: "bc",
            },
            &plain,
        ),
        CounterKey::of(
            Holder {
                grant: "abc",
                server: "",
            },
            &plain,
        ),
        CounterKey::of(holder, &limit(0, 10, Window::HOUR)),
        CounterKey::of(holder, &limit(1, 10, Window::MINUTE)),
    ];
    assert!(!others.contains(&key));
    assert_eq!(CounterKey::from_hex(&key.to_string()), Some(key));
    for wrong in [
        "",
        "00",
        "+0000000000000000000000000000000",
        &"g".repeat(32),
    ] {
        assert_eq!(CounterKey::from_hex(wrong), None, "{wrong:?}");
    }
}

#[test]
fn a_limit_that_a_call_names_twice_is_charged_once() {
    let counters = many();
    let limits = [limit(0, 2, Window::MINUTE)];
    let account = account(&counters, &limits);
    let twice = [charges(&limits), charges(&limits)].concat();
    for is_admitted in [true, true, false] {
        let charged = counters.admit(&twice, &account, START);
        assert_eq!(charged.is_ok(), is_admitted);
    }
}
