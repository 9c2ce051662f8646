//! What a limit of calls in flight promises: no moment has more, and only an end frees a place.

use super::*;
use crate::policy::Failure;

const NONE: Failures = Failures::NONE;

fn concurrent(max: u64) -> Vec<Limit> {
    limits_of(&[&format!(r#"{{"counter":"c","concurrent":{max}}}"#)])
}

fn ended(counters: &Counters, taken: Taken, limits: &[Limit], account: &Account) {
    let settlement = counters.settle(taken, NONE, (limits, account), START);
    counters.give_back(settlement);
}

#[test]
fn so_many_calls_are_in_flight_and_an_end_frees_one_place() {
    let limits = concurrent(2);
    let counters = many();
    let account = account(&counters, &limits);
    let call = |now| counters.admit(&charges(&limits), &account, now);
    let taken = |now| call(now).unwrap().into_taken();
    let first = taken(START);
    let _second = taken(START);
    for later in [0, 1, 59, 3_599] {
        assert!(call(START.plus(later * SECOND)).is_err(), "after {later} s");
    }
    assert!(first.waits_for_the_end(&limits));
    ended(&counters, first, &limits, &account);
    let third = taken(START.plus(3_599 * SECOND));
    assert!(call(START.plus(3_599 * SECOND)).is_err());
    counters.refund(third);
    assert!(call(START.plus(3_599 * SECOND)).is_ok());
}

#[test]
fn a_call_whose_end_nobody_saw_is_over_when_its_time_is_up() {
    let limits = concurrent(1);
    let counters = many();
    let short = account(&counters, &limits).with_calls_of(10 * SECOND);
    let call = |now| counters.admit(&charges(&limits), &short, now).is_ok();
    assert!(call(START));
    assert!(!call(START.plus(10 * SECOND - Duration::from_nanos(1))));
    assert!(call(START.plus(10 * SECOND)));
}

#[test]
fn places_of_servers_with_other_times_are_given_back_to_the_right_calls() {
    let limits = concurrent(3);
    let counters = many();
    let [long, short] = [100, 1].map(|seconds| {
        let account = account(&counters, &limits);
        account.with_calls_of(seconds * SECOND)
    });
    let taken = |account: &Account| {
        let call = counters.admit(&charges(&limits), account, START);
        call.map(|call| call.into_taken())
    };
    let slow = taken(&long).unwrap();
    let _quick = taken(&short).unwrap();
    let _other = taken(&long).unwrap();
    assert!(taken(&short).is_err());
    ended(&counters, slow, &limits, &long);
    assert!(taken(&short).is_ok());
    assert!(taken(&short).is_err());
}

#[test]
fn a_lower_bound_holds_at_once_and_waits_for_the_surplus() {
    let counters = many();
    let limits = concurrent(3);
    let old = account(&counters, &limits);
    let mut calls: Vec<Taken> = (0..3)
        .map(|_| counters.admit(&charges(&limits), &old, START))
        .map(|call| call.unwrap().into_taken())
        .collect();
    let lower = concurrent(1);
    let new = account(&counters, &lower);
    for in_flight in [3, 2, 1, 0] {
        let call = counters.admit(&charges(&lower), &new, START);
        assert_eq!(call.is_ok(), in_flight == 0, "{in_flight} in flight");
        if let Some(taken) = calls.pop() {
            ended(&counters, taken, &limits, &old);
        }
    }
}

#[test]
fn calls_in_flight_are_remembered_by_a_restart_until_they_must_have_ended() {
    let limits = concurrent(2);
    let counters = many();
    let old = account(&counters, &limits);
    let mut history = History::default();
    let calls = [(); 2].map(|()| counters.admit(&charges(&limits), &old, START).unwrap());
    let [ended, lost] = calls.map(|call| call.into_taken());
    for (key, charged) in ended.parts().chain(lost.parts()) {
        history.charge(key, charged);
    }
    let settlement = counters.settle(ended, NONE, (&limits, &old), START);
    for (key, charged) in settlement.released().parts() {
        history.refund(key, charged);
    }
    let kept = History::from_kept(history.newest(), history.to_kept());
    let restored = restored(&kept.unwrap());
    let new = account(&restored, &limits);
    let call = |millis: u64| {
        let now = START.plus(Duration::from_millis(millis));
        restored.admit(&charges(&limits), &new, now).is_ok()
    };
    assert!(call(1_000), "one of the two had ended");
    assert!(!call(2_000), "nobody saw the other one's end");
    assert!(call(3_600_001), "by now it must have ended");
    assert!(!call(3_600_001));
}

#[test]
fn sixty_four_threads_never_have_more_in_flight_than_allowed() {
    let limits = concurrent(5);
    let counters = many();
    let in_flight = AtomicUsize::new(0);
    let ran = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let account = account(&counters, &limits);
                for _ in 0..200 {
                    let call = counters.admit(&charges(&limits), &account, START);
                    let Ok(call) = call else { continue };
                    let now = in_flight.fetch_add(1, Ordering::SeqCst) + 1;
                    assert!(now <= 5, "{now} in flight");
                    ran.fetch_add(1, Ordering::Relaxed);
                    in_flight.fetch_sub(1, Ordering::SeqCst);
                    ended(&counters, call.into_taken(), &limits, &account);
                }
            });
        }
    });
    assert!(ran.into_inner() >= 200, "places came free again");
    let account = account(&counters, &limits);
    let again = (0..9).filter(|_| counters.admit(&charges(&limits), &account, START).is_ok());
    assert_eq!(again.count(), 5, "no place was lost, none was freed twice");
}

