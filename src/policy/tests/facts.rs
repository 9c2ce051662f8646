//! Paths that do not begin with `args`: who calls, which tool, when. And rules in shadow.

use super::*;
use crate::policy::{Caller, Moment, Shadowed};

fn entry_with(conditions: &str, more: &str) -> String {
    format!(r#"{{"conditions":[{conditions}]{more}}}"#)
}

fn allows(policy: &Policy, tool: &str, facts: &Facts<'_>) -> bool {
    let call = Call {
        tool,
        arguments: None,
    };
    matches!(policy.decide(&call, facts).decision, Decision::Allow(_))
}

fn at(time: &str) -> Facts<'static> {
    let time: jiff::Timestamp = time.parse().expect("a time");
    let seconds = time.as_second();
    Facts {
        time: Moment { seconds },
        ..Facts::NONE
    }
}

/// A condition, and whether it holds for a grant with label, tags and client, and for one without.
const WHO: &[(&str, bool, bool)] = &[
    (
        r#"{"path":"grant.label","op":"eq","value":"support"}"#,
        true,
        false,
    ),
    (
        r#"{"path":"grant.label","op":"in","value":["other"]}"#,
        false,
        true,
    ),
    (
        r#"{"path":"grant.tags.team","op":"eq","value":"pay"}"#,
        true,
        false,
    ),
    (
        r#"{"path":"grant.tags[\"env\"]","op":"starts_with","value":"pr"}"#,
        true,
        false,
    ),
    (
        r#"{"path":"grant.tags.env","op":"exists","value":true}"#,
        true,
        false,
    ),
    (
        r#"{"path":"grant.tags.none","op":"exists","value":false}"#,
        true,
        true,
    ),
    // What is missing differs from every constant, in deny_if.
    (
        r#"{"path":"grant.tags.env","op":"neq","value":"dev"}"#,
        true,
        true,
    ),
    (
        r#"{"path":"client.name","op":"regex","value":"^claude$"}"#,
        false,
        false,
    ),
    (
        r#"{"path":"client.name","op":"regex","value":"(?i)^claude$"}"#,
        true,
        false,
    ),
    (
        r#"{"path":"tool.name","op":"ends_with","value":"t"}"#,
        true,
        true,
    ),
];

#[test]
fn rules_ask_who_calls() {
    let tags = [("env".into(), "prod".into()), ("team".into(), "pay".into())];
    let facts = |label, tags, client| Facts {
        caller: Caller {
            label,
            tags,
            client,
        },
        ..Facts::NONE
    };
    let prod = facts("support", &tags[..], Some("Claude"));
    let plain = facts("other", &[][..], None);
    for &(condition, holds_for_prod, holds_for_plain) in WHO {
        let policy = with_tool(&format!(r#"{{"deny_if":[{}]}}"#, entry_with(condition, "")));
        assert_eq!(!allows(&policy, "t", &prod), holds_for_prod, "{condition}");
        assert_eq!(
            !allows(&policy, "t", &plain),
            holds_for_plain,
            "{condition}"
        );
    }
}

/// A condition, its zone, a time, and whether it holds then.
const WHEN: &[(&str, &str, &str, bool)] = &[
    (
        r#""time.hour","op":"eq","value":22"#,
        "",
        "2026-11-24T22:59:59Z",
        true,
    ),
    (
        r#""time.hour","op":"eq","value":22"#,
        "",
        "2026-11-24T23:00:00Z",
        false,
    ),
    (
        r#""time.hour","op":"gte","value":9"#,
        "",
        "2026-11-24T08:59:59Z",
        false,
    ),
    (
        r#""time.hour","op":"eq","value":0"#,
        "Europe/Berlin",
        "2026-11-24T23:00:00Z",
        true,
    ),
    // Summer time: two hours ahead instead of one.
    (
        r#""time.hour","op":"eq","value":0"#,
        "Europe/Berlin",
        "2026-07-01T22:00:00Z",
        true,
    ),
    (
        r#""time.weekday","op":"in","value":["saturday","sunday"]"#,
        "",
        "2026-11-24T12:00:00Z",
        false,
    ),
    (
        r#""time.weekday","op":"eq","value":"tuesday""#,
        "",
        "2026-11-24T12:00:00Z",
        true,
    ),
    (
        r#""time.weekday","op":"eq","value":"wednesday""#,
        "Asia/Tokyo",
        "2026-11-24T15:00:00Z",
        true,
    ),
    (
        r#""time.date","op":"eq","value":"2026-11-25""#,
        "Asia/Tokyo",
        "2026-11-24T15:00:00Z",
        true,
    ),
    (
        r#""time.date","op":"starts_with","value":"2026-11-""#,
        "",
        "2026-11-30T23:59:59Z",
        true,
    ),
    (
        r#""time.date","op":"eq","value":"1969-12-31""#,
        "",
        "1969-12-31T23:59:59Z",
        true,
    ),
];

#[test]
fn rules_ask_what_time_it_is_in_their_zone() {
    for &(condition, zone, time, holds) in WHEN {
        let more = match zone {
            "" => String::new(),
            zone => format!(r#","zone":"{zone}""#),
        };
        let condition = format!(r#"{{"path":{condition}}}"#);
        let policy = with_tool(&format!(
            r#"{{"deny_if":[{}]}}"#,
            entry_with(&condition, &more)
        ));
        assert_eq!(
            !allows(&policy, "t", &at(time)),
            holds,
            "{condition} {zone} {time}"
        );
    }
}

#[test]
fn a_time_that_no_calendar_has_denies() {
    let policy =
        with_tool(r#"{"deny_if":[{"conditions":[{"path":"time.hour","op":"eq","value":5}]}]}"#);
    let facts = Facts {
        time: Moment { seconds: i64::MAX },
        ..Facts::NONE
    };
    assert!(!allows(&policy, "t", &facts));
}

#[test]
fn own_tests_say_when_a_call_comes() {
    let source = |at: &str| {
        format!(
            r#"{{"version":"1","default":"deny","tools":{{"t":{{"deny_if":[{{"conditions":[
                {{"path":"time.weekday","op":"eq","value":"sunday"}}]}}]}}}},
                "tests":[{{"call":{{"tool":"t"}},"expect":"deny"{at}}}]}}"#
        )
    };
    let sunday = source(r#","at":"2026-11-22T10:00:00+01:00""#);
    assert!(Policy::compile(sunday.as_bytes()).is_ok());
    // Without a time it is a Monday.
    assert!(Policy::compile(source("").as_bytes()).is_err());
}

