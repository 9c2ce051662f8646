//! Takes the place of `src/counters/sync.rs`: the same names, but a scheduler decides at each of them who goes on.
//!
//! Never more than the counters need: a lock without poison, as theirs, and numbers.

pub(super) use shuttle::sync::MutexGuard;
pub(super) use shuttle::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[derive(Debug, Default)]
pub(super) struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(super) fn new(inner: T) -> Mutex<T> {
        Mutex(shuttle::sync::Mutex::new(inner))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("no thread panics while it has a lock")
    }
}
