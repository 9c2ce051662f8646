//! Tests of comparing: what each edit is said to do, and that no edit that lets more calls through is called tighter.

mod random;
mod rules;
mod worst;

use super::*;
use crate::policy::{Format, PolicyText};

fn edition(rest: &str) -> Edition {
    let source = format!("{{\"version\":\"1\",{rest}}}");
    Edition::read(PolicyText {
        bytes: source.as_bytes(),
        format: Format::Json,
    })
    .unwrap_or_else(|mistakes| panic!("{source}: {mistakes:?}"))
}

/// All effects, one a line: subject, direction, kind, words.
fn told(comparison: &Comparison) -> Vec<String> {
    let effects = comparison.changes.iter().flat_map(|change| {
        let effects = change.effects.iter();
        effects.map(
            |Effect {
                 kind,
                 direction,
                 what,
             }| {
                format!(
                    "{} | {} | {} | {what}",
                    change.subject,
                    direction.name(),
                    kind.name()
                )
            },
        )
    });
    effects.collect()
}

fn compared(old: &str, new: &str) -> Vec<String> {
    told(&Comparison::of(&edition(old), &edition(new), None))
}

/// The effects of an edit of the entry of one tool `t`.
fn edited(old: &str, new: &str) -> Vec<String> {
    let entry = |rules: &str| format!(r#""default":"deny","tools":{{"t":{{{rules}}}}}"#);
    compared(&entry(old), &entry(new))
}

#[test]
fn the_same_policy_has_no_changes() {
    let policy = r#""default":"allow","hide":["d*","x"],"tools":{"a":{"rate_limit":"5/hour"},"b*":{},"b_?":{"action":"deny"}}"#;
    assert_eq!(compared(policy, policy), [""; 0]);
}

#[test]
fn opening_and_closing_a_tool_is_told() {
    let with = |rest: &str| format!(r#""default":"deny",{rest}"tools":{{"a":{{}}}}"#);
    let plain = with("");
    for (new, told) in [
        (
            with("\"hide\":[\"a\"],"),
            &[
                "a | tighter | hidden | tools/list no longer has it",
                "a | tighter | not callable | hidden",
            ][..],
        ),
        (
            plain.replace("{}", "{\"action\":\"deny\"}"),
            &["a | tighter | not callable | a rule denies it always"],
        ),
        (
            plain.replace("\"a\":{}", ""),
            &[
                "a | tighter | hidden | tools/list no longer has it",
                "a | tighter | not callable | no entry, and the default is deny",
            ],
        ),
        (
            plain.replace("\"a\":{}", "\"a\":{},\"b\":{}"),
            &[
                "b | looser | listed | tools/list has it now",
                "b | looser | callable | it was not: no entry, and the default is deny",
            ],
        ),
        (
            plain.replace("deny", "allow"),
            &[
                "every other tool | looser | listed | tools/list has it now",
                "every other tool | looser | callable | it was not: no entry, and the default is deny",
            ],
        ),
        (
            with("\"show_unlisted\":true,"),
            &["every other tool | looser | listed | tools/list has it now"],
        ),
    ] {
        assert_eq!(compared(&plain, &new), told, "{new}");
        let back: Vec<_> = compared(&new, &plain);
        assert!(
            !back.is_empty()
                && back
                    .iter()
                    .all(|line| line.contains("tighter") != told[0].contains("tighter")),
            "{back:?}"
        );
    }
}

#[test]
fn limits_that_come_go_or_change_are_told() {
    let limit = |rest: &str| format!(r#""limits":[{{"counter":"c",{rest}}}]"#);
    let minute = limit(r#""window":"minute","max":10"#);
    let hour = limit(r#""window":"hour","max":10"#);
    for (old, new, told) in [
        (
            "",
            &*minute,
            "t | tighter | limited | c: window minute, max 10",
        ),
        (
            &minute,
            "",
            "t | looser | unlimited | no longer c: window minute, max 10",
        ),
        (
            &minute,
            &hour,
            "t | tighter | limit | c: window minute, max 10 → c: window hour, max 10",
        ),
        (
            &hour,
            &minute,
            "t | looser | limit | c: window hour, max 10 → c: window minute, max 10",
        ),
        (
            &limit(r#""window":"minute","max":10,"burst":5"#),
            &minute,
            "t | looser | limit | c: window minute, max 10, burst 5 → c: window minute, max 10",
        ),
    ] {
        assert_eq!(edited(old, new), [told], "{old} → {new}");
    }
    let two = r#""limits":[{"counter":"c","window":"minute","max":10},{"counter":"d","window":"hour","max":10}]"#;
    assert_eq!(edited(&hour, two), [""; 0], "d takes the place of c");
}

#[test]
fn a_limit_of_all_together_is_not_replaced_by_one_for_each() {
    let all = r#""default":"deny","all_tools":{"limits":[{"counter":"c","window":"hour","max":10}]},"tools":{"a":{},"b":{}}"#;
    let each = r#""default":"deny","tools":{"a":{"limits":[{"counter":"c","window":"hour","max":10}]},"b":{"limits":[{"counter":"c","window":"hour","max":10}]}}"#;
    let lines = compared(all, each);
    assert_eq!(
        lines,
        ["every tool | looser | limit | no longer all_tools c: window hour, max 10"]
    );
    assert_eq!(
        compared(each, all),
        ["every tool | tighter | limit | all_tools c: window hour, max 10"]
    );
}

#[test]
fn globs_are_compared_with_what_takes_their_place() {
    let listed = "looser | listed | tools/list has it now";
    let callable = "looser | callable | it was not: no entry, and the default is deny";
    let denied = "looser | callable | it was not: a rule denies it always";
    for (old, new, told) in [
        // Those of get_* have the same rules as before; all others are new.
        (
            r#""get_*":{}"#,
            r#""*":{}"#,
            vec![format!("* | {listed}"), format!("* | {callable}")],
        ),
        (
            r#""*":{"action":"deny"},"get_*":{}"#,
            r#""*":{"action":"deny"}"#,
            vec![],
        ),
        (
            r#""get_*":{"rate_limit":"5/hour"},"*":{}"#,
            r#""*":{}"#,
            vec!["get_*, now under * | looser | unlimited | no longer rate_limit: 5/hour".into()],
        ),
        // What always denies does so for tools of which another entry speaks.
        (
            r#""del_*":{},"*_all":{"action":"deny"}"#,
            r#""del_*":{}"#,
            vec![
                "*_all, now without an entry | tighter | hidden | tools/list no longer has it"
                    .into(),
                format!("tools of del_* that match *_all | {denied}"),
                "tools that match *_all | tighter | hidden | tools/list no longer has it".into(),
            ],
        ),
        (
            r#""a*":{"action":"deny"},"ab*":{}"#,
            r#""a*":{},"ab*":{}"#,
            vec![format!("a* | {denied}"), format!("ab* | {denied}")],
        ),
    ] {
        let policy = |tools: &str| format!(r#""default":"deny","tools":{{{tools}}}"#);
        assert_eq!(compared(&policy(old), &policy(new)), told, "{old} → {new}");
    }
}

#[test]
fn what_hides_more_or_less_is_told() {
    let policy =
        |hide: &str| format!(r#""default":"allow","hide":[{hide}],"tools":{{"del_*":{{}}}}"#);
    assert_eq!(
        compared(&policy("\"*_all\""), &policy("")),
        [
            "tools of del_* that match *_all | looser | listed | tools/list has it now",
            "tools of del_* that match *_all | looser | callable | it was not: hidden",
            "tools that match *_all | looser | listed | tools/list has it now",
            "tools that match *_all | looser | callable | it was not: hidden",
        ]
    );
    assert_eq!(
        compared(&policy("\"*_all\""), &policy("\"*\"")),
        [
            "del_* | tighter | hidden | tools/list no longer has it",
            "del_* | tighter | not callable | hidden",
            "every other tool | tighter | hidden | tools/list no longer has it",
            "every other tool | tighter | not callable | hidden",
            "tools that match * | tighter | hidden | tools/list no longer has it",
            "tools that match * | tighter | not callable | hidden",
        ]
    );
}

#[test]
fn methods_and_surfaces_are_compared() {
    let policy = |rest: &str| format!(r#"{rest}"default":"deny""#);
    let read = |rest: &str| Edition::of(&parsed(&policy(rest)));
    let told = |old: &str, new: &str| told(&Comparison::of(&read(old), &read(new), None));
    assert_eq!(
        told("", r#""methods":["a"],"#),
        ["methods | tighter | changed | only a"]
    );
    assert_eq!(
        told(r#""methods":["a","b"],"#, r#""methods":["b","c"],"#),
        [
            "methods | looser | changed | now also c",
            "methods | tighter | changed | no longer a"
        ]
    );
    assert_eq!(
        told(r#""methods":["a"],"#, ""),
        ["methods | looser | changed | all that the specification defines"]
    );
    assert_eq!(
        told("", r#""resources":{},"#),
        [
            "resources | looser | changed | what it admits cannot be compared, so this counts as looser"
        ]
    );
}

/// A document as a tree, of which nothing else is asked: parts of the language may not be built yet.
fn parsed(rest: &str) -> crate::policy::import::Node {
    let source = format!("{{\"version\":\"1\",{rest}}}");
    let mut reader = crate::json::Reader::new(crate::json::Duplicates::Refused);
    let document = reader.read(source.as_bytes()).expect("it is JSON");
    crate::policy::import::Node::of_json(&document)
}
