//! The journal's files: `DATA/journal/<worker>-<segment>.jsonl`, each at most a little over 64 MiB.
//!
//! They never have a line that was acknowledged after bytes that were not: what could be written only in part is cut
//! off again, and where even that fails, the next segment begins by saying where this one ends. A file of which the disk
//! once refused a part is never gone on with behind what was acknowledged: after a failed sync the system takes the pages
//! for clean, and the next sync would say that all is well.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::line::{self, Cut};
use crate::store::Position;

/// A segment that has reached this length is not appended to any more. Small enough to be looked at and carried away,
/// large enough that a busy day makes tens of files, not thousands.
const SEGMENT_MAX: u64 = 64 << 20;

/// The number of a worker's first segment.
pub(super) const FIRST_SEGMENT: u32 = 1;

/// One worker's files, open at their end.
#[derive(Debug)]
pub(super) struct Segments {
    dir: Arc<Path>,
    worker: u32,
    segment: u32,
    /// `None` after a failure: the next line goes to a new segment.
    file: Option<Arc<File>>,
    /// Up to where all is acknowledged.
    length: u64,
    /// Bytes behind that which are written and may still be lost.
    pending: u64,
    /// Whether the folder may not have the file's name on the disk yet.
    is_new: bool,
    /// What the next segment must begin with, until that is acknowledged.
    cuts: Vec<Cut>,
}

/// Whether what is acknowledged was synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Synced {
    Yes,
    No,
}

/// What must reach the disk before the last write counts there.
#[derive(Debug)]
pub(super) struct Unsynced {
    file: Arc<File>,
    /// The folder, where the file may be new in it.
    pub(super) folder: Option<Arc<Path>>,
}

impl Unsynced {
    /// Returns once the disk has it. It blocks.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        self.folder.as_deref().map_or(Ok(()), sync_folder)
    }
}

/// Returns once the disk has the names of the files in a folder. It blocks.
pub(super) fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
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
            segment: FIRST_SEGMENT - 1,
            file: None,
            length: 0,
            pending: 0,
            is_new: true,
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
                segments.file = Some(Arc::new(file));
            }
            None => segments.begin().map(drop)?,
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

    /// Writes all of `lines` with one write, or none of them. To be acknowledged or abandoned before the next.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<Unsynced> {
        let file = match &self.file {
            Some(file) if self.length < SEGMENT_MAX => file.clone(),
            _ => self.begin()?,
        };
        let mut first = Vec::new();
        if self.length == 0 {
            self.cuts.iter().for_each(|&cut| line::cut(&mut first, cut));
        }
        let lines = match first.is_empty() {
            true => lines,
            false => {
                first.extend(lines);
                &first
            }
        };
        if let Err(error) = (&*file).write_all(lines) {
            if file.set_len(self.length).is_err() {
                self.leave();
            }
            return Err(error);
        }
        self.pending = lines.len() as u64;
        Ok(Unsynced {
            folder: self.is_new.then(|| self.dir.clone()),
            file,
        })
    }

    /// What was written last counts.
    pub(super) fn acknowledge(&mut self, synced: Synced) {
        self.is_new &= synced == Synced::No;
        if self.length == 0 {
            self.cuts.clear();
        }
        self.length += std::mem::take(&mut self.pending);
    }

    /// What was written last does not count: the disk refused it. The file is not gone on with, except where nothing of
    /// it was acknowledged: it then begins anew, so that a disk that goes on failing is not filled with files.
    pub(super) fn abandon(&mut self) {
        self.pending = 0;
        let Some(file) = &self.file else {
            return;
        };
        // The cut may itself not reach the disk: the next segment tells of it in any case.
        let is_cut = file.set_len(self.length).is_ok();
        if !is_cut || self.length > 0 {
            self.leave();
        }
    }

    fn leave(&mut self) {
        self.file = None;
        self.cuts.push(Cut {
            segment: self.segment,
            length: self.length,
        });
    }

    fn begin(&mut self) -> io::Result<Arc<File>> {
        let segment = self.segment + 1;
        let mut options = OpenOptions::new();
        let options = options.append(true).create_new(true).mode(0o600);
        let worker = self.worker;
        let file = Arc::new(options.open(Number { worker, segment }.path(&self.dir))?);
        self.segment = segment;
        self.length = 0;
        self.is_new = true;
        self.file = Some(file.clone());
        Ok(file)
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