#[test]
fn a_full_limit_of_calls_in_flight_tells_no_delay() {
    let limits = concurrent(1);
    let counters = many();
    let account = account(&counters, &limits);
    let call = || counters.admit(&charges(&limits), &account, START);
    assert!(call().is_ok());
    let Err(Denial::LimitReached(full)) = call() else {
        panic!("it is full");
    };
    assert_eq!((full.told_delay(), full.left), (None, Amount::NOTHING));
}

#[test]
fn a_failure_gives_back_what_a_limit_says_and_no_more_than_max_in_a_window() {
    let limits = limits_of(&[
        r#"{"counter":"asks","window":"minute","max":2,"refund_on":["rpc_error","http_5xx"]}"#,
        r#"{"counter":"keeps","window":"minute","max":100}"#,
    ]);
    let counters = many();
    let account = account(&counters, &limits);
    let failing = |failure, now| {
        let call = counters.admit(&charges(&limits), &account, now).ok()?;
        let settlement = counters.settle(call.into_taken(), failure, (&limits, &account), now);
        let refunded = settlement.refunded().parts().count();
        assert_eq!(settlement.charged().parts().count(), refunded);
        counters.give_back(settlement);
        Some(refunded)
    };
    let tried = [
        (NONE.with(Failure::RpcError), Some(1)),
        (NONE.with(Failure::Http5xx), Some(1)),
        // Two were given back within the minute: no third is.
        (NONE.with(Failure::Http5xx), Some(0)),
        (NONE.with(Failure::ErrorResult), Some(0)),
        (NONE, None),
    ];
    for (failure, refunded) in tried {
        assert_eq!(failing(failure, START), refunded, "{failure:?}");
    }
    let later = START.plus(61 * SECOND);
    assert_eq!(failing(NONE.with(Failure::RpcError), later), Some(1));
    let left = |index: usize| {
        let charge = whole(&limits[index]);
        counters.standing(&charge, &account, later).left
    };
    assert_eq!(left(0), Amount::whole(2));
    assert_eq!(left(1), Amount::whole(99), "it does not ask for failures");
}

#[test]
fn refunds_are_counted_over_a_restart() {
    let limits = limits_of(&[
        r#"{"counter":"c","window":"hour","max":1,"increment_from":"args.n","refund_on":["error_result"]}"#,
    ]);
    let charge = [of(&limits[0], 600_000)];
    let counters = many();
    let old = account(&counters, &limits);
    let mut history = History::default();
    let mut fail = |counters: &Counters, account: &Account| {
        let call = counters.admit(&charge, account, START).unwrap();
        let taken = call.into_taken();
        taken
            .parts()
            .for_each(|(key, part)| history.charge(key, part));
        let failure = NONE.with(Failure::ErrorResult);
        let settlement = counters.settle(taken, failure, (&limits, account), START);
        let charged = settlement.charged().parts();
        charged.for_each(|(key, part)| history.charge(key, part));
        let refunded = settlement.refunded().parts();
        refunded.for_each(|(key, part)| history.refund(key, part));
        let count = settlement.refunded().parts().count();
        counters.give_back(settlement);
        count
    };
    assert_eq!(fail(&counters, &old), 1);
    let read = History::from_kept(START, history.to_kept()).unwrap();
    let restored = restored(&read);
    let new = account(&restored, &limits);
    let call = restored.admit(&charge, &new, START);
    let taken = call.expect("what was given back is free").into_taken();
    let failure = NONE.with(Failure::ErrorResult);
    let settlement = restored.settle(taken, failure, (&limits, &new), START);
    assert!(
        settlement.is_empty(),
        "0.6 of 1 was given back before the restart, 0.6 more is too much"
    );
}

#[test]
fn a_counter_stands_where_the_next_calls_find_it() {
    let limits = limits_of(&[
        r#"{"counter":"rolling","window":"minute","max":3}"#,
        r#"{"counter":"burst","window":"minute","max":6,"burst":2}"#,
        r#"{"counter":"calendar","window":"hour","max":5,"align":"calendar"}"#,
        r#"{"counter":"flight","concurrent":4}"#,
    ]);
    for limit in &limits {
        let own = [Limit {
            index: 0,
            ..limit.clone()
        }];
        let counters = many();
        let account = account(&counters, &own);
        let charge = whole(&own[0]);
        for now in [START, START.plus(7 * SECOND), START.plus(20 * SECOND)] {
            let standing = counters.standing(&charge, &account, now);
            let admits = (0..10).filter(|_| counters.admit(&[charge], &account, now).is_ok());
            let admits = admits.count() as u64;
            assert_eq!(
                standing.left,
                Amount::whole(admits),
                "{} at {now}",
                limit.rule
            );
            let full = counters.standing(&charge, &account, now);
            assert_eq!(full.left, Amount::NOTHING, "{}", limit.rule);
            assert!(full.clears > Duration::ZERO, "{}", limit.rule);
        }
        assert_eq!(counters.len(), 1);
    }
}

// Once a look let go of what had left by then and kept no trace of when that was: a thread that had read the clock before
// it was admitted into a window that was full.
#[test]
fn a_look_at_a_counter_lets_nobody_in_before_it() {
    let limits = limits_of(&[r#"{"counter":"c","window":"second","max":1,"align":"calendar"}"#]);
    let counters = many();
    let account = account(&counters, &limits);
    let charge = whole(&limits[0]);
    let call = |now| counters.admit(&[charge], &account, now);
    let end = START.plus(SECOND);
    let before = START.plus(SECOND - Duration::from_nanos(10));
    assert!(call(START).is_ok());
    assert_eq!(counters.standing(&charge, &account, end).left, Amount::ONE);
    // It counts in the new second, whose only call it is.
    let late = call(before).unwrap().into_taken();
    assert!(late.parts().all(|(_, charged)| charged.at() >= end));
    assert!(call(end).is_err());
}
