//! The database and the thread that owns it.
//!
//! It never shares its connection; the commands that mint and revoke grants have their own, in their own process.

mod reading;
mod roster;

use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::kept::{KeptCatalogue, KeptCounters, KeptGrant, KeptReset, Position, Roster, Version};
use super::reply::Sender;
use super::{StoreError, folder};
use crate::clock::{Anchor, Timestamp};

/// How long another process may hold the database before a statement gives up.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// How long until a new database is asked again that somebody else was just making: that takes a few milliseconds.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Each brings the database from the form of its index to the next. What is published is never edited, only added to.
const MIGRATIONS: &[&str] = &["
CREATE TABLE grants (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE TABLE anchor (one INTEGER PRIMARY KEY CHECK (one = 1), boot_id TEXT NOT NULL, time_offset INTEGER NOT NULL) STRICT;
CREATE TABLE snapshot (one INTEGER PRIMARY KEY CHECK (one = 1), newest INTEGER NOT NULL) STRICT;
CREATE TABLE counters (key BLOB PRIMARY KEY NOT NULL, past BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE positions (worker INTEGER PRIMARY KEY NOT NULL, segment INTEGER NOT NULL, byte_offset INTEGER NOT NULL) STRICT;
CREATE TABLE catalogue (server TEXT PRIMARY KEY NOT NULL, tools TEXT NOT NULL, listed_at INTEGER NOT NULL) STRICT;
", "
CREATE TABLE secrets (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) STRICT;
", "
CREATE TABLE resets (
    grant_id TEXT NOT NULL, server TEXT NOT NULL, rule TEXT NOT NULL, times INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (grant_id, server, rule)
) STRICT, WITHOUT ROWID;
"];

/// All that the store can be asked.
#[derive(Debug)]
pub(super) enum Message {
    InsertGrant(Box<KeptGrant>, Sender<()>),
    RevokeGrant(Box<str>, Timestamp, Sender<bool>),
    Grants(Sender<Vec<KeptGrant>>),
    Roster(Sender<Roster>),
    ResetLimits(KeptReset, Sender<()>),
    Version(Sender<Version>),
    Anchor(Sender<Option<Anchor>>),
    SaveAnchor(Anchor, Sender<()>),
    Counters(Sender<Option<KeptCounters>>),
    SaveCounters(KeptCounters, Sender<()>),
    CountersSecret([u8; 32], Sender<[u8; 32]>),
    Catalogue(Box<str>, Sender<Option<KeptCatalogue>>),
    SaveCatalogue(KeptCatalogue, Sender<()>),
}

/// One connection.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    changes: u64,
}

type Kept<T> = rusqlite::Result<T>;

impl Database {
    pub(super) fn open(path: PathBuf) -> Result<Database, StoreError> {
        // SQLite gives its side files the mode of the database, so it is enough to make that one first.
        drop(folder::open(&path)?);
        let open = || -> Kept<(Connection, i64)> {
            let connection = Connection::open(&path)?;
            connection.busy_timeout(BUSY_WAIT)?;
            into_wal(&connection)?;
            // A power cut must not bring a revoked grant back to life, nor take the secret away that counters are named
            // by. There is a handful of writes a minute, so that a sync for each costs nothing.
            connection.pragma_update(None, "synchronous", "FULL")?;
            let form = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok((connection, form))
        };
        let (connection, found) = open().map_err(|source| StoreError::Open {
            path: path.clone(),
            source,
        })?;
        let known = MIGRATIONS.len() as i64;
        if found > known {
            return Err(StoreError::TooNew { path, found, known });
        }
        let mut database = Database {
            connection,
            path,
            changes: 0,
        };
        database
            .migrate()
            .map_err(|source| database.failed("bring its form up to date", source))?;
        Ok(database)
    }

    /// Two processes may open a new store at the same time: the form is read again under the write lock.
    fn migrate(&mut self) -> Kept<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let form: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        for migration in &MIGRATIONS[usize::try_from(form).unwrap_or(0)..] {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
        transaction.commit()
    }

    /// Answers messages until nobody can send one. A reply that nobody waits for is dropped.
    pub(super) fn serve(mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            self.answer(message);
        }
    }

    fn answer(&mut self, message: Message) {
        match message {
            Message::InsertGrant(grant, to) => {
                let done = self.insert_grant(&grant);
                self.reply(to, "insert a grant", done);
            }
            Message::RevokeGrant(id, at, to) => {
                let done = self.revoke_grant(&id, at);
                self.reply(to, "revoke a grant", done);
            }
            Message::Grants(to) => self.reply(to, "list the grants", self.grants()),
            Message::Roster(to) => {
                self.reply(to, "list the grants and resets", self.roster());
            }
            Message::ResetLimits(reset, to) => {
                let done = self.reset_limits(&reset);
                self.reply(to, "keep the reset of limits", done);
            }
            Message::Version(to) => self.reply(to, "tell its version", self.version()),
            Message::Anchor(to) => self.reply(to, "find the clock's anchor", self.anchor()),
            Message::SaveAnchor(anchor, to) => {
                self.reply(to, "keep the clock's anchor", self.save_anchor(&anchor));
            }
            Message::Counters(to) => self.reply(to, "find the counters", self.counters()),
            Message::SaveCounters(counters, to) => {
                let done = self.save_counters(&counters);
                self.reply(to, "keep the counters", done);
            }
            Message::CountersSecret(fresh, to) => {
                let found = self.counters_secret(fresh);
                self.reply(to, "keep the counters' secret", found);
            }
            Message::Catalogue(server, to) => {
                self.reply(to, "find a catalogue", self.catalogue(&server));
            }
            Message::SaveCatalogue(catalogue, to) => {
                self.reply(to, "keep a catalogue", self.save_catalogue(&catalogue));
            }
        }
    }

    fn reply<T>(&self, to: Sender<T>, doing: &'static str, done: Kept<T>) {
        let _nobody_waits = to.send(done.map_err(|source| self.failed(doing, source)));
    }

    fn failed(&self, doing: &'static str, source: rusqlite::Error) -> StoreError {
        StoreError::Statement {
            path: self.path.clone(),
            doing,
            source,
        }
    }

    fn insert_grant(&mut self, grant: &KeptGrant) -> Kept<()> {
        self.changes += 1;
        self.connection.execute(
            "INSERT INTO grants (id, name, token_hash, created_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                grant.id,
                grant.name,
                grant.token_hash,
                stored(grant.created_at),
                grant.revoked_at.map(stored)
            ],
        )?;
        Ok(())
    }

    fn revoke_grant(&mut self, id: &str, at: Timestamp) -> Kept<bool> {
        self.changes += 1;
        let revoked = self.connection.execute(
            "UPDATE grants SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
            params![id, stored(at)],
        )?;
        Ok(revoked > 0)
    }

    fn grants(&self) -> Kept<Vec<KeptGrant>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, name, token_hash, created_at, revoked_at FROM grants ORDER BY created_at, id",
        )?;
        let grants = statement.query_map([], |row| {
            Ok(KeptGrant {
                id: row.get(0)?,
                name: row.get(1)?,
                token_hash: row.get(2)?,
                created_at: time(row, 3)?,
                revoked_at: row.get::<_, Option<i64>>(4)?.map(found),
            })
        })?;
        grants.collect()
    }

    fn version(&self) -> Kept<Version> {
        let mut statement = self.connection.prepare_cached("PRAGMA data_version")?;
        Ok(Version {
            by_others: statement.query_row([], |row| row.get(0))?,
            by_us: self.changes,
        })
    }

    fn anchor(&self) -> Kept<Option<Anchor>> {
        let read = |row: &Row<'_>| {
            Ok(Anchor {
                boot_id: row.get(0)?,
                offset: row.get(1)?,
            })
        };
        self.connection
            .query_row("SELECT boot_id, time_offset FROM anchor", [], read)
            .optional()
    }

    fn save_anchor(&self, anchor: &Anchor) -> Kept<()> {
        self.connection.execute(
            "INSERT OR REPLACE INTO anchor (one, boot_id, time_offset) VALUES (1, ?1, ?2)",
            params![anchor.boot_id, anchor.offset],
        )?;
        Ok(())
    }

    fn counters(&self) -> Kept<Option<KeptCounters>> {
        let newest = self
            .connection
            .query_row("SELECT newest FROM snapshot", [], |row| time(row, 0))
            .optional()?;
        let Some(newest) = newest else {
            return Ok(None);
        };
        let mut counters = self.connection.prepare("SELECT key, past FROM counters")?;
        let counters = counters.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut positions = self
            .connection
            .prepare("SELECT worker, segment, byte_offset FROM positions ORDER BY worker")?;
        let positions = positions.query_map([], |row| {
            Ok(Position {
                worker: row.get(0)?,
                segment: row.get(1)?,
                offset: row.get::<_, i64>(2)?.cast_unsigned(),
            })
        })?;
        Ok(Some(KeptCounters {
            newest,
            counters: counters.collect::<Kept<_>>()?,
            positions: positions.collect::<Kept<_>>()?,
        }))
    }

    fn save_counters(&mut self, kept: &KeptCounters) -> Kept<()> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch("DELETE FROM counters; DELETE FROM positions;")?;
        transaction.execute(
            "INSERT OR REPLACE INTO snapshot (one, newest) VALUES (1, ?1)",
            params![stored(kept.newest)],
        )?;
        {
            let mut insert =
                transaction.prepare("INSERT INTO counters (key, past) VALUES (?1, ?2)")?;
            for (key, past) in &kept.counters {
                insert.execute(params![key, past])?;
            }
            let mut insert = transaction.prepare(
                "INSERT INTO positions (worker, segment, byte_offset) VALUES (?1, ?2, ?3)",
            )?;
            for Position {
                worker,
                segment,
                offset,
            } in &kept.positions
            {
                insert.execute(params![worker, segment, offset.cast_signed()])?;
            }
        }
        transaction.commit()
    }

    fn counters_secret(&self, fresh: [u8; 32]) -> Kept<[u8; 32]> {
        let find = || {
            let secret = "SELECT value FROM secrets WHERE name = 'counters'";
            let found = self.connection.query_row(secret, [], |row| row.get(0));
            found.optional()
        };
        if let Some(kept) = find()? {
            return Ok(kept);
        }
        if self.connection.is_readonly("main")? {
            // No gateway ever ran here: there is no counter that any secret could name.
            return Ok(fresh);
        }
        self.connection.execute(
            "INSERT OR IGNORE INTO secrets (name, value) VALUES ('counters', ?1)",
            params![fresh],
        )?;
        Ok(find()?.unwrap_or(fresh))
    }

    fn catalogue(&self, server: &str) -> Kept<Option<KeptCatalogue>> {
        let read = |row: &Row<'_>| {
            Ok(KeptCatalogue {
                server: server.into(),
                tools: row.get(0)?,
                listed_at: time(row, 1)?,
            })
        };
        self.connection
            .query_row(
                "SELECT tools, listed_at FROM catalogue WHERE server = ?1",
                [server],
                read,
            )
            .optional()
    }

    fn save_catalogue(&self, catalogue: &KeptCatalogue) -> Kept<()> {
        self.connection.execute(
            "INSERT OR REPLACE INTO catalogue (server, tools, listed_at) VALUES (?1, ?2, ?3)",
            params![
                catalogue.server,
                catalogue.tools,
                stored(catalogue.listed_at)
            ],
        )?;
        Ok(())
    }
}

