//! One counter: what a limit still remembers of the calls it admitted.
//!
//! It never reads a clock, and it never goes back in time: a call that comes late counts as of the newest moment seen.

use std::time::Duration;

use super::bucket::Bucket;
use super::held::Held;
use super::history::Past;
use super::taken::Charged;
use super::window::{NoRoom, Place, most_takings};
use crate::clock::Timestamp;
use crate::policy::{Amount, Charge, Limit};

/// What one limit has admitted for those who share it. The window is part of the counter's key and never changes; `max` and
/// `burst` are the limit's and may differ from call to call.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) seen: Timestamp,
    pub(super) held: Held,
}

/// When a charge is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct When {
    pub(super) now: Timestamp,
    /// A call that begins now has ended after so long, whatever happens.
    pub(super) call_max: Duration,
}

/// There is no room for a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    /// How long until there is, if nobody else takes it.
    pub(super) wait: Duration,
    /// How much there is.
    pub(super) left: Amount,
}

impl Counter {
    /// A counter that has admitted nothing, and lives from `seen` on.
    pub(super) fn new(seen: Timestamp) -> Counter {
        Counter {
            seen,
            held: Held::default(),
        }
    }

    /// A counter as it was kept. No call that it remembers came after `seen`.
    pub(super) fn kept(past: &Past, seen: Timestamp) -> Counter {
        let held = Held::kept(past);
        Counter { seen, held }
    }

    /// Asks for room for a charge at `now`, and takes nothing: what to [`Counter::commit`], or how long until there is
    /// room, if nobody else takes it. There is always room for nothing.
    ///
    /// Charges bear times of their own, at least a nanosecond apart. After an edit that added or removed `burst`, what
    /// the other way of counting admitted must first have left the window.
    pub(super) fn stage(&mut self, charge: &Charge<'_>, when: When) -> Result<Charged, Refused> {
        let (limit, amount, now) = (charge.limit, charge.amount, when.now);
        let at = now.max(self.seen.plus(Duration::from_nanos(1)));
        self.seen = self.seen.max(now);
        self.held.expire(at);
        let staged = match limit.burst {
            _ if limit.is_concurrent() => {
                let until = self.held.slot(limit, at.plus(when.call_max));
                until.map(|until| Charged::Slot { at, until })
            }
            _ if amount.is_nothing() => Ok(Charged::Call {
                at,
                until: at.plus(limit.window.length()),
                amount,
            }),
            None => self.held.room(charge, at).map(|place| match place {
                Place::Exact(until) => Charged::Call { at, until, amount },
                Place::Slice(until) => Charged::Slice { at, until, amount },
            }),
            Some(_) => {
                let bucket = self.held.room_in_bucket(charge, at);
                bucket.map(|Bucket { until, period }| Charged::Burst { at, until, period })
            }
        };
        staged.map_err(|NoRoom { opens, left }| Refused {
            wait: opens.since(now).max(Duration::from_nanos(1)),
            left,
        })
    }

    /// Takes what was staged last.
    pub(super) fn commit(&mut self, charged: Charged, limit: &Limit) {
        self.held.put(charged, most_takings(limit));
        self.seen = charged.at();
    }

    /// Gives back what a charge took; nothing happens if it has left by itself, or for a burst.
    pub(super) fn take_back(&mut self, charged: Charged) {
        self.held.take_back(charged);
    }

    /// Whether a new counter that lives from `now` on would answer the same, and give no call a time that this one has
    /// given away. (Times run ahead of the clock by a nanosecond a call, and calls that were given back leave no trace:
    /// such a time, given twice, would make one refund in the journal stand for both calls.)
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        let last = self.held.last_leaves().unwrap_or_default();
        last.max(self.held.bucket().until).max(self.seen) <= now
    }
}
