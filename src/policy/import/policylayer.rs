//! What a document of PolicyLayer's means here that it does not mean there. Its words are ours: nothing is translated.
//!
//! It never says that something became looser: nothing does.

use super::Findings;
use super::node::{Member, Node};

/// Operators that PolicyLayer's rules share with ours and that compare more than one type.
const COMPARES: &[&str] = &["eq", "neq", "in", "not_in", "contains"];
/// The lists of entries that a tool may have.
const ENTRIES: [&str; 2] = ["require", "deny_if"];

/// Notes every place of a document that could be stricter here than where it was written for.
pub(super) fn compared(document: &Node, findings: &mut Findings) {
    let tools = document.member("tools").map(Node::members);
    let tools = tools.unwrap_or_default().iter();
    let every_tool = document.members().iter();
    let every_tool = every_tool.filter(|member| member.key == "all_tools");
    every_tool
        .chain(tools)
        .for_each(|tool| self::tool(tool, findings));
}

fn tool(tool: &Member, findings: &mut Findings) {
    for list in ENTRIES.iter().filter_map(|key| tool.value.member(key)) {
        list.elements()
            .iter()
            .filter(|entry| compares(entry))
            .for_each(|entry| {
                let what = "from PolicyLayer: a value of another JSON type than it is compared with is refused";
                findings.note(&entry.origin, what);
            });
    }
    let limits = tool.value.member("limits").map(Node::elements);
    let limits = limits.unwrap_or_default().iter();
    let shorthand = tool.value.member("rate_limit");
    // An author who writes how a window lies knows it.
    let is_open = |limit: &&Node| limit.text().is_none() && limit.member("align").is_none();
    for limit in limits.filter(is_open).chain(shorthand) {
        let what = "from PolicyLayer: counts in any stretch of time as long as the window, wherever it begins";
        findings.note(&limit.origin, what);
    }
}

fn compares(entry: &Node) -> bool {
    let conditions = entry.member("conditions").map(Node::elements);
    let mut operators = conditions
        .unwrap_or_default()
        .iter()
        .filter_map(|condition| condition.member("op")?.text());
    operators.any(|operator| COMPARES.contains(&operator))
}
