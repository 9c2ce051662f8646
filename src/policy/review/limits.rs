//! Warns of limits that can never be reached, that an agent can step around, or that leave the whole unbounded.
//!
//! It never compares what is not counted alike: amounts with calls, or calls of one with calls of another tool.

use std::collections::HashMap;

use super::super::Policy;
use super::super::limit::{Align, Limit, Window};
use super::super::mistake::{Mistakes, Place};
use super::super::words::in_groups;
use super::outline::{Rules, all_rules, elements, is_shadow, text, under};

/// February's 28 days.
const SHORTEST_MONTH_SECONDS: u64 = 28 * 86_400;

/// One limit that a call is charged to.
struct Use<'a> {
    /// Where the entry names or writes it.
    place: Place<'a>,
    /// Where it is written.
    written: Place<'a>,
    limit: &'a Limit,
    /// Other tools' calls are charged to it too.
    is_shared: bool,
}

pub(super) fn look(root: &Place<'_>, policy: &Policy, warnings: &mut Mistakes) {
    let by_pointer: HashMap<&str, &Limit> = policy
        .limits()
        .iter()
        .map(|limit| (&*limit.pointer, limit))
        .collect();
    let (common, own): (Vec<_>, Vec<_>) = all_rules(root)
        .into_iter()
        .partition(|rules| rules.name.is_none());
    let common: Vec<Use<'_>> = common
        .iter()
        .flat_map(|rules| uses(root, rules, &by_pointer))
        .collect();
    list(&common, &[], warnings);
    for rules in own {
        let own = uses(root, &rules, &by_pointer);
        list(&own, &common, warnings);
    }
}

fn uses<'a>(
    root: &Place<'a>,
    rules: &Rules<'a>,
    by_pointer: &HashMap<&str, &'a Limit>,
) -> Vec<Use<'a>> {
    let counters = under(root, "counters");
    let shorthand = under(&rules.place, "rate_limit");
    let places = elements(&rules.place, "limits")
        .into_iter()
        .chain(shorthand);
    places
        .filter_map(|place| {
            let name = place.value.as_str();
            let shared = name.and_then(|name| under(counters.as_ref()?, name));
            let is_shared = shared.is_some();
            let written = shared.unwrap_or_else(|| place.clone());
            Some(Use {
                limit: by_pointer.get(&*written.pointer)?,
                place,
                written,
                is_shared,
            })
        })
        .collect()
}

/// Looks at the limits of one entry; every call that is charged to them is charged to those of `common` too.
fn list(own: &[Use<'_>], common: &[Use<'_>], warnings: &mut Mistakes) {
    let all = || own.iter().chain(common);
    for one in own {
        // A shared counter is warned of by those who use it alone; what is in its way there need not be elsewhere.
        let others = || all().filter(|other| other.written.pointer != one.written.pointer);
        if !one.is_shared
            && let Some(other) = others().find(|other| other.leaves_no_use_of(one))
        {
            unreachable(one, other, warnings);
        }
        if one.is_calendar() && !others().any(|other| other.parts_periods_of(one)) {
            two_periods(one, warnings);
        }
        if one.is_by_value() && !all().any(|other| other.bounds_the_whole_of(one)) {
            warnings.advise(
                &one.place,
                "each distinct value has a counter of its own, and nothing limits all of them together",
                "add a limit without \"by\" beside it",
            );
        }
    }
    let is_session = |one: &Use<'_>| text(&one.written, "scope") == "session";
    if let Some(first) = own.first().filter(|_| all().all(is_session)) {
        warnings.advise(
            &first.place,
            "only sessions are limited, and sessions are free to open: an agent that opens another one starts anew",
            "add a limit with \"scope\": \"grant\" beside it",
        );
    }
}

fn unreachable(one: &Use<'_>, other: &Use<'_>, warnings: &mut Mistakes) {
    let what = format!(
        "this limit of {} in {} can never be reached: {} admits {} in {}, which makes at most {}",
        in_groups(one.limit.max.get()),
        span(one.limit),
        other.limit.rule,
        in_groups(other.limit.max.get()),
        span(other.limit),
        in_groups(other.most_in(one)),
    );
    warnings.advise(&one.place, what, "lower it, or remove one of the two");
}

fn two_periods(one: &Use<'_>, warnings: &mut Mistakes) {
    let max = one.limit.max.get();
    warnings.advise(
        &one.place,
        format!(
            "across the end of one {} two periods meet: up to {} may pass in a short time",
            one.limit.window.name(),
            in_groups(max.saturating_mul(2))
        ),
        "leave \"align\" out, or put a rolling limit beside it",
    );
}

fn span(limit: &Limit) -> String {
    format!("any {}", limit.window.name())
}

impl Use<'_> {
    /// Whether it counts calls one by one, and refuses.
    fn counts_calls(&self) -> bool {
        let others = ["increment", "increment_from", "concurrent", "refund_on"];
        !is_shadow(&self.written) && others.iter().all(|key| under(&self.written, key).is_none())
    }

    fn is_calendar(&self) -> bool {
        self.limit.align == Align::Calendar
    }

    fn is_by_value(&self) -> bool {
        !self.by().is_empty()
    }

    fn by(&self) -> Vec<&str> {
        let by = elements(&self.written, "by");
        by.iter().filter_map(|place| place.value.as_str()).collect()
    }

    /// How many calls share its counter: the higher, the more.
    fn breadth(&self) -> usize {
        match text(&self.written, "scope") {
            "session" => 0,
            "server" => 2,
            "organisation" => 3,
            _ => 1,
        }
    }

    /// Whether every call that `other` counts is counted here, in one counter.
    fn counts_all_of(&self, other: &Use<'_>) -> bool {
        let by = other.by();
        self.breadth() >= other.breadth() && self.by().iter().all(|key| by.contains(key))
    }

    /// The most calls that it lets through while the window of `other` lasts.
    fn most_in(&self, other: &Use<'_>) -> u64 {
        let own = match self.limit.window {
            // Of the months, the shortest fit most often.
            Window::MONTH => SHORTEST_MONTH_SECONDS,
            window => window.length().as_secs(),
        };
        let length = other.limit.window.length().as_secs();
        let windows = length.div_ceil(own.max(1));
        // Periods do not begin where a stretch of time does.
        let windows = windows + u64::from(self.is_calendar());
        self.limit.max.get().saturating_mul(windows)
    }

    /// Whether `other` is never full before this is.
    fn leaves_no_use_of(&self, other: &Use<'_>) -> bool {
        let are_alike = self.counts_calls() && other.counts_calls();
        are_alike && self.counts_all_of(other) && self.most_in(other) <= other.limit.max.get()
    }

    /// Whether less than two periods' worth of `other` can meet because of this.
    fn parts_periods_of(&self, other: &Use<'_>) -> bool {
        let are_alike = self.counts_calls() && other.counts_calls();
        let most = other.limit.max.get().saturating_mul(2);
        are_alike && !self.is_calendar() && self.counts_all_of(other) && self.most_in(other) < most
    }

    /// Whether it limits what the counters of `other` limit one by one.
    fn bounds_the_whole_of(&self, other: &Use<'_>) -> bool {
        let is_over_time = !self.limit.is_concurrent() || other.limit.is_concurrent();
        let is_wide = self.by().is_empty() && self.breadth() >= other.breadth();
        is_wide && is_over_time && !is_shadow(&self.written)
    }
}
