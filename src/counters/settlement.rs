//! What a call gives back once its end is known: its places among those in flight, and what the server's failure earns.
//!
//! It never gives back anything twice: who settles hands over what was taken. And it never gives back for a failure more
//! than a limit's `max` in a window: a server can do the work and fail, again and again.

use super::counter::When;
use super::key::CounterKey;
use super::taken::{Charged, Part, Taken};
use super::{Account, Counters};
use crate::clock::Timestamp;
use crate::policy::{Charge, Failures, Limit};

/// What is given back of what a call took, and what that is charged to the counters of refunds. For the journal first,
/// then for [`Counters::give_back`].
#[derive(Debug)]
pub struct Settlement {
    refunded: Taken,
    released: Taken,
    charged: Taken,
}

impl Settlement {
    /// All that a call took of which no byte was sent: but for bursts, which are never given back.
    pub fn of_unsent(taken: Taken) -> Settlement {
        let (released, rest): (Vec<Part>, Vec<Part>) =
            taken.parts.into_iter().partition(|part| part.is_slot());
        let refunded = rest.into_iter().filter(|part| part.charged.is_refundable());
        Settlement {
            refunded: Taken::of(refunded),
            released: Taken::of(released),
            charged: Taken::of([]),
        }
    }

    /// What is given back to the windows that paid.
    pub fn refunded(&self) -> &Taken {
        &self.refunded
    }

    /// The places among calls in flight that are free again.
    pub fn released(&self) -> &Taken {
        &self.released
    }

    /// What the counters of refunds were charged.
    pub fn charged(&self) -> &Taken {
        &self.charged
    }

    /// Whether nothing is given back.
    pub fn is_empty(&self) -> bool {
        self.refunded.parts.is_empty() && self.released.parts.is_empty()
    }
}

impl Taken {
    /// Whether the end of the call makes a difference to what was taken: of other calls nobody need look for it.
    pub fn waits_for_the_end(&self, limits: &[Limit]) -> bool {
        let waits = |part: &Part| {
            let limit = limits.get(part.limit);
            part.is_slot() || limit.is_some_and(|limit| !limit.refund_on.is_empty())
        };
        self.parts.iter().any(waits)
    }
}

impl Part {
    fn is_slot(&self) -> bool {
        matches!(self.charged, Charged::Slot { .. })
    }
}

impl Counters {
    /// What a call that was sent gives back now that it has ended, and with which failures: a server may say it in more
    /// than one way. `limits` and
    /// `account` are those that it was charged by. It takes from the counters of refunds, and gives nothing back yet.
    pub fn settle(
        &self,
        taken: Taken,
        failures: Failures,
        (limits, account): (&[Limit], &Account),
        now: Timestamp,
    ) -> Settlement {
        let (released, paid): (Vec<Part>, Vec<Part>) =
            taken.parts.into_iter().partition(|part| part.is_slot());
        let mut charged = Vec::new();
        let mut refunded = Vec::new();
        for part in paid {
            let limit = limits.get(part.limit);
            let asked = limit.filter(|limit| limit.refund_on.meets(failures));
            let counted = asked.and_then(|limit| self.count_refund(part, limit, (account, now)));
            if let Some(counted) = counted {
                charged.push(counted);
                refunded.push(part);
            }
        }
        Settlement {
            refunded: Taken::of(refunded),
            released: Taken::of(released),
            charged: Taken::of(charged),
        }
    }

    /// Takes a refund from the counter that bounds them; `None` where there is no room, or nothing to give back any more.
    fn count_refund(
        &self,
        part: Part,
        limit: &Limit,
        (account, now): (&Account, Timestamp),
    ) -> Option<Part> {
        let amount = part.charged.amount().filter(|amount| !amount.is_nothing());
        let amount = amount.filter(|_| part.charged.until() > now)?;
        let key = part.key.of_refunds();
        let kept = self.open(key, Some(&account.tally))?;
        let charge = Charge {
            limit,
            amount,
            subject: None,
        };
        let when = When {
            now,
            call_max: account.call_max,
        };
        let mut counter = kept.counter.lock();
        let charged = counter.stage(&charge, when).ok()?;
        counter.commit(charged, limit);
        Some(Part {
            key,
            charged,
            limit: part.limit,
            opener: Some(account.tally.opener),
        })
    }

    /// Gives back what a settlement says, into the windows that paid. What has left its window by itself is not given
    /// back.
    pub fn give_back(&self, settlement: Settlement) {
        let Settlement {
            refunded, released, ..
        } = settlement;
        for (key, charged) in refunded.parts().chain(released.parts()) {
            self.take_back(key, charged);
        }
    }

    /// Gives back all that a call took of which no byte was sent.
    pub fn refund(&self, taken: Taken) {
        self.give_back(Settlement::of_unsent(taken));
    }

    fn take_back(&self, key: CounterKey, charged: Charged) {
        if let Some(kept) = self.find(key) {
            kept.counter.lock().take_back(charged);
        }
    }
}
