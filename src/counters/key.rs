//! What names a counter.
//!
//! It never tells whose counter it is: a key is a hash, and all that the journal and the store know of it.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::policy::{Align, Limit, Scope, Subject};

/// Whose calls are counted: one grant, at one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder<'a> {
    /// The grant's id.
    pub grant: &'a str,
    /// The server's name in the settings.
    pub server: &'a str,
}

/// What makes keys that nobody can guess: without it, whoever reads the journal could look for values of `by` by trying
/// them. Made once for each data folder.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A secret as it was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Secret {
        Secret(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The name of a counter: the first 16 bytes of a SHA-256 over who is counted, by which rule, in which window; for one
/// of many, of that and of what tells it from the others.
///
/// `max`, `burst`, `increment` and the rest of the policy are left out, so that editing them keeps the counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey([u8; 16]);

impl CounterKey {
    /// The counter of one limit for one holder.
    pub fn of(holder: Holder<'_>, limit: &Limit) -> CounterKey {
        let (grant, server) = match limit.scope {
            Scope::Grant | Scope::Session => (holder.grant, holder.server),
            Scope::Server => ("", holder.server),
            Scope::Organisation => ("", ""),
        };
        let window = limit.window.length().as_secs().to_string();
        let mut hash = Sha256::new();
        for part in [limit.scope.name(), grant, server, &limit.rule, &window] {
            feed(&mut hash, part);
        }
        match limit.align {
            Align::Rolling => {}
            Align::Calendar => feed(&mut hash, "calendar"),
            Align::InFlight => feed(&mut hash, "in flight"),
        }
        for source in &limit.by {
            feed(&mut hash, "by");
            feed(&mut hash, &source.to_string());
        }
        // What is only tried out must not use up what is enforced.
        if limit.is_shadow {
            feed(&mut hash, "shadow");
        }
        CounterKey::cut(hash)
    }

    /// The one of this limit's counters that counts a subject.
    ///
    /// A SHA-256 that begins with a secret is a keyed hash here, because all that is hashed has one length: nothing can
    /// be appended to it.
    pub(super) fn of_subject(self, subject: Subject, secret: &Secret) -> CounterKey {
        let mut hash = Sha256::new();
        hash.update(secret.0);
        hash.update(self.0);
        hash.update(subject.to_bytes());
        CounterKey::cut(hash)
    }

    /// The counter in its place after an operator has reset it so many times. The old one keeps its name, so that it ages
    /// out by itself and a call in flight gives back to the counter that it paid.
    pub(super) fn after_resets(self, times: u64) -> CounterKey {
        if times == 0 {
            return self;
        }
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update("resets");
        hash.update(times.to_le_bytes());
        CounterKey::cut(hash)
    }

    /// The counter of what was given back to this one because a server failed.
    pub(super) fn of_refunds(self) -> CounterKey {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update("refunds");
        CounterKey::cut(hash)
    }

    /// A hash for a table: half of what the key is.
    pub(super) fn hash(self) -> u64 {
        let half = self.0.first_chunk();
        u64::from_le_bytes(*half.expect("a key has sixteen bytes"))
    }

    fn cut(hash: Sha256) -> CounterKey {
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        CounterKey(key)
    }

    /// A key as it was kept.
    pub fn from_bytes(bytes: [u8; 16]) -> CounterKey {
        CounterKey(bytes)
    }

    /// The key to keep.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Reads what `Display` writes: 32 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<CounterKey> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
        Some(CounterKey(number.to_be_bytes()))
    }
}

/// With its length before it no part can pass for the end of another.
fn feed(hash: &mut Sha256, part: &str) {
    hash.update((part.len() as u64).to_le_bytes());
    hash.update(part.as_bytes());
}

impl fmt::Display for CounterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for CounterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
