//! The language of policies as a JSON Schema, for editors: which keys there are, what they take and what they mean.
//!
//! It never judges a policy: that is `compile`'s. These types mirror the language and hold no values; a test compares their
//! keys with those that `document` reads.
#![allow(dead_code)] // the types are there to be described, none is ever made

mod conditions;
mod limits;

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use conditions::{ApproveEntry, Entry};
use limits::{Limit, LimitUse, RateLimit, SharedLimit};

use super::collection_text::METHODS;

/// The JSON Schema (2020-12) of a policy document.
pub fn json_schema() -> Schema {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Document>()
}

/// What an agent may do with the tools of one server. The whole language: keys that this version cannot enforce yet are
/// refused by `toolgate check`, never ignored.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "toolgate policy")]
struct Document {
    /// The version of the language; only "1".
    version: Version,
    /// Free text for people.
    description: Option<String>,
    /// What happens to a tool that no entry of `tools` matches.
    default: Fallback,
    /// Names or globs of tools that are left out of tools/list and refused on call; "*" hides everything.
    hide: Option<Vec<Name>>,
    /// Under `default: deny`, tools without an entry are left out of tools/list too; true shows them.
    show_unlisted: Option<bool>,
    /// MCP methods that this grant may use; without it, all that the specification defines.
    methods: Option<Vec<Method>>,
    /// Which resources may be read, by URI. `*` does not cross "/", `**` does.
    resources: Option<Surface>,
    /// Which prompts may be used, by name.
    prompts: Option<Surface>,
    /// Limits that several tools share, by name: one budget, many tools.
    #[schemars(extend("propertyNames" = { "minLength": 1 }))]
    counters: Option<BTreeMap<String, SharedLimit>>,
    /// Rules for every tool that is called, after the tool's own.
    all_tools: Option<AllTools>,
    /// Rules for one tool each, by exact name or glob (`*`, `?`, `[a-z]`). An exact name goes before a glob, a longer
    /// literal beginning before a shorter. Under `default: deny`, {} allows.
    #[schemars(extend("propertyNames" = { "minLength": 1 }))]
    tools: Option<BTreeMap<String, Tool>>,
    /// Calls and what must become of them: a policy whose own tests fail does not load.
    tests: Option<Vec<OwnTest>>,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum Version {
    #[serde(rename = "1")]
    One,
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Fallback {
    Allow,
    Deny,
}

/// A text that is not empty.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Name(#[schemars(length(min = 1))] String);

/// Rules for one tool, or for all that a glob matches.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("dependentRequired" = { "reason": ["action"] }))]
struct Tool {
    /// A shorthand: "allow" is {}, "deny" refuses every call, "require_approval" sends every call to a person.
    action: Option<Action>,
    /// What the agent is told when `action` refuses.
    reason: Option<String>,
    /// true: what these rules say is recorded, not enforced.
    shadow: Option<bool>,
    /// What `arguments` must fit: true for the tool's own inputSchema, "closed" for the same without further keys, or a
    /// JSON Schema (2020-12).
    schema: Option<ArgumentsSchema>,
    /// Every entry must hold, else the call is denied.
    require: Option<Vec<Entry>>,
    /// Any entry that holds denies; "conditions": [] always holds.
    deny_if: Option<Vec<Entry>>,
    /// Any entry that holds sends the call to a person.
    approve_if: Option<Vec<ApproveEntry>>,
    /// A shorthand for one limit named "rate_limit".
    rate_limit: Option<RateLimit>,
    /// How many calls may pass in how long. A plain text names a counter of `counters`.
    limits: Option<Vec<LimitUse>>,
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Action {
    Allow,
    Deny,
    RequireApproval,
}

/// One of the methods that a client may ask for in some revision of MCP.
struct Method;

impl JsonSchema for Method {
    fn schema_name() -> Cow<'static, str> {
        "Method".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": METHODS })
    }
}

struct ArgumentsSchema;

impl JsonSchema for ArgumentsSchema {
    fn schema_name() -> Cow<'static, str> {
        "ArgumentsSchema".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "enum": [true, "closed"] }, { "type": "object" }] })
    }
}

/// Rules for every tool that is called.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AllTools {
    /// Every entry must hold, else the call is denied.
    require: Option<Vec<Entry>>,
    /// Any entry that holds denies.
    deny_if: Option<Vec<Entry>>,
    /// Any entry that holds sends the call to a person.
    approve_if: Option<Vec<ApproveEntry>>,
    /// Limits over the calls of all tools together.
    limits: Option<Vec<LimitUse>>,
}

/// What may be used of resources or prompts.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Surface {
    /// What happens to those that `allow` does not match; without it, the document's `default`.
    default: Option<Fallback>,
    /// Globs of those that may be used.
    allow: Option<Vec<Name>>,
    /// Globs of those that are left out of lists and refused.
    hide: Option<Vec<Name>>,
    /// How many uses may pass in how long.
    limits: Option<Vec<Limit>>,
}

/// One call and what must become of it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct OwnTest {
    /// The call that is judged.
    call: TestCall,
    /// What must become of it.
    expect: Expectation,
    /// The id of the rule that must decide, such as /tools/create_charge/deny_if/args.amount-gt.
    rule: Option<String>,
    /// This is the n-th such call, all at one moment; without it the first.
    #[schemars(range(min = 1))]
    times: Option<u64>,
    /// The time at which the call is judged, as in 2026-11-24T12:00:00Z.
    at: Option<String>,
}

/// A tool and its arguments.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct TestCall {
    /// The exact name of the tool.
    tool: Name,
    /// The arguments; without it the call has none.
    args: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Expectation {
    Allow,
    Deny,
    Approve,
}

#[cfg(test)]
mod tests;
