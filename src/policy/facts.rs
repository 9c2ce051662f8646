//! What a decision needs to know besides policy and call, brought by whoever asks.
//!
//! Nothing here is looked up: a fact that was not brought is missing, and a rule that needs it cannot be judged.

use super::definition::Definition;

/// All facts of one call.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Whether the server has such a tool.
    pub listing: Listing,
    /// The tool as its server defines it; `None` where the server was not listed.
    pub definition: Option<&'a Definition>,
    /// Who calls.
    pub caller: Caller<'a>,
    /// The session in which the call came, as the agent names it; `None` where there are no sessions.
    pub session: Option<&'a str>,
    /// When.
    pub time: Moment,
}

impl Facts<'_> {
    /// Nothing is known, and time stands at the beginning of 1970.
    pub const NONE: Facts<'static> = Facts {
        listing: Listing::Unknown,
        definition: None,
        caller: Caller {
            label: "",
            tags: &[],
            client: None,
        },
        session: None,
        time: Moment { seconds: 0 },
    };
}

/// What is known of the server's list of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// The server has not been listed.
    Unknown,
    /// The server lists the tool.
    Listed,
    /// The server's list is known and does not have it.
    NotListed,
}

/// The grant that calls, and what its client says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// `grant.label`: the name of its entry in the configuration.
    pub label: &'a str,
    /// `grant.tags.<key>`: the tags of that entry, sorted by key.
    pub tags: &'a [(Box<str>, Box<str>)],
    /// `client.name`: what the agent's client calls itself. A claim, not a proof.
    pub client: Option<&'a str>,
}

impl<'a> Caller<'a> {
    /// The value of a tag; `None` if the grant does not have it.
    pub fn tag(&self, key: &str) -> Option<&'a str> {
        let found = self.tags.iter().find(|(own, _)| **own == *key)?;
        Some(&found.1)
    }
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Since the beginning of 1970, UTC.
    pub seconds: i64,
}
