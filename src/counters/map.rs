//! The map from key to counter: dashmap's shards, each behind a lock of its own.
//!
//! It never hashes: a key is a hash already, of which nobody who sends calls can choose a bit. And it never lends a
//! counter: what is found is a handle, and the lock is free again.
//!
//! An entry is one pointer, because the key stands beside the counter: entries of key and pointer would take 50 bytes each
//! in a map that is half full. Opening needs dashmap's inner tables, for the counter must be made while nobody else can.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use dashmap::{DashMap, SharedValue};
use triomphe::Arc;

use super::Kept;
use super::key::CounterKey;

/// So many tables: threads that look for different counters seldom want the same lock, and an empty gateway is small.
const SHARDS: usize = 64;

/// All counters that are open.
#[derive(Debug)]
pub(super) struct Map {
    counters: DashMap<Named, (), BuildHasherDefault<Itself>>,
}

/// A counter by its key.
#[derive(Debug)]
struct Named(Arc<Kept>);

impl PartialEq for Named {
    fn eq(&self, other: &Named) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Named {}

impl Hash for Named {
    fn hash<H: Hasher>(&self, to: &mut H) {
        to.write_u64(self.0.key.hash());
    }
}

/// Hashes a hash: it is its own.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Nobody hashes anything else here; if somebody did, this would be slow and not wrong.
        self.0 = bytes
            .iter()
            .fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }
}

impl Map {
    /// All of these, each with a key of its own.
    pub(super) fn of(kept: impl Iterator<Item = Kept>) -> Map {
        let hasher = BuildHasherDefault::default();
        let counters = DashMap::with_hasher_and_shard_amount(hasher, SHARDS);
        for kept in kept {
            counters.insert(Named(Arc::new(kept)), ());
        }
        Map { counters }
    }

    /// The counter of that key.
    pub(super) fn find(&self, key: CounterKey) -> Option<Arc<Kept>> {
        let hash = key.hash();
        let shard = self.shard(hash);
        let table = self.counters.shards()[shard].read();
        let found = table.get(hash, |(named, _)| named.0.key == key);
        found.map(|(named, _)| named.0.clone())
    }

    /// The counter of that key. If there is none, the one that is made, unless that is none either; nobody else can make
    /// it meanwhile.
    pub(super) fn find_or_open(
        &self,
        key: CounterKey,
        make: impl FnOnce() -> Option<Kept>,
    ) -> Option<Arc<Kept>> {
        if let Some(found) = self.find(key) {
            return Some(found);
        }
        let hash = key.hash();
        let mut table = self.counters.shards()[self.shard(hash)].write();
        // Somebody else may have been quicker.
        if let Some((named, _)) = table.get(hash, |(named, _)| named.0.key == key) {
            return Some(named.0.clone());
        }
        let kept = Arc::new(make()?);
        let entry = (Named(kept.clone()), SharedValue::new(()));
        table.insert(hash, entry, |(named, _)| named.0.key.hash());
        Some(kept)
    }

    /// Lets go of those that only the map holds and that are free; says how many these were. All are asked: whoever is
    /// held may be free too.
    pub(super) fn release(&self, mut is_free: impl FnMut(&Kept) -> bool) -> usize {
        let mut count = 0;
        self.counters.retain(|named, ()| {
            // Under the lock nobody can take a second handle; but whoever has one may charge until it is asked, and then
            // drop it. So this comes first.
            let is_held = Arc::strong_count(&named.0) > 1;
            let is_gone = is_free(&named.0) && !is_held;
            count += usize::from(is_gone);
            !is_gone
        });
        if self.counters.capacity() / 4 > self.counters.len() {
            self.counters.shrink_to_fit();
        }
        count
    }

    fn shard(&self, hash: u64) -> usize {
        // 64 bits are a `usize` on every machine that this runs on; elsewhere fewer would do.
        self.counters.determine_shard(hash as usize)
    }
}
