//! A bucket for limits with `burst`: GCRA, judged by `governor`.
//!
//! It never holds a rate limiter: what is kept is sixteen bytes, and the limiter is built around them on the stack for
//! each question. Asking changes nothing that was taken, so that several limits can be asked before any is charged.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::clock::Timestamp;
use crate::policy::{Amount, Charge, Limit};

/// How far a bucket is drained, and at which speed it refills.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    /// One window after the "theoretical arrival time" of GCRA, the moment the bucket is full again. From then on no
    /// window reaches back to a call that it admitted.
    pub(super) until: Timestamp,
    /// Nanoseconds in which one refills, whatever a call takes; 0 if the limit lost its `burst`, and the bucket is only waited for.
    pub(super) period: u64,
}

impl Bucket {
    /// What is left after one more charge at `at`, or when there is room for it.
    ///
    /// A limit that was edited carries what it admitted with it: see [`Bucket::adopt`].
    pub(super) fn room(&mut self, charge: &Charge<'_>, at: Timestamp) -> Result<Bucket, Timestamp> {
        let limit = charge.limit;
        let burst = limit
            .burst
            .expect("only limits with a burst are asked of a bucket");
        let window = limit.window.length();
        let period = period(limit, burst);
        self.adopt(period, window, at)?;
        let pace = pace(charge.amount, burst, period);
        let full =
            Timestamp::from_nanos(self.until.nanos() - nanos(window).min(self.until.nanos()));
        let full = pace.take(full, at).map_err(|wait| at.plus(wait))?;
        Ok(Bucket {
            until: full.plus(window),
            period,
        })
    }

    /// The limit has no `burst` any more: how long its window must stay closed, because nobody knows when in the last
    /// window the bucket's calls were. At most one window from the first look after the edit.
    pub(super) fn leave(&mut self, limit: &Limit, at: Timestamp) -> Result<(), Timestamp> {
        if self.until <= at {
            *self = Bucket::default();
            return Ok(());
        }
        self.until = self.until.min(at.plus(limit.window.length()));
        self.period = 0;
        Err(self.until)
    }

    /// How many calls of one each it holds at `at`, not counting what an edit of the limit would change.
    pub(super) fn left(&self, limit: &Limit, at: Timestamp) -> Amount {
        let Some(burst) = limit.burst else {
            return Amount::NOTHING;
        };
        let full = self
            .until
            .nanos()
            .saturating_sub(nanos(limit.window.length()));
        let drained = full
            .saturating_sub(at.nanos())
            .div_ceil(period(limit, burst));
        Amount::whole(u64::from(burst.get()).saturating_sub(drained))
    }

    /// Goes over to another refill period, so that the cap of the new limit holds over windows that began under the
    /// old one. With `w` the window, `T` the old period, `U` the new one and `x` calls not refilled yet, old calls in
    /// a window are at most `x + w/T`, new ones at most `burst - y + w/U`; both parts share the window, so
    /// `y = x + max(0, w/T - w/U)` is enough.
    fn adopt(&mut self, period: u64, window: Duration, at: Timestamp) -> Result<(), Timestamp> {
        if self.until <= at {
            *self = Bucket::default();
        }
        if self.until == Timestamp::default() || self.period == period {
            return Ok(());
        }
        if self.period == 0 {
            return Err(self.until);
        }
        let window = u128::from(nanos(window));
        let left = u128::from(self.until.nanos()).saturating_sub(window + u128::from(at.nanos()));
        let (old, new) = (u128::from(self.period), u128::from(period));
        let left = match new > old {
            true => ((left + window) * new).div_ceil(old) - window,
            false => (left * new).div_ceil(old),
        };
        let until = u128::from(at.nanos()) + left + window;
        *self = Bucket {
            until: Timestamp::from_nanos(u64::try_from(until).unwrap_or(u64::MAX >> 1)),
            period,
        };
        Ok(())
    }
}

/// The pace of calls that each take so much. They are governor's cells: what one takes refills in as much longer as it is
/// more than one, rounded up, and the burst holds as many as fit whole.
fn pace(amount: Amount, burst: NonZeroU32, period: u64) -> Pace {
    let (amount, one) = (
        u128::from(amount.millionths()),
        u128::from(Amount::ONE.millionths()),
    );
    let each = (u128::from(period) * amount).div_ceil(one);
    // No nanoseconds beyond 2^62: a smaller burst is only stricter, and governor's sums must not overflow.
    let each = u64::try_from(each).unwrap_or(u64::MAX).clamp(1, 1 << 62);
    let whole = u128::from(burst.get()) * one / amount.max(1);
    let fitting = whole.min(u128::from((1_u64 << 62) / each));
    let fitting = u32::try_from(fitting).unwrap_or(u32::MAX);
    Pace {
        period: each,
        burst: NonZeroU32::new(fitting).unwrap_or(NonZeroU32::MIN),
    }
}

/// In `window / (max - burst)`, rounded up, one call refills: `burst` at once and the refills of a whole window then
/// make `max` at most.
fn period(limit: &Limit, burst: NonZeroU32) -> u64 {
    let refilled = limit.max.get().saturating_sub(burst.get().into()).max(1);
    nanos(limit.window.length()).div_ceil(refilled)
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).expect("no window and no second is 584 years long")
}

/// What GCRA needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Nanoseconds in which one call refills.
    pub(super) period: u64,
    /// Calls back to back.
    pub(super) burst: NonZeroU32,
}

impl Pace {
    /// The moment the bucket is full again after a call at `at`, if it would be full at `full` without; or how long
    /// until the call could be admitted.
    pub(super) fn take(self, full: Timestamp, at: Timestamp) -> Result<Timestamp, Duration> {
        let quota = Quota::with_period(Duration::from_nanos(self.period))
            .expect("a period is at least a nanosecond")
            .allow_burst(self.burst);
        let memory = Memory {
            now: Cell::new(0),
            full: Cell::new(full.nanos()),
        };
        let limiter: RateLimiter<_, _, _, NoOpMiddleware<Nanos>> =
            RateLimiter::new(quota, &memory, &memory);
        memory.now.set(at.nanos());
        match limiter.check() {
            Ok(()) => Ok(Timestamp::from_nanos(memory.full.get())),
            Err(not_until) => Err(not_until.wait_time_from(Nanos::new(at.nanos()))),
        }
    }
}

/// What `governor` is given as its clock and as its state. The clock says 0 while the limiter is made, because it
/// counts from there.
#[derive(Debug)]
struct Memory {
    now: Cell<u64>,
    full: Cell<u64>,
}

impl Clock for &Memory {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.now.get())
    }
}

impl StateStore for &Memory {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (admitted, full) = measure(Some(Nanos::new(self.full.get())))?;
        self.full.set(full.as_u64());
        Ok(admitted)
    }
}
