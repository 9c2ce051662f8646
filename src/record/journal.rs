//! One worker's journal: lines are put together as calls come, and written once when the worker has nothing else to do.
//!
//! A call never leaves before its decision line is kept as surely as the settings ask (see [`super::Durability`], [`Audit`]), and
//! no line is ever written in part. A journal belongs to one thread: nothing in it is locked.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use tokio::sync::Notify;
use uuid::Uuid;

use super::keeping::{Audit, Keeping};
use super::line::{self, Entry, OutcomeLine, Verdict};
use super::segment::{Segments, sync_folder};
use super::writer::{JournalWriter, Progress};
use crate::clock::{Clock, Timestamp};
use crate::counters::{Admitted, Taken};
use crate::policy::{Denial, Held};

/// Bytes of lines that may wait for one write. A line is 50 KiB at the very most, and 11 KiB more for each limit that
/// charges as many values as one may, so this is no fewer than 40 calls of the worst kind.
const STAGED_MAX: usize = 4 << 20;

/// Of these, how much lines may take that nobody waits for: a flood of refused calls must leave room for the others'.
const UNAWAITED_MAX: usize = STAGED_MAX / 2;

/// The journal cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot open the journal in {path}: check that the folder belongs to the user who runs toolgate and has space"
)]
pub struct JournalError {
    path: PathBuf,
    source: std::io::Error,
}

/// A call that may go: its decision line is written and, with [`Durability::Fsync`], on the disk. With
/// [`Audit::BestEffort`] it was only tried, see [`Recorded::is_kept`]. Only [`Journal::decision`] makes one.
///
/// [`Durability::Fsync`]: super::Durability::Fsync
#[derive(Debug)]
pub struct Recorded {
    request_id: Uuid,
    audit: Audit,
    taken: Taken,
}

impl Recorded {
    /// The id that both lines of the call bear.
    pub fn request_id(&self) -> Uuid {
        self.request_id
    }

    /// Whether the call waited until its line was kept, rather than for nothing.
    pub fn is_kept(&self) -> bool {
        self.audit == Audit::Required
    }

    /// What the call took.
    pub fn taken(&self) -> &Taken {
        &self.taken
    }

    /// What the call took, to be given back or dropped once its outcome is known.
    pub fn into_taken(self) -> Taken {
        self.taken
    }
}

/// The decision line could not be written: the call must not go, and what it took is to be given back.
#[derive(Debug)]
pub struct NotRecorded {
    /// What the call took.
    pub taken: Taken,
}

/// Makes the journals of so many workers, as far as they are not there, and syncs their folder. To be called after
/// [`super::replay`] and before a snapshot, which from then on names them all: where the folder is lost before the next snapshot,
/// that is seen. It blocks.
pub fn begin(dir: &Path, workers: NonZeroU32) -> Result<(), JournalError> {
    let began = (0..workers.get()).try_for_each(|worker| Segments::open(dir, worker).map(drop));
    let synced = began.and_then(|()| sync_folder(dir));
    let parent = dir.parent().unwrap_or(dir);
    let synced = synced.and_then(|()| sync_folder(parent));
    synced.map_err(|source| JournalError {
        path: dir.into(),
        source,
    })
}

/// The worker's end of its journal. Cheap to clone; it stays on its thread.
#[derive(Debug, Clone)]
pub struct Journal(Rc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) staged: RefCell<Staged>,
    /// What is written and waits for the disk.
    pub(super) under_way: RefCell<Option<Rc<Batch>>>,
    pub(super) wake: Notify,
    pub(super) keeping: Keeping,
    pub(super) progress: Progress,
    clock: Clock,
}

#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) lines: Vec<u8>,
    pub(super) count: u64,
    pub(super) batch: Rc<Batch>,
    pub(super) is_closed: bool,
}

/// The lines of one write, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    fate: Cell<Option<Fate>>,
    waiting: RefCell<Vec<Waker>>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Kept,
    Lost,
}

impl Batch {
    /// Tells all who wait for it.
    pub(super) fn tell(&self, fate: Fate) {
        self.fate.set(Some(fate));
        for waker in self.waiting.take() {
            waker.wake();
        }
    }
}

impl Journal {
    /// Opens the journal of one worker in `dir` (made if it is not there), and the writer to be run on the same thread.
    /// Counters must have been restored from what is there before: see [`super::replay`].
    pub fn open(
        dir: &Path,
        worker: u32,
        clock: Clock,
        keeping: Keeping,
    ) -> Result<(Journal, JournalWriter), JournalError> {
        let segments = Segments::open(dir, worker).map_err(|source| JournalError {
            path: dir.into(),
            source,
        })?;
        let shared = Rc::new(Shared {
            staged: RefCell::default(),
            under_way: RefCell::default(),
            wake: Notify::new(),
            keeping,
            progress: Progress::at(segments.position()),
            clock,
        });
        let writer = JournalWriter::new(shared.clone(), segments);
        Ok((Journal(shared), writer))
    }