/// Pointers of what rules in shadow say of a call, and whether it may run.
fn shadowed(policy: &Policy, arguments: &str) -> (bool, Vec<String>) {
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader.read(arguments.as_bytes()).expect("JSON");
    let call = Call {
        tool: "t",
        arguments: Some(document.root()),
    };
    let judgement = policy.decide(&call, &Facts::NONE);
    let pointer = |shadowed: &Shadowed<'_>| match shadowed {
        Shadowed::Denied(denial) => denial.pointer().unwrap_or_default().to_owned(),
        Shadowed::Held(rule) => format!("hold {}", rule.pointer),
    };
    let may_run = matches!(judgement.decision, Decision::Allow(_));
    (may_run, judgement.shadowed.iter().map(pointer).collect())
}

#[test]
fn a_rule_in_shadow_is_judged_and_told_and_changes_nothing() {
    let policy = with_tool(
        r#"{"require":[{"conditions":[{"path":"args.a","op":"gt","value":5}],"shadow":true},
                       {"conditions":[{"path":"args.b","op":"gt","value":5}]}],
            "deny_if":[{"conditions":[],"shadow":true}],
            "approve_if":[{"conditions":[{"path":"args.a","op":"eq","value":1}],"shadow":true}]}"#,
    );
    for (arguments, may_run, told) in [
        (r#"{"a":6,"b":6}"#, true, vec!["/tools/t/deny_if/0"]),
        (
            r#"{"a":1,"b":6}"#,
            true,
            vec![
                "/tools/t/require/0",
                "/tools/t/deny_if/0",
                "hold /tools/t/approve_if/0",
            ],
        ),
        (
            r#"{"a":"x","b":6}"#,
            true,
            vec![
                "/tools/t/require/0",
                "/tools/t/deny_if/0",
                "/tools/t/approve_if/0",
            ],
        ),
        // The enforced rule refuses; what comes after it is not judged any more.
        (r#"{"a":1,"b":1}"#, false, vec!["/tools/t/require/0"]),
        // A key that only looks like one that is judged in shadow is told, too.
        (
            r#"{"a":6,"A":1,"b":6}"#,
            true,
            vec!["/tools/t/require/0", "/tools/t/deny_if/0"],
        ),
        (r#"{"a":6,"b":6,"B":1}"#, false, vec![]),
    ] {
        assert_eq!(
            shadowed(&policy, arguments),
            (may_run, told.into_iter().map(String::from).collect()),
            "{arguments}"
        );
    }
}

#[test]
fn a_tool_in_shadow_is_listed_and_refuses_nothing() {
    let policy = with_tool(
        r#"{"shadow":true,"action":"deny","schema":{"required":["x"]},
            "require":[{"conditions":[{"path":"args.b","op":"gt","value":5}]}]}"#,
    );
    assert!(policy.is_listed("t"));
    let (may_run, told) = shadowed(&policy, "{}");
    assert!(may_run);
    assert_eq!(
        told,
        ["/tools/t/schema", "/tools/t/require/0", "/tools/t/action"]
    );
}

#[test]
fn an_unconditional_deny_in_shadow_overrules_no_other_entry() {
    let policy = compiled(
        r#"{"version":"1","default":"deny","tools":{"t*":{"action":"deny","shadow":true},"t":{}}}"#,
    );
    assert_eq!(outcome(&policy, "t", "{}"), "allow");
}

// A rule in shadow once took its work from the same account as those that are enforced.
#[test]
fn a_rule_in_shadow_leaves_the_enforced_ones_their_work() {
    let costly = r#"{"conditions":[{"path":"args.a[*].x","op":"eq","value":1}],"shadow":true}"#;
    let all = vec![costly; 40].join(",");
    let policy = with_tool(&format!(
        r#"{{"deny_if":[{all},{{"conditions":[{{"path":"args.b","op":"eq","value":1}}]}}]}}"#
    ));
    let elements = vec![r#"{"x":2}"#; 20_000].join(",");
    let arguments = format!(r#"{{"a":[{elements}],"b":2}}"#);
    let (may_run, told) = shadowed(&policy, &arguments);
    assert!(may_run, "the shadow used up what the enforced rule needed");
    assert!(!told.is_empty(), "the shadow's own work is bounded");
}
