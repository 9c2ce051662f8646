//! Takes the place of `src/counters/map.rs`, whose locks are dashmap's and know no scheduler: one table behind one lock.
//!
//! Never more in one step than there: what is looked for and not found is looked for again under the lock under which it
//! is made, and what is released is asked for its handles before it is asked whether it is free.

use std::collections::HashMap;

use triomphe::Arc;

use super::Kept;
use super::key::CounterKey;
use super::sync::Mutex;

#[derive(Debug)]
pub(super) struct Map {
    table: Mutex<HashMap<CounterKey, Arc<Kept>>>,
}

impl Map {
    pub(super) fn of(kept: impl Iterator<Item = Kept>) -> Map {
        let named = kept.map(|kept| (kept.key, Arc::new(kept)));
        Map {
            table: Mutex::new(named.collect()),
        }
    }

    pub(super) fn find(&self, key: CounterKey) -> Option<Arc<Kept>> {
        self.table.lock().get(&key).cloned()
    }

    pub(super) fn find_or_open(
        &self,
        key: CounterKey,
        make: impl FnOnce() -> Option<Kept>,
    ) -> Option<Arc<Kept>> {
        if let Some(found) = self.find(key) {
            return Some(found);
        }
        let mut table = self.table.lock();
        if let Some(found) = table.get(&key) {
            return Some(found.clone());
        }
        let kept = Arc::new(make()?);
        table.insert(key, kept.clone());
        Some(kept)
    }

    pub(super) fn release(&self, mut is_free: impl FnMut(&Kept) -> bool) -> usize {
        let mut table = self.table.lock();
        let before = table.len();
        table.retain(|_, kept| {
            // Whatever the others do with their handles until they are counted.
            shuttle::thread::yield_now();
            let is_held = Arc::strong_count(kept) > 1;
            !is_free(kept) || is_held
        });
        before - table.len()
    }
}
