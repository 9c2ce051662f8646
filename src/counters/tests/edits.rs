//! What becomes of counts when `max` is edited, and how they are kept on either side of exactness.

use super::*;
use crate::counters::calls::Calls;

#[test]
fn editing_max_applies_at_once_and_keeps_the_counts() {
    // (max before, calls, max after, calls that still pass)
    let edits = [
        (10, 10, 15, 5),
        (10, 8, 5, 0),
        (10, 3, 5, 2),
        (1_000, 900, 2_000, 1_100),
    ];
    for (before, calls, after, left) in edits.into_iter().chain([(2_000, 900, 1_000, 100)]) {
        let counters = many();
        let (old, new) = (
            [limit(0, before, Window::HOUR)],
            [limit(0, after, Window::HOUR)],
        );
        assert_eq!(admitted_of(&counters, &old, calls, START), calls);
        let passed = admitted_of(&counters, &new, 3_000, START);
        assert_eq!(passed, left, "{calls} calls under {before}, then {after}");
    }
}

#[test]
fn a_wait_is_told_for_the_call_that_leaves_first_however_it_is_kept() {
    let counters = many();
    let (exact, sliced) = (
        [limit(0, 1_000, Window::MINUTE)],
        [limit(0, 1_100, Window::MINUTE)],
    );
    let later = START.plus(30 * SECOND);
    assert_eq!(admitted_of(&counters, &exact, 1, START), 1);
    assert_eq!(admitted_of(&counters, &sliced, 1_200, later), 1_099);
    let account = account(&counters, &sliced);
    let wait = retry_after(counters.admit(&charges(&sliced), &account, later));
    assert_eq!(wait, 30 * SECOND);
}

#[test]
fn a_small_counter_is_grown_to_its_max_and_no_further() {
    let mut calls = Calls::default();
    for call in 0..10 {
        calls.push(START.plus(SECOND * call), 10);
        assert!(
            calls.capacity() <= 10,
            "{} after call {call}",
            calls.capacity()
        );
    }
    assert_eq!(calls.len(), 10);
}
