//! What names a counter.
//!
//! It never tells whose counter it is: a key is a hash, and all that the journal and the store know of it.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::policy::{Limit, Scope};

/// Whose calls are counted: one grant, at one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder<'a> {
    /// The grant's id.
    pub grant: &'a str,
    /// The server's name in the settings.
    pub server: &'a str,
}

/// The name of a counter: the first 16 bytes of a SHA-256 over who is counted, by which rule, in which window.
///
/// `max`, `burst` and the rest of the policy are left out, so that editing them keeps the counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey([u8; 16]);

impl CounterKey {
    /// The counter of one limit for one holder.
    pub fn of(holder: Holder<'_>, limit: &Limit) -> CounterKey {
        let scope = match limit.scope {
            Scope::Grant => "grant",
        };
        let window = limit.window.length().as_secs().to_string();
        let parts = [scope, holder.grant, holder.server, &limit.rule, &window];
        let mut hash = Sha256::new();
        for part in parts {
            // With its length before it no part can pass for the end of another.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
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
