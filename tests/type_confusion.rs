//! Type confusion gets past no rule: what every operator makes of every type of argument, as the table beside it says.
//!
//! The table (`fixtures/policy/types.txt`) is written by hand and read by people: nothing here computes what it should say.

use toolgate::json::{Duplicates, Reader};
use toolgate::policy::{Call, Decision, Facts, Policy};

const TABLE: &str = include_str!("fixtures/policy/types.txt");

/// The cells before those of the arguments.
const ABOUT: usize = 4;

/// One line of the table.
struct Row {
    operator: &'static str,
    constant: &'static str,
    judges: Vec<&'static str>,
    section: &'static str,
    /// Each argument as JSON, or `missing`, and what becomes of the call.
    cells: Vec<(&'static str, &'static str)>,
}

impl Row {
    fn condition(&self) -> String {
        let (operator, constant) = (self.operator, self.constant);
        format!(r#"{{"path":"args.a","op":"{operator}","value":{constant}}}"#)
    }

    fn name(&self) -> String {
        format!("{} {} in {}", self.operator, self.constant, self.section)
    }
}

fn rows() -> Vec<Row> {
    let mut lines = TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let head = lines.next().expect("the table has a head");
    let arguments = &head[ABOUT..];
    lines
        .map(|cells| {
            assert_eq!(cells.len(), head.len(), "{cells:?}");
            let outcomes = cells[ABOUT..].iter().copied();
            Row {
                operator: cells[0],
                constant: cells[1],
                judges: cells[2].split('|').collect(),
                section: cells[3],
                cells: arguments.iter().copied().zip(outcomes).collect(),
            }
        })
        .collect()
}

/// A policy whose one tool has one entry with this condition; `more` are further keys of the entry.
fn policy((section, condition): (&str, &str), more: &str) -> Policy {
    let source = format!(
        r#"{{"version":"1","default":"deny","tools":{{"t":{{"{section}":[{{"conditions":[{condition}]{more}}}]}}}}}}"#
    );
    Policy::compile(source.as_bytes()).unwrap_or_else(|mistakes| panic!("{source}: {mistakes:?}"))
}

/// What becomes of a call with this argument, in the table's words.
fn outcome(policy: &Policy, argument: &str) -> &'static str {
    let arguments = match argument {
        "missing" => "{}".to_owned(),
        value => format!(r#"{{"a":{value}}}"#),
    };
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader.read(arguments.as_bytes()).expect("JSON");
    let call = Call {
        tool: "t",
        arguments: Some(document.root()),
    };
    match policy.decide(&call, &Facts::NONE).decision {
        Decision::Allow(_) => "allow",
        Decision::Hold(_) => "hold",
        Decision::Deny(denial) => denial.kind(),
    }
}

/// What a cell says happens: both words for passing are one outcome.
fn happens(cell: &'static str) -> &'static str {
    match cell {
        "missing" => "allow",
        other => other,
    }
}

/// The JSON type of an argument of the head.
fn type_of(argument: &str) -> &'static str {
    match argument.as_bytes()[0] {
        b'm' | b'n' => "nothing",
        b't' => "boolean",
        b'"' => "string",
        b'[' => "array",
        b'{' => "object",
        _ => "number",
    }
}

#[test]
fn every_operator_judges_every_type_as_the_table_says() {
    for row in rows() {
        let policy = policy((row.section, &row.condition()), "");
        for (argument, cell) in &row.cells {
            assert_eq!(
                outcome(&policy, argument),
                happens(cell),
                "{} on {argument}",
                row.name()
            );
        }
    }
}

#[test]
fn no_wrong_type_is_allowed_by_the_table() {
    for row in rows() {
        for (argument, cell) in &row.cells {
            let kind = type_of(argument);
            let judges = row.judges.contains(&"any") || row.judges.contains(&kind);
            let passes_rightly = match *cell {
                "allow" => judges,
                // Only where a rule looks for what is bad, and nothing is there.
                "missing" => kind == "nothing" && row.section == "deny_if",
                "rule" | "argument" => true,
                other => panic!("{other} is no word of the table"),
            };
            assert!(passes_rightly, "{} on {argument} fails open", row.name());
        }
    }
}

#[test]
fn the_table_has_every_operator_in_both_sections() {
    let source = br#"{"version":"1","default":"deny","tools":{"t":{"require":[{"conditions":[{"path":"args","op":"????????","value":1}]}]}}}"#;
    let mistakes = Policy::compile(source).expect_err("there is no such operator");
    let remedy = mistakes[0].remedy.clone().expect("it names the operators");
    let known = remedy
        .strip_prefix("the operators are ")
        .expect("all of them");
    for operator in known.split(", ") {
        for section in ["require", "deny_if"] {
            let is_there = |row: &Row| row.operator == operator && row.section == section;
            assert!(rows().iter().any(is_there), "{operator} in {section}");
        }
    }
}

#[test]
fn what_passes_because_nothing_is_there_is_refused_where_the_author_says_so() {
    for row in rows() {
        let policy = policy((row.section, &row.condition()), r#","if_missing":"deny""#);
        for (argument, cell) in &row.cells {
            if *cell == "missing" {
                assert_eq!(
                    outcome(&policy, argument),
                    "argument",
                    "{} on {argument}",
                    row.name()
                );
            }
        }
    }
}

#[test]
fn a_not_turns_what_is_required_into_what_is_forbidden() {
    for row in rows() {
        let turned = match row.section {
            "require" => "deny_if",
            _ => "require",
        };
        let condition = format!(r#"{{"not":{}}}"#, row.condition());
        let policy = policy((turned, &condition), "");
        for (argument, cell) in &row.cells {
            assert_eq!(
                outcome(&policy, argument),
                happens(cell),
                "not {} on {argument}",
                row.name()
            );
        }
    }
}

#[test]
fn a_person_is_asked_where_deny_if_would_refuse_and_never_for_a_wrong_type() {
    for row in rows().iter().filter(|row| row.section == "deny_if") {
        let policy = policy(("approve_if", &row.condition()), "");
        for (argument, cell) in &row.cells {
            let expected = match happens(cell) {
                "rule" => "hold",
                other => other,
            };
            assert_eq!(
                outcome(&policy, argument),
                expected,
                "{} asked on {argument}",
                row.name()
            );
        }
    }
}
