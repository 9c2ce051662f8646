//! Counts calls and what they take: a call takes from all its limits at once, or from none.
//!
//! It never reads a counter to decide and write it later, never lets a counter go that still has something to
//! remember, and never says what time it is. Whose calls are counted together is the key's affair alone.
//!
//! What is kept elsewhere: a charge is remembered across restarts once the journal has it; see [`History`].

mod account;
mod bounds;
mod bucket;
mod concurrent;
mod counter;
mod guard;
mod history;
mod key;
mod period;
mod settlement;
mod standing;
mod taken;
mod tally;
mod window;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::{DashMap, Entry};
use parking_lot::Mutex;
use smallvec::SmallVec;

pub use account::{Account, CALL_MAX_DEFAULT};
pub use bounds::Bounds;
pub use guard::{Guard, GuardSettings};
pub use history::History;
pub use key::{CounterKey, Holder, Secret};
pub use settlement::Settlement;
pub use standing::Standing;
pub use taken::{Admitted, Charged, Taken};

use counter::{Counter, Refused, When};
use taken::Part;
use tally::{Tally, Ticket};

use crate::clock::Timestamp;
use crate::policy::{Amount, Charge, Denial, Full, Limit, Permit};

/// All counters of the gateway, shared by its workers.
#[derive(Debug)]
pub struct Counters {
    counters: DashMap<CounterKey, Arc<Kept>>,
    tallies: DashMap<Box<str>, Arc<Tally>>,
    open: AtomicUsize,
    bounds: Bounds,
    secret: Secret,
    /// No new counter lives before this moment: what was let go by then has counted until then.
    since: AtomicU64,
}

/// A counter, and its place among those that a grant opened by what it sends. After a restart nobody knows who opened
/// it: it then counts among all counters only.
#[derive(Debug)]
struct Kept {
    counter: Mutex<Counter>,
    _ticket: Option<Ticket>,
}

/// A counter that is about to be charged.
struct Opened<'a, 'c, 'p> {
    key: CounterKey,
    kept: Handle<'a>,
    charge: &'c Charge<'p>,
}

/// A counter at hand, or one that was looked for.
enum Handle<'a> {
    AtHand(&'a Kept),
    Found(Arc<Kept>),
}

impl Handle<'_> {
    fn counter(&self) -> &Mutex<Counter> {
        match self {
            Handle::AtHand(kept) => &kept.counter,
            Handle::Found(kept) => &kept.counter,
        }
    }
}

type AllOpened<'a, 'c, 'p> = SmallVec<[Opened<'a, 'c, 'p>; 4]>;

impl Counters {
    /// No counters yet, and never more than `bounds` say.
    pub fn new(bounds: Bounds, secret: Secret) -> Counters {
        Counters::restored(&History::default(), bounds, secret)
    }

    /// The counters as `history` tells of them. All of these are kept, even above the bounds.
    pub fn restored(history: &History, bounds: Bounds, secret: Secret) -> Counters {
        let seen = history.newest();
        let kept = history.counters.iter().map(|(key, past)| {
            let kept = Kept {
                counter: Mutex::new(Counter::kept(past, seen)),
                _ticket: None,
            };
            (*key, Arc::new(kept))
        });
        Counters {
            counters: kept.collect(),
            tallies: DashMap::new(),
            open: AtomicUsize::new(history.len()),
            bounds,
            secret,
            since: AtomicU64::new(seen.nanos()),
        }
    }

    /// Handles to the counters that `limits` stand for, in the order of [`Limit::index`].
    pub fn account(&self, holder: Holder<'_>, limits: &[Limit], guard: Arc<Guard>) -> Account {
        let tally = self.tallies.entry(holder.grant.into()).or_default().clone();
        Account::new(holder, limits, (guard, tally))
    }

