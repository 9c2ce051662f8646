//! What counting amounts promises.

use proptest::prelude::*;

use super::*;
use crate::counters::counter::{Counter, When};

const DOLLARS_A_DAY: &str =
    r#"{"counter":"c","window":"minute","max":100,"increment_from":"args.amount"}"#;

/// How many charges of so many millionths are admitted at once.
fn admitted_at_once(limits: &[Limit], millionths: u64, now: Timestamp) -> usize {
    admitted_by(&many(), limits, millionths, now)
}

fn admitted_by(counters: &Counters, limits: &[Limit], millionths: u64, now: Timestamp) -> usize {
    let account = account(counters, limits);
    let charge = [of(&limits[0], millionths)];
    let calls = (0..100_000).map(|_| counters.admit(&charge, &account, now));
    calls.take_while(Result::is_ok).count()
}

#[test]
fn small_amounts_add_up_to_max_and_not_a_millionth_more() {
    let limits = limits_of(&[DOLLARS_A_DAY]);
    for (millionths, times) in [
        (10_000, 10_000),
        (30_000_000, 3),
        (100_000_000, 1),
        (33_333_333, 3),
    ] {
        assert_eq!(
            admitted_at_once(&limits, millionths, START),
            times,
            "{millionths}"
        );
    }
}

#[test]
fn a_refused_amount_is_told_what_is_left_and_a_smaller_one_still_fits() {
    let limits = limits_of(&[DOLLARS_A_DAY]);
    let counters = many();
    let account = account(&counters, &limits);
    let charge = |millionths, now| counters.admit(&[of(&limits[0], millionths)], &account, now);
    assert!(charge(60_000_000, START).is_ok());
    assert!(charge(30_000_000, START.plus(SECOND)).is_ok());
    let full = |millionths, now| match charge(millionths, now) {
        Err(Denial::LimitReached(full)) => (full.left.to_string(), full.retry_after),
        other => panic!("{other:?}"),
    };
    let now = START.plus(2 * SECOND);
    assert_eq!(full(10_000_001, now), ("10".into(), 58 * SECOND));
    assert_eq!(
        full(90_000_000, now),
        ("10".into(), 59 * SECOND),
        "both must have left"
    );
    assert!(charge(10_000_000, now).is_ok());
    assert_eq!(full(1, now).0, "0");
}

#[test]
fn nothing_is_taken_by_nothing_and_there_is_always_room_for_it() {
    let limits = limits_of(&[DOLLARS_A_DAY]);
    let counters = many();
    let account = account(&counters, &limits);
    let charge = |millionths| counters.admit(&[of(&limits[0], millionths)], &account, START);
    assert!(charge(100_000_000).is_ok());
    for _ in 0..10 {
        let admitted = charge(0).unwrap();
        let parts: Vec<_> = admitted.taken().parts().collect();
        assert_eq!(parts.len(), 1, "it is recorded");
        assert_eq!(parts[0].1.amount(), Some(Amount::NOTHING));
        counters.refund(admitted.into_taken());
    }
    assert!(charge(1).is_err());
    let lowered = [limit(0, 50, Window::MINUTE)];
    let lowered = [Limit {
        rule: limits[0].rule.clone(),
        ..lowered[0].clone()
    }];
    let nothing = counters.admit(&[of(&lowered[0], 0)], &account, START);
    assert!(nothing.is_ok(), "more is held than the edited limit allows");
}

#[test]
fn a_refund_gives_back_the_exact_amount_to_the_window_that_paid() {
    let limits = limits_of(&[DOLLARS_A_DAY]);
    let counters = many();
    let account = account(&counters, &limits);
    // The first 1,024 are kept by themselves, the rest in slices.
    let calls = (0..2_000).map(|_| counters.admit(&[of(&limits[0], 50_000)], &account, START));
    let calls: Vec<Taken> = calls.map(|call| call.unwrap().into_taken()).collect();
    let (mut exact, mut sliced) = (0, 0);
    for taken in calls.into_iter().step_by(2) {
        match taken.parts().next().unwrap().1 {
            Charged::Call { .. } => exact += 1,
            Charged::Slice { .. } => sliced += 1,
            other => panic!("{other:?}"),
        }
        counters.refund(taken);
    }
    assert_eq!((exact, sliced), (512, 488));
    assert_eq!(admitted_by(&counters, &limits, 50_000, START), 1_000);
}

