//! What the counters promise, in tables, from several threads, and against a slow, obvious model.

#![allow(clippy::unwrap_used)] // A test that panics has done its work.

mod amounts;
mod bucket;
mod calendar;
mod clock;
mod edits;
mod flood;
mod forms;
mod in_flight;
mod kept;
mod map;
mod model;
mod model_of_histories;
mod model_of_many;
mod subjects;

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::taken::Part;
use super::*;
use crate::clock::Timestamp;
use crate::policy::{
    Align, Amount, Charge, Denial, Failures, Increment, Limit, Policy, Scope, Subject, Window,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const START: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

impl Counters {
    /// Charges without a permit, which only `policy` can make.
    pub(crate) fn admit_in_test<'p>(
        &self,
        charges: &[Charge<'p>],
        account: &Account,
        now: Timestamp,
    ) -> Result<Admitted<'p>, Denial<'p>> {
        self.admit(charges, account, now)
    }

    fn admit<'p>(
        &self,
        charges: &[Charge<'p>],
        account: &Account,
        now: Timestamp,
    ) -> Result<Admitted<'p>, Denial<'p>> {
        self.charge_all(charges, account, now)
    }
}

pub(crate) fn limit(index: usize, max: u64, window: Window) -> Limit {
    Limit {
        index,
        rule: format!("/tools/t/limits/l{index}").into(),
        pointer: format!("/tools/t/limits/{index}").into(),
        max: NonZeroU64::new(max).unwrap(),
        window,
        burst: None,
        align: Align::Rolling,
        scope: Scope::Grant,
        by: Box::default(),
        increment: Increment::Constant(Amount::ONE),
        refund_on: Failures::NONE,
        is_shadow: false,
        on_deny: None,
    }
}

/// The limits of `all_tools`, as a policy has them.
pub(crate) fn limits_of(texts: &[&str]) -> Vec<Limit> {
    let source = format!(
        r#"{{"version":"1","default":"allow","all_tools":{{"limits":[{}]}}}}"#,
        texts.join(",")
    );
    let policy = Policy::compile(source.as_bytes());
    let policy = policy.unwrap_or_else(|mistakes| panic!("{mistakes:?} in {source}"));
    policy.limits().to_vec()
}

/// The key of the counter that a charge of this grant is taken from.
pub(crate) fn key_of(charge: &Charge<'_>, grant: &str) -> CounterKey {
    let server = "server";
    let key = CounterKey::of(Holder { grant, server }, charge.limit);
    match charge.subject {
        Some(subject) => key.of_subject(subject, &Secret::from_bytes([7; 32])),
        None => key,
    }
}

/// So many millionths from a limit's one counter.
fn of(limit: &Limit, millionths: u64) -> Charge<'_> {
    Charge {
        amount: Amount::from_millionths(millionths),
        ..whole(limit)
    }
}

/// One call for a subject.
pub(crate) fn on(limit: &Limit, subject: u128) -> Charge<'_> {
    Charge {
        subject: Some(Subject::in_test(subject)),
        ..whole(limit)
    }
}

pub(crate) fn with_burst(limit: Limit, burst: u32) -> Limit {
    let burst = NonZeroU32::new(burst);
    Limit { burst, ..limit }
}

pub(crate) fn account(counters: &Counters, limits: &[Limit]) -> Account {
    account_of(counters, "grant", limits)
}

pub(crate) fn account_of(counters: &Counters, grant: &str, limits: &[Limit]) -> Account {
    let (per_second, burst) = (NonZeroU32::MAX, NonZeroU32::MAX);
    let guard = Guard::new(GuardSettings { per_second, burst });
    let server = "server";
    counters.account(Holder { grant, server }, limits, Arc::new(guard))
}

pub(crate) fn charges(limits: &[Limit]) -> Vec<Charge<'_>> {
    limits.iter().map(whole).collect()
}

/// What one call takes from a limit that has one counter.
pub(crate) fn whole(limit: &Limit) -> Charge<'_> {
    let amount = match &limit.increment {
        Increment::Constant(amount) => *amount,
        Increment::From(_) => Amount::ONE,
    };
    Charge {
        limit,
        amount,
        subject: None,
    }
}

