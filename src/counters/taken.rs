//! What a call took, from which counters.
//!
//! It is never made outside this room and never copied: who holds it can give it back, once.

use smallvec::SmallVec;

use super::key::CounterKey;
use super::tally::Opener;
use crate::clock::Timestamp;
use crate::policy::{Amount, Full};

/// A permit whose charges were all taken. Only [`super::Counters::charge`] makes one.
#[derive(Debug)]
pub struct Admitted<'p> {
    pub(super) taken: Taken,
    pub(super) shadowed: Vec<Full<'p>>,
}

impl<'p> Admitted<'p> {
    /// The limits in shadow that have no room: they would have refused the call, and nothing was taken from them.
    pub fn shadowed(&self) -> &[Full<'p>] {
        &self.shadowed
    }

    /// What was taken from which counter.
    pub fn taken(&self) -> &Taken {
        &self.taken
    }

    /// What was taken, for `record`, which makes the next value of the chain.
    pub fn into_taken(self) -> Taken {
        self.taken
    }
}

/// What a call took from its counters; see [`super::Counters::refund`].
#[derive(Debug)]
pub struct Taken {
    pub(super) parts: Parts,
}

/// Two stand in place, the tool's limit and that of all tools: a list is moved from room to room with its call. Room for
/// four was measured to make one limit 10 ns dearer and three 20 ns cheaper.
pub(super) type Parts = SmallVec<[Part; 2]>;

/// What a call took from one counter, and for which limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) key: CounterKey,
    pub(super) charged: Charged,
    /// See [`crate::policy::Limit::index`].
    pub(super) limit: usize,
    /// Who may have opened the counter by what it sent.
    pub(super) opener: Option<Opener>,
}

impl Taken {
    pub(super) fn of(parts: impl IntoIterator<Item = Part>) -> Taken {
        Taken {
            parts: parts.into_iter().collect(),
        }
    }

    /// What was taken from each counter.
    pub fn parts(&self) -> impl Iterator<Item = (CounterKey, Charged)> {
        self.parts.iter().map(|part| (part.key, part.charged))
    }

    /// Which counters it was taken from, and by which limit (see [`crate::policy::Limit::index`]).
    pub fn counters(&self) -> impl Iterator<Item = (usize, CounterKey)> {
        self.parts.iter().map(|part| (part.limit, part.key))
    }

    /// Who may have opened which of these counters by what it sent.
    pub fn openers(&self) -> impl Iterator<Item = Option<Opener>> {
        self.parts.iter().map(|part| part.opener)
    }
}

/// What was taken from one counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// What one call took by itself from a rolling window.
    Call {
        /// When it counts as admitted; no two calls of a counter share it.
        at: Timestamp,
        /// When it is free again.
        until: Timestamp,
        /// How much.
        amount: Amount,
    },
    /// What one call took in a slice of a rolling window.
    Slice {
        /// When it counts as admitted.
        at: Timestamp,
        /// When the slice leaves.
        until: Timestamp,
        /// How much.
        amount: Amount,
    },
    /// The place of one call among those in flight.
    Slot {
        /// When it counts as admitted.
        at: Timestamp,
        /// When the call has ended at the latest; no two calls of a counter share it.
        until: Timestamp,
    },
    /// One call from a bucket.
    Burst {
        /// When it counts as admitted; no two calls of a counter share it.
        at: Timestamp,
        /// One window after the bucket is full again: the bucket's state after this call.
        until: Timestamp,
        /// Nanoseconds in which one call refills.
        period: u64,
    },
}

impl Charged {
    /// When the call counts as admitted.
    pub fn at(self) -> Timestamp {
        let (Charged::Call { at, .. }
        | Charged::Slice { at, .. }
        | Charged::Slot { at, .. }
        | Charged::Burst { at, .. }) = self;
        at
    }

    /// How much; of a burst its state is all that is known.
    pub fn amount(self) -> Option<Amount> {
        match self {
            Charged::Call { amount, .. } | Charged::Slice { amount, .. } => Some(amount),
            Charged::Slot { .. } => Some(Amount::ONE),
            Charged::Burst { .. } => None,
        }
    }

    /// From when on the charge makes no difference.
    pub fn until(self) -> Timestamp {
        match self {
            Charged::Call { until, .. }
            | Charged::Slice { until, .. }
            | Charged::Slot { until, .. }
            | Charged::Burst { until, .. } => until,
        }
    }

    /// Whether it can be given back: all but bursts can.
    pub fn is_refundable(self) -> bool {
        !matches!(self, Charged::Burst { .. })
    }
}
