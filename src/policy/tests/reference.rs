//! A slow, obvious evaluator, written from the description of the language, against `decide`.

use proptest::prelude::*;

use super::inputs::{cond, json, members, whole};
use super::model::{Cond, Entry, Json, all_hold, judge};
use super::*;

/// The entries of one tool.
#[derive(Debug, Clone, Default)]
pub(super) struct Tool {
    pub(super) require: Vec<Entry>,
    pub(super) deny_if: Vec<Entry>,
    pub(super) approve_if: Vec<Entry>,
}

impl Tool {
    pub(super) fn write(&self) -> String {
        let section = |entries: &[Entry]| {
            let entry = |entry: &Entry| {
                let conds: Vec<_> = entry.conds.iter().map(Cond::write).collect();
                let more = match entry.deny_if_missing {
                    true => r#","if_missing":"deny""#,
                    false => "",
                };
                format!(r#"{{"conditions":[{}]{more}}}"#, conds.join(","))
            };
            entries.iter().map(entry).collect::<Vec<_>>().join(",")
        };
        format!(
            r#"{{"require":[{}],"deny_if":[{}],"approve_if":[{}]}}"#,
            section(&self.require),
            section(&self.deny_if),
            section(&self.approve_if)
        )
    }

    fn entries(&self, section: &str) -> &[Entry] {
        match section {
            "require" => &self.require,
            "deny_if" => &self.deny_if,
            _ => &self.approve_if,
        }
    }
}

/// What each entry of one section that lets the call not simply pass makes of it, and its pointer.
fn objections(
    section: &str,
    (tool, base): (&Tool, &str),
    args: &Json,
) -> Vec<(&'static str, String)> {
    let require = section == "require";
    let kind = if section == "approve_if" {
        "hold"
    } else {
        "rule"
    };
    let entries = tool.entries(section).iter().enumerate();
    let objection = |(at, entry): (usize, &Entry)| {
        let conds = entry.conds.iter();
        let truths: Vec<_> = conds
            .map(|cond| judge(cond, entry, args, require))
            .collect();
        match all_hold(&truths) {
            None => Some(("argument", format!("{base}/{section}/{at}"))),
            Some(holds) if holds == require => None,
            Some(_) => Some((kind, format!("{base}/{section}/{at}"))),
        }
    };
    entries.filter_map(objection).collect()
}

#[derive(Debug, Clone)]
pub(super) struct Whole {
    pub(super) allows: bool,
    pub(super) hide: Vec<&'static str>,
    pub(super) all_tools: Tool,
    pub(super) tools: Vec<(&'static str, Tool)>,
}

impl Whole {
    pub(super) fn write(&self) -> String {
        let tools: Vec<_> = self
            .tools
            .iter()
            .map(|(name, tool)| format!(r#""{name}":{}"#, tool.write()))
            .collect();
        let hide: Vec<_> = self
            .hide
            .iter()
            .map(|name| format!(r#""{name}""#))
            .collect();
        let default = if self.allows { "allow" } else { "deny" };
        format!(
            r#"{{"version":"1","default":"{default}","hide":[{}],"all_tools":{},"tools":{{{}}}}}"#,
            hide.join(","),
            self.all_tools.write(),
            tools.join(",")
        )
    }

    fn refusal(&self, name: &str, args: &Json) -> Option<(&'static str, String)> {
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        if self.hide.iter().any(|pattern| matches(pattern)) {
            return Some(("unavailable", String::new()));
        }
        let mut matching: Vec<_> = self
            .tools
            .iter()
            .filter(|(pattern, _)| matches(pattern))
            .collect();
        // Exact first, then by the length of what stands before the star.
        matching
            .sort_by_key(|(pattern, _)| (pattern.ends_with('*'), std::cmp::Reverse(pattern.len())));
        if matching.is_empty() && !self.allows {
            return Some(("unavailable", String::new()));
        }
        let mut speaking = Vec::new();
        if let Some((pattern, tool)) = matching.first() {
            speaking.push((tool, format!("/tools/{pattern}")));
        }
        speaking.push((&self.all_tools, "/all_tools".to_owned()));
        let by_section = |section| -> Vec<_> {
            let speaking = speaking.iter();
            speaking
                .flat_map(|(tool, base)| objections(section, (tool, base), args))
                .collect()
        };
        let first = |objections: Vec<_>| objections.into_iter().next();
        let mut asking = by_section("approve_if");
        // Where it is not known whether to ask, nobody is asked.
        asking.sort_by_key(|(kind, _)| *kind == "hold");
        first(by_section("require"))
            .or_else(|| first(by_section("deny_if")))
            .or_else(|| {
                matching.iter().find_map(|(pattern, tool)| {
                    let mut entries = tool.deny_if.iter();
                    let at = entries.position(|entry| entry.conds.is_empty())?;
                    Some(("rule", format!("/tools/{pattern}/deny_if/{at}")))
                })
            })
            .or_else(|| first(asking))
    }
}

fn agree(whole: &Whole, name: &str, args: &Json) -> Result<(), TestCaseError> {
    let policy = compiled(&whole.write());
    let arguments = args.write();
    let found = decide(
        &policy,
        (name, &arguments),
        Listing::Unknown,
        |decision| match decision {
            Decision::Deny(denial) => Some((
                denial.kind(),
                denial.pointer().unwrap_or_default().to_owned(),
            )),
            Decision::Hold(held) => Some(("hold", held.rule.pointer.to_string())),
            Decision::Allow(_) => None,
        },
    );
    prop_assert_eq!(
        found,
        whole.refusal(name, args),
        "{}({}) under {}",
        name,
        arguments,
        whole.write()
    );
    Ok(())
}

/// At least 2,000 cases, more by `PROPTEST_CASES`.
fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.max(2_000),
        ..config
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn one_rule_is_judged_as_the_reference_judges_it(cond in cond(), section in 0..3, deny_if_missing in any::<bool>(), args in members(json())) {
        let entries = vec![Entry { conds: vec![cond], deny_if_missing }];
        let tool = match section {
            0 => Tool { require: entries, ..Tool::default() },
            1 => Tool { deny_if: entries, ..Tool::default() },
            _ => Tool { approve_if: entries, ..Tool::default() },
        };
        let whole = Whole { allows: false, hide: vec![], all_tools: Tool::default(), tools: vec![("t", tool)] };
        agree(&whole, "t", &args)?;
    }

    #[test]
    fn whole_policies_decide_as_the_reference_does(whole in whole(), name in prop::sample::select(&["t", "ta", "tab", "x"][..]), args in members(json())) {
        agree(&whole, name, &args)?;
    }
}
