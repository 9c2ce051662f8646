//! Which entry of `tools` speaks for a tool, and which names a list has.
//!
//! It never asks what the rules say.

use std::collections::{HashMap, HashSet};

use super::decision::Rule;
use super::name::Glob;
use super::rules::Rules;

/// Names and globs, such as those of `hide`.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) exact: HashSet<Box<str>>,
    pub(super) globs: Vec<Glob>,
}

impl Names {
    /// Whether one of them is or matches the name.
    pub(super) fn have(&self, name: &str) -> bool {
        self.exact.contains(name) || self.globs.iter().any(|glob| glob.matches(name))
    }
}

/// All entries of `tools`.
#[derive(Debug)]
pub(super) struct Tools {
    exact: HashMap<Box<str>, Exact>,
    /// Those with longer literal prefixes first.
    patterns: Vec<Pattern>,
}

/// The entry of one name.
#[derive(Debug)]
pub(super) struct Exact {
    rules: Rules,
    /// The pattern, by its place, that denies this tool whatever the entry says.
    overruled_by: Option<usize>,
}

/// The entry of a glob.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) glob: Glob,
    pub(super) rules: Rules,
}

/// The entry that speaks for a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speaker<'p> {
    pub(super) rules: &'p Rules,
    /// An unconditional deny of another entry that matches too.
    pub(super) overruled_by: Option<&'p Rule>,
}

impl Tools {
    /// `patterns` come in the order in which they speak.
    pub(super) fn new(exact: Vec<(&str, Rules)>, patterns: Vec<Pattern>) -> Tools {
        let overruled_by = |name: &str| {
            patterns.iter().position(|pattern| {
                pattern.rules.unconditional_denial().is_some() && pattern.glob.matches(name)
            })
        };
        let exact = exact
            .into_iter()
            .map(|(name, rules)| {
                let overruled_by = overruled_by(name);
                (
                    name.into(),
                    Exact {
                        rules,
                        overruled_by,
                    },
                )
            })
            .collect();
        Tools { exact, patterns }
    }

    /// The rules of all entries.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Rules> {
        let exact = self.exact.values().map(|exact| &exact.rules);
        exact.chain(self.patterns.iter().map(|pattern| &pattern.rules))
    }

    /// Whether an entry is exactly this name.
    pub(super) fn have_exactly(&self, name: &str) -> bool {
        self.exact.contains_key(name)
    }

    /// The entry for a name: the exact one, else of the globs that match the one that comes first.
    pub(super) fn speaker(&self, name: &str) -> Option<Speaker<'_>> {
        if let Some(exact) = self.exact.get(name) {
            let overruled_by = exact
                .overruled_by
                .and_then(|at| self.patterns[at].rules.unconditional_denial());
            return Some(Speaker {
                rules: &exact.rules,
                overruled_by,
            });
        }
        let matches = |pattern: &&Pattern| pattern.glob.matches(name);
        let mut matching = self.patterns.iter().filter(matches);
        let first = matching.next()?;
        Some(Speaker {
            rules: &first.rules,
            overruled_by: matching.find_map(|pattern| pattern.rules.unconditional_denial()),
        })
    }
}
