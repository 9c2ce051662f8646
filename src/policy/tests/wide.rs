//! What reaches further than one entry: `all_tools`, shared counters, what is shown, what is missing.

use super::*;

fn charged(policy: &Policy, tool: &str) -> Vec<String> {
    decide(policy, (tool, "{}"), Listing::Listed, |decision| {
        let Decision::Allow(permit) = decision else {
            panic!("{tool} was refused: {decision:?}");
        };
        let charges = permit.charges().iter();
        charges
            .map(|charge| charge.limit.rule.to_string())
            .collect()
    })
}

#[test]
fn the_rules_of_all_tools_come_after_the_tools_own_in_each_section() {
    let policy = compiled(
        r#"{"version":"1","default":"allow",
        "all_tools":{"require":[{"conditions":[{"path":"args.a","op":"eq","value":1}]}],
                     "deny_if":[{"conditions":[{"path":"args.b","op":"eq","value":1}],"on_deny":"Never b."}]},
        "tools":{"t":{"require":[{"conditions":[{"path":"args.c","op":"eq","value":1}]}],
                      "deny_if":[{"conditions":[{"path":"args.d","op":"eq","value":1}]}]}}}"#,
    );
    for (tool, arguments, expected) in [
        ("t", r#"{"a":1,"c":1}"#, "allow"),
        (
            "t",
            r#"{"a":2,"c":2,"d":1}"#,
            "rule /tools/t/require/args.c-eq ",
        ),
        (
            "t",
            r#"{"a":2,"c":1,"d":1}"#,
            "rule /all_tools/require/args.a-eq ",
        ),
        (
            "t",
            r#"{"a":1,"b":1,"c":1,"d":1}"#,
            "rule /tools/t/deny_if/args.d-eq ",
        ),
        (
            "t",
            r#"{"a":1,"b":1,"c":1}"#,
            "rule /all_tools/deny_if/args.b-eq t: Never b. args.b must not be 1.",
        ),
        (
            "t",
            r#"{"a":1,"B":1,"c":1}"#,
            "argument /all_tools/deny_if/args.b-eq ",
        ),
        ("other", r#"{"a":1}"#, "allow"),
        ("other", r#"{"a":2}"#, "rule /all_tools/require/args.a-eq "),
    ] {
        let told = told(&policy, tool, arguments);
        assert!(told.starts_with(expected), "{tool} {arguments}: {told}");
    }
}

#[test]
fn all_tools_opens_no_tool_that_is_closed() {
    let policy = compiled(
        r#"{"version":"1","default":"deny","all_tools":{"limits":[{"counter":"c","window":"minute","max":5}]},"tools":{"t":{}}}"#,
    );
    assert_eq!(outcome(&policy, "other", "{}"), "unavailable");
    assert!(!policy.is_listed("other"));
    assert_eq!(charged(&policy, "t"), ["/all_tools/limits/c"]);
}

#[test]
fn a_call_takes_from_its_own_limits_from_shared_counters_and_from_those_of_all_tools() {
    let policy = compiled(
        r#"{"version":"1","default":"allow",
        "counters":{"spend/all":{"window":"day","max":100,"on_deny":"The budget is gone"},"unused":{"window":"day","max":1}},
        "all_tools":{"limits":[{"counter":"calls","window":"minute","max":60},"spend/all"]},
        "tools":{"a":{"limits":["spend/all",{"counter":"own","window":"hour","max":3}]},"b":{"limits":["spend/all"]},
                 "c":{"limits":[{"counter":"spend","window":"hour","max":3}]}}}"#,
    );
    let shared = "/counters/spend~1all";
    assert_eq!(
        charged(&policy, "a"),
        [shared, "/tools/a/limits/own", "/all_tools/limits/calls"],
        "one call takes once from a shared counter"
    );
    assert_eq!(charged(&policy, "b"), [shared, "/all_tools/limits/calls"]);
    assert_eq!(
        charged(&policy, "c"),
        ["/tools/c/limits/spend", "/all_tools/limits/calls", shared]
    );
    let limits = policy.limits();
    assert!(
        limits
            .iter()
            .enumerate()
            .all(|(at, limit)| limit.index == at)
    );
    let spend = limits.iter().find(|limit| &*limit.rule == shared);
    let spend = spend.expect("the counter is a limit");
    assert_eq!(&*spend.pointer, "/counters/spend~1all");
    assert_eq!(spend.on_deny.as_deref(), Some("The budget is gone"));
}

#[test]
fn show_unlisted_shows_tools_but_opens_none() {
    for (shown, expected) in [("true", true), ("false", false)] {
        let policy = compiled(&format!(
            r#"{{"version":"1","default":"deny","show_unlisted":{shown},"hide":["h"],"tools":{{"t":{{}}}}}}"#
        ));
        assert!(policy.is_listed("t"));
        assert!(!policy.is_listed("h"), "what is hidden stays hidden");
        assert_eq!(
            policy.is_listed("other"),
            expected,
            "show_unlisted: {shown}"
        );
        assert_eq!(outcome(&policy, "other", "{}"), "unavailable");
    }
}

/// Section, operator and constant for `args.a[*].b`, arguments, outcome.
const FILLED_IN: &[(&str, &str, &str, &str)] = &[
    ("deny_if", r#""gt","value":5"#, r#"{"c":1}"#, "argument"),
    (
        "deny_if",
        r#""gt","value":5"#,
        r#"{"c":1,"a":[{"b":1}]}"#,
        "allow",
    ),
    (
        "deny_if",
        r#""gt","value":5"#,
        r#"{"c":1,"a":[{"b":1},{}]}"#,
        "argument",
    ),
    (
        "deny_if",
        r#""gt","value":5"#,
        r#"{"c":1,"a":[]}"#,
        "argument",
    ),
    (
        "deny_if",
        r#""gt","value":5"#,
        r#"{"c":1,"a":[{"b":null}]}"#,
        "argument",
    ),
    // Whatever the server fills in for `a`, the entry does not hold.
    ("deny_if", r#""gt","value":5"#, r#"{"c":2}"#, "allow"),
    ("deny_if", r#""neq","value":5"#, r#"{"c":1}"#, "argument"),
    ("deny_if", r#""exists","value":true"#, r#"{"c":1}"#, "allow"),
    ("deny_if", r#""exists","value":false"#, r#"{"c":1}"#, "rule"),
    ("require", r#""lt","value":5"#, r#"{"c":1}"#, "argument"),
    ("require", r#""lt","value":5"#, r#"{"c":2}"#, "rule"),
    (
        "require",
        r#""lt","value":5"#,
        r#"{"c":1,"a":[{"b":1}]}"#,
        "allow",
    ),
    (
        "require",
        r#""exists","value":false"#,
        r#"{"c":1}"#,
        "allow",
    ),
];

#[test]
fn what_the_server_may_fill_in_is_unknown_where_the_author_says_so() {
    let rule = |section: &str, op: &str| {
        with_tool(&format!(
            r#"{{"{section}":[{{"conditions":[{{"path":"args.a[*].b","op":{op}}},{{"path":"args.c","op":"eq","value":1}}],"if_missing":"deny"}}]}}"#
        ))
    };
    for (section, op, arguments, expected) in FILLED_IN {
        let policy = rule(section, op);
        let found = outcome(&policy, "t", arguments);
        assert_eq!(found, *expected, "{section} {op} {arguments}");
    }
    let told = told(&rule("deny_if", r#""gt","value":5"#), "t", r#"{"c":1}"#);
    assert!(
        told.ends_with(" t: args.a[*].b must be present. The call was not run."),
        "{told}"
    );
}

/// A policy with these tests of its own.
fn tested(tests: &str) -> String {
    format!(
        r#"{{"version":"1","default":"deny","hide":["h"],
        "all_tools":{{"limits":[{{"counter":"calls","window":"hour","max":20,"burst":4}}]}},
        "tools":{{"t":{{"rate_limit":"3/minute","deny_if":[{{"conditions":[{{"path":"args.a","op":"gt","value":5}}]}}]}},
                  "u":{{}}, "ask":{{"action":"require_approval"}}}},
        "tests":[{tests}]}}"#
    )
}

#[test]
fn a_policy_whose_own_tests_pass_loads() {
    compiled(&tested(
        r#"{"call":{"tool":"t"},"expect":"allow"},
           {"call":{"tool":"t","args":{"a":5}},"expect":"allow","times":3},
           {"call":{"tool":"t","args":{"a":5}},"expect":"deny","times":4,"rule":"/tools/t/limits/rate_limit"},
           {"call":{"tool":"u"},"expect":"allow","times":4},
           {"call":{"tool":"u"},"expect":"deny","times":5,"rule":"/all_tools/limits/calls"},
           {"call":{"tool":"t"},"expect":"deny","times":5,"rule":"/all_tools/limits/calls"},
           {"call":{"tool":"t","args":{"a":6}},"expect":"deny","rule":"/tools/t/deny_if/args.a-gt"},
           {"call":{"tool":"t","args":{"a":"6"}},"expect":"deny","rule":"/tools/t/deny_if/args.a-gt"},
           {"call":{"tool":"ask"},"expect":"approve","rule":"/tools/ask/approve_if/always"},
           {"call":{"tool":"h"},"expect":"deny","rule":"(hidden)"},
           {"call":{"tool":"x"},"expect":"deny","rule":"(default deny)"}"#,
    ));
}

#[test]
fn a_policy_whose_own_tests_fail_does_not_load() {
    for (test, expected) in [
        (
            r#"{"call":{"tool":"t"},"expect":"deny"}"#,
            "expected deny, found allow",
        ),
        (
            r#"{"call":{"tool":"t","args":{"a":6}},"expect":"allow"}"#,
            "expected allow, found deny by /tools/t/deny_if/args.a-gt",
        ),
        (
            r#"{"call":{"tool":"t","args":{"a":6}},"expect":"deny","rule":"/tools/t/deny_if/args.b-gt"}"#,
            "expected deny by /tools/t/deny_if/args.b-gt, found deny by /tools/t/deny_if/args.a-gt",
        ),
        (
            r#"{"call":{"tool":"t"},"expect":"deny","times":3}"#,
            "expected deny, found allow",
        ),
        (
            r#"{"call":{"tool":"u"},"expect":"allow","times":5}"#,
            "expected allow, found deny by /all_tools/limits/calls",
        ),
        (
            r#"{"call":{"tool":"ask"},"expect":"deny"}"#,
            "expected deny, found approve by /tools/ask/approve_if/always",
        ),
    ] {
        let mistakes = Policy::compile(tested(test).as_bytes()).expect_err("the test fails");
        assert_eq!(mistakes.len(), 1, "{test}");
        assert_eq!(
            mistakes[0].what,
            format!("this test fails: {expected}"),
            "{test}"
        );
        assert_eq!(mistakes[0].pointer, "/tests/0", "{test}");
    }
}

#[test]
fn a_person_is_asked_where_an_approve_if_holds_and_nobody_where_that_is_unclear() {
    let policy = compiled(
        r#"{"version":"1","default":"allow",
        "all_tools":{"approve_if":[{"conditions":[{"path":"args.all","op":"eq","value":true}],"on_deny":"Ask."}]},
        "tools":{"t":{"approve_if":[{"conditions":[{"path":"args.a","op":"gt","value":500}]},
                                    {"conditions":[{"path":"args.b","op":"gt","value":5}]}],
                      "deny_if":[{"conditions":[{"path":"args.a","op":"gt","value":1000}]}]}}}"#,
    );
    for (tool, arguments, expected) in [
        ("t", r#"{"a":500,"b":5}"#, "allow"),
        (
            "t",
            r#"{"a":501}"#,
            "hold /tools/t/approve_if/args.a-gt t: args.a must be at most 500, or a person must approve the call. The call was not run.",
        ),
        (
            "t",
            r#"{"a":501,"b":"x"}"#,
            "argument /tools/t/approve_if/args.b-gt t: args.b must be a number.",
        ),
        ("t", r#"{"a":1001}"#, "rule /tools/t/deny_if/args.a-gt "),
        ("t", r#"{"b":6}"#, "hold /tools/t/approve_if/args.b-gt "),
        (
            "t",
            r#"{"B":501}"#,
            "argument /tools/t/approve_if/args.b-gt ",
        ),
        (
            "other",
            r#"{"all":true}"#,
            "hold /all_tools/approve_if/args.all-eq other: Ask. args.all must not be true, or",
        ),
        ("other", r#"{"a":501}"#, "allow"),
    ] {
        let told = told(&policy, tool, arguments);
        assert!(told.starts_with(expected), "{tool} {arguments}: {told}");
    }
}

// Judging the entry once to see whether it is clear and once more to see whether it holds let such a call run.
#[test]
fn arguments_that_take_most_of_the_work_do_not_slip_past_a_person() {
    let policy =
        with_tool(r#"{"approve_if":[{"conditions":[{"path":"args.a[*]","op":"eq","value":1}]}]}"#);
    let arguments = format!(r#"{{"a":[{}1]}}"#, "2,".repeat(400_000));
    assert_eq!(outcome(&policy, "t", &arguments), "hold");
}
