//! Random edits: what is called no looser lets no call through that was refused, and lists nothing that was hidden.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::json::{Duplicates, Reader};
use crate::policy::{Call, Decision, Facts, Policy};

const NAMES: &[&str] = &["a", "b", "ab", "ba", "aab", "abb", "bab", "c"];
const ARGUMENTS: &[&str] = &[
    "{}",
    r#"{"n":1}"#,
    r#"{"n":3}"#,
    r#"{"n":5}"#,
    r#"{"n":"x"}"#,
    r#"{"n":null}"#,
    r#"{"n":[1]}"#,
    r#"{"n":true}"#,
];

fn entry() -> impl Strategy<Value = String> {
    let operator = select(&["gt", "lte", "eq", "neq", "in", "not_in", "exists"][..]);
    let test = (operator, 0..6_u8).prop_map(|(operator, value)| {
        let value = match operator {
            "exists" => (value > 2).to_string(),
            "in" | "not_in" if value > 3 => format!("[{value},\"x\"]"),
            "in" | "not_in" => format!("[{value},1]"),
            _ => value.to_string(),
        };
        format!(r#"{{"path":"args.n","op":"{operator}","value":{value}}}"#)
    });
    let conditions = prop_oneof![
        1 => Just("[]".to_owned()),
        6 => test.clone().prop_map(|test| format!("[{test}]")),
        1 => (test.clone(), test).prop_map(|(one, two)| format!("[{{\"any\":[{one},{{\"not\":{two}}}]}}]")),
    ];
    let flags = select(&["", "", "", ",\"if_missing\":\"deny\"", ",\"shadow\":true"][..]);
    (conditions, flags)
        .prop_map(|(conditions, flags)| format!("{{\"conditions\":{conditions}{flags}}}"))
}

fn rules() -> impl Strategy<Value = String> {
    let section = select(&["require", "deny_if", "approve_if"][..]);
    let lists = prop::collection::btree_map(section, prop::collection::vec(entry(), 0..3), 0..3);
    let action = select(
        &[
            "",
            "",
            "",
            "",
            "\"action\":\"deny\"",
            "\"action\":\"allow\"",
            "\"shadow\":true",
        ][..],
    );
    (lists, action).prop_map(|(lists, action)| {
        let lists = lists
            .iter()
            .map(|(section, entries)| format!("\"{section}\":[{}]", entries.join(",")));
        let parts: Vec<_> = lists
            .chain([action.to_owned()])
            .filter(|part| !part.is_empty())
            .collect();
        format!("{{{}}}", parts.join(","))
    })
}

/// A policy over the few names; some have globs that tie, and do not load.
fn policy() -> impl Strategy<Value = String> {
    let name = select(&["a", "b", "ab", "*", "a*", "*b", "ab*", "?", "b?*", "[ab]b"][..]);
    let tools = prop::collection::btree_map(name.clone(), rules(), 0..4);
    let hide = prop::collection::btree_set(name, 0..2);
    (any::<bool>(), any::<bool>(), tools, hide).prop_map(|(allows, shows, tools, hide)| {
        let tools: Vec<_> = tools.iter().map(|(name, rules)| format!("\"{name}\":{rules}")).collect();
        let hide: Vec<_> = hide.iter().map(|name| format!("\"{name}\"")).collect();
        format!(
            r#"{{"version":"1","default":"{}","show_unlisted":{shows},"hide":[{}],"tools":{{{}}}}}"#,
            if allows { "allow" } else { "deny" },
            hide.join(","),
            tools.join(",")
        )
    })
}

/// How far a call gets: 0 refused, 1 to a person, 2 through.
fn outcome(policy: &Policy, tool: &str, arguments: &str) -> u8 {
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader
        .read(arguments.as_bytes())
        .expect("arguments are JSON");
    let call = Call {
        tool,
        arguments: Some(document.root()),
    };
    match policy.decide(&call, &Facts::NONE).decision {
        Decision::Deny(_) => 0,
        Decision::Hold(_) => 1,
        Decision::Allow(_) => 2,
    }
}

/// Whether the new policy lets nothing through and lists nothing that the old one did not; else what.
fn lets_no_more_through(old: &Policy, new: &Policy) -> Result<(), String> {
    for name in NAMES {
        if new.is_listed(name) && !old.is_listed(name) {
            return Err(format!("{name} is listed"));
        }
        for arguments in ARGUMENTS {
            if outcome(new, name, arguments) > outcome(old, name, arguments) {
                return Err(format!("{name} {arguments} gets further"));
            }
        }
    }
    Ok(())
}

/// Two policies of which one is an edit of the other, or not.
fn edit() -> impl Strategy<Value = (String, String)> {
    let replaced = select(
        &[
            ("\"value\":2", "\"value\":3"),
            ("\"value\":3", "\"value\":2"),
            ("\"value\":true", "\"value\":false"),
            ("[4,\"x\"]", "[4,1,\"x\"]"),
            ("[2,1]", "[1]"),
            ("[3,1]", "[3,2,1]"),
            (",\"if_missing\":\"deny\"", ""),
            (",\"shadow\":true", ""),
            ("approve_if", "deny_if"),
            ("deny_if", "approve_if"),
            ("]}", "],\"if_missing\":\"deny\"}"),
        ][..],
    );
    prop_oneof![
        (policy(), policy()),
        // The default and what is hidden are the other's.
        (policy(), policy()).prop_map(|(one, two)| {
            let at = |text: &str| text.find("\"tools\"").expect("every policy has tools");
            let edited = format!("{}{}", &two[..at(&two)], &one[at(&one)..]);
            (one, edited)
        }),
        (policy(), replaced).prop_map(|(one, (from, to))| (one.clone(), one.replacen(from, to, 1))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_called_no_looser_lets_no_more_calls_through((one, two) in edit()) {
        let read = |source: &str| Policy::compile(source.as_bytes());
        let (Ok(old), Ok(new)) = (read(&one), read(&two)) else {
            return Err(TestCaseError::reject("globs that tie"));
        };
        let edition = |source: &str| Edition::read(PolicyText { bytes: source.as_bytes(), format: Format::Json }).expect("it is valid");
        let (before, after) = (edition(&one), edition(&two));
        let tools: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
        for tools in [None, Some(&tools[..])] {
            let comparison = Comparison::of(&before, &after, tools);
            if !comparison.is_looser() {
                let more = lets_no_more_through(&old, &new);
                prop_assert!(more.is_ok(), "{:?}\n{one}\n{two}\n{:#?}", more, told(&comparison));
            }
            let same = Comparison::of(&before, &before, tools);
            prop_assert!(same.changes.is_empty(), "{one}\n{:#?}", told(&same));
        }
    }
}
