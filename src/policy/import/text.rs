//! A policy file of either format, for commands that say more of it than whether it loads.
//!
//! It never tells a place of the translation: all places are those of the file.

use super::{Canonical, Format, Meant};
use crate::json::Position;
use crate::policy::explain::{self, Explanation, Spot};
use crate::policy::mistake::Mistake;
use crate::policy::own_tests::Ran;
use crate::policy::review::{Offer, Review};
use crate::policy::{Call, Facts, Policy, locate};

/// The bytes of a policy file, and how they are to be read.
#[derive(Debug, Clone, Copy)]
pub struct PolicyText<'s> {
    /// The file as it is.
    pub bytes: &'s [u8],
    /// How it is written.
    pub format: Format,
}

impl PolicyText<'_> {
    /// Reads and compiles it. `Err` has all its mistakes.
    pub fn compile(self) -> Result<Policy, Vec<Mistake>> {
        super::compile(self.bytes, self.format)
    }

    /// Brings it into the canonical form, which is a valid policy. `Err` has all its mistakes.
    pub fn canonical(self) -> Result<Canonical, Vec<Mistake>> {
        super::canonical(self.bytes, self.format)
    }

    /// All that is to be said of it; with `offer`, also how it fits the tools that a server offers.
    pub fn review(self, offer: Option<&Offer>) -> Review {
        let meant = match Meant::read(self.bytes, self.format) {
            Ok(meant) => meant,
            Err(mistakes) => {
                return Review {
                    policy: Err(mistakes),
                    warnings: Vec::new(),
                    tests: Ran::default(),
                    unmatched: None,
                };
            }
        };
        let review = Policy::review(meant.json(), offer);
        Review {
            policy: meant.told(review.policy),
            warnings: meant.moved(review.warnings),
            ..review
        }
    }

    /// Decides a call and says how it came to that.
    pub fn explain(self, call: &Call<'_>, facts: &Facts<'_>) -> Result<Explanation, Vec<Mistake>> {
        let meant = Meant::read(self.bytes, self.format)?;
        let explained = explain::explain(meant.json(), call, facts);
        let mut explanation = explained.map_err(|mistakes| meant.moved(mistakes))?;
        let steps = explanation.steps.iter_mut();
        let spots = steps.flat_map(|step| {
            let looks = step.looks.iter_mut().map(|look| &mut look.spot);
            step.spot.iter_mut().chain(looks)
        });
        let charges = explanation.charges.iter_mut().map(|taken| &mut taken.spot);
        spots
            .chain(charges)
            .chain(&mut explanation.spot)
            .for_each(|spot| meant.move_spot(spot));
        Ok(explanation)
    }

    /// Where the values stand that these pointers name in the document that it means; `None` for a pointer that leads
    /// nowhere.
    pub fn positions<'p>(
        self,
        pointers: impl IntoIterator<Item = &'p str>,
    ) -> Vec<Option<Position>> {
        let Ok(meant) = Meant::read(self.bytes, self.format) else {
            return pointers.into_iter().map(|_| None).collect();
        };
        let found = locate::positions(meant.json(), pointers).into_iter();
        found.map(|position| meant.position(position?)).collect()
    }
}

impl Meant<'_> {
    fn move_spot(&self, spot: &mut Spot) {
        let Some(position) = spot.position else {
            return;
        };
        if let Some(origin) = self.origin(position) {
            *spot = Spot {
                position: Some(origin.position),
                pointer: origin.pointer.to_string(),
            };
        }
    }

    fn position(&self, position: Position) -> Option<Position> {
        let origin = self.origin(position);
        Some(origin.map_or(position, |origin| origin.position))
    }
}
