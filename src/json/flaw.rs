//! What is wrong with bytes that are not the JSON they should be.
//!
//! It never quotes the bytes themselves: they may hold secrets, and a flaw ends up in replies and logs.

use std::fmt;

/// Why a document was refused, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct Flaw {
    /// What is wrong.
    pub kind: FlawKind,
    /// Offset in the source, in bytes from 0, as near as the parser can tell.
    pub offset: usize,
}

/// The ways in which a document can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlawKind {
    /// Nothing but white space.
    Empty,
    /// A byte order mark, which RFC 8259 §8.1 forbids.
    ByteOrderMark,
    /// Bytes that are not UTF-8.
    Utf8,
    /// Not JSON.
    Syntax,
    /// A number that does not fit: an integer beyond 64 bits, or a float beyond a double.
    Number,
    /// Deeper than [`super::DEPTH_MAX`].
    Depth,
    /// The same key twice in one object, after unescaping.
    DuplicateKey,
    /// More bytes than offsets of 32 bits can name.
    TooLarge,
}

impl fmt::Display for FlawKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FlawKind::Empty => "no JSON value",
            FlawKind::ByteOrderMark => "a byte order mark",
            FlawKind::Utf8 => "invalid UTF-8",
            FlawKind::Syntax => "invalid JSON",
            FlawKind::Number => "a number that does not fit",
            FlawKind::Depth => "nesting deeper than 64 levels",
            FlawKind::DuplicateKey => "a duplicate key",
            FlawKind::TooLarge => "a document over 4 GiB",
        })
    }
}

/// Line and column, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Position {
    /// The position of a byte offset in a text.
    pub fn of(source: &[u8], offset: usize) -> Position {
        let before = &source[..offset.min(source.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        Position {
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: String::from_utf8_lossy(&before[line_start..])
                .chars()
                .count()
                + 1,
        }
    }
}
