//! Document → [`Policy`]: every mistake that reading left is found here, and says where it is.
//!
//! It never loads a part of a policy: one mistake, and there is none.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::Policy;
use super::condition_text;
use super::decision::Rule;
use super::document::{self, Action, Document, Tool};
use super::fields::Text;
use super::limit::{Limit, Scope};
use super::limit_text::LimitText;
use super::lookalike::Protected;
use super::mistake::{Mistake, Mistakes, Place, escaped};
use super::name::Glob;
use super::rules::{Entry, Rules};
use super::tools::{Names, Pattern, Tools};
use super::words::{self, Must};
use crate::json::{Duplicates, Position, Reader, Value};

/// Each call of a tool without an exact entry is compared with all globs.
const GLOBS_MAX: usize = 1_000;

/// Reads and compiles a whole document.
pub(super) fn compile(source: &[u8]) -> Result<Policy, Vec<Mistake>> {
    let mut reader = Reader::new(Duplicates::Kept);
    let read = reader.read(source).map_err(|flaw| {
        vec![Mistake {
            position: Position::of(source, flaw.offset),
            pointer: String::new(),
            what: format!("this is not a policy: {}", flaw.kind),
            remedy: None,
        }]
    })?;
    let mut mistakes = Mistakes::default();
    let root = Place::root(read.root());
    for key in read.duplicates() {
        duplicate_key(&root, key, &mut mistakes);
    }
    let policy = document::read(&root, &mut mistakes)
        .map(|document| policy(&document, source, &mut mistakes));
    mistakes.into_result()?;
    Ok(policy.expect("what could not be read left a mistake"))
}

fn duplicate_key(root: &Place<'_>, key: Value<'_>, mistakes: &mut Mistakes) {
    // Looking for the way to a key reads the whole document: not for mistakes that nobody will be told.
    let place = match mistakes.is_full() {
        true => root.clone(),
        false => root.find_key(key.span().start),
    };
    let name = key.as_str().unwrap_or_default();
    mistakes.add(&place, format!("the key {name:?} is here twice"));
}

fn policy(document: &Document<'_>, source: &[u8], mistakes: &mut Mistakes) -> Policy {
    let mut limits = Vec::new();
    let hidden = names(&document.hide, mistakes);
    let mut exact = Vec::new();
    let mut patterns: Vec<(&Text<'_>, Pattern)> = Vec::new();
    for tool in &document.tools {
        let rules = tool_rules(tool, &mut limits, mistakes);
        if !Glob::is_glob(tool.name.text) {
            exact.push((tool.name.text, rules));
        } else if let Some(glob) = glob(&tool.name, mistakes) {
            patterns.push((&tool.name, Pattern { glob, rules }));
        }
    }
    if patterns.len() > GLOBS_MAX {
        let (name, _) = patterns[GLOBS_MAX];
        mistakes.add(&name.place, format!("more than {GLOBS_MAX} globs"));
        patterns.truncate(GLOBS_MAX);
    }
    // The longest literal prefix speaks first.
    patterns.sort_by_key(|(_, pattern)| std::cmp::Reverse(pattern.glob.prefix_length()));
    ties(&patterns, mistakes);
    let patterns = patterns.into_iter().map(|(_, pattern)| pattern).collect();
    Policy {
        default: document.default,
        hidden,
        tools: Tools::new(exact, patterns),
        limits,
        hash: hash(source),
    }
}

/// The first 16 hex digits of the source's SHA-256.
fn hash(source: &[u8]) -> Box<str> {
    let digest = Sha256::digest(source);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..16].into()
}

