//! A grant that brings a new value with every call: it costs memory up to its bound, and others nothing.

use super::*;

/// A hundred times as many values as a grant may open.
const VALUES: u128 = 1_000_000;

const BY: &str = r#"{"counter":"c","window":"hour","max":2,"by":["args.to"]}"#;

#[test]
fn a_flood_of_values_stays_within_its_grants_bound_and_frees_or_takes_nothing_of_others() {
    let limits = limits_of(&[BY]);
    let charge = |subject| on(&limits[0], subject);
    let bounds = Bounds::default();
    let counters = many();
    let flooding = account_of(&counters, "flooding", &limits);
    let other = account_of(&counters, "other", &limits);
    let admits = |account: &Account, subject, now| {
        let admitted = counters.admit_in_test(&[charge(subject)], account, now);
        admitted.map(drop)
    };
    let used_up = |account: &Account, subject, now| {
        let refused = admits(account, subject, now);
        assert!(
            matches!(refused, Err(Denial::LimitReached(_))),
            "a fresh allowance for value {subject}: {refused:?}"
        );
    };
    // Both have a value that is used up, and the other has one that is not.
    for account in [&flooding, &other] {
        for _ in 0..2 {
            admits(account, 0, START).unwrap();
        }
    }
    admits(&other, 1, START).unwrap();
    let (mut opened, mut now) = (1, START);
    for value in 1..=VALUES {
        match admits(&flooding, value, now) {
            Ok(()) => opened += 1,
            Err(denial) => assert!(matches!(denial, Denial::CountersFull(_)), "{denial:?}"),
        }
        if value.is_multiple_of(10_000) {
            // All of it takes half of the window, and idle counters are let go as they always are.
            now = START.plus(Duration::from_secs((value * 1_800 / VALUES) as u64));
            counters.sweep(now);
            used_up(&flooding, 0, now);
            used_up(&other, 0, now);
        }
    }
    let bound = bounds.per_grant.get();
    assert_eq!(opened, bound, "and every further value was refused");
    assert_eq!(counters.len(), bound + 2);
    admits(&flooding, 1, now).expect("a value that was counted before goes on");
    used_up(&flooding, 1, now);
    admits(&other, 1, now).expect("the other's goes on");
    used_up(&other, 1, now);
    for value in 2..1_000 {
        admits(&other, value, now).expect("the other's new values have room");
    }
    // What has left its window makes room again, for as many as left.
    let later = START.plus(3 * 3_600 * SECOND);
    counters.sweep(later);
    assert_eq!(counters.len(), 0);
    admits(&flooding, u128::MAX, later).unwrap();
}
