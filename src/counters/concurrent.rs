//! The calls in flight that a limit counts.
//!
//! It never frees a place before the call has ended or its time is up: a client that leaves ends nothing.

use super::window::NoRoom;
use crate::clock::Timestamp;
use crate::policy::{Amount, Limit};

/// The moments by which calls in flight have ended at the latest, in the order of time, each once.
#[derive(Debug, Default)]
pub(super) struct Slots {
    until: Vec<Timestamp>,
}

impl Slots {
    /// Lets go of calls whose time is up.
    pub(super) fn expire(&mut self, at: Timestamp) {
        let gone = self.until.partition_point(|until| *until <= at);
        self.until.drain(..gone);
    }

    /// The place of one more call, which ends by `until` at the latest; or when there is one at the latest. The place's
    /// own moment is no other's, so that it can be given back.
    pub(super) fn room(&self, limit: &Limit, until: Timestamp) -> Result<Timestamp, NoRoom> {
        let held = Amount::whole(self.until.len() as u64);
        if let Some(first) = self.until.first().filter(|_| held >= limit.capacity()) {
            let surplus = self.until.len() as u64 - limit.max.get();
            let opens = self.until.get(usize::try_from(surplus).unwrap_or(0));
            return Err(NoRoom {
                opens: *opens.unwrap_or(first),
                left: Amount::NOTHING,
            });
        }
        let mut until = until;
        while self.until.binary_search(&until).is_ok() {
            until = until.plus(std::time::Duration::from_nanos(1));
        }
        Ok(until)
    }

    /// Takes a place.
    pub(super) fn put(&mut self, until: Timestamp) {
        let at = self.until.partition_point(|other| *other < until);
        self.until.insert(at, until);
    }

    /// Frees a place; nothing happens if it is free already.
    pub(super) fn take_back(&mut self, until: Timestamp) {
        if let Ok(at) = self.until.binary_search(&until) {
            self.until.remove(at);
        }
    }

    /// How many are taken.
    pub(super) fn held(&self) -> Amount {
        Amount::whole(self.until.len() as u64)
    }

    /// When the last of them is free at the latest.
    pub(super) fn last_leaves(&self) -> Option<Timestamp> {
        self.until.last().copied()
    }
}
