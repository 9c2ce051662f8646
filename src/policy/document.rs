//! The JSON a person writes, as typed data that knows where it stands.
//!
//! It never decides what a document means; that is `compile`'s.

use super::condition::IfMissing;
use super::fields::{self, Fields, Keys, Text, not_built, wrong_type};
use super::limit_text::{self, LimitText, LimitUse};
use super::mistake::{Mistakes, Place};
use super::own_tests::OwnTest;
use crate::json::Kind;

/// `any`, `all` and `not` may stand in one another so deep.
const NESTING_MAX: usize = 8;

pub(super) const DOCUMENT: Keys = Keys {
    built: &[
        "version",
        "description",
        "default",
        "hide",
        "show_unlisted",
        "counters",
        "all_tools",
        "tools",
        "tests",
    ],
    not_built: &["methods", "prompts", "resources"],
};
pub(super) const TOOL: Keys = Keys {
    built: &[
        "action",
        "reason",
        "require",
        "deny_if",
        "limits",
        "rate_limit",
        "schema",
        "approve_if",
    ],
    not_built: &["shadow"],
};
pub(super) const ALL_TOOLS: Keys = Keys {
    built: &["require", "deny_if", "approve_if", "limits"],
    not_built: &[],
};
pub(super) const ENTRY: Keys = Keys {
    built: &["conditions", "on_deny", "if_missing"],
    not_built: &["shadow", "zone"],
};
/// What a person is told, and how long an answer is waited for, comes with the approvals themselves.
pub(super) const APPROVE_ENTRY: Keys = Keys {
    built: ENTRY.built,
    not_built: &["expires", "note", "shadow", "wait", "zone"],
};
pub(super) const TEST: Keys = Keys {
    built: &["path", "op", "value"],
    not_built: &[],
};
/// What an object of `conditions` may have instead of a test.
pub(super) const JUNCTION: Keys = Keys {
    built: &["any", "all", "not"],
    not_built: &[],
};

/// One policy document.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) default: Fallback,
    pub(super) hide: Vec<Text<'a>>,
    pub(super) unlisted: Unlisted,
    pub(super) counters: Vec<LimitText<'a>>,
    pub(super) all_tools: Option<Rules<'a>>,
    pub(super) tools: Vec<Tool<'a>>,
    pub(super) tests: Vec<OwnTest<'a>>,
}

/// What happens to a tool that no entry of `tools` matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fallback {
    Allow,
    Deny,
}

/// `show_unlisted`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unlisted {
    Shown,
    LeftOut,
}

/// `tools{name}`
#[derive(Debug)]
pub(super) struct Tool<'a> {
    /// The key, exact or a glob.
    pub(super) name: Text<'a>,
    pub(super) action: Option<(Place<'a>, Action)>,
    pub(super) reason: Option<Text<'a>>,
    /// A JSON Schema of the author's.
    pub(super) schema: Option<Place<'a>>,
    pub(super) rules: Rules<'a>,
}

/// `action`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    Deny,
    RequireApproval,
}

/// The lists of rules that a tool may have.
#[derive(Debug)]
pub(super) struct Rules<'a> {
    pub(super) require: Vec<Entry<'a>>,
    pub(super) deny_if: Vec<Entry<'a>>,
    pub(super) approve_if: Vec<Entry<'a>>,
    pub(super) limits: Vec<LimitUse<'a>>,
}

/// One entry of `require`, `deny_if` or `approve_if`.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) place: Place<'a>,
    pub(super) conditions: Vec<Clause<'a>>,
    pub(super) on_deny: Option<Text<'a>>,
    pub(super) if_missing: IfMissing,
}

