//! How many bytes of requests the gateway holds at a time, all agents together.
//!
//! It never keeps a byte itself: it only counts those that others keep.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of requests that are being read or waited with.
#[derive(Debug, Default)]
pub struct Bodies {
    held: AtomicUsize,
}

/// One request's part, given back when dropped.
#[derive(Debug)]
pub(super) struct Room<'a> {
    bodies: &'a Bodies,
    max: usize,
    taken: usize,
}

impl Bodies {
    /// No room yet, of `max` bytes that all may take together.
    pub(super) fn room(&self, max: usize) -> Room<'_> {
        Room {
            bodies: self,
            max,
            taken: 0,
        }
    }
}

impl Room<'_> {
    /// Takes room for so many more bytes; `false` if there is none.
    #[must_use]
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        self.taken += bytes;
        let before = self.bodies.held.fetch_add(bytes, Ordering::Relaxed);
        before.saturating_add(bytes) <= self.max
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_there_again_afterwards_and_never_twice() {
        let bodies = Bodies::default();
        let mut one = bodies.room(10);
        assert!(one.take(6));
        let mut other = bodies.room(10);
        assert!(other.take(4));
        assert!(!other.take(1), "ten of ten are taken");
        drop(other);
        assert!(one.take(4), "what the other took is there again");
        drop(one);
        assert_eq!(bodies.held.load(Ordering::Relaxed), 0);
    }
}
