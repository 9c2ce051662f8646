//! Three-valued logic (Kleene's), and which way a rule leans.
//!
//! Unknown is never turned into true or false here: who asks decides what it costs.

/// What is known of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    /// It does not hold.
    False,
    /// It cannot be judged.
    Unknown,
    /// It holds.
    True,
}

impl Truth {
    /// True where all are; false where one is.
    pub(super) fn all(truths: impl Iterator<Item = Truth>) -> Truth {
        let mut least = Truth::True;
        for truth in truths {
            least = least.min(truth);
            if least == Truth::False {
                break;
            }
        }
        least
    }

    /// True where one is; false where all are.
    pub(super) fn any(truths: impl Iterator<Item = Truth>) -> Truth {
        let mut most = Truth::False;
        for truth in truths {
            most = most.max(truth);
            if most == Truth::True {
                break;
            }
        }
        most
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        match self {
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
            Truth::True => Truth::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Truth {
        if holds { Truth::True } else { Truth::False }
    }
}

/// What a condition is for, which decides what is strict where an argument leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    /// It must be shown to hold: of every element, as every reader of a number sees it, and of nothing that is missing.
    Require,
    /// It must be shown not to hold: of no element, as no reader of a number sees it.
    Forbid,
}

impl Sense {
    /// The sense of what stands under a `not`.
    pub(super) fn flipped(self) -> Sense {
        match self {
            Sense::Require => Sense::Forbid,
            Sense::Forbid => Sense::Require,
        }
    }

    /// The stricter of two readings of one comparison.
    pub(super) fn stricter(self, holds: [bool; 2]) -> bool {
        match self {
            Sense::Require => holds.iter().all(|holds| *holds),
            Sense::Forbid => holds.iter().any(|holds| *holds),
        }
    }
}

/// The steps a judgement may still take; when they are used up, the rest is unknown.
#[derive(Debug)]
pub(super) struct Work {
    left: std::cell::Cell<u32>,
}

impl Work {
    /// Far above any real call (a thousand conditions on a thousand elements), and still some milliseconds.
    const STEPS: u32 = 1_000_000;

    /// The work one call may cost.
    pub(super) fn new() -> Work {
        Work {
            left: std::cell::Cell::new(Work::STEPS),
        }
    }

    /// Takes so many steps; false where there are not so many left, and then there are none.
    pub(super) fn spend(&self, steps: usize) -> bool {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Whether some judgement could not be finished.
    pub(super) fn is_used_up(&self) -> bool {
        self.left.get() == 0
    }
}
