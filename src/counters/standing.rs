//! Where a counter stands: for agents that ask what is left, and for operators.
//!
//! It never charges, never opens a counter, and is never what a call is admitted by: between the look and the next call
//! others may take what was seen.

use std::time::Duration;

use super::counter::{Counter, When};
use super::key::CounterKey;
use super::{Account, Counters};
use crate::clock::Timestamp;
use crate::policy::{Amount, Charge, Limit};

/// What a counter holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What it would still admit now.
    pub left: Amount,
    /// How long until all that it holds has left; nothing if it holds nothing. Of calls in flight, at the latest.
    pub clears: Duration,
}

impl Standing {
    /// Of a counter that holds nothing.
    fn fresh(limit: &Limit) -> Standing {
        Standing {
            left: limit.at_once(),
            clears: Duration::ZERO,
        }
    }
}

impl Counters {
    /// Where the counter stands that a charge is taken from. One that is not there holds nothing.
    pub fn standing(&self, charge: &Charge<'_>, account: &Account, now: Timestamp) -> Standing {
        let look = |counter: &mut Counter| counter.standing(charge.limit, now);
        let fresh = || Standing::fresh(charge.limit);
        self.looked_at(charge, account, look).unwrap_or_else(fresh)
    }

    /// Where the counter of that key stands, which is one of this limit's. One that is not there holds nothing.
    pub fn standing_of(&self, key: CounterKey, limit: &Limit, now: Timestamp) -> Standing {
        let kept = self.find(key);
        kept.map_or(Standing::fresh(limit), |kept| {
            kept.counter.lock().standing(limit, now)
        })
    }

    /// How long until a charge has room, if nobody else takes it. Of calls in flight, at the latest.
    pub fn opens(&self, charge: &Charge<'_>, account: &Account, now: Timestamp) -> Duration {
        let when = When {
            now,
            call_max: account.call_max,
        };
        let look = |counter: &mut Counter| counter.stage(charge, when).err();
        let refused = self.looked_at(charge, account, look).flatten();
        refused.map_or(Duration::ZERO, |refused| refused.wait)
    }

    /// What is to be seen of a charge's counter, if it is there.
    fn looked_at<T>(
        &self,
        charge: &Charge<'_>,
        account: &Account,
        look: impl FnOnce(&mut Counter) -> T,
    ) -> Option<T> {
        let slot = account.slots.get(charge.limit.index)?;
        if let (None, Some(kept)) = (charge.subject, slot.counter.get()) {
            return Some(look(&mut kept.counter.lock()));
        }
        let key = match charge.subject {
            Some(subject) => slot.key.of_subject(subject, &self.secret),
            None => slot.key,
        };
        Some(look(&mut self.find(key)?.counter.lock()))
    }
}

impl Counter {
    /// What it holds of a limit at `now`, or at the newest moment that it has seen.
    pub(super) fn standing(&mut self, limit: &Limit, now: Timestamp) -> Standing {
        // Whoever comes later with an earlier moment must not count as of before this look, which lets go of things.
        self.seen = self.seen.max(now);
        let at = self.seen;
        self.held.expire(at);
        let (held, bucket) = (self.held.amount(), self.held.bucket());
        let left = match limit.burst {
            // After an edit, nothing is admitted before what the other way of counting holds has left.
            Some(_) if !held.is_nothing() => Amount::NOTHING,
            Some(_) => bucket.left(limit, at),
            None if bucket.until > at => Amount::NOTHING,
            None => limit.capacity().minus(held),
        };
        let last = self.held.last_leaves().unwrap_or_default();
        Standing {
            left,
            clears: last.max(bucket.until).since(now),
        }
    }
}
