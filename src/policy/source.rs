//! Where a limit looks: in the arguments, at the tool's name, at the grant.
//!
//! It never reads a value; that is `measure`'s.

use std::fmt;

use jiff::tz::TimeZone;

use super::path::{self, Path, Step};

/// What one of the paths of `by` leads to. It is shown in one spelling, whatever the author's was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `args.…`
    Argument(Argument),
    /// `tool`, or `tool.name`
    Tool,
    /// `grant.label`
    Label,
    /// `grant.tags.<key>`
    Tag(Box<str>),
}

/// A path into the arguments, such as `args.items[*].price`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    text: Box<str>,
    pub(super) steps: Box<[Step]>,
}

impl Argument {
    /// Reads a path below `args`; an error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Argument, String> {
        let path = Path::parse(text, &TimeZone::UTC)?;
        if path.steps.is_empty() {
            return Err("args as a whole is an object: name a key of it, such as args.id".into());
        }
        Ok(Argument {
            text: path::shown(&path.steps).into(),
            steps: path.steps,
        })
    }

    /// The path, such as `args.items[*].price`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it leads to many values.
    pub(super) fn is_many(&self) -> bool {
        self.steps.contains(&Step::Each)
    }
}

impl Source {
    /// Reads one path of `by`; an error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Source, String> {
        match text {
            "tool" | "tool.name" => return Ok(Source::Tool),
            "grant.label" => return Ok(Source::Label),
            _ if is_below("args", text) => return Argument::parse(text).map(Source::Argument),
            _ => {}
        }
        let tag = text.strip_prefix("grant.tags").and_then(|rest| {
            let path = Path::parse(&format!("args{rest}"), &TimeZone::UTC).ok()?;
            match &*path.steps {
                [Step::Key(key)] => Some(Source::Tag(key.clone())),
                _ => None,
            }
        });
        tag.ok_or_else(|| {
            format!("nothing can be counted by {text:?}: write a path such as args.id, tool, grant.label or grant.tags.team")
        })
    }
}

/// Whether a path begins with this word.
pub(super) fn is_below(root: &str, text: &str) -> bool {
    let rest = text.strip_prefix(root);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Argument(argument) => f.write_str(&argument.text),
            Source::Tool => f.write_str("tool.name"),
            Source::Label => f.write_str("grant.label"),
            Source::Tag(key) => {
                let shown = path::shown(&[Step::Key(key.clone())]);
                write!(f, "grant.tags{}", &shown["args".len()..])
            }
        }
    }
}
