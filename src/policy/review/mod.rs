//! Looks at a whole document as a colleague of its author would: its mistakes, what is hardly meant, its own tests.
//!
//! It never stops a policy from loading: a warning is advice, and only what [`Policy::compile`] refuses is refused.

mod arguments;
mod asked;
mod conditions;
mod contradiction;
mod limits;
mod names;
mod outline;
mod server;

pub use server::{Offer, Unmatched};

use super::compile;
use super::mistake::{Mistake, Mistakes, Place};
use super::own_tests::Ran;
use super::{Mistake as Warning, Policy};

/// All that is to be said of a document.
#[derive(Debug)]
pub struct Review {
    /// The policy, or all its mistakes; a policy whose own tests fail is none.
    pub policy: Result<Policy, Vec<Mistake>>,
    /// What is allowed but hardly meant, in the order of the document. Nothing is said of a document with mistakes other
    /// than failing tests: they come first.
    pub warnings: Vec<Warning>,
    /// How its own tests went; none of them run where it has other mistakes.
    pub tests: Ran,
    /// The tools of the server that no entry matches, if there was a server to compare with.
    pub unmatched: Option<Unmatched>,
}

impl Policy {
    /// Reads a policy document (JSON) and says all that is to be said of it; with `offer`, also how it fits the tools
    /// that a server offers.
    pub fn review(source: &[u8], offer: Option<&Offer>) -> Review {
        let examined = compile::examine(source, |root, policy| {
            let warnings = warnings(root, policy, offer);
            let unmatched = offer.map(|offer| server::unmatched(root, policy, offer));
            (warnings, unmatched)
        });
        match examined {
            Err(mistakes) => Review {
                policy: Err(mistakes),
                warnings: Vec::new(),
                tests: Ran::default(),
                unmatched: None,
            },
            Ok(examined) => {
                let (warnings, unmatched) = examined.told;
                Review {
                    policy: match examined.failures.is_empty() {
                        true => Ok(examined.policy),
                        false => Err(examined.failures),
                    },
                    warnings,
                    tests: examined.tests,
                    unmatched,
                }
            }
        }
    }
}

fn warnings(root: &Place<'_>, policy: &Policy, offer: Option<&Offer>) -> Vec<Warning> {
    let mut warnings = Mistakes::default();
    names::look(root, policy, &mut warnings);
    conditions::look(root, &mut warnings);
    limits::look(root, policy, &mut warnings);
    if let Some(offer) = offer {
        server::look(root, policy, (offer, &mut warnings));
    }
    warnings.into_result().err().unwrap_or_default()
}
