//! Document → [`Policy`]: every mistake that reading left is found here, and says where it is.
//!
//! It never loads a part of a policy: one mistake, and there is none.

use sha2::{Digest, Sha256};

use super::Policy;
use super::document::{self, Document};
use super::fields::Text;
use super::limits::Limits;
use super::mistake::{Mistake, Mistakes, Place};
use super::name::Glob;
use super::own_tests::{OwnTest, Ran};
use super::regexes::Regexes;
use super::rules::Rules;
use super::rules_text;
use super::tools::{Names, Pattern, Tools};
use crate::json::{Duplicates, Position, Reader, Value};

/// Each call of a tool without an exact entry is compared with all globs.
const GLOBS_MAX: usize = 1_000;

/// Reads and compiles a whole document.
pub(super) fn compile(source: &[u8]) -> Result<Policy, Vec<Mistake>> {
    let examined = examine(source, |_, _| ())?;
    match examined.failures.is_empty() {
        true => Ok(examined.policy),
        false => Err(examined.failures),
    }
}

/// A document that could be read and compiled.
pub(super) struct Examined<T> {
    pub(super) policy: Policy,
    /// Those of its own tests that fail.
    pub(super) failures: Vec<Mistake>,
    pub(super) tests: Ran,
    /// What was asked for.
    pub(super) told: T,
}

/// Reads and compiles a whole document, runs its own tests, and lets `tell` look at both forms of it.
pub(super) fn examine<T>(
    source: &[u8],
    tell: impl FnOnce(&Place<'_>, &Policy) -> T,
) -> Result<Examined<T>, Vec<Mistake>> {
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
    let document = document::read(&root, &mut mistakes);
    let compiled = document.map(|document| {
        let policy = policy(&document, source, &mut mistakes);
        (document, policy)
    });
    let mut failures = Mistakes::default();
    let (policy, tests) = match compiled {
        Some((document, policy)) => {
            let tests = run_tests(&document, &policy, (&mistakes, &mut failures));
            (Some(policy), tests)
        }
        None => (None, Ran::default()),
    };
    let Some(policy) = policy.filter(|_| mistakes.is_empty()) else {
        let all = mistakes.and(failures).into_result();
        return Err(all.expect_err("what could not be read left a mistake"));
    };
    let told = tell(&root, &policy);
    Ok(Examined {
        policy,
        failures: failures.into_result().err().unwrap_or_default(),
        tests,
        told,
    })
}

/// Runs the tests of the document, but for those that meet a mistake: they would only tell it again in other words.
fn run_tests(
    document: &Document<'_>,
    policy: &Policy,
    (mistakes, failures): (&Mistakes, &mut Mistakes),
) -> Ran {
    let meets_none = |test: &&OwnTest<'_>| {
        !mistakes
            .pointers()
            .any(|pointer| test.is_judged_by(pointer))
    };
    let mut ran = Ran::default();
    for test in document.tests.iter().filter(meets_none) {
        ran.count(test.run(policy, failures));
    }
    ran
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
    let regexes = Regexes::default();
    let mut limits = Limits::with_shared(&document.counters);
    let hidden = names(&document.hide, mistakes);
    let mut exact = Vec::new();
    let mut patterns: Vec<(&Text<'_>, Pattern)> = Vec::new();
    let all_tools = match &document.all_tools {
        Some(rules) => rules_text::of_all_tools(rules, (&mut limits, &regexes), mistakes),
        None => Rules::default(),
    };
    for tool in &document.tools {
        let rules = rules_text::of_tool(tool, (&mut limits, &regexes), mistakes);
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
    let tools = Tools::new(exact, patterns);
    let asks = |ask: fn(&Rules) -> bool| tools.rules().chain([&all_tools]).any(ask);
    Policy {
        asks_server: asks(|rules| rules.need_definition),
        asks_client: asks(|rules| rules.need_client),
        default: document.default,
        unlisted: document.unlisted,
        hidden,
        surface: document.surface.clone(),
        tools,
        all_tools,
        limits: limits.into_all(),
        hash: hash(source),
    }
}

/// The first 16 hex digits of the source's SHA-256.
pub(super) fn hash(source: &[u8]) -> Box<str> {
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
