//! What a review of a document warns of, and what it leaves alone.

use super::*;

/// The warnings about a document: each pointer with what is said there.
pub(super) fn warned(document: &str) -> Vec<(String, String)> {
    told(&Policy::review(document.as_bytes(), None), document)
}

fn told(review: &Review, document: &str) -> Vec<(String, String)> {
    if let Err(mistakes) = &review.policy {
        panic!("{document}: {mistakes:?}");
    }
    let warnings = review.warnings.iter();
    warnings
        .map(|warning| {
            assert!(warning.remedy.is_some(), "{warning} has no remedy");
            (warning.pointer.clone(), warning.what.clone())
        })
        .collect()
}

/// Expects just this one warning: where, and a part of what it says; `None`: none at all.
pub(super) fn expect(document: &str, expected: Option<(&str, &str)>) {
    let found = warned(document);
    match (&found[..], expected) {
        ([], None) => {}
        ([(pointer, what)], Some((place, part))) if pointer == place && what.contains(part) => {}
        _ => panic!("{document}\nexpected {expected:?}\nfound {found:?}"),
    }
}

pub(super) fn tools(tools: &str) -> String {
    format!(r#"{{"version":"1","default":"deny","tools":{{{tools}}}}}"#)
}

/// A tool with one entry of a section.
fn entry(section: &str, conditions: &str) -> String {
    tools(&format!(
        r#""t":{{"{section}":[{{"conditions":[{conditions}]}}]}}"#
    ))
}

fn test(test: &str) -> String {
    let (path, rest) = test.split_once(' ').expect("a path");
    let (op, value) = rest.split_once(' ').expect("an operator");
    format!(r#"{{"path":"{path}","op":"{op}","value":{value}}}"#)
}

fn tests(all: &[&str]) -> String {
    all.iter()
        .map(|one| test(one))
        .collect::<Vec<_>>()
        .join(",")
}

#[test]
fn an_entry_that_never_speaks_is_warned_of() {
    let with_hide = |hide: &str, name: &str| {
        format!(
            r#"{{"version":"1","default":"allow","hide":["{hide}"],"tools":{{"{name}":{{}}}}}}"#
        )
    };
    let hidden = "in \"hide\" leaves out what it is for";
    expect(
        &with_hide("delete_*", "delete_x"),
        Some(("/tools/delete_x", hidden)),
    );
    expect(&with_hide("x", "x"), Some(("/tools/x", hidden)));
    expect(
        &with_hide("delete_*", "delete_?_x"),
        Some(("/tools/delete_?_x", hidden)),
    );
    expect(&with_hide("delete_?", "delete_*"), None);
    expect(&with_hide("Delete_*", "delete_x"), None);
    let overruled = "denies without conditions";
    let deny = r#""delete_*":{"action":"deny"}"#;
    expect(
        &tools(&format!(r#"{deny},"delete_x":{{"rate_limit":"1/hour"}}"#)),
        Some(("/tools/delete_x", overruled)),
    );
    let always = r#""delete_*":{"deny_if":[{"conditions":[]}]}"#;
    expect(
        &tools(&format!(r#"{always},"delete_all_*":{{}}"#)),
        Some(("/tools/delete_all_*", overruled)),
    );
    expect(&tools(&format!(r#"{deny},"list_x":{{}}"#)), None);
    expect(
        &tools(&format!(r#"{deny},"delete_x":{{"action":"deny"}}"#)),
        None,
    );
    let silent = "never speaks: every name that it matches";
    expect(
        &tools(r#""v[12]":{},"v1":{},"v2":{}"#),
        Some(("/tools/v[12]", silent)),
    );
    expect(
        &tools(r#""v[12]":{},"v1*":{},"v2":{}"#),
        Some(("/tools/v[12]", silent)),
    );
    expect(&tools(r#""v[1-3]":{},"v1":{},"v2":{}"#), None);
}

#[test]
fn keys_that_mean_nothing_are_warned_of() {
    expect(
        r#"{"version":"1","default":"allow","show_unlisted":true}"#,
        Some(("/show_unlisted", "means nothing here")),
    );
    expect(
        r#"{"version":"1","default":"deny","show_unlisted":true,"tools":{"t":{}}}"#,
        None,
    );
    let closed = "no tool can be called";
    expect(
        r#"{"version":"1","default":"deny"}"#,
        Some(("/default", closed)),
    );
    expect(&tools(""), Some(("/default", closed)));
    expect(r#"{"version":"1","default":"allow"}"#, None);
}

#[test]
fn conditions_that_cannot_hold_together_are_warned_of() {
    let pairs = [
        ["args.a eq 1", "args.a eq 2"],
        ["args.a eq 1", "args.a in [2,3]"],
        ["args.a in [1,2]", "args.a in [3,4]"],
        ["args.a eq 1", "args.a neq 1"],
        ["args.a in [1,2]", "args.a not_in [1,2,3]"],
        ["args.a gt 5", "args.a lt 5"],
        ["args.a gte 5", "args.a lt 5"],
        ["args.a lte 1.0", "args.a gt 1"],
        ["args.a gt 9007199254740993", "args.a lt 9007199254740993"],
        ["args.a eq 7", "args.a lt 7"],
        ["args.a length_gt 3", "args.a length_lte 3"],
        ["args.a eq \"abc\"", "args.a regex \"^b\""],
        ["args.a in [\"abc\",\"abd\"]", "args.a starts_with \"b\""],
        ["args.a eq \"1\"", "args.a gt 0"],
        ["args.a is \"string\"", "args.a lte 5"],
        ["args.a exists false", "args.a eq 1"],
        ["args.a exists false", "args.a exists true"],
    ];
    for pair in pairs {
        for pair in [pair, [pair[1], pair[0]]] {
            let both = tests(&pair);
            let second = "/tools/t/require/0/conditions/1";
            expect(
                &entry("require", &both),
                Some((second, "every call is refused")),
            );
            let inside = format!(r#"{{"all":[{both}]}}"#);
            let found = warned(&entry("deny_if", &inside));
            assert_eq!(found.len(), 1, "{inside}: {found:?}");
            assert!(found[0].1.contains("no call is ever refused"), "{found:?}");
            let found = warned(&entry("approve_if", &both));
            assert!(found[0].1.contains("nobody is ever asked"), "{found:?}");
        }
    }
}

#[test]
fn conditions_that_can_hold_together_are_left_alone() {
    let pairs = [
        ["args.a gt 4", "args.a lt 5"],
        ["args.a gte 5", "args.a lte 5"],
        ["args.a in [1,2]", "args.a in [2,3]"],
        ["args.a eq 1", "args.b eq 2"],
        ["args.a eq \"abc\"", "args.a regex \"b\""],
        ["args.a length_gte 3", "args.a length_lte 3"],
        ["args.a exists true", "args.a neq 1"],
        ["args.a contains \"x\"", "args.a length_gt 3"],
        ["args.a neq 1", "args.a neq 2"],
        ["args.a neq 1", "args.a not_in [1,2]"],
    ];
    for pair in pairs {
        let both = tests(&pair);
        for section in ["require", "deny_if", "approve_if"] {
            expect(&entry(section, &both), None);
        }
        let either = format!(r#"{{"any":[{}]}}"#, tests(&["args.a eq 1", "args.a eq 2"]));
        expect(&entry("require", &either), None);
    }
    // Missing differs from every constant in a `deny_if`, and one element may be the one and another one the other.
    let forbidding = [
        ["args.a exists false", "args.a neq 1"],
        ["args.a[*] eq 1", "args.a[*] eq 2"],
        ["args.a neq 1", "args.a neq \"x\""],
    ];
    for pair in forbidding {
        expect(&entry("deny_if", &tests(&pair)), None);
        assert_eq!(
            warned(&entry("require", &tests(&pair))).len(),
            1,
            "{pair:?}"
        );
    }
}

#[test]
fn an_entry_that_always_or_never_asks_for_something_is_warned_of() {
    let always = "always holds";
    let place = "/tools/t/deny_if/0";
    for pair in [
        ["args.a exists true", "args.a exists false"],
        ["args.a eq 1", "args.a neq 1"],
        ["args.a not_in [1]", "args.a in [1]"],
    ] {
        let either = format!(r#"{{"any":[{}]}}"#, tests(&pair));
        expect(&entry("deny_if", &either), Some((place, always)));
        let and_more = format!("{either},{}", test("args.b eq 1"));
        expect(&entry("deny_if", &and_more), None);
    }
    let other = format!(r#"{{"any":[{}]}}"#, tests(&["args.a eq 1", "args.b neq 1"]));
    expect(&entry("deny_if", &other), None);
    expect(&entry("deny_if", ""), None);
    expect(
        &entry("require", ""),
        Some(("/tools/t/require/0", "asks for nothing")),
    );
    expect(
        &tools(r#""t":{"action":"deny","rate_limit":"1/hour"}"#),
        Some(("/tools/t/action", "never matter")),
    );
    expect(&tools(r#""t":{"action":"deny"}"#), None);
    expect(
        r#"{"version":"1","default":"allow","all_tools":{"deny_if":[{"conditions":[]}]}}"#,
        Some(("/all_tools/deny_if/0", "every call of every tool")),
    );
}

#[test]
fn a_claim_is_warned_of_and_a_rule_in_shadow_refuses_nothing() {
    let claim = test("client.name eq \"x\"");
    expect(
        &entry("deny_if", &format!(r#"{{"not":{claim}}}"#)),
        Some((
            "/tools/t/deny_if/0/conditions/0/not/path",
            "any agent can say it",
        )),
    );
    let both = tests(&["args.a gt 1", "args.a lt 1"]);
    let place = "/tools/t/require/0/conditions/1";
    let shadow =
        entry("require", &both).replace("{\"conditions\"", "{\"shadow\":true,\"conditions\"");
    expect(&shadow, Some((place, "every call would be refused")));
    let deny = r#""delete_*":{"shadow":true,"action":"deny"},"delete_x":{}"#;
    expect(&tools(deny), None);
}

#[test]
fn a_document_with_mistakes_has_no_warnings_and_one_whose_tests_fail_has() {
    let broken = r#"{"version":"1","default":"allow","show_unlisted":true,"toolz":{}}"#;
    let review = Policy::review(broken.as_bytes(), None);
    assert_eq!(review.policy.expect_err("it is broken").len(), 1);
    assert_eq!((review.warnings.len(), review.tests), (0, Ran::default()));
    let failing = r#"{"version":"1","default":"allow","show_unlisted":true,"tests":[
        {"call":{"tool":"t"},"expect":"deny"},{"call":{"tool":"t"},"expect":"allow"}]}"#;
    let review = Policy::review(failing.as_bytes(), None);
    assert_eq!(review.policy.expect_err("a test fails").len(), 1);
    assert_eq!(review.warnings.len(), 1);
    let expected = Ran {
        passed: 1,
        failed: 1,
    };
    assert_eq!(review.tests, expected);
}
