//! Counts calls and what they take: a call takes from all its limits at once, or from none.
//!
//! It never reads a counter to decide and write it later, never lets a counter go that still has something to
//! remember, and never says what time it is. Whose calls are counted together is the key's affair alone.
//!
//! What is kept elsewhere: a charge is remembered across restarts once the journal has it; see [`History`].
//!
//! Where several gateways are to count together one day, the line runs between what is asked here and what is held:
//! [`Counters::charge`], [`Counters::settle`], [`Counters::give_back`] and [`Counters::standing`] take a moment, keys and
//! amounts, and give owned values ([`Taken`], [`Settlement`]) that name counters by key and say all that was taken. They hold
//! no borrow of a counter and could wait for an answer; whoever holds the counters need know neither policies nor grants,
//! only what a [`Charged`] says: how much, and until when.

mod account;
mod bounds;
mod bucket;
mod calls;
mod charge;
mod concurrent;
mod counter;
mod guard;
mod held;
mod history;
mod key;
mod map;
mod open;
mod period;
mod settlement;
mod standing;
mod sync;
mod taken;
mod tally;
mod window;

pub use account::{Account, CALL_MAX_DEFAULT};
pub use bounds::Bounds;
pub use guard::{Guard, GuardSettings};
pub use history::History;
pub use key::{CounterKey, Holder, Secret};
pub use open::Counters;
pub use settlement::Settlement;
pub use standing::Standing;
pub use taken::{Admitted, Charged, Taken};
pub use tally::Opener;

use open::Kept;

#[cfg(test)]
pub(crate) mod tests;
