//! Which tools are there, which entry speaks for them, and what the agent gets to read.

use super::*;

const STARTING: &str = r#"{
  "version": "1",
  "description": "a clinician's agent on medical imaging",
  "default": "deny",
  "hide": ["delete_*", "list_datastores"],
  "tools": {
    "list_*": {},
    "list_datastores": {},
    "get_datastore": {},
    "start_dicom_import_job": {
      "limits": [ { "counter": "start_dicom_import_job_rate", "window": "minute", "max": 10, "scope": "grant" } ]
    },
    "create_charge": {
      "require": [ { "conditions": [ { "path": "args.reason", "op": "exists", "value": true } ], "on_deny": "Give a reason." } ],
      "deny_if": [ { "conditions": [ { "path": "args.amount", "op": "gt", "value": 10000 } ] } ],
      "rate_limit": "5/hour"
    },
    "copy_image_set": { "action": "require_approval", "reason": "Copies cost money" },
    "old_*": { "action": "deny", "reason": "The old tools are going away." },
    "old_but_loved": {}
  }
}"#;

#[test]
fn the_starting_policy_means_what_it_says() {
    let policy = compiled(STARTING);
    let cases = [
        ("list_exports", "{}", "allow"),
        ("get_datastore", r#"{"id":7}"#, "allow"),
        ("start_dicom_import_job", "{}", "allow"),
        ("create_charge", r#"{"amount":10000,"reason":"x"}"#, "allow"),
        (
            "list_datastores",
            "{}",
            "unavailable - list_datastores is not available to this grant.",
        ),
        (
            "delete_image_set",
            "{}",
            "unavailable - delete_image_set is not available to this grant.",
        ),
        (
            "nonsense",
            "{}",
            "unavailable - nonsense is not available to this grant.",
        ),
        (
            "create_charge",
            r#"{"amount":20000,"reason":"x"}"#,
            "rule /tools/create_charge/deny_if/args.amount-gt create_charge: args.amount must be at most 10000. The call was not run.",
        ),
        (
            "create_charge",
            r#"{"amount":5}"#,
            "rule /tools/create_charge/require/args.reason-exists create_charge: Give a reason. args.reason must be present. The call was not run.",
        ),
        (
            "create_charge",
            r#"{"amount":"5","reason":"x"}"#,
            "argument /tools/create_charge/deny_if/args.amount-gt create_charge: args.amount must be a number. The call was not run.",
        ),
        (
            "copy_image_set",
            "{}",
            "hold /tools/copy_image_set/approve_if/always copy_image_set: Copies cost money. A person must approve each call of this tool. The call was not run.",
        ),
        (
            "old_but_loved",
            "{}",
            "rule /tools/old_*/deny_if/always old_but_loved: The old tools are going away. This tool may not be called. The call was not run.",
        ),
    ];
    for (tool, arguments, expected) in cases {
        assert_eq!(
            told(&policy, tool, arguments),
            expected,
            "{tool} {arguments}"
        );
    }
}

#[test]
fn a_call_takes_from_every_limit_of_its_entry_in_the_order_of_the_document() {
    let policy = compiled(STARTING);
    let charged = |tool: &str, arguments: &str| {
        decide(&policy, (tool, arguments), Listing::Listed, |decision| {
            let Decision::Allow(permit) = decision else {
                panic!("{tool} was refused: {decision:?}");
            };
            let charges = permit.charges().iter();
            charges
                .map(|charge| charge.limit.rule.to_string())
                .collect::<Vec<_>>()
        })
    };
    assert!(charged("get_datastore", "{}").is_empty());
    assert_eq!(
        charged("start_dicom_import_job", "{}"),
        ["/tools/start_dicom_import_job/limits/start_dicom_import_job_rate"]
    );
    assert_eq!(
        charged("create_charge", r#"{"reason":""}"#),
        ["/tools/create_charge/limits/rate_limit"]
    );
    for (index, limit) in policy.limits().iter().enumerate() {
        assert_eq!(limit.index, index, "{}", limit.rule);
    }
}

#[test]
fn a_tool_is_listed_exactly_where_it_is_offered() {
    let deny = compiled(STARTING);
    let allow = compiled(
        r#"{"version":"1","default":"allow","hide":["secret_?","x"],"tools":{"a":{"action":"deny"}}}"#,
    );
    let none = compiled(r#"{"version":"1","default":"allow","hide":["*"]}"#);
    for (policy, tool, listed) in [
        (&deny, "list_exports", true),
        (&deny, "list_datastores", false),
        (&deny, "delete_x", false),
        (&deny, "other", false),
        (&deny, "old_thing", true),
        (&allow, "other", true),
        (&allow, "a", true),
        (&allow, "secret_1", false),
        (&allow, "Secret_1", true),
        (&allow, "x", false),
        (&none, "anything", false),
    ] {
        assert_eq!(policy.is_listed(tool), listed, "{tool}");
    }
    assert!(deny.has_entry("create_charge") && !deny.has_entry("list_exports"));
    assert!(!allow.is_listed(&"n".repeat(2_000)), "names are bounded");
}

#[test]
fn a_tool_that_the_server_does_not_list_is_there_only_for_who_names_it_exactly() {
    let policy =
        compiled(r#"{"version":"1","default":"allow","hide":["h"],"tools":{"exact":{},"g_*":{}}}"#);
    let reason = |tool: &str, listing| {
        decide(&policy, (tool, "{}"), listing, |decision| match decision {
            Decision::Deny(Denial::Unavailable(reason)) => Some(reason.reason()),
            _ => None,
        })
    };
    for (tool, listing, expected) in [
        ("exact", Listing::NotListed, None),
        ("g_1", Listing::NotListed, Some("(unknown tool)")),
        ("other", Listing::NotListed, Some("(unknown tool)")),
        ("h", Listing::NotListed, Some("(hidden)")),
        ("g_1", Listing::Listed, None),
        ("other", Listing::Unknown, None),
    ] {
        assert_eq!(reason(tool, listing), expected, "{tool} {listing:?}");
    }
}

#[test]
fn the_most_specific_entry_speaks_for_a_tool() {
    let policy = compiled(
        r#"{"version":"1","default":"deny","tools":{
        "*": {"rate_limit":"1/second"}, "get_*": {"rate_limit":"2/second"}, "get_all_*": {"rate_limit":"3/second"},
        "get_all_it": {"rate_limit":"4/second"} }}"#,
    );
    let max = |tool: &str| {
        decide(
            &policy,
            (tool, "{}"),
            Listing::Unknown,
            |decision| match decision {
                Decision::Allow(permit) => permit.charges()[0].limit.max.get(),
                _ => 0,
            },
        )
    };
    let found = ["x", "get_x", "get_all_x", "get_all_it", "GET_x"].map(max);
    assert_eq!(found, [1, 2, 3, 4, 1]);
}

#[test]
fn an_unconditional_deny_of_any_entry_that_matches_holds() {
    for (tools, denied) in [
        (r#"{"t":{}, "*":{"action":"deny"}}"#, true),
        (r#"{"t":{}, "*":{"deny_if":[{"conditions":[]}]}}"#, true),
        (r#"{"t*":{}, "*":{"action":"deny"}}"#, true),
        (r#"{"t*":{"action":"deny"}, "*":{}}"#, true),
        (r#"{"t":{}, "t*":{}, "*":{"action":"deny"}}"#, true),
        (r#"{"t":{}, "x*":{"action":"deny"}}"#, false),
        (
            r#"{"t":{}, "*":{"deny_if":[{"conditions":[{"path":"args.a","op":"exists","value":false}]}]}}"#,
            false,
        ),
        (r#"{"t":{}, "*":{"action":"require_approval"}}"#, false),
    ] {
        let policy = compiled(&format!(
            r#"{{"version":"1","default":"deny","tools":{tools}}}"#
        ));
        let expected = if denied { "rule" } else { "allow" };
        assert_eq!(outcome(&policy, "t", "{}"), expected, "{tools}");
    }
}

#[test]
fn rules_have_ids_of_their_own() {
    let policy = with_tool(
        r#"{"deny_if":[{"conditions":[{"path":"args.a","op":"eq","value":1}]},
            {"conditions":[{"path":"args.a","op":"eq","value":2}]},
            {"conditions":[{"path":"args[\"x/y~z\"]","op":"eq","value":3}]},
            {"conditions":[{"any":[{"not":{"path":"args.b","op":"neq","value":4}}]}]},
            {"conditions":[]},{"conditions":[]}]}"#,
    );
    for (arguments, id) in [
        (r#"{"a":1}"#, "/tools/t/deny_if/args.a-eq"),
        (r#"{"a":2}"#, "/tools/t/deny_if/args.a-eq-2"),
        (r#"{"x/y~z":3}"#, "/tools/t/deny_if/args[\"x~1y~0z\"]-eq"),
        (r#"{"b":4}"#, "/tools/t/deny_if/args.b-neq"),
        (r#"{"b":5}"#, "/tools/t/deny_if/always"),
    ] {
        let told = told(&policy, "t", arguments);
        assert_eq!(told.split(' ').nth(1), Some(id), "{arguments}");
    }
    let odd = compiled(r#"{"version":"1","default":"deny","tools":{"a/b~c":{"action":"deny"}}}"#);
    assert!(told(&odd, "a/b~c", "{}").contains("/tools/a~1b~0c/deny_if/always"));
}

#[test]
fn a_key_that_only_looks_like_a_judged_one_is_refused() {
    let policy = with_tool(
        r#"{"deny_if":[{"conditions":[{"path":"args.amount","op":"gt","value":5}]},
            {"conditions":[{"path":"args.to[*].name","op":"eq","value":"x"},{"path":"args.to[1].Id","op":"eq","value":"x"}]}]}"#,
    );
    for (arguments, expected) in [
        (r#"{"amount":1,"Amount":9}"#, "argument"),
        (r#"{"AMOUNT":9}"#, "argument"),
        (r#"{"amount ":9}"#, "argument"),
        (r#"{"ａmount":9}"#, "argument"),
        (r#"{"amou\u0000nt":9}"#, "argument"),
        (r#"{"to":[{"name":"y"},{"Name":"x"}]}"#, "argument"),
        (r#"{"to":[{"id":"x"}]}"#, "argument"),
        (r#"{"a":{"Amount":1},"amounts":7,"mount":3}"#, "allow"),
        (r#"{"to":{"Name":"x"}}"#, "argument"),
        (r#"{"name":"x","Name":"y"}"#, "allow"),
        (r#"{"amou\u006et":4}"#, "allow"),
        (r#"{"amou\u006et":6}"#, "rule"),
    ] {
        assert_eq!(outcome(&policy, "t", arguments), expected, "{arguments}");
    }
    assert_eq!(
        told(&policy, "t", r#"{"Amount":"secret"}"#),
        "argument /tools/t/deny_if/args.amount-gt t: args must not have a key that only looks like \"amount\". The call was not run."
    );
}

#[test]
fn two_spellings_that_rules_name_are_both_judged_and_neither_is_a_look_alike() {
    let policy = with_tool(
        r#"{"deny_if":[{"conditions":[{"path":"args.id","op":"eq","value":1}]},{"conditions":[{"path":"args.ID","op":"eq","value":1}]}]}"#,
    );
    for (arguments, expected) in [
        (r#"{"id":2,"ID":2}"#, "allow"),
        (r#"{"id":2,"ID":1}"#, "rule"),
        (r#"{"Id":2}"#, "argument"),
    ] {
        assert_eq!(outcome(&policy, "t", arguments), expected, "{arguments}");
    }
}

#[test]
fn require_comes_before_deny_if_and_both_before_a_person_is_asked() {
    let policy = with_tool(
        r#"{"action":"require_approval","deny_if":[{"conditions":[{"path":"args.a","op":"eq","value":1}]}],
            "require":[{"conditions":[{"path":"args.b","op":"eq","value":1}]}]}"#,
    );
    for (arguments, expected) in [
        (r#"{"a":1,"b":2}"#, "rule /tools/t/require/args.b-eq"),
        (r#"{"a":1,"b":1}"#, "rule /tools/t/deny_if/args.a-eq"),
        (r#"{"a":2,"b":1}"#, "hold /tools/t/approve_if/always"),
    ] {
        let told = told(&policy, "t", arguments);
        assert!(told.starts_with(expected), "{arguments}: {told}");
    }
}

#[test]
fn a_name_is_repeated_only_as_far_as_it_is_harmless() {
    let policy = compiled(r#"{"version":"1","default":"deny"}"#);
    let long = "n".repeat(129);
    let shown = |name: &str| told(&policy, name, "{}");
    assert_eq!(
        shown("a\nb\u{202e}c\u{200b}d e"),
        "unavailable - a\u{fffd}b\u{fffd}c\u{fffd}d e is not available to this grant."
    );
    assert_eq!(
        shown(&long),
        format!(
            "unavailable - {}… is not available to this grant.",
            &long[1..]
        )
    );
}

/// Operator, constant, and what must be in `require` and in `deny_if`.
const WORDS: &[(&str, &str, &str, &str)] = &[
    ("eq", "\"x\"", "be \"x\"", "not be \"x\""),
    ("neq", "true", "not be true", "be true"),
    ("lt", "5", "be less than 5", "be at least 5"),
    ("lte", "5", "be at most 5", "be more than 5"),
    ("gt", "5", "be more than 5", "be at most 5"),
    ("gte", "5", "be at least 5", "be less than 5"),
    (
        "in",
        "[1,\"b\"]",
        "be one of 1, \"b\"",
        "not be one of 1, \"b\"",
    ),
    ("not_in", "[1]", "not be one of 1", "be one of 1"),
    ("exists", "true", "be present", "be left out"),
    ("exists", "false", "be left out", "be present"),
    ("regex", "\"^a\"", "match \"^a\"", "not match \"^a\""),
    ("contains", "\"a\"", "contain \"a\"", "not contain \"a\""),
    (
        "length_lt",
        "5",
        "be shorter than 5",
        "have a length of at least 5",
    ),
    ("is", "\"array\"", "be an array", "not be an array"),
    ("cidr", "[\"::/0\"]", "be in \"::/0\"", "not be in \"::/0\""),
];

#[test]
fn words_turn_around_for_what_must_not_be() {
    let rule = |section: &str, conditions: &str| {
        let policy = with_tool(&format!(
            r#"{{"{section}":[{{"conditions":[{conditions}]}}]}}"#
        ));
        let rules = policy.tools.speaker("t").expect("there is an entry").rules;
        let entries = rules.require.iter().chain(&rules.deny_if);
        entries
            .map(|entry| entry.rule.words.to_string())
            .collect::<String>()
    };
    let c = |op: &str, value: &str| format!(r#"{{"path":"args.a","op":"{op}","value":{value}}}"#);
    for (op, value, require, deny) in WORDS {
        assert_eq!(
            rule("require", &c(op, value)),
            format!("args.a must {require}")
        );
        assert_eq!(
            rule("deny_if", &c(op, value)),
            format!("args.a must {deny}")
        );
    }
    let two = format!(
        "{},{{\"any\":[{},{}]}}",
        c("gt", "5"),
        c("eq", "1"),
        c("eq", "2")
    );
    assert_eq!(
        rule("require", &two),
        "args.a must be more than 5 and (args.a must be 1 or args.a must be 2)"
    );
    assert_eq!(
        rule("deny_if", &two),
        "args.a must be at most 5 or (args.a must not be 1 and args.a must not be 2)"
    );
}

#[test]
fn the_hash_names_the_exact_source() {
    let policy = compiled(r#"{"version":"1","default":"deny"}"#);
    let spaced = compiled(r#"{"version":"1", "default":"deny"}"#);
    assert_eq!(policy.hash().len(), 16);
    assert!(policy.hash().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_ne!(policy.hash(), spaced.hash());
}
