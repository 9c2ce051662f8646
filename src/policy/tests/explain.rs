//! An explanation says what `decide` decides, and why.

use proptest::prelude::*;

use super::reference::{inputs, inputs_around, inputs_json};
use super::*;

fn explained(source: &str, (tool, arguments): (&str, &str), facts: Facts<'_>) -> Explanation {
    let policy = compiled(source);
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader
        .read(arguments.as_bytes())
        .expect("arguments are JSON");
    let call = Call {
        tool,
        arguments: Some(document.root()),
    };
    let explanation = explain(source.as_bytes(), &call, &facts).expect("it compiles");
    let decision = policy.decide(&call, &facts).decision;
    assert_eq!(
        (explanation.verdict, explanation.rule.as_deref()),
        decided(&decision),
        "{source} {arguments}"
    );
    explanation
}

fn decided<'d>(decision: &'d Decision<'_>) -> (&'static str, Option<&'d str>) {
    match decision {
        Decision::Allow(_) => ("allow", None),
        Decision::Hold(held) => ("approve", Some(&held.rule.id)),
        Decision::Deny(Denial::Unavailable(reason)) => ("deny", Some(reason.reason())),
        Decision::Deny(denial) => ("deny", denial.rule()),
    }
}

/// Each step in one line, with its conditions below.
fn lines(explanation: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &explanation.steps {
        let pointer = step.spot.as_ref().map_or("-", |spot| &spot.pointer);
        let truth = step.truth.unwrap_or("-");
        lines.push(format!(
            "{} {pointer} {truth}: {}",
            step.section, step.follows
        ));
        for look in &step.looks {
            let saw = look.saw.as_deref().unwrap_or("-");
            let why = look.why.as_deref().unwrap_or("-");
            let inside = "  ".repeat(look.depth + 1);
            lines.push(format!(
                "{inside}{} [{}] saw {saw}: {} ({why})",
                look.test, look.spot.pointer, look.truth
            ));
        }
    }
    lines
}

