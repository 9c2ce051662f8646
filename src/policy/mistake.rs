//! What is wrong with a policy, and where.
//!
//! It never stops at the first mistake: whoever writes a policy gets them all at once.

use std::fmt;

use crate::json::{Position, Value};

/// Mistakes told one by one; a file with more is not a policy with slips but something else.
pub(super) const TOLD_MAX: usize = 100;

/// One thing wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands.
    pub position: Position,
    /// The JSON Pointer (RFC 6901) of the value or key.
    pub pointer: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it, where that can be told.
    pub remedy: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(f, "line {line}, column {column}")?;
        if !self.pointer.is_empty() {
            write!(f, ", {}", self.pointer)?;
        }
        write!(f, ": {}", self.what)?;
        match &self.remedy {
            Some(remedy) => write!(f, ", {remedy}"),
            None => Ok(()),
        }
    }
}

/// A value of the policy's document and the way to it.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) value: Value<'a>,
    pub(super) pointer: String,
    /// The key it stands under, if that is what a mistake should point at.
    key: Option<Value<'a>>,
}

impl<'a> Place<'a> {
    pub(super) fn root(value: Value<'a>) -> Place<'a> {
        Place {
            value,
            pointer: String::new(),
            key: None,
        }
    }

    /// The member `value` under `key`.
    pub(super) fn member(&self, key: Value<'a>, value: Value<'a>) -> Place<'a> {
        let name = key.as_str().unwrap_or_default();
        Place {
            value,
            pointer: format!("{}/{}", self.pointer, escaped(name)),
            key: Some(key),
        }
    }

    /// The elements of an array.
    pub(super) fn elements(&self) -> impl Iterator<Item = Place<'a>> {
        let pointer = self.pointer.clone();
        let place = move |(index, value)| Place {
            value,
            pointer: format!("{pointer}/{index}"),
            key: None,
        };
        self.value.elements().enumerate().map(place)
    }

    /// The place of the key that begins at a byte of the source; the innermost value around it if there is none.
    pub(super) fn find_key(&self, offset: usize) -> Place<'a> {
        for (key, value) in self.value.members() {
            let member = self.member(key, value);
            if key.span().start == offset {
                return member.key();
            }
            if value.span().contains(&offset) {
                return member.find_key(offset);
            }
        }
        let around = self
            .elements()
            .find(|element| element.value.span().contains(&offset));
        around.map_or_else(|| self.clone(), |element| element.find_key(offset))
    }

    /// The same place, meaning its key.
    pub(super) fn key(&self) -> Place<'a> {
        Place {
            value: self.key.unwrap_or(self.value),
            pointer: self.pointer.clone(),
            key: None,
        }
    }
}

/// A name as one token of a JSON Pointer (RFC 6901 §3).
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What [`escaped`] made of a name, as the name again.
pub(super) fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: Vec<Mistake>,
    untold: usize,
}

impl Mistakes {
    /// Adds a mistake that explains itself.
    pub(super) fn add(&mut self, place: &Place<'_>, what: impl Into<String>) {
        self.push(place, what.into(), None);
    }

    /// Adds a mistake and what to do about it.
    pub(super) fn advise(
        &mut self,
        place: &Place<'_>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(place, what.into(), Some(remedy.into()));
    }

    /// Where they stand; only of those that will be told.
    pub(super) fn pointers(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(|mistake| mistake.pointer.as_str())
    }

    /// Whether the next mistake will not be told.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= TOLD_MAX
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// These and those, as many as are told.
    pub(super) fn and(mut self, others: Mistakes) -> Mistakes {
        self.untold += others.untold;
        for mistake in others.found {
            self.put(mistake);
        }
        self
    }

    /// All of them in the order of the document; `Err` if there are any.
    pub(super) fn into_result(mut self) -> Result<(), Vec<Mistake>> {
        self.found.sort_by_key(|mistake| mistake.position);
        if let (Some(last), true) = (self.found.last(), self.untold > 0) {
            self.found.push(Mistake {
                position: last.position,
                pointer: String::new(),
                what: format!("{} more mistakes are not listed", self.untold),
                remedy: None,
            });
        }
        match self.found.is_empty() {
            true => Ok(()),
            false => Err(self.found),
        }
    }

    /// Adds a mistake whose place is known otherwise.
    pub(super) fn put(&mut self, mistake: Mistake) {
        match self.is_full() {
            true => self.untold += 1,
            false => self.found.push(mistake),
        }
    }

    fn push(&mut self, place: &Place<'_>, what: String, remedy: Option<String>) {
        // Finding a position reads all that is before it: not for mistakes that nobody will be told.
        if self.is_full() {
            self.untold += 1;
            return;
        }
        self.put(Mistake {
            position: place.value.position(),
            pointer: place.pointer.clone(),
            what,
            remedy,
        });
    }
}
