//! What one worker's journal tells after the snapshot.
//!
//! It never goes over a line that it cannot read, nor takes less for all: see [`super::replay`] for why.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::line::{Cut, Line};
use super::replay::{ReplayError, Replayed, failed};
use super::segment::{FIRST_SEGMENT, Number};
use crate::counters::History;
use crate::store::Position;

/// What one worker wrote after the snapshot.
pub(super) struct Tail<'a> {
    pub(super) dir: &'a Path,
    pub(super) worker: u32,
    /// Its segments that are there.
    pub(super) segments: &'a BTreeMap<u32, PathBuf>,
    /// Where the snapshot ends.
    pub(super) from: Option<Position>,
    /// Where to stop, if it may be writing.
    pub(super) to: Option<Position>,
}

impl Tail<'_> {
    /// Applies every line to the history, in order.
    pub(super) fn read(&self, into: &mut Replayed) -> Result<(), ReplayError> {
        // A worker of which the snapshot does not know began after it.
        let first = self.from.map_or(FIRST_SEGMENT, |from| from.segment);
        let last = self
            .segments
            .last_key_value()
            .map_or(first, |(&last, _)| last);
        let last = self.to.map_or(last, |to| to.segment).max(first);
        let cuts = self.cuts(first)?;
        for segment in first..=last {
            let end = match self.to {
                Some(to) if to.segment == segment => Some(to.offset),
                _ => cuts.get(&segment).copied(),
            };
            let end = match end {
                Some(end) => End::At(end),
                None if segment == last => End::AtLastWholeLine,
                None => End::OfFile,
            };
            let start = self.from.filter(|from| from.segment == segment);
            let start = start.map_or(0, |from| from.offset);
            let offset = self.read_segment(segment, (start, end), into)?;
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

    /// Reads a part of a segment; says where its last whole line ends.
    fn read_segment(
        &self,
        segment: u32,
        (start, end): (u64, End),
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
        let about = file.metadata().map_err(|source| failed(&path, source))?;
        let (length, expected) = (about.len(), end.at_least().max(start));
        if length < expected {
            return Err(ReplayError::Short {
                path,
                length,
                expected,
            });
        }
        let read = read_lines(file, start..end.at_most(), into);
        match read.map_err(|source| failed(&path, source))? {
            Read::To(offset) => Ok(offset),
            Read::Torn(offset) if end == End::AtLastWholeLine => Ok(offset),
            Read::Torn(offset) | Read::Garbled(offset) => {
                let line = line_at(&path, offset).map_err(|source| failed(&path, source))?;
                Err(ReplayError::Garbled { path, line })
            }
        }
    }
}

/// Where the acknowledged part of a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Here, and it must reach so far.
    At(u64),
    /// With the file: the worker went on in another one, and had then cut off what was torn.
    OfFile,
    /// With the last line that has an end: this is where the worker was when it ended.
    AtLastWholeLine,
}

impl End {
    fn at_least(self) -> u64 {
        match self {
            End::At(end) => end,
            End::OfFile | End::AtLastWholeLine => 0,
        }
    }

    fn at_most(self) -> u64 {
        match self {
            End::At(end) => end,
            End::OfFile | End::AtLastWholeLine => u64::MAX,
        }
    }
}

/// How far a part of a segment could be read: up to this byte.
enum Read {
    To(u64),
    /// What follows is a line without an end.
    Torn(u64),
    /// What follows is a line that cannot be read.
    Garbled(u64),
}

/// The number of the line that begins there, from 1.
fn line_at(path: &Path, offset: u64) -> io::Result<u64> {
    let before = BufReader::new(File::open(path)?.take(offset));
    let mut ends = 0;
    for line in before.split(b'\n') {
        line?;
        ends += 1;
    }
    Ok(ends + 1)
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

fn read_lines(mut file: File, part: std::ops::Range<u64>, into: &mut Replayed) -> io::Result<Read> {
    file.seek(SeekFrom::Start(part.start))?;
    let mut offset = part.start;
    let left = part.end.saturating_sub(offset);
    let mut file = BufReader::with_capacity(1 << 20, file.take(left));
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        file.read_until(b'\n', &mut bytes)?;
        match (bytes.last(), Line::parse(&bytes)) {
            (None, _) => return Ok(Read::To(offset)),
            (Some(b'\n'), Some(line)) => apply(&line, &mut into.history),
            (Some(b'\n'), None) => return Ok(Read::Garbled(offset)),
            (Some(_), _) => return Ok(Read::Torn(offset)),
        }
        offset += bytes.len() as u64;
    }
}

fn apply(line: &Line, history: &mut History) {
    history.saw(line.at());
    for (key, charged) in line.charges() {
        history.charge(key, charged);
    }
    for (key, opener) in line.opened() {
        history.opened(key, opener);
    }
    for (key, charged) in line.given_back() {
        history.refund(key, charged);
    }
}
