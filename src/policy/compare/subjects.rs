//! Which tools to compare: those of a server, or those that the entries of both editions can speak for.
//!
//! It never leaves out tools that could exist: two globs that may speak for one tool are a subject of their own, even if no
//! server has such a tool.

use std::collections::BTreeSet;

use super::edition::{Edition, Entry, Named};
use super::view::{View, prefix};

/// Tools that each edition has one view of.
#[derive(Debug)]
pub(super) struct Subject<'e> {
    pub(super) name: String,
    pub(super) old: View<'e>,
    pub(super) new: View<'e>,
}

/// Tools that no entry and no part of `hide` names.
const OTHERS: &str = "every other tool";

/// The tools of a server, each once.
pub(super) fn tools<'e>(names: &[String], old: &'e Edition, new: &'e Edition) -> Vec<Subject<'e>> {
    let mut seen = BTreeSet::new();
    let names = names.iter().filter(|name| seen.insert(name.as_str()));
    names.map(|name| tool(name, (old, new))).collect()
}

/// All tools that the entries of either edition can speak for, and all others.
pub(super) fn entries<'e>(old: &'e Edition, new: &'e Edition) -> Vec<Subject<'e>> {
    let editions = [old, new];
    let exact = editions.iter().flat_map(|edition| {
        let entries = edition.entries.iter().map(|entry| &entry.named);
        entries.chain(&edition.hidden)
    });
    let exact: BTreeSet<_> = exact
        .filter(|named| named.glob.is_none())
        .map(|named| &named.text)
        .collect();
    let mut subjects: Vec<_> = exact
        .into_iter()
        .map(|name| tool(name, (old, new)))
        .collect();
    subjects.extend(pairs(old, new));
    subjects.extend(freed(old, new));
    subjects.extend(stopped(old, new));
    subjects
}

fn tool<'e>(name: &str, (old, new): (&'e Edition, &'e Edition)) -> Subject<'e> {
    Subject {
        name: name.to_owned(),
        old: View::of_tool(old, name),
        new: View::of_tool(new, name),
    }
}

/// A glob that speaks, or none.
type Speaker<'e> = Option<&'e Entry>;

fn speakers(edition: &Edition) -> impl Iterator<Item = Speaker<'_>> {
    globs(edition).map(Some).chain([None])
}

fn globs(edition: &Edition) -> impl Iterator<Item = &Entry> {
    edition
        .entries
        .iter()
        .filter(|entry| entry.named.glob.is_some())
}

/// Each glob of the one edition with each of the other that may speak for the same tool.
fn pairs<'e>(old: &'e Edition, new: &'e Edition) -> Vec<Subject<'e>> {
    let pairs = speakers(old).flat_map(|before| speakers(new).map(move |after| (before, after)));
    pairs
        .filter(|(before, after)| meet(*before, *after))
        .filter(|(before, after)| may_speak((old, *before), *after))
        .filter(|(before, after)| may_speak((new, *after), *before))
        .map(|(before, after)| Subject {
            name: name(before, after),
            old: View::of_entry(old, before, after.map(|after| &after.named)),
            new: View::of_entry(new, after, before.map(|before| &before.named)),
        })
        .collect()
}

/// Whether in this edition `speaker` may be the one for a tool of `other`, a glob of the other edition: no glob that goes
/// before it takes them all.
fn may_speak((edition, speaker): (&Edition, Speaker<'_>), other: Speaker<'_>) -> bool {
    let goes_before = |entry: &&Entry| match speaker {
        Some(speaker) => prefix(&entry.named) > prefix(&speaker.named),
        None => true,
    };
    let takes_all = |entry: &Entry| match (other, speaker) {
        (Some(other), _) => entry.named.covers(&other.named),
        (None, Some(speaker)) => entry.named.covers(&speaker.named),
        (None, None) => entry.named.text == "*",
    };
    !globs(edition).filter(goes_before).any(takes_all)
}

fn meet(before: Speaker<'_>, after: Speaker<'_>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => before.named.meets(&after.named),
        _ => true,
    }
}

fn name(before: Speaker<'_>, after: Speaker<'_>) -> String {
    match (before, after) {
        (None, None) => OTHERS.to_owned(),
        (Some(before), Some(after)) if before.named.text == after.named.text => {
            before.named.text.clone()
        }
        (Some(before), Some(after)) => {
            format!("{}, now under {}", before.named.text, after.named.text)
        }
        (Some(before), None) => format!("{}, now without an entry", before.named.text),
        (None, Some(after)) => after.named.text.clone(),
    }
}

