//! Entries and conditions as editors see them.
//!
//! Never read from a document: see `mod.rs`.

use schemars::JsonSchema;

use super::limits::Span;

/// Conditions that must all hold for the entry to hold.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Entry {
    /// All of them together; none at all always holds.
    conditions: Vec<Condition>,
    /// "deny": where a value is missing the call is denied, since servers fill in defaults of their own.
    if_missing: Option<IfMissing>,
    /// The time zone of time.hour, time.weekday and time.date, such as "Europe/Berlin"; without it UTC.
    zone: Option<String>,
    /// true: what the entry says is recorded, not enforced.
    shadow: Option<bool>,
    /// What the agent is told before the facts when the entry refuses.
    on_deny: Option<String>,
}

/// Conditions on which a person is asked.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ApproveEntry {
    /// All of them together; none at all always asks.
    conditions: Vec<Condition>,
    /// "deny": where a value is missing the call is denied, since servers fill in defaults of their own.
    if_missing: Option<IfMissing>,
    /// The time zone of time.hour, time.weekday and time.date, such as "Europe/Berlin"; without it UTC.
    zone: Option<String>,
    /// true: what the entry says is recorded, not enforced.
    shadow: Option<bool>,
    /// What the person is told.
    note: Option<String>,
    /// How long an answer is waited for; without it "15m".
    expires: Option<Span>,
    /// How long the call itself is held open for the answer; without it not at all.
    wait: Option<Span>,
    /// What the agent is told before the facts when the entry refuses.
    on_deny: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum IfMissing {
    Deny,
}

/// A test of one value, or several conditions under `any`, `all` or `not`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Condition {
    Test(Test),
    Any(Any),
    All(All),
    Not(Not),
}

/// A test of one value.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("allOf" = constants()))]
pub(super) struct Test {
    /// Where to look: args.a.b, args.items[0].x, args.items[*].x, args["odd.key"]; grant.label, grant.tags.team;
    /// tool.name, tool.risk, tool.annotations.readOnlyHint; time.hour, time.weekday, time.date; client.name.
    #[schemars(regex(pattern = r"^(args|grant|tool|time|client)([.\[].*)?$"))]
    path: String,
    /// How the value is compared.
    op: Operator,
    /// What it is compared with.
    value: serde_json::Value,
}

/// True where any of them is.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Any {
    #[schemars(length(min = 1))]
    any: Vec<Condition>,
}

/// True where all of them are.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct All {
    #[schemars(length(min = 1))]
    all: Vec<Condition>,
}

/// True where the condition is not.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Not {
    not: Box<Condition>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Operator {
    /// Equal, of the same JSON type; numbers exactly.
    Eq,
    /// Not equal.
    Neq,
    /// Less than a number.
    Lt,
    /// A number or less.
    Lte,
    /// More than a number.
    Gt,
    /// A number or more.
    Gte,
    /// One of a list.
    In,
    /// None of a list.
    NotIn,
    /// Present and not null, or with false: missing or null.
    Exists,
    /// Matched by a regular expression anywhere; write ^ and $ for the whole text.
    Regex,
    /// Has this text, or this element.
    Contains,
    /// Begins with this text.
    StartsWith,
    /// Ends with this text.
    EndsWith,
    /// Matched as a whole by a glob.
    Glob,
    /// Of a JSON type.
    Is,
    /// Shorter than so many characters or elements.
    LengthLt,
    /// At most so many characters or elements.
    LengthLte,
    /// Longer than so many characters or elements.
    LengthGt,
    /// At least so many characters or elements.
    LengthGte,
    /// An IP address in one of these networks.
    Cidr,
    /// A path inside one of these directories after normalising, never by "..".
    PathWithin,
    /// A URL whose host is, or is under, one of these.
    UrlHost,
}

/// What each operator can be compared with.
fn constants() -> serde_json::Value {
    let text = || serde_json::json!({ "type": "string", "minLength": 1 });
    let scalar = || serde_json::json!({ "type": ["string", "number", "boolean"] });
    let one_or_more = || {
        serde_json::json!({
            "anyOf": [text(), { "type": "array", "minItems": 1, "items": text() }]
        })
    };
    let of = |operators: &[&str], value: serde_json::Value| {
        serde_json::json!({
            "if": { "properties": { "op": { "enum": operators } } },
            "then": { "properties": { "value": value } }
        })
    };
    serde_json::json!([
        of(
            &["lt", "lte", "gt", "gte"],
            serde_json::json!({ "type": "number" })
        ),
        of(&["eq", "neq", "contains"], scalar()),
        of(
            &["in", "not_in"],
            serde_json::json!({ "type": "array", "minItems": 1, "items": scalar() })
        ),
        of(&["exists"], serde_json::json!({ "type": "boolean" })),
        of(&["regex"], serde_json::json!({ "type": "string" })),
        of(&["starts_with", "ends_with", "glob"], text()),
        of(
            &["is"],
            serde_json::json!({ "enum": ["boolean", "number", "string", "array", "object"] })
        ),
        of(
            &["length_lt", "length_lte", "length_gt", "length_gte"],
            serde_json::json!({ "type": "integer", "minimum": 0 })
        ),
        of(&["cidr", "path_within", "url_host"], one_or_more()),
    ])
}
