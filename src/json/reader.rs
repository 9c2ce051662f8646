//! Bytes → [`Document`]: simd-json validates and unescapes a copy, one walk adds where everything stands.
//!
//! It never hands out simd-json's own values: they hide duplicate keys and numbers' texts.

use std::collections::HashSet;

use simd_json::{Buffers, ErrorType, INPUT_PADDING, Node as TapeNode, StaticNode, Tape};

use super::{Document, Flaw, FlawKind, Kind, Node};

/// How deep arrays and objects may nest: far deeper than any real call, far shallower than a stack.
pub const DEPTH_MAX: usize = 64;

/// Above this many keys an object's duplicates are looked for with a hash set, below it by comparing pairs.
const PAIRWISE_MAX: usize = 12;

/// Scratch larger than this is given back after the document that needed it: one giant must not cost memory for ever.
const SCRATCH_KEPT_MAX: usize = 1 << 20;

/// What happens to a key that stands twice in one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// The document is refused.
    Refused,
    /// They are kept, and [`Document::duplicates`] lists them: for files that people write, to report all at once.
    Kept,
}

/// Reads one document after another into the same buffers. One for each worker; not shared.
pub struct Reader {
    duplicates: Duplicates,
    buffers: Buffers,
    copy: Vec<u8>,
    tape: Tape<'static>,
    parts: Parts,
}

/// What is known of a document besides its own bytes.
#[derive(Debug, Default)]
struct Parts {
    nodes: Vec<Node>,
    unescaped: String,
    duplicates: Vec<u32>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("duplicates", &self.duplicates)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader with empty buffers, which grow to what is read.
    pub fn new(duplicates: Duplicates) -> Reader {
        Reader {
            duplicates,
            buffers: Buffers::with_max_depth(0, DEPTH_MAX),
            copy: Vec::new(),
            tape: Tape(Vec::new()),
            parts: Parts::default(),
        }
    }

    /// Reads one document (RFC 8259, and stricter: no duplicate keys, no byte order mark, no lone surrogates, integers
    /// within 64 bits, at most [`DEPTH_MAX`] levels). The document borrows from `source` and from this reader.
    pub fn read<'a>(&'a mut self, source: &'a [u8]) -> Result<Document<'a>, Flaw> {
        self.give_back();
        let text = self.text_of(source)?;
        self.copy.extend_from_slice(source);
        self.copy.resize(source.len() + INPUT_PADDING, 0);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed =
            simd_json::fill_tape_padded(&mut self.copy, source.len(), &mut self.buffers, &mut tape);
        if parsed.is_ok() {
            let starts = self.buffers.structural_indexes();
            Walk {
                source,
                starts,
                at: 0,
                tape: &tape.0,
                parts: &mut self.parts,
            }
            .value(0);
        }
        self.tape = tape.reset();
        parsed.map_err(|error| Flaw {
            kind: flaw_kind(error.error()),
            offset: error.index().min(source.len()),
        })?;
        self.find_duplicates(text)?;
        let Parts {
            nodes,
            unescaped,
            duplicates,
        } = &self.parts;
        Ok(Document {
            source: text,
            unescaped,
            nodes,
            duplicates,
        })
    }

    fn text_of<'a>(&self, source: &'a [u8]) -> Result<&'a str, Flaw> {
        let flaw = |kind, offset| Err(Flaw { kind, offset });
        if source.starts_with(b"\xef\xbb\xbf") {
            return flaw(FlawKind::ByteOrderMark, 0);
        }
        if u32::try_from(source.len() + INPUT_PADDING).is_err() {
            return flaw(FlawKind::TooLarge, source.len());
        }
        if source
            .iter()
            .all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
        {
            return flaw(FlawKind::Empty, source.len());
        }
        match simdutf8::basic::from_utf8(source) {
            Ok(text) => Ok(text),
            Err(_) => flaw(
                FlawKind::Utf8,
                std::str::from_utf8(source).map_or_else(|error| error.valid_up_to(), str::len),
            ),
        }
    }

    fn find_duplicates(&mut self, source: &str) -> Result<(), Flaw> {
        let mut found = Vec::new();
        let Parts {
            nodes, unescaped, ..
        } = &self.parts;
        let document = Document {
            source,
            unescaped,
            nodes,
            duplicates: &[],
        };
        for index in (0..nodes.len()).filter(|&index| nodes[index].kind == Kind::Object) {
            repeated_keys(&document, index, &mut found);
        }
        if let (Duplicates::Refused, Some(&first)) = (self.duplicates, found.first()) {
            let offset = nodes[first as usize].start as usize;
            return Err(Flaw {
                kind: FlawKind::DuplicateKey,
                offset,
            });
        }
        self.parts.duplicates = found;
        Ok(())
    }

    fn give_back(&mut self) {
        if self.copy.capacity() > SCRATCH_KEPT_MAX {
            *self = Reader::new(self.duplicates);
        }
        self.copy.clear();
        self.parts.nodes.clear();
        self.parts.unescaped.clear();
        self.parts.duplicates.clear();
    }
}

