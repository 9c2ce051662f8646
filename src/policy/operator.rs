//! What a condition asks of one value that is there: the operators, with their constants compiled.
//!
//! It never converts between JSON types: `"5"` is not 5 and `"true"` is not true.

use std::cmp::Ordering;

use super::number::Number;
use super::operand::Operand;
use super::text_test::TextTest;
use super::truth::{Sense, Truth, Work};
use crate::json::Kind;

/// Bytes of text that count as one step of work.
const BYTES_PER_STEP: usize = 64;

/// A compiled test of a value that is neither absent nor null.
#[derive(Debug, Clone)]
pub(super) enum Operator {
    /// `eq` and `in`, or negated `neq` and `not_in`.
    Among {
        /// What it is compared with.
        constants: Constants,
        /// Whether it must be none of them.
        is_negated: bool,
    },
    /// `lt`, `lte`, `gt`, `gte`: which orders of value and constant hold.
    Order {
        /// What it is compared with.
        bound: Number<'static>,
        /// The order of value and bound that holds.
        holds: fn(Ordering) -> bool,
    },
    /// `exists`
    Exists(bool),
    /// `is`
    Is(Kind),
    /// `length_lt` and the like: characters of a string, elements of an array.
    Length {
        /// What the length is compared with.
        bound: u64,
        /// The order of length and bound that holds.
        holds: fn(Ordering) -> bool,
    },
    /// Tests that only strings have.
    Text(TextTest),
    /// `contains`: part of a string, or an element of an array.
    Contains(Constants),
}

/// Constants of an author's, by type.
#[derive(Debug, Clone, Default)]
pub(super) struct Constants {
    /// Sorted.
    pub(super) strings: Vec<Box<str>>,
    pub(super) numbers: Vec<Number<'static>>,
    pub(super) booleans: Vec<bool>,
}

impl Operator {
    /// Judges a value; `None` stands for one that is absent or null.
    pub(super) fn judge(&self, value: Option<Operand<'_>>, sense: Sense, work: &Work) -> Truth {
        let Some(value) = value else {
            return self.judge_missing(sense);
        };
        match self {
            Operator::Among {
                constants,
                is_negated,
            } => {
                let sense_inside = if *is_negated { sense.flipped() } else { sense };
                let among = constants.have(value, sense_inside, work);
                if *is_negated { !among } else { among }
            }
            Operator::Order { bound, holds } => match value.as_number().and_then(Number::parse) {
                Some(number) => sense
                    .stricter([
                        holds(number.exactly(bound)),
                        holds(number.as_doubles(bound)),
                    ])
                    .into(),
                None => Truth::Unknown,
            },
            Operator::Exists(wanted) => (*wanted).into(),
            Operator::Is(kind) => (value.kind() == *kind).into(),
            Operator::Length { bound, holds } => match length(value, work) {
                Some(length) => holds(length.cmp(bound)).into(),
                None => Truth::Unknown,
            },
            Operator::Text(test) => match value.as_str() {
                Some(text) if work.spend(text.len() / BYTES_PER_STEP * test.cost()) => {
                    test.judge(text, sense)
                }
                _ => Truth::Unknown,
            },
            Operator::Contains(constants) => constants.inside(value, sense, work),
        }
    }

    /// In `require` nothing is shown by what is missing; elsewhere it differs from every constant.
    fn judge_missing(&self, sense: Sense) -> Truth {
        match (self, sense) {
            (Operator::Exists(wanted), _) => (!wanted).into(),
            (Operator::Among { is_negated, .. }, Sense::Forbid) => (*is_negated).into(),
            _ => Truth::False,
        }
    }

    /// Whether a value of this type is ever judged; of all others the answer is unknown.
    pub(super) fn judges(&self, kind: Kind) -> bool {
        match self {
            Operator::Among { constants, .. } => constants.kinds().any(|(own, _)| own == kind),
            Operator::Order { .. } => kind == Kind::Number,
            Operator::Exists(_) | Operator::Is(_) => true,
            Operator::Length { .. } => matches!(kind, Kind::String | Kind::Array),
            Operator::Text(_) => kind == Kind::String,
            Operator::Contains(constants) => match kind {
                Kind::String => !constants.strings.is_empty(),
                kind => kind == Kind::Array,
            },
        }
    }

