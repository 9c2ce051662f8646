//! What a counter holds, in as few bytes as it takes: most counters only ever hold one kind of thing.
//!
//! It never answers otherwise than its largest form would, [`Mixed`], which can hold everything at once.

use super::bucket::Bucket;
use super::calls::Calls;
use super::concurrent::Slots;
use super::history::Past;
use super::taken::Charged;
use super::window::{self, NoRoom, Place, Taking, Takings};
use crate::clock::Timestamp;
use crate::policy::{Amount, Charge, Limit};

/// What is still counted.
#[derive(Debug)]
pub(super) enum Held {
    /// Calls that took one each from a rolling window; or nothing.
    Calls(Calls),
    /// A period of the calendar, or the only slice of a rolling window.
    Slice(Taking),
    /// What is drained from a bucket.
    Bucket(Bucket),
    /// Anything else, and all together: amounts, many slices, calls in flight, and what an edit left behind.
    Mixed(Box<Mixed>),
}

/// All that there can be.
#[derive(Debug, Default)]
pub(super) struct Mixed {
    takings: Takings,
    slots: Slots,
    bucket: Bucket,
}

impl Default for Held {
    fn default() -> Held {
        Held::Calls(Calls::default())
    }
}

impl Held {
    /// What was kept elsewhere.
    pub(super) fn kept(past: &Past) -> Held {
        let mut held = Held::default();
        for (&until, &amount) in &past.exact {
            let at = Timestamp::default();
            held.put(Charged::Call { at, until, amount }, window::EXACT_MAX);
        }
        for (&until, &amount) in &past.slices {
            let at = Timestamp::default();
            held.put(Charged::Slice { at, until, amount }, window::EXACT_MAX);
        }
        for &until in &past.slots {
            let at = Timestamp::default();
            held.put(Charged::Slot { at, until }, window::EXACT_MAX);
        }
        // A call that leaves after the bucket was last charged came after that, for a bucket is only charged once all
        // calls have left. It was admitted, so the bucket had been waited for.
        let last = held.last_leaves().unwrap_or_default();
        if let Some((at, Bucket { until, period })) = past.bucket.filter(|(at, _)| last <= *at) {
            held.put(Charged::Burst { at, until, period }, window::EXACT_MAX);
        }
        held
    }

    /// Lets go of what has left by `at`; a bucket refills when it is asked.
    pub(super) fn expire(&mut self, at: Timestamp) {
        match self {
            Held::Calls(calls) => calls.expire(at),
            Held::Slice(slice) if slice.until <= at => *self = Held::default(),
            Held::Slice(_) | Held::Bucket(_) => {}
            Held::Mixed(mixed) => {
                mixed.takings.expire(at);
                mixed.slots.expire(at);
            }
        }
    }

    /// Where a charge would go at `at`, or when there is room for it. What has left by `at` must have been let go.
    pub(super) fn room(&mut self, charge: &Charge<'_>, at: Timestamp) -> Result<Place, NoRoom> {
        let (limit, amount) = (charge.limit, charge.amount);
        self.leave_bucket(limit, at)?;
        let (held, capacity) = (self.amount(), limit.capacity());
        if held.plus(amount) > capacity {
            return Err(NoRoom {
                opens: self.leaves(held.plus(amount).minus(capacity)),
                left: capacity.minus(held),
            });
        }
        let exact = match self {
            Held::Calls(calls) => calls.len(),
            Held::Slice(_) | Held::Bucket(_) => 0,
            Held::Mixed(mixed) => mixed.takings.exact_len(),
        };
        Ok(window::place(limit, at, exact))
    }

    /// The limit has no burst, or none any more: then its calls wait for the bucket.
    fn leave_bucket(&mut self, limit: &Limit, at: Timestamp) -> Result<(), NoRoom> {
        match self {
            Held::Calls(_) | Held::Slice(_) => {}
            Held::Bucket(bucket) => {
                bucket.leave(limit, at).map_err(closed)?;
                *self = Held::default();
            }
            Held::Mixed(mixed) => mixed.bucket.leave(limit, at).map_err(closed)?,
        }
        Ok(())
    }

    /// What a bucket would be after a charge at `at`, or when there is room for it.
    pub(super) fn room_in_bucket(
        &mut self,
        charge: &Charge<'_>,
        at: Timestamp,
    ) -> Result<Bucket, NoRoom> {
        let takings = match &*self {
            Held::Mixed(mixed) => mixed.takings.last_leaves(),
            other => other.last_leaves(),
        };
        if let Some(opens) = takings {
            return Err(closed(opens));
        }
        let room = match self {
            Held::Bucket(bucket) => bucket.room(charge, at),
            Held::Mixed(mixed) => mixed.bucket.room(charge, at),
            Held::Calls(_) | Held::Slice(_) => Bucket::default().room(charge, at),
        };
        room.map_err(closed)
    }

    /// The place of a call in flight that ends by `until` at the latest; or when there is one at the latest.
    pub(super) fn slot(&self, limit: &Limit, until: Timestamp) -> Result<Timestamp, NoRoom> {
        match self {
            Held::Mixed(mixed) => mixed.slots.room(limit, until),
            _ => Slots::default().room(limit, until),
        }
    }