/// Adds to `found` the keys of one object that an earlier key of the same object equals.
fn repeated_keys(document: &Document<'_>, object: usize, found: &mut Vec<u32>) {
    let members = || {
        super::Value {
            document,
            index: object as u32,
        }
        .members()
    };
    if members().nth(PAIRWISE_MAX).is_none() {
        for (at, (key, _)) in members().enumerate() {
            if members()
                .take(at)
                .any(|(earlier, _)| earlier.as_str() == key.as_str())
            {
                found.push(key.index);
            }
        }
        return;
    }
    let mut seen = HashSet::new();
    found.extend(
        members()
            .filter(|(key, _)| !seen.insert(key.as_str()))
            .map(|(key, _)| key.index),
    );
}

/// One walk over simd-json's tape and its list of token starts, which name the same tokens in the same order.
struct Walk<'w, 'tape> {
    source: &'w [u8],
    starts: &'w [u32],
    /// The next token.
    at: usize,
    tape: &'w [TapeNode<'tape>],
    parts: &'w mut Parts,
}

impl Walk<'_, '_> {
    /// Adds the value at `index` of the tape and all inside it; returns the index after it. Depth is bounded by the tape's.
    fn value(&mut self, index: usize) -> usize {
        let start = self.starts[self.at];
        self.at += 1;
        let here = self.parts.nodes.len();
        let kind = kind_of(&self.tape[index]);
        self.parts.nodes.push(Node {
            kind,
            start,
            end: 0,
            next: 0,
            text: (0, 0),
        });
        let (end, after) = match self.tape[index] {
            TapeNode::Object { len, .. } => self.inside(index, len * 2),
            TapeNode::Array { len, .. } => self.inside(index, len),
            TapeNode::String(text) => {
                let end = self.scalar_end(start);
                // An escape is always longer than what it stands for.
                if text.len() + 2 < (end - start) as usize {
                    let from = self.parts.unescaped.len() as u32;
                    self.parts.unescaped.push_str(text);
                    self.parts.nodes[here].text = self.text_range(from);
                }
                (end, index + 1)
            }
            TapeNode::Static(_) => (self.scalar_end(start), index + 1),
        };
        let next = self.parts.nodes.len() as u32;
        let node = &mut self.parts.nodes[here];
        (node.end, node.next) = (end, next);
        after
    }

    /// Adds `count` values (keys are values too) of a container; returns its end in the source and on the tape.
    fn inside(&mut self, index: usize, count: usize) -> (u32, usize) {
        let mut next = index + 1;
        for _ in 0..count {
            next = self.value(next);
            // The `:` or `,` after a value, or the closing bracket after the last one.
            self.at += 1;
        }
        if count == 0 {
            self.at += 1;
        }
        (self.starts[self.at - 1] + 1, next)
    }

    /// A scalar reaches to the next token, less the white space between.
    fn scalar_end(&self, start: u32) -> u32 {
        let next = self.starts.get(self.at).map_or(self.source.len(), |&next| {
            (next as usize).min(self.source.len())
        });
        let between = &self.source[start as usize..next];
        let blank = between
            .iter()
            .rev()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
            .count();
        (next - blank) as u32
    }

    fn text_range(&mut self, from: u32) -> (u32, u32) {
        if self.parts.unescaped.is_empty() {
            // (0, 0) says "no escapes"; a string of escapes is never empty, so this cannot happen, but must not be believed.
            self.parts.unescaped.push(' ');
            return (1, 1);
        }
        (from, self.parts.unescaped.len() as u32)
    }
}

fn kind_of(node: &TapeNode<'_>) -> Kind {
    match node {
        TapeNode::String(_) => Kind::String,
        TapeNode::Object { .. } => Kind::Object,
        TapeNode::Array { .. } => Kind::Array,
        TapeNode::Static(StaticNode::Null) => Kind::Null,
        TapeNode::Static(StaticNode::Bool(_)) => Kind::Bool,
        TapeNode::Static(_) => Kind::Number,
    }
}

fn flaw_kind(error: &ErrorType) -> FlawKind {
    match error {
        ErrorType::DepthLimitExceeded => FlawKind::Depth,
        ErrorType::InvalidNumber | ErrorType::InvalidExponent | ErrorType::Overflow => {
            FlawKind::Number
        }
        ErrorType::InvalidUtf8 => FlawKind::Utf8,
        ErrorType::InputTooLarge => FlawKind::TooLarge,
        _ => FlawKind::Syntax,
    }
}