/// One element of `conditions`.
#[derive(Debug)]
pub(super) enum Clause<'a> {
    One(Test<'a>),
    Any(Vec<Clause<'a>>),
    All(Vec<Clause<'a>>),
    Not(Box<Clause<'a>>),
}

/// `{ "path", "op", "value" }`
#[derive(Debug)]
pub(super) struct Test<'a> {
    pub(super) path: Text<'a>,
    pub(super) operator: Text<'a>,
    pub(super) value: Place<'a>,
}

/// Reads the outermost value; `None` only where a part without which nothing can be compiled is missing.
pub(super) fn read<'a>(root: &Place<'a>, mistakes: &mut Mistakes) -> Option<Document<'a>> {
    let fields = Fields::read(root, DOCUMENT, mistakes)?;
    if let Some(version) = fields.required("version", mistakes)
        && version.value.as_str() != Some("1")
    {
        mistakes.advise(&version, "this version is not known", "write \"1\"");
    }
    let _free_text = fields.text("description", mistakes);
    let default = fields
        .required("default", mistakes)
        .and_then(|place| word(&place, FALLBACKS, mistakes));
    let hide = fields.list("hide", mistakes, Text::read);
    let unlisted = match fields.flag("show_unlisted", mistakes) {
        Some(true) => Unlisted::Shown,
        Some(false) | None => Unlisted::LeftOut,
    };
    let all_tools = fields
        .optional("all_tools")
        .and_then(|place| Fields::read(&place, ALL_TOOLS, mistakes))
        .map(|fields| rules(&fields, mistakes));
    let counters = fields.named("counters", mistakes, limit_text::counter);
    let tools = fields.named("tools", mistakes, tool);
    Some(Document {
        // Without a default the document does not load; what stands here lets the rest be checked.
        default: default.unwrap_or(Fallback::Deny),
        hide,
        unlisted,
        counters,
        all_tools,
        tools,
        tests: fields.list("tests", mistakes, OwnTest::read),
    })
}

const FALLBACKS: &[(&str, Fallback)] = &[("allow", Fallback::Allow), ("deny", Fallback::Deny)];
/// Denying what is missing is judging what cannot be known.
const IF_MISSING: &[(&str, IfMissing)] = &[("deny", IfMissing::Unknown)];
const ACTIONS: &[(&str, Action)] = &[
    ("allow", Action::Allow),
    ("deny", Action::Deny),
    ("require_approval", Action::RequireApproval),
];

fn tool<'a>(name: &'a str, place: &Place<'a>, mistakes: &mut Mistakes) -> Option<Tool<'a>> {
    let key = place.key();
    if name.is_empty() {
        mistakes.add(&key, "a tool's name must not be empty");
    }
    let fields = Fields::read(place, TOOL, mistakes)?;
    let action = fields.optional("action").and_then(|place| {
        let action = word(&place, ACTIONS, mistakes)?;
        Some((place, action))
    });
    let reason = fields.text("reason", mistakes);
    if let (Some(reason), None) = (&reason, fields.optional("action")) {
        mistakes.advise(
            &reason.place.key(),
            "\"reason\" is the text of an \"action\", and there is none",
            "add the action, or write on_deny in the entry that it is for",
        );
    }
    let schema = fields
        .optional("schema")
        .and_then(|place| schema(place, mistakes));
    let rules = rules(&fields, mistakes);
    let name = Text {
        place: key,
        text: name,
    };
    Some(Tool {
        name,
        action,
        reason,
        schema,
        rules,
    })
}

/// Only schemas of the author's: the tool's own is not known here yet.
fn schema<'a>(place: Place<'a>, mistakes: &mut Mistakes) -> Option<Place<'a>> {
    let value = place.value;
    if value.as_bool() == Some(true) || value.as_str() == Some("closed") {
        not_built(&place, "the tool's own schema", mistakes);
    } else if value.kind() != Kind::Object {
        wrong_type(&place, "a JSON Schema", mistakes);
    }
    (value.kind() == Kind::Object).then_some(place)
}

