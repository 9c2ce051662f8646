//! The data folder: made for its owner only, and used by one gateway at a time.
//!
//! It never changes who may read a folder that is there already: that is its owner's choice.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::StoreError;

/// Keeps other gateways out of a data folder for as long as it lives. The system lets go of it when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the folder, or makes it; [`StoreError::InUse`] if another gateway has it.
    pub fn take(dir: &Path) -> Result<DataLock, StoreError> {
        make(dir)?;
        let path = dir.join("lock");
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(DataLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: dir.into() }),
            Err(TryLockError::Error(source)) => Err(failed(path, source)),
        }
    }
}

/// Makes the folder, with all above it, unless it is there.
pub(super) fn make(dir: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(dir).map_err(|source| failed(dir, source))
}

/// Opens a file, or makes it, readable by its owner only.
pub(super) fn open(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    options.open(path).map_err(|source| failed(path, source))
}

fn failed(path: impl Into<PathBuf>, source: std::io::Error) -> StoreError {
    StoreError::Folder {
        path: path.into(),
        source,
    }
}
