//! YAML 1.2 → a tree. One document of plain data: objects, lists, text, numbers, booleans and null.
//!
//! It never follows an alias, applies a tag, merges keys, or takes the first of two documents: what makes YAML say more
//! than it shows is refused, with its line.

use std::collections::HashSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::node::{Data, Member, Node, Origin};
use super::pointer::Pointer;
use super::scalar;
use crate::json::{DEPTH_MAX, Position};
use crate::policy::mistake::{Mistake, Mistakes};

/// Reads one document; `Err` has all that is wrong with it as YAML.
pub(super) fn read(source: &[u8]) -> Result<Node, Vec<Mistake>> {
    let mut reading = Reading::default();
    let read = text(source).and_then(|text| reading.all(text));
    if let Err(fatal) = read {
        reading.mistakes.put(fatal);
    }
    reading.mistakes.into_result()?;
    let missing = || {
        let origin = Origin::root(Position { line: 1, column: 1 });
        vec![origin.mistake("this is not a policy: no YAML document", None)]
    };
    reading.root.ok_or_else(missing)
}

fn text(source: &[u8]) -> Result<&str, Mistake> {
    let refuse = |offset, what: &str| {
        let origin = Origin::root(Position::of(source, offset));
        origin.mistake(format!("this is not a policy: {what}"), None)
    };
    let text = std::str::from_utf8(source)
        .map_err(|error| refuse(error.valid_up_to(), "invalid UTF-8"))?;
    match text.starts_with('\u{feff}') {
        true => Err(refuse(0, "a byte order mark")),
        false => Ok(text),
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    open: Vec<Open>,
    root: Option<Node>,
    mistakes: Mistakes,
}

/// A list or an object whose end has not come yet.
struct Open {
    origin: Origin,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Object {
        members: Vec<Member>,
        names: HashSet<String>,
        /// The key whose value comes next.
        key: Option<(String, Origin)>,
    },
}

impl Reading {
    /// Reads all events; `Err` where no more sense can be made of the rest.
    fn all(&mut self, text: &str) -> Result<(), Mistake> {
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let what = format!("this cannot be read as YAML: {}", error.info());
                Origin::root(position(error.marker())).mistake(what, None)
            })?;
            if matches!(event, Event::DocumentStart(_)) {
                documents += 1;
            }
            if documents > 1 {
                let remedy = "keep one document in the file";
                let origin = Origin::root(position(&span.start));
                return Err(
                    origin.mistake("a second YAML document begins here", Some(remedy.into()))
                );
            }
            self.event(event, position(&span.start))?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, position: Position) -> Result<(), Mistake> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras((anchor, tag.is_some()), position);
                match self.awaits_key() {
                    true => self.key(&text, style, position),
                    false => self.scalar(&text, style, position),
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras((anchor, tag.is_some()), position);
                self.begin(Inside::List(Vec::new()), position)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras((anchor, tag.is_some()), position);
                let inside = Inside::Object {
                    members: Vec::new(),
                    names: HashSet::new(),
                    key: None,
                };
                self.begin(inside, position)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(_) => {
                let remedy = "write out what it stands for";
                self.refuse(position, "aliases are not accepted", remedy);
                match self.awaits_key() {
                    true => self.key("", ScalarStyle::DoubleQuoted, position),
                    false => self.scalar("", ScalarStyle::Plain, position),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Anchors and tags say more about a value than it shows.
    fn refuse_extras(&mut self, (anchor, is_tagged): (usize, bool), position: Position) {
        if anchor != 0 {
            let remedy = "write the value out wherever it is needed";
            self.refuse(position, "anchors are not accepted", remedy);
        }
        if is_tagged {
            let remedy = "remove the tag; quote what is text";
            self.refuse(position, "tags are not accepted", remedy);
        }
    }

    fn refuse(&mut self, position: Position, what: &str, remedy: &str) {
        let origin = self.origin(position);
        self.mistakes.put(origin.mistake(what, Some(remedy.into())));
    }

    /// Whether what comes next is the key of an object.
    fn awaits_key(&self) -> bool {
        let top = self.open.last().map(|open| &open.inside);
        matches!(top, Some(Inside::Object { key: None, .. }))
    }

    /// The place of the value that comes next.
    fn origin(&self, position: Position) -> Origin {
        let pointer = match self.open.last() {
            None => Pointer::default(),
            Some(open) => match &open.inside {
                Inside::List(elements) => open.origin.pointer.index(elements.len()),
                Inside::Object { key: None, .. } => open.origin.pointer.clone(),
                Inside::Object {
                    key: Some((_, origin)),
                    ..
                } => origin.pointer.clone(),
            },
        };
        Origin { position, pointer }
    }

    fn key(&mut self, text: &str, style: ScalarStyle, position: Position) {
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let Inside::Object { names, key, .. } = &mut open.inside else {
            return;
        };
        let pointer = open.origin.pointer.key(text);
        let origin = Origin { position, pointer };
        let is_plain = style == ScalarStyle::Plain;
        if is_plain && text == "<<" {
            let remedy = "write the keys out, or quote it if it is a name";
            self.mistakes
                .put(origin.mistake("merge keys are not accepted", Some(remedy.into())));
        } else if is_plain && is_no_text(text) {
            let remedy = format!("quote it: \"{text}\"");
            self.mistakes
                .put(origin.mistake(format!("the key {text} is not text"), Some(remedy)));
        } else if !names.insert(text.to_owned()) {
            self.mistakes
                .put(origin.mistake(format!("the key {text:?} is here twice"), None));
        }
        *key = Some((text.to_owned(), origin));
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, position: Position) {
        let origin = self.origin(position);
        let data = match style {
            ScalarStyle::Plain => scalar::plain(text),
            _ => Ok(Data::Text(text.to_owned())),
        };
        let data = data.unwrap_or_else(|(what, remedy)| {
            self.mistakes.put(origin.mistake(what, Some(remedy)));
            Data::Null
        });
        self.put(Node { origin, data });
    }

    fn begin(&mut self, inside: Inside, position: Position) -> Result<(), Mistake> {
        let origin = self.origin(position);
        if self.awaits_key() {
            let remedy = "write a name before the colon";
            return Err(origin.mistake("a key must be text", Some(remedy.into())));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(origin.mistake(format!("nesting deeper than {DEPTH_MAX} levels"), None));
        }
        self.open.push(Open { origin, inside });
        Ok(())
    }

    fn end(&mut self) {
        let Some(Open { origin, inside }) = self.open.pop() else {
            return;
        };
        let data = match inside {
            Inside::List(elements) => Data::List(elements),
            Inside::Object { members, .. } => Data::Object(members),
        };
        self.put(Node { origin, data });
    }

    /// Puts a complete value where it belongs.
    fn put(&mut self, value: Node) {
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => self.root = Some(value),
            Some(Inside::List(elements)) => elements.push(value),
            Some(Inside::Object { members, key, .. }) => {
                let Some((key, origin)) = key.take() else {
                    return;
                };
                members.push(Member { key, origin, value });
            }
        }
    }
}

/// Whether a key without quotes is something else than a string, to any reader of YAML that keys by value.
fn is_no_text(text: &str) -> bool {
    !matches!(scalar::plain(text), Ok(Data::Text(_))) && !scalar::is_old_boolean(text)
}

/// The parser counts columns from 0.
fn position(marker: &Marker) -> Position {
    Position {
        line: marker.line(),
        column: marker.col() + 1,
    }
}