    /// Puts a charge where there was room for it. There can be no more than `most` calls that are kept by themselves.
    pub(super) fn put(&mut self, charged: Charged, most: usize) {
        if charged.amount().is_some_and(Amount::is_nothing) {
            return;
        }
        match (&mut *self, charged) {
            (Held::Calls(calls), Charged::Call { until, amount, .. }) if amount == Amount::ONE => {
                calls.push(until, most);
            }
            (Held::Calls(calls), Charged::Slice { until, amount, .. }) if calls.len() == 0 => {
                *self = Held::Slice(Taking { until, amount });
            }
            (Held::Slice(slice), Charged::Slice { until, amount, .. }) if slice.until == until => {
                slice.amount = slice.amount.plus(amount);
            }
            (Held::Calls(calls), Charged::Burst { until, period, .. }) if calls.len() == 0 => {
                *self = Held::Bucket(Bucket { until, period });
            }
            (Held::Bucket(bucket), Charged::Burst { until, period, .. }) => {
                *bucket = Bucket { until, period };
            }
            _ => {
                let mut mixed = std::mem::take(self).mixed();
                mixed.put(charged, most);
                *self = Held::Mixed(mixed);
            }
        }
    }

    fn mixed(self) -> Box<Mixed> {
        let mut mixed = Box::new(Mixed::default());
        match self {
            Held::Mixed(mixed) => return mixed,
            Held::Calls(calls) => mixed.takings = Takings::of_calls(calls.iter()),
            Held::Slice(Taking { until, amount }) => {
                mixed.takings.put(Place::Slice(until), amount, 0);
            }
            Held::Bucket(bucket) => mixed.bucket = bucket,
        }
        mixed
    }

    /// Frees it again; nothing happens if it has left by itself, or for a burst.
    pub(super) fn take_back(&mut self, charged: Charged) {
        match (self, charged) {
            (Held::Calls(calls), Charged::Call { until, .. }) => calls.remove(until),
            (Held::Slice(slice), Charged::Slice { until, amount, .. }) if slice.until == until => {
                slice.amount = slice.amount.minus(amount);
            }
            (Held::Mixed(mixed), charged) => mixed.take_back(charged),
            _ => {}
        }
    }

    /// How much is held of windows and in flight; a bucket is told by [`Held::bucket`].
    pub(super) fn amount(&self) -> Amount {
        match self {
            Held::Calls(calls) => Amount::whole(calls.len() as u64),
            Held::Slice(slice) => slice.amount,
            Held::Bucket(_) => Amount::NOTHING,
            Held::Mixed(mixed) => mixed.takings.held().plus(mixed.slots.held()),
        }
    }

    /// The bucket; a full one if there is none.
    pub(super) fn bucket(&self) -> Bucket {
        match self {
            Held::Calls(_) | Held::Slice(_) => Bucket::default(),
            Held::Bucket(bucket) => *bucket,
            Held::Mixed(mixed) => mixed.bucket,
        }
    }

    /// When the last of it leaves, the bucket left out; `None` if there is nothing.
    pub(super) fn last_leaves(&self) -> Option<Timestamp> {
        match self {
            Held::Calls(calls) => calls.last(),
            Held::Slice(slice) => Some(slice.until),
            Held::Bucket(_) => None,
            Held::Mixed(mixed) => mixed.takings.last_leaves().max(mixed.slots.last_leaves()),
        }
    }

    /// When so much has left. More than there is never leaves; nobody asks for more than `max`.
    fn leaves(&self, amount: Amount) -> Timestamp {
        match self {
            Held::Calls(calls) => {
                let count = amount.millionths().div_ceil(Amount::ONE.millionths());
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                let last = calls.at(count.saturating_sub(1)).or(calls.last());
                last.unwrap_or_default()
            }
            Held::Slice(slice) => slice.until,
            Held::Bucket(_) => Timestamp::default(),
            Held::Mixed(mixed) => mixed.takings.leaves(amount),
        }
    }

    /// The largest form of it.
    #[cfg(test)]
    pub(super) fn spread(&mut self) {
        *self = Held::Mixed(std::mem::take(self).mixed());
    }

    #[cfg(test)]
    pub(super) fn kept_apart(&self) -> usize {
        match self {
            Held::Calls(calls) => calls.len(),
            Held::Slice(_) | Held::Bucket(_) => 1,
            Held::Mixed(mixed) => mixed.takings.kept_apart(),
        }
    }
}

impl Mixed {
    fn put(&mut self, charged: Charged, most: usize) {
        match charged {
            Charged::Call { until, amount, .. } => {
                self.takings.put(Place::Exact(until), amount, most);
            }
            Charged::Slice { until, amount, .. } => {
                self.takings.put(Place::Slice(until), amount, most);
            }
            Charged::Slot { until, .. } => self.slots.put(until),
            Charged::Burst { until, period, .. } => self.bucket = Bucket { until, period },
        }
    }

    fn take_back(&mut self, charged: Charged) {
        match charged {
            Charged::Call { until, amount, .. } => {
                self.takings.take_back(Place::Exact(until), amount);
            }
            Charged::Slice { until, amount, .. } => {
                self.takings.take_back(Place::Slice(until), amount);
            }
            Charged::Slot { until, .. } => self.slots.take_back(until),
            Charged::Burst { .. } => {}
        }
    }
}

/// No room at all until then.
fn closed(opens: Timestamp) -> NoRoom {
    NoRoom {
        opens,
        left: Amount::NOTHING,
    }
}
