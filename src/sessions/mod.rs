//! Remembers which session belongs to which grant and server.
//!
//! It never tells one grant that another's session exists: an unknown id and a foreign one get the same answer.

mod clients;

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;

use parking_lot::Mutex;

pub use clients::{Begun, Clients};

/// How many sessions are remembered unless told otherwise: a megabyte or two, and far more than agents that are alive.
pub const SESSIONS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("ten thousand is not zero");

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The grant's id.
    pub grant: Arc<str>,
    /// The server's name.
    pub server: Arc<str>,
}

/// A session's id: 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 16]);

/// There is no such session, or it is not this owner's: the agent is told the same (404).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such session")]
pub struct UnknownSession;

/// The system has no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw a session id")]
pub struct NoRandomness(#[source] getrandom::Error);

/// All sessions that this gateway has opened. Shared by workers; at its bound the one that was idle longest is forgotten.
#[derive(Debug)]
pub struct Sessions {
    max: NonZeroUsize,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    entries: HashMap<SessionId, Entry>,
    /// From the number of the last use to the session: the first is the one idle longest.
    by_use: BTreeMap<u64, SessionId>,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    owner: Owner,
    last_use: u64,
}

impl Sessions {
    /// No sessions yet, and never more than `max`.
    pub fn new(max: NonZeroUsize) -> Sessions {
        Sessions {
            max,
            book: Mutex::default(),
        }
    }

    /// Opens a session for `owner`.
    pub fn open(&self, owner: Owner) -> Result<SessionId, NoRandomness> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).map_err(NoRandomness)?;
        let id = SessionId(bits);
        let mut book = self.book.lock();
        if book.entries.len() >= self.max.get() {
            book.forget_idlest();
        }
        let last_use = book.next_use(id);
        book.entries.insert(id, Entry { owner, last_use });
        Ok(id)
    }

    /// The session that an agent names, if it is `owner`'s; this counts as a use.
    pub fn find(&self, text: &str, owner: &Owner) -> Result<SessionId, UnknownSession> {
        let id = SessionId::parse(text).ok_or(UnknownSession)?;
        let mut book = self.book.lock();
        let known = book.entries.get(&id).filter(|entry| entry.owner == *owner);
        let last_use = known.ok_or(UnknownSession)?.last_use;
        book.by_use.remove(&last_use);
        let now = book.next_use(id);
        if let Some(entry) = book.entries.get_mut(&id) {
            entry.last_use = now;
        }
        Ok(id)
    }

    /// Ends a session of `owner`'s; its id is unknown from then on.
    pub fn end(&self, text: &str, owner: &Owner) -> Result<(), UnknownSession> {
        let id = self.find(text, owner)?;
        let mut book = self.book.lock();
        if let Some(entry) = book.entries.remove(&id) {
            book.by_use.remove(&entry.last_use);
        }
        Ok(())
    }

    /// How many sessions are open.
    pub fn count(&self) -> usize {
        self.book.lock().entries.len()
    }
}

impl Book {
    fn next_use(&mut self, id: SessionId) -> u64 {
        self.uses += 1;
        self.by_use.insert(self.uses, id);
        self.uses
    }

    fn forget_idlest(&mut self) {
        if let Some((_, id)) = self.by_use.pop_first() {
            self.entries.remove(&id);
        }
    }
}

impl SessionId {
    /// Reads 32 lower-case hexadecimal digits, the only spelling that is handed out.
    fn parse(text: &str) -> Option<SessionId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return None;
        }
        let number = u128::from_str_radix(text, 16).ok()?;
        Some(SessionId(number.to_be_bytes()))
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(grant: &str, server: &str) -> Owner {
        Owner {
            grant: grant.into(),
            server: server.into(),
        }
    }

    fn sessions(max: usize) -> Sessions {
        Sessions::new(NonZeroUsize::new(max).unwrap())
    }

    #[test]
    fn a_session_is_found_by_its_owner_and_by_nobody_else() {
        let sessions = sessions(10);
        let mine = owner("g1", "time");
        let id = sessions.open(mine.clone()).unwrap().to_string();
        assert!(sessions.find(&id, &mine).is_ok());
        for other in [owner("g2", "time"), owner("g1", "git")] {
            assert_eq!(sessions.find(&id, &other), Err(UnknownSession), "{other:?}");
            assert_eq!(sessions.end(&id, &other), Err(UnknownSession), "{other:?}");
        }
        assert!(sessions.find(&id, &mine).is_ok(), "a stranger ended it");
    }

    #[test]
    fn an_ended_session_is_unknown() {
        let sessions = sessions(10);
        let mine = owner("g1", "time");
        let id = sessions.open(mine.clone()).unwrap().to_string();
        assert!(sessions.end(&id, &mine).is_ok());
        assert_eq!(sessions.find(&id, &mine), Err(UnknownSession));
        assert_eq!(sessions.count(), 0);
    }

    #[test]
    fn at_the_bound_the_session_idle_longest_is_forgotten() {
        let sessions = sessions(2);
        let mine = owner("g1", "time");
        let first = sessions.open(mine.clone()).unwrap().to_string();
        let second = sessions.open(mine.clone()).unwrap().to_string();
        sessions.find(&first, &mine).unwrap();
        let third = sessions.open(mine.clone()).unwrap().to_string();
        assert_eq!(sessions.count(), 2);
        assert!(sessions.find(&first, &mine).is_ok(), "it was used last");
        assert_eq!(sessions.find(&second, &mine), Err(UnknownSession));
        assert!(sessions.find(&third, &mine).is_ok());
    }

    #[test]
    fn only_the_spelling_that_was_handed_out_is_an_id() {
        let sessions = sessions(2);
        let mine = owner("g1", "time");
        let id = sessions.open(mine.clone()).unwrap().to_string();
        assert_eq!(id.len(), 32);
        let others = [
            id.to_uppercase() + "A",
            id[1..].into(),
            format!("+{}", &id[1..]),
            String::new(),
        ];
        for text in others {
            assert_eq!(sessions.find(&text, &mine), Err(UnknownSession), "{text}");
        }
    }
}
