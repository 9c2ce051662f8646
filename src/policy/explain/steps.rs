//! Puts what was judged into steps that a person can follow.
//!
//! It never leaves one out: what was judged is told, also where it changed nothing.

use super::super::decision::{Rule, Unavailable};
use super::super::document::{Fallback, Mode};
use super::super::name::Glob;
use super::super::truth::Truth;
use super::super::words::cut;
use super::super::{Call, Facts, Limit, Policy};
use super::witness::{self, Note};
use super::{Look, Spot, Step, Written};
use crate::json::Value;

/// What comes before any rule: `hide`, and the entry that speaks.
pub(super) fn before_rules(
    policy: &Policy,
    (call, facts): (&Call<'_>, &Facts<'_>),
    written: Written<'_>,
) -> Vec<Step> {
    let step = |section: &str, spot: Option<Spot>, follows: &str| Step {
        section: section.to_owned(),
        rule: None,
        spot,
        truth: None,
        follows: follows.to_owned(),
        looks: Vec::new(),
    };
    let open = step("hide", None, "the tool is not hidden");
    let default = || Some(written.spot("/default"));
    match policy.offered(call.tool, facts.listing) {
        Err(Unavailable::Hidden) => {
            vec![step(
                "hide",
                hiding(call.tool, written),
                "the tool is hidden: refused",
            )]
        }
        Err(Unavailable::Default) => {
            let follows = "no entry matches, and the default is \"deny\": refused";
            vec![open, step("tools", default(), follows)]
        }
        Err(Unavailable::Method | Unavailable::Resource | Unavailable::Prompt) => {
            let spot = Some(written.spot("/methods"));
            let follows = "the grant may not use tools/call: refused";
            vec![step("methods", spot, follows)]
        }
        Err(Unavailable::NoPolicy | Unavailable::Unknown) => {
            let follows =
                "the server does not list the tool, and no entry names it exactly: refused";
            vec![open, step("tools", None, follows)]
        }
        Ok(Some(speaker)) => {
            let spot = written.spot(&speaker.rules.pointer);
            vec![
                open,
                step("tools", Some(spot), "this entry speaks for the tool"),
            ]
        }
        Ok(None) => {
            let follows = match policy.default {
                Fallback::Allow => "no entry matches, and the default is \"allow\"",
                Fallback::Deny => "no entry matches",
            };
            vec![open, step("tools", default(), follows)]
        }
    }
}

/// The first element of `hide` that hides the tool.
fn hiding(tool: &str, written: Written<'_>) -> Option<Spot> {
    let hide = written.value("/hide")?;
    let hides = |value: Value<'_>| {
        let text = value.as_str().unwrap_or_default();
        match Glob::is_glob(text) {
            true => Glob::parse(text).is_ok_and(|glob| glob.matches(tool)),
            false => text == tool,
        }
    };
    let at = hide.elements().position(hides)?;
    Some(written.spot(&format!("/hide/{at}")))
}

/// A rule that was judged.
pub(super) fn of_note(note: Note, written: Written<'_>) -> Step {
    let section = section(&note.id).to_owned();
    Step {
        follows: follows(&section, &note),
        rule: Some(note.id.into()),
        spot: Some(written.spot(&note.pointer)),
        truth: Some(name(note.truth)),
        looks: note
            .looks
            .into_iter()
            .map(|look| self::look(look, written))
            .collect(),
        section,
    }
}

/// An unconditional deny of an entry that does not speak for the tool.
pub(super) fn of_another_entry(rule: &Rule, written: Written<'_>) -> Step {
    Step {
        section: section(&rule.id).to_owned(),
        rule: Some(rule.id.to_string()),
        spot: Some(written.spot(&rule.pointer)),
        truth: Some(name(Truth::True)),
        follows: "another entry matches too, and denies without conditions: refused".to_owned(),
        looks: Vec::new(),
    }
}

/// A limit that cannot tell what the call would take from it.
pub(super) fn of_limit((limit, words): (&Limit, &str), written: Written<'_>) -> Step {
    Step {
        section: "limits".to_owned(),
        rule: Some(limit.rule.to_string()),
        spot: Some(written.spot(&limit.pointer)),
        truth: None,
        follows: format!("{words}: refused"),
        looks: Vec::new(),
    }
}

/// The part of a rule id before the name; ids end in `…/<section>/<name>`, or in `/schema`.
fn section(id: &str) -> &str {
    let mut tokens = id.rsplit('/');
    match (tokens.next(), tokens.next()) {
        (Some("schema"), _) => "schema",
        (_, Some(section)) => section,
        _ => id,
    }
}

fn follows(section: &str, note: &Note) -> String {
    let (what, consequence) = match (section, note.truth) {
        ("schema", Truth::True) => ("the arguments fit", ""),
        ("schema", _) => ("the arguments do not fit", "refused"),
        ("require", Truth::True) => ("holds", ""),
        ("require", Truth::False) => ("does not hold", "refused"),
        ("deny_if", Truth::True) => ("holds", "refused"),
        ("approve_if", Truth::True) => ("holds", "a person is asked"),
        (_, Truth::False) => ("does not hold", ""),
        (_, Truth::True) => ("holds", ""),
        (_, Truth::Unknown) => ("cannot be judged", "refused"),
    };
    let what = note.why.as_deref().unwrap_or(what);
    match (consequence, note.mode) {
        ("", _) => what.to_owned(),
        (consequence, Mode::Enforced) => format!("{what}: {consequence}"),
        (consequence, Mode::Shadow) => format!("{what}: {consequence} if it were not in shadow"),
    }
}

fn look(look: witness::Look, written: Written<'_>) -> Look {
    let value = written.value(&look.pointer);
    let path = value
        .and_then(|value| value.member("path"))
        .and_then(Value::as_str);
    let test = match (path, value) {
        (Some(path), Some(value)) => {
            let op = value
                .member("op")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let constant = value.member("value").map_or("", Value::raw);
            format!("{path} {op} {}", cut(constant))
        }
        (None, Some(value)) => {
            let word = value.members().next().and_then(|(key, _)| key.as_str());
            word.unwrap_or_default().to_owned()
        }
        _ => String::new(),
    };
    Look {
        depth: look.depth,
        spot: written.spot(&look.pointer),
        test,
        saw: look.saw,
        truth: name(look.truth),
        why: look.why,
    }
}

fn name(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "true",
        Truth::False => "false",
        Truth::Unknown => "unknown",
    }
}
