//! Numbers as decimals and as doubles: the stricter reading stands.

use super::*;

/// Operator, constant, argument, and the outcomes in `require` and in `deny_if`.
const READINGS: &[(&str, &str, &str, &str, &str)] = &[
    // 2^53 + 1 rounds to 2^53: a server may see either.
    ("gt", "9007199254740992", "9007199254740993", "rule", "rule"),
    (
        "lte",
        "9007199254740992",
        "9007199254740993",
        "rule",
        "rule",
    ),
    ("eq", "9007199254740992", "9007199254740993", "rule", "rule"),
    (
        "neq",
        "9007199254740992",
        "9007199254740993",
        "rule",
        "rule",
    ),
    (
        "gt",
        "9007199254740992",
        "9007199254740991",
        "rule",
        "allow",
    ),
    (
        "gte",
        "9223372036854775808",
        "9223372036854775807",
        "rule",
        "rule",
    ),
    (
        "eq",
        "9223372036854775808",
        "9223372036854775808",
        "allow",
        "rule",
    ),
    ("eq", "0.3", "0.30000000000000004", "rule", "allow"),
    ("eq", "0.3", "0.30000000000000001", "rule", "rule"),
    ("eq", "0", "-0", "allow", "rule"),
    ("eq", "0", "-0.0e9", "allow", "rule"),
    ("lt", "0", "-0", "rule", "allow"),
    ("eq", "100", "1e2", "allow", "rule"),
    ("gt", "0", "1e-400", "rule", "rule"),
    ("gt", "1e300", "1e301", "allow", "rule"),
    (
        "eq",
        "1",
        "1e-99999999999999999999999",
        "argument",
        "argument",
    ),
    ("in", "9007199254740992", "9007199254740993", "rule", "rule"),
    (
        "not_in",
        "9007199254740992",
        "9007199254740993",
        "rule",
        "rule",
    ),
];

#[test]
fn of_two_readings_of_a_number_the_stricter_stands() {
    for (op, bound, argument, require, deny_if) in READINGS {
        let value = if op.ends_with("in") {
            format!("[{bound}]")
        } else {
            (*bound).to_owned()
        };
        for (section, expected) in [("require", *require), ("deny_if", *deny_if)] {
            let policy = with_tool(&format!(
                r#"{{"{section}":[{{"conditions":[{{"path":"args.a","op":"{op}","value":{value}}}]}}]}}"#
            ));
            let arguments = format!(r#"{{"a":{argument}}}"#);
            assert_eq!(
                outcome(&policy, "t", &arguments),
                expected,
                "{section}: {argument} {op} {bound}"
            );
        }
    }
}

#[test]
fn of_two_readings_of_an_element_the_stricter_stands() {
    for (elements, require, deny_if) in [
        ("[9007199254740993]", "rule", "rule"),
        ("[1, 9007199254740992]", "allow", "rule"),
        ("[1, 9007199254740991]", "rule", "allow"),
    ] {
        for (section, expected) in [("require", require), ("deny_if", deny_if)] {
            let policy = with_tool(&format!(
                r#"{{"{section}":[{{"conditions":[{{"path":"args.a","op":"contains","value":9007199254740992}}]}}]}}"#
            ));
            let arguments = format!(r#"{{"a":{elements}}}"#);
            let found = outcome(&policy, "t", &arguments);
            assert_eq!(found, expected, "{section} {elements}");
        }
    }
}