    /// Takes all that a call is charged, and one call from the grant's guard; or nothing at all.
    ///
    /// `account` must be made from the limits of the permit's policy. Of several full limits the one that opens last is
    /// told. A limit whose counter would be one too many (see [`Bounds`]) refuses too. Limits in shadow refuse nothing:
    /// see [`Admitted::shadowed`].
    pub fn charge<'p>(
        &self,
        permit: Permit<'p>,
        account: &Account,
        now: Timestamp,
    ) -> Result<Admitted<'p>, Denial<'p>> {
        self.admit(permit.charges(), account, now)
    }

    fn admit<'p>(
        &self,
        charges: &[Charge<'p>],
        account: &Account,
        now: Timestamp,
    ) -> Result<Admitted<'p>, Denial<'p>> {
        let mut shadowed = Vec::new();
        let opened = self.opened(charges, account, &mut shadowed)?;
        let when = When {
            now,
            call_max: account.call_max,
        };
        let taken = take(&opened, (&account.guard, when), &mut shadowed)?;
        Ok(Admitted {
            charges: charges.into(),
            taken,
            shadowed,
        })
    }

    /// The counters of a call in the order in which they are locked, each once.
    fn opened<'a, 'c, 'p>(
        &self,
        charges: &'c [Charge<'p>],
        account: &'a Account,
        shadowed: &mut Vec<Full<'p>>,
    ) -> Result<AllOpened<'a, 'c, 'p>, Denial<'p>> {
        let mut opened = AllOpened::new();
        for charge in charges {
            let limit = charge.limit;
            match self.opened_one(charge, account) {
                Some(one) => opened.push(one),
                None if limit.is_shadow => shadowed.push(Full {
                    limit,
                    retry_after: limit.window.length(),
                    left: Amount::NOTHING,
                }),
                None => return Err(Denial::CountersFull(limit)),
            }
        }
        opened.sort_unstable_by_key(|one| one.key);
        opened.dedup_by_key(|one| one.key);
        Ok(opened)
    }

    fn opened_one<'a, 'c, 'p>(
        &self,
        charge: &'c Charge<'p>,
        account: &'a Account,
    ) -> Option<Opened<'a, 'c, 'p>> {
        let slot = account.slots.get(charge.limit.index)?;
        let (key, kept) = match (charge.subject, slot.counter.get()) {
            (Some(subject), _) => {
                let key = slot.key.of_subject(subject, &self.secret);
                (key, Handle::Found(self.open(key, Some(&account.tally))?))
            }
            (None, Some(kept)) => (slot.key, Handle::AtHand(kept)),
            (None, None) => {
                let kept = self.open(slot.key, None)?;
                let kept = slot.counter.get_or_init(|| kept);
                (slot.key, Handle::AtHand(kept))
            }
        };
        Some(Opened { key, kept, charge })
    }

    /// The counter of that key; `None` if it is new and there are enough already. What a call's content opened has its
    /// place in a tally.
    fn open(&self, key: CounterKey, tally: Option<&Arc<Tally>>) -> Option<Arc<Kept>> {
        match self.counters.entry(key) {
            Entry::Occupied(kept) => Some(kept.get().clone()),
            Entry::Vacant(vacant) => {
                let ticket = match tally {
                    Some(tally) => Some(tally.ticket(self.bounds.per_grant)?),
                    None => None,
                };
                if self.open.fetch_add(1, Ordering::Relaxed) >= self.bounds.all.get() {
                    self.open.fetch_sub(1, Ordering::Relaxed);
                    return None;
                }
                let since = Timestamp::from_nanos(self.since.load(Ordering::SeqCst));
                let kept = Kept {
                    counter: Mutex::new(Counter::new(since)),
                    _ticket: ticket,
                };
                Some(vacant.insert(Arc::new(kept)).clone())
            }
        }
    }

    /// Lets go of counters that no account holds and that remember nothing any more. To be called now and then.
    pub fn sweep(&self, now: Timestamp) {
        self.since.fetch_max(now.nanos(), Ordering::SeqCst);
        self.counters.retain(|_, kept| {
            // Under the map's lock nobody can take a second handle from it.
            let is_gone = Arc::strong_count(kept) == 1 && kept.counter.lock().is_idle(now);
            if is_gone {
                self.open.fetch_sub(1, Ordering::Relaxed);
            }
            !is_gone
        });
        self.tallies.retain(|_, tally| Arc::strong_count(tally) > 1);
        if self.counters.capacity() / 4 > self.counters.len() {
            self.counters.shrink_to_fit();
        }
    }

    /// How many counters there are.
    pub fn len(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether there are no counters.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Asks all counters, then the guard, and only then takes. All threads lock in the order of the keys, and a guard last,
/// so that none waits for another in a circle.
fn take<'p>(
    opened: &[Opened<'_, '_, 'p>],
    (guard, when): (&Guard, When),
    shadowed: &mut Vec<Full<'p>>,
) -> Result<Taken, Denial<'p>> {
    let counters = opened.iter().map(|one| one.kept.counter().lock());
    let mut counters: SmallVec<[_; 4]> = counters.collect();
    let mut staged: SmallVec<[Option<Charged>; 4]> = SmallVec::new();
    let mut full: Option<Full<'p>> = None;
    for (one, counter) in opened.iter().zip(&mut counters) {
        let limit = one.charge.limit;
        let refused = match counter.stage(one.charge, when) {
            Ok(charged) => {
                staged.push(Some(charged));
                continue;
            }
            Err(Refused { wait, left }) => Full {
                limit,
                retry_after: wait,
                left,
            },
        };
        staged.push(None);
        if limit.is_shadow {
            shadowed.push(refused);
        } else if full.is_none_or(|full| full.retry_after < refused.retry_after) {
            full = Some(refused);
        }
    }
    if let Some(full) = full {
        return Err(Denial::LimitReached(full));
    }
    let passing = guard.stage(when.now);
    let passing = passing.map_err(|retry_after| Denial::Guard { retry_after })?;
    passing.commit();
    let parts = opened.iter().zip(counters).zip(staged);
    let parts = parts.filter_map(|((one, mut counter), charged)| {
        let charged = charged?;
        counter.commit(charged, one.charge.limit);
        Some(Part {
            key: one.key,
            charged,
            limit: one.charge.limit.index,
        })
    });
    Ok(Taken {
        parts: parts.collect(),
    })
}

#[cfg(test)]
pub(crate) mod tests;
