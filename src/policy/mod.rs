//! Decides what happens to a tool call.
//!
//! `Policy::decide` is a function of its arguments and nothing else: no I/O, no async, no clock, no locks.
//! Whether a limit has room left is not known here: a decision that depends on one says so, as a [`Charge`].

mod decision;
mod limit;

pub use decision::{Decision, Denial, Held, Permit, Rule, Unavailable};
pub use limit::{Charge, Full, Limit, Scope, Window};

#[doc(hidden)]
pub struct Policy;
