//! A tree → JSON text as people like to read it, and for each part of it where it came from.
//!
//! It never changes what is said: only white space is its own.

use std::collections::BTreeMap;

use super::node::{Data, Node, Origin};
use crate::json::Position;

/// A container whose text is no longer stays on one line: with its indentation it still fits an editor's 100 columns.
const LINE_CHARS_MAX: usize = 84;

/// JSON text that knows whence it came.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) text: String,
    origins: BTreeMap<Position, Origin>,
}

impl Written {
    /// Where the key or value came from that stands at a position of the text, or nearest before it.
    pub(super) fn origin(&self, position: Position) -> Option<&Origin> {
        let (_, origin) = self.origins.range(..=position).next_back()?;
        Some(origin)
    }
}

/// Writes a document, two spaces for each level, with a line break at its end.
pub(super) fn written(root: &Node) -> Written {
    let mut writer = Writer::new();
    writer.value(root, 0);
    writer.break_line(0);
    writer.written
}

/// One value on one line, without its origin.
pub(in crate::policy) fn line(node: &Node) -> String {
    let mut writer = Writer::new();
    writer.flat_value(node);
    writer.written.text
}

struct Writer {
    written: Written,
    line: usize,
    column: usize,
}

impl Writer {
    fn new() -> Writer {
        Writer {
            written: Written {
                text: String::new(),
                origins: BTreeMap::new(),
            },
            line: 1,
            column: 1,
        }
    }

    fn value(&mut self, node: &Node, depth: usize) {
        self.mark(&node.origin);
        match &node.data {
            Data::List(elements) if !is_one_line(node) => {
                self.put("[");
                for (at, element) in elements.iter().enumerate() {
                    self.next(at, depth + 1);
                    self.value(element, depth + 1);
                }
                self.break_line(depth);
                self.put("]");
            }
            Data::Object(members) if !is_one_line(node) => {
                self.put("{");
                for (at, member) in members.iter().enumerate() {
                    self.next(at, depth + 1);
                    self.mark(&member.origin);
                    self.put(&quoted(&member.key));
                    self.put(": ");
                    self.value(&member.value, depth + 1);
                }
                self.break_line(depth);
                self.put("}");
            }
            _ => self.flat_value(node),
        }
    }

    /// Everything on one line.
    fn flat_value(&mut self, node: &Node) {
        self.mark(&node.origin);
        match &node.data {
            Data::List(elements) if !elements.is_empty() => {
                self.put("[");
                for (at, element) in elements.iter().enumerate() {
                    self.put(if at == 0 { "" } else { ", " });
                    self.flat_value(element);
                }
                self.put("]");
            }
            Data::Object(members) if !members.is_empty() => {
                self.put("{ ");
                for (at, member) in members.iter().enumerate() {
                    self.put(if at == 0 { "" } else { ", " });
                    self.mark(&member.origin);
                    self.put(&quoted(&member.key));
                    self.put(": ");
                    self.flat_value(&member.value);
                }
                self.put(" }");
            }
            _ => self.put(&scalar(&node.data)),
        }
    }

    fn mark(&mut self, origin: &Origin) {
        let here = Position {
            line: self.line,
            column: self.column,
        };
        self.written.origins.insert(here, origin.clone());
    }

    /// Text without a line break.
    fn put(&mut self, text: &str) {
        self.written.text.push_str(text);
        self.column += text.chars().count();
    }

    fn next(&mut self, at: usize, depth: usize) {
        self.put(if at == 0 { "" } else { "," });
        self.break_line(depth);
    }

    fn break_line(&mut self, depth: usize) {
        self.written.text.push('\n');
        self.line += 1;
        self.column = 1;
        self.put(&"  ".repeat(depth));
    }
}

/// Whether a container is short and holds no more than scalars and lists of them.
fn is_one_line(node: &Node) -> bool {
    let is_flat = |node: &Node| match &node.data {
        Data::List(elements) => elements.iter().all(is_scalar),
        _ => is_scalar(node),
    };
    let mut inside = node.members().iter().map(|member| &member.value);
    inside.all(is_flat)
        && node.elements().iter().all(is_scalar)
        && line(node).chars().count() <= LINE_CHARS_MAX
}

/// Whether it is a scalar or empty.
fn is_scalar(node: &Node) -> bool {
    node.elements().is_empty() && node.members().is_empty()
}

/// A scalar or an empty container.
fn scalar(data: &Data) -> String {
    match data {
        Data::Null => "null".into(),
        Data::Bool(value) => value.to_string(),
        Data::Number(text) => text.clone(),
        Data::Text(text) => quoted(text),
        Data::List(_) => "[]".into(),
        Data::Object(_) => "{}".into(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is always JSON")
}
