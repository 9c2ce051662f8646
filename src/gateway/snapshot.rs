//! What the gateway goes by at one moment: settings, servers, grants.
//!
//! It never changes: a reload makes another and puts it in place, so that a call is judged by one state, never by two.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::definitions::Turn;
use crate::config::{Config, Settings};
use crate::counters::Counters;
use crate::grants::{Counting, Grants};
use crate::record::{Metrics, ServerMetrics};
use crate::sessions::Sessions;
use crate::store::{KeptReset, Roster};
use crate::upstream::{self, ForwardError, ServerFlaw, ServerSpec};

/// The label of an upstream that refused the gateway's own credential.
pub(super) const UNAUTHORIZED: &str = "unauthorized";
/// All labels of `toolgate_upstream_errors_total`.
const ERRORS: [&str; ForwardError::LABELS.len() + 1] = {
    let mut all = [UNAUTHORIZED; ForwardError::LABELS.len() + 1];
    let mut at = 0;
    while at < ForwardError::LABELS.len() {
        all[at] = ForwardError::LABELS[at];
        at += 1;
    }
    all
};

/// One state of the gateway.
#[derive(Debug)]
pub struct Snapshot {
    /// Bounds and names that hold for every request.
    pub settings: Settings,
    pub(super) servers: HashMap<Box<str>, Arc<Server>>,
    /// Who may call.
    pub grants: Arc<Grants>,
    /// The resets of limits that it goes by.
    resets: Vec<KeptReset>,
    hosts: Vec<String>,
}

/// One server, and what is measured of it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) spec: Arc<ServerSpec>,
    pub(super) upstream: upstream::Server,
    pub(super) metrics: ServerMetrics,
    pub(super) turn: Turn,
}

/// What a snapshot is made from, besides the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Materials<'a> {
    /// The store's grants, and which of their limits were reset.
    pub roster: &'a Roster,
    /// The counters, which outlive every snapshot.
    pub counters: &'a Counters,
    /// Where figures go.
    pub metrics: &'a Metrics,
    /// The sessions of all stdio servers.
    pub sessions: &'a Arc<Sessions>,
    /// The runtime that looks after child processes.
    pub operator: &'a tokio::runtime::Handle,
    /// The address that agents connect to.
    pub listen: SocketAddr,
    /// The snapshot before this one.
    pub before: Option<&'a Snapshot>,
}

impl Snapshot {
    /// Puts a checked configuration and the store's grants together. Servers that did not change keep their connections
    /// and processes.
    pub fn new(config: &Config, from: Materials<'_>) -> Result<Snapshot, ServerFlaw> {
        let mut servers = HashMap::new();
        for (name, spec) in &config.servers {
            let known = from.before.and_then(|before| before.servers.get(name));
            let server = match known.filter(|known| known.spec == *spec) {
                Some(known) => known.clone(),
                None => Arc::new(Server {
                    spec: spec.clone(),
                    upstream: upstream::Server::new(
                        (**spec).clone(),
                        from.sessions.clone(),
                        from.operator,
                    )?,
                    metrics: ServerMetrics::new(from.metrics, name, &ERRORS),
                    turn: Turn::default(),
                }),
            };
            servers.insert(name.clone(), server);
        }
        let times = config.servers.iter();
        let calls = times.map(|(name, spec)| (name.clone(), spec.times.call));
        let counting = Counting {
            counters: from.counters,
            calls: &calls.collect(),
            guard: config.settings.guard,
            before: from.before.map(|before| &*before.grants),
        };
        Ok(Snapshot {
            settings: config.settings.clone(),
            servers,
            grants: Arc::new(Grants::build(from.roster, &config.grants, counting)),
            resets: from.roster.resets.clone(),
            hosts: hosts(from.listen),
        })
    }

    /// Servers of this snapshot that `next` does not have any more: to be stopped once `next` is in place.
    pub fn gone_in(&self, next: &Snapshot) -> Vec<upstream::Server> {
        let is_gone = |(name, server): &(&Box<str>, &Arc<Server>)| {
            !next
                .servers
                .get(*name)
                .is_some_and(|kept| Arc::ptr_eq(kept, server))
        };
        self.servers
            .iter()
            .filter(is_gone)
            .map(|(_, server)| server.upstream.clone())
            .collect()
    }

    /// Resets of limits that `next` goes by and this one did not.
    pub(super) fn resets_new_in<'n>(
        &self,
        next: &'n Snapshot,
    ) -> impl Iterator<Item = &'n KeptReset> {
        let is_new = |reset: &&KeptReset| !self.resets.contains(reset);
        next.resets.iter().filter(is_new)
    }

    /// All servers.
    pub fn upstreams(&self) -> Vec<upstream::Server> {
        self.servers
            .values()
            .map(|server| server.upstream.clone())
            .collect()
    }

    /// Whether requests for this `Host` are served (DNS rebinding: a page may give a name of its own to this address).
    pub(super) fn serves_host(&self, host: &str) -> bool {
        let name = without_port(host);
        let own = self.hosts.iter().any(|own| name.eq_ignore_ascii_case(own));
        own || self.settings.hosts.iter().any(|extra| {
            extra == "*" || extra.eq_ignore_ascii_case(host) || extra.eq_ignore_ascii_case(name)
        })
    }

    /// Whether a page of this origin may call.
    pub(super) fn serves_origin(&self, origin: &str) -> bool {
        self.settings
            .origins
            .iter()
            .any(|extra| extra == "*" || extra.eq_ignore_ascii_case(origin))
    }
}

fn hosts(listen: SocketAddr) -> Vec<String> {
    let own = match listen {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    };
    vec!["localhost".into(), "127.0.0.1".into(), "[::1]".into(), own]
}

/// The host of `host`, `host:port` or `[v6]:port`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_from_its_port() {
        for (host, name) in [
            ("localhost", "localhost"),
            ("localhost:7080", "localhost"),
            ("[::1]:7080", "[::1]"),
            ("[::1]", "[::1]"),
            ("localhost.:7080", "localhost."),
            ("a:b", "a:b"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
