//! Reads JSON: the only reader on the path of a call.
//!
//! It never changes a byte of what it reads, never guesses at what is broken, and never keeps anything of a document
//! after the next one is read: values borrow from the original bytes, which are the bytes that are forwarded.

mod flaw;
mod fold;
mod reader;

use std::ops::Range;

pub use flaw::{Flaw, FlawKind, Position};
pub use fold::{fold, folds_to};
pub use reader::{DEPTH_MAX, Duplicates, Reader};

/// One well-formed JSON document, borrowed from its bytes and from the scratch buffers of a [`Reader`].
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    source: &'a str,
    unescaped: &'a str,
    nodes: &'a [Node],
    duplicates: &'a [u32],
}

/// One value of a [`Document`]: eight bytes and a reference, cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    document: &'a Document<'a>,
    index: u32,
}

/// The JSON type of a value (RFC 8259 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// a number, known by its text
    Number,
    /// a string
    String,
    /// an array
    Array,
    /// an object
    Object,
}

impl Kind {
    /// The type's name as JSON Schema spells it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "boolean",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Array => "array",
            Kind::Object => "object",
        }
    }
}

/// Where a value stands and how far it reaches. In an object, keys and values alternate.
#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    /// First byte of the value in the source; strings include their quotes.
    start: u32,
    /// One past its last byte.
    end: u32,
    /// Index of the first node after this value and all that is inside it.
    next: u32,
    /// Strings with escapes: where the unescaped text starts and ends; (0, 0) otherwise.
    text: (u32, u32),
}

impl<'a> Document<'a> {
    /// The outermost value.
    pub fn root(&'a self) -> Value<'a> {
        Value {
            document: self,
            index: 0,
        }
    }

    /// The whole text, byte for byte as it came.
    pub fn source(&self) -> &'a str {
        self.source
    }

    /// All text that had escapes, unescaped and put together; for searching, not for reading.
    pub fn unescaped(&self) -> &'a str {
        self.unescaped
    }

    /// Keys that stand in one object more than once; empty unless the reader was told to keep them.
    pub fn duplicates(&'a self) -> impl Iterator<Item = Value<'a>> {
        self.duplicates.iter().map(|&index| Value {
            document: self,
            index,
        })
    }
}

impl<'a> Value<'a> {
    /// The value's JSON type.
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Where the value stands in the source, in bytes; strings include their quotes.
    pub fn span(self) -> Range<usize> {
        self.node().start as usize..self.node().end as usize
    }

    /// The value's own bytes, as they came.
    pub fn raw(self) -> &'a str {
        &self.document.source[self.span()]
    }

    /// A string's text, unescaped; `None` for other types.
    pub fn as_str(self) -> Option<&'a str> {
        let node = self.node();
        match (node.kind, node.text) {
            (Kind::String, (0, 0)) => {
                Some(&self.document.source[node.start as usize + 1..node.end as usize - 1])
            }
            (Kind::String, (start, end)) => {
                Some(&self.document.unescaped[start as usize..end as usize])
            }
            _ => None,
        }
    }

    /// Whether it is a string of exactly this text.
    pub fn is_text(self, text: &str) -> bool {
        let node = self.node();
        match (node.kind, node.text) {
            // Most strings have no escapes: their bytes are compared where they stand, and mostly their lengths differ.
            (Kind::String, (0, 0)) => {
                let inside = node.start as usize + 1..node.end as usize - 1;
                self.document.source.as_bytes()[inside] == *text.as_bytes()
            }
            _ => self.as_str() == Some(text),
        }
    }

    /// `true` or `false`; `None` for other types.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == "true")
    }

    /// A number's own text, such as `1e3`; `None` for other types.
    pub fn as_number(self) -> Option<&'a str> {
        (self.kind() == Kind::Number).then(|| self.raw())
    }

    /// Keys and values of an object in the order of the text; nothing for other types. Keys are strings.
    pub fn members(self) -> Members<'a> {
        Members(self.inside(Kind::Object))
    }

    /// Elements of an array; nothing for other types.
    pub fn elements(self) -> Elements<'a> {
        Elements(self.inside(Kind::Array))
    }

    /// The value under `key`; the first one, where duplicates were kept.
    pub fn member(self, key: &str) -> Option<Value<'a>> {
        self.members()
            .find(|(name, _)| name.is_text(key))
            .map(|(_, value)| value)
    }

    /// Line and column of the value's first byte.
    pub fn position(self) -> Position {
        Position::of(self.document.source.as_bytes(), self.span().start)
    }

    fn inside(self, kind: Kind) -> Cursor<'a> {
        let end = if self.kind() == kind {
            self.node().next
        } else {
            self.index + 1
        };
        Cursor {
            document: self.document,
            at: self.index + 1,
            end,
        }
    }

    fn node(self) -> &'a Node {
        &self.document.nodes[self.index as usize]
    }
}

/// The members of one object; see [`Value::members`].
#[derive(Debug, Clone)]
pub struct Members<'a>(Cursor<'a>);

/// The elements of one array; see [`Value::elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a>(Cursor<'a>);

#[derive(Debug, Clone)]
struct Cursor<'a> {
    document: &'a Document<'a>,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Cursor<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.at >= self.end {
            return None;
        }
        let value = Value {
            document: self.document,
            index: self.at,
        };
        self.at = value.node().next;
        Some(value)
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Value<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.0.next()
    }
}

#[cfg(test)]
mod tests;
