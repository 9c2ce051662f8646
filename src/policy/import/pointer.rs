//! The way to a value, told as a JSON Pointer (RFC 6901) only when somebody asks.
//!
//! It never copies the way that many values share: all elements of a list hang on one.

use std::fmt;
use std::rc::Rc;

use crate::policy::mistake::escaped;

/// The way from the root of a document to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::policy) struct Pointer(Option<Rc<Step>>);

/// The last step, and the way to where it begins. No way is longer than documents may nest.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    from: Pointer,
    token: Token,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Key(Box<str>),
    Index(usize),
}

impl Pointer {
    /// The way to a member.
    pub(super) fn key(&self, key: &str) -> Pointer {
        self.step(Token::Key(key.into()))
    }

    /// The way to an element.
    pub(super) fn index(&self, index: usize) -> Pointer {
        self.step(Token::Index(index))
    }

    fn step(&self, token: Token) -> Pointer {
        let from = self.clone();
        Pointer(Some(Rc::new(Step { from, token })))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(step) = &self.0 else {
            return Ok(());
        };
        match &step.token {
            Token::Key(key) => write!(f, "{}/{}", step.from, escaped(key)),
            Token::Index(index) => write!(f, "{}/{index}", step.from),
        }
    }
}
