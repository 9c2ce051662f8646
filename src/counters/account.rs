//! The counters of one grant at one server, at hand.
//!
//! It never counts and never outlives its policy: after a reload a new account finds the same counters by their keys.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use triomphe::Arc as Handle;

use super::Kept;
use super::guard::{Guard, Passing};
use super::key::{CounterKey, Holder};
use super::tally::Tally;
use crate::clock::Timestamp;
use crate::policy::Limit;

/// A handle to the counter of each limit of a policy for one holder, so that a call hashes nothing. Of limits that have
/// many counters only the call knows which; those are found by their key.
///
/// A counter is opened by the first call that is charged to it, and stays open as long as the account lives.
#[derive(Debug)]
pub struct Account {
    pub(super) slots: Box<[Slot]>,
    pub(super) guard: Arc<Guard>,
    pub(super) tally: Handle<Tally>,
    pub(super) call_max: Duration,
}

/// How long a call may take unless the server's settings say otherwise: no tool that anybody waits for takes longer.
pub const CALL_MAX_DEFAULT: Duration = Duration::from_secs(3_600);

/// One limit's counter; of a limit that has many, the one that counts calls without a subject.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: CounterKey,
    pub(super) counter: OnceLock<Handle<Kept>>,
}

impl Account {
    pub(super) fn new(
        holder: Holder<'_>,
        limits: &[Limit],
        (guard, tally): (Arc<Guard>, Handle<Tally>),
    ) -> Account {
        let slots = limits.iter().map(|limit| Slot {
            key: CounterKey::of(holder, limit),
            counter: OnceLock::new(),
        });
        Account {
            slots: slots.collect(),
            guard,
            tally,
            call_max: CALL_MAX_DEFAULT,
        }
    }

    /// The same for a server whose calls are given up after so long: then the place of a call whose end nobody saw is
    /// free again. It must not be more than [`crate::policy::Window::MAX`].
    pub fn with_calls_of(self, call_max: Duration) -> Account {
        Account { call_max, ..self }
    }

    /// The same with fresh counters for limits that an operator has reset; `times` tells how often, for the limits that
    /// the account was made from. What other grants share stays as it is: no grant's reset is theirs.
    pub fn after_resets(mut self, limits: &[Limit], times: impl Fn(&Limit) -> u64) -> Account {
        for (slot, limit) in self.slots.iter_mut().zip(limits) {
            if !limit.scope.is_shared() {
                slot.key = slot.key.after_resets(times(limit));
            }
        }
        self
    }

    /// Lets a call that is refused anyway pass the grant's guard, so that a flood of such calls meets it too; else how
    /// long until it would. A call that is charged passes the guard in [`super::Counters::charge`].
    pub fn pass_guard(&self, now: Timestamp) -> Result<(), Duration> {
        self.guard.stage(now).map(Passing::commit)
    }
}
