//! Warns of entries that hold never or always, and of claims taken for proofs.
//!
//! It never warns of what only some arguments would show.

use super::super::mistake::{Mistakes, Place};
use super::super::truth::Sense;
use super::contradiction;
use super::outline::{
    Rules, SECTIONS, Section, all_rules, all_tests, elements, is_shadow, joint_tests, text, under,
};

pub(super) fn look(root: &Place<'_>, warnings: &mut Mistakes) {
    for rules in all_rules(root) {
        everything_denied(&rules, warnings);
        for section in SECTIONS {
            for entry in rules.entries(section) {
                let is_shadow = is_shadow(&rules.place) || is_shadow(&entry);
                self::entry(&entry, (section, is_shadow), warnings);
            }
        }
    }
}

fn entry(entry: &Place<'_>, (section, is_shadow): (Section, bool), warnings: &mut Mistakes) {
    let clauses = elements(entry, "conditions");
    if clauses.is_empty() && section == Section::Require {
        warnings.advise(
            entry,
            "this entry asks for nothing",
            "remove it, or add what must hold",
        );
    }
    if section == Section::DenyIf && !clauses.is_empty() && clauses.iter().all(is_always) {
        warnings.advise(
            entry,
            match is_shadow {
                true => "this entry always holds, so that it would refuse every call",
                false => "this entry always holds, so that every call is refused",
            },
            "write \"conditions\": [] if that is meant, else mend the conditions",
        );
    }
    never(entry, (section, is_shadow), warnings);
    for test in all_tests(entry) {
        if let Some(path) =
            under(&test.place, "path").filter(|path| path.value.as_str() == Some("client.name"))
        {
            warnings.advise(
                &path,
                "client.name is what the agent says of itself, and any agent can say it",
                "do not rely on it against an agent; grants and their tags are proven",
            );
        }
    }
}

/// Conditions that cannot hold together.
fn never(entry: &Place<'_>, (section, is_shadow): (Section, bool), warnings: &mut Mistakes) {
    let (sense, means) = match (section, is_shadow) {
        (Section::Require, false) => (Sense::Require, "every call is refused"),
        (Section::Require, true) => (Sense::Require, "every call would be refused"),
        (Section::DenyIf, _) => (Sense::Forbid, "no call is ever refused here"),
        (Section::ApproveIf, _) => (Sense::Forbid, "nobody is ever asked"),
    };
    let tests = joint_tests(elements(entry, "conditions"));
    if let Some((first, second)) = contradiction::find(&tests, sense) {
        warnings.advise(
            second,
            format!(
                "{} and {} cannot both hold, so that {means}",
                shown(first),
                shown(second)
            ),
            "put them into an \"any\", or into entries of their own, or mend one",
        );
    }
}

/// A test as a person would say it.
fn shown(test: &Place<'_>) -> String {
    let value = under(test, "value").map_or("", |value| value.value.raw());
    let cut = super::super::words::cut(value);
    format!("{} {} {cut}", text(test, "path"), text(test, "op"))
}

/// A deny without conditions beside rules that then never matter.
fn everything_denied(rules: &Rules<'_>, warnings: &mut Mistakes) {
    let Some(denial) = rules.unconditional_denial() else {
        return;
    };
    if rules.name.is_none() {
        return warnings.advise(
            &denial,
            "this entry refuses every call of every tool",
            "add conditions, or remove it",
        );
    }
    let sections = [
        "require",
        "deny_if",
        "approve_if",
        "limits",
        "rate_limit",
        "schema",
    ];
    let is_other = |place: &Place<'_>| place.pointer != denial.pointer;
    let is_alone = sections.iter().all(|section| {
        let list = under(&rules.place, section);
        let inside: Vec<_> = list.iter().flat_map(Place::elements).collect();
        list.is_none() || (!inside.is_empty() && !inside.iter().any(is_other))
    });
    if !is_alone {
        warnings.advise(
            &denial,
            "this refuses every call of the tool, so that its other rules never matter",
            "remove them, or add conditions here",
        );
    }
}

/// Whether a clause holds, or cannot be judged and so refuses too, for any arguments.
fn is_always(clause: &Place<'_>) -> bool {
    let all = elements(clause, "all");
    if !all.is_empty() {
        return all.iter().all(is_always);
    }
    let any = elements(clause, "any");
    let is_opposite =
        |(at, one): (usize, &Place<'_>)| any[..at].iter().any(|other| are_opposites(one, other));
    any.iter().any(is_always) || any.iter().enumerate().any(is_opposite)
}

/// Whether one of two tests holds in a `deny_if`, whatever is there and whether anything is.
fn are_opposites(one: &Place<'_>, other: &Place<'_>) -> bool {
    const OPPOSITES: [(&str, &str); 2] = [("eq", "neq"), ("in", "not_in")];
    let path = text(one, "path");
    if path.is_empty() || path != text(other, "path") {
        return false;
    }
    let ops = (text(one, "op"), text(other, "op"));
    let raw = |test| under(test, "value").map(|value| value.value.raw());
    if ops == ("exists", "exists") {
        return raw(one) != raw(other);
    }
    let are_paired = OPPOSITES.contains(&ops) || OPPOSITES.contains(&(ops.1, ops.0));
    are_paired && raw(one) == raw(other)
}
