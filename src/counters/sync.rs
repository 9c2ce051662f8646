//! The locks and numbers that threads share.
//!
//! It never adds anything of its own: it is one place, so that `tests/interleavings.rs` can put others there: then a
//! scheduler runs the same code in every order that threads can come in.

pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub(super) use parking_lot::{Mutex, MutexGuard};
pub(super) use triomphe::Arc;

/// How many handles there are to a counter or tally.
pub(super) fn handles<T>(handle: &Arc<T>) -> usize {
    Arc::strong_count(handle)
}

/// In so many tables the map's counters lie: threads that look for different ones seldom want the same lock, and an empty
/// gateway is small.
pub(super) const SHARDS: usize = 64;
