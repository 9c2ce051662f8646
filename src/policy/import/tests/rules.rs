//! Tests of what Intercept's rules become.

use super::*;
use crate::policy::{Call, Decision, Facts};

/// A policy in Intercept's dialect in which tool `t` has these rules, each line indented by six.
fn with_rules(rules: &str) -> String {
    let rules: String = rules
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    format!("version: \"1\"\ntools:\n  t:\n    rules:\n{rules}")
}

#[test]
fn mistakes_in_rules_are_told_where_the_rules_have_them() {
    let source = with_rules(
        "- name: a\n  conditions:\n    - path: args.x\n      op: lessthan\n      value: 1\n- name: b\n  rate_limit: 5/fortnight",
    );
    assert_eq!(
        yaml(&source).expect_err("broken"),
        [
            "line 8, column 17, /tools/t/rules/0/conditions/0/op: unknown operator \"lessthan\", the operators are eq, neq, lt, lte, gt, gte, in, not_in, exists, regex, contains, starts_with, ends_with, glob, is, length_lt, length_lte, length_gt, length_gte, cidr, path_within, url_host",
            "line 11, column 21, /tools/t/rules/1/rate_limit: the window \"fortnight\" cannot be read, write \"second\", \"minute\", \"hour\", \"day\", \"week\", \"month\", whole seconds, or such as \"90s\", \"15m\", \"6h\", \"30d\"; at most 31 days",
        ]
    );
}

#[test]
fn a_condition_on_a_counter_is_its_limit() {
    let source = with_rules(
        "- name: daily\n  on_deny: Enough.\n  conditions:\n    - {path: state.t.calls, op: lt, value: 8}\n    - {path: args.amount, op: lte, value: 5}\n  state: {counter: calls, window: day}",
    );
    let found = text(&source);
    for part in [
        "\"counter\": \"calls\",\n          \"window\": \"day\",\n          \"max\": 7,",
        "{ \"path\": \"args.amount\", \"op\": \"lte\", \"value\": 5 }",
    ] {
        assert!(found.contains(part), "{part} is not in {found}");
    }
    assert_eq!(found.matches("Enough.").count(), 2, "{found}");
}

#[test]
fn what_a_call_adds_to_a_counter_is_carried_over() {
    let counting = |state: &str| {
        with_rules(&format!(
            "- name: a\n  conditions: [{{path: state.t.c, op: lte, value: 50}}]\n  state: {{counter: c, window: day{state}}}"
        ))
    };
    for (state, part) in [
        ("", None),
        (", increment: 0", None),
        (", increment: 5", Some("\"increment\": 5")),
        (
            ", increment_from: args.n",
            Some("\"increment_from\": \"args.n\""),
        ),
        (
            ", increment: 5, increment_from: 'args.a[b'",
            Some("\"increment_from\": \"args[\\\"a[b\\\"]\""),
        ),
    ] {
        let found = text(&counting(state));
        let parts: Vec<_> = found.match_indices("\"increment").collect();
        assert_eq!(parts.len(), usize::from(part.is_some()), "{state}: {found}");
        assert!(
            part.is_none_or(|part| found.contains(part)),
            "{state}: {found}"
        );
    }
    assert!(
        yaml(&counting(", increment: -5")).is_err(),
        "a counter never goes back"
    );
}

/// Each of these rules has this mistake, among others perhaps.
fn refused_rules(cases: &[(&str, &str)]) {
    for (rules, told) in cases {
        let mistakes = yaml(&with_rules(rules)).expect_err(rules);
        let is_told = mistakes.iter().any(|mistake| mistake.contains(told));
        assert!(is_told, "{rules}: {mistakes:#?}");
    }
}

