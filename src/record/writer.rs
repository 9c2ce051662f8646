//! Writes what a worker's journal stages: one write, and where the settings ask for it one sync, for all who wait.
//!
//! It never tells anyone that a line is kept before it is, and never blocks its thread for a disk: a sync runs on another
//! one, and lines that come meanwhile share the next.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::task::{spawn_blocking, yield_now};

use super::journal::{Batch, Fate, Shared};
use super::keeping::{Audit, Durability};
use super::segment::{Segments, Synced, Unsynced};
use crate::store::Position;

/// How often the writer lets others go first while lines still come: a bound, so that a busy worker writes too.
const YIELDS_MAX: usize = 16;

/// How far a journal has got, for other threads to see.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Shown>);

#[derive(Debug)]
struct Shown {
    written: Mutex<Position>,
    lost: AtomicU64,
    syncs: AtomicU64,
}

impl Progress {
    pub(super) fn at(position: Position) -> Progress {
        Progress(Arc::new(Shown {
            written: Mutex::new(position),
            lost: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        }))
    }

    pub(super) fn lose(&self, lines: u64) {
        self.0.lost.fetch_add(lines, Ordering::Relaxed);
    }

    /// Up to where all is kept, on the disk if [`Durability::Fsync`] asks for that; see [`super::compact`].
    pub fn written(&self) -> Position {
        *self.0.written.lock()
    }

    /// How many lines could not be kept since the start. Calls whose decision was among them ran only with
    /// [`Audit::BestEffort`].
    pub fn lost_lines(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// How often the disk was waited for since the start; as many calls as came together share one.
    pub fn syncs(&self) -> u64 {
        self.0.syncs.load(Ordering::Relaxed)
    }
}

/// Writes what its [`Journal`] stages; an actor for the worker's own thread.
///
/// [`Journal`]: super::Journal
#[derive(Debug)]
pub struct JournalWriter {
    shared: Rc<Shared>,
    segments: Segments,
    is_failing: bool,
}

/// Lines to be written, how many, and who waits for them.
type Lines = (Vec<u8>, u64, Rc<Batch>);

impl JournalWriter {
    pub(super) fn new(shared: Rc<Shared>, segments: Segments) -> JournalWriter {
        JournalWriter {
            shared,
            segments,
            is_failing: false,
        }
    }

    /// Runs until [`Journal::close`]. It must run on the thread of its journal.
    ///
    /// [`Journal::close`]: super::Journal::close
    pub async fn run(mut self) {
        loop {
            self.shared.wake.notified().await;
            self.let_others_go_first().await;
            self.keep_staged().await;
            let staged = self.shared.staged.borrow();
            // What came during a sync has woken this again.
            if staged.is_closed && staged.lines.is_empty() {
                return;
            }
        }
    }

    /// Calls that are ready now put their lines into the same write.
    async fn let_others_go_first(&self) {
        for _ in 0..YIELDS_MAX {
            let before = self.shared.staged.borrow().count;
            yield_now().await;
            if self.shared.staged.borrow().count == before {
                return;
            }
        }
    }

    async fn keep_staged(&mut self) {
        let Some((lines, count, batch)) = self.take() else {
            return;
        };
        *self.shared.under_way.borrow_mut() = Some(batch.clone());
        let written = self.write(lines);
        let kept = match (written, self.shared.keeping.durability) {
            (Ok(unsynced), Durability::Fsync) => {
                let synced = spawn_blocking(move || unsynced.sync()).await;
                self.synced(synced.unwrap_or_else(|error| Err(io::Error::other(error))))
            }
            (written, _) => self.unsynced(written),
        };
        self.tell((count, &batch), kept);
    }

    fn take(&self) -> Option<Lines> {
        let mut staged = self.shared.staged.borrow_mut();
        let staged = &mut *staged;
        (!staged.lines.is_empty()).then(|| {
            (
                std::mem::take(&mut staged.lines),
                std::mem::take(&mut staged.count),
                std::mem::take(&mut staged.batch),
            )
        })
    }

    /// Writes them, and leaves their room to the next.
    fn write(&mut self, mut lines: Vec<u8>) -> io::Result<Unsynced> {
        let written = self.segments.write(&lines);
        lines.clear();
        self.shared.staged.borrow_mut().lines = lines;
        written
    }

    fn unsynced(&mut self, written: io::Result<Unsynced>) -> io::Result<()> {
        written?;
        self.segments.acknowledge(Synced::No);
        Ok(())
    }

    fn synced(&mut self, synced: io::Result<()>) -> io::Result<()> {
        self.shared.progress.0.syncs.fetch_add(1, Ordering::Relaxed);
        match synced {
            Ok(()) => self.segments.acknowledge(Synced::Yes),
            Err(_) => self.segments.abandon(),
        }
        synced
    }

    fn tell(&mut self, (count, batch): (u64, &Batch), kept: io::Result<()>) {
        let progress = &self.shared.progress;
        *progress.0.written.lock() = self.segments.position();
        self.shared.under_way.take();
        if let Err(error) = &kept {
            progress.lose(count);
            self.complain(error);
        }
        self.is_failing = kept.is_err();
        batch.tell(kept.map_or(Fate::Lost, |()| Fate::Kept));
    }

    /// Once for each time that it begins to fail: calls keep coming, and each would say the same.
    fn complain(&self, error: &io::Error) {
        match (self.is_failing, self.shared.keeping.audit) {
            (true, _) => {}
            (false, Audit::Required) => {
                tracing::error!(%error, "cannot write the journal, calls are refused until it can be written");
            }
            (false, Audit::BestEffort) => {
                tracing::error!(%error, "cannot write the journal, calls go on without being recorded");
            }
        }
    }
}

impl Drop for JournalWriter {
    /// A worker that stops without closing loses no line that was staged, and nobody waits for ever.
    fn drop(&mut self) {
        self.shared.staged.borrow_mut().is_closed = true;
        if let Some(batch) = self.shared.under_way.take() {
            // Its sync goes on without us, and nobody will know how it ended.
            self.segments.abandon();
            batch.tell(Fate::Lost);
        }
        let Some((lines, count, batch)) = self.take() else {
            return;
        };
        let written = self.write(lines);
        let kept = match (written, self.shared.keeping.durability) {
            (Ok(unsynced), Durability::Fsync) => self.synced(unsynced.sync()),
            (written, _) => self.unsynced(written),
        };
        self.tell((count, &batch), kept);
    }
}