    /// What a value must be to be judged at all, put after "must be ".
    pub(super) fn wanted(&self) -> String {
        match self {
            Operator::Among { constants, .. } => {
                let names = constants.kinds().map(|(kind, _)| with_article(kind));
                names.collect::<Vec<_>>().join(" or ")
            }
            Operator::Order { .. } => with_article(Kind::Number),
            // These judge a value of any type.
            Operator::Exists(_) | Operator::Is(_) => "readable".into(),
            Operator::Length { .. } => "a string or an array".into(),
            Operator::Text(test) => test.wanted().into(),
            Operator::Contains(constants) => {
                let names = constants.kinds().map(|(kind, plural)| match kind {
                    Kind::String => "a string or an array of strings".to_owned(),
                    _ => format!("an array of {plural}"),
                });
                names.collect()
            }
        }
    }
}

/// The characters of a string or the elements of an array; `None` for what has no length.
fn length(value: Operand<'_>, work: &Work) -> Option<u64> {
    let length = match value.kind() {
        Kind::String => {
            let text = value.as_str()?;
            work.spend(text.len() / BYTES_PER_STEP)
                .then(|| text.chars().count())
        }
        Kind::Array => {
            let length = value.elements().take_while(|_| work.spend(1)).count();
            (!work.is_used_up()).then_some(length)
        }
        _ => None,
    };
    length.map(|length| length as u64)
}

fn with_article(kind: Kind) -> String {
    format!("a {}", kind.name())
}

impl Constants {
    /// The types there are, and what many of each are called.
    fn kinds(&self) -> impl Iterator<Item = (Kind, &'static str)> {
        [
            (!self.strings.is_empty(), (Kind::String, "strings")),
            (!self.numbers.is_empty(), (Kind::Number, "numbers")),
            (!self.booleans.is_empty(), (Kind::Bool, "booleans")),
        ]
        .into_iter()
        .filter_map(|(is_there, names)| is_there.then_some(names))
    }

    /// Whether the value is one of these; unknown if none has its type.
    fn have(&self, value: Operand<'_>, sense: Sense, work: &Work) -> Truth {
        let kind = value.kind();
        if !self.kinds().any(|(own, _)| own == kind) {
            return Truth::Unknown;
        }
        match kind {
            Kind::String => {
                let text = value.as_str().expect("a string has text");
                let found = self.strings.binary_search_by(|own| (**own).cmp(text));
                found.is_ok().into()
            }
            Kind::Bool => {
                let value = value.as_bool().expect("a boolean has a value");
                self.booleans.contains(&value).into()
            }
            _ => self.have_number(value, sense, work),
        }
    }

    fn have_number(&self, value: Operand<'_>, sense: Sense, work: &Work) -> Truth {
        let number = value.as_number().and_then(Number::parse);
        let (Some(number), true) = (number, work.spend(self.numbers.len())) else {
            return Truth::Unknown;
        };
        let equal = |order: Ordering| order == Ordering::Equal;
        let is_one = |own: &Number<'_>| {
            sense.stricter([equal(number.exactly(own)), equal(number.as_doubles(own))])
        };
        self.numbers.iter().any(is_one).into()
    }

    /// Whether one of these is part of a string or an element of an array.
    fn inside(&self, value: Operand<'_>, sense: Sense, work: &Work) -> Truth {
        match value.kind() {
            Kind::String if !self.strings.is_empty() => {
                let text = value.as_str().expect("a string has text");
                if !work.spend(text.len() / BYTES_PER_STEP) {
                    return Truth::Unknown;
                }
                self.strings.iter().any(|own| text.contains(&**own)).into()
            }
            // A null is like nothing: it is none of the constants.
            Kind::Array => Truth::any(
                value
                    .elements()
                    .filter(|element| element.kind() != Kind::Null)
                    .map(|element| match work.spend(1) {
                        true => self.have(element, sense, work),
                        false => Truth::Unknown,
                    }),
            ),
            _ => Truth::Unknown,
        }
    }
}
