//! Warns of entries that never speak, and of lists that mean nothing.
//!
//! It never warns of what it cannot show: globs are compared as far as that is cheap.

use super::super::Policy;
use super::super::document::Fallback;
use super::super::mistake::{Mistakes, Place};
use super::super::name::Glob;
use super::outline::{Rules, elements, tools, under};

/// So many names of a glob are looked at one by one.
const NAMES_MAX: usize = 64;

pub(super) fn look(root: &Place<'_>, policy: &Policy, warnings: &mut Mistakes) {
    useless_keys(root, policy, warnings);
    let tools = tools(root);
    let hide = elements(root, "hide");
    let texts = hide.iter().filter_map(|place| place.value.as_str());
    let named = texts.map(|text| (text, Glob::parse(text).ok().filter(|_| Glob::is_glob(text))));
    let all = All {
        hide: named.collect(),
        deniers: tools.iter().filter(is_denier).collect(),
        tools: &tools,
    };
    for entry in &tools {
        if !all.hidden(entry, warnings) {
            all.overruled(entry, warnings);
            all.silent(entry, warnings);
        }
    }
}

fn is_denier(entry: &&Rules<'_>) -> bool {
    entry.glob.is_some() && entry.unconditional_denial().is_some()
}

/// What decides which entry speaks.
struct All<'t, 'a> {
    hide: Vec<(&'a str, Option<Glob>)>,
    /// The globs that deny without conditions.
    deniers: Vec<&'t Rules<'a>>,
    tools: &'t [Rules<'a>],
}

fn useless_keys(root: &Place<'_>, policy: &Policy, warnings: &mut Mistakes) {
    match policy.default {
        Fallback::Allow => {
            if let Some(place) = under(root, "show_unlisted") {
                warnings.advise(
                    &place.key(),
                    "\"show_unlisted\" means nothing here: under \"default\": \"allow\" no tool is left out for want of an entry",
                    "remove it",
                );
            }
        }
        Fallback::Deny => {
            if let (true, Some(place)) = (tools(root).is_empty(), under(root, "default")) {
                warnings.advise(
                    &place,
                    "no tool can be called: \"default\" is \"deny\" and \"tools\" has no entry",
                    "add the tools that may be called, such as \"get_*\": {}",
                );
            }
        }
    }
}

impl All<'_, '_> {
    /// Warns of an entry that `hide` leaves out; whether it is one.
    fn hidden(&self, entry: &Rules<'_>, warnings: &mut Mistakes) -> bool {
        let name = entry.name.unwrap_or_default();
        let hides = |(text, glob): &&(&str, Option<Glob>)| match (glob, &entry.glob) {
            (Some(glob), Some(own)) => glob.covers(own),
            (Some(glob), None) => glob.matches(name),
            (None, _) => *text == name,
        };
        let Some((by, _)) = self.hide.iter().find(hides) else {
            return false;
        };
        warnings.advise(
            &entry.place.key(),
            format!(
                "the entry {name:?} never speaks: {by:?} in \"hide\" leaves out what it is for"
            ),
            "remove one of the two",
        );
        true
    }

    /// Warns of an entry whose every call a glob denies without conditions.
    fn overruled(&self, entry: &Rules<'_>, warnings: &mut Mistakes) {
        let name = entry.name.unwrap_or_default();
        let is_over = |denier: &&&Rules<'_>| match (&denier.glob, &entry.glob) {
            (Some(glob), Some(own)) => glob.covers(own),
            (Some(glob), None) => glob.matches(name),
            (None, _) => false,
        };
        let denier = self.deniers.iter().find(is_over);
        if let (Some(denier), None) = (denier, entry.unconditional_denial()) {
            let by = denier.name.unwrap_or_default();
            warnings.advise(
                &entry.place.key(),
                format!("{name:?} is refused whatever this entry says: {by:?} matches too and denies without conditions"),
                "narrow that glob, or remove this entry",
            );
        }
    }

    /// Warns of a glob all of whose names have entries that come before it.
    fn silent(&self, entry: &Rules<'_>, warnings: &mut Mistakes) {
        let Some(own) = &entry.glob else {
            return;
        };
        let Some(names) = own.all_names(NAMES_MAX) else {
            return;
        };
        let speaks_before = |name: &String| {
            self.tools.iter().any(|other| match &other.glob {
                None => other.name == Some(name),
                Some(glob) => glob.prefix_length() > own.prefix_length() && glob.matches(name),
            })
        };
        if names.iter().all(speaks_before) {
            let name = entry.name.unwrap_or_default();
            warnings.advise(
                &entry.place.key(),
                format!("the glob {name:?} never speaks: every name that it matches has an entry that comes before it"),
                "remove it, or the entries that it is to replace",
            );
        }
    }
}