fn with_rules(rules: &str) -> String {
    format!(r#"{{"version":"1","default":"deny","tools":{{"t":{rules}}}}}"#)
}

/// The steps after the two that come before any rule.
fn steps(rules: &str, arguments: &str) -> Vec<String> {
    let explanation = explained(&with_rules(rules), ("t", arguments), Facts::NONE);
    let lines = lines(&explanation);
    assert_eq!(
        lines[..2],
        [
            "hide - -: the tool is not hidden",
            "tools /tools/t -: this entry speaks for the tool",
        ]
    );
    lines[2..].to_vec()
}

#[test]
fn each_condition_is_told_with_what_it_saw() {
    let rules = r#"{"require":[{"conditions":[{"path":"args.reason","op":"exists","value":true}]}],
        "deny_if":[{"conditions":[{"path":"args.amount","op":"gt","value":10000}]},{"conditions":[]}]}"#;
    assert_eq!(
        steps(rules, r#"{"amount":5,"reason":"x"}"#),
        [
            "require /tools/t/require/0 true: holds",
            r#"  args.reason exists true [/tools/t/require/0/conditions/0] saw "x": true (-)"#,
            "deny_if /tools/t/deny_if/0 false: does not hold",
            "  args.amount gt 10000 [/tools/t/deny_if/0/conditions/0] saw 5: false (-)",
            "deny_if /tools/t/deny_if/1 true: holds: refused",
        ]
    );
    assert_eq!(
        steps(rules, r#"{"amount":"5"}"#),
        [
            "require /tools/t/require/0 false: does not hold: refused",
            "  args.reason exists true [/tools/t/require/0/conditions/0] saw nothing: false (-)",
        ]
    );
    assert_eq!(
        steps(rules, r#"{"amount":"5","reason":1}"#)[2..],
        [
            "deny_if /tools/t/deny_if/0 unknown: cannot be judged: refused",
            r#"  args.amount gt 10000 [/tools/t/deny_if/0/conditions/0] saw "5": unknown (args.amount must be a number)"#,
        ]
    );
}

#[test]
fn conditions_inside_others_are_told_as_far_as_they_were_judged() {
    let test = |path: &str, op: &str, value: &str| {
        format!(r#"{{"path":"{path}","op":"{op}","value":{value}}}"#)
    };
    let rules = format!(
        r#"{{"deny_if":[{{"conditions":[{{"any":[{{"not":{}}},{{"all":[{},{}]}},{}]}}]}}]}}"#,
        test("args.a", "eq", "1"),
        test("args.list[*].x", "lt", "5"),
        test("args.b.c", "eq", "2"),
        test("args.z", "eq", "3"),
    );
    let base = "/tools/t/deny_if/0/conditions/0";
    assert_eq!(
        steps(&rules, r#"{"a":1,"list":[{"x":1},{},{"x":9}],"b":7,"z":3}"#),
        [
            "deny_if /tools/t/deny_if/0 true: holds: refused".to_owned(),
            format!("  any [{base}] saw -: true (-)"),
            format!("    not [{base}/any/0] saw -: false (-)"),
            format!("      args.a eq 1 [{base}/any/0/not] saw 1: true (-)"),
            format!("    all [{base}/any/1] saw -: unknown (-)"),
            format!("      args.list[*].x lt 5 [{base}/any/1/all/0] saw 1, nothing, 9: true (-)"),
            format!(
                "      args.b.c eq 2 [{base}/any/1/all/1] saw 7 on the way: unknown (args.b must be an object)"
            ),
            format!("    args.z eq 3 [{base}/any/2] saw 3: true (-)"),
        ]
    );
}

#[test]
fn long_lists_and_empty_ones_are_told_in_short() {
    let rules = r#"{"deny_if":[{"conditions":[{"path":"args.l[*]","op":"gt","value":100}]}]}"#;
    let saw = |arguments: &str| steps(rules, arguments)[1].clone();
    assert!(saw(r#"{"l":[1,2,3,4,5,6,7]}"#).contains("saw 1, 2, 3, 4, 5, …: false"));
    assert!(saw(r#"{"l":[1,2,3,4,5]}"#).contains("saw 1, 2, 3, 4, 5: false"));
    assert!(saw(r#"{"l":[]}"#).contains("saw nothing in []: false"));
    assert!(saw(r#"{"l":null}"#).contains("saw null: false"));
}

#[test]
fn what_comes_before_the_rules_is_told() {
    let source = r#"{"version":"1","default":"DEFAULT","hide":["x","delete_*"],"tools":{"list_*":{},"a/b":{}}}"#;
    let told = |default: &str, tool: &str, listing: Listing| {
        let source = source.replace("DEFAULT", default);
        let facts = Facts {
            listing,
            ..Facts::NONE
        };
        lines(&explained(&source, (tool, "{}"), facts)).pop()
    };
    let table = [
        (
            "deny",
            "delete_x",
            Listing::Unknown,
            "hide /hide/1 -: the tool is hidden: refused",
        ),
        (
            "deny",
            "y",
            Listing::Unknown,
            "tools /default -: no entry matches, and the default is \"deny\": refused",
        ),
        (
            "allow",
            "y",
            Listing::Unknown,
            "tools /default -: no entry matches, and the default is \"allow\"",
        ),
        (
            "allow",
            "y",
            Listing::NotListed,
            "tools - -: the server does not list the tool, and no entry names it exactly: refused",
        ),
        (
            "deny",
            "list_x",
            Listing::Listed,
            "tools /tools/list_* -: this entry speaks for the tool",
        ),
        (
            "deny",
            "a/b",
            Listing::NotListed,
            "tools /tools/a~1b -: this entry speaks for the tool",
        ),
    ];
    for (default, tool, listing, expected) in table {
        assert_eq!(told(default, tool, listing).as_deref(), Some(expected));
    }
}

#[test]
fn an_entry_that_denies_from_beside_is_told() {
    let source = r#"{"version":"1","default":"deny","tools":{"t":{},"*":{"action":"deny"}}}"#;
    let explanation = explained(source, ("t", "{}"), Facts::NONE);
    assert_eq!(
        lines(&explanation).pop().as_deref(),
        Some(
            "deny_if /tools/*/action true: another entry matches too, and denies without conditions: refused"
        )
    );
    assert_eq!(explanation.rule.as_deref(), Some("/tools/*/deny_if/always"));
}

#[test]
fn schemas_look_alikes_and_shadows_are_told() {
    let schema = r#"{"schema":{"properties":{"a":{"type":"integer"}}}}"#;
    assert_eq!(
        steps(schema, r#"{"a":1}"#),
        ["schema /tools/t/schema true: the arguments fit"]
    );
    let found = steps(schema, r#"{"a":"x"}"#);
    assert!(
        found[0].starts_with("schema /tools/t/schema false: args.a does not fit the schema"),
        "{found:?}"
    );
    assert!(found[0].ends_with(": refused"), "{found:?}");
    let amount = r#"{"deny_if":[{"conditions":[{"path":"args.amount","op":"gt","value":1}]}]}"#;
    assert_eq!(
        steps(amount, r#"{"Amount":5}"#),
        [
            "deny_if /tools/t/deny_if/0 unknown: args must not have a key that only looks like \"amount\": refused"
        ]
    );
    let shadow = amount.replacen("{\"conditions\"", "{\"shadow\":true,\"conditions\"", 1);
    let explanation = explained(&with_rules(&shadow), ("t", r#"{"amount":5}"#), Facts::NONE);
    assert_eq!(explanation.verdict, "allow");
    assert_eq!(
        explanation.shadowed,
        ["/tools/t/deny_if/args.amount-gt would have refused it"]
    );
    assert_eq!(
        lines(&explanation)[2],
        "deny_if /tools/t/deny_if/0 true: holds: refused if it were not in shadow"
    );
}

#[test]
fn facts_are_told_as_they_were_brought() {
    let rules = r#"{"deny_if":[{"conditions":[{"any":[
        {"path":"grant.label","op":"eq","value":"x"},{"path":"grant.tags.team","op":"eq","value":"x"},
        {"path":"time.hour","op":"gt","value":22},{"path":"tool.annotations.destructiveHint","op":"eq","value":true}]}]}]}"#;
    let facts = Facts {
        caller: Caller {
            label: "support",
            tags: &[],
            client: None,
        },
        time: Moment { seconds: 3_600 * 7 },
        ..Facts::NONE
    };
    let explanation = explained(&with_rules(rules), ("t", "{}"), facts);
    let saw: Vec<_> = explanation.steps[2].looks[1..]
        .iter()
        .map(|look| (look.saw.as_deref().unwrap_or("-"), look.truth))
        .collect();
    assert_eq!(
        saw,
        [
            ("\"support\"", "false"),
            ("nothing", "false"),
            ("7", "false"),
            ("what is not known", "unknown")
        ]
    );
    let why = explanation.steps[2].looks[4].why.as_deref();
    assert!(
        why.is_some_and(|why| why.contains("could not be listed")),
        "{why:?}"
    );
}

#[test]
fn a_call_that_waits_or_runs_is_told_with_what_the_agent_reads_and_what_is_charged() {
    let source = with_rules(
        r#"{"approve_if":[{"conditions":[{"path":"args.a","op":"gt","value":5}]}],"limits":[{"counter":"c","window":"hour","max":9}]}"#,
    );
    let explanation = explained(&source, ("t", r#"{"a":7}"#), Facts::NONE);
    assert_eq!(explanation.verdict, "approve");
    assert_eq!(explanation.charges, []);
    let sentence = explanation.sentence.expect("the agent is told");
    assert!(sentence.contains("a person must approve"), "{sentence}");
    let explanation = explained(&source, ("t", r#"{"a":1}"#), Facts::NONE);
    assert_eq!((explanation.verdict, explanation.sentence), ("allow", None));
    let taken = &explanation.charges[0];
    assert_eq!(
        (&*taken.limit.rule, &*taken.amount),
        ("/tools/t/limits/c", "1")
    );
    assert_eq!(taken.spot.position.map(|place| place.line), Some(1));
}

#[test]
fn a_limit_that_cannot_be_counted_and_an_amount_are_told() {
    let source = with_rules(
        r#"{"limits":[{"counter":"c","window":"hour","max":9,"increment_from":"args.n"}]}"#,
    );
    let explanation = explained(&source, ("t", r#"{"n":"2"}"#), Facts::NONE);
    assert_eq!(
        lines(&explanation).pop().as_deref(),
        Some("limits /tools/t/limits/0 -: args.n must be a number: refused")
    );
    let explanation = explained(&source, ("t", r#"{"n":2.5}"#), Facts::NONE);
    assert_eq!(explanation.charges[0].amount, "2.5");
}

proptest! {
    #[test]
    fn an_explanation_says_what_is_decided(whole in inputs::whole(), ask in inputs_around::ask(inputs_json::arguments())) {
        // A policy whose globs tie does not load.
        if whole.has_tie() {
            return Ok(());
        }
        let explanation = ask.around.with_facts(|facts| explained(&whole.write(), (ask.tool, &ask.args.write()), *facts));
        let rule = explanation.rule.as_deref();
        // What rules in shadow would have done is told, and changes nothing.
        let is_enforced = |step: &Step| !step.follows.contains("in shadow");
        let refusing = |step: &&Step| is_enforced(step) && step.follows.ends_with("refused");
        let refusals: Vec<_> = explanation.steps.iter().filter(refusing).collect();
        let asking = |step: &&Step| is_enforced(step) && step.follows.ends_with("a person is asked");
        let asking = explanation.steps.iter().find(asking);
        let in_shadow = explanation.steps.iter().filter(|step| !is_enforced(step)).count();
        prop_assert_eq!(explanation.shadowed.len(), in_shadow);
        for step in &explanation.steps {
            prop_assert!(step.rule.is_none() || step.spot.as_ref().is_some_and(|spot| spot.position.is_some()));
            prop_assert!(step.looks.iter().all(|look| look.spot.position.is_some() && !look.test.is_empty()));
        }
        match explanation.verdict {
            "deny" => {
                prop_assert_eq!(refusals.len(), 1);
                prop_assert!(explanation.steps.last().is_some_and(|last| refusing(&last)), "nothing is judged after a refusal");
                prop_assert!(refusals[0].rule.is_none() || refusals[0].rule.as_deref() == rule);
            }
            "approve" => {
                prop_assert!(refusals.is_empty());
                prop_assert_eq!(asking.and_then(|step| step.rule.as_deref()), rule);
            }
            _ => prop_assert!(refusals.is_empty() && asking.is_none() && rule.is_none()),
        }
    }
}
