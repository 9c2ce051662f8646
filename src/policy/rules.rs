//! The compiled rules of one entry of `tools`, and what they say of a call.
//!
//! They never count: a limit that has room is not asked here whether it has.

use super::condition::{Clause, Scene};
use super::decision::{Ask, Denial, Held, Rule, Shadowed};
use super::document::Mode;
use super::lookalike::Protected;
use super::schema::Schema;
use super::truth::{Sense, Truth};

/// All that one entry of `tools` asks of a call.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// The JSON Pointer of the entry, or of `all_tools`.
    pub(super) pointer: Box<str>,
    pub(super) schema: Option<Schema>,
    pub(super) require: Vec<Entry>,
    pub(super) deny_if: Vec<Entry>,
    pub(super) approve_if: Vec<AskingEntry>,
    /// Places in the policy's list of limits, in the order of the document.
    pub(super) limits: Vec<usize>,
    /// The argument keys that enforced rules judge.
    pub(super) protected: Protected<Rule>,
    /// Those that only rules in shadow judge.
    pub(super) shadow_protected: Protected<Rule>,
    /// Whether something here is judged by what the server says of the tool.
    pub(super) need_definition: bool,
    /// Whether something here is judged by what the client calls itself.
    pub(super) need_client: bool,
}

/// One entry: all its clauses together make it hold.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) rule: Rule,
    pub(super) mode: Mode,
    pub(super) clauses: Box<[Clause]>,
}

/// One entry of `approve_if`.
#[derive(Debug)]
pub(super) struct AskingEntry {
    pub(super) entry: Entry,
    pub(super) ask: Ask,
}

/// What a rule has against a call.
#[derive(Debug)]
pub(super) struct Objection<'r> {
    pub(super) mode: Mode,
    pub(super) denial: Denial<'r>,
}

impl<'r> Objection<'r> {
    /// An unconditional deny of another entry that matches.
    pub(super) fn overruled(rule: &'r Rule) -> Objection<'r> {
        Objection {
            mode: Mode::Enforced,
            denial: Denial::Rule(rule),
        }
    }
}

impl Rules {
    /// Objects to arguments with a key that only looks like one that is judged.
    pub(super) fn look_alike(&self, scene: Scene<'_, '_>) -> Option<Objection<'_>> {
        let arguments = scene.call.arguments?;
        let enforced = self.protected.look_alike(arguments);
        let (mode, key) = match enforced {
            Some(key) => (Mode::Enforced, key),
            None => (Mode::Shadow, self.shadow_protected.look_alike(arguments)?),
        };
        if let Some(witness) = scene.witness {
            let found = (Truth::Unknown, Some(key.words.to_string()));
            witness.note(&key.rule, mode, found);
        }
        Some(Objection {
            mode,
            denial: Denial::Argument {
                rule: &key.rule,
                words: (&*key.words).into(),
            },
        })
    }

    /// Objects to arguments that do not fit the schema.
    pub(super) fn misfit(&self, scene: Scene<'_, '_>) -> Option<Objection<'_>> {
        self.schema.as_ref()?.objection(scene)
    }

    /// Every `require` that is not shown to hold, judged one by one.
    pub(super) fn unmet(&self, scene: Scene<'_, '_>) -> impl Iterator<Item = Objection<'_>> {
        let require = self.require.iter();
        require.filter_map(move |entry| entry.objection(scene, Sense::Require))
    }

    /// Every `deny_if` that is not shown not to hold, judged one by one.
    pub(super) fn forbidden(&self, scene: Scene<'_, '_>) -> impl Iterator<Item = Objection<'_>> {
        let deny_if = self.deny_if.iter();
        deny_if.filter_map(move |entry| entry.objection(scene, Sense::Forbid))
    }

    /// A `deny_if` without conditions, which no more specific entry can lift.
    pub(super) fn unconditional_denial(&self) -> Option<&Rule> {
        let is_one = |entry: &&Entry| entry.mode == Mode::Enforced && entry.clauses.is_empty();
        Some(&self.deny_if.iter().find(is_one)?.rule)
    }

    /// All entries, in the order in which they are judged.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let asking = self.approve_if.iter().map(|asking| &asking.entry);
        self.require.iter().chain(&self.deny_if).chain(asking)
    }
}

/// The first `approve_if` that holds; a refusal where one cannot be judged. Each is judged once: a second look could
/// run out of work where the first did not.
pub(super) fn asking<'r>(
    rules: impl Iterator<Item = &'r Rules>,
    scene: Scene<'_, '_>,
    shadowed: &mut Vec<Shadowed<'r>>,
) -> Result<Option<Held<'r>>, Denial<'r>> {
    let mut first = None;
    for AskingEntry { entry, ask } in rules.flat_map(|rules| &rules.approve_if) {
        match (entry.judge(scene, Sense::Forbid), entry.mode) {
            (Truth::False, _) => {}
            (Truth::True, Mode::Shadow) => shadowed.push(Shadowed::Held(&entry.rule)),
            (Truth::Unknown, Mode::Shadow) => {
                let denial = entry.unknown(scene, Sense::Forbid);
                shadowed.push(Shadowed::Denied(denial));
            }
            (Truth::Unknown, Mode::Enforced) => return Err(entry.unknown(scene, Sense::Forbid)),
            (Truth::True, Mode::Enforced) => {
                let rule = &entry.rule;
                first = first.or(Some(Held { rule, ask }));
            }
        }
    }
    Ok(first)
}

impl Entry {
    fn objection(&self, scene: Scene<'_, '_>, sense: Sense) -> Option<Objection<'_>> {
        let denial = match (self.judge(scene, sense), sense) {
            (Truth::Unknown, _) => self.unknown(scene, sense),
            (Truth::False, Sense::Require) | (Truth::True, Sense::Forbid) => {
                Denial::Rule(&self.rule)
            }
            (Truth::True, Sense::Require) | (Truth::False, Sense::Forbid) => return None,
        };
        Some(Objection {
            mode: self.mode,
            denial,
        })
    }

    fn judge(&self, scene: Scene<'_, '_>, sense: Sense) -> Truth {
        let scene = scene.under(self.mode);
        let clauses = self.clauses.iter();
        let truth = || Truth::all(clauses.map(|clause| clause.judge(scene, sense)));
        match scene.witness {
            None => truth(),
            Some(witness) => witness.entry(&self.rule, self.mode, truth),
        }
    }

    fn unknown<'r>(&'r self, scene: Scene<'_, '_>, sense: Sense) -> Denial<'r> {
        // A second look, for words alone, is no part of the judgement.
        let scene = Scene {
            witness: None,
            ..scene.under(self.mode)
        };
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
