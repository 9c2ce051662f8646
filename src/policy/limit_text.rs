//! Reads limits: how much, in which span of time, for whom, and what a call takes.
//!
//! It never guesses what was meant: a key that does not go with another is a mistake.

use std::num::{NonZeroU32, NonZeroU64};

use super::amount::Amount;
use super::fields::{self, Fields, Keys, Text};
use super::limit::{Align, Increment, Scope, Window};
use super::limit_numbers::{self, burst, max, rate, window};
use super::mistake::{Mistakes, Place};
use super::source::{self, Argument, Source};
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
        "on_deny",
        "shadow",
    ],
    not_built: &["concurrent", "refund_on"],
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
        "on_deny",
        "shadow",
    ],
    not_built: LIMIT.not_built,
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

const ALIGNS: &[(&str, Align)] = &[("rolling", Align::Rolling), ("calendar", Align::Calendar)];

/// `by` may name so many paths: each multiplies the counters.
const BY_MAX: usize = 8;

/// The counter of a `rate_limit`.
const RATE_LIMIT_COUNTER: &str = "rate_limit";

/// A limit as written.
#[derive(Debug)]
pub(super) struct LimitText<'a> {
    pub(super) place: Place<'a>,
    pub(super) counter: &'a str,
    pub(super) window: Window,
    pub(super) max: NonZeroU64,
    pub(super) align: Align,
    pub(super) burst: Option<NonZeroU32>,
    pub(super) scope: Scope,
    pub(super) by: Vec<Source>,
    pub(super) increment: Increment,
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
    Some(LimitText {
        place: place.clone(),
        counter: "",
        window: window?,
        max: max?,
        align: align?,
        burst: match burst {
            Some(burst) => Some(burst?),
            None => None,
        },
        scope: scope.unwrap_or(Some(Scope::Grant))?,
        by: by?,
        increment: increment?,
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
        window,
        max,
        align: natural(window),
        burst: None,
        scope: Scope::Grant,
        by: Vec::new(),
        increment: Increment::Constant(Amount::ONE),
        is_shadow: false,
        on_deny: None,
    })
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
fn natural(window: Window) -> Align {
    match window {
        Window::MONTH => Align::Calendar,
        _ => Align::Rolling,
    }
}
