//! Conditions as written → conditions as judged: paths, operators and their constants.
//!
//! It never accepts a constant that its operator could not compare.

use regex::RegexBuilder;

use super::condition::{self, Condition};
use super::document::{Clause, Test};
use super::fields::{nearest, not_built, wrong_type};
use super::mistake::{Mistakes, Place};
use super::number::Number;
use super::operator::{Constants, Operator};
use super::path::Path;
use crate::json::{Kind, Value};

/// A compiled regex may take so many bytes: enough for a page of alternatives, too little for `\w{10000}`.
const REGEX_BYTES_MAX: usize = 1 << 20;

const OPERATORS: &[&str] = &[
    "eq", "neq", "lt", "lte", "gt", "gte", "in", "not_in", "exists", "regex", "contains",
];
const OPERATORS_NOT_BUILT: &[&str] = &[
    "starts_with",
    "ends_with",
    "glob",
    "is",
    "length_lt",
    "length_lte",
    "length_gt",
    "length_gte",
    "cidr",
    "path_within",
    "url_host",
];

/// Compiles a clause; `None`, and mistakes, if any part of it is wrong.
pub(super) fn clause(clause: &Clause<'_>, mistakes: &mut Mistakes) -> Option<condition::Clause> {
    let several = |clauses: &[Clause<'_>], mistakes: &mut Mistakes| {
        let compiled: Vec<_> = clauses
            .iter()
            .filter_map(|one| self::clause(one, mistakes))
            .collect();
        (compiled.len() == clauses.len()).then(|| compiled.into_boxed_slice())
    };
    Some(match clause {
        Clause::One(test) => condition::Clause::One(self::test(test, mistakes)?),
        Clause::Any(clauses) => condition::Clause::Any(several(clauses, mistakes)?),
        Clause::All(clauses) => condition::Clause::All(several(clauses, mistakes)?),
        Clause::Not(inside) => condition::Clause::Not(Box::new(self::clause(inside, mistakes)?)),
    })
}

/// `<path>-<op>` of the first test of a clause.
pub(super) fn id(clause: &Clause<'_>) -> String {
    match clause {
        Clause::One(test) => format!("{}-{}", test.path.text, test.operator.text),
        Clause::Any(inside) | Clause::All(inside) => {
            inside.first().map_or_else(|| "always".into(), id)
        }
        Clause::Not(inside) => id(inside),
    }
}

fn test(test: &Test<'_>, mistakes: &mut Mistakes) -> Option<Condition> {
    let path = Path::parse(test.path.text)
        .map_err(|what| {
            mistakes.advise(
                &test.path.place,
                what,
                "write such as args.a.b, args.items[0].x, args.items[*].x or args[\"odd.key\"]",
            );
        })
        .ok();
    let operator = operator(test, mistakes);
    let (path, operator) = (path?, operator?);
    let wanted = format!("{} must be {}", path.text, operator.wanted()).into();
    Some(Condition {
        path,
        operator,
        wanted,
    })
}

fn operator(test: &Test<'_>, mistakes: &mut Mistakes) -> Option<Operator> {
    let among = |constants: Constants, is_negated| Operator::Among {
        constants,
        is_negated,
    };
    let value = &test.value;
    Some(match test.operator.text {
        "eq" => among(scalar(value, mistakes)?, false),
        "neq" => among(scalar(value, mistakes)?, true),
        "in" => among(scalars(value, mistakes)?, false),
        "not_in" => among(scalars(value, mistakes)?, true),
        "lt" => order(value, std::cmp::Ordering::is_lt, mistakes)?,
        "lte" => order(value, std::cmp::Ordering::is_le, mistakes)?,
        "gt" => order(value, std::cmp::Ordering::is_gt, mistakes)?,
        "gte" => order(value, std::cmp::Ordering::is_ge, mistakes)?,
        "exists" => match value.value.as_bool() {
            Some(wanted) => Operator::Exists(wanted),
            None => {
                wrong_type(value, "true or false", mistakes);
                return None;
            }
        },
        "regex" => regex(value, mistakes)?,
        "contains" => Operator::Contains(scalar(value, mistakes)?),
        other => {
            unknown_operator(&test.operator.place, other, mistakes);
            return None;
        }
    })
}

