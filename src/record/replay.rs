//! Reads back what the counters must remember: the snapshot in the store, and the journal from there on.
//!
//! A snapshot is never copied from living counters: it is made by this same reading, so that it tells exactly of the
//! lines before its positions. What cannot be known exactly has an answer that admits no call too many:
//! - a torn last line was never acknowledged, and is left out;
//! - a garbled line among good ones is left out too, loudly and counted: there it is the file that was tampered with;
//! - a store older than the journal, or without a snapshot, means more lines to read, as far as there are segments;
//! - a segment that the snapshot goes on in is missing or too short, or one between two others is missing: an error,
//!   because nobody knows what it admitted.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::line::{Cut, Line};
use super::segment::{self, Number};
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
    /// Lines that could not be read and were left out.
    pub garbled_lines: u64,
    /// Up to where each worker's journal was read.
    pub positions: Vec<Position>,
}

/// Tells what the counters must remember, from the store's snapshot and all of the journal in `dir` behind it. It
/// blocks; nobody may write the journal meanwhile.
pub fn replay(store: &Store, dir: &Path) -> Result<Replayed, ReplayError> {
    read(store, dir, &[])
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
        synced.map_err(|source| ReplayError::Read { path, source })?;
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
    let kept = store.counters().wait()?;
    let history = History::from_kept(kept.newest, kept.counters.into_iter());
    let mut replayed = Replayed {
        history: history.ok_or(ReplayError::Snapshot)?,
        garbled_lines: 0,
        positions: Vec::new(),
    };
    let mut workers = segment::list(dir).map_err(|source| ReplayError::Read {
        path: dir.into(),
        source,
    })?;
    for position in &kept.positions {
        // Those who are named by the snapshot must be there, even if they wrote nothing since.
        workers.entry(position.worker).or_default();
    }
    for (&worker, segments) in &workers {
        let mut tail = Tail {
            dir,
            worker,
            segments,
            from: of_worker(&kept.positions, worker),
            to: of_worker(written, worker),
        };
        tail.read(&mut replayed)?;
    }
    if replayed.garbled_lines > 0 {
        tracing::error!(
            lines = replayed.garbled_lines,
            "the journal has lines that cannot be read: what they admitted is not counted"
        );
    }
    Ok(replayed)
}

fn of_worker(positions: &[Position], worker: u32) -> Option<Position> {
    positions.iter().copied().find(|at| at.worker == worker)
}

/// What one worker wrote after the snapshot.
struct Tail<'a> {
    dir: &'a Path,
    worker: u32,
    segments: &'a BTreeMap<u32, PathBuf>,
    from: Option<Position>,
    to: Option<Position>,
}

impl Tail<'_> {
    fn read(&mut self, into: &mut Replayed) -> Result<(), ReplayError> {
        let first = match (self.from, self.segments.first_key_value()) {
            (Some(from), _) => from.segment,
            (None, Some((&first, _))) => first,
            (None, None) => return Ok(()),
        };
        let last = self
            .segments
            .last_key_value()
            .map_or(first, |(&last, _)| last);
        let last = self.to.map_or(last, |to| to.segment).max(first);
        let cuts = self.cuts(first)?;
        for segment in first..=last {
            let end = match self.to {
                Some(to) if to.segment == segment => to.offset,
                _ => cuts.get(&segment).copied().unwrap_or(u64::MAX),
            };
            let start = self.from.filter(|from| from.segment == segment);
            let start = start.map_or(0, |from| from.offset);
            let offset = self.read_segment(segment, start..end, into)?;
            if segment == last {
                into.positions.push(Position {
                    worker: self.worker,
                    segment,
                    offset,
                });
            }
        }
        Ok(())
    }

    /// Where segments end that could not be cut themselves; the first lines of later segments say so.
    fn cuts(&self, first: u32) -> Result<BTreeMap<u32, u64>, ReplayError> {
        let mut cuts = BTreeMap::new();
        for path in self.segments.range(first..).map(|(_, path)| path) {
            first_cuts(path, &mut cuts).map_err(|source| failed(path, source))?;
        }
        Ok(cuts)
    }

    /// Reads the whole lines in a part of a segment; says where the last one ends.
    fn read_segment(
        &self,
        segment: u32,
        part: std::ops::Range<u64>,
        into: &mut Replayed,
    ) -> Result<u64, ReplayError> {
        let worker = self.worker;
        let path = Number { worker, segment }.path(self.dir);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ReplayError::Missing { path });
            }
            file => file.map_err(|source| failed(&path, source))?,
        };
        let length = file.metadata().map_err(|source| failed(&path, source))?;
        if length.len() < part.start {
            return Err(ReplayError::Short {
                path,
                length: length.len(),
                expected: part.start,
            });
        }
        read_lines(file, part, into).map_err(|source| failed(&path, source))
    }
}

fn first_cuts(path: &Path, cuts: &mut BTreeMap<u32, u64>) -> io::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        file.read_until(b'\n', &mut bytes)?;
        match Line::parse(&bytes).and_then(|line| line.cut()) {
            Some(Cut { segment, length }) => cuts.insert(segment, length),
            None => return Ok(()),
        };
    }
}

fn failed(path: &Path, source: io::Error) -> ReplayError {
    ReplayError::Read {
        path: path.into(),
        source,
    }
}

fn read_lines(mut file: File, part: std::ops::Range<u64>, into: &mut Replayed) -> io::Result<u64> {
    file.seek(SeekFrom::Start(part.start))?;
    let mut offset = part.start;
    let mut file = BufReader::with_capacity(1 << 20, file.take(part.end.saturating_sub(offset)));
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        file.read_until(b'\n', &mut bytes)?;
        if bytes.last() != Some(&b'\n') {
            // Torn, or the end: the writer goes on from here.
            return Ok(offset);
        }
        offset += bytes.len() as u64;
        match Line::parse(&bytes) {
            Some(line) => apply(&line, &mut into.history),
            None => into.garbled_lines += 1,
        }
    }
}

fn apply(line: &Line, history: &mut History) {
    history.saw(line.at());
    for (key, charged) in line.charges() {
        history.charge(key, charged);
    }
    for (key, charged) in line.given_back() {
        history.refund(key, charged);
    }
}
