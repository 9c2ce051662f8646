//! Limits as editors see them.
//!
//! Never read from a document: see `mod.rs`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::Name;

/// One entry of `limits`: a limit, or the name of one in `counters`.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum LimitUse {
    /// The name of a counter of `counters`.
    Shared(Name),
    Own(Limit),
}

/// At most `max` calls in any stretch of time as long as `window`, or at most `concurrent` at a time.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = windowed_or_concurrent(), "allOf" = companions()))]
pub(super) struct Limit {
    /// The name of the counter; with the entry it is in, it is what keeps counts over edits.
    counter: Name,
    /// How long a call is counted.
    window: Option<Window>,
    /// The most that a window may hold; a hard cap.
    #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
    max: Option<u64>,
    /// The most calls in flight at a time.
    #[schemars(range(min = 1, max = 10_000))]
    concurrent: Option<u64>,
    /// Whose calls share the counter; without it those of the grant.
    scope: Option<Scope>,
    /// Paths whose values get a counter each, such as ["args.recipient"] or ["tool"].
    #[schemars(length(min = 1, max = 8))]
    by: Option<Vec<CountedBy>>,
    /// What a call adds; without it 1.
    increment: Option<Increment>,
    /// The argument whose value a call adds, such as args.amount.
    #[schemars(regex(pattern = r"^args[.\[]"))]
    increment_from: Option<String>,
    /// The most calls back to back; fewer than `max`.
    #[schemars(range(min = 1))]
    burst: Option<u32>,
    /// "rolling" (default): any stretch of time as long as the window. "calendar": each UTC second, minute, hour, day,
    /// Monday week or month.
    align: Option<Align>,
    /// Failures of the server after which the charge is given back, at most `max` times in a window. Without it a charge
    /// is given back only where no byte of the call was sent.
    #[schemars(length(min = 1))]
    refund_on: Option<Vec<Failure>>,
    /// What the agent is told before the facts when the limit is reached.
    on_deny: Option<String>,
    /// true: counted and recorded, not enforced.
    shadow: Option<bool>,
}

/// A limit that tools share by its name.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = windowed_or_concurrent(), "allOf" = companions()))]
pub(super) struct SharedLimit {
    /// How long a call is counted.
    window: Option<Window>,
    /// The most that a window may hold; a hard cap.
    #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
    max: Option<u64>,
    /// The most calls in flight at a time.
    #[schemars(range(min = 1, max = 10_000))]
    concurrent: Option<u64>,
    /// Whose calls share the counter; without it those of the grant.
    scope: Option<Scope>,
    /// Paths whose values get a counter each.
    #[schemars(length(min = 1, max = 8))]
    by: Option<Vec<CountedBy>>,
    /// What a call adds; without it 1.
    increment: Option<Increment>,
    /// The argument whose value a call adds, such as args.amount.
    #[schemars(regex(pattern = r"^args[.\[]"))]
    increment_from: Option<String>,
    /// The most calls back to back; fewer than `max`.
    #[schemars(range(min = 1))]
    burst: Option<u32>,
    /// "rolling" (default) or "calendar".
    align: Option<Align>,
    /// Failures of the server after which the charge is given back.
    #[schemars(length(min = 1))]
    refund_on: Option<Vec<Failure>>,
    /// What the agent is told before the facts when the limit is reached.
    on_deny: Option<String>,
    /// true: counted and recorded, not enforced.
    shadow: Option<bool>,
}

fn windowed_or_concurrent() -> serde_json::Value {
    serde_json::json!([
        { "required": ["window", "max"] },
        { "required": ["concurrent"] }
    ])
}

/// What goes with what: an argument's value neither with a constant nor with a burst; windows of the calendar with no
/// burst and no other lengths than it has, and months with nothing else; calls in flight with nothing about time or
/// amounts; refunds not with a burst.
fn companions() -> serde_json::Value {
    let is_month = serde_json::json!({ "properties": { "window": { "const": "month" } }, "required": ["window"] });
    let is_calendar = serde_json::json!({ "properties": { "align": { "const": "calendar" } }, "required": ["align"] });
    serde_json::json!([
        { "if": { "required": ["concurrent"] }, "then": { "properties": nothing_of_time() } },
        { "if": { "required": ["refund_on"] }, "then": { "properties": { "burst": false } } },
        { "if": { "required": ["increment_from"] }, "then": { "properties": { "increment": false, "burst": false } } },
        { "if": is_month, "then": { "properties": { "align": { "const": "calendar" }, "burst": false } } },
        { "if": is_calendar, "then": { "properties": { "window": named_length(), "burst": false } } }
    ])
}

/// No key that says when, or how much.
fn nothing_of_time() -> serde_json::Value {
    serde_json::json!({
        "align": false,
        "burst": false,
        "increment": false,
        "increment_from": false,
        "refund_on": false
    })
}

/// A length that the calendar has a name for.
fn named_length() -> serde_json::Value {
    serde_json::json!({
        "anyOf": [
            { "enum": ["second", "minute", "hour", "day", "week", "month"] },
            { "enum": [1, 60, 3_600, 86_400, 604_800] },
            { "pattern": "^(1|60|3600|86400|604800)s$|^(1|60|1440|10080)m$|^(1|24|168)h$|^[17]d$" }
        ]
    })
}

/// What has a counter for each of its values.
#[derive(JsonSchema)]
#[schemars(inline)]
struct CountedBy(
    #[schemars(regex(
        pattern = r"^(args[.\[].+|tool|tool\.name|grant\.label|grant\.tags[.\[].+)$"
    ))]
    String,
);

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Scope {
    Grant,
    Session,
    Server,
    Organisation,
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Align {
    Rolling,
    Calendar,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum Failure {
    #[serde(rename = "rpc_error")]
    RpcError,
    #[serde(rename = "http_5xx")]
    Http5xx,
    #[serde(rename = "error_result")]
    ErrorResult,
}

/// What a call adds to a counter.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Increment(#[schemars(extend("exclusiveMinimum" = 0))] f64);

/// "10/minute", or the same as an object.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum RateLimit {
    Short(
        #[schemars(regex(
            pattern = r"^[1-9][0-9]*/(second|minute|hour|day|week|month|[1-9][0-9]*[smhd])$"
        ))]
        String,
    ),
    Long(LongRateLimit),
}

/// So many calls in any window.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct LongRateLimit {
    /// The most calls.
    #[schemars(range(min = 1))]
    max: u64,
    /// How long a call is counted.
    window: Window,
}

/// A span of time with a name, in whole seconds, or such as "90s", "15m", "6h", "30d"; at most 31 days.
struct Window;

impl JsonSchema for Window {
    fn schema_name() -> Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A span of time with a name, in whole seconds, or such as \"90s\", \"15m\", \"6h\", \"30d\"; at most 31 days.",
            "anyOf": [
                { "enum": ["second", "minute", "hour", "day", "week", "month"] },
                { "type": "integer", "minimum": 1, "maximum": 2_678_400 },
                { "type": "string", "pattern": "^[1-9][0-9]*[smhd]$" }
            ]
        })
    }
}

/// A span of time without a name.
pub(super) struct Span;

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A span of time, such as \"90s\", \"15m\", \"6h\".",
            "type": "string",
            "pattern": "^[1-9][0-9]*[smhd]$"
        })
    }
}
