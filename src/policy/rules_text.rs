//! Entries as written → entries as judged, each with its id and its words.
//!
//! It never makes an entry of conditions that could not be read: without them it would hold always.

use std::collections::HashMap;

use super::condition_text;
use super::decision::Rule;
use super::document::{self, Action, Tool};
use super::limits::Limits;
use super::lookalike::Protected;
use super::mistake::{Mistakes, Place, escaped};
use super::rules::{Entry, Rules};
use super::schema::Schema;
use super::words::{self, Must};

/// Compiles one entry of `tools`.
pub(super) fn of_tool(tool: &Tool<'_>, limits: &mut Limits<'_>, mistakes: &mut Mistakes) -> Rules {
    let mut ids = Ids::under(format!("/tools/{}", escaped(tool.name.text)));
    let mut rules = Rules::default();
    match &tool.action {
        Some((place, Action::Deny)) => {
            rules
                .deny_if
                .push(always(place, ("deny_if", tool), &mut ids))
        }
        Some((place, Action::RequireApproval)) => {
            rules
                .approve_if
                .push(always(place, ("approve_if", tool), &mut ids));
        }
        Some((_, Action::Allow)) | None => {}
    }
    rules.schema = tool
        .schema
        .as_ref()
        .and_then(|place| schema(place, &ids, mistakes));
    add(&tool.rules, (&mut rules, &mut ids), limits, mistakes);
    rules
}

fn schema(place: &Place<'_>, ids: &Ids, mistakes: &mut Mistakes) -> Option<Schema> {
    let rule = Rule {
        id: format!("{}/schema", ids.base).into(),
        pointer: place.pointer.as_str().into(),
        on_deny: None,
        words: "the arguments must fit the schema".into(),
    };
    serde_json::from_str(place.value.raw())
        .map_err(|error| error.to_string())
        .and_then(|text| Schema::compile(&text, rule))
        .map_err(|what| mistakes.add(place, what))
        .ok()
}

/// Compiles `all_tools`.
pub(super) fn of_all_tools(
    text: &document::Rules<'_>,
    limits: &mut Limits<'_>,
    mistakes: &mut Mistakes,
) -> Rules {
    let mut ids = Ids::under("/all_tools".into());
    let mut rules = Rules::default();
    add(text, (&mut rules, &mut ids), limits, mistakes);
    rules
}

fn add(
    text: &document::Rules<'_>,
    (rules, ids): (&mut Rules, &mut Ids),
    limits: &mut Limits<'_>,
    mistakes: &mut Mistakes,
) {
    for entry in &text.require {
        let entry = self::entry(entry, ("require", Must::Hold), ids, mistakes);
        rules.require.extend(entry);
    }
    for entry in &text.deny_if {
        let entry = self::entry(entry, ("deny_if", Must::Fail), ids, mistakes);
        rules.deny_if.extend(entry);
    }
    for entry in &text.approve_if {
        let entry = self::entry(entry, ("approve_if", Must::Fail), ids, mistakes);
        rules.approve_if.extend(entry);
    }
    rules.limits = limits.of(&text.limits, &ids.base, mistakes);
    rules.protected = protected(rules, limits);
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
        clauses: Box::default(),
    }
}

fn entry(
    entry: &document::Entry<'_>,
    (section, must): (&str, Must),
    ids: &mut Ids,
    mistakes: &mut Mistakes,
) -> Option<Entry> {
    let clauses: Vec<_> = entry
        .conditions
        .iter()
        .filter_map(|clause| condition_text::clause(clause, entry.if_missing, mistakes))
        .collect();
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
        clauses: clauses.into(),
    })
}

/// The keys that the schema, the conditions of all entries and the limits name. One in shadow refuses nothing, so that it
/// does not refuse a look-alike either.
fn protected(rules: &Rules, limits: &Limits<'_>) -> Protected {
    let mut protected = Protected::default();
    if let Some(schema) = &rules.schema {
        for steps in schema.paths() {
            protected.add(steps, &schema.rule);
        }
    }
    let entries = [&rules.require, &rules.deny_if, &rules.approve_if];
    for entry in entries.into_iter().flatten() {
        let mut conditions = Vec::new();
        entry
            .clauses
            .iter()
            .for_each(|clause| clause.conditions(&mut conditions));
        for condition in conditions {
            protected.add(&condition.path.steps, &entry.rule);
        }
    }
    let limits = rules.limits.iter().map(|&index| limits.at(index));
    for limit in limits.filter(|limit| !limit.is_shadow) {
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
