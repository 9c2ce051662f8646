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
use crate::record;
use crate::sessions::Sessions;
use crate::store::{KeptReset, Store, Version};
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
    seen: Seen,
}

/// What was looked at, so that a later look notices edits. To be taken before the reading, never after it: an edit in
/// between would go unnoticed.
#[derive(Debug, PartialEq)]
pub struct Seen {
    files: BTreeMap<PathBuf, Option<(SystemTime, u64)>>,
    store: Option<Version>,
}

impl Seen {
    /// How these files and the store are now.
    pub fn now(files: &[PathBuf], store: &Store) -> Seen {
        let stamp = |file: &PathBuf| {
            let meta = std::fs::metadata(file).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        };
        Seen {
            files: files
                .iter()
                .map(|file| (file.clone(), stamp(file)))
                .collect(),
            store: store.version().wait().ok(),
        }
    }
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
    /// What was seen before it was read.
    pub seen: Seen,
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
            seen,
            load,
        } = start;
        Reloader {
            shared,
            sessions,
            operator,
            listen,
            load,
            config,
            seen,
        }
    }

    /// Looks for edits, or reloads in any case if `hangup`. Returns the servers that are to be stopped. Blocks.
    fn look(&mut self, reason: Reason) -> Vec<Server> {
        let now = Seen::now(&self.config.files, &self.shared.store);
        let files_changed = now.files != self.seen.files || reason == Reason::Hangup;
        if !files_changed && now == self.seen {
            return Vec::new();
        }
        self.seen = now;
        if files_changed {
            match (self.load)() {
                Ok(config) => {
                    for setting in config.needs_restart_for(&self.config) {
                        tracing::warn!(setting, "takes effect at the next start only");
                    }
                    self.config = config;
                }
                Err(error) => return self.refused(&error),
            }
            self.forget_other_files();
        }
        self.apply()
    }

    fn apply(&mut self) -> Vec<Server> {
        let roster = match self.shared.store.roster().wait() {
            Ok(roster) => roster,
            Err(error) => return self.refused(&error),
        };
        let before = self.shared.snapshot.load_full();
        let materials = Materials {
            roster: &roster,
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
                before.resets_new_in(&next).for_each(log);
                self.shared.snapshot.store(Arc::new(next));
                self.shared.metrics.reloads_applied.increment(1);
                gone.iter()
                    .for_each(|server| self.shared.catalogue.forget(server.name()));
                gone
            }
            Err(error) => self.refused(&error),
        }
    }

    fn refused(&self, error: &dyn std::error::Error) -> Vec<Server> {
        let error = record::chain(error);
        tracing::error!(
            error,
            "an edit was refused; what was in force before goes on"
        );
        self.shared.metrics.reloads_refused.increment(1);
        Vec::new()
    }

    /// A new configuration may name other files than those that were seen: they are looked at next time.
    fn forget_other_files(&mut self) {
        let seen = |file: &PathBuf| self.seen.files.get(file).copied().flatten();
        self.seen.files = self
            .config
            .files
            .iter()
            .map(|file| (file.clone(), seen(file)))
            .collect();
    }
}

/// An operator's act, for whoever asks later why a full limit had room again.
fn log(KeptReset { which, at, .. }: &KeptReset) {
    tracing::info!(
        grant = &*which.grant,
        server = which.server.as_deref().unwrap_or("(all)"),
        rule = which.rule.as_deref().unwrap_or("(all)"),
        %at,
        "limits reset"
    );
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
