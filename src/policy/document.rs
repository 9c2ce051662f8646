//! The JSON a person writes, as typed data that knows where it stands.
//!
//! It never decides what a document means; that is `compile`'s.

use super::collection::Surface;
use super::collection_text;
use super::entry_text::{self, Entry};
use super::fields::{Fields, Keys, Text, word};
use super::limit_text::{self, LimitText, LimitUse};
use super::mistake::{Mistakes, Place};
use super::own_tests::OwnTest;
use crate::json::Kind;

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
        "methods",
        "resources",
        "prompts",
    ],
    not_built: &[],
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
        "shadow",
        "approve_if",
    ],
    not_built: &[],
};
pub(super) const ALL_TOOLS: Keys = Keys {
    built: &["require", "deny_if", "approve_if", "limits"],
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
    pub(super) surface: Surface,
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
    pub(super) schema: Option<SchemaText<'a>>,
    pub(super) mode: Mode,
    pub(super) rules: Rules<'a>,
}

/// `schema`
#[derive(Debug)]
pub(super) enum SchemaText<'a> {
    /// `true`, or with other keys refused `"closed"`: the tool's own.
    OfTool(Place<'a>, OtherKeys),
    /// A JSON Schema of the author's.
    Written(Place<'a>),
}

/// What is made of keys that the tool's own schema does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherKeys {
    /// What the schema says of them.
    Judged,
    /// They are refused.
    Refused,
}

/// Whether what a rule says is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Enforced,
    /// `"shadow": true`: only recorded.
    Shadow,
}

impl Mode {
    /// Reads `shadow`.
    pub(super) fn of(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Mode {
        match fields.flag("shadow", mistakes) {
            Some(true) => Mode::Shadow,
            Some(false) | None => Mode::Enforced,
        }
    }

    /// Shadow, where either is.
    pub(super) fn or(self, other: Mode) -> Mode {
        match self {
            Mode::Shadow => Mode::Shadow,
            Mode::Enforced => other,
        }
    }
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
    // Without a default the document does not load; what stands here lets the rest be checked.
    let default = default.unwrap_or(Fallback::Deny);
    Some(Document {
        default,
        surface: collection_text::surface(&fields, default, mistakes),
        hide,
        unlisted,
        counters,
        all_tools,
        tools,
        tests: fields.list("tests", mistakes, OwnTest::read),
    })
}

const FALLBACKS: &[(&str, Fallback)] = &[("allow", Fallback::Allow), ("deny", Fallback::Deny)];
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
    let mode = Mode::of(&fields, mistakes);
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
        mode,
        rules,
    })
}

fn schema<'a>(place: Place<'a>, mistakes: &mut Mistakes) -> Option<SchemaText<'a>> {
    let value = place.value;
    match (value.kind(), value.as_bool(), value.as_str()) {
        (Kind::Object, ..) => Some(SchemaText::Written(place)),
        (_, Some(true), _) => Some(SchemaText::OfTool(place, OtherKeys::Judged)),
        (_, _, Some("closed")) => Some(SchemaText::OfTool(place, OtherKeys::Refused)),
        _ => {
            mistakes.advise(
                &place,
                "must be true, \"closed\" or a JSON Schema",
                "to leave arguments unchecked leave the key out",
            );
            None
        }
    }
}

fn rules<'a>(fields: &Fields<'a>, mistakes: &mut Mistakes) -> Rules<'a> {
    let mut limits = fields.list("limits", mistakes, limit_text::limit_use);
    let shorthand = fields
        .optional("rate_limit")
        .and_then(|place| limit_text::rate_limit(&place, mistakes));
    limits.extend(shorthand.map(LimitUse::Own));
    Rules {
        require: fields.list("require", mistakes, entry_text::entry),
        deny_if: fields.list("deny_if", mistakes, entry_text::entry),
        approve_if: fields.list("approve_if", mistakes, entry_text::asking_entry),
        limits,
    }
}

/// Words in quotes, with something between.
pub(super) fn quoted<'w>(words: impl Iterator<Item = &'w str>, between: &str) -> String {
    let quoted: Vec<_> = words.map(|word| format!("{word:?}")).collect();
    quoted.join(between)
}
