//! One worker's journal: lines are put together as calls come, and written once when the worker has nothing else to do.
//!
//! A call never leaves before its decision line is written, and no line is ever written in part. A journal belongs to
//! one thread: nothing in it is locked.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};

use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::Notify;
use tokio::task::yield_now;
use uuid::Uuid;

use super::line::{self, Entry, OutcomeLine, Verdict};
use super::segment::Segments;
use crate::clock::{Clock, Timestamp};
use crate::counters::{Admitted, Taken};
use crate::policy::{Charge, Denial, Held};
use crate::store::Position;

/// Bytes of lines that may wait for one write. A line is 50 KiB at the very most, and 10 KiB more for each limit that
/// charges as many values as one may, so this is no fewer than 40 calls of the worst kind.
const STAGED_MAX: usize = 4 << 20;

/// Of these, how much lines may take that nobody waits for: a flood of refused calls must leave room for the others'.
const UNAWAITED_MAX: usize = STAGED_MAX / 2;

/// How often the writer lets others go first while lines still come: a bound, so that a busy worker writes too.
const YIELDS_MAX: usize = 16;

/// The journal cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot open the journal in {path}: check that the folder belongs to the user who runs toolgate and has space"
)]
pub struct JournalError {
    path: PathBuf,
    source: std::io::Error,
}

/// A call whose decision line is written. Only [`Journal::decision`] makes one.
#[derive(Debug)]
pub struct Recorded<'p> {
    request_id: Uuid,
    charges: SmallVec<[Charge<'p>; 4]>,
    taken: Taken,
}

impl<'p> Recorded<'p> {
    /// The id that both lines of the call bear.
    pub fn request_id(&self) -> Uuid {
        self.request_id
    }

    /// What the call was charged, in the order of the document.
    pub fn charges(&self) -> &[Charge<'p>] {
        &self.charges
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

/// The worker's end of its journal. Cheap to clone; it stays on its thread.
#[derive(Debug, Clone)]
pub struct Journal(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    staged: RefCell<Staged>,
    wake: Notify,
    clock: Clock,
    progress: Progress,
}

#[derive(Debug, Default)]
struct Staged {
    lines: Vec<u8>,
    count: u64,
    batch: Rc<Batch>,
    is_closed: bool,
}

/// The lines of one write, and who waits for it.
#[derive(Debug, Default)]
struct Batch {
    is_written: Cell<Option<bool>>,
    waiting: RefCell<Vec<Waker>>,
}

/// How far a journal has got, for other threads to see.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Shown>);

#[derive(Debug)]
struct Shown {
    written: Mutex<Position>,
    lost: AtomicU64,
}

impl Progress {
    /// Up to where all is written; see [`super::compact`].
    pub fn written(&self) -> Position {
        *self.0.written.lock()
    }

    /// How many lines could not be written since the start. Calls whose decision was among them did not run.
    pub fn lost_lines(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

impl Journal {
    /// Opens the journal of one worker in `dir` (made if it is not there), and the writer to be run on the same thread.
    /// Counters must have been restored from what is there before: see [`super::replay`].
    pub fn open(
        dir: &Path,
        worker: u32,
        clock: Clock,
    ) -> Result<(Journal, JournalWriter), JournalError> {
        let segments = Segments::open(dir, worker).map_err(|source| JournalError {
            path: dir.into(),
            source,
        })?;
        let shared = Rc::new(Shared {
            staged: RefCell::default(),
            wake: Notify::new(),
            clock,
            progress: Progress(Arc::new(Shown {
                written: Mutex::new(segments.position()),
                lost: AtomicU64::new(0),
            })),
        });
        let writer = JournalWriter {
            shared: shared.clone(),
            segments,
            is_failing: false,
        };
        Ok((Journal(shared), writer))
    }

    /// Stages the decision line of a call that may run, at once; the future is ready when it is written or cannot be.
    ///
    /// Whoever drops the future instead of waiting keeps the charge: nobody knows then whether the call was written.
    pub fn decision<'p>(&self, admitted: Admitted<'p>, entry: &Entry<'_>) -> Recording<'p> {
        let verdict = Verdict::allow(admitted.taken());
        let staged = self.stage(STAGED_MAX, |lines, now| {
            line::decision(lines, now, entry, verdict)
        });
        Recording {
            written: staged.map(Written),
            admitted: Some(admitted),
            request_id: entry.request_id,
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
        let batch = (!staged.lines.is_empty()).then(|| staged.batch.clone());
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
            self.0.progress.0.lost.fetch_add(1, Ordering::Relaxed);
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
pub struct Recording<'p> {
    /// `None`: the line was not even staged.
    written: Option<Written>,
    admitted: Option<Admitted<'p>>,
    request_id: Uuid,
}

impl<'p> Future for Recording<'p> {
    type Output = Result<Recorded<'p>, NotRecorded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let is_written = match &mut self.written {
            Some(written) => ready!(Pin::new(written).poll(context)),
            None => false,
        };
        let admitted = self.admitted.take();
        let (charges, taken) = admitted
            .expect("a future is not polled after it was ready")
            .into_parts();
        Poll::Ready(match is_written {
            true => Ok(Recorded {
                request_id: self.request_id,
                charges,
                taken,
            }),
            false => Err(NotRecorded { taken }),
        })
    }
}

/// Ready when a batch is written (`true`) or lost.
#[derive(Debug)]
struct Written(Rc<Batch>);

impl Future for Written {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        if let Some(is_written) = self.0.is_written.get() {
            return Poll::Ready(is_written);
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

/// Writes what its [`Journal`] stages; an actor for the worker's own thread.
#[derive(Debug)]
pub struct JournalWriter {
    shared: Rc<Shared>,
    segments: Segments,
    is_failing: bool,
}

impl JournalWriter {
    /// Runs until [`Journal::close`]. It must run on the thread of its journal.
    pub async fn run(mut self) {
        loop {
            self.shared.wake.notified().await;
            self.let_others_go_first().await;
            self.write();
            if self.shared.staged.borrow().is_closed {
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

    fn write(&mut self) {
        let (mut lines, count, batch) = {
            let mut staged = self.shared.staged.borrow_mut();
            (
                std::mem::take(&mut staged.lines),
                std::mem::take(&mut staged.count),
                std::mem::take(&mut staged.batch),
            )
        };
        if lines.is_empty() {
            return;
        }
        let written = self.segments.append(&lines);
        let shown = &self.shared.progress.0;
        *shown.written.lock() = self.segments.position();
        batch.is_written.set(Some(written.is_ok()));
        match written {
            Ok(()) => self.is_failing = false,
            Err(error) => {
                shown.lost.fetch_add(count, Ordering::Relaxed);
                self.complain(&error);
            }
        }
        for waker in batch.waiting.take() {
            waker.wake();
        }
        lines.clear();
        self.shared.staged.borrow_mut().lines = lines;
    }

    /// Once for each time that it begins to fail: calls keep coming, and each would say the same.
    fn complain(&mut self, error: &std::io::Error) {
        if !self.is_failing {
            tracing::error!(%error, "cannot write the journal, calls are refused until it can be written");
        }
        self.is_failing = true;
    }
}

impl Drop for JournalWriter {
    /// A worker that stops without closing loses no line, and nobody waits for ever.
    fn drop(&mut self) {
        self.shared.staged.borrow_mut().is_closed = true;
        self.write();
    }
}
