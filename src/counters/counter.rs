//! One counter: what a limit still remembers of the calls it admitted.
//!
//! It never reads a clock, and it never goes back in time: a call that comes late counts as of the newest moment seen.

use std::time::Duration;

use super::bucket::Bucket;
use super::history::Past;
use super::taken::Charged;
use super::window::{Calls, Place, Slice};
use crate::clock::Timestamp;
use crate::policy::Limit;

/// What one limit of one grant has admitted. The window is part of the counter's key and never changes; `max` and
/// `burst` are the limit's and may differ from call to call.
#[derive(Debug)]
pub(super) struct Counter {
    seen: Timestamp,
    calls: Calls,
    bucket: Bucket,
}

impl Counter {
    /// A counter that has admitted nothing, and lives from `seen` on.
    pub(super) fn new(seen: Timestamp) -> Counter {
        Counter {
            seen,
            calls: Calls::default(),
            bucket: Bucket::default(),
        }
    }

    /// A counter as it was kept. No call that it remembers came after `seen`.
    pub(super) fn kept(past: &Past, seen: Timestamp) -> Counter {
        let slices = past.slices.iter();
        let slices = slices.map(|(&until, &calls)| Slice { until, calls });
        let calls = Calls::kept(past.exact.iter().copied(), slices);
        // A call that leaves after the bucket was last charged came after that, for a bucket is only charged once all
        // calls have left. It was admitted, so the bucket had been waited for.
        let last = calls.last_leaves().unwrap_or_default();
        let bucket = past.bucket.filter(|(at, _)| last <= *at);
        Counter {
            seen,
            calls,
            bucket: bucket.map_or(Bucket::default(), |(_, bucket)| bucket),
        }
    }

    /// Asks for room for one call at `now`, and takes nothing: what to [`Counter::commit`], or how long until there is
    /// room, if nobody else takes it.
    ///
    /// Calls bear times of their own, at least a nanosecond apart. After an edit that added or removed `burst`, what
    /// the other way of counting admitted must first have left the window.
    pub(super) fn stage(&mut self, limit: &Limit, now: Timestamp) -> Result<Charged, Duration> {
        let at = now.max(self.seen.plus(Duration::from_nanos(1)));
        self.seen = self.seen.max(now);
        self.calls.expire(at);
        let staged = match limit.burst {
            None => self.stage_call(limit, at),
            Some(_) => self.stage_burst(limit, at),
        };
        staged.map_err(|opens| opens.since(now).max(Duration::from_nanos(1)))
    }

    fn stage_call(&mut self, limit: &Limit, at: Timestamp) -> Result<Charged, Timestamp> {
        self.bucket.leave(limit, at)?;
        Ok(match self.calls.room(limit, at)? {
            Place::Exact(until) => Charged::Call { at, until },
            Place::Slice(until) => Charged::Slice { at, until },
        })
    }

    fn stage_burst(&mut self, limit: &Limit, at: Timestamp) -> Result<Charged, Timestamp> {
        if let Some(opens) = self.calls.last_leaves() {
            return Err(opens);
        }
        let Bucket { until, period } = self.bucket.room(limit, at)?;
        Ok(Charged::Burst { at, until, period })
    }

    /// Takes what was staged last.
    pub(super) fn commit(&mut self, charged: Charged, limit: &Limit) {
        match charged {
            Charged::Call { until, .. } => self.calls.put(Place::Exact(until), limit.max.get()),
            Charged::Slice { until, .. } => self.calls.put(Place::Slice(until), limit.max.get()),
            Charged::Burst { until, period, .. } => self.bucket = Bucket { until, period },
        }
        self.seen = charged.at();
    }

    /// Gives a call's place back; nothing happens if it has left by itself, or for a burst.
    pub(super) fn take_back(&mut self, charged: Charged) {
        match charged {
            Charged::Call { until, .. } => self.calls.take_back(Place::Exact(until)),
            Charged::Slice { until, .. } => self.calls.take_back(Place::Slice(until)),
            Charged::Burst { .. } => {}
        }
    }

    /// Whether a new counter that lives from `now` on would answer the same, and give no call a time that this one has
    /// given away. (Times run ahead of the clock by a nanosecond a call, and calls that were given back leave no trace:
    /// such a time, given twice, would make one refund in the journal stand for both calls.)
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        let last = self.calls.last_leaves().unwrap_or_default();
        last.max(self.bucket.until).max(self.seen) <= now
    }
}
