//! What a review finds when it holds a document against the tools of a server.

use super::*;

const CHARGE: &str = r##"{"name":"create_charge","inputSchema":{"type":"object",
  "$defs":{"party":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}},
  "properties":{
    "amount":{"type":"integer"},
    "currency":{"enum":["eur","usd"]},
    "note":{"anyOf":[{"type":"string"},{"type":"null"}],"default":null},
    "retries":{"type":"integer","default":3},
    "stars":{"enum":[1,2,3]},
    "tags":{"type":"array","items":{"type":"string"}},
    "payer":{"$ref":"#/$defs/party"},
    "meta":{"type":"object"},
    "open":{"type":"object","properties":{"a":{}},"additionalProperties":true}
  },"required":["amount","currency","tags","payer"]}}"##;
const LIST: &str = r#"{"name":"list_charges","inputSchema":{"type":"object","properties":{}}}"#;
const BARE: &str = r#"{"name":"ping"}"#;

fn offer() -> Offer {
    Offer::read(&[CHARGE, LIST, BARE].map(Into::into)).expect("an offer")
}

fn reviewed(document: &str) -> Review {
    let review = Policy::review(document.as_bytes(), Some(&offer()));
    assert!(review.policy.is_ok(), "{document}: {:?}", review.policy);
    review
}

/// All warnings, each with its pointer and remedy.
fn warned(document: &str) -> Vec<String> {
    let warnings = reviewed(document).warnings.into_iter();
    warnings
        .map(|warning| {
            format!(
                "{}: {}; {}",
                warning.pointer,
                warning.what,
                warning.remedy.unwrap_or_default()
            )
        })
        .collect()
}

