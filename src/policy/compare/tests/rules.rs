//! What is told of rules: that they came, went, or have another constant.

use super::*;

/// Entries with one test each.
fn entries(section: &str, tests: &[&str]) -> String {
    let tests: Vec<_> = tests
        .iter()
        .map(|test| format!("{{\"conditions\":[{{{test}}}]}}"))
        .collect();
    format!("\"{section}\":[{}]", tests.join(","))
}

fn gt(value: &str) -> String {
    format!(r#""path":"args.n","op":"gt","value":{value}"#)
}

fn within(value: &str) -> String {
    format!(r#""path":"args.s","op":"in","value":{value}"#)
}

/// Each edit has one effect.
fn one_effect(cases: &[(String, String, &str)]) {
    for (old, new, told) in cases {
        assert_eq!(edited(old, new), [*told], "{old} → {new}");
    }
}

#[test]
fn rules_that_come_or_go_are_told() {
    let denied = entries("deny_if", &[&gt("5")]);
    let asked = entries("approve_if", &[&gt("5")]);
    let none = String::new;
    one_effect(&[
        (
            none(),
            denied.clone(),
            "t | tighter | rule added | deny_if args.n gt 5",
        ),
        (
            denied.clone(),
            none(),
            "t | looser | rule removed | deny_if args.n gt 5",
        ),
        (
            asked,
            denied,
            "t | tighter | rule added | deny_if args.n gt 5",
        ),
        (
            "\"schema\":true".into(),
            "\"schema\":\"closed\"".into(),
            "t | tighter | rule changed | schema true → schema \"closed\"",
        ),
        (
            "\"schema\":\"closed\"".into(),
            none(),
            "t | looser | rule removed | schema \"closed\"",
        ),
        (
            none(),
            "\"action\":\"require_approval\"".into(),
            "t | tighter | rule added | approve_if, always",
        ),
    ]);
}

#[test]
fn a_constant_says_which_way_a_rule_changed() {
    let edit =
        |section: &str, old: &str, new: &str| (entries(section, &[old]), entries(section, &[new]));
    for (section, (old, new), direction) in [
        ("deny_if", (gt("5"), gt("9")), "looser"),
        ("deny_if", (gt("9"), gt("5")), "tighter"),
        ("require", (gt("5"), gt("9")), "tighter"),
        ("approve_if", (gt("9"), gt("5")), "tighter"),
        (
            "require",
            (within("[\"a\"]"), within("[\"b\",\"a\"]")),
            "looser",
        ),
        (
            "deny_if",
            (within("[\"a\"]"), within("[\"b\",\"a\"]")),
            "tighter",
        ),
        ("deny_if", (within("[\"a\"]"), within("[\"b\"]")), "looser"),
        // A number was unknown to a list of texts, and so denied; a list with a number knows that 7 is not in it.
        (
            "deny_if",
            (within("[\"a\"]"), within("[\"a\",5]")),
            "looser",
        ),
    ] {
        let (before, after) = edit(section, &old, &new);
        let told = edited(&before, &after);
        let expected = format!("t | {direction} | rule changed | {section} ");
        assert!(
            told.len() == 1 && told[0].starts_with(&expected),
            "{expected}: {told:?}"
        );
    }
}

#[test]
fn other_words_for_the_same_are_no_change() {
    let (five, nine) = (gt("5"), gt("9"));
    for (old, new) in [
        (
            entries("deny_if", &[&five]),
            entries("deny_if", &[&gt("5.0")]),
        ),
        (
            entries("require", &[&five, &nine]),
            entries("require", &[&nine, &five]),
        ),
    ] {
        assert_eq!(edited(&old, &new), [""; 0], "{old} → {new}");
    }
}

#[test]
fn a_rule_in_shadow_is_none() {
    let rule = r#""deny_if":[{"conditions":[{"path":"args.n","op":"gt","value":5}]}]"#;
    let shadowed = rule.replace("]}]", "],\"shadow\":true}]");
    assert_eq!(
        edited(rule, &shadowed),
        ["t | looser | rule removed | deny_if args.n gt 5"]
    );
    assert_eq!(
        edited(rule, &format!("\"shadow\":true,{rule}")),
        ["t | looser | rule removed | deny_if args.n gt 5"]
    );
}

#[test]
fn a_refusal_that_asked_for_what_is_missing_is_not_replaced_by_one_that_does_not() {
    let asked = entries("approve_if", &[&gt("5")]).replace("]}", "],\"if_missing\":\"deny\"}");
    let denied = entries("deny_if", &[&gt("5")]);
    assert_eq!(
        edited(&asked, &denied),
        [
            "t | looser | rule removed | approve_if args.n gt 5",
            "t | tighter | rule added | deny_if args.n gt 5",
        ]
    );
}
