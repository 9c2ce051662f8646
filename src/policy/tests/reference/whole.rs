//! Whole policies: which entry speaks for a tool, and what is said of a call, slowly and obviously.
//!
//! It never stops early where the order of refusals does not tell it to: objections are listed, then the first is taken.

use super::around::Flat;
use super::condition::{Cond, Entry, Place, Sight, Step, all_hold, glob, judge};
use super::json::Json;
use crate::policy::Listing;

/// The entries of one tool, or of `all_tools`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tool {
    pub(crate) action: Option<&'static str>,
    pub(crate) shadow: bool,
    pub(crate) schema: Option<Schema>,
    pub(crate) require: Vec<Entry>,
    pub(crate) deny_if: Vec<Entry>,
    pub(crate) approve_if: Vec<Entry>,
}

/// `schema`
#[derive(Debug, Clone)]
pub(crate) enum Schema {
    OfTool,
    Closed,
    Written(Flat),
}

#[derive(Debug, Clone)]
pub(crate) struct Whole {
    pub(crate) allows: bool,
    pub(crate) hide: Vec<&'static str>,
    pub(crate) all_tools: Tool,
    pub(crate) tools: Vec<(&'static str, Tool)>,
}

/// What a rule says: `rule`, `argument`, `hold` or `unavailable`, and the pointer of the rule.
pub(crate) type Said = (&'static str, String);

/// The decision (`None`: the call may run), and what rules in shadow would have said.
pub(crate) type Verdict = (Option<Said>, Vec<Said>);

impl Tool {
    pub(crate) fn write(&self) -> String {
        let section = |entries: &[Entry]| {
            let entries: Vec<_> = entries.iter().map(Entry::write).collect();
            entries.join(",")
        };
        let mut text = format!(
            r#"{{"require":[{}],"deny_if":[{}],"approve_if":[{}]"#,
            section(&self.require),
            section(&self.deny_if),
            section(&self.approve_if)
        );
        text += &match &self.schema {
            None => String::new(),
            Some(Schema::OfTool) => r#","schema":true"#.into(),
            Some(Schema::Closed) => r#","schema":"closed""#.into(),
            Some(Schema::Written(schema)) => format!(r#","schema":{}"#, schema.write()),
        };
        text += &self
            .action
            .map_or(String::new(), |action| format!(r#","action":"{action}""#));
        text += if self.shadow {
            r#","shadow":true}"#
        } else {
            "}"
        };
        text
    }

    /// Everything of one section in the order in which it is judged, with its pointer and whether it is in shadow.
    fn entries(&self, section: &str, base: &str) -> Vec<(Entry, String, bool)> {
        let (entries, action) = match section {
            "require" => (&self.require, None),
            "deny_if" => (&self.deny_if, Some("deny")),
            _ => (&self.approve_if, Some("require_approval")),
        };
        let mut all = Vec::new();
        if action.is_some() && self.action == action {
            all.push((Entry::default(), format!("{base}/action"), self.shadow));
        }
        for (at, entry) in entries.iter().enumerate() {
            let pointer = format!("{base}/{section}/{at}");
            all.push((entry.clone(), pointer, self.shadow || entry.shadow));
        }
        all
    }

    /// The paths that rules of one mode judge, with the rule that names each.
    fn judged(&self, base: &str, shadow: bool) -> Vec<(Vec<Step>, String)> {
        let mut all = Vec::new();
        if let (Some(Schema::Written(schema)), true) = (&self.schema, self.shadow == shadow) {
            for (key, _) in &schema.properties {
                all.push((vec![Step::Key(key)], format!("{base}/schema")));
            }
        }
        for section in ["require", "deny_if", "approve_if"] {
            for (entry, pointer, is_shadow) in self.entries(section, base) {
                let places = entry.conds.iter().flat_map(Cond::places);
                for place in places.filter(|_| is_shadow == shadow) {
                    if let Place::Arguments(steps) = place {
                        all.push((steps.clone(), pointer.clone()));
                    }
                }
            }
        }
        all
    }
}

impl Entry {
    fn write(&self) -> String {
        let conds: Vec<_> = self.conds.iter().map(Cond::write).collect();
        let mut text = format!(r#"{{"conditions":[{}]"#, conds.join(","));
        if self.deny_if_missing {
            text += r#","if_missing":"deny""#;
        }
        if self.shadow {
            text += r#","shadow":true"#;
        }
        if let Some((zone, _)) = self.zone {
            text += &format!(r#","zone":"{zone}""#);
        }
        text + "}"
    }
}

/// Another spelling of a key, folded as the random inputs need it.
fn folded(key: &str) -> String {
    let plain = |c: char| match c {
        'ａ' => 'a',
        c => c.to_ascii_lowercase(),
    };
    key.chars().map(plain).collect()
}

/// The rule whose key one of these arguments only looks like.
fn look_alike(value: &Json, here: &[Step], judged: &[(Vec<Step>, String)]) -> Option<String> {
    // Indices and stars lead into the same elements.
    let same = |one: &Step, two: &Step| match (one, two) {
        (Step::Key(one), Step::Key(two)) => one == two,
        (Step::Key(_), _) | (_, Step::Key(_)) => false,
        _ => true,
    };
    let below = |steps: &[Step]| {
        let is_below = steps.len() > here.len() && here.iter().zip(steps).all(|(h, s)| same(h, s));
        is_below.then(|| steps[here.len()].clone())
    };
    let deeper = |step: Step| [here, &[step]].concat();
    match value {
        Json::List(items) => items
            .iter()
            .find_map(|item| look_alike(item, &deeper(Step::Each), judged)),
        Json::Members(members) => members.iter().find_map(|(name, value)| {
            let keys = judged
                .iter()
                .filter_map(|(steps, pointer)| match below(steps) {
                    Some(Step::Key(key)) => Some((key, pointer)),
                    _ => None,
                });
            let keys: Vec<_> = keys.collect();
            match keys.iter().find(|(key, _)| key == name) {
                Some((key, _)) => look_alike(value, &deeper(Step::Key(key)), judged),
                None => keys
                    .iter()
                    .find(|(key, _)| folded(key) == folded(name))
                    .map(|(_, pointer)| (*pointer).clone()),
            }
        }),
        _ => None,
    }
}

/// What one schema says of the arguments: whether they fit.
fn fits(schema: &Schema, sight: Sight<'_>) -> bool {
    let Json::Members(args) = sight.args else {
        panic!("arguments are an object");
    };
    let own = sight.around.described.as_ref().map(|tool| &tool.schema);
    match (schema, own) {
        (Schema::Written(schema), _) => schema.fits(args),
        (_, None) => false,
        (schema, Some(own)) => {
            let is_like = |(name, _): &(String, Json)| {
                let other = |key: &str| key != name && folded(key) == folded(name);
                !own.names(name) && own.properties.iter().any(|(key, _)| other(key))
            };
            let is_closed = matches!(schema, Schema::Closed);
            let is_stray = |(name, _): &(String, Json)| is_closed && !own.names(name);
            own.fits(args) && !args.iter().any(|arg| is_like(arg) || is_stray(arg))
        }
    }
}

/// What each entry of one section that lets the call not simply pass makes of it, and whether it is in shadow.
fn objections(section: &str, (tool, base): (&Tool, &str), sight: Sight<'_>) -> Vec<(Said, bool)> {
    let require = section == "require";
    let kind = match section {
        "approve_if" => "hold",
        _ => "rule",
    };
    let objection = |(entry, pointer, shadow): (Entry, String, bool)| {
        let conds = entry.conds.iter();
        let truths: Vec<_> = conds
            .map(|cond| judge(cond, &entry, sight, require))
            .collect();
        match all_hold(&truths) {
            None => Some((("argument", pointer), shadow)),
            Some(holds) if holds == require => None,
            Some(_) => Some(((kind, pointer), shadow)),
        }
    };
    let entries = tool.entries(section, base);
    entries.into_iter().filter_map(objection).collect()
}

impl Whole {
    pub(crate) fn write(&self) -> String {
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

    /// Whether two globs of `tools` could speak for one name with the same right: such a policy does not load.
    pub(crate) fn has_tie(&self) -> bool {
        let globs: Vec<_> = self
            .tools
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| is_glob(name))
            .collect();
        let pieces = || ["", "t", "a", "b", "x"].into_iter();
        let pairs = pieces().flat_map(|one| pieces().map(move |two| format!("{one}{two}")));
        let mut names = pairs.flat_map(|start| pieces().map(move |end| format!("{start}{end}")));
        names.any(|name| {
            let mut lengths: Vec<_> = globs
                .iter()
                .filter(|pattern| glob(pattern.as_bytes(), name.as_bytes()))
                .map(|pattern| prefix_length(pattern))
                .collect();
            let before = lengths.len();
            lengths.sort_unstable();
            lengths.dedup();
            lengths.len() < before
        })
    }

    /// What is to become of a call.
    pub(crate) fn verdict(&self, sight: Sight<'_>) -> Verdict {
        let name = sight.tool;
        let unavailable = || (Some(("unavailable", String::new())), Vec::new());
        let matches = |pattern: &str| glob(pattern.as_bytes(), name.as_bytes());
        if self.hide.iter().any(|pattern| matches(pattern)) {
            return unavailable();
        }
        let mut matching: Vec<_> = self
            .tools
            .iter()
            .filter(|(name, _)| matches(name))
            .collect();
        // Exact first, then by the length of what stands before the first sign.
        matching.sort_by_key(|(name, _)| (is_glob(name), std::cmp::Reverse(prefix_length(name))));
        let has_exact = matching.first().is_some_and(|(name, _)| !is_glob(name));
        let is_not_there = sight.around.listing == Listing::NotListed && !has_exact;
        if matching.is_empty() && !self.allows || is_not_there {
            return unavailable();
        }
        let mut speaking = Vec::new();
        if let Some((pattern, tool)) = matching.first() {
            speaking.push((tool, format!("/tools/{pattern}")));
        }
        speaking.push((&self.all_tools, "/all_tools".to_owned()));
        let overruled = matching.iter().skip(1).find_map(|(pattern, tool)| {
            let entries = tool.entries("deny_if", &format!("/tools/{pattern}"));
            let mut always = entries
                .into_iter()
                .filter(|(entry, _, shadow)| entry.conds.is_empty() && !shadow);
            always
                .next()
                .map(|(_, pointer, _)| (("rule", pointer), false))
        });
        let by_section = |section: &'static str| -> Vec<_> {
            let speaking = speaking.iter();
            speaking
                .flat_map(|(tool, base)| objections(section, (tool, base), sight))
                .collect()
        };
        let all = [
            speaking
                .iter()
                .filter_map(|(tool, base)| spelled((tool, base), sight))
                .collect(),
            speaking
                .iter()
                .filter_map(|(tool, base)| misfit((tool, base), sight))
                .collect(),
            by_section("require"),
            by_section("deny_if"),
            overruled.into_iter().collect(),
        ];
        in_order(all.concat(), by_section("approve_if"))
    }
}

/// A key that only looks like one that a rule judges.
fn spelled((tool, base): (&Tool, &str), sight: Sight<'_>) -> Option<(Said, bool)> {
    let found = |shadow: bool| {
        let pointer = look_alike(sight.args, &[], &tool.judged(base, shadow))?;
        Some((("argument", pointer), shadow))
    };
    found(false).or_else(|| found(true))
}

fn misfit((tool, base): (&Tool, &str), sight: Sight<'_>) -> Option<(Said, bool)> {
    let schema = tool.schema.as_ref()?;
    let said = (("argument", format!("{base}/schema")), tool.shadow);
    (!fits(schema, sight)).then_some(said)
}

/// The first enforced refusal stands, and nothing after it is looked at; what shadows say on the way is told.
fn in_order(refusals: Vec<(Said, bool)>, asking: Vec<(Said, bool)>) -> Verdict {
    let mut shadowed = Vec::new();
    for (said, shadow) in refusals {
        match shadow {
            true => shadowed.push(said),
            false => return (Some(said), shadowed),
        }
    }
    let mut held = None;
    for (said, shadow) in asking {
        match (shadow, said.0) {
            (true, _) => shadowed.push(said),
            // Where it is not known whether to ask, nobody is asked.
            (false, "argument") => return (Some(said), shadowed),
            (false, _) => held = held.or(Some(said)),
        }
    }
    (held, shadowed)
}

fn is_glob(name: &str) -> bool {
    prefix_length(name) < name.len()
}

fn prefix_length(name: &str) -> usize {
    name.find(['*', '?', '[']).unwrap_or(name.len())
}