#[test]
fn rules_that_cannot_be_carried_over_as_strictly_are_refused() {
    refused_rules(&[
        ("- {name: a}", "this rule neither denies nor asks anything"),
        (
            "- {name: a, action: warn, rate_limit: 5/hour}",
            "this action is not known here",
        ),
        (
            "- {name: a, action: deny, rate_limit: 5/hour}",
            "a rule that denies always has neither",
        ),
        (
            "- {name: a, rate_limit: five/hour}",
            "this rate cannot be read",
        ),
        (
            "- {name: a, rate_limit: 5/hour, conditions: [{path: args.x, op: exists, value: true}]}",
            "next to \"rate_limit\"",
        ),
        (
            "- {name: a, rate_limit: 5/hour}\n- {name: b, rate_limit: 9/hour}",
            "the counter \"_rate_hour\" is in this entry twice",
        ),
        (
            "- {name: a, conditions: [{path: foo.x, op: exists, value: true}]}",
            "the path \"foo.x\" must begin with",
        ),
        (
            "- {name: a, conditions: [{path: args.x, op: regex, value: \"[+--]\"}]}",
            "\"--\" in a class of a regex",
        ),
        (
            "- {name: a, conditions: [{any: []}]}",
            "unknown key \"any\"",
        ),
        (
            "- {name: a, ratelimit: 5/hour}",
            "unknown key \"ratelimit\", did you mean \"rate_limit\"?",
        ),
        (
            "- {name: a, conditions: 5}",
            "must be an array, not a number",
        ),
        ("- 5", "must be an object, not a number"),
    ]);
}

#[test]
fn a_counter_without_a_limit_of_its_own_is_refused() {
    let counting = |condition: &str| {
        format!(
            "- name: a\n  conditions: [{{path: {condition}}}]\n  state: {{counter: c, window: day}}"
        )
    };
    let twice = format!(
        "{}\n{}",
        counting("state.t.c, op: lte, value: 5"),
        counting("state.t.c, op: lte, value: 6")
    );
    refused_rules(&[
        (
            &counting("state.t.c, op: gte, value: 5"),
            "a counter can only be compared by \"lte\" or \"lt\"",
        ),
        (
            &counting("state.t.c, op: lt, value: 1"),
            "a whole number that admits at least one call",
        ),
        (
            &counting("state.t.c, op: lte, value: 5.5"),
            "a whole number that admits at least one call",
        ),
        (
            &counting("state.t.c, op: lte, value: \"5\""),
            "a whole number that admits at least one call",
        ),
        (
            &counting("state.u.c, op: lte, value: 5"),
            "no rule of this tool counts in \"state.u.c\"",
        ),
        (
            &counting("args.x, op: exists, value: true"),
            "nothing limits the counter \"c\"",
        ),
        (&twice, "two rules of this tool count in \"c\""),
        (&twice, "the counter \"c\" is limited twice"),
        (
            "- {name: a, rate_limit: 5/hour, state: {window: day}}",
            "the counter has no name",
        ),
    ]);
}

#[test]
fn a_name_that_would_become_a_pattern_is_refused() {
    let source = "version: \"1\"\ndefault: deny\ntools:\n  get_*:\n    rules: []\n";
    assert_eq!(
        refused(source),
        "line 4, column 3, /tools/get_*: \"get_*\" is one exact name to Intercept and would be a pattern here, name each tool that is meant"
    );
}

/// What tool `t` does to a call with these arguments.
fn allows(policy: &Policy, arguments: &str) -> bool {
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader
        .read(arguments.as_bytes())
        .expect("arguments are JSON");
    let call = Call {
        tool: "t",
        arguments: Some(document.root()),
    };
    matches!(
        policy.decide(&call, &Facts::NONE).decision,
        Decision::Allow(_)
    )
}

#[test]
fn a_translated_path_means_one_key_for_each_step() {
    let rules = "- {name: a, conditions: [{path: \"args.items[0].x\", op: eq, value: 1}]}";
    let policy = compile(with_rules(rules).as_bytes(), Format::Yaml).expect("a valid policy");
    assert!(
        !allows(&policy, r#"{"items":[{"x":1}]}"#),
        "Intercept has no arrays in paths"
    );
    assert!(allows(&policy, r#"{"items[0]":{"x":1}}"#));
}