fn tools(tools: &str) -> String {
    format!(r#"{{"version":"1","default":"deny","tools":{{{tools}}}}}"#)
}

/// The one warning about a condition of `create_charge`; empty if there is none.
fn about(section: &str, (path, op, value): (&str, &str, &str), more: &str) -> String {
    let document = tools(&format!(
        r#""create_charge":{{"{section}":[{{"conditions":[{{"path":{path:?},"op":"{op}","value":{value}}}]{more}}}]}}"#
    ));
    let mut found = warned(&document);
    assert!(found.len() <= 1, "{found:?}");
    found.pop().unwrap_or_default()
}

#[test]
fn names_that_match_no_tool_are_warned_of_with_the_nearest_one() {
    let document = r#"{"version":"1","default":"deny","hide":["pong","delete_*"],"tools":{"create_chrage":{},"get_*":{},"list_*":{}}}"#;
    let all = r#"{"version":"1","default":"deny","tools":{"*":{}}}"#;
    let review = Policy::review(all.as_bytes(), Some(&Offer::read(&[]).expect("no tools")));
    assert_eq!(review.warnings, [], "there may be some later");
    assert_eq!(
        warned(document),
        [
            r#"/hide/0: the server has no tool "pong"; did you mean "ping"?"#,
            r#"/hide/1: no tool of the server matches "delete_*"; check its spelling, or remove it"#,
            r#"/tools/create_chrage: the server has no tool "create_chrage"; did you mean "create_charge"?"#,
            r#"/tools/get_*: no tool of the server matches "get_*"; check its spelling, or remove it"#,
        ]
    );
}

#[test]
fn tools_that_no_entry_matches_are_told_with_their_fate() {
    for (rest, fate) in [
        (r#""default":"deny""#, "refused"),
        (r#""default":"allow""#, "allowed without any rule"),
        (
            r#""default":"allow","all_tools":{}"#,
            "allowed under the rules of \"all_tools\" alone",
        ),
    ] {
        let document =
            format!(r#"{{"version":"1",{rest},"hide":["ping"],"tools":{{"list_*":{{}}}}}}"#);
        let unmatched = reviewed(&document).unmatched.expect("an offer was there");
        assert_eq!(unmatched.tools, ["create_charge".into()]);
        assert!(unmatched.fate.starts_with(fate), "{}", unmatched.fate);
    }
}

#[test]
fn an_argument_that_the_tool_does_not_have_is_warned_of() {
    let absent = |path: &str, remedy: &str| {
        let expected = format!(
            "/tools/create_charge/deny_if/0/conditions/0/path: create_charge has no argument {path}; {remedy}"
        );
        assert_eq!(about("deny_if", (path, "exists", "true"), ""), expected);
    };
    absent("args.amuont", "did you mean args.amount?");
    absent("args.payer.nam", "did you mean args.payer.name?");
    absent("args.amount.x", "it takes no arguments there");
    absent(
        "args.zzzzzzzz",
        "the arguments there are amount, currency, meta, note, open, payer, retries, stars, tags",
    );
    for path in [
        "args",
        "args.amount",
        "args.payer.name",
        "args.tags[*]",
        "args.tags[0]",
        "args.meta.any.thing",
        "args.open.b",
    ] {
        assert_eq!(about("deny_if", (path, "exists", "true"), ""), "", "{path}");
    }
    let required = about("require", ("args.amuont", "gt", "1"), "");
    assert!(
        required.contains("args.amuont: every call is refused"),
        "{required}"
    );
}

#[test]
fn an_operator_or_constant_that_the_argument_never_fits_is_warned_of() {
    for (path, op, value, kind) in [
        ("args.amount", "regex", "\"^1\"", "a number"),
        ("args.amount", "eq", "\"5\"", "a number"),
        ("args.tags", "gt", "1", "an array"),
        ("args.payer", "starts_with", "\"a\"", "an object"),
        ("args.currency", "gt", "1", "a string"),
        ("args.note", "gt", "1", "a string"),
    ] {
        let found = about("require", (path, op, value), "");
        let expected = format!("{path} of create_charge is {kind}, which \"{op}\" cannot judge");
        assert!(found.contains(&expected), "{found}");
    }
    let stray = about("require", ("args.currency", "in", "[\"eur\",\"gbp\"]"), "");
    assert_eq!(
        stray,
        "/tools/create_charge/require/0/conditions/0/value/1: args.currency of create_charge is never \"gbp\"; its schema lists \"eur\", \"usd\""
    );
    for (path, op, value) in [
        ("args.currency", "in", "[\"eur\"]"),
        ("args.amount", "in", "[1,2]"),
        ("args.amount", "is", "\"string\""),
        ("args.stars", "in", "[1.0,2]"),
        ("args.note", "length_lt", "5"),
        ("args.tags[*]", "eq", "\"x\""),
        ("args.tags", "contains", "\"x\""),
        ("args.meta.x", "gt", "5"),
    ] {
        assert_eq!(about("require", (path, op, value), ""), "", "{path} {op}");
    }
}

#[test]
fn an_optional_argument_whose_absence_passes_is_warned_of() {
    let found = about("deny_if", ("args.retries", "gt", "2"), "");
    assert_eq!(
        found,
        "/tools/create_charge/deny_if/0/conditions/0/path: calls of create_charge may leave args.retries out and get past this; the server then takes 3, which does not; add \"if_missing\": \"deny\" to the entry"
    );
    let found = about("approve_if", ("args.meta.x", "gt", "5"), "");
    assert_eq!(found, "", "the schema does not say");
    for (section, op, more) in [
        ("deny_if", "gt", r#","if_missing":"deny""#),
        ("deny_if", "neq", ""),
        ("require", "gt", ""),
    ] {
        assert_eq!(about(section, ("args.retries", op, "2"), more), "");
    }
    assert_eq!(about("deny_if", ("args.amount", "gt", "5"), ""), "");
    // What the server takes gets past as well, and null is like nothing.
    assert_eq!(about("deny_if", ("args.retries", "gt", "3"), ""), "");
    assert_eq!(about("deny_if", ("args.note", "length_gt", "5"), ""), "");
    let found = about("deny_if", ("args.stars", "gt", "2"), "");
    assert!(
        found.contains("the server may then fill in a value that does not"),
        "{found}"
    );
}

#[test]
fn what_stands_under_not_and_any_is_warned_of_only_where_it_matters() {
    let conditions = |section: &str, conditions: &str| {
        warned(&tools(&format!(
            r#""create_charge":{{"{section}":[{{"conditions":[{conditions}]}}]}}"#
        )))
    };
    let test = |path: &str| format!(r#"{{"path":"args.{path}","op":"gt","value":2}}"#);
    let not = |path: &str| format!(r#"{{"not":{}}}"#, test(path));
    let past = |found: &[String]| found.len() == 1 && found[0].contains("get past this");
    assert!(
        past(&conditions("require", &not("retries"))),
        "missing is not more than 2"
    );
    assert_eq!(conditions("deny_if", &not("retries")), [""; 0]);
    let twice = format!(r#"{{"not":{}}}"#, not("retries"));
    assert!(past(&conditions("deny_if", &twice)));
    let absent = conditions("require", &test("nobody"));
    assert!(absent[0].contains("every call is refused"), "{absent:?}");
    let either = format!(r#"{{"any":[{},{}]}}"#, test("nobody"), test("amount"));
    let absent = conditions("require", &either);
    assert!(!absent[0].contains("every call is refused"), "{absent:?}");
}

#[test]
fn what_limits_look_at_is_held_against_the_schema_too() {
    let limited = |more: &str| {
        warned(&tools(&format!(
            r#""create_charge":{{"limits":[{{"counter":"w","window":"day","max":9}},{{"counter":"c","window":"day","max":9,{more}}}]}}"#
        )))
    };
    assert_eq!(
        limited(r#""increment_from":"args.amuont""#),
        [
            "/tools/create_charge/limits/1/increment_from: create_charge has no argument args.amuont: every call is refused; did you mean args.amount?"
        ]
    );
    let found = limited(r#""increment_from":"args.currency""#);
    assert!(
        found[0].contains("is a string, which \"increment_from\" cannot judge"),
        "{found:?}"
    );
    let found = limited(r#""by":["args.payer"]"#);
    assert!(
        found
            .iter()
            .any(|one| one.contains("is an object, which \"by\" cannot judge")),
        "{found:?}"
    );
    assert_eq!(limited(r#""increment_from":"args.amount""#), [""; 0]);
}

#[test]
fn the_tools_own_schema_must_be_there_where_it_is_asked_for() {
    let found = warned(&tools(
        r#""ping":{"schema":true},"list_*":{"schema":"closed"}"#,
    ));
    assert_eq!(
        found,
        [
            "/tools/ping/schema: the server gives no schema for ping: every call is refused; write a JSON Schema here, or remove this"
        ]
    );
    assert_eq!(
        warned(&tools(r#""ping":{"schema":{"type":"object"}}"#)),
        [""; 0]
    );
}

#[test]
fn the_rules_of_a_glob_are_held_against_the_tools_it_speaks_for() {
    let condition =
        r#"{"deny_if":[{"conditions":[{"path":"args.amount","op":"exists","value":true}]}]}"#;
    let found = warned(&tools(&format!(r#""*":{condition}"#)));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("list_charges has no argument args.amount"),
        "{found:?}"
    );
    let with_own_entries = format!(r#""*_charge*":{condition},"list_charges":{{}},"p*":{{}}"#);
    assert_eq!(warned(&tools(&with_own_entries)), [""; 0]);
    let all_tools = |path: &str| {
        format!(
            r#"{{"version":"1","default":"allow","all_tools":{{"deny_if":[{{"conditions":[{{"path":"{path}","op":"exists","value":true}}]}}]}}}}"#
        )
    };
    assert_eq!(
        warned(&all_tools("args.amount")),
        [""; 0],
        "one tool has it"
    );
    assert_eq!(warned(&all_tools("args.nobody")).len(), 1);
}
