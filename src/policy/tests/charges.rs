//! What a call takes from its limits, what limits in shadow do, and what is told of a full one.

use std::time::Duration;

use super::*;

/// What a call is charged by the one limit of the policy: amounts in the order of the document, and for whom.
pub(super) fn charged(
    limit: &str,
    arguments: &str,
) -> Result<Vec<(String, Option<Subject>)>, String> {
    charged_in(limit, ("t", arguments), &Facts::NONE)
}

pub(super) fn charged_in(
    limit: &str,
    (tool, arguments): (&str, &str),
    facts: &Facts<'_>,
) -> Result<Vec<(String, Option<Subject>)>, String> {
    let policy = compiled(&format!(
        r#"{{"version":"1","default":"allow","all_tools":{{"limits":[{{"counter":"c","window":"day","max":10000,{limit}}}]}}}}"#
    ));
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader.read(arguments.as_bytes()).expect("JSON");
    let call = Call {
        tool,
        arguments: Some(document.root()),
    };
    match policy.decide(&call, facts).decision {
        Decision::Allow(permit) => {
            let charges = permit.charges().iter();
            Ok(charges
                .map(|charge| (charge.amount.to_string(), charge.subject))
                .collect())
        }
        Decision::Deny(denial) => {
            assert_eq!(denial.kind(), "argument", "{limit} {arguments}");
            assert_eq!(denial.rule(), Some("/all_tools/limits/c"));
            let sentence = denial.sentence("t");
            let words = sentence.strip_prefix("t: ").expect("it names the tool");
            let words = words.strip_suffix(". The call was not run.");
            Err(words.expect("it says that the call was not run").into())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_takes_what_the_limit_or_its_argument_says() {
    let amount = r#""increment_from":"args.amount""#;
    let many = r#""increment_from":"args.items[*].price""#;
    for (limit, arguments, taken) in [
        (r#""scope":"grant""#, "{}", "1"),
        (r#""increment":2.5"#, "{}", "2.5"),
        (amount, r#"{"amount":19.99}"#, "19.99"),
        (amount, r#"{"amount":1e3}"#, "1000"),
        (amount, r#"{"amount":10000}"#, "10000"),
        (amount, r#"{"amount":0}"#, "0"),
        (amount, r#"{"amount":-0.0}"#, "0"),
        (amount, r#"{"amount":0.0000001}"#, "0.000001"),
        (
            many,
            r#"{"items":[{"price":0.1},{"price":0.2},{"price":0.1}]}"#,
            "0.4",
        ),
    ] {
        let charges =
            charged(limit, arguments).unwrap_or_else(|words| panic!("{arguments}: {words}"));
        let amounts: Vec<_> = charges.iter().map(|(amount, _)| amount.as_str()).collect();
        assert_eq!(amounts, [taken], "{limit} {arguments}");
    }
}

#[test]
fn an_argument_that_cannot_be_counted_denies() {
    let amount = r#""increment_from":"args.amount""#;
    let many = r#""increment_from":"args.items[*].price""#;
    let must = |what: &str| format!("args.amount must {what}");
    for (limit, arguments, words) in [
        (amount, "{}", must("be present")),
        (amount, r#"{"amount":null}"#, must("be present")),
        (amount, r#"{"amount":"5"}"#, must("be a number")),
        (amount, r#"{"amount":true}"#, must("be a number")),
        (amount, r#"{"amount":[5]}"#, must("be a number")),
        (amount, r#"{"amount":-0.01}"#, must("not be less than 0")),
        (amount, r#"{"amount":-1e300}"#, must("not be less than 0")),
        (
            amount,
            r#"{"amount":10000.0000001}"#,
            must("be at most 10000"),
        ),
        (amount, r#"{"amount":1e300}"#, must("be at most 10000")),
        (
            amount,
            r#"{"amount":18446744073709551615}"#,
            must("be at most 10000"),
        ),
        (
            many,
            r#"{"items":[]}"#,
            "args.items[*].price must be present".into(),
        ),
        (
            many,
            r#"{"items":[{"price":1},{}]}"#,
            "args.items[*].price must be present".into(),
        ),
        (
            many,
            r#"{"items":{"price":1}}"#,
            "args.items must be an array".into(),
        ),
        (
            many,
            r#"{"items":[5]}"#,
            "args.items[*] must be an object".into(),
        ),
        (
            many,
            r#"{"items":[{"price":9000},{"price":1000.5}]}"#,
            "the sum of args.items[*].price must be at most 10000".into(),
        ),
    ] {
        assert_eq!(charged(limit, arguments), Err(words), "{arguments}");
    }
}

#[test]
fn a_key_that_looks_like_one_that_is_counted_is_refused() {
    for limit in [
        r#""increment_from":"args.amount""#,
        r#""by":["args.amount"]"#,
    ] {
        let words = charged(limit, r#"{"amount":1,"Amount":9999}"#).expect_err("a look-alike");
        assert_eq!(
            words,
            "args must not have a key that only looks like \"amount\""
        );
    }
}

#[test]
fn a_call_that_cannot_be_counted_is_not_put_to_a_person() {
    let policy = with_tool(
        r#"{"approve_if":[{"conditions":[]}],"limits":[{"counter":"c","window":"day","max":5,"increment_from":"args.n"}]}"#,
    );
    assert_eq!(outcome(&policy, "t", r#"{"n":5}"#), "hold");
    assert_eq!(outcome(&policy, "t", r#"{"n":6}"#), "argument");
}

#[test]
fn a_limit_in_shadow_refuses_nothing_and_is_told() {
    let of_limit = r#"{"limits":[{"counter":"c","window":"day","max":5,"increment_from":"args.n","shadow":true}]}"#;
    let of_tool = r#"{"shadow":true,"limits":[{"counter":"c","window":"day","max":5,"increment_from":"args.n"}]}"#;
    for rules in [of_limit, of_tool] {
        let policy = with_tool(rules);
        assert!(policy.limits()[0].is_shadow, "{rules}");
        let mut reader = Reader::new(Duplicates::Refused);
        let document = reader.read(br#"{"n":"x","N":1}"#).expect("JSON");
        let call = Call {
            tool: "t",
            arguments: Some(document.root()),
        };
        let judgement = policy.decide(&call, &Facts::NONE);
        match judgement.decision {
            Decision::Allow(permit) => assert_eq!(permit.charges(), []),
            other => panic!("{other:?}"),
        }
        let told: Vec<_> = judgement.shadowed.iter().map(Shadowed::kind).collect();
        assert_eq!(
            told,
            ["argument", "argument"],
            "the look-alike, and what cannot be counted"
        );
    }
}

#[test]
fn a_tool_in_shadow_takes_nothing_from_a_counter_that_others_enforce() {
    let policy = compiled(
        r#"{"version":"1","default":"deny","counters":{"spend":{"window":"day","max":5}},
            "tools":{"a":{"limits":["spend"]},"b":{"shadow":true,"limits":["spend"]},"c":{"shadow":true,"limits":["spend"]}}}"#,
    );
    let limit = |tool| {
        decide(
            &policy,
            (tool, "{}"),
            Listing::Unknown,
            |decision| match decision {
                Decision::Allow(permit) => {
                    let limit = permit.charges()[0].limit;
                    (limit.index, limit.is_shadow, limit.rule.to_string())
                }
                other => panic!("{other:?}"),
            },
        )
    };
    assert_eq!(limit("a"), (0, false, "/counters/spend".into()));
    assert_eq!(limit("b"), (1, true, "/counters/spend".into()));
    assert_eq!(limit("c"), limit("b"));
}

#[test]
fn own_tests_count_amounts_and_ignore_limits_in_shadow() {
    let with = |test: &str| {
        let source = format!(
            r#"{{"version":"1","default":"deny","tools":{{
                "pay":{{"limits":[{{"counter":"c","window":"day","max":100,"increment_from":"args.n"}},
                    {{"counter":"s","window":"day","max":1,"shadow":true}}]}}}},
               "tests":[{{"call":{{"tool":"pay","args":{{"n":30}}}},{test}}}]}}"#
        );
        Policy::compile(source.as_bytes()).is_ok()
    };
    assert!(with(r#""expect":"allow","times":3"#));
    assert!(with(
        r#""expect":"deny","rule":"/tools/pay/limits/c","times":4"#
    ));
    assert!(!with(r#""expect":"deny","times":3"#));
}

#[test]
fn a_counter_that_others_share_tells_neither_what_is_left_nor_when_exactly() {
    for (scope, waits, left, told) in [
        (
            "grant",
            [(1, 1), (11, 11), (3_601, 3_601)],
            Some("7"),
            "this grant, of which 7 is left.",
        ),
        (
            "session",
            [(1, 1), (11, 11), (3_601, 3_601)],
            Some("7"),
            "this session, of which 7 is left.",
        ),
        (
            "server",
            [(1, 1), (11, 60), (3_601, 21_600)],
            None,
            "all agents of this server.",
        ),
        (
            "organisation",
            [(2, 10), (61, 600), (604_801, 2_678_400)],
            None,
            "all agents of this organisation.",
        ),
    ] {
        let policy = with_tool(&format!(
            r#"{{"limits":[{{"counter":"c","window":"day","max":100,"increment_from":"args.n","scope":"{scope}"}}]}}"#
        ));
        for (retry_after, shown) in waits {
            let full = Full {
                limit: &policy.limits()[0],
                retry_after: Duration::from_secs(retry_after),
                left: Amount::whole(7),
            };
            assert_eq!(
                full.told_delay().expect("not in flight"),
                Duration::from_secs(shown),
                "{scope} {retry_after}"
            );
            assert_eq!(
                full.told_left().map(|left| left.to_string()).as_deref(),
                left
            );
            let sentence = Denial::LimitReached(full).sentence("t");
            let expected = format!("t: at most 100 in the sum of args.n per day for {told}");
            assert!(sentence.starts_with(&expected), "{sentence}");
            assert!(
                sentence.ends_with(&format!("possible in {shown} s, not earlier.")),
                "{sentence}"
            );
        }
    }
}

#[test]
fn a_counter_too_many_has_words_and_a_label_of_its_own() {
    let policy = with_tool(
        r#"{"limits":[{"counter":"c","window":"minute","max":3,"by":["args.to","tool"]}]}"#,
    );
    let denial = Denial::CountersFull(&policy.limits()[0]);
    assert_eq!((denial.kind(), denial.label()), ("limit", "counters_full"));
    assert_eq!(
        denial.sentence("t"),
        "t: at most 3 calls per minute for this grant and each args.to and each tool.name; too many different ones are being counted, and this one is new. The call was not run; try again later."
    );
}
