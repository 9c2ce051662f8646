//! Entries as written → entries as judged, each with its id and its words.
//!
//! It never makes an entry of conditions that could not be read: without them it would hold always.

use std::collections::HashMap;

use super::condition::{Clause, Condition};
use super::condition_text::{self, Terms};
use super::decision::{Ask, Rule};
use super::document::{self, Action, Mode, SchemaText, Tool};
use super::entry_text::{self, EXPIRES_DEFAULT};
use super::fact::Fact;
use super::input_schema::InputSchema;
use super::limits::Limits;
use super::lookalike::Protected;
use super::mistake::{Mistakes, Place, escaped};
use super::rules::{AskingEntry, Entry, Rules};
use super::schema::{Schema, Source};
use super::words::{self, Must};

/// Compiles one entry of `tools`.
pub(super) fn of_tool(tool: &Tool<'_>, limits: &mut Limits<'_>, mistakes: &mut Mistakes) -> Rules {
    let mut ids = Ids::under(format!("/tools/{}", escaped(tool.name.text)));
    let mut rules = Rules::default();
    match &tool.action {
        Some((place, Action::Deny)) => {
            let entry = always(place, ("deny_if", tool), &mut ids);
            rules.deny_if.push(entry);
        }
        Some((place, Action::RequireApproval)) => {
            let entry = always(place, ("approve_if", tool), &mut ids);
            let ask = Ask {
                note: tool.reason.as_ref().map(|reason| reason.text.into()),
                expires: EXPIRES_DEFAULT,
                wait: None,
            };
            rules.approve_if.push(AskingEntry { entry, ask });
        }
        Some((_, Action::Allow)) | None => {}
    }
    rules.schema = tool
        .schema
        .as_ref()
        .and_then(|text| schema(text, (tool.mode, &ids), mistakes));
    add(
        (&tool.rules, tool.mode),
        (&mut rules, &mut ids),
        limits,
        mistakes,
    );
    rules
}

fn schema(
    text: &SchemaText<'_>,
    (mode, ids): (Mode, &Ids),
    mistakes: &mut Mistakes,
) -> Option<Schema> {
    let (SchemaText::Written(place) | SchemaText::OfTool(place, _)) = text;
    let source = match text {
        SchemaText::OfTool(_, others) => Source::OfTool(*others),
        SchemaText::Written(place) => {
            let compiled = serde_json::from_str(place.value.raw())
                .map_err(|error| error.to_string())
                .and_then(|schema| InputSchema::compile(&schema));
            Source::Written(compiled.map_err(|what| mistakes.add(place, what)).ok()?)
        }
    };
    Some(Schema {
        rule: Rule {
            id: format!("{}/schema", ids.base).into(),
            pointer: place.pointer.as_str().into(),
            on_deny: None,
            words: "the arguments must fit the schema".into(),
        },
        mode,
        source,
    })
}

/// Compiles `all_tools`.
pub(super) fn of_all_tools(
    text: &document::Rules<'_>,
    limits: &mut Limits<'_>,
    mistakes: &mut Mistakes,
) -> Rules {
    let mut ids = Ids::under("/all_tools".into());
    let mut rules = Rules::default();
    let mode = Mode::Enforced;
    add((text, mode), (&mut rules, &mut ids), limits, mistakes);
    rules
}

fn add(
    (text, mode): (&document::Rules<'_>, Mode),
    (rules, ids): (&mut Rules, &mut Ids),
    limits: &mut Limits<'_>,
    mistakes: &mut Mistakes,
) {
    rules.pointer = ids.base.as_str().into();
    for entry in &text.require {
        let entry = self::entry((entry, mode), ("require", Must::Hold), ids, mistakes);
        rules.require.extend(entry);
    }
    for entry in &text.deny_if {
        let entry = self::entry((entry, mode), ("deny_if", Must::Fail), ids, mistakes);
        rules.deny_if.extend(entry);
    }
    for text in &text.approve_if {
        let entry = self::entry((text, mode), ("approve_if", Must::Fail), ids, mistakes);
        let asking = entry.map(|entry| AskingEntry {
            entry,
            ask: Ask {
                note: text.asking.note.as_ref().map(|note| note.text.into()),
                expires: text.asking.expires,
                wait: text.asking.wait,
            },
        });
        rules.approve_if.extend(asking);
    }
    rules.limits = limits.of(&text.limits, (&ids.base, mode), mistakes);
    rules.protected = protected((rules, limits), Mode::Enforced);
    rules.shadow_protected = protected((rules, limits), Mode::Shadow);
    settle_needs(rules);
}

/// Finds out which facts the rules ask for, so that the others need not be brought.
fn settle_needs(rules: &mut Rules) {
    let asks = |ask: fn(&Fact) -> bool| {
        let mut entries = rules.entries();
        entries.any(|entry| facts(&entry.clauses).any(ask))
    };
    let (server, client) = (
        asks(Fact::is_defined_by_server),
        asks(Fact::is_claimed_by_client),
    );
    let schema = rules.schema.as_ref();
    rules.need_definition = server || schema.is_some_and(Schema::needs_definition);
    rules.need_client = client;
}

/// An `action`, as an entry without conditions.
fn always(place: &Place<'_>, (section, tool): (&str, &Tool<'_>), ids: &mut Ids) -> Entry {
    Entry {
        rule: Rule {
            id: ids.next(section, "always"),
            pointer: place.pointer.as_str().into(),
            on_deny: tool.reason.as_ref().map(|reason| reason.text.into()),
            words: words::always(section).into(),
        },
        mode: tool.mode,
        clauses: Box::default(),
    }
}

