//! Policies in other people's words → the canonical document: YAML of our own shape, and Intercept's dialect.
//!
//! It never drops what it cannot translate at least as strictly: that is a mistake, told with the line of the file that
//! a person wrote.

mod go_regex;
mod intercept;
mod intercept_counter;
mod intercept_rule;
mod node;
pub(super) mod order;
mod pointer;
mod policylayer;
mod scalar;
mod text;
mod write;
mod yaml;

use std::fmt;

use super::Policy;
use super::compile;
use super::mistake::{Mistake, Mistakes, TOLD_MAX};
use crate::json::{Duplicates, Position, Reader};
use node::Origin;
use write::Written;

pub(super) use node::{Data, Member, Node};
pub use text::PolicyText;
pub(super) use write::line;

/// How a policy file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, as the reference describes it.
    Json,
    /// YAML 1.2 of the same shape, or in Intercept's dialect.
    Yaml,
}

/// A policy's document in its canonical form.
#[derive(Debug)]
pub struct Canonical {
    /// JSON with the keys in the order of the reference, two spaces for each level, and a line break at the end.
    pub text: String,
    /// Where the meaning became stricter than its author's gateway had it, or was put into other words.
    pub notes: Vec<Note>,
}

/// What happened to one place of a document on its way to the canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it stands in the file that was read.
    pub position: Position,
    /// The JSON Pointer (RFC 6901) in that file.
    pub pointer: String,
    /// What is different.
    pub what: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(f, "{line}:{column}: ")?;
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.what)
    }
}

/// What was found while translating.
#[derive(Debug, Default)]
struct Findings {
    mistakes: Mistakes,
    notes: Vec<Note>,
}

impl Findings {
    fn refuse(&mut self, origin: &Origin, what: impl Into<String>, remedy: &str) {
        let remedy = (!remedy.is_empty()).then(|| remedy.to_owned());
        self.mistakes.put(origin.mistake(what, remedy));
    }

    fn note(&mut self, origin: &Origin, what: impl Into<String>) {
        self.notes.push(Note {
            position: origin.position,
            pointer: origin.pointer.to_string(),
            what: what.into(),
        });
    }
}

/// Reads and compiles a policy; `Err` has all its mistakes, each where it stands in `source`.
pub(super) fn compile(source: &[u8], format: Format) -> Result<Policy, Vec<Mistake>> {
    let meant = Meant::read(source, format)?;
    meant.told(compile::compile(meant.json()))
}

/// Brings a policy into its canonical form; `Err` has all its mistakes, each where it stands in `source`.
pub(super) fn canonical(source: &[u8], format: Format) -> Result<Canonical, Vec<Mistake>> {
    let (document, mut findings) = translated(tree(source, format)?)?;
    if format == Format::Json {
        policylayer::compared(&document, &mut findings);
    }
    let (_, text) = checked(source, document)?;
    findings.notes.sort_by_key(|note| note.position);
    Ok(Canonical {
        text,
        notes: findings.notes,
    })
}

/// The canonical document as a tree; `Err` as from [`canonical`].
pub(super) fn document(source: &[u8], format: Format) -> Result<Node, Vec<Mistake>> {
    let (document, _) = translated(tree(source, format)?)?;
    let (document, _) = checked(source, document)?;
    Ok(document)
}

/// A document with its keys in order, and its text; `Err` if it would not load.
fn checked(source: &[u8], document: Node) -> Result<(Node, String), Vec<Mistake>> {
    let document = order::arranged(document);
    let meant = Meant {
        source,
        written: Some(write::written(&document)),
    };
    meant.told(compile::compile(meant.json()))?;
    let text = meant.written.map(|written| written.text);
    Ok((document, text.unwrap_or_default()))
}

fn tree(source: &[u8], format: Format) -> Result<Node, Vec<Mistake>> {
    match format {
        Format::Yaml => yaml::read(source),
        Format::Json => json(source),
    }
}

/// A key that is there twice stays twice: the compiler tells it.
fn json(source: &[u8]) -> Result<Node, Vec<Mistake>> {
    let mut reader = Reader::new(Duplicates::Kept);
    match reader.read(source) {
        Ok(document) => Ok(Node::of_json(&document)),
        Err(_) => {
            Err(compile(source, Format::Json).expect_err("the compiler reads with the same reader"))
        }
    }
}

/// The document in our own words, and what became of its meaning.
fn translated(document: Node) -> Result<(Node, Findings), Vec<Mistake>> {
    let mut findings = Findings::default();
    if !intercept::is_meant(&document) {
        return Ok((document, findings));
    }
    let document = intercept::translated(&document, &mut findings);
    std::mem::take(&mut findings.mistakes).into_result()?;
    Ok((document, findings))
}

/// The JSON that a file means, with the way back.
struct Meant<'s> {
    source: &'s [u8],
    /// The translation, if the file is not that JSON itself.
    written: Option<Written>,
}

impl<'s> Meant<'s> {
    fn read(source: &'s [u8], format: Format) -> Result<Meant<'s>, Vec<Mistake>> {
        let written = match format {
            Format::Json => None,
            Format::Yaml => Some(write::written(&translated(yaml::read(source)?)?.0)),
        };
        Ok(Meant { source, written })
    }

    fn json(&self) -> &[u8] {
        match &self.written {
            Some(written) => written.text.as_bytes(),
            None => self.source,
        }
    }

    /// What came of compiling the JSON, told of the file.
    fn told(&self, compiled: Result<Policy, Vec<Mistake>>) -> Result<Policy, Vec<Mistake>> {
        let policy = compiled.map_err(|mistakes| self.moved(mistakes))?;
        // The version of a policy is that of the file that people have.
        Ok(Policy {
            hash: compile::hash(self.source),
            ..policy
        })
    }

    /// Mistakes of the JSON, told where the file has what they are about.
    fn moved(&self, mistakes: Vec<Mistake>) -> Vec<Mistake> {
        let mistakes = mistakes.into_iter();
        let mut moved: Vec<_> = mistakes.map(|mistake| self.moved_one(mistake)).collect();
        // What says how many are not told stays last.
        let told = moved.len().min(TOLD_MAX);
        moved[..told].sort_by_key(|mistake| mistake.position);
        let begins_like_json = matches!(self.source.trim_ascii_start().first(), Some(b'{' | b'['));
        if let (None, false, [only]) = (&self.written, begins_like_json, &mut moved[..]) {
            only.remedy = Some("a policy in YAML is read from a file named .yaml or .yml".into());
        }
        moved
    }

    fn moved_one(&self, mistake: Mistake) -> Mistake {
        let Some(origin) = self.origin(mistake.position) else {
            return mistake;
        };
        Mistake {
            position: origin.position,
            // A mistake of the whole document keeps to it.
            pointer: match mistake.pointer.is_empty() {
                true => String::new(),
                false => origin.pointer.to_string(),
            },
            ..mistake
        }
    }

    /// Where the file has what stands in the JSON at a position; `None` if the file is that JSON.
    fn origin(&self, position: Position) -> Option<&Origin> {
        self.written.as_ref()?.origin(position)
    }
}

#[cfg(test)]
mod tests;