    /// Stages the decision line of a call that may run, at once; the future is ready when it is kept or cannot be, and
    /// with [`Audit::BestEffort`] at once.
    ///
    /// Whoever drops the future instead of waiting keeps the charge: nobody knows then whether the call was written.
    pub fn decision(&self, admitted: Admitted<'_>, entry: &Entry<'_>) -> Recording {
        let verdict = Verdict::allow(admitted.taken());
        let staged = self.stage(STAGED_MAX, |lines, now| {
            line::decision(lines, now, entry, verdict)
        });
        Recording {
            written: staged.map(Written),
            taken: Some(admitted.into_taken()),
            request_id: entry.request_id,
            audit: self.0.keeping.audit,
        }
    }

    /// Stages the decision line of a call that does not run. Nobody waits for it.
    pub fn denied(&self, entry: &Entry<'_>, denial: &Denial<'_>) {
        let verdict = Verdict::deny(denial);
        self.stage(UNAWAITED_MAX, |lines, now| {
            line::decision(lines, now, entry, verdict)
        });
    }

    /// Stages the decision line of a call that waits for a person.
    pub fn held(&self, entry: &Entry<'_>, held: &Held<'_>) {
        let verdict = Verdict::hold(held);
        self.stage(UNAWAITED_MAX, |lines, now| {
            line::decision(lines, now, entry, verdict)
        });
    }

    /// Stages the outcome line of a recorded call. To be told before the refund is made.
    pub fn outcome(&self, request_id: Uuid, outcome: &OutcomeLine<'_>) {
        self.stage(STAGED_MAX, |lines, now| {
            line::outcome(lines, now, request_id, outcome)
        });
    }

    /// Ready when all lines staged so far are written, or could not be.
    pub fn flushed(&self) -> impl Future<Output = ()> + use<> {
        let staged = self.0.staged.borrow();
        let batch = match staged.lines.is_empty() {
            true => self.0.under_way.borrow().clone(),
            false => Some(staged.batch.clone()),
        };
        async move {
            if let Some(batch) = batch {
                Written(batch).await;
            }
        }
    }

    /// Takes no more lines; the writer ends when those staged are written.
    pub fn close(&self) {
        self.0.staged.borrow_mut().is_closed = true;
        self.0.wake.notify_one();
    }

    /// How far the journal has got.
    pub fn progress(&self) -> Progress {
        self.0.progress.clone()
    }

    fn stage(&self, max: usize, put: impl FnOnce(&mut Vec<u8>, Timestamp)) -> Option<Rc<Batch>> {
        let mut staged = self.0.staged.borrow_mut();
        if staged.is_closed || staged.lines.len() >= max {
            self.0.progress.lose(1);
            return None;
        }
        if staged.lines.is_empty() {
            self.0.wake.notify_one();
        }
        put(&mut staged.lines, self.0.clock.now());
        staged.count += 1;
        Some(staged.batch.clone())
    }
}

/// A decision line on its way; see [`Journal::decision`].
#[derive(Debug)]
#[must_use = "a call may leave only once its decision is recorded"]
pub struct Recording {
    /// `None`: the line was not even staged.
    written: Option<Written>,
    taken: Option<Taken>,
    request_id: Uuid,
    audit: Audit,
}

impl Future for Recording {
    type Output = Result<Recorded, NotRecorded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let fate = match (self.audit, &mut self.written) {
            // Whatever becomes of the line.
            (Audit::BestEffort, _) => Fate::Kept,
            (Audit::Required, Some(written)) => ready!(Pin::new(written).poll(context)),
            (Audit::Required, None) => Fate::Lost,
        };
        let taken = self.taken.take();
        let taken = taken.expect("a future is not polled after it was ready");
        Poll::Ready(match fate {
            Fate::Kept => Ok(Recorded {
                request_id: self.request_id,
                audit: self.audit,
                taken,
            }),
            Fate::Lost => Err(NotRecorded { taken }),
        })
    }
}

/// Ready when a batch is kept or lost.
#[derive(Debug)]
struct Written(Rc<Batch>);

impl Future for Written {
    type Output = Fate;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Fate> {
        if let Some(fate) = self.0.fate.get() {
            return Poll::Ready(fate);
        }
        let mut waiting = self.0.waiting.borrow_mut();
        if !waiting
            .last()
            .is_some_and(|last| last.will_wake(context.waker()))
        {
            waiting.push(context.waker().clone());
        }
        Poll::Pending
    }
}
