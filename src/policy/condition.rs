//! One condition, and conditions put together: does it hold for these arguments?
//!
//! It never decides what an answer means for the call: that is the entry's.

use std::borrow::Cow;

use super::document::Mode;
use super::explain::Witness;
use super::fact::Reading;
use super::operand::Operand;
use super::operator::Operator;
use super::path::{self, Path, Step};
use super::truth::{Sense, Truth, Work};
use super::{Call, Facts};
use crate::json::{Kind, Value};

/// A test of what stands at one path.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) path: Path,
    pub(super) operator: Operator,
    /// What the agent is told where the value has no type that can be compared.
    pub(super) wanted: Box<str>,
    pub(super) if_missing: IfMissing,
}

/// What it means that nothing stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMissing {
    /// What the operator makes of it.
    Judge,
    /// The server fills in a value that nobody here knows.
    Unknown,
}

/// A condition, or several under one word.
#[derive(Debug, Clone)]
pub(super) enum Clause {
    /// `{ "path", "op", "value" }`
    One(Condition),
    /// `{ "any": […] }`
    Any(Box<[Clause]>),
    /// `{ "all": […] }`
    All(Box<[Clause]>),
    /// `{ "not": {…} }`
    Not(Box<Clause>),
}

/// The call being judged, what is known around it, and what judging may still cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'s, 'a> {
    pub(super) call: Call<'a>,
    pub(super) facts: &'s Facts<'s>,
    pub(super) work: &'s Work,
    /// What rules in shadow may cost: they must not use up the work of those that are enforced.
    pub(super) shadow_work: &'s Work,
    /// Who notes what is found, if anybody does.
    pub(super) witness: Option<&'s Witness>,
}

impl Scene<'_, '_> {
    /// The same scene for a rule in this mode.
    pub(super) fn under(self, mode: Mode) -> Self {
        let work = match mode {
            Mode::Enforced => self.work,
            Mode::Shadow => self.shadow_work,
        };
        Scene { work, ..self }
    }
}

impl Clause {
    /// Judges the clause.
    pub(super) fn judge(&self, scene: Scene<'_, '_>, sense: Sense) -> Truth {
        match scene.witness {
            None => self.truth(scene, sense),
            Some(witness) => witness.clause(self, scene, || self.truth(scene, sense)),
        }
    }

    fn truth(&self, scene: Scene<'_, '_>, sense: Sense) -> Truth {
        match self {
            Clause::One(condition) => condition.look(scene, sense),
            Clause::Any(clauses) => Truth::any(clauses.iter().map(|one| one.judge(scene, sense))),
            Clause::All(clauses) => Truth::all(clauses.iter().map(|one| one.judge(scene, sense))),
            Clause::Not(clause) => !clause.judge(scene, sense.flipped()),
        }
    }

    /// Why the clause is unknown, in words for the agent; `None` if it is not.
    pub(super) fn why_unknown(&self, scene: Scene<'_, '_>, sense: Sense) -> Option<Cow<'_, str>> {
        match self {
            Clause::One(condition) if self.judge(scene, sense) == Truth::Unknown => {
                Some(condition.why_unknown(scene))
            }
            Clause::One(_) => None,
            Clause::Any(clauses) | Clause::All(clauses) => {
                clauses.iter().find_map(|one| one.why_unknown(scene, sense))
            }
            Clause::Not(clause) => clause.why_unknown(scene, sense.flipped()),
        }
    }

    /// All conditions, in the order of the document.
    pub(super) fn conditions<'c>(&'c self, into: &mut Vec<&'c Condition>) {
        match self {
            Clause::One(condition) => into.push(condition),
            Clause::Any(clauses) | Clause::All(clauses) => {
                clauses.iter().for_each(|one| one.conditions(into));
            }
            Clause::Not(clause) => clause.conditions(into),
        }
    }
}

impl Condition {
    fn look(&self, scene: Scene<'_, '_>, sense: Sense) -> Truth {
        let how = (sense, scene.work);
        let Some(fact) = &self.path.fact else {
            return self.walk(scene.call.arguments, &self.path.steps, how);
        };
        if !scene.work.spend(1) {
            return Truth::Unknown;
        }
        fact.read(&scene.call, scene.facts, |reading| match reading {
            Reading::Known(operand) => self.judge(Some(operand), how),
            Reading::Missing => self.judge(None, how),
            Reading::Unknown => Truth::Unknown,
        })
    }

