//! The calls that a rolling window still holds.
//!
//! A call at `t` frees its place at exactly `t + window`, so no stretch of time as long as the window ever holds more
//! than `max`. It never knows the window's length: a call is kept as the moment that frees its place.

use std::collections::VecDeque;

use crate::clock::Timestamp;
use crate::policy::Limit;

/// Up to this `max` each call is kept by itself, and its place is free at the exact nanosecond. Eight bytes a call make
/// 8 KiB for the largest such counter; above, one slice of [`SLICES`] costs the same whatever `max` is.
pub(super) const EXACT_MAX: u64 = 1_024;

/// For a larger `max` calls are kept by slices of the window, and leave when the youngest of their slice may: never too
/// soon, at most one slice late.
pub(super) const SLICES: u64 = 64;

/// What is still counted. A limit whose `max` crosses [`EXACT_MAX`] has calls of both kinds until the old ones leave.
#[derive(Debug, Default)]
pub(super) struct Calls {
    exact: VecDeque<Timestamp>,
    sliced: Option<Box<Sliced>>,
}

#[derive(Debug, Default)]
struct Sliced {
    slices: VecDeque<Slice>,
    calls: u64,
}

/// Calls that leave together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) until: Timestamp,
    pub(super) calls: u64,
}

/// A place for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// By itself, until then.
    Exact(Timestamp),
    /// In the slice that leaves then.
    Slice(Timestamp),
}

impl Calls {
    /// Calls that were kept elsewhere, each kind in the order of time.
    pub(super) fn kept(
        exact: impl Iterator<Item = Timestamp>,
        slices: impl Iterator<Item = Slice>,
    ) -> Calls {
        let slices: VecDeque<Slice> = slices.collect();
        let calls = slices.iter().map(|slice| slice.calls).sum();
        Calls {
            exact: exact.collect(),
            sliced: (calls > 0).then(|| Box::new(Sliced { slices, calls })),
        }
    }

    /// Lets go of what has left by `at`.
    pub(super) fn expire(&mut self, at: Timestamp) {
        while self.exact.front().is_some_and(|until| *until <= at) {
            self.exact.pop_front();
        }
        let Some(sliced) = &mut self.sliced else {
            return;
        };
        while let Some(gone) = sliced.slices.pop_front_if(|slice| slice.until <= at) {
            sliced.calls -= gone.calls;
        }
        if sliced.slices.is_empty() {
            self.sliced = None;
        }
    }

    /// Where a call at `at` would go, or when there is room for it. What has left by `at` must have been let go.
    pub(super) fn room(&self, limit: &Limit, at: Timestamp) -> Result<Place, Timestamp> {
        let max = limit.max.get();
        match self.len().checked_sub(max) {
            None if max <= EXACT_MAX => Ok(Place::Exact(at.plus(limit.window.length()))),
            None => Ok(Place::Slice(slice_end(limit, at))),
            Some(above) => Err(self.leaves(above + 1)),
        }
    }

    /// Puts a call where there was room for it.
    pub(super) fn put(&mut self, place: Place, max: u64) {
        match place {
            Place::Exact(until) => {
                grow(&mut self.exact, max);
                self.exact.push_back(until);
            }
            Place::Slice(until) => {
                let sliced = self.sliced.get_or_insert_default();
                sliced.calls += 1;
                match sliced.slices.back_mut() {
                    Some(last) if last.until == until => last.calls += 1,
                    _ => sliced.slices.push_back(Slice { until, calls: 1 }),
                }
            }
        }
    }

    /// Frees a place again; nothing happens if it is free already.
    pub(super) fn take_back(&mut self, place: Place) {
        match place {
            Place::Exact(until) => {
                if let Ok(index) = self.exact.binary_search(&until) {
                    self.exact.remove(index);
                }
            }
            Place::Slice(until) => self.take_back_sliced(until),
        }
    }

    fn take_back_sliced(&mut self, until: Timestamp) {
        let Some(sliced) = &mut self.sliced else {
            return;
        };
        let slice = sliced.slices.iter_mut().find(|slice| slice.until == until);
        if let Some(slice) = slice.filter(|slice| slice.calls > 0) {
            slice.calls -= 1;
            sliced.calls -= 1;
        }
    }

    /// When the last of them leaves; `None` if there are none.
    pub(super) fn last_leaves(&self) -> Option<Timestamp> {
        let slice = self.sliced.iter().filter_map(|sliced| sliced.slices.back());
        let slice = slice.map(|slice| slice.until).next();
        self.exact.back().copied().max(slice)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.exact.capacity()
    }

    fn len(&self) -> u64 {
        let exact = self.exact.len() as u64;
        exact + self.sliced.as_ref().map_or(0, |sliced| sliced.calls)
    }

    /// When the first so many have left.
    fn leaves(&self, count: u64) -> Timestamp {
        let exact = self.exact.iter().map(|&until| Slice { until, calls: 1 });
        let sliced = self.sliced.iter().flat_map(|sliced| &sliced.slices);
        let (mut exact, mut sliced) = (exact.peekable(), sliced.copied().peekable());
        let mut left = 0;
        let mut last = Timestamp::default();
        while left < count {
            let is_exact = match (exact.peek(), sliced.peek()) {
                (Some(one), Some(other)) => one.until <= other.until,
                (one, _) => one.is_some(),
            };
            let next = if is_exact {
                exact.next()
            } else {
                sliced.next()
            };
            let next = next.expect("no more are counted than there are");
            left += next.calls;
            last = next.until;
        }
        last
    }
}

/// Slices lie at fixed places of the timeline, so that a restart cuts them as before.
fn slice_end(limit: &Limit, at: Timestamp) -> Timestamp {
    let length = limit.window.length();
    let width = u64::try_from(length.as_nanos()).expect("the longest window is 31 days") / SLICES;
    Timestamp::from_nanos((at.nanos() / width + 1).saturating_mul(width)).plus(length)
}

/// Doubles as a vector does, but never makes room for more than `max`.
fn grow(calls: &mut VecDeque<Timestamp>, max: u64) {
    let len = calls.len();
    if len == calls.capacity() {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        calls.reserve_exact(len.max(4).min(max.saturating_sub(len)));
    }
}
