//! Keeps what outlives the process, in one SQLite file in the data folder.
//!
//! It never decides anything and never runs on a caller's thread: one thread owns the database, callers send it one
//! closed set of messages through a bounded mailbox and wait for the reply, blocking or not. Once a reply is there the disk
//! has what was kept, whatever the gateway's `durability` says of its journal.

mod database;
mod folder;
mod kept;
mod reply;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

use crate::clock::{Anchor, Timestamp};
use database::{Database, Message};

pub use folder::DataLock;
pub use kept::{
    KeptCatalogue, KeptCounters, KeptGrant, KeptReset, Position, Roster, Version, WhichLimits,
};
pub use reply::Reply;

/// How many messages may wait. The gateway sends a handful a second; more than this means that the disk stands still.
const MAILBOX: usize = 64;

/// What went wrong while keeping or finding something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data folder or a file in it cannot be made or opened.
    #[error(
        "cannot open {path}: check that the folder exists and belongs to the user who runs toolgate"
    )]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another gateway works in the same folder.
    #[error(
        "{path} is in use by another toolgate: stop that one, or give this one a data folder of its own"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file is not a database, or not one that can be opened.
    #[error(
        "cannot open the store {path}: if the file is damaged, restore it from a backup or move it away"
    )]
    Open {
        /// The database file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The database was written by a later toolgate.
    #[error(
        "the store {path} has form {found}, this toolgate knows forms up to {known}: run the newer toolgate, or restore a backup"
    )]
    TooNew {
        /// The database file.
        path: PathBuf,
        /// The form of the file.
        found: i64,
        /// The newest form this program knows.
        known: i64,
    },
    /// The database was written by an earlier toolgate, and may only be read.
    #[error(
        "the store {path} has form {found}, this toolgate reads form {known}: start the gateway with this toolgate once, which brings the store up to date"
    )]
    TooOld {
        /// The database file.
        path: PathBuf,
        /// The form of the file.
        found: i64,
        /// The form that this program reads.
        known: i64,
    },
    /// A statement failed, for want of space perhaps.
    #[error("the store {path} cannot {doing}: check the disk's free space and health")]
    Statement {
        /// The database file.
        path: PathBuf,
        /// What it was to do, such as `insert a grant`.
        doing: &'static str,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The mailbox is full.
    #[error("the store has too much to do: its disk is too slow, try again later")]
    Busy,
    /// The store's thread has ended, after a panic or while the program ends.
    #[error("the store is closed")]
    Closed,
}

/// The store. Cheap to clone; the database closes when the last clone is dropped and the mailbox is empty.
#[derive(Debug, Clone)]
pub struct Store {
    mailbox: SyncSender<Message>,
}

impl Store {
    /// Opens the store in `dir`, or makes both, readable by their owner only; brings an older form up to date.
    ///
    /// It takes no lock: `serve` takes a [`DataLock`] first, and the commands that mint or revoke grants work beside it.
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        folder::make(dir)?;
        Store::start(Database::open(dir.join("toolgate.db"))?, dir)
    }

    /// Opens a store that is there to read from it, beside a running gateway or without one. Nothing in the folder is
    /// made, changed or locked by it; whatever would keep something fails.
    ///
    /// Where nobody had the store open ([`Store::is_in_use`]), somebody may begin to write it meanwhile: ask again
    /// after reading, and if that is so read again.
    pub fn open_to_read(dir: &Path) -> Result<Store, StoreError> {
        Store::start(Database::open_to_read(dir.join("toolgate.db"))?, dir)
    }

    /// Whether a process has the store in `dir` open, or ended without closing it.
    pub fn is_in_use(dir: &Path) -> bool {
        // SQLite makes it with the first connection, and the last one that closes removes it.
        dir.join("toolgate.db-wal").exists()
    }

    fn start(database: Database, dir: &Path) -> Result<Store, StoreError> {
        let (mailbox, messages) = sync_channel(MAILBOX);
        thread::Builder::new()
            .name("store".into())
            .spawn(move || database.serve(&messages))
            .map_err(|source| StoreError::Folder {
                path: dir.into(),
                source,
            })?;
        Ok(Store { mailbox })
    }

    /// Keeps a new grant. Fails if the id or the token's hash is there already.
    pub fn insert_grant(&self, grant: KeptGrant) -> Reply<()> {
        self.send(|to| Message::InsertGrant(Box::new(grant), to))
    }

    /// Marks a grant as revoked at `at`; `false` if there is no such grant or it was revoked before.
    pub fn revoke_grant(&self, id: &str, at: Timestamp) -> Reply<bool> {
        self.send(|to| Message::RevokeGrant(id.into(), at, to))
    }

    /// All grants, revoked ones too, the oldest first.
    pub fn grants(&self) -> Reply<Vec<KeptGrant>> {
        self.send(Message::Grants)
    }

    /// All grants and all resets of limits, as they were at one moment.
    pub fn roster(&self) -> Reply<Roster> {
        self.send(Message::Roster)
    }

    /// Keeps that limits began anew. It is on the disk when the reply is there.
    pub fn reset_limits(&self, reset: KeptReset) -> Reply<()> {
        self.send(|to| Message::ResetLimits(reset, to))
    }

    /// Changes whenever grants or resets may have changed, by this process or by another. Cheap enough for four times a second.
    pub fn version(&self) -> Reply<Version> {
        self.send(Message::Version)
    }

    /// Where the timeline was placed last.
    pub fn anchor(&self) -> Reply<Option<Anchor>> {
        self.send(Message::Anchor)
    }

    /// Keeps where the timeline is placed.
    pub fn save_anchor(&self, anchor: Anchor) -> Reply<()> {
        self.send(|to| Message::SaveAnchor(anchor, to))
    }

    /// The counters as they were saved last; `None` before the first time.
    pub fn counters(&self) -> Reply<Option<KeptCounters>> {
        self.send(Message::Counters)
    }

    /// Replaces the counters and the places in the journal up to which they tell: both or neither.
    pub fn save_counters(&self, counters: KeptCounters) -> Reply<()> {
        self.send(|to| Message::SaveCounters(counters, to))
    }

    /// The secret behind the counters' keys; the first time `fresh` is kept and becomes it.
    pub fn counters_secret(&self, fresh: [u8; 32]) -> Reply<[u8; 32]> {
        self.send(|to| Message::CountersSecret(fresh, to))
    }

    /// What a server offered when it was last asked.
    pub fn catalogue(&self, server: &str) -> Reply<Option<KeptCatalogue>> {
        self.send(|to| Message::Catalogue(server.into(), to))
    }

    /// Keeps what a server offers, in place of what it offered before.
    pub fn save_catalogue(&self, catalogue: KeptCatalogue) -> Reply<()> {
        self.send(|to| Message::SaveCatalogue(catalogue, to))
    }

    fn send<T>(&self, message: impl FnOnce(reply::Sender<T>) -> Message) -> Reply<T> {
        let (to, reply) = reply::channel();
        match self.mailbox.try_send(message(to)) {
            Ok(()) => reply,
            Err(TrySendError::Full(_)) => Reply::failed(StoreError::Busy),
            Err(TrySendError::Disconnected(_)) => Reply::failed(StoreError::Closed),
        }
    }
}

#[cfg(test)]
mod tests;
