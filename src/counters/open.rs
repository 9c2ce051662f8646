//! Which counters there are: opens them, finds them, and lets go of those that remember nothing.
//!
//! It never lets a counter go to make room: at a bound a new one is refused.

use std::collections::HashMap;
use std::sync::Arc as Shared;

use triomphe::Arc;

use super::account::Account;
use super::bounds::Bounds;
use super::counter::Counter;
use super::guard::Guard;
use super::history::History;
use super::key::{CounterKey, Holder, Secret};
use super::map::Map;
use super::sync::{AtomicU64, AtomicUsize, Mutex, Ordering};
use super::tally::{Opener, Tally, Ticket};
use crate::clock::Timestamp;
use crate::policy::Limit;

/// All counters of the gateway, shared by its workers.
#[derive(Debug)]
pub struct Counters {
    counters: Map,
    tallies: Mutex<HashMap<Opener, Arc<Tally>>>,
    open: AtomicUsize,
    bounds: Bounds,
    pub(super) secret: Secret,
    /// No new counter lives before this moment: what was let go by then has counted until then.
    since: AtomicU64,
}

/// A counter with its name, and its place among those that a grant opened by what it sends.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) key: CounterKey,
    pub(super) counter: Mutex<Counter>,
    pub(super) _ticket: Option<Ticket>,
}

impl Counters {
    /// No counters yet, and never more than `bounds` say.
    pub fn new(bounds: Bounds, secret: Secret) -> Counters {
        Counters::restored(&History::default(), bounds, secret)
    }

    /// The counters as `history` tells of them. All of these are kept, even above the bounds.
    pub fn restored(history: &History, bounds: Bounds, secret: Secret) -> Counters {
        let seen = history.newest();
        let mut tallies = HashMap::new();
        let kept = history.counters.iter().map(|(key, past)| {
            let tally = past.opener.map(|opener| tally_of(&mut tallies, opener));
            Kept {
                key: *key,
                counter: Mutex::new(Counter::kept(past, seen)),
                _ticket: tally.map(Tally::ticket_of_kept),
            }
        });
        Counters {
            counters: Map::of(kept),
            tallies: Mutex::new(tallies),
            open: AtomicUsize::new(history.len()),
            bounds,
            secret,
            since: AtomicU64::new(seen.nanos()),
        }
    }

    /// Handles to the counters that `limits` stand for, in the order of [`Limit::index`].
    pub fn account(&self, holder: Holder<'_>, limits: &[Limit], guard: Shared<Guard>) -> Account {
        let mut tallies = self.tallies.lock();
        let tally = tally_of(&mut tallies, Opener::of(holder.grant)).clone();
        Account::new(holder, limits, (guard, tally))
    }

    /// The counter of that key, if it is open.
    pub(super) fn find(&self, key: CounterKey) -> Option<Arc<Kept>> {
        self.counters.find(key)
    }

    /// The counter of that key; `None` if it is new and there are enough already. What a call's content opened has its
    /// place in a tally.
    pub(super) fn open(&self, key: CounterKey, tally: Option<&Arc<Tally>>) -> Option<Arc<Kept>> {
        self.counters.find_or_open(key, || {
            let ticket = match tally {
                Some(tally) => Some(Tally::ticket(tally, self.bounds.per_grant)?),
                None => None,
            };
            if self.open.fetch_add(1, Ordering::Relaxed) >= self.bounds.all.get() {
                self.open.fetch_sub(1, Ordering::Relaxed);
                return None;
            }
            let since = Timestamp::from_nanos(self.since.load(Ordering::SeqCst));
            Some(Kept {
                key,
                counter: Mutex::new(Counter::new(since)),
                _ticket: ticket,
            })
        })
    }

    /// Lets go of counters that no account holds and that remember nothing any more; those that an account holds begin
    /// anew, so that they give their memory back. To be called now and then.
    pub fn sweep(&self, now: Timestamp) {
        self.since.fetch_max(now.nanos(), Ordering::SeqCst);
        let released = self.counters.release(|kept| {
            let mut counter = kept.counter.lock();
            let is_idle = counter.is_idle(now);
            if is_idle {
                *counter = Counter::new(now);
            }
            is_idle
        });
        self.open.fetch_sub(released, Ordering::Relaxed);
        let mut tallies = self.tallies.lock();
        tallies.retain(|_, tally| Arc::strong_count(tally) > 1);
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

fn tally_of(tallies: &mut HashMap<Opener, Arc<Tally>>, opener: Opener) -> &Arc<Tally> {
    let fresh = || Arc::new(Tally::new(opener));
    tallies.entry(opener).or_insert_with(fresh)
}
