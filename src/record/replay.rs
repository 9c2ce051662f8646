//! Reads back what the counters must remember: the snapshot in the store, and the journal from there on.
//!
//! A snapshot is never copied from living counters: it is made by this same reading, so that it tells exactly of the
//! lines before its positions. It never guesses: where it cannot be known what was admitted there is an error that says
//! which file is at fault, and the gateway does not start, because any guess could admit a call too many. A person who
//! would rather have it run than exact can do what the error says.
//! - A torn last line was never acknowledged, so that its call never left: it is left out.
//! - A line that cannot be read and is not the last one may have admitted a call: an error. Also for the line of a denial:
//!   only one that can be read is known to be of one.
//! - A segment that the snapshot goes on in, one between others, or the first ones where the snapshot does not know the
//!   worker: missing or too short, an error.
//! - A store older than the journal means more lines to read, as far as there are segments, and an error from there on. A
//!   store that has no snapshot at all beside a journal with lines is not this journal's: an error, since also the secret
//!   is gone without which no counter of a `by` value can be found again.
//! - A journal that is gone while the store tells of one: an error. So that it does, see [`super::begin`].
//!
//! What nobody can see: whole lines taken from the end of the last segment look like lines that were never written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::segment::{self, Number};
use super::tail::Tail;
use crate::counters::History;
use crate::store::{KeptCounters, Position, Store, StoreError};

/// When so many bytes of journal are behind the last snapshot it is time for the next: a start reads them in well under
/// a second.
pub const TAIL_MAX: u64 = 32 << 20;

/// Why the counters cannot be restored.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The snapshot cannot be read or kept.
    #[error("cannot restore the counters from the store")]
    Store(#[from] StoreError),
    /// The snapshot is not of a form that this program knows.
    #[error(
        "the counters in the store are damaged: restore the data folder from a backup, or begin with a new one"
    )]
    Snapshot,
    /// A file of the journal cannot be read.
    #[error("cannot read the journal {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is gone without which nobody knows what was admitted.
    #[error(
        "the journal {path} is missing, and the counters cannot be restored without it: put it back, or begin with a new data folder"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A line is damaged, and more come after it.
    #[error(
        "line {line} of the journal {path} cannot be read, so that nobody knows what it admitted: restore the file from a backup, or delete that line if its call may be admitted once more"
    )]
    Garbled {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// The store never heard of this journal.
    #[error(
        "the journal {path} tells of calls that the store beside it knows nothing of: put the store back, or move the journal away to begin with full limits"
    )]
    Unknown {
        /// The folder.
        path: PathBuf,
    },
    /// A file is shorter than it was when the counters were last kept.
    #[error(
        "the journal {path} has lost its end, {length} of {expected} bytes are left: restore it from a backup, or begin with a new data folder"
    )]
    Short {
        /// The file.
        path: PathBuf,
        /// Its length.
        length: u64,
        /// The length it had.
        expected: u64,
    },
}

/// What the snapshot and the journal tell.
#[derive(Debug)]
pub struct Replayed {
    /// What the counters must remember.
    pub history: History,
    /// Up to where each worker's journal was read.
    pub positions: Vec<Position>,
}

/// Tells what the counters must remember, from the store's snapshot and all of the journal in `dir` behind it. It
/// blocks; nobody may write the journal meanwhile.
pub fn replay(store: &Store, dir: &Path) -> Result<Replayed, ReplayError> {
    let mut replayed = read(store, dir, &[])?;
    // What has long left its window was read too; a counter has room for what can be there at one time.
    replayed.history.forget();
    Ok(replayed)
}

/// Makes a new snapshot from the last one and the journal behind it, and keeps it with its positions. Of a worker in
/// `written` (see [`super::Progress::written`]) it reads no further than told; of others, who must not be writing, all.
///
/// It blocks, and only one may run at a time. To be called after a start, at a clean stop, and whenever [`tail`] says
/// that [`TAIL_MAX`] is reached. Gives the positions of the snapshot.
pub fn compact(
    store: &Store,
    dir: &Path,
    written: &[Position],
) -> Result<Vec<Position>, ReplayError> {
    let Replayed {
        mut history,
        positions,
        ..
    } = read(store, dir, written)?;
    // A snapshot must not tell of lines that a power cut can still take away from under it.
    for position in &positions {
        let Position {
            worker, segment, ..
        } = *position;
        let path = Number { worker, segment }.path(dir);
        let synced = File::open(&path).and_then(|file| file.sync_data());
        synced.map_err(|source| failed(&path, source))?;
    }
    if !positions.is_empty() {
        segment::sync_folder(dir).map_err(|source| failed(dir, source))?;
    }
    history.forget();
    let kept = KeptCounters {
        newest: history.newest(),
        counters: history.to_kept().collect(),
        positions: positions.clone(),
    };
    store.save_counters(kept).wait()?;
    Ok(positions)
}

/// About how many bytes of journal lie between a snapshot's positions and what is written.
pub fn tail(snapshot: &[Position], written: &[Position]) -> u64 {
    let behind = written.iter().map(|to| {
        match snapshot.iter().find(|from| from.worker == to.worker) {
            Some(from) if from.segment == to.segment => to.offset.saturating_sub(from.offset),
            // A whole segment was begun meanwhile: more than enough.
            Some(from) if from.segment < to.segment => TAIL_MAX.saturating_add(to.offset),
            _ => to.offset,
        }
    });
    behind.fold(0, u64::saturating_add)
}

fn read(store: &Store, dir: &Path, written: &[Position]) -> Result<Replayed, ReplayError> {
    let mut workers = segment::list(dir).map_err(|source| failed(dir, source))?;
    let kept = match store.counters().wait()? {
        Some(kept) => kept,
        None if workers.values().any(has_lines) => {
            return Err(ReplayError::Unknown { path: dir.into() });
        }
        None => KeptCounters::default(),
    };
    let history = History::from_kept(kept.newest, kept.counters.into_iter());
    let mut replayed = Replayed {
        history: history.ok_or(ReplayError::Snapshot)?,
        positions: Vec::new(),
    };
    for position in &kept.positions {
        // Those who are named by the snapshot must be there, even if they wrote nothing since.
        workers.entry(position.worker).or_default();
    }
    for (&worker, segments) in &workers {
        let tail = Tail {
            dir,
            worker,
            segments,
            from: of_worker(&kept.positions, worker),
            to: of_worker(written, worker),
        };
        tail.read(&mut replayed)?;
    }
    Ok(replayed)
}

/// Whether any of these files has anything in it; one that cannot be looked at may have.
fn has_lines(segments: &BTreeMap<u32, PathBuf>) -> bool {
    let length = |path| std::fs::metadata(path).map_or(u64::MAX, |about| about.len());
    segments.values().any(|path| length(path) > 0)
}

fn of_worker(positions: &[Position], worker: u32) -> Option<Position> {
    positions.iter().copied().find(|at| at.worker == worker)
}

pub(super) fn failed(path: &Path, source: io::Error) -> ReplayError {
    ReplayError::Read {
        path: path.into(),
        source,
    }
}