fn names(texts: &[Text<'_>], mistakes: &mut Mistakes) -> Names {
    let (globs, exact): (Vec<_>, Vec<_>) = texts.iter().partition(|text| Glob::is_glob(text.text));
    Names {
        exact: exact.iter().map(|text| text.text.into()).collect(),
        globs: globs
            .iter()
            .filter_map(|text| glob(text, mistakes))
            .collect(),
    }
}

fn glob(text: &Text<'_>, mistakes: &mut Mistakes) -> Option<Glob> {
    Glob::parse(text.text)
        .map_err(|what| mistakes.add(&text.place, format!("the glob {:?}: {what}", text.text)))
        .ok()
}

/// Reports globs that could speak for one tool with the same right.
fn ties(sorted: &[(&Text<'_>, Pattern)], mistakes: &mut Mistakes) {
    for (at, (name, pattern)) in sorted.iter().enumerate() {
        let length = pattern.glob.prefix_length();
        let rival = sorted[..at]
            .iter()
            .rev()
            .take_while(|(_, other)| other.glob.prefix_length() == length)
            .find(|(other, rival)| {
                other.text.as_bytes()[..length] == name.text.as_bytes()[..length]
                    && rival.glob.overlaps(&pattern.glob)
            });
        if let Some((rival, _)) = rival {
            mistakes.advise(
                &name.place,
                format!(
                    "the globs {:?} and {:?} can match the same tool, and neither comes first",
                    rival.text, name.text
                ),
                "make one longer before its first sign, or name the tool itself",
            );
        }
        if mistakes.is_full() {
            return;
        }
    }
}

fn tool_rules(tool: &Tool<'_>, limits: &mut Vec<Limit>, mistakes: &mut Mistakes) -> Rules {
    let mut ids = Ids {
        base: format!("/tools/{}", escaped(tool.name.text)),
        used: HashMap::new(),
    };
    let mut rules = Rules::default();
    match &tool.action {
        Some((place, Action::Deny)) => {
            rules
                .deny_if
                .push(always(place, ("deny_if", tool), &mut ids))
        }
        Some((place, Action::RequireApproval)) => {
            rules
                .approve_if
                .push(always(place, ("approve_if", tool), &mut ids));
        }
        Some((_, Action::Allow)) | None => {}
    }
    for entry in &tool.rules.require {
        rules.require.extend(self::entry(
            entry,
            ("require", Must::Hold),
            &mut ids,
            mistakes,
        ));
    }
    for entry in &tool.rules.deny_if {
        rules.deny_if.extend(self::entry(
            entry,
            ("deny_if", Must::Fail),
            &mut ids,
            mistakes,
        ));
    }
    rules.limits = tool_limits(&tool.rules.limits, &ids.base, limits, mistakes);
    rules.protected = protected(&rules);
    rules
}

/// An `action`, as an entry without conditions.
fn always(place: &Place<'_>, (section, tool): (&str, &Tool<'_>), ids: &mut Ids) -> Entry {
    let words = match section {
        "approve_if" => words::ASK,
        _ => words::ALWAYS,
    };
    Entry {
        rule: Rule {
            id: ids.next(section, "always"),
            pointer: place.pointer.as_str().into(),
            on_deny: tool.reason.as_ref().map(|reason| reason.text.into()),
            words: words.into(),
        },
        clauses: Box::default(),
    }
}

fn entry(
    entry: &document::Entry<'_>,
    (section, must): (&str, Must),
    ids: &mut Ids,
    mistakes: &mut Mistakes,
) -> Option<Entry> {
    let clauses: Vec<_> = entry
        .conditions
        .iter()
        .filter_map(|clause| condition_text::clause(clause, mistakes))
        .collect();
    let (name, words) = match clauses.first() {
        // Conditions with mistakes are left out; the policy will not load, and this entry must not look unconditional.
        None if entry
            .place
            .value
            .member("conditions")?
            .elements()
            .next()
            .is_some() =>
        {
            return None;
        }
        None => ("always".to_owned(), words::ALWAYS.to_owned()),
        Some(_) => (
            condition_text::id(entry.conditions.first()?),
            words::all_of(&entry.conditions, must),
        ),
    };
    Some(Entry {
        rule: Rule {
            id: ids.next(section, &name),
            pointer: entry.place.pointer.as_str().into(),
            on_deny: entry.on_deny.as_ref().map(|text| text.text.into()),
            words: words.into(),
        },
        clauses: clauses.into(),
    })
}

fn tool_limits(
    texts: &[LimitText<'_>],
    base: &str,
    limits: &mut Vec<Limit>,
    mistakes: &mut Mistakes,
) -> Vec<usize> {
    let mut seen = HashSet::new();
    let mut own = Vec::new();
    for text in texts {
        if !seen.insert(text.counter) {
            mistakes.add(
                &text.place,
                format!("the counter {:?} is in this entry twice", text.counter),
            );
        }
        own.push(limits.len());
        limits.push(Limit {
            index: limits.len(),
            rule: format!("{base}/limits/{}", escaped(text.counter)).into(),
            pointer: text.place.pointer.as_str().into(),
            max: text.max,
            window: text.window,
            burst: text.burst,
            scope: Scope::Grant,
            on_deny: text.on_deny.as_ref().map(|text| text.text.into()),
        });
    }
    own
}

/// The keys that the conditions of all entries name.
fn protected(rules: &Rules) -> Protected {
    let mut protected = Protected::default();
    let entries = [&rules.require, &rules.deny_if, &rules.approve_if];
    for entry in entries.into_iter().flatten() {
        let mut conditions = Vec::new();
        entry
            .clauses
            .iter()
            .for_each(|clause| clause.conditions(&mut conditions));
        for condition in conditions {
            protected.add(condition, &entry.rule);
        }
    }
    protected
}

/// Gives each rule of a tool an id of its own.
struct Ids {
    base: String,
    used: HashMap<String, usize>,
}

impl Ids {
    /// The id of the next rule of that name; repeats get a number.
    fn next(&mut self, section: &str, name: &str) -> Box<str> {
        let id = format!("{}/{section}/{}", self.base, escaped(name));
        let times = self.used.entry(id.clone()).or_default();
        *times += 1;
        match *times {
            1 => id.into(),
            times => format!("{id}-{times}").into(),
        }
    }
}
