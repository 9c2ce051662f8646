//! A document as a tree that remembers where each part was written.
//!
//! It never changes the text of a number, and never loses or reorders a key.

use super::pointer::Pointer;
use crate::json::{Document, Kind, Position, Value};
use crate::policy::mistake::Mistake;

/// Where something stands in the file that a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Origin {
    pub(in crate::policy) position: Position,
    /// The JSON Pointer (RFC 6901) in that file.
    pub(in crate::policy) pointer: Pointer,
}

/// One value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Node {
    pub(in crate::policy) origin: Origin,
    pub(in crate::policy) data: Data,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) enum Data {
    Null,
    Bool(bool),
    /// A number's own text, which is JSON.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Member {
    pub(in crate::policy) key: String,
    /// Where the key stands.
    pub(in crate::policy) origin: Origin,
    pub(in crate::policy) value: Node,
}

impl Origin {
    pub(in crate::policy) fn root(position: Position) -> Origin {
        Origin {
            position,
            pointer: Pointer::default(),
        }
    }

    /// A mistake here.
    pub(in crate::policy) fn mistake(
        &self,
        what: impl Into<String>,
        remedy: Option<String>,
    ) -> Mistake {
        Mistake {
            position: self.position,
            pointer: self.pointer.to_string(),
            what: what.into(),
            remedy,
        }
    }
}

impl Node {
    /// A document of JSON as a tree. The reader has bounded its depth.
    pub(in crate::policy) fn of_json(document: &Document<'_>) -> Node {
        let mut reading = Reading {
            text: document.source(),
            offset: 0,
            position: Position { line: 1, column: 1 },
        };
        reading.node(document.root(), &Pointer::default())
    }

    /// The value under a key; `None` if this is no object or has no such key.
    pub(in crate::policy) fn member(&self, key: &str) -> Option<&Node> {
        let found = self.members().iter().find(|member| member.key == key)?;
        Some(&found.value)
    }

    /// The members of an object; nothing for other types.
    pub(in crate::policy) fn members(&self) -> &[Member] {
        match &self.data {
            Data::Object(members) => members,
            _ => &[],
        }
    }

    /// The elements of a list; nothing for other types.
    pub(in crate::policy) fn elements(&self) -> &[Node] {
        match &self.data {
            Data::List(elements) => elements,
            _ => &[],
        }
    }

    /// A string's text; `None` for other types.
    pub(in crate::policy) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number's text; `None` for other types.
    pub(in crate::policy) fn number(&self) -> Option<&str> {
        match &self.data {
            Data::Number(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is exactly `true`.
    pub(in crate::policy) fn is_true(&self) -> bool {
        self.data == Data::Bool(true)
    }
}

impl Data {
    /// The type's name as JSON Schema spells it, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::Text(_) => "a string",
            Data::List(_) => "an array",
            Data::Object(_) => "an object",
        }
    }
}

/// One walk over a document in the order of its text.
struct Reading<'t> {
    text: &'t str,
    /// How far it has come, in bytes, and where that is.
    offset: usize,
    position: Position,
}

impl Reading<'_> {
    fn node(&mut self, value: Value<'_>, pointer: &Pointer) -> Node {
        let origin = self.origin(value, pointer);
        let data = match value.kind() {
            Kind::Null => Data::Null,
            Kind::Bool => Data::Bool(value.as_bool() == Some(true)),
            Kind::Number => Data::Number(value.raw().to_owned()),
            Kind::String => Data::Text(value.as_str().unwrap_or_default().to_owned()),
            Kind::Array => {
                let elements = value.elements().enumerate();
                let node = |(at, element)| self.node(element, &origin.pointer.index(at));
                Data::List(elements.map(node).collect())
            }
            Kind::Object => {
                let members = value.members();
                let member = |(key, value)| self.member(key, value, &origin);
                Data::Object(members.map(member).collect())
            }
        };
        Node { origin, data }
    }

    fn member(&mut self, key: Value<'_>, value: Value<'_>, object: &Origin) -> Member {
        let name = key.as_str().unwrap_or_default();
        let pointer = object.pointer.key(name);
        Member {
            key: name.to_owned(),
            origin: self.origin(key, &pointer),
            value: self.node(value, &pointer),
        }
    }

    fn origin(&mut self, value: Value<'_>, pointer: &Pointer) -> Origin {
        let passed = &self.text[self.offset..value.span().start];
        for sign in passed.chars() {
            match sign {
                '\n' => {
                    self.position.line += 1;
                    self.position.column = 1;
                }
                _ => self.position.column += 1,
            }
        }
        self.offset = value.span().start;
        Origin {
            position: self.position,
            pointer: pointer.clone(),
        }
    }
}
