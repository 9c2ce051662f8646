//! Decides what happens to a tool call.
//!
//! `Policy::decide` is a function of its arguments and nothing else: no I/O, no async, no clock, no locks.
//! Whether a limit has room left is not known here: a decision that depends on one says so, as a [`Charge`].

mod compile;
mod condition;
mod condition_text;
mod decision;
mod directory;
mod document;
mod fields;
mod host;
mod ip_range;
mod limit;
mod limit_text;
mod lookalike;
mod mistake;
mod name;
mod number;
mod operator;
mod operator_text;
mod path;
mod rules;
mod sentence;
mod text_test;
mod tools;
mod truth;
mod words;

pub use decision::{Decision, Denial, Held, Permit, Rule, Unavailable};
pub use limit::{Charge, Full, Limit, Scope, Window};
pub use mistake::Mistake;

use crate::json::Value;
use condition::Scene;
use document::Fallback;
use rules::Rules;
use tools::{Names, Speaker, Tools};
use truth::Work;

/// No tool has a longer name (MCP recommends at most 128 characters): comparing globs with more is work for nothing.
const NAME_BYTES_MAX: usize = 1_024;

/// A compiled policy: immutable, shared by all calls of the grants it is for.
#[derive(Debug)]
pub struct Policy {
    default: Fallback,
    hidden: Names,
    tools: Tools,
    limits: Vec<Limit>,
    hash: Box<str>,
}

/// One tool call, borrowed from its request.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The decoded name of the tool.
    pub tool: &'a str,
    /// The object of arguments, if there is one.
    pub arguments: Option<Value<'a>>,
}

/// What a decision needs to know besides policy and call.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Whether the server has such a tool.
    pub listing: Listing,
}

/// What is known of the server's list of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// The server has not been listed.
    Unknown,
    /// The server lists the tool.
    Listed,
    /// The server's list is known and does not have it.
    NotListed,
}

impl Policy {
    /// Reads a policy document (JSON). `Err` has all its mistakes, in the order of the document.
    pub fn compile(source: &[u8]) -> Result<Policy, Vec<Mistake>> {
        compile::compile(source)
    }

    /// Judges one call: the first refusal wins; a call that nothing refuses takes from all the limits that apply.
    pub fn decide<'p>(&'p self, call: &Call<'_>, facts: &Facts) -> Decision<'p> {
        let speaker = match self.offered(call.tool, facts.listing) {
            Ok(speaker) => speaker,
            Err(reason) => return Decision::Deny(Denial::Unavailable(reason)),
        };
        let Some(speaker) = speaker else {
            return Decision::Allow(Permit::new(self.charges(&[])));
        };
        let work = Work::new();
        let scene = Scene {
            arguments: call.arguments,
            work: &work,
        };
        if let Some(denial) = refusal(speaker, scene) {
            return Decision::Deny(denial);
        }
        match speaker.rules.held(scene) {
            Some(Ok(rule)) => Decision::Hold(Held { rule }),
            Some(Err(denial)) => Decision::Deny(denial),
            None => Decision::Allow(Permit::new(self.charges(&speaker.rules.limits))),
        }
    }

    /// All limits, each at the place that its `index` says.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Whether the tool stays in `tools/list`: not hidden, and under `default: deny` matched by an entry of `tools`.
    pub fn is_listed(&self, tool: &str) -> bool {
        self.offered(tool, Listing::Unknown).is_ok()
    }

    /// Whether an entry of `tools` has exactly this name.
    pub fn has_entry(&self, tool: &str) -> bool {
        self.tools.have_exactly(tool)
    }

    /// The first 16 hex digits of the SHA-256 of the source: which version of the policy decided.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The entry that speaks for a tool, or why the tool is not there for this grant.
    fn offered(&self, tool: &str, listing: Listing) -> Result<Option<Speaker<'_>>, Unavailable> {
        if tool.len() > NAME_BYTES_MAX {
            return Err(Unavailable::Unknown);
        }
        if self.hidden.have(tool) {
            return Err(Unavailable::Hidden);
        }
        let speaker = self.tools.speaker(tool);
        if speaker.is_none() && self.default == Fallback::Deny {
            return Err(Unavailable::Default);
        }
        // An author who names a tool exactly knows better than a list that may be old.
        if listing == Listing::NotListed && !self.tools.have_exactly(tool) {
            return Err(Unavailable::Unknown);
        }
        Ok(speaker)
    }

    fn charges(&self, limits: &[usize]) -> smallvec::SmallVec<[Charge<'_>; 4]> {
        let charge = |&index: &usize| Charge {
            limit: &self.limits[index],
        };
        limits.iter().map(charge).collect()
    }
}

/// The first rule that refuses, in the order of the language: look-alikes, `require`, `deny_if`.
fn refusal<'p>(speaker: Speaker<'p>, scene: Scene<'_, '_>) -> Option<Denial<'p>> {
    let rules: &'p Rules = speaker.rules;
    rules
        .look_alike(scene)
        .or_else(|| rules.unmet(scene))
        .or_else(|| rules.forbidden(scene))
        .or_else(|| speaker.overruled_by.map(Denial::Rule))
}

#[cfg(test)]
mod tests;
