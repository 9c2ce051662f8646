//! What the journal and its reading promise.

#![allow(clippy::unwrap_used)] // A test that panics has done its work.

mod crash;
mod journal;
mod keeping;
mod refused;
mod replay;

use std::path::Path;

use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::clock::{Clock, Hands};
use crate::counters::tests::{START, account, charges, limit, many, restored, whole};
use crate::counters::{Account, Admitted, Counters};
use crate::policy::{Amount, Limit, Window};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Where syncs cost nothing, if the system has such a place: for tests that make a thousand snapshots and cut no power.
fn folder_in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| folder())
}

fn entry<'a>(tool: &'a str, keys: &'a [&'a str]) -> Entry<'a> {
    Entry {
        request_id: Uuid::from_u128(7),
        grant: "grant",
        server: "server",
        tool,
        keys,
        policy: "abc",
        shadowed: &[],
    }
}

fn name(worker: u32, segment: u32) -> String {
    segment::Number { worker, segment }.to_string()
}

fn clock() -> (Clock, Hands) {
    Clock::manual(START)
}

fn opened(dir: &Path, worker: u32) -> (Journal, JournalWriter) {
    Journal::open(dir, worker, clock().0, Keeping::default()).unwrap()
}

fn opened_with(dir: &Path, keeping: Keeping) -> (Journal, JournalWriter) {
    Journal::open(dir, 0, clock().0, keeping).unwrap()
}

impl segment::Segments {
    /// Writes and acknowledges without a disk's word.
    fn append(&mut self, lines: &[u8]) -> std::io::Result<()> {
        self.write(lines)?;
        self.acknowledge(segment::Synced::No);
        Ok(())
    }
}

impl segment::Unsynced {
    fn names_folder(&self) -> bool {
        self.folder.is_some()
    }
}

/// Runs a future beside its writer, on one thread, as a worker does.
fn beside<T>(writer: JournalWriter, future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    local.spawn_local(writer.run());
    local.block_on(&runtime, future)
}

fn text(dir: &Path) -> String {
    let segments = segment::list(dir).unwrap();
    let files = segments.values().flat_map(|segments| segments.values());
    files
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

fn lines(dir: &Path) -> Vec<Value> {
    let text = text(dir);
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// One limit of so many calls a minute, and its counter.
struct One {
    limits: [Limit; 1],
    counters: Counters,
    account: Account,
}

impl One {
    fn new(max: u64) -> One {
        let limits = [limit(0, max, Window::MINUTE)];
        let counters = many();
        let account = account(&counters, &limits);
        One {
            limits,
            counters,
            account,
        }
    }

    fn admit(&self) -> Option<Admitted<'_>> {
        let charges = charges(&self.limits);
        self.counters
            .admit_in_test(&charges, &self.account, START)
            .ok()
    }
}
