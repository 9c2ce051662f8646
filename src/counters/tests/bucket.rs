//! What a burst promises.

use proptest::prelude::*;

use super::*;

/// The most calls in any window of this length, wherever it begins. A call at `t` has left at `t + window`.
fn most_in_any_window(calls: &[u64], window: Duration) -> usize {
    let window = window.as_nanos() as u64;
    let from = |at: u64| {
        let inside = calls.iter().filter(|call| (at..at + window).contains(call));
        inside.count()
    };
    calls.iter().map(|at| from(*at)).max().unwrap_or(0)
}

#[test]
fn sixty_a_minute_with_a_burst_of_ten_admits_ten_at_once_then_fifty_a_minute() {
    let limits = [with_burst(limit(0, 60, Window::MINUTE), 10)];
    let counters = many();
    assert_eq!(admitted_of(&counters, &limits, 50, START), 10);
    let mut later = 0;
    for tenth in 1..=600 {
        later += admitted_of(&counters, &limits, 50, START.plus(SECOND * tenth / 10));
    }
    assert_eq!(later, 50);
}

#[test]
fn a_burst_is_not_given_back() {
    let limits = [with_burst(limit(0, 4, Window::MINUTE), 2)];
    let counters = many();
    let account = account(&counters, &limits);
    for _ in 0..2 {
        let admitted = counters.admit(&charges(&limits), &account, START);
        let taken = admitted.unwrap().into_taken();
        let settlement = Settlement::of_unsent(taken);
        assert!(settlement.is_empty());
        counters.give_back(settlement);
    }
    assert!(counters.admit(&charges(&limits), &account, START).is_err());
}

#[test]
fn the_largest_limits_do_not_overflow() {
    for (max, burst) in [
        (1_000_000_000_000, u32::MAX),
        (u64::from(u32::MAX) + 1, u32::MAX),
        (2, 1),
    ] {
        for window in [Window::SECOND, Window::MAX] {
            let limits = [with_burst(limit(0, max, window), burst)];
            let counters = many();
            assert!(
                admitted_of(&counters, &limits, 1_000, START) >= 1,
                "{limits:?}"
            );
            assert!(admitted_of(&counters, &limits, 2, START.plus(2 * window.length())) >= 1);
        }
    }
}

#[test]
fn adding_or_removing_a_burst_closes_a_used_counter_until_its_calls_have_left() {
    let plain = [limit(0, 4, Window::MINUTE)];
    let burst = [with_burst(limit(0, 4, Window::MINUTE), 2)];
    for (before, after) in [(&plain, &burst), (&burst, &plain)] {
        let counters = many();
        assert_eq!(admitted_of(&counters, before, 2, START), 2);
        let edited = START.plus(SECOND);
        let account = account(&counters, after);
        let closed = retry_after(counters.admit(&charges(after), &account, edited));
        assert!(closed <= 60 * SECOND, "{closed:?}");
        let early = edited.plus(closed - Duration::from_nanos(1));
        assert!(counters.admit(&charges(after), &account, early).is_err());
        assert!(
            counters
                .admit(&charges(after), &account, edited.plus(closed))
                .is_ok()
        );
    }
}

#[test]
fn taking_a_burst_away_and_putting_it_back_gives_no_fresh_burst() {
    let plain = [limit(0, 12, Window::MINUTE)];
    let burst = [with_burst(limit(0, 12, Window::MINUTE), 10)];
    let counters = many();
    assert_eq!(admitted_of(&counters, &burst, 20, START), 10);
    assert_eq!(admitted_of(&counters, &plain, 20, START.plus(SECOND)), 0);
    assert_eq!(
        admitted_of(&counters, &burst, 20, START.plus(2 * SECOND)),
        0
    );
}

