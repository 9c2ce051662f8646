//! Reads limits: how many calls, in which span of time.
//!
//! It never rounds: a number that is not exactly what it should be is a mistake.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::document::quoted;
use super::fields::{self, Fields, Keys, Text, not_built, wrong_type};
use super::limit::Window;
use super::mistake::{Mistakes, Place};

pub(super) const LIMIT: Keys = Keys {
    built: &[
        "counter", "window", "max", "scope", "align", "burst", "on_deny",
    ],
    not_built: &[
        "by",
        "concurrent",
        "increment",
        "increment_from",
        "refund_on",
        "shadow",
    ],
};
pub(super) const COUNTER: Keys = Keys {
    built: &["window", "max", "scope", "align", "burst", "on_deny"],
    not_built: LIMIT.not_built,
};
pub(super) const RATE_LIMIT: Keys = Keys {
    built: &["max", "window"],
    not_built: &[],
};

const NAMED: &[(&str, Window)] = &[
    ("second", Window::SECOND),
    ("minute", Window::MINUTE),
    ("hour", Window::HOUR),
    ("day", Window::DAY),
    ("week", Window::WEEK),
];
/// What may stand after a number, and how many seconds it is.
const UNITS: &[(char, u64)] = &[('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];

/// The counter of a `rate_limit`.
const RATE_LIMIT_COUNTER: &str = "rate_limit";

/// A limit as written.
#[derive(Debug)]
pub(super) struct LimitText<'a> {
    pub(super) place: Place<'a>,
    pub(super) counter: &'a str,
    pub(super) window: Window,
    pub(super) max: NonZeroU64,
    pub(super) burst: Option<NonZeroU32>,
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
    only_built_word(fields, ("scope", "grant"), mistakes);
    only_built_word(fields, ("align", "rolling"), mistakes);
    let window = fields
        .required("window", mistakes)
        .and_then(|place| window(&place, mistakes));
    let max = fields
        .required("max", mistakes)
        .and_then(|place| max(&place, mistakes));
    let burst = match fields.optional("burst") {
        Some(place) => Some(burst(&place, max, mistakes)?),
        None => None,
    };
    Some(LimitText {
        place: place.clone(),
        counter: "",
        window: window?,
        max: max?,
        burst,
        on_deny,
    })
}

/// Reads `{"max": 10, "window": 60}` or `"10/minute"`.
pub(super) fn rate_limit<'a>(place: &Place<'a>, mistakes: &mut Mistakes) -> Option<LimitText<'a>> {
    let (max, window) = match place.value.as_str() {
        Some(text) => short(text).or_else(|| {
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
                .and_then(|place| self::max(&place, mistakes));
            let window = fields
                .required("window", mistakes)
                .and_then(|place| self::window(&place, mistakes));
            (max?, window?)
        }
    };
    Some(LimitText {
        place: place.clone(),
        counter: RATE_LIMIT_COUNTER,
        window,
        max,
        burst: None,
        on_deny: None,
    })
}

pub(super) fn short(rate: &str) -> Option<(NonZeroU64, Window)> {
    let (max, span) = rate.split_once('/')?;
    Some((
        NonZeroU64::new(whole(max)?)?,
        named(span).or_else(|| counted(span))?,
    ))
}

fn window(place: &Place<'_>, mistakes: &mut Mistakes) -> Option<Window> {
    let value = place.value;
    let text = value.as_str().or(value.as_number());
    let Some(text) = text else {
        wrong_type(place, "a string or a whole number of seconds", mistakes);
        return None;
    };
    let found = match value.as_number() {
        Some(number) => whole(number).and_then(Window::from_seconds),
        None => named(text).or_else(|| counted(text)),
    };
    if found.is_none() && text == "month" {
        not_built(place, "month", mistakes);
    } else if found.is_none() {
        let names = || NAMED.iter().map(|(name, _)| *name);
        let remedy = match fields::nearest(text, names()) {
            Some(near) if value.as_str().is_some() => format!("did you mean {near:?}?"),
            _ => format!(
                "write {}, whole seconds, or such as \"90s\", \"15m\", \"6h\", \"30d\"; at most 31 days",
                quoted(names(), ", ")
            ),
        };
        mistakes.advise(
            place,
            format!("the window {} cannot be read", value.raw()),
            remedy,
        );
    }
    found
}

fn named(text: &str) -> Option<Window> {
    let found = NAMED.iter().find(|(name, _)| *name == text)?;
    Some(found.1)
}

fn counted(text: &str) -> Option<Window> {
    Window::from_seconds(span_of_time(text)?.as_secs())
}

/// `"90s"`, `"15m"`, `"6h"`, `"30d"`
pub(super) fn span_of_time(text: &str) -> Option<Duration> {
    let (count, length) = UNITS
        .iter()
        .find_map(|(unit, length)| Some((text.strip_suffix(*unit)?, length)))?;
    Some(Duration::from_secs(whole(count)?.checked_mul(*length)?))
}

/// A whole number without sign, point, exponent or leading zeros.
pub(super) fn whole(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = text.parse().ok().filter(|_| is_plain)?;
    (text == "0" || !text.starts_with('0')).then_some(number)
}

fn max(place: &Place<'_>, mistakes: &mut Mistakes) -> Option<NonZeroU64> {
    let Some(text) = place.value.as_number() else {
        wrong_type(place, "a whole number", mistakes);
        return None;
    };
    let max = whole(text).and_then(NonZeroU64::new);
    if max.is_none() {
        let remedy = match text {
            "0" => "to refuse every call write \"action\": \"deny\"",
            _ => "write it without sign, point and exponent",
        };
        mistakes.advise(
            place,
            format!("max must be a whole number from 1, not {text}"),
            remedy,
        );
    }
    max
}

fn burst(
    place: &Place<'_>,
    max: Option<NonZeroU64>,
    mistakes: &mut Mistakes,
) -> Option<NonZeroU32> {
    let Some(text) = place.value.as_number() else {
        wrong_type(place, "a whole number", mistakes);
        return None;
    };
    let number = whole(text).and_then(|number| u32::try_from(number).ok());
    let burst = number
        .and_then(NonZeroU32::new)
        .filter(|burst| max.is_none_or(|max| u64::from(burst.get()) < max.get()));
    if burst.is_none() {
        mistakes.advise(
            place,
            format!("burst must be a whole number from 1 and less than max, not {text}"),
            "leave burst out to allow max calls back to back",
        );
    }
    burst
}

/// Accepts the one word that is built for a key; all others are mistakes.
fn only_built_word(fields: &Fields<'_>, (key, built): (&str, &str), mistakes: &mut Mistakes) {
    let Some(place) = fields.optional(key) else {
        return;
    };
    let known: &[&str] = match key {
        "scope" => &["grant", "session", "server", "organisation"],
        _ => &["rolling", "calendar"],
    };
    match place.value.as_str() {
        Some(word) if word == built => {}
        Some(word) if known.contains(&word) => not_built(&place, word, mistakes),
        Some(word) => mistakes.advise(
            &place,
            format!("{word:?} is not known here"),
            format!("write {}", quoted(known.iter().copied(), " or ")),
        ),
        None => wrong_type(&place, "a string", mistakes),
    }
}
