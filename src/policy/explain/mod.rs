//! Explains a decision: the path of a call through the rules, step by step, in the order in which they are judged.
//!
//! It never judges by itself: `decide`'s own code runs, and a [`Witness`] notes what it finds.

mod seen;
mod steps;
mod witness;

pub(super) use witness::Witness;

use super::compile::examine;
use super::decision::{Decision, Denial, Shadowed};
use super::locate::value_at;
use super::sentence::{APPROVAL_REQUIRED, DENIED};
use super::{Call, Facts, Limit, Mistake, Policy};
use crate::json::{Duplicates, Position, Reader, Value};

/// Why a call was decided as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What was looked at, in order; nothing after what decided.
    pub steps: Vec<Step>,
    /// `allow`, `deny` or `approve`.
    pub verdict: &'static str,
    /// The rule that decided, if it was not the absence of any: its id, or a word in parentheses.
    pub rule: Option<String>,
    /// Where that rule stands.
    pub spot: Option<Spot>,
    /// What the agent reads of a call that does not run.
    pub sentence: Option<String>,
    /// What rules in shadow would have done.
    pub shadowed: Vec<String>,
    /// The limits that an allowed call takes from, if each has room.
    pub charges: Vec<Taken>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `hide`, `tools`, `schema`, `require`, `deny_if`, `approve_if` or `limits`.
    pub section: String,
    /// The id of the rule, if it is one.
    pub rule: Option<String>,
    /// Where it stands in the document.
    pub spot: Option<Spot>,
    /// `true`, `false` or `unknown`; `None` for what has no truth.
    pub truth: Option<&'static str>,
    /// What follows from it.
    pub follows: String,
    /// Its conditions as far as they were judged, those inside others deeper.
    pub looks: Vec<Look>,
}

/// One condition, or several under one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// How many clauses it stands inside.
    pub depth: usize,
    /// Where it stands in the document.
    pub spot: Spot,
    /// The condition as written, or `any`, `all`, `not`.
    pub test: String,
    /// The value that it saw.
    pub saw: Option<String>,
    /// `true`, `false` or `unknown`.
    pub truth: &'static str,
    /// Why it is unknown.
    pub why: Option<String>,
}

/// A place in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The JSON Pointer (RFC 6901).
    pub pointer: String,
    /// Line and column; `None` if the document has no such place.
    pub position: Option<Position>,
}

/// What a call takes from one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The limit.
    pub limit: Limit,
    /// Where it stands.
    pub spot: Spot,
    /// How much.
    pub amount: String,
}

/// Decides a call as [`Policy::decide`] does under the policy of this document, and says how it came to that. A document
/// whose own tests fail is explained too: that is how one finds out why.
pub fn explain(
    source: &[u8],
    call: &Call<'_>,
    facts: &Facts<'_>,
) -> Result<Explanation, Vec<Mistake>> {
    let examined = examine(source, |_, _| ())?;
    Ok(examined.policy.explanation(source, call, facts))
}

impl Policy {
    fn explanation(&self, source: &[u8], call: &Call<'_>, facts: &Facts<'_>) -> Explanation {
        let witness = Witness::default();
        let judgement = self.judge(call, facts, Some(&witness));
        let mut reader = Reader::new(Duplicates::Kept);
        let document = reader.read(source).ok();
        let root = document.as_ref().map(|document| document.root());
        let written = Written(root);
        let mut steps = steps::before_rules(self, (call, facts), written);
        let notes = witness.into_notes();
        steps.extend(notes.into_iter().map(|note| steps::of_note(note, written)));
        let (verdict, rule, pointer) = verdict(&judgement.decision);
        let is_told = |rule: &str| steps.iter().any(|step| step.rule.as_deref() == Some(rule));
        match &judgement.decision {
            Decision::Deny(Denial::Rule(rule)) if !is_told(&rule.id) => {
                steps.push(steps::of_another_entry(rule, written));
            }
            Decision::Deny(Denial::Uncounted { limit, words }) => {
                steps.push(steps::of_limit((limit, words), written));
            }
            _ => {}
        }
        let spot = match (pointer, rule) {
            (Some(pointer), _) => Some(written.spot(pointer)),
            // What is not there for a grant was decided by no rule, but at the place that was looked at last.
            (None, Some(_)) => steps.last().and_then(|step| step.spot.clone()),
            (None, None) => None,
        };
        Explanation {
            steps,
            verdict,
            rule: rule.map(str::to_owned),
            spot,
            sentence: match &judgement.decision {
                Decision::Allow(_) => None,
                Decision::Hold(held) => {
                    Some(format!("{APPROVAL_REQUIRED} {}", held.sentence(call.tool)))
                }
                Decision::Deny(denial) => Some(format!("{DENIED} {}", denial.sentence(call.tool))),
            },
            shadowed: judgement.shadowed.iter().map(in_shadow).collect(),
            charges: charges(&judgement.decision, written),
        }
    }
}

/// The verdict, the rule that decided and its pointer.
fn verdict<'d>(decision: &'d Decision<'_>) -> (&'static str, Option<&'d str>, Option<&'d str>) {
    match decision {
        Decision::Allow(_) => ("allow", None, None),
        Decision::Hold(held) => ("approve", Some(&held.rule.id), Some(&held.rule.pointer)),
        Decision::Deny(Denial::Unavailable(reason)) => ("deny", Some(reason.reason()), None),
        Decision::Deny(denial) => ("deny", denial.rule(), denial.pointer()),
    }
}

fn in_shadow(shadowed: &Shadowed<'_>) -> String {
    match shadowed {
        Shadowed::Denied(denial) => {
            format!(
                "{} would have refused it",
                denial.rule().unwrap_or_default()
            )
        }
        Shadowed::Held(rule) => format!("{} would have asked a person", rule.id),
    }
}

fn charges(decision: &Decision<'_>, written: Written<'_>) -> Vec<Taken> {
    let Decision::Allow(permit) = decision else {
        return Vec::new();
    };
    let charges = permit.charges().iter();
    charges
        .map(|charge| Taken {
            limit: charge.limit.clone(),
            spot: written.spot(&charge.limit.pointer),
            amount: charge.amount.to_string(),
        })
        .collect()
}

/// The document, if it could be read.
#[derive(Debug, Clone, Copy)]
struct Written<'a>(Option<Value<'a>>);

impl<'a> Written<'a> {
    fn value(self, pointer: &str) -> Option<Value<'a>> {
        value_at(self.0?, pointer)
    }

    fn spot(self, pointer: &str) -> Spot {
        Spot {
            pointer: pointer.to_owned(),
            position: self.value(pointer).map(Value::position),
        }
    }
}
