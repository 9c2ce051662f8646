//! Tells what happened: two lines a call in a journal that is also the write-ahead log of the counters.
//!
//! It never holds back a call that was refused, and never lets one go that it could not write down unless the settings say
//! so ([`Audit::BestEffort`]). It keeps no argument's value and no token.

mod journal;
mod keeping;
mod limit_gauge;
mod line;
mod metrics;
mod parts;
mod replay;
mod segment;
mod tail;
mod writer;

pub use journal::{Journal, JournalError, NotRecorded, Recorded, Recording, begin};
pub use keeping::{Audit, Durability, Keeping};
pub use limit_gauge::{LIMIT_SERIES_MAX, LimitUse, limit_gauges};
pub use line::{Entry, OutcomeLine};
pub use metrics::{Metrics, ServerMetrics, Sizes};
pub use replay::{ReplayError, Replayed, TAIL_MAX, compact, replay, tail};
pub use writer::{JournalWriter, Progress};

#[cfg(test)]
mod tests;

/// An error and all that caused it, outermost first, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
