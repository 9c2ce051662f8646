//! How many calls a grant can make at worst, of each subject and in total.
//!
//! It never says fewer than are possible: what no limit counts is unlimited, and the total is a bound, not always reached.

use std::collections::HashMap;

use super::limit::{Breadth, LimitView};
use super::subjects::Subject;
use super::view::{Access, View};
use super::{Calls, WorstCase};

/// The subject of all calls together.
pub(super) const IN_TOTAL: &str = "in total";
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// One subject; `None` if it can be called in neither edition.
pub(super) fn case(subject: &Subject<'_>) -> Option<WorstCase> {
    let is_of_interest = |view: &View<'_>| view.access == Access::Open;
    if !is_of_interest(&subject.old) && !is_of_interest(&subject.new) {
        return None;
    }
    Some(WorstCase {
        subject: subject.name.clone(),
        before: calls(&subject.old),
        after: calls(&subject.new),
    })
}

/// All subjects together.
pub(super) fn total(subjects: &[Subject<'_>]) -> WorstCase {
    let sum = |views: &[View<'_>]| Calls {
        hour: sum(views, HOUR),
        day: sum(views, DAY),
    };
    let old: Vec<_> = subjects.iter().map(|subject| subject.old).collect();
    let new: Vec<_> = subjects.iter().map(|subject| subject.new).collect();
    WorstCase {
        subject: IN_TOTAL.into(),
        before: sum(&old),
        after: sum(&new),
    }
}

fn calls(view: &View<'_>) -> Calls {
    Calls {
        hour: most(view, HOUR),
        day: most(view, DAY),
    }
}

fn most(view: &View<'_>, seconds: u64) -> Option<u64> {
    match view.access {
        Access::Closed(_) => Some(0),
        Access::Open => view
            .limits()
            .iter()
            .filter_map(|limit| view.calls(limit, seconds))
            .min(),
    }
}

/// Which counter bounds something; tools that name the same one share its bound.
type Counter<'v> = (&'v Breadth, &'v str, Option<usize>);

fn counter(limit: &LimitView, at: usize) -> Counter<'_> {
    (
        &limit.breadth,
        &limit.counter,
        limit.is_by_tool().then_some(at),
    )
}

/// Each view is counted under the counter that bounds it best, each counter once; a shared counter takes all its views
/// where that is less than what they have apart.
fn sum(views: &[View<'_>], seconds: u64) -> Option<u64> {
    let open: Vec<_> = views
        .iter()
        .filter(|view| view.access == Access::Open)
        .collect();
    let limits: Vec<Vec<&LimitView>> = open.iter().map(|view| view.limits()).collect();
    let mut users: HashMap<Counter<'_>, (u64, Vec<usize>)> = HashMap::new();
    for (at, limits) in limits.iter().enumerate() {
        for limit in limits {
            if let Some(calls) = open[at].calls(limit, seconds) {
                users
                    .entry(counter(limit, at))
                    .or_insert((calls, Vec::new()))
                    .1
                    .push(at);
            }
        }
    }
    let mut counters: Vec<_> = users.into_iter().collect();
    // Those with many users first: they can save the most.
    counters.sort_by_key(|((_, name, at), (calls, users))| {
        (std::cmp::Reverse(users.len()), *calls, *name, *at)
    });
    let own = |at: usize| {
        limits[at]
            .iter()
            .filter_map(|limit| open[at].calls(limit, seconds))
            .min()
    };
    let mut is_counted = vec![false; open.len()];
    let mut total: u64 = 0;
    for (_, (calls, users)) in counters {
        let left: Vec<_> = users.into_iter().filter(|at| !is_counted[*at]).collect();
        let apart = left
            .iter()
            .try_fold(0_u64, |sum, at| Some(sum.saturating_add(own(*at)?)));
        if !left.is_empty() && apart.is_none_or(|apart| calls <= apart) {
            total = total.saturating_add(calls);
            left.into_iter().for_each(|at| is_counted[at] = true);
        }
    }
    is_counted
        .iter()
        .all(|is_counted| *is_counted)
        .then_some(total)
}
