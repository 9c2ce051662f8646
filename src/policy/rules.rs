//! The compiled rules of one entry of `tools`, and what they say of a call.
//!
//! They never count: a limit that has room is not asked here whether it has.

use super::condition::{Clause, Scene};
use super::decision::{Denial, Rule};
use super::lookalike::Protected;
use super::schema::Schema;
use super::truth::{Sense, Truth};

/// All that one entry asks of a call.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) schema: Option<Schema>,
    pub(super) require: Vec<Entry>,
    pub(super) deny_if: Vec<Entry>,
    pub(super) approve_if: Vec<Entry>,
    /// Places in the policy's list of limits, in the order of the document.
    pub(super) limits: Vec<usize>,
    /// The argument keys that the entries judge.
    pub(super) protected: Protected,
}

/// One entry: all its clauses together make it hold.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) rule: Rule,
    pub(super) clauses: Box<[Clause]>,
}

impl Rules {
    /// Refuses arguments with a key that only looks like one that is judged.
    pub(super) fn look_alike(&self, scene: Scene<'_, '_>) -> Option<Denial<'_>> {
        let key = self.protected.look_alike(scene.arguments?)?;
        Some(Denial::Argument {
            rule: &key.rule,
            words: (&*key.words).into(),
        })
    }

    /// Refuses arguments that do not fit the schema.
    pub(super) fn misfit(&self, scene: Scene<'_, '_>) -> Option<Denial<'_>> {
        self.schema.as_ref()?.refusal(scene.arguments)
    }

    /// The first `require` that is not shown to hold.
    pub(super) fn unmet(&self, scene: Scene<'_, '_>) -> Option<Denial<'_>> {
        let sense = Sense::Require;
        self.require
            .iter()
            .find_map(|entry| match entry.judge(scene, sense) {
                Truth::True => None,
                Truth::Unknown => Some(entry.unknown(scene, sense)),
                Truth::False => Some(Denial::Rule(&entry.rule)),
            })
    }

    /// The first `deny_if` that is not shown not to hold.
    pub(super) fn forbidden(&self, scene: Scene<'_, '_>) -> Option<Denial<'_>> {
        let sense = Sense::Forbid;
        self.deny_if
            .iter()
            .find_map(|entry| match entry.judge(scene, sense) {
                Truth::True => Some(Denial::Rule(&entry.rule)),
                Truth::Unknown => Some(entry.unknown(scene, sense)),
                Truth::False => None,
            })
    }

    /// A `deny_if` without conditions, which no more specific entry can lift.
    pub(super) fn unconditional_denial(&self) -> Option<&Rule> {
        let entry = self.deny_if.iter().find(|entry| entry.clauses.is_empty())?;
        Some(&entry.rule)
    }
}

/// The first `approve_if` that holds; a refusal where one cannot be judged. Each is judged once: a second look could
/// run out of work where the first did not.
pub(super) fn asking<'r>(
    rules: impl Iterator<Item = &'r Rules>,
    scene: Scene<'_, '_>,
) -> Result<Option<&'r Rule>, Denial<'r>> {
    let mut first = None;
    for entry in rules.flat_map(|rules| &rules.approve_if) {
        match entry.judge(scene, Sense::Forbid) {
            Truth::True => first = first.or(Some(&entry.rule)),
            Truth::Unknown => return Err(entry.unknown(scene, Sense::Forbid)),
            Truth::False => {}
        }
    }
    Ok(first)
}

impl Entry {
    fn judge(&self, scene: Scene<'_, '_>, sense: Sense) -> Truth {
        Truth::all(self.clauses.iter().map(|clause| clause.judge(scene, sense)))
    }

    fn unknown<'r>(&'r self, scene: Scene<'_, '_>, sense: Sense) -> Denial<'r> {
        let words = self
            .clauses
            .iter()
            .find_map(|clause| clause.why_unknown(scene, sense));
        Denial::Argument {
            rule: &self.rule,
            words: words.unwrap_or_else(|| (&*self.rule.words).into()),
        }
    }
}
