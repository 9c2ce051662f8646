//! What outlives the process: amounts, each to the millionth, and what was kept before there were any.

use super::*;

/// The history of these calls, written and read back.
fn kept(history: &History) -> History {
    let newest = history.newest();
    History::from_kept(newest, history.to_kept().collect::<Vec<_>>().into_iter()).unwrap()
}

#[test]
fn amounts_and_subjects_are_restored_as_they_were() {
    let limits = limits_of(&[
        r#"{"counter":"c","window":"hour","max":1000,"increment_from":"args.n","by":["args.to"]}"#,
    ]);
    let charge = |subject, millionths| Charge {
        amount: Amount::from_millionths(millionths),
        ..on(&limits[0], subject)
    };
    let counters = many();
    let account_of_then = account(&counters, &limits);
    let mut history = History::default();
    let mut returned = None;
    // More than are kept by themselves, so that slices are restored too.
    for call in 0..1_500_u64 {
        let now = START.plus(Duration::from_millis(call));
        let subject = u128::from(call % 5 == 0);
        let admitted = counters.admit(&[charge(subject + 1, 500_001)], &account_of_then, now);
        let taken = admitted.unwrap().into_taken();
        for (key, charged) in taken.parts() {
            history.charge(key, charged);
        }
        returned = Some(taken);
    }
    let settlement = Settlement::of_unsent(returned.unwrap());
    for (key, charged) in settlement.refunded().parts() {
        history.refund(key, charged);
    }
    // A refund in the journal is a refund in the living counter.
    let read = kept(&history);
    assert_eq!(read, history);
    let restored = restored(&read);
    let account = account(&restored, &limits);
    let now = START.plus(2 * SECOND);
    for (subject, calls) in [(1, 1_199), (2, 300)] {
        let left = 1_000_000_000 - calls * 500_001;
        let admits = |millionths| restored.admit(&[charge(subject, millionths)], &account, now);
        assert!(admits(left + 1).is_err(), "subject {subject}");
        assert!(admits(left).is_ok(), "subject {subject}");
    }
}

#[test]
fn counters_kept_before_there_were_amounts_are_read_as_calls() {
    let until = START.plus(60 * SECOND).nanos();
    // The first form: two exact calls, and a slice of three.
    let numbers = [1, 2, until, until + 1, 1, until + 2, 3];
    let bytes = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
    let limits = [limit(0, 10, Window::MINUTE)];
    let holder = Holder {
        grant: "grant",
        server: "server",
    };
    let key = CounterKey::of(holder, &limits[0]).to_bytes();
    let history = History::from_kept(START, [(key, bytes)].into_iter()).unwrap();
    assert_eq!(admitted_of(&restored(&history), &limits, 20, START), 5);
    assert_eq!(kept(&history), history);
}

#[test]
fn damaged_or_later_forms_are_not_guessed_at() {
    for numbers in [&[3, 0, 0][..], &[2, 1, 5], &[2, 0, 0, 1], &[1, 1], &[]] {
        let bytes = numbers.iter().flat_map(|number: &u64| number.to_le_bytes());
        let kept = [([0; 16], bytes.collect())].into_iter();
        assert_eq!(History::from_kept(START, kept), None, "{numbers:?}");
    }
}
