//! The guard: how many calls a second one grant may make at all, so that a runaway agent harms nobody else.
//!
//! It is no limit of a policy: nothing of it is kept or given back, and a bucket of GCRA is all it is.

use std::num::NonZeroU32;
use std::time::Duration;

use super::bucket::Pace;
use super::sync::{Mutex, MutexGuard};
use crate::clock::Timestamp;

/// How much a guard lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardSettings {
    /// Calls a second, in the long run.
    pub per_second: NonZeroU32,
    /// Calls back to back.
    pub burst: NonZeroU32,
}

impl Default for GuardSettings {
    /// 1,000 a second and 2,000 at once: no agent in its right mind is that fast, and one core still serves others.
    fn default() -> GuardSettings {
        GuardSettings {
            per_second: NonZeroU32::new(1_000).expect("1,000 is not 0"),
            burst: NonZeroU32::new(2_000).expect("2,000 is not 0"),
        }
    }
}

/// The guard of one grant, shared by all its accounts.
#[derive(Debug)]
pub struct Guard {
    settings: GuardSettings,
    pace: Pace,
    full: Mutex<Timestamp>,
}

/// A guard that let a call pass, and still has to be told whether the call was taken.
#[derive(Debug)]
pub(super) struct Passing<'g> {
    kept: MutexGuard<'g, Timestamp>,
    full: Timestamp,
}

impl Guard {
    /// A guard that nobody has passed yet.
    pub fn new(settings: GuardSettings) -> Guard {
        let second: u64 = 1_000_000_000;
        Guard {
            settings,
            pace: Pace {
                period: second.div_ceil(settings.per_second.get().into()),
                burst: settings.burst,
            },
            full: Mutex::default(),
        }
    }

    /// What it was made with.
    pub fn settings(&self) -> GuardSettings {
        self.settings
    }

    /// Asks to let one call pass; else how long until it would.
    pub(super) fn stage(&self, now: Timestamp) -> Result<Passing<'_>, Duration> {
        let kept = self.full.lock();
        let full = self.pace.take(*kept, now)?;
        Ok(Passing { kept, full })
    }
}

impl Passing<'_> {
    /// The call was taken.
    pub(super) fn commit(mut self) {
        *self.kept = self.full;
    }
}
