//! How many counters one grant has opened by what it sends: values of `by`, and sessions.
//!
//! It never lets one grant open so many that others find no room.

use std::num::NonZeroUsize;

use triomphe::Arc;

use super::sync::{AtomicUsize, Ordering};

/// One grant's count.
#[derive(Debug, Default)]
pub(super) struct Tally {
    open: AtomicUsize,
}

/// The place of one counter in a tally, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Ticket(Arc<Tally>);

impl Tally {
    /// A place for one more counter; `None` if there are `max`.
    pub(super) fn ticket(tally: &Arc<Tally>, max: NonZeroUsize) -> Option<Ticket> {
        let ticket = Ticket(tally.clone());
        // Counted first: dropping the ticket takes it back.
        (tally.open.fetch_add(1, Ordering::Relaxed) < max.get()).then_some(ticket)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
