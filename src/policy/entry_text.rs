//! Reads the entries of `require`, `deny_if` and `approve_if`, with their conditions.
//!
//! It never decides what a condition means; that is `condition_text`'s.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::condition::IfMissing;
use super::document::Mode;
use super::fields::{self, Fields, Keys, Text, word};
use super::limit_numbers::span_of_time;
use super::mistake::{Mistakes, Place};
use crate::json::Kind;

/// `any`, `all` and `not` may stand in one another so deep.
const NESTING_MAX: usize = 8;
/// How long an approval may be waited for: a week. Whoever has not answered by then will not.
const EXPIRES_MAX: Duration = Duration::from_secs(7 * 86_400);
/// How long a person has to answer, unless `expires` says otherwise.
pub(super) const EXPIRES_DEFAULT: Duration = Duration::from_secs(15 * 60);
/// How long a call itself may be held open: most clients give up on a request after a minute or a few.
const WAIT_MAX: Duration = Duration::from_secs(10 * 60);

pub(super) const ENTRY: Keys = Keys {
    built: &["conditions", "on_deny", "if_missing", "shadow", "zone"],
    not_built: &[],
};
pub(super) const ASKING_ENTRY: Keys = Keys {
    built: &[
        "conditions",
        "on_deny",
        "if_missing",
        "shadow",
        "zone",
        "note",
        "expires",
        "wait",
    ],
    not_built: &[],
};
pub(super) const TEST: Keys = Keys {
    built: &["path", "op", "value"],
    not_built: &[],
};
/// What an object of `conditions` may have instead of a test.
pub(super) const JUNCTION: Keys = Keys {
    built: &["any", "all", "not"],
    not_built: &[],
};
/// Denying what is missing is judging what cannot be known.
const IF_MISSING: &[(&str, IfMissing)] = &[("deny", IfMissing::Unknown)];

/// One entry of `require`, `deny_if` or `approve_if`.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) place: Place<'a>,
    pub(super) conditions: Vec<Clause<'a>>,
    pub(super) on_deny: Option<Text<'a>>,
    pub(super) if_missing: IfMissing,
    pub(super) mode: Mode,
    /// Where `time.hour` and the like are told.
    pub(super) zone: Zone<'a>,
    /// What only `approve_if` has.
    pub(super) asking: Asking<'a>,
}

/// `zone`
#[derive(Debug)]
pub(super) struct Zone<'a> {
    pub(super) time_zone: TimeZone,
    /// The key, if it was written.
    pub(super) place: Option<Place<'a>>,
}

/// How a person is asked.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    pub(super) note: Option<Text<'a>>,
    pub(super) expires: Duration,
    pub(super) wait: Option<Duration>,
}

/// One element of `conditions`.
#[derive(Debug)]
pub(super) enum Clause<'a> {
    One(Test<'a>),
    Any(Vec<Clause<'a>>),
    All(Vec<Clause<'a>>),
    Not(Box<Clause<'a>>),
}

/// `{ "path", "op", "value" }`
#[derive(Debug)]
pub(super) struct Test<'a> {
    pub(super) path: Text<'a>,
    pub(super) operator: Text<'a>,
    pub(super) value: Place<'a>,
}

/// Reads an entry of `require` or `deny_if`.
pub(super) fn entry<'a>(place: &Place<'a>, mistakes: &mut Mistakes) -> Option<Entry<'a>> {
    entry_with(ENTRY, place, mistakes)
}

/// Reads an entry of `approve_if`.
pub(super) fn asking_entry<'a>(place: &Place<'a>, mistakes: &mut Mistakes) -> Option<Entry<'a>> {
    entry_with(ASKING_ENTRY, place, mistakes)
}

