//! What a data folder tells of grants and counters, read beside whoever writes it.
//!
//! It never writes there: no lock, no anchor, no snapshot, no file that SQLite would leave behind.

use std::collections::HashMap;
use std::path::Path;

use crate::catalogue::{Catalogue, Known};
use crate::cli::terminal::CliError;
use crate::clock::{Anchor, Clock, Timestamp};
use crate::config::Config;
use crate::counters::{Counters, Secret};
use crate::grants::{Counting, Grants};
use crate::record;
use crate::store::{Roster, Store, StoreError};

/// Grants, counters and time, as a gateway that starts now would find them.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) grants: Grants,
    pub(super) counters: Counters,
    pub(super) now: Timestamp,
    pub(super) catalogue: Catalogue,
}

impl Kept {
    /// Reads it all; once more where a gateway may have changed something on the way.
    pub(super) fn read(config: &Config) -> Result<Kept, CliError> {
        let was_in_use = Store::is_in_use(&config.data);
        match Kept::once(config) {
            Ok(kept) if was_in_use == Store::is_in_use(&config.data) => Ok(kept),
            _ => Kept::once(config),
        }
    }

    fn once(config: &Config) -> Result<Kept, CliError> {
        let store = Store::open_to_read(&config.data).map_err(CliError::failed)?;
        let replayed = record::replay(&store, &config.data.join("journal"));
        let replayed = replayed.map_err(CliError::failed)?;
        let told = told(&store).map_err(CliError::failed)?;
        let clock = Clock::machine(&Anchor::place(told.anchor, replayed.history.newest()));
        let secret = Secret::from_bytes(told.secret);
        let counters = Counters::restored(&replayed.history, config.settings.counters, secret);
        Ok(Kept {
            grants: grants(config, &told.roster, &counters),
            counters,
            now: clock.now(),
            catalogue: catalogue(&store, config),
        })
    }
}

struct Told {
    roster: Roster,
    anchor: Option<Anchor>,
    secret: [u8; 32],
}

fn told(store: &Store) -> Result<Told, StoreError> {
    Ok(Told {
        roster: store.roster().wait()?,
        anchor: store.anchor().wait()?,
        // A store without a secret has no counter that one could name.
        secret: store.counters_secret([0; 32]).wait()?,
    })
}

/// The grants that are in force.
pub(super) fn grants(config: &Config, roster: &Roster, counters: &Counters) -> Grants {
    let counting = Counting {
        counters,
        // Nothing is charged here.
        calls: &HashMap::new(),
        guard: config.settings.guard,
        before: None,
    };
    Grants::build(roster, &config.grants, counting)
}

/// What the servers listed when a gateway asked them last.
fn catalogue(store: &Store, config: &Config) -> Catalogue {
    let kept = |server: &Box<str>| {
        let kept = store.catalogue(server).wait().ok()??;
        Some((server.clone(), Known::read(&kept.tools)?))
    };
    Catalogue::restored(config.servers.keys().filter_map(kept))
}

/// Whether there is a store at all; commands make none for a question.
pub(super) fn exists(data: &Path) -> Result<(), CliError> {
    match data.join("toolgate.db").exists() {
        true => Ok(()),
        false => Err(CliError::unusable(format!(
            "{} has no store yet, and so no grants and no counters: `toolgate grant new` makes a grant; or name another folder with --data",
            data.display()
        ))),
    }
}