/// Two connections that make a new database one with a log at the same time would wait for each other in a circle: SQLite
/// refuses one at once, without its busy time-out, and that one asks again.
fn into_wal(connection: &Connection) -> Kept<()> {
    let mode = || connection.pragma_update(None, "journal_mode", "WAL");
    let is_busy = |done: &Kept<()>| {
        let code = done
            .as_ref()
            .err()
            .and_then(rusqlite::Error::sqlite_error_code);
        code == Some(rusqlite::ErrorCode::DatabaseBusy)
    };
    let mut done = mode();
    let mut waited = Duration::ZERO;
    while is_busy(&done) && waited < BUSY_WAIT {
        std::thread::sleep(BUSY_PAUSE);
        waited += BUSY_PAUSE;
        done = mode();
    }
    done
}

/// SQLite has no unsigned numbers; the same bits are kept.
fn stored(time: Timestamp) -> i64 {
    time.nanos().cast_signed()
}

fn found(kept: i64) -> Timestamp {
    Timestamp::from_nanos(kept.cast_unsigned())
}

fn time(row: &Row<'_>, column: usize) -> Kept<Timestamp> {
    row.get(column).map(found)
}

#[cfg(test)]
impl Database {
    /// SQLite's `synchronous`: how sure a commit is of the disk.
    pub(super) fn synchronous(&self) -> i64 {
        let found = self
            .connection
            .pragma_query_value(None, "synchronous", |row| row.get(0));
        found.expect("a connection has this setting")
    }
}
