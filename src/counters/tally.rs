//! How many counters one grant has opened by what it sends: values of `by`, and sessions.
//!
//! It never lets one grant open so many that others find no room, not by way of a restart either: who opened a counter is
//! kept with it.

use std::num::{NonZeroU64, NonZeroUsize};

use sha2::{Digest, Sha256};
use triomphe::Arc;

use super::sync::{AtomicUsize, Ordering};

/// Who opened a counter: a number made from a grant's id. Should two grants ever have the same one, they share a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opener(NonZeroU64);

impl Opener {
    pub(super) fn of(grant: &str) -> Opener {
        let hash = Sha256::digest(grant);
        let number = hash
            .first_chunk()
            .map_or(0, |half| u64::from_le_bytes(*half));
        Opener(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }

    /// As it was kept; `None` for 0, where nobody knows.
    pub fn from_number(number: u64) -> Option<Opener> {
        NonZeroU64::new(number).map(Opener)
    }

    /// The number to keep, never 0.
    pub fn number(self) -> u64 {
        self.0.get()
    }
}

/// One grant's count.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) opener: Opener,
    open: AtomicUsize,
}

/// The place of one counter in a tally, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Ticket(Arc<Tally>);

impl Tally {
    pub(super) fn new(opener: Opener) -> Tally {
        Tally {
            opener,
            open: AtomicUsize::new(0),
        }
    }

    /// A place for one more counter; `None` if there are `max`.
    pub(super) fn ticket(tally: &Arc<Tally>, max: NonZeroUsize) -> Option<Ticket> {
        let ticket = Ticket(tally.clone());
        // Counted first: dropping the ticket takes it back.
        (tally.open.fetch_add(1, Ordering::Relaxed) < max.get()).then_some(ticket)
    }

    /// The place of a counter that is there, however many there are.
    pub(super) fn ticket_of_kept(tally: &Arc<Tally>) -> Ticket {
        tally.open.fetch_add(1, Ordering::Relaxed);
        Ticket(tally.clone())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