/// What stops calls of tools whatever entry speaks for them.
#[derive(Debug, Clone, Copy)]
struct Stopper<'e> {
    named: &'e Named,
    means: Means,
}

/// In which way; hiding does what denying does, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Means {
    /// A glob of `tools` whose entry always denies.
    Denying,
    /// A glob of `hide`.
    Hiding,
}

impl Stopper<'_> {
    /// Whether this stops all that `other` does, as thoroughly.
    fn replaces(&self, other: &Stopper<'_>) -> bool {
        self.named.covers(other.named) && self.means >= other.means
    }
}

fn stoppers(edition: &Edition) -> impl Iterator<Item = Stopper<'_>> {
    let hidden = edition.hidden.iter().filter(|hidden| hidden.glob.is_some());
    let hidden = hidden.map(|named| (named, Means::Hiding));
    let denying = globs(edition).filter(|entry| entry.rules.denies_always());
    let denying = denying.map(|entry| (&entry.named, Means::Denying));
    hidden
        .chain(denying)
        .map(|(named, means)| Stopper { named, means })
}

/// Tools that the old edition stopped and the new one does not, under each glob that may speak for them now.
fn freed<'e>(old: &'e Edition, new: &'e Edition) -> Vec<Subject<'e>> {
    let freed = stoppers(old).filter(|stopper| !stoppers(new).any(|other| other.replaces(stopper)));
    let freed = freed.map(|stopper| stopper.named);
    let subjects = freed.flat_map(|stopper| {
        let after = speakers(new).filter(|after| may_be_of(*after, stopper));
        let after = after.filter(|after| may_speak_for((new, *after), stopper));
        let after = after.filter(|after| !stops_all_of(stopper, *after));
        after.map(|after| Subject {
            name: name_of_stopped(after, stopper),
            old: View::of_entry(old, entry_of(old, stopper), Some(stopper)),
            new: View::of_entry(new, after, Some(stopper)),
        })
    });
    subjects.collect()
}

/// Tools that the new edition stops and the old one did not.
fn stopped<'e>(old: &'e Edition, new: &'e Edition) -> Vec<Subject<'e>> {
    let stopped =
        stoppers(new).filter(|stopper| !stoppers(old).any(|other| other.replaces(stopper)));
    let stopped = stopped.map(|stopper| stopper.named);
    let subjects = stopped.flat_map(|stopper| {
        let before = speakers(old).filter(|before| may_be_of(*before, stopper));
        let before = before.filter(|before| may_speak_for((old, *before), stopper));
        let before = before.filter(|before| !stops_all_of(stopper, *before));
        before.map(|before| Subject {
            name: name_of_stopped(before, stopper),
            old: View::of_entry(old, before, Some(stopper)),
            new: View::of_entry(new, entry_of(new, stopper), Some(stopper)),
        })
    });
    subjects.collect()
}

fn name_of_stopped(speaker: Speaker<'_>, stopper: &Named) -> String {
    match speaker {
        Some(speaker) if speaker.named.text != stopper.text => {
            format!(
                "tools of {} that match {}",
                speaker.named.text, stopper.text
            )
        }
        _ => format!("tools that match {}", stopper.text),
    }
}

fn may_be_of(speaker: Speaker<'_>, stopper: &Named) -> bool {
    speaker.is_none_or(|speaker| speaker.named.meets(stopper))
}

fn may_speak_for((edition, speaker): (&Edition, Speaker<'_>), stopper: &Named) -> bool {
    let goes_before = |entry: &&Entry| match speaker {
        Some(speaker) => prefix(&entry.named) > prefix(&speaker.named),
        None => true,
    };
    !globs(edition)
        .filter(goes_before)
        .any(|entry| entry.named.covers(stopper))
}

/// Whether a stopper stops all tools of a speaker: then the speaker's pairs tell it.
fn stops_all_of(stopper: &Named, speaker: Speaker<'_>) -> bool {
    speaker.is_some_and(|speaker| stopper.covers(&speaker.named))
}

fn entry_of<'e>(edition: &'e Edition, named: &Named) -> Speaker<'e> {
    edition
        .entries
        .iter()
        .find(|entry| entry.named.text == named.text)
}