fn rules<'a>(fields: &Fields<'a>, mistakes: &mut Mistakes) -> Rules<'a> {
    let mut limits = fields.list("limits", mistakes, limit_text::limit_use);
    let shorthand = fields
        .optional("rate_limit")
        .and_then(|place| limit_text::rate_limit(&place, mistakes));
    limits.extend(shorthand.map(LimitUse::Own));
    Rules {
        require: fields.list("require", mistakes, entry),
        deny_if: fields.list("deny_if", mistakes, entry),
        approve_if: fields.list("approve_if", mistakes, |place, mistakes| {
            entry_with(APPROVE_ENTRY, place, mistakes)
        }),
        limits,
    }
}

fn entry<'a>(place: &Place<'a>, mistakes: &mut Mistakes) -> Option<Entry<'a>> {
    entry_with(ENTRY, place, mistakes)
}

fn entry_with<'a>(keys: Keys, place: &Place<'a>, mistakes: &mut Mistakes) -> Option<Entry<'a>> {
    let fields = Fields::read(place, keys, mistakes)?;
    let on_deny = fields.text("on_deny", mistakes);
    let if_missing = fields
        .optional("if_missing")
        .and_then(|place| word(&place, IF_MISSING, mistakes));
    let conditions = fields.required("conditions", mistakes)?;
    Some(Entry {
        place: place.clone(),
        conditions: fields::list(&conditions, mistakes, |place, mistakes| {
            clause(place, NESTING_MAX, mistakes)
        }),
        on_deny,
        if_missing: if_missing.unwrap_or(IfMissing::Judge),
    })
}

/// Reads one condition, or several under one word, which may nest so much deeper.
fn clause<'a>(place: &Place<'a>, depth: usize, mistakes: &mut Mistakes) -> Option<Clause<'a>> {
    let is_junction = |word: &&&str| place.value.member(word).is_some();
    let Some(word) = JUNCTION.built.iter().find(is_junction) else {
        return test(place, mistakes).map(Clause::One);
    };
    let Some(depth) = depth.checked_sub(1) else {
        mistakes.add(
            place,
            format!("conditions nest deeper than {NESTING_MAX} levels"),
        );
        return None;
    };
    let fields = Fields::read(place, JUNCTION, mistakes)?;
    let inside = fields.required(word, mistakes)?;
    if place.value.members().count() > 1 {
        mistakes.add(
            place,
            format!("next to {word:?} there must be no other key"),
        );
    }
    if *word == "not" {
        let inside = clause(&inside, depth, mistakes)?;
        return Some(Clause::Not(Box::new(inside)));
    }
    let clauses = fields::list(&inside, mistakes, |place, mistakes| {
        clause(place, depth, mistakes)
    });
    if inside.value.kind() == Kind::Array && inside.value.elements().next().is_none() {
        mistakes.add(&inside, "must not be empty");
    }
    Some(match *word {
        "any" => Clause::Any(clauses),
        _ => Clause::All(clauses),
    })
}

fn test<'a>(place: &Place<'a>, mistakes: &mut Mistakes) -> Option<Test<'a>> {
    let fields = Fields::read(place, TEST, mistakes)?;
    let path = fields.required_text("path", mistakes);
    let operator = fields.required_text("op", mistakes);
    let value = fields.required("value", mistakes);
    Some(Test {
        path: path?,
        operator: operator?,
        value: value?,
    })
}

/// Reads a string that is one of a few words.
fn word<T: Copy>(place: &Place<'_>, words: &[(&str, T)], mistakes: &mut Mistakes) -> Option<T> {
    if place.value.kind() != Kind::String {
        wrong_type(place, "a string", mistakes);
        return None;
    }
    let text = place.value.as_str()?;
    let found = words.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let known = || words.iter().map(|(word, _)| *word);
        let remedy = match fields::nearest(text, known()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("write {}", quoted(known(), " or ")),
        };
        mistakes.advise(place, format!("{text:?} is not known here"), remedy);
    }
    found.map(|(_, meaning)| *meaning)
}

/// Words in quotes, with something between.
pub(super) fn quoted<'w>(words: impl Iterator<Item = &'w str>, between: &str) -> String {
    let quoted: Vec<_> = words.map(|word| format!("{word:?}")).collect();
    quoted.join(between)
}