/// No counters, and room for all that a test opens.
pub(crate) fn many() -> Counters {
    restored(&History::default())
}

pub(crate) fn restored(history: &History) -> Counters {
    Counters::restored(history, Bounds::default(), Secret::from_bytes([7; 32]))
}

fn retry_after(denied: Result<Admitted<'_>, Denial<'_>>) -> Duration {
    match denied {
        Err(Denial::LimitReached(full)) => full.retry_after,
        other => panic!("expected a full limit, not {other:?}"),
    }
}

fn admitted_of(counters: &Counters, limits: &[Limit], times: usize, now: Timestamp) -> usize {
    let account = account(counters, limits);
    let charges = charges(limits);
    let calls = (0..times).map(|_| counters.admit(&charges, &account, now));
    calls.filter(Result::is_ok).count()
}

#[test]
fn sixty_four_threads_get_exactly_what_a_limit_allows() {
    for round in 0..100 {
        let limits = [limit(0, 100, Window::MINUTE)];
        let counters = many();
        let account = account(&counters, &limits);
        let admitted = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..64 {
                let (counters, account, admitted, limits) =
                    (&counters, &account, &admitted, &limits);
                scope.spawn(move || {
                    let now = START.plus(Duration::from_micros(thread % 7));
                    for _ in 0..200 {
                        let charged = counters.admit(&charges(limits), account, now);
                        admitted.fetch_add(charged.is_ok().into(), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 100, "in round {round}");
    }
}

#[test]
fn threads_that_name_limits_in_opposite_orders_do_not_wait_for_each_other_in_a_circle() {
    let limits: Vec<Limit> = (0..3)
        .map(|index| limit(index, 3_000, Window::HOUR))
        .collect();
    let counters = many();
    let account = account(&counters, &limits);
    let (forth, mut back) = (charges(&limits), charges(&limits));
    back.reverse();
    std::thread::scope(|scope| {
        for order in [&forth, &back] {
            scope.spawn(|| {
                for _ in 0..1_500 {
                    assert!(counters.admit(order, &account, START).is_ok());
                }
            });
        }
    });
    assert!(counters.admit(&forth, &account, START).is_err());
}

#[test]
fn nothing_is_taken_from_a_limit_with_room_when_another_has_none() {
    let limits = [limit(0, 5, Window::MINUTE), limit(1, 2, Window::MINUTE)];
    let counters = many();
    let account = account(&counters, &limits);
    let (both, first) = (charges(&limits), charges(&limits[..1]));
    for call in 0..10 {
        let is_admitted = counters.admit(&both, &account, START).is_ok();
        assert_eq!(is_admitted, call < 2, "call {call}");
    }
    let left = (0..10).filter(|_| counters.admit(&first, &account, START).is_ok());
    assert_eq!(left.count(), 3, "two of five were taken");
}

#[test]
fn a_full_limit_takes_nothing_from_the_guard_and_a_full_guard_nothing_from_a_limit() {
    let limits = [limit(0, 3, Window::MINUTE), limit(1, 1, Window::MINUTE)];
    let counters = many();
    let settings = GuardSettings {
        per_second: NonZeroU32::new(1).unwrap(),
        burst: NonZeroU32::new(2).unwrap(),
    };
    let holder = Holder {
        grant: "g",
        server: "s",
    };
    let account = counters.account(holder, &limits, Arc::new(Guard::new(settings)));
    let (first, second) = (charges(&limits[..1]), charges(&limits[1..]));
    assert!(counters.admit(&second, &account, START).is_ok());
    for _ in 0..5 {
        assert!(matches!(
            counters.admit(&second, &account, START),
            Err(Denial::LimitReached(_))
        ));
    }
    assert!(counters.admit(&first, &account, START).is_ok());
    for _ in 0..5 {
        match counters.admit(&first, &account, START) {
            Err(Denial::Guard { retry_after }) => assert_eq!(retry_after, SECOND),
            other => panic!("the guard let a third call pass: {other:?}"),
        }
    }
    for late in [1, 2] {
        assert!(
            counters
                .admit(&first, &account, START.plus(SECOND * late))
                .is_ok()
        );
    }
}

#[test]
fn of_several_full_limits_the_one_that_opens_last_is_told() {
    let limits = [
        limit(0, 1, Window::MINUTE),
        limit(1, 1, Window::HOUR),
        limit(2, 1, Window::SECOND),
    ];
    let counters = many();
    let account = account(&counters, &limits);
    assert!(counters.admit(&charges(&limits), &account, START).is_ok());
    match counters.admit(&charges(&limits), &account, START) {
        Err(Denial::LimitReached(full)) => assert_eq!(full.limit.index, 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_exhausted_window_opens_again_one_call_at_a_time() {
    for (rest, admitted) in [(0, 0), (50, 0), (51, 1), (55, 5), (60, 10), (999, 10)] {
        let limits = [limit(0, 10, Window::MINUTE)];
        let counters = many();
        for call in 0..10 {
            // Calls at 1 s to 10 s before the beginning.
            let now =
                Timestamp::from_nanos(START.nanos() - 10_000_000_000).plus(SECOND * (call + 1));
            assert_eq!(admitted_of(&counters, &limits, 1, now), 1);
        }
        let now = START.plus(SECOND * rest);
        assert_eq!(
            admitted_of(&counters, &limits, 20, now),
            admitted,
            "after {rest} s of rest"
        );
    }
}

#[test]
fn a_place_is_free_at_exactly_one_window_after_its_call() {
    let limits = [limit(0, 1, Window::MINUTE)];
    let counters = many();
    let account = account(&counters, &limits);
    let charges = charges(&limits);
    assert!(counters.admit(&charges, &account, START).is_ok());
    let early = START.plus(Duration::from_nanos(59_999_999_999));
    assert_eq!(
        retry_after(counters.admit(&charges, &account, early)),
        Duration::from_nanos(1)
    );
    assert!(
        counters
            .admit(&charges, &account, START.plus(60 * SECOND))
            .is_ok()
    );
}

#[test]
fn a_late_look_at_the_clock_neither_loses_a_call_nor_waits_too_short() {
    let limits = [limit(0, 2, Window::SECOND)];
    let counters = many();
    let account = account(&counters, &limits);
    let charges = charges(&limits);
    let later = START.plus(SECOND);
    assert!(counters.admit(&charges, &account, START).is_ok());
    assert!(counters.admit(&charges, &account, later).is_ok());
    // The first call has left by `later`; this thread looked at the clock before that.
    assert!(counters.admit(&charges, &account, START).is_ok());
    let wait = retry_after(counters.admit(&charges, &account, START));
    assert!(
        wait >= 2 * SECOND,
        "the third call counts as of {later}: {wait:?}"
    );
}

#[test]
fn a_refund_frees_one_place_and_only_while_the_call_is_counted() {
    for max in [3, 5_000] {
        let limits = [limit(0, max, Window::MINUTE)];
        let counters = many();
        let account = account(&counters, &limits);
        let charges = charges(&limits);
        let mut calls: Vec<Taken> = (0..max)
            .map(|_| {
                counters
                    .admit(&charges, &account, START)
                    .unwrap()
                    .into_taken()
            })
            .collect();
        counters.refund(calls.pop().unwrap());
        assert!(
            counters.admit(&charges, &account, START).is_ok(),
            "max {max}"
        );
        assert!(
            counters.admit(&charges, &account, START).is_err(),
            "max {max}"
        );
        let later = START.plus(62 * SECOND);
        assert_eq!(
            admitted_of(&counters, &limits, max as usize + 1, later),
            max as usize
        );
        for old in calls {
            counters.refund(old);
        }
        assert_eq!(
            admitted_of(&counters, &limits, 1, later),
            0,
            "the old calls had left"
        );
    }
}

impl Taken {
    /// What a call would have taken.
    pub(crate) fn in_test(key: CounterKey, charged: Charged) -> Taken {
        let limit = 0;
        Taken::of([Part {
            key,
            charged,
            limit,
            opener: None,
        }])
    }
}
