//! What an edition says of one subject: a tool, or all tools that an entry speaks for.
//!
//! It never mixes two editions.

use super::edition::{Edition, Entry, Named, Rule, RuleSet};
use super::limit::LimitView;
use crate::policy::document::Fallback;

/// One subject as one edition has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'e> {
    pub(super) access: Access,
    pub(super) is_listed: bool,
    /// The entry that speaks; `None` where none does.
    own: Option<&'e Entry>,
    subject: SubjectKind,
    all_tools: &'e RuleSet,
}

/// How many tools a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SubjectKind {
    OneTool,
    /// All that an entry speaks for, however many.
    Tools,
}

/// Whether a tool may be called at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// As far as its rules allow.
    Open,
    /// Never; why.
    Closed(&'static str),
}

impl<'e> View<'e> {
    /// A tool with a name.
    pub(super) fn of_tool(edition: &'e Edition, name: &str) -> View<'e> {
        let matching = || edition.entries.iter().filter(|entry| entry.named.is(name));
        let exact = matching().find(|entry| entry.named.glob.is_none());
        let longest = || matching().max_by_key(|entry| prefix(&entry.named));
        let is_hidden = edition.hidden.iter().any(|hidden| hidden.is(name));
        let is_denied = matching().any(|entry| entry.rules.denies_always());
        let own = exact.or_else(longest);
        View::new((edition, own), SubjectKind::OneTool, (is_hidden, is_denied))
    }

    /// All tools for which an entry speaks, or none does; `also` is what else is known of their names.
    pub(super) fn of_entry(
        edition: &'e Edition,
        own: Option<&'e Entry>,
        also: Option<&Named>,
    ) -> View<'e> {
        let names = || own.map(|entry| &entry.named).into_iter().chain(also);
        // Of tools without an entry nothing is known but that they have a name.
        let is_covered =
            |stopper: &Named| stopper.text == "*" || names().any(|name| stopper.covers(name));
        let is_hidden = edition.hidden.iter().any(is_covered);
        let denying = edition
            .entries
            .iter()
            .filter(|entry| entry.rules.denies_always());
        let is_denied = denying.map(|entry| &entry.named).any(is_covered);
        View::new((edition, own), SubjectKind::Tools, (is_hidden, is_denied))
    }

    fn new(
        (edition, own): (&'e Edition, Option<&'e Entry>),
        subject: SubjectKind,
        (is_hidden, is_denied): (bool, bool),
    ) -> View<'e> {
        let is_unlisted = own.is_none() && edition.default == Fallback::Deny;
        let access = match (
            is_hidden,
            is_unlisted,
            is_denied || edition.all_tools.denies_always(),
        ) {
            (true, ..) => Access::Closed("hidden"),
            (_, true, _) => Access::Closed("no entry, and the default is deny"),
            (_, _, true) => Access::Closed("a rule denies it always"),
            _ => Access::Open,
        };
        View {
            access,
            is_listed: !is_hidden && (!is_unlisted || edition.shows_unlisted),
            own,
            subject,
            all_tools: &edition.all_tools,
        }
    }

    /// All rules that a call meets.
    pub(super) fn rules(&self) -> impl Iterator<Item = &'e Rule> {
        self.sets().flat_map(|set| &set.rules)
    }

    /// All limits that a call takes from, each once.
    pub(super) fn limits(&self) -> Vec<&'e LimitView> {
        let mut limits: Vec<&LimitView> = Vec::new();
        for limit in self.sets().flat_map(|set| &set.limits) {
            if !limits.iter().any(|other| other.is_same_as(limit)) {
                limits.push(limit);
            }
        }
        limits
    }

    /// The most calls in so many seconds that a limit lets through; `None` if it does not bound them.
    pub(super) fn calls(&self, limit: &LimitView, seconds: u64) -> Option<u64> {
        // A counter for each of tools whose number is not known bounds nothing.
        let is_open = limit.is_by_tool() && self.subject == SubjectKind::Tools;
        limit.calls(seconds).filter(|_| !is_open)
    }

    fn sets(&self) -> impl Iterator<Item = &'e RuleSet> + use<'e> {
        let own = self.own.map(|entry| &entry.rules);
        own.into_iter().chain([self.all_tools])
    }
}

/// How many bytes of a name stand before its first sign: a longer literal beginning speaks first.
pub(super) fn prefix(named: &Named) -> usize {
    named
        .glob
        .as_ref()
        .map_or(usize::MAX, |glob| glob.prefix_length())
}
