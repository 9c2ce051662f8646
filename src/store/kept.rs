//! The shapes of what is kept.
//!
//! They never mean anything here: what a hash, a position or a counter's bytes say is for those who sent them.

use crate::clock::Timestamp;

/// One grant. The token itself is never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptGrant {
    /// Its id.
    pub id: Box<str>,
    /// Its name in the settings.
    pub name: Box<str>,
    /// SHA-256 of its token.
    pub token_hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// Which limits of one grant are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhichLimits {
    /// The grant's id.
    pub grant: Box<str>,
    /// Those at this server; `None`: at every server.
    pub server: Option<Box<str>>,
    /// The one with this rule id; `None`: all.
    pub rule: Option<Box<str>>,
}

/// These limits of a grant began anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReset {
    /// Which.
    pub which: WhichLimits,
    /// How often so far; for a new one, how many times more.
    pub times: u64,
    /// When they did so last.
    pub at: Timestamp,
}

/// Who may call, and whose limits began anew, at one moment.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Roster {
    /// All grants, revoked ones too, the oldest first.
    pub grants: Vec<KeptGrant>,
    /// All resets of their limits, each choice of limits once.
    pub resets: Vec<KeptReset>,
}

/// Equal as long as neither a grant nor a reset was added or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub(super) by_others: i64,
    pub(super) by_us: u64,
}

/// All counters, and up to where in the journal they tell.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct KeptCounters {
    /// The newest time that anything they tell of bears.
    pub newest: Timestamp,
    /// Each counter's key and what it remembers.
    pub counters: Vec<([u8; 16], Vec<u8>)>,
    /// One place for each worker that ever wrote a journal.
    pub positions: Vec<Position>,
}

/// A place in one worker's journal: what is before it has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The worker's number.
    pub worker: u32,
    /// The segment's number.
    pub segment: u32,
    /// Bytes from the segment's beginning.
    pub offset: u64,
}

/// The tools of one server, as it listed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCatalogue {
    /// The server's name in the settings.
    pub server: Box<str>,
    /// Its tools, as JSON text.
    pub tools: Box<str>,
    /// When it listed them.
    pub listed_at: Timestamp,
}