fn unknown_operator(place: &Place<'_>, name: &str, mistakes: &mut Mistakes) {
    if OPERATORS_NOT_BUILT.contains(&name) {
        return not_built(place, name, mistakes);
    }
    let known = OPERATORS.iter().chain(OPERATORS_NOT_BUILT).copied();
    let remedy = match nearest(name, known) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("the operators are {}", OPERATORS.join(", ")),
    };
    mistakes.advise(place, format!("unknown operator {name:?}"), remedy);
}

fn order(
    place: &Place<'_>,
    holds: fn(std::cmp::Ordering) -> bool,
    mistakes: &mut Mistakes,
) -> Option<Operator> {
    if place.value.kind() != Kind::Number {
        wrong_type(place, "a number", mistakes);
        return None;
    }
    let bound = number(place, mistakes)?;
    Some(Operator::Order { bound, holds })
}

fn regex(place: &Place<'_>, mistakes: &mut Mistakes) -> Option<Operator> {
    let Some(text) = place.value.as_str() else {
        wrong_type(place, "a string", mistakes);
        return None;
    };
    let built = RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
    match built {
        Ok(regex) => Some(Operator::Regex(regex)),
        Err(regex::Error::CompiledTooBig(_)) => {
            let what = format!("the regex takes more than {REGEX_BYTES_MAX} bytes");
            mistakes.advise(place, what, "use smaller repetitions");
            None
        }
        Err(error) => {
            // The library draws the pattern and an arrow on several lines; the last one says what is wrong.
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            let what = last.strip_prefix("error: ").unwrap_or(last);
            mistakes.add(place, format!("the regex cannot be read: {what}"));
            None
        }
    }
}

/// One constant that can be equal to something.
fn scalar(place: &Place<'_>, mistakes: &mut Mistakes) -> Option<Constants> {
    let mut constants = Constants::default();
    add(place, &mut constants, mistakes)?;
    Some(constants)
}

/// A list of constants, at least one.
fn scalars(place: &Place<'_>, mistakes: &mut Mistakes) -> Option<Constants> {
    if place.value.kind() != Kind::Array {
        wrong_type(place, "an array", mistakes);
        return None;
    }
    let mut constants = Constants::default();
    let mut count = (0, 0);
    for element in place.elements() {
        let added = add(&element, &mut constants, mistakes);
        count = (count.0 + 1, count.1 + usize::from(added.is_some()));
    }
    if count.0 == 0 {
        mistakes.add(place, "must not be empty");
    }
    constants.strings.sort();
    (count.0 > 0 && count.0 == count.1).then_some(constants)
}

fn add(place: &Place<'_>, constants: &mut Constants, mistakes: &mut Mistakes) -> Option<()> {
    let value: Value<'_> = place.value;
    match value.kind() {
        Kind::String => constants.strings.push(value.as_str()?.into()),
        Kind::Number => constants.numbers.push(number(place, mistakes)?),
        Kind::Bool => constants.booleans.push(value.as_bool()?),
        Kind::Null => {
            let remedy = "null is like a missing value: use the operator \"exists\"";
            mistakes.advise(place, "nothing is equal to null", remedy);
            return None;
        }
        Kind::Array | Kind::Object => {
            wrong_type(place, "a string, a number or a boolean", mistakes);
            return None;
        }
    }
    Some(())
}

fn number(place: &Place<'_>, mistakes: &mut Mistakes) -> Option<Number<'static>> {
    let number = place.value.as_number().and_then(Number::parse);
    if number.is_none() {
        mistakes.add(place, "the number's exponent is too large to be compared");
    }
    number.map(Number::into_owned)
}
