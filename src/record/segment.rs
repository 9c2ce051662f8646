//! The journal's files: `DATA/journal/<worker>-<segment>.jsonl`, each at most a little over 64 MiB.
//!
//! They never have a line that was acknowledged after bytes that were not: what could be written only in part is cut
//! off again, and where even that fails, the next segment begins by saying where this one ends.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::line::{self, Cut};
use crate::store::Position;

/// A segment that has reached this length is not appended to any more. Small enough to be looked at and carried away,
/// large enough that a busy day makes tens of files, not thousands.
const SEGMENT_MAX: u64 = 64 << 20;

/// One worker's files, open at their end.
#[derive(Debug)]
pub(super) struct Segments {
    dir: PathBuf,
    worker: u32,
    segment: u32,
    /// `None` after a failure: the next line goes to a new segment.
    file: Option<File>,
    length: u64,
    cuts: Vec<Cut>,
}

impl Segments {
    /// Opens the worker's last segment behind its last whole line, or a first one. A torn line was never acknowledged.
    pub(super) fn open(dir: &Path, worker: u32) -> io::Result<Segments> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let last = list(dir)?
            .remove(&worker)
            .and_then(|mut segments| segments.pop_last());
        let mut segments = Segments {
            dir: dir.into(),
            worker,
            segment: 0,
            file: None,
            length: 0,
            cuts: Vec::new(),
        };
        match last {
            Some((segment, path)) => {
                let mut options = OpenOptions::new();
                let mut file = options.read(true).append(true).open(path)?;
                segments.segment = segment;
                segments.length = whole_lines(&mut file)?;
                if file.metadata()?.len() > segments.length {
                    file.set_len(segments.length)?;
                }
                segments.file = Some(file);
            }
            None => segments.begin()?,
        }
        Ok(segments)
    }

    /// Up to where everything was acknowledged.
    pub(super) fn position(&self) -> Position {
        Position {
            worker: self.worker,
            segment: self.segment,
            offset: self.length,
        }
    }

    /// Writes all of `lines` with one write, or none of them.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.file.is_none() || self.length >= SEGMENT_MAX {
            self.begin()?;
        }
        self.write(lines)
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut();
        let file = file.ok_or_else(|| io::Error::from(ErrorKind::NotFound))?;
        let written = file.write_all(lines);
        if written.is_ok() {
            self.length += lines.len() as u64;
        } else if file.set_len(self.length).is_err() {
            self.file = None;
            self.cuts.push(Cut {
                segment: self.segment,
                length: self.length,
            });
        }
        written
    }

    fn begin(&mut self) -> io::Result<()> {
        let segment = self.segment + 1;
        let mut options = OpenOptions::new();
        let options = options.append(true).create_new(true).mode(0o600);
        let worker = self.worker;
        let file = options.open(Number { worker, segment }.path(&self.dir))?;
        self.segment = segment;
        self.length = 0;
        self.file = Some(file);
        let mut lines = Vec::new();
        for &cut in &self.cuts {
            line::cut(&mut lines, cut);
        }
        if let Err(error) = self.write(&lines) {
            // Without its first lines it must not be used.
            self.file = None;
            return Err(error);
        }
        self.cuts.clear();
        Ok(())
    }
}

/// Which segment of which worker's journal; it prints as the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) worker: u32,
    pub(super) segment: u32,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08}.jsonl", self.worker, self.segment)
    }
}

impl Number {
    /// Reads what `Display` writes; other files are none of ours.
    fn of_file(name: &str) -> Option<Number> {
        let (worker, segment) = name.strip_suffix(".jsonl")?.split_once('-')?;
        let number = Number {
            worker: worker.parse().ok()?,
            segment: segment.parse().ok()?,
        };
        (number.to_string() == name).then_some(number)
    }

    /// The file in the journal's folder.
    pub(super) fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.to_string())
    }
}

/// All segments there are, by worker and number. A folder that is not there has none; other files are left alone.
pub(super) fn list(dir: &Path) -> io::Result<BTreeMap<u32, BTreeMap<u32, PathBuf>>> {
    let mut found: BTreeMap<u32, BTreeMap<u32, PathBuf>> = BTreeMap::new();
    let files = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        files => files?,
    };
    for file in files {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(number) = name.and_then(Number::of_file) {
            let segments = found.entry(number.worker).or_default();
            segments.insert(number.segment, path);
        }
    }
    Ok(found)
}

/// How many bytes of the file are whole lines.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(64 << 10);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        file.take(end - start).read_to_end(&mut block)?;
        if let Some(last) = memchr::memrchr(b'\n', &block) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
