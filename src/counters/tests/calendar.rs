//! What windows of the calendar promise.

use proptest::prelude::*;

use super::*;
use crate::counters::period;

fn at(text: &str) -> Timestamp {
    let time: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_nanos(u64::try_from(time.as_nanosecond()).unwrap())
}

fn calendar(max: u64, window: &str) -> [Limit; 1] {
    let text = format!(r#"{{"counter":"c","window":"{window}","max":{max},"align":"calendar"}}"#);
    limits_of(&[&text]).try_into().unwrap()
}

#[test]
fn a_period_ends_where_the_next_one_of_utc_begins() {
    for (window, moment, ends) in [
        (
            Window::SECOND,
            "2026-11-24T21:30:15.5Z",
            "2026-11-24T21:30:16Z",
        ),
        (
            Window::MINUTE,
            "2026-11-24T21:30:15Z",
            "2026-11-24T21:31:00Z",
        ),
        (Window::HOUR, "2026-11-24T21:30:15Z", "2026-11-24T22:00:00Z"),
        (Window::DAY, "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),
        (
            Window::DAY,
            "2026-11-24T23:59:59.999999999Z",
            "2026-11-25T00:00:00Z",
        ),
        // The 24th is a Tuesday.
        (Window::WEEK, "2026-11-24T12:00:00Z", "2026-11-30T00:00:00Z"),
        (Window::WEEK, "2026-11-29T23:59:59Z", "2026-11-30T00:00:00Z"),
        (Window::WEEK, "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"),
        (
            Window::MONTH,
            "2026-11-30T23:59:59Z",
            "2026-12-01T00:00:00Z",
        ),
        (
            Window::MONTH,
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        ),
        (
            Window::MONTH,
            "2028-02-29T00:00:00Z",
            "2028-03-01T00:00:00Z",
        ),
    ] {
        assert_eq!(period::end(window, at(moment)), at(ends), "{moment}");
    }
}

#[test]
fn a_full_period_opens_at_its_end_and_two_may_meet() {
    let limits = calendar(10, "day");
    let counters = many();
    let evening = at("2026-11-24T23:59:50Z");
    assert_eq!(admitted_of(&counters, &limits, 20, evening), 10);
    let account = account(&counters, &limits);
    let wait = retry_after(counters.admit(&charges(&limits), &account, evening));
    assert_eq!(wait, 10 * SECOND);
    assert_eq!(admitted_of(&counters, &limits, 20, evening.plus(wait)), 10);
}

#[test]
fn a_thread_that_looked_at_the_clock_before_midnight_counts_after_it() {
    let limits = calendar(2, "day");
    let counters = many();
    let (before, after) = (at("2026-11-24T23:59:59Z"), at("2026-11-25T00:00:00.001Z"));
    assert_eq!(admitted_of(&counters, &limits, 2, before), 2);
    assert_eq!(admitted_of(&counters, &limits, 1, after), 1);
    assert_eq!(
        admitted_of(&counters, &limits, 2, before),
        1,
        "the old day is over"
    );
    assert_eq!(admitted_of(&counters, &limits, 1, after), 0);
}

#[test]
fn a_refund_of_the_last_period_frees_nothing_in_this_one() {
    let limits = calendar(1, "month");
    let counters = many();
    let account = account(&counters, &limits);
    let admit = |moment| counters.admit(&charges(&limits), &account, at(moment));
    let november = admit("2026-11-30T12:00:00Z").unwrap().into_taken();
    let december = admit("2026-12-01T00:00:00Z").unwrap().into_taken();
    counters.refund(november);
    assert!(admit("2026-12-31T23:00:00Z").is_err());
    counters.refund(december);
    assert!(admit("2026-12-31T23:00:01Z").is_ok());
}

#[test]
fn a_calendar_limit_and_a_rolling_one_have_counters_of_their_own() {
    let (rolling, aligned) = ([limit(0, 3, Window::DAY)], calendar(3, "day"));
    let aligned = [Limit {
        rule: rolling[0].rule.clone(),
        ..aligned[0].clone()
    }];
    let counters = many();
    assert_eq!(admitted_of(&counters, &rolling, 5, START), 3);
    assert_eq!(admitted_of(&counters, &aligned, 5, START), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_period_holds_more_than_max_and_none_refuses_what_fits(
        max in 1_u64..12,
        window in prop::sample::select(vec!["minute", "hour", "week", "month"]),
        steps in prop::collection::vec((0_u64..400, 1_u64..4_000_000, prop::bool::weighted(0.2)), 1..120),
    ) {
        let limits = limits_of(&[&format!(
            r#"{{"counter":"c","window":"{window}","max":{max},"align":"calendar","increment_from":"args.n"}}"#
        )]);
        let mut counters = many();
        let mut history = History::default();
        let mut held: std::collections::HashMap<u64, u64> = std::collections::HashMap::new();
        let mut now = START;
        for (hundredths, millionths, restarts) in steps {
            let length = limits[0].window.length();
            now = now.plus(length * u32::try_from(hundredths).unwrap() / 100);
            if restarts {
                counters = restored(&history);
            }
            let millionths = millionths.min(max * 1_000_000);
            let account = account(&counters, &limits);
            let charged = counters.admit(&[of(&limits[0], millionths)], &account, now);
            let (period, ends) = (now, period::end(limits[0].window, now));
            let sum = held.entry(ends.nanos()).or_default();
            match charged {
                Ok(admitted) => {
                    *sum += millionths;
                    prop_assert!(*sum <= max * 1_000_000);
                    for (key, charged) in admitted.taken().parts() {
                        history.charge(key, charged);
                    }
                }
                Err(Denial::LimitReached(full)) => {
                    prop_assert!(*sum + millionths > max * 1_000_000, "refused too much");
                    prop_assert_eq!(period.plus(full.retry_after), ends);
                    prop_assert_eq!(full.left.millionths(), max * 1_000_000 - *sum);
                }
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