fn entry(
    (entry, mode): (&entry_text::Entry<'_>, Mode),
    (section, must): (&str, Must),
    ids: &mut Ids,
    mistakes: &mut Mistakes,
) -> Option<Entry> {
    let terms = Terms {
        section,
        if_missing: entry.if_missing,
        zone: &entry.zone.time_zone,
    };
    let clauses: Vec<_> = entry
        .conditions
        .iter()
        .filter_map(|clause| condition_text::clause(clause, terms, mistakes))
        .collect();
    zone_is_used(entry, &clauses, mistakes);
    // Conditions with mistakes are left out; the policy will not load, and this entry must not look unconditional.
    let written = entry.place.value.member("conditions")?.elements().count();
    if clauses.len() != written {
        return None;
    }
    let (name, words) = match entry.conditions.first() {
        None => ("always".to_owned(), words::always(section).to_owned()),
        Some(first) => {
            let mut words = words::all_of(&entry.conditions, must);
            if section == "approve_if" {
                words.push_str(words::OR_ASK);
            }
            (condition_text::id(first), words)
        }
    };
    Some(Entry {
        rule: Rule {
            id: ids.next(section, &name),
            pointer: entry.place.pointer.as_str().into(),
            on_deny: entry.on_deny.as_ref().map(|text| text.text.into()),
            words: words.into(),
        },
        mode: entry.mode.or(mode),
        clauses: clauses.into(),
    })
}

/// A zone that nothing is told in is a slip: the author thinks that something is.
fn zone_is_used(entry: &entry_text::Entry<'_>, clauses: &[Clause], mistakes: &mut Mistakes) {
    let Some(zone) = &entry.zone.place else {
        return;
    };
    if !facts(clauses).any(Fact::is_time) {
        mistakes.advise(
            &zone.key(),
            "no condition of this entry looks at the time",
            "remove the zone",
        );
    }
}

/// All conditions of an entry, in the order of the document.
fn conditions(clauses: &[Clause]) -> Vec<&Condition> {
    let mut conditions = Vec::new();
    let each = clauses.iter();
    each.for_each(|clause| clause.conditions(&mut conditions));
    conditions
}

/// The facts that an entry looks at.
fn facts(clauses: &[Clause]) -> impl Iterator<Item = &Fact> {
    let conditions = conditions(clauses).into_iter();
    conditions.filter_map(|one| one.path.fact.as_ref())
}

/// The keys that the schema, the conditions of all entries and the limits in this mode name.
fn protected((rules, limits): (&Rules, &Limits<'_>), mode: Mode) -> Protected<Rule> {
    let mut protected = Protected::default();
    let schema = rules.schema.iter().filter(|schema| schema.mode == mode);
    for schema in schema {
        if let Source::Written(written) = &schema.source {
            let paths = written.paths().iter();
            paths.for_each(|steps| protected.add(steps, &schema.rule));
        }
    }
    for entry in rules.entries().filter(|entry| entry.mode == mode) {
        for condition in conditions(&entry.clauses) {
            protected.add(&condition.path.steps, &entry.rule);
        }
    }
    let limits = rules.limits.iter().map(|&index| limits.at(index));
    for limit in limits.filter(|limit| limit.is_shadow == (mode == Mode::Shadow)) {
        let rule = Rule {
            id: limit.rule.clone(),
            pointer: limit.pointer.clone(),
            on_deny: None,
            words: limit.allowance().into(),
        };
        for argument in limit.arguments() {
            protected.add(&argument.steps, &rule);
        }
    }
    protected
}

/// Gives each rule of a tool an id of its own.
struct Ids {
    base: String,
    used: HashMap<String, usize>,
}

impl Ids {
    fn under(base: String) -> Ids {
        Ids {
            base,
            used: HashMap::new(),
        }
    }

    /// The id of the next rule of that name; repeats get a number.
    fn next(&mut self, section: &str, name: &str) -> Box<str> {
        let id = format!("{}/{section}/{}", self.base, escaped(name));
        let times = self.used.entry(id.clone()).or_default();
        *times += 1;
        match *times {
            1 => id.into(),
            times => format!("{id}-{times}").into(),
        }
    }
}
