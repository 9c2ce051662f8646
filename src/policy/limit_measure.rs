//! Reads how much a limit allows, in which span of time or at a time, and what a call takes.
//!
//! It never guesses what was meant: a key that does not go with another is a mistake.

use std::num::{NonZeroU32, NonZeroU64};

use super::amount::Amount;
use super::failure::{Failure, Failures};
use super::fields::{self, Fields, Text};
use super::limit::{Align, Increment, Window};
use super::limit_numbers::{self, burst, max, window};
use super::mistake::{Mistakes, Place};
use super::source::{self, Argument};
use crate::json::Kind;

const ALIGNS: &[(&str, Align)] = &[("rolling", Align::Rolling), ("calendar", Align::Calendar)];

const FAILURES: &[(&str, Failure)] = &[
    ("rpc_error", Failure::RpcError),
    ("http_5xx", Failure::Http5xx),
    ("error_result", Failure::ErrorResult),
];

/// What says when, or how much.
const OVER_TIME: &[&str] = &[
    "window",
    "max",
    "align",
    "burst",
    "increment",
    "increment_from",
    "refund_on",
];

/// How much, in which span of time.
#[derive(Debug)]
pub(super) struct Measure {
    pub(super) window: Window,
    pub(super) max: NonZeroU64,
    pub(super) align: Align,
    pub(super) burst: Option<NonZeroU32>,
    pub(super) increment: Increment,
    pub(super) refund_on: Failures,
}

impl Measure {
    /// What the keys of a limit say of it.
    pub(super) fn read(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Option<Measure> {
        match fields.optional("concurrent") {
            Some(place) => concurrent(fields, &place, mistakes),
            None => over_time(fields, mistakes),
        }
    }
}

/// So much in a window.
fn over_time(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Option<Measure> {
    let window = fields
        .required("window", mistakes)
        .and_then(|place| window(&place, mistakes));
    let max = fields
        .required("max", mistakes)
        .and_then(|place| max(&place, mistakes));
    let burst = fields
        .optional("burst")
        .map(|place| burst(&place, max, mistakes));
    let align = align(fields, window, mistakes);
    let most = match (burst, max) {
        (Some(burst), _) => burst.map(|burst| ("burst", Amount::whole(burst.get().into()))),
        (None, max) => max.map(|max| ("max", Amount::whole(max.get()))),
    };
    let increment = increment(fields, most, mistakes);
    let refund_on = refund_on(fields, mistakes);
    Some(Measure {
        window: window?,
        max: max?,
        align: align?,
        burst: match burst {
            Some(burst) => Some(burst?),
            None => None,
        },
        increment: increment?,
        refund_on: refund_on?,
    })
}

/// So many at a time: nothing that says when or how much goes with it.
fn concurrent(fields: &Fields<'_>, place: &Place<'_>, mistakes: &mut Mistakes) -> Option<Measure> {
    for key in OVER_TIME {
        if let Some(other) = fields.optional(key) {
            mistakes.advise(
                &other.key(),
                format!("{key:?} does not go with \"concurrent\""),
                "remove one of them, or write two limits",
            );
        }
    }
    Some(Measure {
        window: Window::IN_FLIGHT,
        max: limit_numbers::concurrent(place, mistakes)?,
        align: Align::InFlight,
        burst: None,
        increment: Increment::Constant(Amount::ONE),
        refund_on: Failures::NONE,
    })
}

/// The failures that give a charge back.
fn refund_on(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Option<Failures> {
    let Some(place) = fields.optional("refund_on") else {
        return Some(Failures::NONE);
    };
    if fields.optional("burst").is_some() {
        mistakes.advise(
            &place.key(),
            "what a burst took is never given back",
            "remove \"refund_on\" or \"burst\"",
        );
    }
    let read = fields::list(&place, mistakes, |place, mistakes| {
        fields::word(place, FAILURES, mistakes)
    });
    let written = place.value.elements().count();
    if written == 0 && place.value.kind() == Kind::Array {
        mistakes.advise(&place, "must not be empty", "leave it out");
    }
    let failures = read.iter().copied().fold(Failures::NONE, Failures::with);
    (read.len() == written && written > 0).then_some(failures)
}

/// `increment` or `increment_from`; one call each where neither stands.
fn increment(
    fields: &Fields<'_>,
    most: Option<(&str, Amount)>,
    mistakes: &mut Mistakes,
) -> Option<Increment> {
    let constant = fields.optional("increment");
    let Some(from) = fields.optional("increment_from") else {
        return match constant {
            None => Some(Increment::Constant(Amount::ONE)),
            Some(place) => {
                limit_numbers::increment(&place, most, mistakes).map(Increment::Constant)
            }
        };
    };
    if constant.is_some() {
        mistakes.advise(
            &from.key(),
            "\"increment\" and \"increment_from\" exclude each other",
            "remove one of them",
        );
    }
    if fields.optional("burst").is_some() {
        mistakes.advise(
            &from.key(),
            "\"increment_from\" does not go with \"burst\"",
            "remove one of them",
        );
    }
    let text = Text::read(&from, mistakes)?;
    if !source::is_below("args", text.text) {
        mistakes.advise(
            &from,
            format!(
                "{:?} is not an argument: only those say how much a call takes",
                text.text
            ),
            "write a path such as args.amount",
        );
        return None;
    }
    Argument::parse(text.text)
        .map_err(|what| mistakes.add(&from, what))
        .ok()
        .map(Increment::From)
}

/// `align`, and whether it goes with the window and with `burst`.
fn align(fields: &Fields<'_>, window: Option<Window>, mistakes: &mut Mistakes) -> Option<Align> {
    let place = fields.optional("align");
    let written = match &place {
        Some(place) => Some(fields::word(place, ALIGNS, mistakes)?),
        None => None,
    };
    let window = window?;
    let align = written.unwrap_or(natural(window));
    if let Some(place) = place {
        let what = match align {
            Align::Rolling if window == Window::MONTH => {
                "months have no one length, so that none can roll"
            }
            Align::Calendar if !window.is_named() => {
                "the calendar has seconds, minutes, hours, days, weeks and months only"
            }
            _ => "",
        };
        if !what.is_empty() {
            mistakes.advise(&place, what, "remove align, or choose another window");
        }
    }
    if let (Some(burst), Align::Calendar) = (fields.optional("burst"), align) {
        mistakes.advise(
            &burst.key(),
            "\"burst\" does not go with windows of the calendar",
            "remove it, or let the window roll",
        );
    }
    Some(align)
}

/// What a window is where nothing is said.
pub(super) fn natural(window: Window) -> Align {
    match window {
        Window::MONTH => Align::Calendar,
        _ => Align::Rolling,
    }
}
