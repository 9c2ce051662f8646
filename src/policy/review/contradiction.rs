//! Finds two tests of one place that no argument can pass together.
//!
//! It never guesses: what it finds is shown by the operators themselves, by their types or by their bounds.

use std::cmp::Ordering;

use super::super::entry_text::Test;
use super::super::fields::Text;
use super::super::mistake::{Mistakes, Place};
use super::super::number::Number;
use super::super::operand::Operand;
use super::super::operator::Operator;
use super::super::operator_text::operator;
use super::super::regexes::Regexes;
use super::super::truth::{Sense, Truth, Work};
use super::outline::{text, under};
use crate::json::{Duplicates, Kind, Reader, Value};

/// So many tests of one entry are compared in pairs; more of them are not written by people.
const TESTS_MAX: usize = 64;

/// Two tests that cannot both hold, the second after the first; the tests are joined by "and".
pub(super) fn find<'t, 'a>(
    tests: &'t [Place<'a>],
    sense: Sense,
) -> Option<(&'t Place<'a>, &'t Place<'a>)> {
    let facts: Vec<_> = tests
        .iter()
        .take(TESTS_MAX)
        .filter_map(|test| Some((test, Fact::of(test, sense)?)))
        .collect();
    facts.iter().enumerate().find_map(|(at, (second, fact))| {
        let earlier = &facts[..at];
        let clash = earlier.iter().find(|(_, other)| other.clashes(fact))?;
        Some((clash.0, *second))
    })
}

/// Whether a test, where it forbids, does not hold of this value; `false` where that cannot be told.
pub(super) fn lets_pass(test: &Place<'_>, value: &serde_json::Value) -> bool {
    let text = value.to_string();
    let mut reader = Reader::new(Duplicates::Kept);
    let (Ok(document), Some(fact)) = (reader.read(text.as_bytes()), Fact::of(test, Sense::Forbid))
    else {
        return false;
    };
    let value = Some(document.root()).filter(|value| value.kind() != Kind::Null);
    let operand = value.map(Operand::Argument);
    fact.operator.judge(operand, Sense::Forbid, &Work::new()) == Truth::False
}

/// What a test asks of what stands at its path.
struct Fact<'a> {
    path: &'a str,
    op: &'a str,
    value: Value<'a>,
    operator: Operator,
    sense: Sense,
}

impl<'a> Fact<'a> {
    fn of(test: &Place<'a>, sense: Sense) -> Option<Fact<'a>> {
        let path = under(test, "path")?;
        // Where one element is enough, two tests can be passed by two elements.
        let text_of = |place: &Place<'a>| {
            Some(Text {
                place: place.clone(),
                text: place.value.as_str()?,
            })
        };
        if sense == Sense::Forbid && text(test, "path").contains("[*]") {
            return None;
        }
        let written = Test {
            path: text_of(&path)?,
            operator: text_of(&under(test, "op")?)?,
            value: under(test, "value")?,
        };
        Some(Fact {
            path: written.path.text,
            op: written.operator.text,
            value: written.value.value,
            operator: operator(&written, &Regexes::default(), &mut Mistakes::default())?,
            sense,
        })
    }

    fn clashes(&self, other: &Fact<'_>) -> bool {
        self.path == other.path
            && (self.is_absent_against(other)
                || other.is_absent_against(self)
                || self.types_differ(other)
                || self.refuses_all_of(other)
                || other.refuses_all_of(self)
                || self.bounds_cross(other)
                || other.bounds_cross(self))
    }

    /// Whether this asks for nothing to be there and the other cannot hold then.
    fn is_absent_against(&self, other: &Fact<'_>) -> bool {
        let is_absence = self.op == "exists" && self.value.as_bool() == Some(false);
        let judged = other.operator.judge(None, self.sense, &Work::new());
        is_absence && judged != Truth::True
    }

    fn kinds(&self) -> Vec<Kind> {
        kinds(self.op, self.value)
    }

    fn types_differ(&self, other: &Fact<'_>) -> bool {
        // What differs from every constant may be missing.
        let may_be_missing =
            |fact: &Fact<'_>| fact.operator.judge(None, fact.sense, &Work::new()) == Truth::True;
        if may_be_missing(self) && may_be_missing(other) {
            return false;
        }
        let kinds = other.kinds();
        !self.kinds().iter().any(|kind| kinds.contains(kind))
    }

    /// Whether none of the few values that the other one allows passes this.
    fn refuses_all_of(&self, other: &Fact<'_>) -> bool {
        let allowed: Vec<Value<'_>> = match other.op {
            "eq" => vec![other.value],
            "in" => other.value.elements().collect(),
            _ => return false,
        };
        let work = Work::new();
        allowed.into_iter().all(|value| {
            self.operator
                .judge(Some(Operand::Argument(value)), self.sense, &work)
                != Truth::True
                && !work.is_used_up()
        })
    }

    /// Whether this asks for more than the other one allows.
    fn bounds_cross(&self, other: &Fact<'_>) -> bool {
        let (lower, upper) = (bound(self.op), bound(other.op));
        let (
            Some((Side::Lower, what, lower_itself)),
            Some((Side::Upper, other_what, upper_itself)),
        ) = (lower, upper)
        else {
            return false;
        };
        let numbers =
            [self.value, other.value].map(|value| value.as_number().and_then(Number::parse));
        let [Some(least), Some(most)] = numbers else {
            return false;
        };
        what == other_what
            && match least.exactly(&most) {
                Ordering::Less => false,
                Ordering::Equal => !(lower_itself && upper_itself),
                Ordering::Greater => true,
            }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Side {
    Lower,
    Upper,
}

/// Which side an operator bounds, of what, and whether the bound itself passes.
fn bound(op: &str) -> Option<(Side, &'static str, bool)> {
    Some(match op {
        "gt" => (Side::Lower, "value", false),
        "gte" => (Side::Lower, "value", true),
        "lt" => (Side::Upper, "value", false),
        "lte" => (Side::Upper, "value", true),
        "length_gt" => (Side::Lower, "length", false),
        "length_gte" => (Side::Lower, "length", true),
        "length_lt" => (Side::Upper, "length", false),
        "length_lte" => (Side::Upper, "length", true),
        _ => return None,
    })
}

/// The types that can pass a test with this operator and constant.
pub(super) fn kinds(op: &str, value: Value<'_>) -> Vec<Kind> {
    let all = || {
        vec![
            Kind::Bool,
            Kind::Number,
            Kind::String,
            Kind::Array,
            Kind::Object,
        ]
    };
    match op {
        "lt" | "lte" | "gt" | "gte" => vec![Kind::Number],
        "length_lt" | "length_lte" | "length_gt" | "length_gte" => vec![Kind::String, Kind::Array],
        "regex" | "starts_with" | "ends_with" | "glob" | "cidr" | "path_within" | "url_host" => {
            vec![Kind::String]
        }
        "eq" | "neq" => vec![value.kind()],
        "in" | "not_in" => value.elements().map(Value::kind).collect(),
        "contains" if value.kind() == Kind::String => vec![Kind::String, Kind::Array],
        "contains" => vec![Kind::Array],
        "is" => all()
            .into_iter()
            .filter(|kind| value.as_str() == Some(kind.name()))
            .collect(),
        _ => all(),
    }
}
