//! From which counter of a limit with `by` or sessions a call takes.

use super::charges::{charged, charged_in};
use super::*;

/// For whom a call is charged.
fn subjects(by: &str, arguments: &str) -> Vec<Option<Subject>> {
    let charged = charged(&format!(r#""by":{by}"#), arguments);
    let charged = charged.unwrap_or_else(|words| panic!("{by} {arguments}: {words}"));
    charged.into_iter().map(|(_, subject)| subject).collect()
}

#[test]
fn spellings_of_one_value_share_a_counter() {
    for group in [
        &[
            r#"5"#,
            "5.0",
            "5e0",
            r#""5""#,
            r#"" 5.00 ""#,
            r#""+5""#,
            r#""５""#,
            "5.00000000000000000001",
        ][..],
        &[
            r#""Alice@Example.com""#,
            r#""alice@example.com ""#,
            r#""ＡＬＩＣＥ@example.com""#,
            r#""alice\u200b@example.com""#,
        ],
        &[r#""straße""#, r#""STRASSE""#, r#""Straſſe""#],
        &[r#""ΟΔΟΣ""#, r#""οδος""#, r#""οδοσ""#],
        &[r#""caf\u00e9""#, r#""cafe\u0301""#, r#""CAFÉ""#],
        &["true", r#""true""#, r#""TRUE""#],
        &["0", "-0", "0.0", r#""0""#],
    ] {
        let of = |value: &str| subjects(r#"["args.to"]"#, &format!(r#"{{"to":{value}}}"#));
        for value in group {
            assert_eq!(of(value), of(group[0]), "{value} and {}", group[0]);
        }
    }
    let missing = subjects(r#"["args.to"]"#, "{}");
    assert_eq!(subjects(r#"["args.to"]"#, r#"{"to":null}"#), missing);
    assert_eq!(
        subjects(r#"["args.to.name"]"#, r#"{"to":{}}"#),
        subjects(r#"["args.to.name"]"#, "{}")
    );
}

#[test]
fn different_values_have_counters_of_their_own() {
    let values = [
        "5",
        "-5",
        "50",
        "true",
        "false",
        r#""a""#,
        r#""b""#,
        r#""""#,
        "null",
        r#""null!""#,
        "9007199254740992",
        "9007199254740993",
        r#""-""#,
    ];
    let mut seen = Vec::new();
    for value in values {
        let found = subjects(r#"["args.to"]"#, &format!(r#"{{"to":{value}}}"#));
        assert_eq!(found.len(), 1, "{value}");
        assert!(found[0].is_some() && !seen.contains(&found[0]), "{value}");
        seen.push(found[0]);
    }
    // No part can pass for the end of another.
    let pair = |a: &str, b: &str| {
        subjects(
            r#"["args.a","args.b"]"#,
            &format!(r#"{{"a":"{a}","b":"{b}"}}"#),
        )
    };
    assert_ne!(pair("ab", "c"), pair("a", "bc"));
    assert_ne!(pair("atb", "c"), pair("a", "btc"));
    assert_ne!(pair("a", "b"), pair("b", "a"));
}

#[test]
fn the_order_in_which_by_is_written_makes_no_difference() {
    let arguments = r#"{"a":1,"b":2}"#;
    assert_eq!(
        subjects(r#"["args.a","args.b"]"#, arguments),
        subjects(r#"["args[\"b\"]","args.a"]"#, arguments)
    );
}

#[test]
fn each_distinct_element_is_charged_once_and_their_number_is_bounded() {
    let to = |values: &[String]| format!(r#"{{"to":[{}],"n":[1,2]}}"#, values.join(","));
    let texts = |count: usize| {
        (0..count)
            .map(|at| format!("\"r{at}\""))
            .collect::<Vec<_>>()
    };
    let by = r#"["args.to[*]"]"#;
    assert_eq!(subjects(by, r#"{"to":["a","A","b",null,"b"]}"#).len(), 3);
    assert_eq!(subjects(by, r#"{"to":[]}"#), subjects(by, r#"{"to":null}"#));
    assert_eq!(subjects(by, &to(&texts(64))).len(), 64);
    let repeated = [texts(64), texts(64)].concat();
    assert_eq!(
        subjects(by, &to(&repeated)).len(),
        64,
        "repeated ones count once"
    );
    let words = "args.to[*] must not have more than 64 different values";
    assert_eq!(
        charged(r#""by":["args.to[*]"]"#, &to(&texts(65))),
        Err(words.into())
    );
    let product = r#""by":["args.to[*]","args.n[*]"]"#;
    assert_eq!(
        charged(product, &to(&texts(32))).map(|charges| charges.len()),
        Ok(64)
    );
    assert!(charged(product, &to(&texts(33))).is_err());
}

#[test]
fn a_value_that_is_no_value_denies() {
    let long = format!(r#"{{"to":"{}"}}"#, "x".repeat(257));
    for (arguments, words) in [
        (
            r#"{"to":{}}"#,
            "args.to must be a text, a number, true or false, not a container",
        ),
        (
            r#"{"to":["a"]}"#,
            "args.to must be a text, a number, true or false, not a container",
        ),
        (&*long, "args.to must be at most 256 bytes long"),
    ] {
        assert_eq!(
            charged(r#""by":["args.to"]"#, arguments),
            Err(words.into()),
            "{arguments}"
        );
    }
    assert_eq!(
        charged(r#""by":["args.to.name"]"#, r#"{"to":"a"}"#),
        Err("args.to must be an object".into())
    );
    let fits = format!(r#"{{"to":"{}"}}"#, "x".repeat(256));
    assert_eq!(subjects(r#"["args.to"]"#, &fits).len(), 1);
}

#[test]
fn tool_label_tags_and_session_tell_counters_apart() {
    let tags: [(Box<str>, Box<str>); 1] = [("team".into(), "red".into())];
    let facts = |label, tags, session| Facts {
        caller: Caller {
            label,
            tags,
            client: None,
        },
        session,
        ..Facts::NONE
    };
    let plain = facts("support", &[], None);
    let of = |limit: &str, tool: &str, facts: &Facts<'_>| {
        let charges = charged_in(limit, (tool, "{}"), facts).expect("it can be counted");
        charges[0].1
    };
    let by = |path: &str| format!(r#""by":["{path}"]"#);
    for path in ["tool", "tool.name"] {
        assert_ne!(of(&by(path), "a", &plain), of(&by(path), "b", &plain));
        assert_eq!(of(&by(path), "a", &plain), of(&by("tool"), "a", &plain));
    }
    let label = by("grant.label");
    assert_ne!(
        of(&label, "a", &plain),
        of(&label, "a", &facts("sales", &[], None))
    );
    let tag = by("grant.tags.team");
    let tagged = facts("support", &tags, None);
    assert_ne!(of(&tag, "a", &plain), of(&tag, "a", &tagged));
    assert_eq!(
        of(&by(r#"grant.tags[\"team\"]"#), "a", &tagged),
        of(&tag, "a", &tagged)
    );
    let session = r#""scope":"session""#;
    let [one, two] = ["s1", "s2"].map(|id| of(session, "a", &facts("support", &[], Some(id))));
    assert!(one.is_some() && two.is_some() && one != two);
    assert_eq!(
        of(session, "a", &plain),
        None,
        "no session: the grant's own counter"
    );
    let other = r#""scope":"server""#;
    assert_eq!(of(other, "a", &facts("support", &[], Some("s1"))), None);
}
