//! The map from key to counter: many small tables, each behind a lock of its own.
//!
//! It never hashes: a key is a hash already, of which nobody who sends calls can choose a bit. And it never lends a
//! counter: what is found is a handle, and the lock is free again.
//!
//! An entry is one pointer, because the key stands beside the counter: a map from keys would be half empty at times and
//! take 50 bytes for each.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use triomphe::Arc;

use super::Kept;
use super::key::CounterKey;
use super::sync::Mutex;

/// So many tables: threads that look for different counters seldom want the same lock, and an empty gateway is small.
const SHARDS: usize = 64;

/// All counters that are open.
#[derive(Debug)]
pub(super) struct Map {
    shards: Box<[Shard]>,
}

/// A table in a cache line of its own: its lock is written by all threads.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(Mutex<HashTable<Arc<Kept>>>);

impl Map {
    /// All of these, each with a key of its own.
    pub(super) fn of(kept: impl Iterator<Item = Kept>) -> Map {
        let shards = (0..SHARDS).map(|_| Shard::default());
        let map = Map {
            shards: shards.collect(),
        };
        for kept in kept {
            map.find_or_open(kept.key, || Some(kept));
        }
        map
    }

    /// The counter of that key.
    pub(super) fn find(&self, key: CounterKey) -> Option<Arc<Kept>> {
        let table = self.shard(key).0.lock();
        table.find(key.hash(), |kept| kept.key == key).cloned()
    }

    /// The counter of that key. If there is none, the one that is made, unless that is none either; nobody else can make
    /// it meanwhile.
    pub(super) fn find_or_open(
        &self,
        key: CounterKey,
        make: impl FnOnce() -> Option<Kept>,
    ) -> Option<Arc<Kept>> {
        let mut table = self.shard(key).0.lock();
        let is_it = |kept: &Arc<Kept>| kept.key == key;
        match table.entry(key.hash(), is_it, |kept| kept.key.hash()) {
            Entry::Occupied(kept) => Some(kept.get().clone()),
            Entry::Vacant(place) => {
                let kept = Arc::new(make()?);
                place.insert(kept.clone());
                Some(kept)
            }
        }
    }

    /// Lets go of those that only the map holds and that are free; says how many these were, table by table. All are
    /// asked: whoever is held may be free too.
    pub(super) fn release(
        &self,
        mut is_free: impl FnMut(&Kept) -> bool,
    ) -> impl Iterator<Item = usize> {
        self.shards.iter().map(move |shard| {
            let mut table = shard.0.lock();
            let before = table.len();
            table.retain(|kept| {
                // Under the lock nobody can take a second handle; but whoever has one may charge until it is asked, and
                // then drop it. So this comes first.
                let is_held = Arc::strong_count(kept) > 1;
                !is_free(kept) || is_held
            });
            if table.capacity() / 4 > table.len() {
                table.shrink_to_fit(|kept| kept.key.hash());
            }
            before - table.len()
        })
    }

    fn shard(&self, key: CounterKey) -> &Shard {
        &self.shards[key.shard(SHARDS)]
    }
}
