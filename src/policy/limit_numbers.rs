//! Reads the numbers of a limit: `max`, `window`, `burst`, `increment`.
//!
//! It never rounds: a number that is not exactly what it should be is a mistake.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::amount::Amount;
use super::document::quoted;
use super::fields::{self, wrong_type};
use super::limit::{IN_FLIGHT_MAX, Window};
use super::mistake::{Mistakes, Place};
use super::number::Number;

const NAMED: &[(&str, Window)] = &[
    ("second", Window::SECOND),
    ("minute", Window::MINUTE),
    ("hour", Window::HOUR),
    ("day", Window::DAY),
    ("week", Window::WEEK),
    ("month", Window::MONTH),
];
/// What may stand after a number, and how many seconds it is.
const UNITS: &[(char, u64)] = &[('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];

/// An amount is kept in millionths.
const DECIMAL_PLACES_MAX: u64 = 6;

/// A whole number without sign, point, exponent or leading zeros.
pub(super) fn whole(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = text.parse().ok().filter(|_| is_plain)?;
    (text == "0" || !text.starts_with('0')).then_some(number)
}

/// Reads `10/minute`.
pub(super) fn rate(text: &str) -> Option<(NonZeroU64, Window)> {
    let (max, span) = text.split_once('/')?;
    let max = NonZeroU64::new(whole(max)?).filter(fits)?;
    Some((max, named(span).or_else(|| counted(span))?))
}

fn fits(max: &NonZeroU64) -> bool {
    Amount::whole(max.get()) <= Amount::MAX
}

/// How many calls may be in flight at a time.
pub(super) fn concurrent(place: &Place<'_>, mistakes: &mut Mistakes) -> Option<NonZeroU64> {
    let number = place.value.as_number().and_then(whole);
    let number = number.and_then(NonZeroU64::new);
    let number = number.filter(|number| number.get() <= IN_FLIGHT_MAX);
    if number.is_none() {
        let what = format!("must be a whole number from 1 to {IN_FLIGHT_MAX}");
        mistakes.add(place, what);
    }
    number
}

pub(super) fn window(place: &Place<'_>, mistakes: &mut Mistakes) -> Option<Window> {
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
    if found.is_none() {
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

pub(super) fn max(place: &Place<'_>, mistakes: &mut Mistakes) -> Option<NonZeroU64> {
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
    if max.is_some_and(|max| !fits(&max)) {
        let what = format!("max must be at most {}, not {text}", Amount::MAX);
        mistakes.advise(place, what, "count in a larger unit");
        return None;
    }
    max
}

pub(super) fn burst(
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

/// Reads a constant `increment`, which must not be more than `most`: the key's name, and what it allows.
pub(super) fn increment(
    place: &Place<'_>,
    most: Option<(&str, Amount)>,
    mistakes: &mut Mistakes,
) -> Option<Amount> {
    let Some(text) = place.value.as_number() else {
        wrong_type(place, "a number", mistakes);
        return None;
    };
    let number = Number::parse(text)
        .filter(|number| !number.is_negative())
        .filter(|number| number.decimal_places() <= DECIMAL_PLACES_MAX);
    let increment = number.as_ref().map(Amount::of);
    let Some(increment) = increment.filter(|increment| !increment.is_nothing()) else {
        mistakes.advise(
            place,
            format!("increment must be more than 0 and have at most {DECIMAL_PLACES_MAX} decimal places, not {text}"),
            "leave it out to count calls",
        );
        return None;
    };
    if let Some((name, _)) = most.filter(|(_, most)| increment > *most) {
        let what = format!("increment must be at most {name}, not {text}");
        mistakes.advise(place, what, "no call would ever be admitted");
        return None;
    }
    Some(increment)
}
