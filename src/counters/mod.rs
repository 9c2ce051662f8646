//! Counts calls: a call takes from all its limits at once, or from none.
//!
//! It never reads a counter to decide and write it later, never lets a counter go that still has something to
//! remember, and never says what time it is. Whose calls are counted together is the key's affair alone.
//!
//! What is kept elsewhere: a charge is remembered across restarts once the journal has it; see [`History`].

mod account;
mod bucket;
mod counter;
mod guard;
mod history;
mod key;
mod taken;
mod window;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::{DashMap, Entry};
use parking_lot::Mutex;
use smallvec::SmallVec;

pub use account::Account;
pub use guard::{Guard, GuardSettings};
pub use history::History;
pub use key::{CounterKey, Holder};
pub use taken::{Admitted, Charged, Taken};

use counter::Counter;

use crate::clock::Timestamp;
use crate::policy::{Charge, Denial, Full, Limit, Permit};

/// How many counters there may be unless the settings say otherwise. A counter that is in use takes 100 to 300 bytes,
/// so a million stay within 300 MB; and a policy with 100 limits then serves 10,000 grants.
pub const COUNTERS_MAX: NonZeroUsize = NonZeroUsize::new(1_000_000).expect("a million is not 0");

/// All counters of the gateway, shared by its workers.
#[derive(Debug)]
pub struct Counters {
    counters: DashMap<CounterKey, Arc<Mutex<Counter>>>,
    open: AtomicUsize,
    max: NonZeroUsize,
    /// No new counter lives before this moment: what was let go by then has counted until then.
    since: AtomicU64,
}

/// A counter that is about to be charged.
struct Opened<'a, 'p> {
    key: CounterKey,
    counter: &'a Mutex<Counter>,
    limit: &'p Limit,
}

impl Counters {
    /// No counters yet, and never more than `max` of them: see [`COUNTERS_MAX`].
    pub fn new(max: NonZeroUsize) -> Counters {
        Counters::restored(&History::default(), max)
    }

    /// The counters as `history` tells of them. All of these are kept, even above `max`.
    pub fn restored(history: &History, max: NonZeroUsize) -> Counters {
        let seen = history.newest();
        let kept = history.counters.iter();
        let kept = kept.map(|(key, past)| (*key, Arc::new(Mutex::new(Counter::kept(past, seen)))));
        Counters {
            counters: kept.collect(),
            open: AtomicUsize::new(history.len()),
            max,
            since: AtomicU64::new(seen.nanos()),
        }
    }

    /// Handles to the counters that `limits` stand for, in the order of [`Limit::index`].
    pub fn account(&self, holder: Holder<'_>, limits: &[Limit], guard: Arc<Guard>) -> Account {
        Account::new(holder, limits, guard)
    }

    /// Takes all that a call is charged, and one call from the grant's guard; or nothing at all.
    ///
    /// `account` must be made from the limits of the permit's policy. Of several full limits the one that opens last is
    /// told. A limit whose counter would be one too many (see [`Counters::new`]) counts as full for one window.
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
        let taken = self.take(charges, account, now)?;
        Ok(Admitted {
            charges: charges.into(),
            taken,
        })
    }

    fn take<'p>(
        &self,
        charges: &[Charge<'p>],
        account: &Account,
        now: Timestamp,
    ) -> Result<Taken, Denial<'p>> {
        let opened = self.opened(charges, account)?;
        // All threads lock in the order of the keys, and a guard last, so that none waits for another in a circle.
        let mut counters: SmallVec<[_; 4]> = opened.iter().map(|one| one.counter.lock()).collect();
        let mut staged: SmallVec<[Charged; 4]> = SmallVec::new();
        let mut full: Option<Full<'p>> = None;
        for (one, counter) in opened.iter().zip(&mut counters) {
            let limit = one.limit;
            match counter.stage(limit, now) {
                Ok(charged) => staged.push(charged),
                Err(wait) if full.is_some_and(|full| full.retry_after >= wait) => {}
                Err(retry_after) => full = Some(Full { limit, retry_after }),
            }
        }
        if let Some(full) = full {
            return Err(Denial::LimitReached(full));
        }
        let passing = account.guard.stage(now);
        let passing = passing.map_err(|retry_after| Denial::Guard { retry_after })?;
        passing.commit();
        let parts = opened.iter().zip(counters).zip(staged);
        let parts = parts.map(|((one, mut counter), charged)| {
            counter.commit(charged, one.limit);
            (one.key, charged)
        });
        Ok(Taken {
            parts: parts.collect(),
        })
    }

    /// The counters of a call in the order in which they are locked, each once.
    fn opened<'a, 'p>(
        &self,
        charges: &[Charge<'p>],
        account: &'a Account,
    ) -> Result<SmallVec<[Opened<'a, 'p>; 4]>, Denial<'p>> {
        let mut opened: SmallVec<[Opened<'a, 'p>; 4]> = SmallVec::new();
        for &Charge { limit } in charges {
            let one = self.opened_one(limit, account);
            opened.push(one.ok_or(Denial::LimitReached(Full {
                limit,
                retry_after: limit.window.length(),
            }))?);
        }
        opened.sort_unstable_by_key(|one| one.key);
        opened.dedup_by_key(|one| one.key);
        Ok(opened)
    }

    fn opened_one<'a, 'p>(&self, limit: &'p Limit, account: &'a Account) -> Option<Opened<'a, 'p>> {
        let slot = account.slots.get(limit.index)?;
        let counter = match slot.counter.get() {
            Some(counter) => counter,
            None => {
                let counter = self.open(slot.key)?;
                slot.counter.get_or_init(|| counter)
            }
        };
        Some(Opened {
            key: slot.key,
            counter,
            limit,
        })
    }

    /// The counter of that key; `None` if it is new and there are enough already.
    fn open(&self, key: CounterKey) -> Option<Arc<Mutex<Counter>>> {
        match self.counters.entry(key) {
            Entry::Occupied(kept) => Some(kept.get().clone()),
            Entry::Vacant(vacant) => {
                if self.open.fetch_add(1, Ordering::Relaxed) >= self.max.get() {
                    self.open.fetch_sub(1, Ordering::Relaxed);
                    return None;
                }
                let since = Timestamp::from_nanos(self.since.load(Ordering::SeqCst));
                let counter = Arc::new(Mutex::new(Counter::new(since)));
                Some(vacant.insert(counter).clone())
            }
        }
    }

    /// Gives back what a call took, into the windows that paid. What has left its window by itself, what a burst took
    /// and what the guard counted is not given back.
    pub fn refund(&self, taken: Taken) {
        for (key, charged) in taken.refundable() {
            let counter = self.counters.get(&key).map(|kept| kept.clone());
            if let Some(counter) = counter {
                counter.lock().take_back(charged);
            }
        }
    }

    /// Lets go of counters that no account holds and that remember nothing any more. To be called now and then.
    pub fn sweep(&self, now: Timestamp) {
        self.since.fetch_max(now.nanos(), Ordering::SeqCst);
        self.counters.retain(|_, counter| {
            // Under the map's lock nobody can take a second handle from it.
            let is_gone = Arc::strong_count(counter) == 1 && counter.lock().is_idle(now);
            if is_gone {
                self.open.fetch_sub(1, Ordering::Relaxed);
            }
            !is_gone
        });
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

#[cfg(test)]
pub(crate) mod tests;
