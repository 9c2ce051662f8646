//! One edition of a policy, taken apart for comparing: entries, rules in words, limits.
//!
//! It never exists of a policy that would not load.

use super::condition::Constant;
use super::limit::{Breadth, LimitView};
use crate::policy::PolicyText;
use crate::policy::document::Fallback;
use crate::policy::import::{self, Member, Node};
use crate::policy::mistake::Mistake;
use crate::policy::name::Glob;

/// A policy that can be compared with another edition of itself.
#[derive(Debug)]
pub struct Edition {
    pub(super) default: Fallback,
    pub(super) shows_unlisted: bool,
    /// Names and globs of `hide`.
    pub(super) hidden: Vec<Named>,
    /// In the order of the document.
    pub(super) entries: Vec<Entry>,
    pub(super) all_tools: RuleSet,
    /// `methods`, sorted; `None` for all of them.
    pub(super) methods: Option<Vec<String>>,
    /// `resources` and `prompts` on one line each, empty if they are not there.
    pub(super) surfaces: [(&'static str, String); 2],
}

/// A name, or a glob over names.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) text: String,
    pub(super) glob: Option<Glob>,
    /// Where the first sign of a glob stands.
    literal_end: usize,
}

/// One entry of `tools`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) named: Named,
    pub(super) rules: RuleSet,
}

/// What is enforced of the rules of one entry: nothing that is in shadow.
#[derive(Debug, Default)]
pub(super) struct RuleSet {
    pub(super) rules: Vec<Rule>,
    pub(super) limits: Vec<LimitView>,
}

/// Which list a rule is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Schema,
    Require,
    DenyIf,
    ApproveIf,
}

/// One entry of `require`, `deny_if` or `approve_if`, or a `schema`.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) section: Section,
    /// The conditions on one line, with what else decides when they hold.
    pub(super) text: String,
    /// Whether what is missing denies.
    pub(super) denies_missing: bool,
    /// The one test, if it is no more than one.
    pub(super) constant: Option<Constant>,
    /// For people.
    pub(super) words: String,
}

impl Edition {
    /// Reads a policy file of either format; `Err` has all its mistakes.
    pub fn read(text: PolicyText<'_>) -> Result<Edition, Vec<Mistake>> {
        let document = import::document(text.bytes, text.format)?;
        Ok(Edition::of(&document))
    }

    /// Takes a canonical document apart.
    pub(super) fn of(document: &Node) -> Edition {
        let names = |key: &str| document.member(key).map(Node::elements).unwrap_or_default();
        let hidden = names("hide")
            .iter()
            .filter_map(|name| Some(Named::of(name.text()?)));
        let tools = document
            .member("tools")
            .map(Node::members)
            .unwrap_or_default();
        let default = match document.member("default").and_then(Node::text) {
            Some("allow") => Fallback::Allow,
            _ => Fallback::Deny,
        };
        let methods = document.member("methods").map(|methods| {
            let methods = methods.elements().iter();
            let mut methods: Vec<_> = methods.filter_map(Node::text).map(str::to_owned).collect();
            methods.sort();
            methods
        });
        let all_tools = document.member("all_tools");
        let surface = |key| {
            (
                key,
                document.member(key).map(import::line).unwrap_or_default(),
            )
        };
        Edition {
            default,
            shows_unlisted: document.member("show_unlisted").is_some_and(Node::is_true),
            hidden: hidden.collect(),
            entries: tools.iter().map(|tool| entry(tool, document)).collect(),
            all_tools: all_tools
                .map(|rules| rule_set(rules, (document, Breadth::AllTools)))
                .unwrap_or_default(),
            methods,
            surfaces: [surface("resources"), surface("prompts")],
        }
    }
}

impl Named {
    fn of(text: &str) -> Named {
        let glob = Glob::is_glob(text).then(|| Glob::parse(text).ok());
        let signs = ['*', '?', '['];
        Named {
            text: text.to_owned(),
            glob: glob.flatten(),
            literal_end: text.find(signs).unwrap_or(text.len()),
        }
    }

