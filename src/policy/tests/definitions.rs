//! `schema: true | "closed"` and `tool.annotations`: what the server says of its tool.

use super::*;
use crate::policy::Definition;

/// The tool's definition, read as the catalogue reads it.
fn definition(tool: &str) -> Definition {
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader.read(tool.as_bytes()).expect("a definition is JSON");
    Definition::of(document.root())
}

/// `allow`, or the rule and the sentence of what refuses.
fn said(policy: &Policy, definition: Option<&Definition>, arguments: &str) -> String {
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader.read(arguments.as_bytes()).expect("JSON");
    let call = Call {
        tool: "t",
        arguments: Some(document.root()),
    };
    let facts = Facts {
        definition,
        ..Facts::NONE
    };
    match policy.decide(&call, &facts).decision {
        Decision::Allow(_) => "allow".into(),
        Decision::Hold(_) => "hold".into(),
        Decision::Deny(denial) => denial.sentence("t"),
    }
}

const TRANSFER: &str = r##"{"name":"t","annotations":{"readOnlyHint":false,"destructiveHint":true,"title":"x"},
    "inputSchema":{"type":"object","required":["amount"],"properties":{
        "amount":{"type":"integer","minimum":1},"note":{"type":"string"},
        "to":{"type":"object","properties":{"id":{"type":"string"}}},
        "free":{"type":"object","properties":{"id":{}},"additionalProperties":true},
        "rows":{"type":"array","items":{"type":"object","properties":{"id":{}}}}}}}"##;

#[test]
fn arguments_must_fit_the_tools_own_schema() {
    let policy = with_tool(r#"{"schema":true}"#);
    let tool = definition(TRANSFER);
    for (arguments, expected) in [
        (r#"{"amount":5}"#, "allow"),
        (r#"{"amount":5,"other":1}"#, "allow"),
        (
            r#"{"amount":0}"#,
            "t: args.amount does not fit the schema: ",
        ),
        (
            r#"{"amount":"5"}"#,
            "t: args.amount does not fit the schema: ",
        ),
        (
            r#"{}"#,
            "t: args does not fit the schema: \"amount\" is a required property.",
        ),
        (
            r#"{"amount":5,"Amount":7}"#,
            "t: args must not have a key that only looks like \"amount\".",
        ),
    ] {
        let said = said(&policy, Some(&tool), arguments);
        assert!(said.starts_with(expected), "{arguments}: {said}");
    }
}

#[test]
fn a_closed_schema_takes_no_key_that_it_does_not_name() {
    let policy = with_tool(r#"{"schema":"closed"}"#);
    let tool = definition(TRANSFER);
    for (arguments, expected) in [
        (
            r#"{"amount":5,"note":"x","to":{"id":"1"},"rows":[{"id":1},{}]}"#,
            "allow",
        ),
        (r#"{"amount":5,"free":{"more":1}}"#, "allow"),
        (
            r#"{"amount":5,"secret_key":1}"#,
            "t: args must have no key that the tool's schema does not name.",
        ),
        (
            r#"{"amount":5,"to":{"x":1}}"#,
            "t: args.to must have no key ",
        ),
        (
            r#"{"amount":5,"rows":[{},{"x":1}]}"#,
            "t: args.rows[*] must have no key ",
        ),
    ] {
        let said = said(&policy, Some(&tool), arguments);
        assert!(said.starts_with(expected), "{arguments}: {said}");
        assert!(
            !said.contains("secret_key"),
            "the agent's own key is repeated"
        );
    }
}

#[test]
fn a_schema_made_of_parts_is_closed_at_its_outermost_keys() {
    let policy = with_tool(r#"{"schema":"closed"}"#);
    let tool = definition(
        r##"{"name":"t","inputSchema":{"properties":{"a":{"$ref":"#/$defs/a"}},"additionalProperties":true,
            "allOf":[{"properties":{"b":{}}}],"$defs":{"a":{"properties":{"x":{}}}}}}"##,
    );
    assert_eq!(said(&policy, Some(&tool), r#"{"a":{"y":1}}"#), "allow");
    assert_ne!(said(&policy, Some(&tool), r#"{"b":1}"#), "allow");
}

#[test]
fn where_the_definition_is_not_known_or_not_usable_nothing_is_allowed() {
    for rules in [r#"{"schema":true}"#, r#"{"schema":"closed"}"#] {
        let policy = with_tool(rules);
        assert!(policy.needs_definition("t"));
        assert_eq!(
            said(&policy, None, "{}"),
            "t: the tool's own schema is not known, because the server's tools could not be listed. The call was not run."
        );
        for broken in [
            r#"{"name":"t"}"#,
            r#"{"name":"t","inputSchema":true}"#,
            r#"{"name":"t","inputSchema":{"type":"strin"}}"#,
            r#"{"name":"t","inputSchema":{"properties":{"a":{"pattern":"(?=x)"}}}}"#,
            r#"{"name":"t","inputSchema":{"$ref":"https://example.org/schema"}}"#,
        ] {
            let said = said(&policy, Some(&definition(broken)), "{}");
            assert!(
                said.starts_with("t: the tool's own schema "),
                "{broken}: {said}"
            );
        }
    }
}

#[test]
fn an_older_draft_is_read_as_what_it_says_it_is() {
    let policy = with_tool(r#"{"schema":true}"#);
    // In draft 4 `exclusiveMinimum` is a boolean beside `minimum`; in 2020-12 it is a number.
    let tool = definition(
        r#"{"name":"t","inputSchema":{"$schema":"http://json-schema.org/draft-04/schema#",
            "properties":{"a":{"minimum":5,"exclusiveMinimum":true}}}}"#,
    );
    assert_eq!(said(&policy, Some(&tool), r#"{"a":6}"#), "allow");
    assert_ne!(said(&policy, Some(&tool), r#"{"a":5}"#), "allow");
}

#[test]
fn rules_ask_for_the_servers_hints() {
    let condition = |hint: &str| {
        format!(
            r#"{{"deny_if":[{{"conditions":[{{"path":"tool.annotations.{hint}","op":"eq","value":true}}]}}]}}"#
        )
    };
    let tool = definition(TRANSFER);
    for (hint, expected) in [
        ("destructiveHint", false),
        ("readOnlyHint", true),
        ("idempotentHint", true),
        // A hint that is no boolean is none.
        ("title", true),
    ] {
        let policy = with_tool(&condition(hint));
        assert!(policy.needs_definition("t"));
        let said = said(&policy, Some(&tool), "{}");
        assert_eq!(said == "allow", expected, "{hint}: {said}");
    }
    let policy = with_tool(&condition("destructiveHint"));
    assert_eq!(
        said(&policy, None, "{}"),
        "t: tool.annotations.destructiveHint is not known, because the server's tools could not be listed. The call was not run."
    );
}

#[test]
fn a_policy_that_asks_nothing_of_the_server_needs_no_definition() {
    let policy = with_tool(
        r#"{"schema":{"type":"object"},"deny_if":[{"conditions":[{"path":"args.a","op":"eq","value":1}]}]}"#,
    );
    assert!(!policy.needs_definition("t"));
    assert!(!policy.needs_definition("other"));
}
