//! Policies and calls that nobody would write: no panic, and no more work than their size is worth.

use std::fmt::Write;

use proptest::prelude::*;

use super::reference::{inputs::whole, inputs_json::arguments};
use super::*;

/// Pieces of policies, to be put together wrongly.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"version\":\"1\"",
    "\"default\":\"deny\"",
    "\"tools\":{",
    "\"t\":{",
    "\"*\":{",
    "\"deny_if\":[",
    "\"require\":[",
    "\"conditions\":[",
    "\"limits\":[",
    "\"hide\":[",
    "\"tests\":[",
    "\"call\":{",
    "\"path\":\"args.a\"",
    "\"path\":\"args[*]\"",
    "\"op\":\"eq\"",
    "\"op\":\"regex\"",
    "\"value\":1",
    "\"value\":\"(\"",
    "\"any\":[",
    "\"not\":{",
    "\"window\":\"day\"",
    "\"max\":1",
    "\"burst\":1",
    "\"counter\":\"c\"",
    "\"all_tools\":{",
    "\"counters\":{",
    "\"tool\":\"t\"",
    "null",
    "1e-5",
    "\"\u{fffd}\"",
    "\"\\u0000\"",
];

proptest! {
    #[test]
    fn pieces_of_a_policy_in_any_order_are_judged_without_panic(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let _ = Policy::compile(pieces.concat().as_bytes());
    }

    #[test]
    fn a_policy_with_a_piece_put_in_or_cut_out_is_judged_without_panic(
        whole in whole(), at in any::<prop::sample::Index>(), cut in 0..20_usize, piece in prop::sample::select(PIECES)
    ) {
        let mut source = whole.write().into_bytes();
        let at = at.index(source.len());
        let end = (at + cut).min(source.len());
        source.splice(at..end, piece.bytes());
        if let Err(mistakes) = Policy::compile(&source) {
            prop_assert!(!mistakes.is_empty(), "a refusal says why");
        }
    }

    #[test]
    fn any_name_and_any_arguments_get_a_decision(whole in whole(), name in ".{0,20}", args in arguments()) {
        // Globs that tie make a policy that does not load.
        if let Ok(policy) = Policy::compile(whole.write().as_bytes()) {
            let told = told(&policy, &name, &args.write());
            prop_assert!(!told.is_empty());
        }
    }
}

/// The mistakes of a policy with so many members under one key.
fn with_many(key: &str, count: usize, member: impl Fn(usize) -> String) -> Vec<Mistake> {
    let mut source = format!(r#"{{"version":"1","default":"deny","{key}":{{"#);
    for at in 0..count {
        let comma = if at == 0 { "" } else { "," };
        write!(source, "{comma}\n{}", member(at)).expect("a string takes all");
    }
    source += "}}";
    Policy::compile(source.as_bytes()).err().unwrap_or_default()
}

// Each of these would take minutes if its work grew with the square of the document.

#[test]
fn a_document_of_nothing_but_mistakes_is_read_once() {
    let mistakes = with_many("tools", 50_000, |at| {
        format!(r#""t{at}":{{"deny_iff":[]}}"#)
    });
    assert_eq!(
        mistakes.len(),
        101,
        "a hundred are told, and how many are not"
    );
    assert_eq!(mistakes[100].what, "49900 more mistakes are not listed");
}

#[test]
fn a_key_that_is_there_very_often_is_told_a_hundred_times() {
    let mistakes = with_many("tools", 50_000, |_| r#""t":{}"#.to_owned());
    assert_eq!(mistakes.len(), 101);
    assert_eq!(
        mistakes[0].to_string(),
        "line 3, column 1, /tools/t: the key \"t\" is here twice"
    );
}

// All that stood under a long key once repeated it in its pointer: a file of half a megabyte took gigabytes.
#[test]
fn a_key_that_is_too_long_is_a_mistake_and_not_looked_into() {
    let key = "k".repeat(1_025);
    let many: Vec<_> = (0..1_000).map(|at| format!(r#""{at}":1"#)).collect();
    let tool = format!(r#""{key}":{{{}}}"#, many.join(","));
    let mistakes = with_many("tools", 1, |_| tool.clone());
    assert_eq!(mistakes.len(), 1);
    assert_eq!(mistakes[0].pointer, "/tools");
    assert_eq!(mistakes[0].what, "a key in here has more than 1024 bytes");
    let longest = format!(r#""{}":{{}}"#, &key[1..]);
    assert!(with_many("tools", 1, |_| longest.clone()).is_empty());
}

#[test]
fn many_tools_and_many_globs_load() {
    assert!(with_many("tools", 20_000, |at| format!(r#""t{at}":{{}}"#)).is_empty());
    assert!(with_many("tools", 1_000, |at| format!(r#""t_*_{at}x":{{}}"#)).is_empty());
    // Half a million pairs of long globs that only sets at their ends keep apart.
    let stars = "*a".repeat(120);
    let apart = |at: usize| {
        let [hundreds, tens, ones] = [at / 100, at / 10 % 10, at % 10];
        format!(r#""t{stars}[{hundreds}][{tens}][{ones}]":{{}}"#)
    };
    assert!(with_many("tools", 1_000, apart).is_empty());
    let mistakes = with_many("tools", 1_001, |at| format!(r#""t_*_{at}x":{{}}"#));
    assert_eq!(mistakes[0].what, "more than 1000 globs");
}

#[test]
fn a_wide_object_does_not_make_each_condition_wide() {
    let conditions: Vec<_> = (0..200)
        .map(|at| format!(r#"{{"path":"args.k{at}","op":"eq","value":1}}"#))
        .collect();
    let policy = with_tool(&format!(
        r#"{{"deny_if":[{{"conditions":[{{"any":[{}]}}]}}]}}"#,
        conditions.join(",")
    ));
    let members: Vec<_> = (0..100_000).map(|at| format!(r#""x{at}":0"#)).collect();
    let arguments = format!("{{{}}}", members.join(","));
    assert_eq!(
        outcome(&policy, "t", &arguments),
        "argument",
        "it is too much work, and so refused"
    );
}

#[test]
fn a_name_of_a_megabyte_is_not_compared_with_globs() {
    let policy = compiled(&format!(
        r#"{{"version":"1","default":"allow","hide":["{}"]}}"#,
        "*a".repeat(100)
    ));
    assert_eq!(outcome(&policy, &"a".repeat(1 << 20), "{}"), "unavailable");
}
