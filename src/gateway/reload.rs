//! Puts edits of the configuration, policies and grants in force while calls go on.
//!
//! It never puts a broken edit in place: the old state stays, and the log and `toolgate_reloads_total` say so.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use super::{Materials, Shared, Snapshot};
use crate::config::{Config, ConfigError};
use crate::sessions::Sessions;
use crate::store::Version;
use crate::upstream::Server;

/// How often files and the store are looked at: an edit is in force within half a second without any signal.
const EVERY: Duration = Duration::from_millis(250);

/// Reads the configuration again.
pub type Load = Box<dyn Fn() -> Result<Config, ConfigError> + Send>;

/// Notices edits and builds the next snapshot.
pub struct Reloader {
    shared: Arc<Shared>,
    sessions: Arc<Sessions>,
    operator: tokio::runtime::Handle,
    listen: SocketAddr,
    load: Load,
    config: Config,
    files: BTreeMap<PathBuf, Option<(SystemTime, u64)>>,
    store: Option<Version>,
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloader").finish_non_exhaustive()
    }
}

/// What a reloader starts from.
pub struct Start {
    /// The sessions of all stdio servers.
    pub sessions: Arc<Sessions>,
    /// The runtime that looks after child processes.
    pub operator: tokio::runtime::Handle,
    /// The address that agents connect to.
    pub listen: SocketAddr,
    /// The configuration in force.
    pub config: Config,
    /// Reads it again.
    pub load: Load,
}

impl std::fmt::Debug for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Start").finish_non_exhaustive()
    }
}

impl Reloader {
    /// A reloader for the configuration that is in force now.
    pub fn new(shared: Arc<Shared>, start: Start) -> Reloader {
        let Start {
            sessions,
            operator,
            listen,
            config,
            load,
        } = start;
        let mut reloader = Reloader {
            shared,
            sessions,
            operator,
            listen,
            load,
            config,
            files: BTreeMap::new(),
            store: None,
        };
        reloader.files = reloader.stamps();
        reloader.store = reloader.shared.store.version().wait().ok();
        reloader
    }

    /// Looks for edits, or reloads in any case if `hangup`. Returns the servers that are to be stopped. Blocks.
    fn look(&mut self, reason: Reason) -> Vec<Server> {
        let stamps = self.stamps();
        let version = self.shared.store.version().wait().ok();
        let files_changed = stamps != self.files || reason == Reason::Hangup;
        if !files_changed && version == self.store {
            return Vec::new();
        }
        self.files = stamps;
        self.store = version;
        if files_changed {
            match (self.load)() {
                Ok(config) => self.config = config,
                Err(error) => return self.refused(&error),
            }
            // A new configuration may name other files.
            self.files = self.stamps();
        }
        self.apply()
    }

    fn apply(&mut self) -> Vec<Server> {
        let rows = match self.shared.store.grants().wait() {
            Ok(rows) => rows,
            Err(error) => return self.refused(&error),
        };
        let before = self.shared.snapshot.load_full();
        let materials = Materials {
            rows: &rows,
            counters: &self.shared.counters,
            metrics: &self.shared.metrics,
            sessions: &self.sessions,
            operator: &self.operator,
            listen: self.listen,
            before: Some(&before),
        };
        match Snapshot::new(&self.config, materials) {
            Ok(next) => {
                let gone = before.gone_in(&next);
                tracing::info!(
                    grants = next.grants.len(),
                    servers = self.config.servers.len(),
                    "reloaded"
                );
                self.shared.snapshot.store(Arc::new(next));
                self.shared.metrics.reloads_applied.increment(1);
                gone
            }
            Err(error) => self.refused(&error),
        }
    }

    fn refused(&self, error: &dyn std::error::Error) -> Vec<Server> {
        let error = super::passthrough::chain(error);
        tracing::error!(
            error,
            "an edit was refused; what was in force before goes on"
        );
        self.shared.metrics.reloads_refused.increment(1);
        Vec::new()
    }

    fn stamps(&self) -> BTreeMap<PathBuf, Option<(SystemTime, u64)>> {
        let stamp = |file: &PathBuf| {
            let meta = std::fs::metadata(file).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        };
        self.config
            .files
            .iter()
            .map(|file| (file.clone(), stamp(file)))
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Tick,
    Hangup,
}

/// Looks for edits until the gateway drains; `hangup` is notified on SIGHUP.
pub async fn watch(mut reloader: Reloader, hangup: Arc<Notify>) {
    let draining = reloader.shared.stopping.draining.clone();
    loop {
        let reason = tokio::select! {
            () = tokio::time::sleep(EVERY) => Reason::Tick,
            () = hangup.notified() => Reason::Hangup,
            () = draining.cancelled() => return,
        };
        let looked = tokio::task::spawn_blocking(move || {
            let gone = reloader.look(reason);
            (reloader, gone)
        });
        let Ok((back, gone)) = looked.await else {
            tracing::error!("reloading failed; edits are not noticed any more");
            return;
        };
        reloader = back;
        for server in gone {
            server.stop().await;
        }
    }
}
