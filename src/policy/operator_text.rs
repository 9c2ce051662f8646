//! Operators as written → operators as judged, with their constants.
//!
//! It never accepts a constant that its operator could not compare.

use std::cmp::Ordering;

use regex::Regex;

use super::directory::Directory;
use super::document::quoted;
use super::entry_text::Test;
use super::fields::{Text, nearest, wrong_type};
use super::host::Host;
use super::ip_range::IpRange;
use super::limit_numbers::whole;
use super::mistake::{Mistakes, Place};
use super::name::Glob;
use super::number::Number;
use super::operator::{Constants, Operator};
use super::regexes::Regexes;
use super::text_test::TextTest;
use crate::json::{Kind, Value};

const OPERATORS: &[&str] = &[
    "eq",
    "neq",
    "lt",
    "lte",
    "gt",
    "gte",
    "in",
    "not_in",
    "exists",
    "regex",
    "contains",
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

/// The types that a value can have; null is like nothing at all.
const KINDS: [Kind; 5] = [
    Kind::Bool,
    Kind::Number,
    Kind::String,
    Kind::Array,
    Kind::Object,
];

/// Compiles the operator of a test with its constants.
pub(super) fn operator(
    test: &Test<'_>,
    regexes: &Regexes,
    mistakes: &mut Mistakes,
) -> Option<Operator> {
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
        "lt" => order(value, Ordering::is_lt, mistakes)?,
        "lte" => order(value, Ordering::is_le, mistakes)?,
        "gt" => order(value, Ordering::is_gt, mistakes)?,
        "gte" => order(value, Ordering::is_ge, mistakes)?,
        "exists" => Operator::Exists(boolean(value, mistakes)?),
        "is" => Operator::Is(kind(value, mistakes)?),
        "contains" => Operator::Contains(scalar(value, mistakes)?),
        "length_lt" => length(value, Ordering::is_lt, mistakes)?,
        "length_lte" => length(value, Ordering::is_le, mistakes)?,
        "length_gt" => length(value, Ordering::is_gt, mistakes)?,
        "length_gte" => length(value, Ordering::is_ge, mistakes)?,
        _ => Operator::Text(text_test(test, regexes, mistakes)?),
    })
}

fn text_test(test: &Test<'_>, regexes: &Regexes, mistakes: &mut Mistakes) -> Option<TextTest> {
    let value = &test.value;
    Some(match test.operator.text {
        "regex" => TextTest::Regex(regex(value, regexes, mistakes)?),
        "glob" => TextTest::Glob(parsed(value, Glob::parse, mistakes)?),
        "starts_with" => TextTest::StartsWith(text(value, mistakes)?.into()),
        "ends_with" => TextTest::EndsWith(text(value, mistakes)?.into()),
        "cidr" => TextTest::IpRange(one_or_more(value, IpRange::parse, mistakes)?),
        "path_within" => TextTest::Directory(one_or_more(value, Directory::parse, mistakes)?),
        "url_host" => TextTest::Host(one_or_more(value, Host::parse, mistakes)?),
        other => {
            unknown_operator(&test.operator.place, other, mistakes);
            return None;
        }
    })
}

fn unknown_operator(place: &Place<'_>, name: &str, mistakes: &mut Mistakes) {
    let remedy = match nearest(name, OPERATORS.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("the operators are {}", OPERATORS.join(", ")),
    };
    mistakes.advise(place, format!("unknown operator {name:?}"), remedy);
}

fn order(
    place: &Place<'_>,
    holds: fn(Ordering) -> bool,
    mistakes: &mut Mistakes,
) -> Option<Operator> {
    if place.value.kind() != Kind::Number {
        wrong_type(place, "a number", mistakes);
        return None;
    }
    let bound = number(place, mistakes)?;
    Some(Operator::Order { bound, holds })
}

fn length(
    place: &Place<'_>,
    holds: fn(Ordering) -> bool,
    mistakes: &mut Mistakes,
) -> Option<Operator> {
    let bound = place.value.as_number().and_then(whole);
    if bound.is_none() {
        mistakes.add(place, "must be a whole number from 0");
    }
    Some(Operator::Length {
        bound: bound?,
        holds,
    })
}

fn boolean(place: &Place<'_>, mistakes: &mut Mistakes) -> Option<bool> {
    let value = place.value.as_bool();
    if value.is_none() {
        wrong_type(place, "true or false", mistakes);
    }
    value
}

fn kind(place: &Place<'_>, mistakes: &mut Mistakes) -> Option<Kind> {
    let name = text(place, mistakes)?;
    let found = KINDS.into_iter().find(|kind| kind.name() == name);
    if found.is_none() {
        let remedy = match name {
            "null" => "null is like a missing value: use the operator \"exists\"".into(),
            _ => format!(
                "write {}",
                quoted(KINDS.into_iter().map(Kind::name), " or ")
            ),
        };
        mistakes.advise(
            place,
            format!("{name:?} is no JSON type to ask for"),
            remedy,
        );
    }
    found
}

fn text<'a>(place: &Place<'a>, mistakes: &mut Mistakes) -> Option<&'a str> {
    Text::read(place, mistakes).map(|text| text.text)
}

/// A string that says something of its own; `parse` says what is wrong with it.
fn parsed<T>(
    place: &Place<'_>,
    parse: fn(&str) -> Result<T, String>,
    mistakes: &mut Mistakes,
) -> Option<T> {
    parse(text(place, mistakes)?)
        .map_err(|what| mistakes.add(place, what))
        .ok()
}

/// Such a string, or a list of them.
fn one_or_more<T>(
    place: &Place<'_>,
    parse: fn(&str) -> Result<T, String>,
    mistakes: &mut Mistakes,
) -> Option<Box<[T]>> {
    if place.value.kind() != Kind::Array {
        return Some([parsed(place, parse, mistakes)?].into());
    }
    let all: Vec<_> = place
        .elements()
        .map(|element| parsed(&element, parse, mistakes))
        .collect();
    if all.is_empty() {
        mistakes.add(place, "must not be empty");
        return None;
    }
    all.into_iter().collect()
}

fn regex(place: &Place<'_>, regexes: &Regexes, mistakes: &mut Mistakes) -> Option<Regex> {
    let Some(text) = place.value.as_str() else {
        wrong_type(place, "a string", mistakes);
        return None;
    };
    let compiled = regexes.compile(text);
    compiled
        .map_err(|flaw| match flaw.remedy {
            Some(remedy) => mistakes.advise(place, flaw.what, remedy),
            None => mistakes.add(place, flaw.what),
        })
        .ok()
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