    /// Whether it is this name, or matches it.
    pub(super) fn is(&self, name: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.matches(name),
            None => self.text == name,
        }
    }

    /// Whether it surely matches all that `other` matches: it is the same, or `x*` and the other begins with x.
    pub(super) fn covers(&self, other: &Named) -> bool {
        let prefix = self.text.strip_suffix('*');
        let prefix = prefix.filter(|prefix| !Glob::is_glob(prefix));
        self.text == other.text || prefix.is_some_and(|prefix| other.literal().starts_with(prefix))
    }

    /// Whether some name is both.
    pub(super) fn meets(&self, other: &Named) -> bool {
        let (mine, theirs) = (self.literal(), other.literal());
        let begin_alike = mine.starts_with(theirs) || theirs.starts_with(mine);
        begin_alike
            && match (&self.glob, &other.glob) {
                (Some(mine), Some(theirs)) => mine.overlaps(theirs),
                (_, None) => self.is(&other.text),
                (None, _) => other.is(&self.text),
            }
    }

    /// What stands before the first sign of a glob.
    fn literal(&self) -> &str {
        &self.text[..self.literal_end]
    }
}

impl RuleSet {
    /// Whether it refuses every call.
    pub(super) fn denies_always(&self) -> bool {
        self.rules.iter().any(Rule::denies_always)
    }
}

impl Rule {
    fn denies_always(&self) -> bool {
        self.section == Section::DenyIf && self.text == "[]"
    }
}

impl Section {
    pub(super) fn name(self) -> &'static str {
        match self {
            Section::Schema => "schema",
            Section::Require => "require",
            Section::DenyIf => "deny_if",
            Section::ApproveIf => "approve_if",
        }
    }
}

fn entry(tool: &Member, document: &Node) -> Entry {
    let named = Named::of(&tool.key);
    let breadth = match named.glob {
        Some(_) => Breadth::Glob(tool.key.clone()),
        None => Breadth::Tool(tool.key.clone()),
    };
    Entry {
        named,
        rules: rule_set(&tool.value, (document, breadth)),
    }
}

fn rule_set(entry: &Node, (document, breadth): (&Node, Breadth)) -> RuleSet {
    if entry.member("shadow").is_some_and(Node::is_true) {
        return RuleSet::default();
    }
    let mut rules: Vec<Rule> = shorthand(entry).into_iter().collect();
    if let Some(schema) = entry.member("schema") {
        rules.push(rule(Section::Schema, import::line(schema)));
    }
    for section in [Section::Require, Section::DenyIf, Section::ApproveIf] {
        let list = entry.member(section.name()).map(Node::elements);
        let list = list.unwrap_or_default().iter();
        rules.extend(list.filter_map(|entry| written(section, entry)));
    }
    let limits = entry.member("limits").map(Node::elements);
    let limits = limits.unwrap_or_default().iter();
    let limits = limits.filter_map(|limit| LimitView::of(limit, &breadth, document));
    let rate_limit = entry.member("rate_limit");
    let rate_limit = rate_limit.map(|rate| LimitView::of_rate(rate, &breadth));
    RuleSet {
        rules,
        limits: limits.chain(rate_limit).collect(),
    }
}

/// `action`
fn shorthand(entry: &Node) -> Option<Rule> {
    match entry.member("action")?.text()? {
        "deny" => Some(rule(Section::DenyIf, "[]".into())),
        "require_approval" => Some(rule(Section::ApproveIf, "[]".into())),
        _ => None,
    }
}

/// A rule that is no more than its text.
fn rule(section: Section, text: String) -> Rule {
    let words = match text.as_str() {
        "[]" => format!("{}, always", section.name()),
        text => format!("{} {text}", section.name()),
    };
    Rule {
        section,
        text,
        denies_missing: false,
        constant: None,
        words,
    }
}

/// An entry that does something: not one in shadow, and not a requirement of nothing.
fn written(section: Section, entry: &Node) -> Option<Rule> {
    let conditions = entry.member("conditions")?;
    let is_nothing = section == Section::Require && conditions.elements().is_empty();
    if is_nothing || entry.member("shadow").is_some_and(Node::is_true) {
        return None;
    }
    let zone = entry.member("zone").and_then(Node::text);
    let constant = match conditions.elements() {
        [only] if zone.is_none() => Constant::of(only),
        _ => None,
    };
    let text = match zone {
        Some(zone) => format!("{} in {zone}", import::line(conditions)),
        None => import::line(conditions),
    };
    let words = match &constant {
        Some(constant) => format!("{} {}", section.name(), constant.words()),
        None => rule(section, text.clone()).words,
    };
    Some(Rule {
        section,
        text,
        denies_missing: entry.member("if_missing").is_some(),
        constant,
        words,
    })
}
