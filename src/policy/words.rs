//! Puts rules into words for the agent that broke one: `args.amount must be at most 10000`.
//!
//! It never sees an argument: the words are made once, from the policy alone.

use super::entry_text::{Clause, Test};
use crate::json::{Kind, Value};

/// Longer texts are cut: whoever wrote a regex of a page does not want it in each denial.
const TEXT_CHARS_MAX: usize = 200;

/// As many constants of a list are told.
const LIST_MAX: usize = 10;

/// What is said after the conditions under which nobody need be asked.
pub(super) const OR_ASK: &str = ", or a person must approve the call";

/// What is said of an entry with no conditions; a `require` without any is never broken.
pub(super) fn always(section: &str) -> &'static str {
    match section {
        "approve_if" => "a person must approve each call of this tool",
        _ => "this tool may not be called",
    }
}

/// Whether the words say that a clause holds, or that it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Must {
    Hold,
    Fail,
}

impl Must {
    fn flipped(self) -> Must {
        match self {
            Must::Hold => Must::Fail,
            Must::Fail => Must::Hold,
        }
    }
}

/// What must be true so that all clauses hold, or so that not all of them do.
pub(super) fn all_of(clauses: &[Clause<'_>], must: Must) -> String {
    joined(clauses, must, Must::Hold)
}

/// `and` where all parts must come true, `or` where one part is enough (De Morgan).
fn joined(clauses: &[Clause<'_>], must: Must, and_where: Must) -> String {
    let word = if must == and_where { " and " } else { " or " };
    let part = |clause: &Clause<'_>| match clause {
        Clause::Any(inside) | Clause::All(inside) if inside.len() > 1 && clauses.len() > 1 => {
            format!("({})", one(clause, must))
        }
        _ => one(clause, must),
    };
    clauses.iter().map(part).collect::<Vec<_>>().join(word)
}

fn one(clause: &Clause<'_>, must: Must) -> String {
    match clause {
        Clause::All(inside) => joined(inside, must, Must::Hold),
        Clause::Any(inside) => joined(inside, must, Must::Fail),
        Clause::Not(inside) => one(inside, must.flipped()),
        Clause::One(test) => format!("{} must {}", test.path.text, verb(test, must)),
    }
}

fn verb(test: &Test<'_>, must: Must) -> String {
    let value = test.value.value;
    let (holds, fails) = match test.operator.text {
        "eq" => ("be", "not be"),
        "neq" => ("not be", "be"),
        "lt" => ("be less than", "be at least"),
        "lte" => ("be at most", "be more than"),
        "gt" => ("be more than", "be at most"),
        "gte" => ("be at least", "be less than"),
        "in" => ("be one of", "not be one of"),
        "not_in" => ("not be one of", "be one of"),
        "regex" => ("match", "not match"),
        "contains" => ("contain", "not contain"),
        "starts_with" => ("start with", "not start with"),
        "ends_with" => ("end with", "not end with"),
        "glob" => ("match", "not match"),
        "length_lt" => ("be shorter than", "have a length of at least"),
        "length_lte" => ("have a length of at most", "be longer than"),
        "length_gt" => ("be longer than", "have a length of at most"),
        "length_gte" => ("have a length of at least", "be shorter than"),
        "cidr" => ("be in", "not be in"),
        "path_within" => ("be inside", "not be inside"),
        "url_host" => ("be a URL on", "not be a URL on"),
        "is" => {
            let article = match value.as_str() {
                Some("array" | "object") => "an",
                _ => "a",
            };
            let not = if must == Must::Hold { "" } else { "not " };
            return format!("{not}be {article} {}", value.as_str().unwrap_or_default());
        }
        "exists" => {
            let is_present = (value.as_bool() == Some(true)) == (must == Must::Hold);
            return if is_present {
                "be present"
            } else {
                "be left out"
            }
            .into();
        }
        other => (other, other),
    };
    let phrase = if must == Must::Hold { holds } else { fails };
    format!("{phrase} {}", constant(value))
}

fn constant(value: Value<'_>) -> String {
    if value.kind() != Kind::Array {
        return cut(value.raw());
    }
    let mut shown: Vec<_> = value.elements().take(LIST_MAX).map(constant).collect();
    if let more @ 1.. = value.elements().count() - shown.len() {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
}

/// The text, or as much of it as is told.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A number with a comma between thousands.
pub fn in_groups(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
