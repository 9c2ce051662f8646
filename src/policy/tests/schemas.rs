//! `schema`: arguments against a JSON Schema of the author's.

use super::*;

const SCHEMA: &str = r##"{"type":"object","required":["to"],"additionalProperties":false,
    "properties":{"to":{"type":"array","maxItems":2,"items":{"$ref":"#/$defs/address"}},
                  "amount":{"type":"integer","minimum":1,"maximum":9007199254740992},
                  "kind":{"enum":["a","b"]},"text":{"type":"string","pattern":"^(a+)+$","maxLength":5}},
    "$defs":{"address":{"type":"object","properties":{"id":{"type":"string"}}}}}"##;

#[test]
fn arguments_must_fit_the_schema_before_any_rule_is_judged() {
    let policy = with_tool(&format!(
        r#"{{"schema":{SCHEMA},"require":[{{"conditions":[{{"path":"args.amount","op":"lt","value":10}}]}}]}}"#
    ));
    for (arguments, expected) in [
        (r#"{"to":[],"amount":5}"#, "allow"),
        (r#"{"to":[{"id":"x"}],"amount":5.0}"#, "allow"),
        (
            r#"{"to":[],"amount":50}"#,
            "rule /tools/t/require/args.amount-lt t: args.amount must be less than 10.",
        ),
        (
            r#"{"amount":5}"#,
            "argument /tools/t/schema t: args does not fit the schema: \"to\" is a required property.",
        ),
        (
            r#"{"to":[{"id":7}]}"#,
            "argument /tools/t/schema t: args.to[0].id does not fit the schema: value is not of type \"string\".",
        ),
        (
            r#"{"to":[],"amount":"5"}"#,
            "argument /tools/t/schema t: args.amount does not fit the schema: ",
        ),
        (r#"{"to":[],"amount":0}"#, "argument /tools/t/schema "),
        (r#"{"to":[],"amount":5.5}"#, "argument /tools/t/schema "),
        (
            r#"{"to":[],"amount":9007199254740993}"#,
            "argument /tools/t/schema ",
        ),
        (r#"{"to":[],"other":1}"#, "argument /tools/t/schema "),
        (r#"{"to":[{},{},{}]}"#, "argument /tools/t/schema "),
        (r#"{"to":null}"#, "argument /tools/t/schema "),
        (
            r#"{"To":[],"to":[]}"#,
            "argument /tools/t/schema t: args must not have a key that only looks like \"to\".",
        ),
    ] {
        let told = told(&policy, "t", arguments);
        assert!(told.starts_with(expected), "{arguments}: {told}");
    }
}

#[test]
fn a_call_without_arguments_is_one_with_none() {
    for (schema, allowed) in [
        (r#"{"required":["a"]}"#, false),
        (r#"{"type":"object"}"#, true),
    ] {
        let policy = with_tool(&format!(r#"{{"schema":{schema}}}"#));
        let call = Call {
            tool: "t",
            arguments: None,
        };
        let facts = Facts {
            listing: Listing::Listed,
            ..Facts::NONE
        };
        let decision = policy.decide(&call, &facts).decision;
        assert_eq!(matches!(decision, Decision::Allow(_)), allowed, "{schema}");
    }
}

#[test]
fn no_sentence_of_a_schema_repeats_an_arguments_value() {
    for (schema, value) in [
        (r#"{"type":"string"}"#, "77701"),
        (r#"{"enum":[1,2]}"#, "77701"),
        (r#"{"const":1}"#, "77701"),
        (r#"{"maximum":1}"#, "77701"),
        (r#"{"minimum":77702}"#, "77701"),
        (r#"{"multipleOf":2}"#, "77701"),
        (r#"{"pattern":"^a"}"#, "\"77701\""),
        (r#"{"maxLength":2}"#, "\"77701\""),
        (r#"{"minLength":9}"#, "\"77701\""),
        (r#"{"items":{"type":"string"}}"#, "[77701]"),
        (r#"{"uniqueItems":true}"#, "[77701,77701]"),
        (r#"{"contains":{"type":"string"}}"#, "[77701]"),
        (r#"{"maxItems":0}"#, "[77701]"),
        (r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#, "77701"),
        (
            r#"{"oneOf":[{"type":"number"},{"type":"integer"}]}"#,
            "77701",
        ),
        (r#"{"not":{"type":"number"}}"#, "77701"),
        (r#"{"additionalProperties":false}"#, "{\"k\":77701}"),
        (r#"{"unevaluatedProperties":false}"#, "{\"k\":77701}"),
        (r#"{"unevaluatedItems":false}"#, "[77701]"),
        (r#"{"dependentRequired":{"k":["z"]}}"#, "{\"k\":77701}"),
        (r#"{"minProperties":2}"#, "{\"k\":77701}"),
        ("false", "77701"),
    ] {
        let policy = with_tool(&format!(
            r#"{{"schema":{{"properties":{{"v":{schema}}}}}}}"#
        ));
        let told = told(&policy, "t", &format!(r#"{{"v":{value}}}"#));
        assert!(
            told.starts_with("argument /tools/t/schema t: args.v"),
            "{schema}: {told}"
        );
        assert!(!told.contains("77701"), "{schema}: {told}");
    }
}

#[test]
fn a_schema_that_cannot_be_used_is_a_mistake() {
    for schema in [
        r#"{"type":"strin"}"#,
        r#"{"properties":5}"#,
        r#"{"pattern":"("}"#,
        r#"{"pattern":"(?=a)"}"#,
        r##"{"$ref":"#/$defs/none"}"##,
        r#"{"$ref":"https://example.org/schema.json"}"#,
        r#"{"$ref":"file:///etc/passwd"}"#,
        "false",
        "\"open\"",
        "5",
    ] {
        let source =
            format!(r#"{{"version":"1","default":"deny","tools":{{"t":{{"schema":{schema}}}}}}}"#);
        let mistakes = Policy::compile(source.as_bytes()).expect_err(schema);
        assert_eq!(mistakes[0].pointer, "/tools/t/schema", "{schema}");
    }
}

#[test]
fn a_catastrophic_pattern_and_a_schema_that_refers_to_itself_come_to_an_end() {
    let policy = with_tool(r#"{"schema":{"properties":{"a":{"pattern":"^(a+)+$"}}}}"#);
    let arguments = format!(r#"{{"a":"{}!"}}"#, "a".repeat(300_000));
    assert_eq!(outcome(&policy, "t", &arguments), "argument");
    let tree =
        with_tool(r##"{"schema":{"properties":{"a":{"$ref":"#"}},"additionalProperties":false}}"##);
    assert_eq!(outcome(&tree, "t", r#"{"a":{"a":{"a":{}}}}"#), "allow");
    assert_eq!(outcome(&tree, "t", r#"{"a":{"a":{"b":{}}}}"#), "argument");
    for endless in [
        r##"{"$ref":"#"}"##,
        r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##,
    ] {
        let policy = with_tool(&format!(r#"{{"schema":{endless}}}"#));
        assert_eq!(outcome(&policy, "t", r#"{"a":1}"#), "allow", "{endless}");
    }
}
