//! The locks and numbers that threads share.
//!
//! It never adds anything of its own: it is one place, so that `tests/interleavings.rs` can put others there, under which
//! a scheduler runs the same code in every order.

pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub(super) use parking_lot::{Mutex, MutexGuard};
