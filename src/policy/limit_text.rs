//! Reads limits: whose calls share a counter, what it is called, and how much it allows.
//!
//! It never guesses what was meant: a key that does not go with another is a mistake.

use super::amount::Amount;
use super::failure::Failures;
use super::fields::{self, Fields, Keys, Text};
use super::limit::{Increment, Scope};
use super::limit_measure::{self, Measure};
use super::limit_numbers::{self, rate};
use super::mistake::{Mistakes, Place};
use super::source::Source;
use crate::json::Kind;

pub(super) const LIMIT: Keys = Keys {
    built: &[
        "counter",
        "window",
        "max",
        "scope",
        "by",
        "increment",
        "increment_from",
        "align",
        "burst",
        "concurrent",
        "refund_on",
        "on_deny",
        "shadow",
    ],
    not_built: &[],
};
pub(super) const COUNTER: Keys = Keys {
    built: &[
        "window",
        "max",
        "scope",
        "by",
        "increment",
        "increment_from",
        "align",
        "burst",
        "concurrent",
        "refund_on",
        "on_deny",
        "shadow",
    ],
    not_built: &[],
};
pub(super) const RATE_LIMIT: Keys = Keys {
    built: &["max", "window"],
    not_built: &[],
};

const SCOPES: &[(&str, Scope)] = &[
    ("grant", Scope::Grant),
    ("session", Scope::Session),
    ("server", Scope::Server),
    ("organisation", Scope::Organisation),
];

/// `by` may name so many paths: each multiplies the counters.
const BY_MAX: usize = 8;

/// The counter of a `rate_limit`.
const RATE_LIMIT_COUNTER: &str = "rate_limit";

/// A limit as written.
#[derive(Debug)]
pub(super) struct LimitText<'a> {
    pub(super) place: Place<'a>,
    pub(super) counter: &'a str,
    pub(super) measure: Measure,
    pub(super) scope: Scope,
    pub(super) by: Vec<Source>,
    pub(super) is_shadow: bool,
    pub(super) on_deny: Option<Text<'a>>,
}

/// One entry of `limits`.
#[derive(Debug)]
pub(super) enum LimitUse<'a> {
    /// Written out.
    Own(LimitText<'a>),
    /// The name of one in `counters`.
    Shared(Text<'a>),
}

/// Reads one entry of `limits`.
pub(super) fn limit_use<'a>(place: &Place<'a>, mistakes: &mut Mistakes) -> Option<LimitUse<'a>> {
    if place.value.as_str().is_some() {
        return Text::read(place, mistakes).map(LimitUse::Shared);
    }
    let fields = Fields::read(place, LIMIT, mistakes)?;
    let counter = fields.required_text("counter", mistakes);
    let limit = limit(place, &fields, mistakes);
    Some(LimitUse::Own(LimitText {
        counter: counter?.text,
        ..limit?
    }))
}

/// Reads one entry of `counters`.
pub(super) fn counter<'a>(
    name: &'a str,
    place: &Place<'a>,
    mistakes: &mut Mistakes,
) -> Option<LimitText<'a>> {
    if name.is_empty() {
        mistakes.add(&place.key(), "a counter's name must not be empty");
    }
    let fields = Fields::read(place, COUNTER, mistakes)?;
    let limit = limit(place, &fields, mistakes)?;
    Some(LimitText {
        counter: name,
        ..limit
    })
}

/// Reads what all limits have; the counter's name is filled in by the caller.
fn limit<'a>(
    place: &Place<'a>,
    fields: &Fields<'a>,
    mistakes: &mut Mistakes,
) -> Option<LimitText<'a>> {
    let on_deny = fields.text("on_deny", mistakes);
    let scope = fields
        .optional("scope")
        .map(|place| fields::word(&place, SCOPES, mistakes));
    let by = by(fields, mistakes);
    let is_shadow = fields.flag("shadow", mistakes);
    let measure = Measure::read(fields, mistakes);
    Some(LimitText {
        place: place.clone(),
        counter: "",
        measure: measure?,
        scope: scope.unwrap_or(Some(Scope::Grant))?,
        by: by?,
        is_shadow: is_shadow.unwrap_or(false),
        on_deny,
    })
}

/// Reads `{"max": 10, "window": 60}` or `"10/minute"`.
pub(super) fn rate_limit<'a>(place: &Place<'a>, mistakes: &mut Mistakes) -> Option<LimitText<'a>> {
    let (max, window) = match place.value.as_str() {
        Some(text) => rate(text).or_else(|| {
            mistakes.advise(
                place,
                format!("the rate {text:?} cannot be read"),
                "write a number, a slash and a span, such as \"10/minute\"",
            );
            None
        })?,
        None => {
            let fields = Fields::read(place, RATE_LIMIT, mistakes)?;
            let max = fields
                .required("max", mistakes)
                .and_then(|place| limit_numbers::max(&place, mistakes));
            let window = fields
                .required("window", mistakes)
                .and_then(|place| limit_numbers::window(&place, mistakes));
            (max?, window?)
        }
    };
    Some(LimitText {
        place: place.clone(),
        counter: RATE_LIMIT_COUNTER,
        measure: Measure {
            window,
            max,
            align: limit_measure::natural(window),
            burst: None,
            increment: Increment::Constant(Amount::ONE),
            refund_on: Failures::NONE,
        },
        scope: Scope::Grant,
        by: Vec::new(),
        is_shadow: false,
        on_deny: None,
    })
}

/// The paths of `by` in the order of their text, so that another order of the author's names the same counters.
fn by(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Option<Vec<Source>> {
    let Some(place) = fields.optional("by") else {
        return Some(Vec::new());
    };
    let texts = fields::list(&place, mistakes, Text::read);
    let written = place.value.elements().count();
    if written == 0 && place.value.kind() == Kind::Array {
        mistakes.advise(
            &place,
            "must not be empty",
            "leave it out to count all together",
        );
    }
    if written > BY_MAX {
        mistakes.add(&place, format!("more than {BY_MAX} paths"));
    }
    let mut sources: Vec<Source> = Vec::new();
    for text in &texts {
        match Source::parse(text.text) {
            Err(what) => mistakes.add(&text.place, what),
            Ok(source) if sources.contains(&source) => {
                mistakes.add(&text.place, format!("{source} is here twice"));
            }
            Ok(source) => sources.push(source),
        }
    }
    sources.sort_by_cached_key(Source::to_string);
    (sources.len() == written && written > 0).then_some(sources)
}
