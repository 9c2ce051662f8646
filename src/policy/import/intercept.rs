//! Intercept's dialect → our document: tools with `rules`, an optional `default`, and `"*"` for every tool.
//!
//! It never takes a key for known that Intercept does not have, though Intercept ignores such keys: an ignored rule
//! protects nobody.

use super::Findings;
use super::intercept_rule::{self, Rules};
use super::node::{Data, Member, Node, Origin};
use crate::policy::fields::nearest;
use crate::policy::name::Glob;

const DOCUMENT: &[&str] = &["version", "description", "default", "hide", "tools"];
const TOOL: &[&str] = &["rules"];
/// The tool whose rules are for every tool.
const EVERY_TOOL: &str = "*";
/// What counters of the rules for every tool are called under.
const GLOBAL_SCOPE: &str = "_global";

/// Whether a document is in this dialect: a tool has `rules`.
pub(super) fn is_meant(document: &Node) -> bool {
    let tools = document.member("tools").map(Node::members);
    let mut tools = tools.unwrap_or_default().iter();
    tools.any(|tool| tool.value.member("rules").is_some())
}

/// The same in our words; of no use if there are mistakes.
pub(super) fn translated(document: &Node, findings: &mut Findings) -> Node {
    let fields = Fields::read(document, DOCUMENT, findings);
    let mut members = Vec::new();
    if let Some(version) = fields.get("version") {
        members.push(self::version(version, findings));
    }
    members.extend(fields.get("description").cloned());
    members.push(default(&fields, document, findings));
    if let Some(hide) = fields.get("hide") {
        note_globs(&hide.value, findings);
        members.push(hide.clone());
    }
    if let Some(tools) = fields.get("tools") {
        members.extend(self::tools(tools, findings));
    }
    Node {
        origin: document.origin.clone(),
        data: Data::Object(members),
    }
}

/// Intercept reads `version: 1` as text.
fn version(member: &Member, findings: &mut Findings) -> Member {
    let Some(number) = member.value.number() else {
        return member.clone();
    };
    findings.note(&member.origin, format!("the version is text: \"{number}\""));
    Member {
        value: text(&member.value.origin, number),
        ..member.clone()
    }
}

fn default(fields: &Fields<'_>, document: &Node, findings: &mut Findings) -> Member {
    let written = fields
        .get("default")
        .filter(|default| default.value.text() != Some(""));
    if written.is_some_and(|default| default.value.text() == Some("deny")) {
        let what = "tools without an entry are left out of tools/list too, not only refused";
        findings.note(&document.origin, what);
    }
    written.cloned().unwrap_or_else(|| {
        let what =
            "\"default\" was missing, which means \"allow\": a tool without an entry may be called";
        findings.note(&document.origin, what);
        member("default", text(&document.origin, "allow"))
    })
}

/// Names are exact in Intercept; hiding more than it would is stricter.
fn note_globs(hide: &Node, findings: &mut Findings) {
    for name in hide.elements() {
        if let Some(text) = name.text()
            && text != EVERY_TOOL
            && Glob::is_glob(text)
        {
            findings.note(
                &name.origin,
                format!("{text:?} hides all tools that match it, not only one of that name"),
            );
        }
    }
}

/// `all_tools` and `tools`.
fn tools(tools: &Member, findings: &mut Findings) -> Vec<Member> {
    let mut out = Vec::new();
    let mut entries = Vec::new();
    if !matches!(tools.value.data, Data::Object(_)) {
        return vec![tools.clone()];
    }
    for tool in tools.value.members() {
        let name = tool.key.as_str();
        let is_every_tool = name == EVERY_TOOL;
        if Glob::is_glob(name) && !is_every_tool {
            let what =
                format!("{name:?} is one exact name to Intercept and would be a pattern here");
            findings.refuse(&tool.origin, what, "name each tool that is meant");
        }
        let scope = if is_every_tool { GLOBAL_SCOPE } else { name };
        let rules = self::rules(&tool.value, scope, findings);
        let entry = Member {
            key: if is_every_tool { "all_tools" } else { name }.into(),
            origin: tool.origin.clone(),
            value: entry(rules, &tool.value.origin),
        };
        match is_every_tool {
            true => out.push(entry),
            false => entries.push(entry),
        }
    }
    out.push(Member {
        key: "tools".into(),
        origin: tools.origin.clone(),
        value: Node {
            origin: tools.value.origin.clone(),
            data: Data::Object(entries),
        },
    });
    out
}

fn rules(tool: &Node, scope: &str, findings: &mut Findings) -> Rules {
    // A name with nothing after it is a tool without rules.
    if tool.data == Data::Null {
        return Rules::default();
    }
    let fields = Fields::read(tool, TOOL, findings);
    match fields.get("rules") {
        Some(rules) => intercept_rule::translated(&rules.value, scope, findings),
        None => Rules::default(),
    }
}

fn entry(rules: Rules, origin: &Origin) -> Node {
    let lists = [
        ("require", rules.require),
        ("deny_if", rules.deny_if),
        ("limits", rules.limits),
    ];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    let members = lists.map(|(key, list)| {
        let origin = list[0].origin.clone();
        let data = Data::List(list);
        member(key, Node { origin, data })
    });
    Node {
        origin: origin.clone(),
        data: Data::Object(members.collect()),
    }
}

/// The members of one object of the dialect.
pub(super) struct Fields<'n> {
    members: Vec<&'n Member>,
}

impl<'n> Fields<'n> {
    /// Reads an object; another type and unknown keys are mistakes. A key with null is like none, as in Intercept.
    pub(super) fn read(node: &'n Node, keys: &[&str], findings: &mut Findings) -> Fields<'n> {
        if !matches!(node.data, Data::Object(_)) {
            let what = format!("must be an object, not {}", node.data.kind());
            findings.refuse(&node.origin, what, "");
        }
        for member in node.members() {
            let key = member.key.as_str();
            if keys.contains(&key) {
                continue;
            }
            let remedy = match nearest(key, keys.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!(
                    "the keys here are {}; a document with \"rules\" is in Intercept's dialect throughout",
                    keys.join(", ")
                ),
            };
            findings.refuse(&member.origin, format!("unknown key {key:?}"), &remedy);
        }
        let members = node.members().iter();
        Fields {
            members: members
                .filter(|member| member.value.data != Data::Null)
                .collect(),
        }
    }

    /// The member under a key, if it says something.
    pub(super) fn get(&self, key: &str) -> Option<&'n Member> {
        let found = self.members.iter().find(|member| member.key == key);
        found.copied()
    }
}

/// A member that stands where its value does.
pub(super) fn member(key: &str, value: Node) -> Member {
    Member {
        key: key.into(),
        origin: value.origin.clone(),
        value,
    }
}

/// A string that stands for something at a place.
pub(super) fn text(origin: &Origin, text: &str) -> Node {
    Node {
        origin: origin.clone(),
        data: Data::Text(text.into()),
    }
}
