//! What a window still holds.
//!
//! What is taken at `t` from a rolling window is free again at exactly `t + window`, so no stretch of time as long as the
//! window ever holds more than `max`; from a period of the calendar, at its end. It never knows the window's length: what
//! was taken is kept with the moment that frees it.

use std::collections::VecDeque;

use super::period;
use crate::clock::Timestamp;
use crate::policy::{Align, Amount, Increment, Limit};

/// So many takings are kept by themselves, each free at the exact nanosecond. Sixteen bytes each make 16 KiB for the
/// largest such counter; what is above is kept in slices of the window, which cost the same whatever `max` is.
pub(super) const EXACT_MAX: usize = 1_024;

/// What is kept by slices of a rolling window leaves when the youngest of its slice may: never too soon, at most one slice
/// late.
pub(super) const SLICES: u64 = 64;

/// What is still counted. A limit has takings of both kinds where its numbers were edited, or where nobody can tell
/// beforehand how many fit.
#[derive(Debug, Default)]
pub(super) struct Takings {
    exact: VecDeque<Taking>,
    /// What all exact ones are together.
    sum: Amount,
    sliced: Option<Box<Sliced>>,
}

#[derive(Debug, Default)]
struct Sliced {
    slices: VecDeque<Taking>,
    sum: Amount,
}

/// What leaves at one moment: one call's, or a whole slice's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taking {
    pub(super) until: Timestamp,
    pub(super) amount: Amount,
}

/// Where what a call takes is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// By itself, until then.
    Exact(Timestamp),
    /// In the slice that leaves then.
    Slice(Timestamp),
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom {
    /// When there will be, if nobody else takes it.
    pub(super) opens: Timestamp,
    /// How much there is.
    pub(super) left: Amount,
}

impl Takings {
    /// Calls that took one each, in the order of time.
    pub(super) fn of_calls(calls: impl Iterator<Item = Timestamp>) -> Takings {
        let amount = Amount::ONE;
        let exact: VecDeque<Taking> = calls.map(|until| Taking { until, amount }).collect();
        Takings {
            sum: Amount::whole(exact.len() as u64),
            exact,
            sliced: None,
        }
    }

    /// Lets go of what has left by `at`.
    pub(super) fn expire(&mut self, at: Timestamp) {
        while let Some(gone) = self.exact.pop_front_if(|taking| taking.until <= at) {
            self.sum = self.sum.minus(gone.amount);
        }
        let Some(sliced) = &mut self.sliced else {
            return;
        };
        while let Some(gone) = sliced.slices.pop_front_if(|slice| slice.until <= at) {
            sliced.sum = sliced.sum.minus(gone.amount);
        }
        if sliced.slices.is_empty() {
            self.sliced = None;
        }
    }

    /// Puts an amount where there was room for it. There can be no more than `most` that are kept by themselves.
    pub(super) fn put(&mut self, place: Place, amount: Amount, most: usize) {
        match place {
            _ if amount.is_nothing() => {}
            Place::Exact(until) => {
                grow(&mut self.exact, most);
                self.exact.push_back(Taking { until, amount });
                self.sum = self.sum.plus(amount);
            }
            Place::Slice(until) => {
                let sliced = self.sliced.get_or_insert_default();
                sliced.sum = sliced.sum.plus(amount);
                match sliced.slices.back_mut() {
                    Some(last) if last.until == until => last.amount = last.amount.plus(amount),
                    _ => sliced.slices.push_back(Taking { until, amount }),
                }
            }
        }
    }

    /// Frees it again; nothing happens if it is free already.
    pub(super) fn take_back(&mut self, place: Place, amount: Amount) {
        match place {
            Place::Exact(until) => {
                if let Ok(index) = self
                    .exact
                    .binary_search_by_key(&until, |taking| taking.until)
                {
                    let gone = self
                        .exact
                        .remove(index)
                        .map_or(Amount::NOTHING, |gone| gone.amount);
                    self.sum = self.sum.minus(gone);
                }
            }
            Place::Slice(until) => self.take_back_sliced(Taking { until, amount }),
        }
    }

