//! Remembers what the client of each session called itself when it began.
//!
//! It never grows beyond its bound: then the oldest is forgotten, whose name is missing from then on.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// Bytes of a name that are kept: far more than any client's, and short enough to be kept ten thousand times.
const NAME_MAX: usize = 128;

/// The session that a client began: the gateway's own id, or the server's; empty where the server has no sessions.
#[derive(Debug, Clone, Copy)]
pub struct Begun<'a> {
    /// The grant's id.
    pub grant: &'a str,
    /// The server's name.
    pub server: &'a str,
    /// `Mcp-Session-Id`
    pub session: &'a str,
}

/// The names of all clients, shared by all workers.
#[derive(Debug)]
pub struct Clients {
    max: NonZeroUsize,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    names: HashMap<Key, Box<str>>,
    /// The oldest first; each key once.
    order: VecDeque<Key>,
}

/// A hash, so that what is kept of a session is small whatever its id.
type Key = [u8; 16];

impl Clients {
    /// No names yet, and never more than `max`: see [`super::SESSIONS_MAX`].
    pub fn new(max: NonZeroUsize) -> Clients {
        Clients {
            max,
            book: Mutex::default(),
        }
    }

    /// Takes note of a client's name, cut at 128 bytes.
    pub fn remember(&self, begun: Begun<'_>, name: &str) {
        let name = &name[..name.floor_char_boundary(NAME_MAX)];
        let key = key(begun);
        let mut book = self.book.lock();
        if book.names.insert(key, name.into()).is_some() {
            return;
        }
        book.order.push_back(key);
        if book.order.len() > self.max.get()
            && let Some(oldest) = book.order.pop_front()
        {
            book.names.remove(&oldest);
        }
    }

    /// The name, if it is known.
    pub fn name(&self, begun: Begun<'_>) -> Option<Box<str>> {
        self.book.lock().names.get(&key(begun)).cloned()
    }
}

fn key(begun: Begun<'_>) -> Key {
    let mut hash = Sha256::new();
    for part in [begun.grant, begun.server, begun.session] {
        // With its length before it no part can pass for the end of another.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(session: &str) -> Begun<'_> {
        Begun {
            grant: "g",
            server: "s",
            session,
        }
    }

    #[test]
    fn a_name_is_known_to_its_own_session_alone() {
        let clients = Clients::new(NonZeroUsize::MAX);
        clients.remember(begun("1"), "a");
        assert_eq!(clients.name(begun("1")).as_deref(), Some("a"));
        assert_eq!(clients.name(begun("2")), None);
        let other = Begun {
            grant: "other",
            ..begun("1")
        };
        assert_eq!(clients.name(other), None);
        clients.remember(begun("1"), "b");
        assert_eq!(clients.name(begun("1")).as_deref(), Some("b"));
    }

    #[test]
    fn at_the_bound_the_oldest_is_forgotten() {
        let clients = Clients::new(NonZeroUsize::new(2).expect("two"));
        for session in ["1", "2", "3"] {
            clients.remember(begun(session), "a");
        }
        assert_eq!(clients.name(begun("1")), None);
        assert!(clients.name(begun("2")).is_some() && clients.name(begun("3")).is_some());
    }

    #[test]
    fn a_long_name_is_cut() {
        let clients = Clients::new(NonZeroUsize::MAX);
        clients.remember(begun("1"), &"ü".repeat(100));
        assert_eq!(clients.name(begun("1")), Some("ü".repeat(64).into()));
    }
}
