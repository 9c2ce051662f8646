//! A connection that only reads, for commands that look at a store which may belong to a running gateway.
//!
//! It never makes a file, not even those that SQLite keeps beside a database while it is open.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{BUSY_WAIT, Database, Kept, MIGRATIONS};
use crate::store::{Store, StoreError};

impl Database {
    pub(in crate::store) fn open_to_read(path: PathBuf) -> Result<Database, StoreError> {
        if let Err(source) = std::fs::metadata(&path) {
            return Err(StoreError::Folder { path, source });
        }
        let (connection, found) = opened(&path).map_err(|source| StoreError::Open {
            path: path.clone(),
            source,
        })?;
        let known = MIGRATIONS.len() as i64;
        match found {
            _ if found > known => Err(StoreError::TooNew { path, found, known }),
            _ if found < known => Err(StoreError::TooOld { path, found, known }),
            _ => Ok(Database {
                connection,
                path,
                changes: 0,
            }),
        }
    }
}

/// Where nobody has the database open, SQLite is told that nobody will: else it would make its side files and, being
/// allowed to read only, leave them behind.
fn opened(path: &Path) -> Kept<(Connection, i64)> {
    let is_in_use = path.parent().is_some_and(Store::is_in_use);
    let options = if is_in_use { "" } else { "?immutable=1" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(format!("file:{}{options}", escaped(path)), flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    let form = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((connection, form))
}

/// The path as a part of a URI.
fn escaped(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes().iter();
    let escaped = bytes.map(|&byte| match byte {
        b'/' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    escaped.collect()
}