fn entry_with<'a>(keys: Keys, place: &Place<'a>, mistakes: &mut Mistakes) -> Option<Entry<'a>> {
    let fields = Fields::read(place, keys, mistakes)?;
    let on_deny = fields.text("on_deny", mistakes);
    let if_missing = fields
        .optional("if_missing")
        .and_then(|place| word(&place, IF_MISSING, mistakes));
    let mode = Mode::of(&fields, mistakes);
    let zone = zone(&fields, mistakes);
    let asking = asking(&fields, mistakes);
    let conditions = fields.required("conditions", mistakes)?;
    Some(Entry {
        place: place.clone(),
        conditions: fields::list(&conditions, mistakes, |place, mistakes| {
            clause(place, NESTING_MAX, mistakes)
        }),
        on_deny,
        if_missing: if_missing.unwrap_or(IfMissing::Judge),
        mode,
        zone,
        asking,
    })
}

fn zone<'a>(fields: &Fields<'a>, mistakes: &mut Mistakes) -> Zone<'a> {
    let text = fields.text("zone", mistakes);
    let found = text.as_ref().map(|text| TimeZone::get(text.text));
    if let (Some(text), Some(Err(_))) = (&text, &found) {
        mistakes.advise(
            &text.place,
            format!("the time zone {:?} is not known", text.text),
            "write a name of the IANA database, such as \"Europe/Berlin\"",
        );
    }
    Zone {
        time_zone: found.and_then(Result::ok).unwrap_or(TimeZone::UTC),
        place: text.map(|text| text.place),
    }
}

fn asking<'a>(fields: &Fields<'a>, mistakes: &mut Mistakes) -> Asking<'a> {
    let note = fields.text("note", mistakes);
    let expires = duration(fields, ("expires", EXPIRES_MAX), mistakes);
    let expires = expires.unwrap_or(EXPIRES_DEFAULT);
    let wait = duration(fields, ("wait", WAIT_MAX.min(expires)), mistakes);
    Asking {
        note,
        expires,
        wait,
    }
}

/// A span of time such as `"15m"`, at most so long.
fn duration(
    fields: &Fields<'_>,
    (key, max): (&str, Duration),
    mistakes: &mut Mistakes,
) -> Option<Duration> {
    let place = fields.optional(key)?;
    let found = place.value.as_str().and_then(span_of_time);
    let found = found.filter(|found| *found <= max);
    if found.is_none() {
        mistakes.advise(
            &place,
            format!(
                "{key} must be a span of time of at most {} s",
                max.as_secs()
            ),
            "write such as \"90s\", \"15m\" or \"6h\"",
        );
    }
    found
}

/// Reads one condition, or several under one word, which may nest so much deeper.
fn clause<'a>(place: &Place<'a>, depth: usize, mistakes: &mut Mistakes) -> Option<Clause<'a>> {
    let is_junction = |word: &&&str| place.value.member(word).is_some();
    let Some(word) = JUNCTION.built.iter().find(is_junction) else {
        return test(place, mistakes).map(Clause::One);
    };
    let Some(depth) = depth.checked_sub(1) else {
        mistakes.add(
            place,
            format!("conditions nest deeper than {NESTING_MAX} levels"),
        );
        return None;
    };
    let fields = Fields::read(place, JUNCTION, mistakes)?;
    let inside = fields.required(word, mistakes)?;
    if place.value.members().count() > 1 {
        mistakes.add(
            place,
            format!("next to {word:?} there must be no other key"),
        );
    }
    if *word == "not" {
        let inside = clause(&inside, depth, mistakes)?;
        return Some(Clause::Not(Box::new(inside)));
    }
    let clauses = fields::list(&inside, mistakes, |place, mistakes| {
        clause(place, depth, mistakes)
    });
    if inside.value.kind() == Kind::Array && inside.value.elements().next().is_none() {
        mistakes.add(&inside, "must not be empty");
    }
    Some(match *word {
        "any" => Clause::Any(clauses),
        _ => Clause::All(clauses),
    })
}

fn test<'a>(place: &Place<'a>, mistakes: &mut Mistakes) -> Option<Test<'a>> {
    let fields = Fields::read(place, TEST, mistakes)?;
    let path = fields.required_text("path", mistakes);
    let operator = fields.required_text("op", mistakes);
    let value = fields.required("value", mistakes);
    Some(Test {
        path: path?,
        operator: operator?,
        value: value?,
    })
}