    /// Goes down the path and judges what stands at its end. Steps are bounded by the path, elements by `work`.
    fn walk(&self, at: Option<Value<'_>>, steps: &[Step], how: (Sense, &Work)) -> Truth {
        let (sense, work) = how;
        if !work.spend(1) {
            return Truth::Unknown;
        }
        let here = at.filter(|value| value.kind() != Kind::Null);
        let (Some(value), Some((step, rest))) = (here, steps.split_first()) else {
            return self.judge(here.map(Operand::Argument), how);
        };
        match (step, value.kind()) {
            (Step::Key(key), Kind::Object) => match member(value, key, work) {
                Ok(found) => self.walk(found, rest, how),
                Err(UsedUp) => Truth::Unknown,
            },
            (Step::Index(index), Kind::Array) if work.spend(*index) => {
                self.walk(value.elements().nth(*index), rest, how)
            }
            (Step::Each, Kind::Array) => {
                let mut truths = value
                    .elements()
                    .map(|element| self.walk(Some(element), rest, how))
                    .peekable();
                match (truths.peek(), sense) {
                    (None, _) => self.judge(None, how),
                    (_, Sense::Require) => Truth::all(truths),
                    (_, Sense::Forbid) => Truth::any(truths),
                }
            }
            _ => Truth::Unknown,
        }
    }

    fn judge(&self, value: Option<Operand<'_>>, (sense, work): (Sense, &Work)) -> Truth {
        if value.is_none() && self.is_unknown_if_missing() {
            return Truth::Unknown;
        }
        self.operator.judge(value, sense, work)
    }

    /// Whether something is there is known even where what the server fills in is not.
    fn is_unknown_if_missing(&self) -> bool {
        self.if_missing == IfMissing::Unknown && !matches!(self.operator, Operator::Exists(_))
    }

    /// Why the condition is unknown, in words for the agent.
    pub(super) fn why_unknown(&self, scene: Scene<'_, '_>) -> Cow<'_, str> {
        if scene.work.is_used_up() {
            return format!("{} is too large to be judged", self.path.text).into();
        }
        if let Some(fact) = &self.path.fact {
            let why = match self.is_unknown_if_missing() {
                true => "must be present",
                false => fact.why_unknown(),
            };
            return format!("{} {why}", self.path.text).into();
        }
        match self.obstacle(scene.call.arguments, 0) {
            Some(Obstacle::Container { depth }) => {
                let wanted = match self.path.steps[depth] {
                    Step::Key(_) => "an object",
                    Step::Index(_) | Step::Each => "an array",
                };
                format!(
                    "{} must be {wanted}",
                    path::shown(&self.path.steps[..depth])
                )
                .into()
            }
            Some(Obstacle::Missing) => format!("{} must be present", self.path.text).into(),
            None => Cow::Borrowed(&self.wanted),
        }
    }

    /// The first thing on the path, other than the value itself, that makes the condition unknown.
    fn obstacle(&self, at: Option<Value<'_>>, depth: usize) -> Option<Obstacle> {
        let missing = self.is_unknown_if_missing().then_some(Obstacle::Missing);
        let Some(value) = at.filter(|value| value.kind() != Kind::Null) else {
            return missing;
        };
        match (self.path.steps.get(depth)?, value.kind()) {
            (Step::Key(key), Kind::Object) => self.obstacle(value.member(key), depth + 1),
            (Step::Index(index), Kind::Array) => {
                self.obstacle(value.elements().nth(*index), depth + 1)
            }
            (Step::Each, Kind::Array) if value.elements().next().is_none() => missing,
            (Step::Each, Kind::Array) => value
                .elements()
                .find_map(|element| self.obstacle(Some(element), depth + 1)),
            _ => Some(Obstacle::Container { depth }),
        }
    }
}

/// What keeps a condition from being judged.
enum Obstacle {
    /// Nothing is there.
    Missing,
    /// The step at this depth leads into what it cannot enter.
    Container { depth: usize },
}

/// There is no work left to look for a key.
struct UsedUp;

fn member<'a>(object: Value<'a>, key: &str, work: &Work) -> Result<Option<Value<'a>>, UsedUp> {
    for (name, value) in object.members() {
        if !work.spend(1) {
            return Err(UsedUp);
        }
        if name.as_str() == Some(key) {
            return Ok(Some(value));
        }
    }
    Ok(None)
}
