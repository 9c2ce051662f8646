//! Compares a document with the tools that a server offers: names that match nothing, arguments that are not there.
//!
//! It never asks the server: it is told what there is.

use super::super::Policy;
use super::super::document::Fallback;
use super::super::fields::nearest;
use super::super::mistake::{Mistakes, Place};
use super::super::name::Glob;
use super::asked::Asked;
use super::outline::{Rules, all_rules, elements, tools, under};

/// So many names are told one by one.
const NAMES_TOLD_MAX: usize = 3;

/// A server with no more tools than this has them all told where one is not found.
const LISTED_MAX: usize = 10;

/// The tools of a server.
#[derive(Debug)]
pub struct Offer {
    tools: Vec<Tool>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: Box<str>,
    /// `inputSchema`, if there is one.
    pub(super) schema: Option<serde_json::Value>,
}

/// The tools that no entry of a policy matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// Their names, in the server's order.
    pub tools: Vec<Box<str>>,
    /// What happens to them.
    pub fate: &'static str,
}

impl Offer {
    /// Reads the elements of a `tools/list` result, each as JSON; an error says which cannot be read.
    pub fn read(definitions: &[Box<str>]) -> Result<Offer, String> {
        let tool = |(at, text): (usize, &Box<str>)| {
            let definition: serde_json::Value = serde_json::from_str(text)
                .map_err(|error| format!("tool {at} cannot be read: {error}"))?;
            let name = definition.get("name").and_then(|name| name.as_str());
            let schema = definition
                .get("inputSchema")
                .filter(|schema| schema.is_object());
            Ok(Tool {
                name: name.ok_or_else(|| format!("tool {at} has no name"))?.into(),
                schema: schema.cloned(),
            })
        };
        let tools: Result<_, String> = definitions.iter().enumerate().map(tool).collect();
        Ok(Offer { tools: tools? })
    }

    /// How many tools there are.
    pub fn count(&self) -> usize {
        self.tools.len()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|tool| &*tool.name)
    }
}

/// What no entry matches and nothing hides.
pub(super) fn unmatched(root: &Place<'_>, policy: &Policy, offer: &Offer) -> Unmatched {
    let tools = offer
        .names()
        .filter(|name| !policy.hidden.have(name) && policy.tools.speaker(name).is_none());
    let fate = match (policy.default, under(root, "all_tools")) {
        (Fallback::Deny, _) => "refused: \"default\" is \"deny\"",
        (Fallback::Allow, Some(_)) => {
            "allowed under the rules of \"all_tools\" alone: \"default\" is \"allow\""
        }
        (Fallback::Allow, None) => "allowed without any rule: \"default\" is \"allow\"",
    };
    Unmatched {
        tools: tools.map(Into::into).collect(),
        fate,
    }
}

pub(super) fn look(root: &Place<'_>, policy: &Policy, (offer, warnings): (&Offer, &mut Mistakes)) {
    for place in elements(root, "hide") {
        unknown(
            place.value.as_str().unwrap_or_default(),
            &place,
            (offer, warnings),
        );
    }
    for entry in tools(root) {
        unknown(
            entry.name.unwrap_or_default(),
            &entry.place.key(),
            (offer, warnings),
        );
    }
    let all = all_rules(root);
    let globs: Vec<&Glob> = all.iter().filter_map(|rules| rules.glob.as_ref()).collect();
    for rules in &all {
        let spoken_for = spoken_for(rules, (policy, &globs), offer);
        without_schema(rules, &spoken_for, warnings);
        for asked in Asked::all_of(rules) {
            asked.compare(&spoken_for, warnings);
        }
    }
}

/// A name or glob for which the server has nothing.
fn unknown(name: &str, place: &Place<'_>, (offer, warnings): (&Offer, &mut Mistakes)) {
    if !Glob::is_glob(name) {
        if offer.names().any(|own| own == name) {
            return;
        }
        let remedy = match nearest(name, offer.names()) {
            Some(near) => format!("did you mean {near:?}?"),
            None if offer.count() <= LISTED_MAX => {
                let names: Vec<_> = offer.names().collect();
                format!("its tools are {}", names.join(", "))
            }
            None => "check its spelling, or remove it".to_owned(),
        };
        return warnings.advise(place, format!("the server has no tool {name:?}"), remedy);
    }
    // A glob for whatever there may ever be is right though there is nothing yet.
    let matches = |glob: Glob| name == "*" || offer.names().any(|own| glob.matches(own));
    if !Glob::parse(name).is_ok_and(matches) {
        warnings.advise(
            place,
            format!("no tool of the server matches {name:?}"),
            "check its spelling, or remove it",
        );
    }
}

/// The tools whose calls these rules judge.
fn spoken_for<'o>(
    rules: &Rules<'_>,
    (policy, globs): (&Policy, &[&Glob]),
    offer: &'o Offer,
) -> Vec<&'o Tool> {
    let speaks = |name: &str| match (rules.name, &rules.glob) {
        (None, _) => policy.default == Fallback::Allow || policy.tools.speaker(name).is_some(),
        (Some(exact), None) => exact == name,
        (Some(_), Some(own)) => {
            let comes_first = |glob: &&&Glob| glob.prefix_length() > own.prefix_length();
            let mut earlier = globs.iter().filter(comes_first);
            own.matches(name)
                && !policy.tools.have_exactly(name)
                && !earlier.any(|glob| glob.matches(name))
        }
    };
    let is_judged = |tool: &&Tool| !policy.hidden.have(&tool.name) && speaks(&tool.name);
    offer.tools.iter().filter(is_judged).collect()
}

/// `schema: true` for tools that have none.
fn without_schema(rules: &Rules<'_>, tools: &[&Tool], warnings: &mut Mistakes) {
    let schema = under(&rules.place, "schema");
    let of_tool = schema.filter(|schema| schema.value.kind() != crate::json::Kind::Object);
    let without: Vec<_> = tools.iter().filter(|tool| tool.schema.is_none()).collect();
    if let (Some(place), false) = (of_tool, without.is_empty()) {
        let names = without.iter().map(|tool| &*tool.name);
        warnings.advise(
            &place,
            format!(
                "the server gives no schema for {}: every call is refused",
                told(names)
            ),
            "write a JSON Schema here, or remove this",
        );
    }
}

/// A few names, and how many more there are.
pub(super) fn told<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.collect();
    let mut told = names[..names.len().min(NAMES_TOLD_MAX)].join(", ");
    if names.len() > NAMES_TOLD_MAX {
        told.push_str(&format!(" and {} more", names.len() - NAMES_TOLD_MAX));
    }
    told
}
