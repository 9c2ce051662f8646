//! The data folder, opened: lock, store, clock, counters as the journal tells.
//!
//! It never opens a folder that another gateway uses: two would each admit a full limit.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use super::terminal::CliError;
use crate::catalogue::{Catalogue, Known};
use crate::clock::{Anchor, Clock};
use crate::config::{Config, Settings};
use crate::counters::{Counters, Secret};
use crate::gateway::{Bodies, Materials, Parked, Shared, Snapshot, Stopping, UnderWay};
use crate::record::{self, Metrics};
use crate::sessions::{Clients, SESSIONS_MAX, Sessions};
use crate::store::{DataLock, Position, Roster, Store};

/// How often samples are moved into buckets, idle counters are let go and the journal's tail is looked at.
const UPKEEP: Duration = Duration::from_secs(5);

/// What a run brings with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    /// The sessions of all stdio servers.
    pub(super) sessions: &'a Arc<Sessions>,
    /// The runtime that looks after child processes.
    pub(super) operator: &'a Handle,
    /// Where agents connect.
    pub(super) listen: SocketAddr,
}

/// What outlives a run.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) counters: Arc<Counters>,
    pub(super) journal: PathBuf,
    /// Up to where the last snapshot of the counters tells.
    pub(super) kept: Vec<Position>,
    _lock: DataLock,
}

impl Ledger {
    /// Opens the folder, makes it if it is not there, and restores every window from the last snapshot and the journal.
    pub(super) fn open(dir: &Path, settings: &Settings) -> Result<Ledger, CliError> {
        let lock = DataLock::take(dir).map_err(CliError::failed)?;
        let store = Store::open(dir).map_err(CliError::failed)?;
        let journal = dir.join("journal");
        let replayed = record::replay(&store, &journal).map_err(CliError::failed)?;
        let kept = store.anchor().wait().map_err(CliError::failed)?;
        let anchor = Anchor::place(kept, replayed.history.newest());
        store
            .save_anchor(anchor.clone())
            .wait()
            .map_err(CliError::failed)?;
        let secret = secret(&store)?;
        let counters = Counters::restored(&replayed.history, settings.counters, secret);
        record::begin(&journal, workers(settings)).map_err(CliError::failed)?;
        let kept = record::compact(&store, &journal, &[]).map_err(CliError::failed)?;
        Ok(Ledger {
            store,
            clock: Clock::machine(&anchor),
            counters: Arc::new(counters),
            journal,
            kept,
            _lock: lock,
        })
    }

    /// What all workers share, for a configuration and the grants of the roster.
    pub(super) fn shared(
        &self,
        config: &Config,
        roster: &Roster,
        around: Around<'_>,
    ) -> Result<Arc<Shared>, CliError> {
        let metrics = Arc::new(Metrics::new());
        let materials = Materials {
            roster,
            counters: &self.counters,
            metrics: &metrics,
            sessions: around.sessions,
            operator: around.operator,
            listen: around.listen,
            before: None,
        };
        let snapshot = Snapshot::new(config, materials).map_err(CliError::failed)?;
        Ok(Arc::new(Shared {
            snapshot: ArcSwap::from_pointee(snapshot),
            counters: self.counters.clone(),
            catalogue: self.catalogue(config.servers.keys()),
            clients: Clients::new(SESSIONS_MAX),
            metrics,
            clock: self.clock.clone(),
            store: self.store.clone(),
            bodies: Bodies::default(),
            parked: Parked::default(),
            under_way: UnderWay::default(),
            stopping: Stopping::default(),
        }))
    }

    /// What the servers listed in earlier runs.
    fn catalogue<'a>(&self, servers: impl Iterator<Item = &'a Box<str>>) -> Catalogue {
        let kept = |server: &'a Box<str>| {
            let kept = self.store.catalogue(server).wait().ok()??;
            Some((server.clone(), Known::read(&kept.tools)?))
        };
        Catalogue::restored(servers.filter_map(kept))
    }

    /// Keeps the counters at a clean end, so that the next start has no journal to read.
    pub(super) fn close(self) -> Result<(), CliError> {
        record::compact(&self.store, &self.journal, &[]).map_err(CliError::failed)?;
        Ok(())
    }
}

/// How many journals there will be.
fn workers(settings: &Settings) -> NonZeroU32 {
    let workers = u32::try_from(settings.workers).ok();
    workers.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

/// Housekeeping beside the data path.
pub(super) async fn upkeep(
    shared: Arc<Shared>,
    journal: PathBuf,
    (progress, mut kept): (Vec<record::Progress>, Vec<Position>),
) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        shared.metrics.run_upkeep();
        shared.counters.sweep(shared.clock.now());
        let written: Vec<_> = progress.iter().map(record::Progress::written).collect();
        if record::tail(&kept, &written) < record::TAIL_MAX {
            continue;
        }
        let (store, dir) = (shared.store.clone(), journal.clone());
        match tokio::task::spawn_blocking(move || record::compact(&store, &dir, &written)).await {
            Ok(Ok(positions)) => kept = positions,
            Ok(Err(error)) => {
                tracing::error!(%error, "the counters could not be kept; a restart reads more journal")
            }
            Err(error) => tracing::error!(%error, "keeping the counters failed"),
        }
    }
}

/// The secret behind the counters' keys: another one would name other counters.
fn secret(store: &Store) -> Result<Secret, CliError> {
    let mut fresh = [0; 32];
    getrandom::fill(&mut fresh).map_err(CliError::failed)?;
    let kept = store
        .counters_secret(fresh)
        .wait()
        .map_err(CliError::failed)?;
    Ok(Secret::from_bytes(kept))
}
