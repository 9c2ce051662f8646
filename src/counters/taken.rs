//! What a call took, from which counters.
//!
//! It is never made outside this room and never copied: who holds it can give it back, once.

use smallvec::SmallVec;

use super::key::CounterKey;
use crate::clock::Timestamp;
use crate::policy::Charge;

/// A permit whose charges were all taken. Only [`super::Counters::charge`] makes one.
#[derive(Debug)]
pub struct Admitted<'p> {
    pub(super) charges: SmallVec<[Charge<'p>; 4]>,
    pub(super) taken: Taken,
}

impl<'p> Admitted<'p> {
    /// What the call was charged, in the order of the document.
    pub fn charges(&self) -> &[Charge<'p>] {
        &self.charges
    }

    /// What was taken from which counter.
    pub fn taken(&self) -> &Taken {
        &self.taken
    }

    /// Its charges and what was taken for them: for `record`, which makes the next value of the chain.
    pub fn into_parts(self) -> (SmallVec<[Charge<'p>; 4]>, Taken) {
        (self.charges, self.taken)
    }
}

/// What a call took from its counters; see [`super::Counters::refund`].
#[derive(Debug)]
pub struct Taken {
    pub(super) parts: SmallVec<[(CounterKey, Charged); 4]>,
}

impl Taken {
    /// What was taken from each counter.
    pub fn parts(&self) -> impl Iterator<Item = (CounterKey, Charged)> {
        self.parts.iter().copied()
    }

    /// Only the part that [`super::Counters::refund`] would give back: all but bursts.
    pub fn refundable(&self) -> impl Iterator<Item = (CounterKey, Charged)> {
        self.parts().filter(|(_, charged)| charged.is_refundable())
    }
}

/// What was taken from one counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// One call by itself in a rolling window.
    Call {
        /// When it counts as admitted; no two calls of a counter share it.
        at: Timestamp,
        /// When its place is free again.
        until: Timestamp,
    },
    /// One call in a slice of a rolling window.
    Slice {
        /// When it counts as admitted.
        at: Timestamp,
        /// When the slice leaves.
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
        let (Charged::Call { at, .. } | Charged::Slice { at, .. } | Charged::Burst { at, .. }) =
            self;
        at
    }

    /// From when on the charge makes no difference.
    pub fn until(self) -> Timestamp {
        match self {
            Charged::Call { until, .. }
            | Charged::Slice { until, .. }
            | Charged::Burst { until, .. } => until,
        }
    }

    /// Whether it can be given back: all but bursts can.
    pub fn is_refundable(self) -> bool {
        !matches!(self, Charged::Burst { .. })
    }
}
