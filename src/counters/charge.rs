//! Charges a call: asks all its counters, then takes from all of them, or from none.
//!
//! It never waits in a circle: all threads lock counters in the order of their keys, and a guard last.

use smallvec::SmallVec;
use triomphe::Arc;

use super::account::Account;
use super::counter::{Counter, Refused, When};
use super::guard::Guard;
use super::taken::{Admitted, Charged, Part, Parts, Taken};
use super::tally::Opener;
use super::{Counters, Kept};
use crate::clock::Timestamp;
use crate::policy::{Amount, Charge, Denial, Full, Permit};

/// A counter that is about to be charged.
struct Opened<'a, 'c, 'p> {
    kept: Handle<'a>,
    charge: &'c Charge<'p>,
}

/// A counter at hand, or one that was looked for.
enum Handle<'a> {
    AtHand(&'a Kept),
    Found(Arc<Kept>),
}

impl Opened<'_, '_, '_> {
    fn kept(&self) -> &Kept {
        match &self.kept {
            Handle::AtHand(kept) => kept,
            Handle::Found(kept) => kept,
        }
    }
}

type AllOpened<'a, 'c, 'p> = SmallVec<[Opened<'a, 'c, 'p>; 4]>;

impl Counters {
    /// Takes all that a call is charged, and one call from the grant's guard; or nothing at all.
    ///
    /// `account` must be made from the limits of the permit's policy. Of several full limits the one that opens last is
    /// told. A limit whose counter would be one too many (see [`super::Bounds`]) refuses too. Limits in shadow refuse
    /// nothing: see [`Admitted::shadowed`].
    pub fn charge<'p>(
        &self,
        permit: Permit<'p>,
        account: &Account,
        now: Timestamp,
    ) -> Result<Admitted<'p>, Denial<'p>> {
        self.charge_all(permit.charges(), account, now)
    }

    pub(super) fn charge_all<'p>(
        &self,
        charges: &[Charge<'p>],
        account: &Account,
        now: Timestamp,
    ) -> Result<Admitted<'p>, Denial<'p>> {
        let mut shadowed = Vec::new();
        let mut taken = Taken::of([]);
        let mut opened = AllOpened::new();
        self.open_all(charges, account, (&mut opened, &mut shadowed))?;
        let call_max = account.call_max;
        let mut asking = Asking {
            guard: &account.guard,
            when: When { now, call_max },
            opener: account.tally.opener,
            parts: &mut taken.parts,
            shadowed: &mut shadowed,
            full: None,
        };
        asking.take(&opened)?;
        Ok(Admitted { taken, shadowed })
    }

    /// The counters of a call in the order in which they are locked, each once.
    fn open_all<'a, 'c, 'p>(
        &self,
        charges: &'c [Charge<'p>],
        account: &'a Account,
        (opened, shadowed): (&mut AllOpened<'a, 'c, 'p>, &mut Vec<Full<'p>>),
    ) -> Result<(), Denial<'p>> {
        for charge in charges {
            let limit = charge.limit;
            match self.opened(charge, account) {
                Some(kept) => opened.push(Opened { kept, charge }),
                None if limit.is_shadow => shadowed.push(Full {
                    limit,
                    retry_after: limit.window.length(),
                    left: Amount::NOTHING,
                }),
                None => return Err(Denial::CountersFull(limit)),
            }
        }
        if opened.len() > 1 {
            opened.sort_unstable_by_key(|one| one.kept().key);
            opened.dedup_by_key(|one| one.kept().key);
        }
        Ok(())
    }

    fn opened<'a>(&self, charge: &Charge<'_>, account: &'a Account) -> Option<Handle<'a>> {
        let slot = account.slots.get(charge.limit.index)?;
        Some(match (charge.subject, slot.counter.get()) {
            (Some(subject), _) => {
                let key = slot.key.of_subject(subject, &self.secret);
                Handle::Found(self.open(key, Some(&account.tally))?)
            }
            (None, Some(kept)) => Handle::AtHand(kept),
            (None, None) => {
                let kept = self.open(slot.key, None)?;
                Handle::AtHand(slot.counter.get_or_init(|| kept))
            }
        })
    }
}

/// What is known while the counters of one call are asked.
struct Asking<'a, 'p> {
    guard: &'a Guard,
    when: When,
    opener: Opener,
    parts: &'a mut Parts,
    shadowed: &'a mut Vec<Full<'p>>,
    full: Option<Full<'p>>,
}

impl<'p> Asking<'_, 'p> {
    /// Locks and asks the first counter and then, while it is locked, the others; takes from it once all have room.
    /// (The locks stand on the stack: a list of them would be as much work as the counting.)
    fn take(&mut self, opened: &[Opened<'_, '_, 'p>]) -> Result<(), Denial<'p>> {
        let Some((one, others)) = opened.split_first() else {
            return self.decide();
        };
        let limit = one.charge.limit;
        let mut counter = one.kept().counter.lock();
        let staged = self.ask(&mut counter, one.charge);
        self.take(others)?;
        if let Some(charged) = staged {
            counter.commit(charged, limit);
            self.parts.push(Part {
                key: one.kept().key,
                charged,
                limit: limit.index,
                opener: one.charge.subject.map(|_| self.opener),
            });
        }
        Ok(())
    }

    /// What to take from a counter. A full one is noted.
    fn ask(&mut self, counter: &mut Counter, charge: &Charge<'p>) -> Option<Charged> {
        let limit = charge.limit;
        let Refused { wait, left } = match counter.stage(charge, self.when) {
            Ok(charged) => return Some(charged),
            Err(refused) => refused,
        };
        let refused = Full {
            limit,
            retry_after: wait,
            left,
        };
        if limit.is_shadow {
            self.shadowed.push(refused);
        } else if self.full.is_none_or(|full| full.retry_after < wait) {
            self.full = Some(refused);
        }
        None
    }

    /// All counters are locked and have been asked: the guard's word is the last.
    fn decide(&self) -> Result<(), Denial<'p>> {
        if let Some(full) = self.full {
            return Err(Denial::LimitReached(full));
        }
        let passing = self.guard.stage(self.when.now);
        let passing = passing.map_err(|retry_after| Denial::Guard { retry_after })?;
        passing.commit();
        Ok(())
    }
}