#[test]
fn many_small_amounts_take_bounded_memory() {
    let limit = &limits_of(&[
        r#"{"counter":"c","window":"minute","max":10000,"increment_from":"args.amount"}"#,
    ])[0];
    let mut counter = Counter::new(START);
    let cent = of(limit, 10_000);
    for call in 0..200_000 {
        let when = When {
            now: START.plus(Duration::from_millis(call)),
            call_max: SECOND,
        };
        let charged = counter.stage(&cent, when).unwrap();
        counter.commit(charged, limit);
        // The exact ones, a slice for each of 64 parts of a window, and one on each side.
        let kept = counter.held.kept_apart();
        assert!(kept <= 1_024 + 66, "{kept}");
    }
}

#[test]
fn an_increment_that_is_edited_keeps_the_counts() {
    let limit = |increment: &str| {
        limits_of(&[&format!(
            r#"{{"counter":"c","window":"hour","max":100{increment}}}"#
        )])
    };
    let counters = many();
    let (two, one) = (limit(r#","increment":2.5"#), limit(""));
    assert_eq!(admitted_by(&counters, &two, 2_500_000, START), 40);
    assert_eq!(admitted_by(&counters, &one, 1_000_000, START), 0);
    let counters = many();
    assert_eq!(admitted_of(&counters, &one, 30, START), 30);
    assert_eq!(admitted_by(&counters, &two, 2_500_000, START), 28, "of 70");
}

#[test]
fn a_burst_holds_as_many_calls_as_fit_whole_and_refills_what_they_take() {
    let limits =
        limits_of(&[r#"{"counter":"c","window":"minute","max":60,"burst":10,"increment":2.5}"#]);
    let counters = many();
    assert_eq!(admitted_by(&counters, &limits, 2_500_000, START), 4);
    let mut later = 0;
    for tenth in 1..=600 {
        let now = START.plus(SECOND * tenth / 10);
        later += admitted_by(&counters, &limits, 2_500_000, now);
    }
    assert_eq!(later, 20, "50 a minute are 20 of these");
}

/// What a limit has admitted.
#[derive(Default)]
struct Log(Vec<(u64, u64)>);

impl Log {
    /// What the window that ends at `at` holds, in millionths.
    fn held(&self, at: u64, window: u64) -> u64 {
        let held = self.0.iter().rev();
        let held = held.take_while(|(call, _)| call + window > at);
        held.map(|(_, millionths)| millionths).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_window_holds_more_than_max_whatever_burst_and_increment_are_edited_to(
        max in 3_u64..40,
        edits in prop::collection::vec((1_u32..40, 1_u64..4_000, 1_usize..60), 1..6),
        gaps in prop::collection::vec(prop_oneof![Just(0), 1..2_000_u64, 2_000..30_000_u64], 100..300),
    ) {
        let counters = many();
        let mut now = START;
        let mut log = Log::default();
        let mut gaps = gaps.into_iter();
        for (burst, increment, attempts) in edits {
            let burst = burst.min(max as u32 - 1);
            // In thousandths, and never more than the burst.
            let millionths = (increment * 1_000).min(u64::from(burst) * 1_000_000);
            let increment = Increment::Constant(Amount::from_millionths(millionths));
            let limits = [Limit { increment, ..with_burst(limit(0, max, Window::MINUTE), burst) }];
            let account = account(&counters, &limits);
            for gap in gaps.by_ref().take(attempts) {
                now = now.plus(Duration::from_millis(gap));
                for _ in 0..3 {
                    let Ok(admitted) = counters.admit(&charges(&limits), &account, now) else {
                        continue;
                    };
                    let at = admitted.taken.parts[0].charged.at().nanos();
                    log.0.push((at, millionths));
                    let held = log.held(at, 60_000_000_000);
                    prop_assert!(held <= max * 1_000_000, "{held} in a window of {max}");
                }
            }
        }
    }
}
