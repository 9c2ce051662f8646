//! What operators say of arguments that need more than a type to be understood: elements, spellings, sizes.
//!
//! Which type of argument gets which answer is not here: `tests/type_confusion.rs` has the whole table.

use super::*;

#[test]
fn a_call_without_arguments_misses_every_path() {
    for (section, op, allowed) in [
        ("require", r#""exists","value":true"#, false),
        ("require", r#""exists","value":false"#, true),
        ("deny_if", r#""eq","value":1"#, true),
        ("deny_if", r#""neq","value":1"#, false),
    ] {
        let policy = with_tool(&format!(
            r#"{{"{section}":[{{"conditions":[{{"path":"args.a[0].b","op":{op}}}]}}]}}"#
        ));
        let call = Call {
            tool: "t",
            arguments: None,
        };
        let facts = Facts {
            listing: Listing::Listed,
            ..Facts::NONE
        };
        let decision = policy.decide(&call, &facts).decision;
        assert_eq!(
            matches!(decision, Decision::Allow(_)),
            allowed,
            "{section} {op}"
        );
    }
}

/// Path, operator and constant, arguments that cannot be judged, and what they must be.
const WANTED: &[(&str, &str, &str, &str)] = &[
    (
        "args.a",
        r#""gt","value":1"#,
        r#"{"a":"x"}"#,
        "args.a must be a number",
    ),
    (
        "args.a",
        r#""eq","value":"x""#,
        r#"{"a":1}"#,
        "args.a must be a string",
    ),
    (
        "args.a",
        r#""eq","value":true"#,
        r#"{"a":1}"#,
        "args.a must be a boolean",
    ),
    (
        "args.a",
        r#""in","value":[1,"x"]"#,
        r#"{"a":true}"#,
        "args.a must be a string or a number",
    ),
    (
        "args.a",
        r#""regex","value":"x""#,
        r#"{"a":[]}"#,
        "args.a must be a string",
    ),
    (
        "args.a",
        r#""contains","value":"x""#,
        r#"{"a":1}"#,
        "args.a must be a string or an array of strings",
    ),
    (
        "args.a",
        r#""contains","value":1"#,
        r#"{"a":"1"}"#,
        "args.a must be an array of numbers",
    ),
    (
        "args.a",
        r#""length_gt","value":1"#,
        r#"{"a":1}"#,
        "args.a must be a string or an array",
    ),
    (
        "args.a",
        r#""cidr","value":["10.0.0.0/8","::1"]"#,
        r#"{"a":"x"}"#,
        "args.a must be an IP address",
    ),
    (
        "args.a",
        r#""path_within","value":"/data""#,
        r#"{"a":"../x"}"#,
        "args.a must be an absolute path without \"..\"",
    ),
    (
        "args.a",
        r#""url_host","value":"example.org""#,
        r#"{"a":"x"}"#,
        "args.a must be a plain URL such as https://host/path",
    ),
    (
        "args.a.b",
        r#""eq","value":1"#,
        r#"{"a":"x"}"#,
        "args.a must be an object",
    ),
    (
        "args.a[0]",
        r#""eq","value":1"#,
        r#"{"a":{}}"#,
        "args.a must be an array",
    ),
    (
        "args.a[*].b",
        r#""eq","value":1"#,
        r#"{"a":[{},7]}"#,
        "args.a[*] must be an object",
    ),
    (
        "args[*]",
        r#""eq","value":1"#,
        "{}",
        "args must be an array",
    ),
];

#[test]
fn the_agent_is_told_what_an_argument_must_be() {
    for (path, op, arguments, words) in WANTED {
        let policy = with_tool(&format!(
            r#"{{"deny_if":[{{"conditions":[{{"path":"{path}","op":{op}}}]}}]}}"#
        ));
        let told = told(&policy, "t", arguments);
        assert!(
            told.contains(&format!(" t: {words}. The call")),
            "{path} {op}: {told}"
        );
    }
}

#[test]
fn a_star_means_every_element_in_require_and_any_in_deny_if() {
    for (arguments, require, deny_if) in [
        (r#"{"to":[]}"#, "rule", "allow"),
        (r#"{"to":[{"x":1}]}"#, "allow", "rule"),
        (r#"{"to":[{"x":1},{"x":2}]}"#, "rule", "rule"),
        (r#"{"to":[{"x":2},{"x":2}]}"#, "rule", "allow"),
        (r#"{"to":[{"x":1},{}]}"#, "rule", "rule"),
        (r#"{"to":[{"x":2},{}]}"#, "rule", "allow"),
        (r#"{"to":[{"x":1},null]}"#, "rule", "rule"),
        (r#"{"to":[{"x":1},{"x":"1"}]}"#, "argument", "rule"),
        (r#"{"to":[{"x":2},{"x":"1"}]}"#, "rule", "argument"),
        (r#"{"to":[{"x":2},7]}"#, "rule", "argument"),
        (r#"{"to":{"x":1}}"#, "argument", "argument"),
        (r#"{"to":null}"#, "rule", "allow"),
    ] {
        for (section, expected) in [("require", require), ("deny_if", deny_if)] {
            let policy = with_tool(&format!(
                r#"{{"{section}":[{{"conditions":[{{"path":"args.to[*].x","op":"eq","value":1}}]}}]}}"#
            ));
            assert_eq!(
                outcome(&policy, "t", arguments),
                expected,
                "{section} {arguments}"
            );
        }
    }
}

#[test]
fn strings_are_compared_as_what_they_say_and_by_nothing_else() {
    for (value, argument, expected) in [
        (r#""a/b""#, r#""a\/b""#, "rule"),
        (r#""é""#, r#""\u00e9""#, "rule"),
        (r#""é""#, r#""e\u0301""#, "allow"),
        (r#""A""#, r#""a""#, "allow"),
        (r#""😀""#, r#""\ud83d\ude00""#, "rule"),
        (r#""a""#, r#""a ""#, "allow"),
    ] {
        let policy = with_tool(&format!(
            r#"{{"deny_if":[{{"conditions":[{{"path":"args.a","op":"eq","value":{value}}}]}}]}}"#
        ));
        let arguments = format!(r#"{{"a":{argument}}}"#);
        assert_eq!(
            outcome(&policy, "t", &arguments),
            expected,
            "{argument} eq {value}"
        );
    }
}

#[test]
fn a_catastrophic_regex_takes_time_that_grows_as_its_input_does() {
    let policy = with_tool(
        r#"{"deny_if":[{"conditions":[{"path":"args.a","op":"regex","value":"(a+)+$"}]}]}"#,
    );
    // A backtracking engine takes 2^n steps: it would not be done with thirty letters this year.
    for length in [30, 3_000, 300_000] {
        let arguments = format!(r#"{{"a":"{}!"}}"#, "a".repeat(length));
        assert_eq!(outcome(&policy, "t", &arguments), "allow", "{length}");
    }
}

#[test]
fn arguments_too_large_to_be_judged_are_refused() {
    let policy =
        with_tool(r#"{"deny_if":[{"conditions":[{"path":"args.a[*]","op":"eq","value":1}]}]}"#);
    let arguments = |count: usize| format!(r#"{{"a":[{}2]}}"#, "2,".repeat(count));
    assert_eq!(outcome(&policy, "t", &arguments(10_000)), "allow");
    assert_eq!(
        told(&policy, "t", &arguments(1_000_000)),
        "argument /tools/t/deny_if/args.a[*]-eq t: args.a[*] is too large to be judged. The call was not run."
    );
}