#[test]
fn a_restart_does_not_wait_for_a_bucket_that_was_waited_for() {
    // A burst as large as this is full again only nine windows later.
    let burst = [with_burst(limit(0, 10, Window::MINUTE), 9)];
    let plain = [limit(0, 10, Window::MINUTE)];
    let counters = many();
    let mut history = History::default();
    let mut call = |counters: &Counters, limits: &[Limit], second: u32| {
        let account = account(counters, limits);
        let admitted = counters.admit(&charges(limits), &account, START.plus(SECOND * second));
        let parts = admitted.map(|admitted| admitted.into_taken().parts().collect());
        let parts: Vec<_> = parts.unwrap_or_default();
        for (key, charged) in &parts {
            history.charge(*key, *charged);
        }
        !parts.is_empty()
    };
    assert!((0..9).all(|_| call(&counters, &burst, 0)));
    assert!(!call(&counters, &plain, 1), "closed for a window");
    assert!(call(&counters, &plain, 61), "open again");
    let restored = restored(&history);
    let now = START.plus(SECOND * 62);
    assert_eq!(admitted_of(&restored, &plain, 20, now), 9);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_window_holds_more_than_max_whatever_the_burst_and_its_edits(
        max in 2_u64..40,
        bursts in prop::collection::vec((1_u32..40, 0_u64..3, 1_usize..60), 1..6),
        gaps in prop::collection::vec(prop_oneof![Just(0), 1..2_000_u64, 2_000..30_000_u64], 100..300),
    ) {
        let counters = many();
        let mut now = START;
        let mut calls = Vec::new();
        let mut gaps = gaps.into_iter();
        for (burst, plain, attempts) in bursts {
            // One edit in three takes the burst away.
            let edited = match plain {
                0 => limit(0, max, Window::MINUTE),
                _ => with_burst(limit(0, max, Window::MINUTE), burst.min(max as u32 - 1)),
            };
            let limits = [edited];
            let account = account(&counters, &limits);
            for gap in gaps.by_ref().take(attempts) {
                now = now.plus(Duration::from_millis(gap));
                for _ in 0..3 {
                    match counters.admit(&charges(&limits), &account, now) {
                        Ok(admitted) => calls.push(admitted.taken.parts[0].charged.at().nanos()),
                        Err(Denial::LimitReached(full)) => prop_assert!(!full.retry_after.is_zero()),
                        Err(other) => prop_assert!(false, "{other:?}"),
                    }
                }
            }
        }
        let most = most_in_any_window(&calls, 60 * SECOND);
        prop_assert!(most as u64 <= max, "{most} calls in a window, {max} allowed");
    }

    #[test]
    fn a_max_that_is_edited_beside_a_burst_holds_from_then_on(
        edits in prop::collection::vec((2_u64..60, 1_u32..60, 1_usize..60), 1..6),
        gaps in prop::collection::vec(prop_oneof![Just(0), 1..2_000_u64, 2_000..30_000_u64], 100..300),
    ) {
        let counters = many();
        let mut now = START;
        let mut calls: Vec<u64> = Vec::new();
        let mut gaps = gaps.into_iter();
        for (max, burst, attempts) in edits {
            let limits = [with_burst(limit(0, max, Window::MINUTE), burst.min(max as u32 - 1))];
            let account = account(&counters, &limits);
            for gap in gaps.by_ref().take(attempts) {
                now = now.plus(Duration::from_millis(gap));
                for _ in 0..3 {
                    let Ok(admitted) = counters.admit(&charges(&limits), &account, now) else {
                        continue;
                    };
                    let at = admitted.taken.parts[0].charged.at().nanos();
                    calls.push(at);
                    let held = calls.iter().filter(|call| **call + 60_000_000_000 > at).count();
                    prop_assert!(held as u64 <= max, "{held} calls in a window, {max} allowed");
                }
            }
        }
    }

    #[test]
    fn a_told_wait_is_never_too_short(
        max in 2_u64..40,
        bursts in (1_u32..40, 1_u32..40),
        before in 1_usize..60,
        edited_after in 0_u64..100_000,
    ) {
        let counters = many();
        let of = |burst: u32| [with_burst(limit(0, max, Window::MINUTE), burst.min(max as u32 - 1))];
        let (old, new) = (of(bursts.0), of(bursts.1));
        admitted_of(&counters, &old, before, START);
        let now = START.plus(Duration::from_millis(edited_after));
        let account = account(&counters, &new);
        if let Err(Denial::LimitReached(full)) = counters.admit(&charges(&new), &account, now) {
            let then = now.plus(full.retry_after);
            prop_assert!(counters.admit(&charges(&new), &account, then).is_ok());
        }
    }
}