    fn take_back_sliced(&mut self, taking: Taking) {
        let Some(sliced) = &mut self.sliced else {
            return;
        };
        let mut slices = sliced.slices.iter_mut();
        if let Some(slice) = slices.find(|slice| slice.until == taking.until) {
            let gone = taking.amount.min(slice.amount);
            slice.amount = slice.amount.minus(gone);
            sliced.sum = sliced.sum.minus(gone);
        }
    }

    /// When the last of it leaves; `None` if there is nothing.
    pub(super) fn last_leaves(&self) -> Option<Timestamp> {
        let slice = self.sliced.iter().filter_map(|sliced| sliced.slices.back());
        let slice = slice.map(|slice| slice.until).next();
        self.exact.back().map(|taking| taking.until).max(slice)
    }

    /// How many are kept by themselves.
    pub(super) fn exact_len(&self) -> usize {
        self.exact.len()
    }

    #[cfg(test)]
    pub(super) fn kept_apart(&self) -> usize {
        let slices = self.sliced.as_ref().map_or(0, |sliced| sliced.slices.len());
        self.exact.len() + slices
    }

    /// How much there is that has not been let go.
    pub(super) fn held(&self) -> Amount {
        let sliced = self.sliced.as_ref();
        self.sum
            .plus(sliced.map_or(Amount::NOTHING, |sliced| sliced.sum))
    }

    /// When so much has left.
    pub(super) fn leaves(&self, amount: Amount) -> Timestamp {
        let sliced = self.sliced.iter().flat_map(|sliced| &sliced.slices);
        let (mut exact, mut sliced) = (self.exact.iter().peekable(), sliced.peekable());
        let mut left = Amount::NOTHING;
        let mut last = Timestamp::default();
        while left < amount {
            let is_exact = match (exact.peek(), sliced.peek()) {
                (Some(one), Some(other)) => one.until <= other.until,
                (one, _) => one.is_some(),
            };
            let next = if is_exact {
                exact.next()
            } else {
                sliced.next()
            };
            // More than there is never leaves; nobody asks for more than `max`.
            let Some(next) = next else { break };
            left = left.plus(next.amount);
            last = next.until;
        }
        last
    }
}

/// Where a taking goes at `at`, if there is room for it and so many are kept by themselves already. Of a limit that will
/// hold too many, none is; of one whose amounts nobody knows beforehand, the first ones are.
pub(super) fn place(limit: &Limit, at: Timestamp, exact: usize) -> Place {
    match limit.align {
        // All of a period leaves at its end.
        Align::Calendar => Place::Slice(period::end(limit.window, at)),
        Align::Rolling if most_takings(limit) > EXACT_MAX || exact >= EXACT_MAX => {
            Place::Slice(slice_end(limit, at))
        }
        // Those in flight are kept elsewhere.
        Align::Rolling | Align::InFlight => Place::Exact(at.plus(limit.window.length())),
    }
}

/// How many takings a window can hold at most, as far as they are kept by themselves.
pub(super) fn most_takings(limit: &Limit) -> usize {
    let most = match &limit.increment {
        // Dividing takes longer than all else here.
        Increment::Constant(Amount::ONE) => limit.max.get(),
        Increment::Constant(amount) => limit.capacity().millionths() / amount.millionths().max(1),
        Increment::From(_) => EXACT_MAX as u64,
    };
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// Slices lie at fixed places of the timeline, so that a restart cuts them as before.
fn slice_end(limit: &Limit, at: Timestamp) -> Timestamp {
    let length = limit.window.length();
    let width = u64::try_from(length.as_nanos()).expect("the longest window is 31 days") / SLICES;
    Timestamp::from_nanos((at.nanos() / width + 1).saturating_mul(width)).plus(length)
}

/// Doubles as a vector does, but never makes room for more than there can be.
fn grow(takings: &mut VecDeque<Taking>, max: usize) {
    let len = takings.len();
    if len == takings.capacity() {
        takings.reserve_exact(len.max(4).min(max.saturating_sub(len)));
    }
}
