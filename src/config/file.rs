//! The TOML file: what may stand in it, and what each line means.
//!
//! It never ignores a key it does not know, and never uses a relative path from anywhere but the file's own folder.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use toml::Spanned;

use super::servers::Server;
use super::{
    ADMIN_DEFAULT, Config, ConfigError, ConfigMistake, DATA_DEFAULT, LISTEN_DEFAULT, Settings,
    load_policy,
};
use crate::counters::{Bounds, GuardSettings};
use crate::grants::Entitlement;
use crate::json::Position;
use crate::policy::Policy;
use crate::record::{Audit, Durability, Keeping};
use crate::upstream::ServerSpec;

/// The gateway's own settings. `servers`, `policies` and `grants` say who may do what; all else has a default.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "toolgate configuration")]
pub(super) struct File {
    /// Where agents connect. Default "127.0.0.1:7080".
    #[schemars(with = "Option<String>")]
    listen: Option<SocketAddr>,
    /// Where operators and Prometheus connect. Default "127.0.0.1:7081".
    #[schemars(with = "Option<String>")]
    admin: Option<SocketAddr>,
    /// The folder of the store and the journal. Default "toolgate-data", beside this file.
    data: Option<PathBuf>,
    /// Data-path threads. Default: one for each core.
    workers: Option<NonZeroUsize>,
    /// `Host` values served besides loopback names and the listen address; "*" serves all.
    #[serde(default)]
    hosts: Vec<String>,
    /// `Origin` values served besides the same host's.
    #[serde(default)]
    origins: Vec<String>,
    /// The longest request in bytes. Default 4194304.
    body_max_bytes: Option<NonZeroUsize>,
    /// All requests that are held at a time, in bytes. Default 536870912.
    bodies_max_bytes: Option<NonZeroUsize>,
    /// How long a request's body may take. Default 30.
    body_timeout_seconds: Option<NonZeroU64>,
    /// How long calls in flight may go on after SIGTERM. Default 10.
    drain_seconds: Option<u64>,
    /// How often a quiet event stream gets a comment. Default 15.
    sse_keep_alive_seconds: Option<NonZeroU64>,
    /// Connections from agents at a time. Default 10000.
    connections_max: Option<NonZeroUsize>,
    /// Counters of all limits at a time; beyond it new ones are refused, none is ever forgotten. Default 1000000.
    counters_max: Option<NonZeroUsize>,
    /// Counters that one grant opens by values of `by` and by sessions. Default 10000.
    counters_per_grant_max: Option<NonZeroUsize>,
    /// When a decision line counts as written: "write" (default) or "fsync". With "write" limits hold over any end of the
    /// process, but a power cut forgets the charges of about the last half minute; with "fsync" they hold over a power cut
    /// too, and each call waits for the disk.
    durability: Option<Durability>,
    /// Whether a call needs its line: "required" (default) or "best_effort". With "best_effort" a call neither waits for its
    /// line nor is refused where it cannot be written, and a crash may forget what was charged, so that a limit can be
    /// exceeded by as much.
    #[schemars(with = "Option<Audit>")]
    audit: Option<Spanned<Audit>>,
    /// Tool calls of one grant, whatever its policy says. Default 1000 a second, 2000 at once.
    guard: Option<Guard>,
    /// The MCP servers by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Server>")]
    servers: BTreeMap<Spanned<String>, Spanned<Server>>,
    /// Policy files by name, JSON or YAML; relative paths start at this file's folder.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, PathBuf>")]
    policies: BTreeMap<String, Spanned<PathBuf>>,
    /// What each kind of grant may reach.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Grant>")]
    grants: BTreeMap<Spanned<String>, Grant>,
}

/// The bucket that stops a runaway agent; one for each grant.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Guard {
    /// Calls a second in the long run.
    per_second: NonZeroU32,
    /// Calls at once.
    burst: NonZeroU32,
}

/// What one kind of grant may reach.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Grant {
    /// A policy for each server.
    #[schemars(with = "BTreeMap<String, String>")]
    servers: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// Whether results tell the agent, in `_meta`, what is left of the limits that its call was charged to. Default false.
    #[serde(default)]
    quota: bool,
}

/// The JSON Schema (2020-12) of the TOML file.
pub fn json_schema() -> Schema {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<File>()
}

pub(super) fn read(mut reading: Reading<'_>) -> Result<Config, ConfigError> {
    let text = reading.text;
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            reading.say(
                error.span().map_or(0, |span| span.start),
                error.message().to_owned(),
                remedy_for(&error),
            );
            return Err(ConfigError {
                mistakes: reading.mistakes,
            });
        }
    };
    let config = reading.config(file);
    reading.into_result(config)
}

fn remedy_for(error: &toml::de::Error) -> &'static str {
    match error.message() {
        message if message.starts_with("unknown field") => {
            "remove it, or use one of the names it lists"
        }
        message if message.contains("nonzero") => "write a whole number from 1, or leave it out",
        message if message.starts_with("unknown variant") => "use one of the values it lists",
        message if message.starts_with("duplicate key") => "say it once",
        message if message.contains("socket address") => {
            "write an IP address and a port, such as \"127.0.0.1:7080\""
        }
        _ => "see `toolgate serve --help` for an example of the file",
    }
}

/// One pass over one file, collecting what is wrong.
pub(super) struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    environment: Environment,
    mistakes: Vec<ConfigMistake>,
}

/// Whether `${NAME}` is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Environment {
    /// By the variable, which must be set.
    Needed,
    /// It stays as it is written: no server will be contacted.
    LeftOut,
}

impl<'a> Reading<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Reading<'a> {
        Reading {
            path,
            text,
            environment: Environment::Needed,
            mistakes: Vec::new(),
        }
    }

    pub(super) fn with(self, environment: Environment) -> Reading<'a> {
        Reading {
            environment,
            ..self
        }
    }

    pub(super) fn environment(&self) -> Environment {
        self.environment
    }

    /// What was read, if nothing is wrong with it.
    pub(super) fn into_result<T>(self, read: T) -> Result<T, ConfigError> {
        match self.mistakes.is_empty() {
            true => Ok(read),
            false => Err(ConfigError {
                mistakes: self.mistakes,
            }),
        }
    }
}

impl Reading<'_> {
    pub(super) fn say(&mut self, offset: usize, what: impl Into<String>, remedy: &str) {
        let position = Position::of(self.text.as_bytes(), offset);
        self.mistakes.push(
            ConfigMistake::about(self.path, what)
                .at(position)
                .remedy(remedy),
        );
    }

    fn config(&mut self, mut file: File) -> Config {
        let settings = Settings {
            keeping: self.keeping(&file),
            ..Reading::settings(&file)
        };
        let mut files = vec![self.path.to_owned()];
        let servers = self.servers(std::mem::take(&mut file.servers));
        let policies = self.policies(std::mem::take(&mut file.policies), &mut files);
        let grants = self.grants(&file.grants, &servers, &policies);
        let data = file.data.unwrap_or_else(|| DATA_DEFAULT.into());
        Config {
            listen: file.listen.unwrap_or(LISTEN_DEFAULT),
            admin: file.admin.unwrap_or(ADMIN_DEFAULT),
            data: self.beside(&data),
            settings,
            servers,
            grants,
            files,
        }
    }

    fn settings(file: &File) -> Settings {
        let default = Settings::default();
        let seconds = |seconds: NonZeroU64| Duration::from_secs(seconds.get());
        let guard = file.guard.as_ref().map(|guard| GuardSettings {
            per_second: guard.per_second,
            burst: guard.burst,
        });
        Settings {
            workers: file.workers.map_or(default.workers, NonZeroUsize::get),
            hosts: file.hosts.clone(),
            origins: file.origins.clone(),
            body_max: file
                .body_max_bytes
                .map_or(default.body_max, NonZeroUsize::get),
            bodies_max: file
                .bodies_max_bytes
                .map_or(default.bodies_max, NonZeroUsize::get),
            body_timeout: file
                .body_timeout_seconds
                .map_or(default.body_timeout, seconds),
            drain_max: file
                .drain_seconds
                .map_or(default.drain_max, Duration::from_secs),
            sse_keep_alive: file
                .sse_keep_alive_seconds
                .map_or(default.sse_keep_alive, seconds),
            connections_max: file
                .connections_max
                .map_or(default.connections_max, NonZeroUsize::get),
            guard: guard.unwrap_or(default.guard),
            counters: Bounds {
                all: file.counters_max.unwrap_or(default.counters.all),
                per_grant: file
                    .counters_per_grant_max
                    .unwrap_or(default.counters.per_grant),
            },
            keeping: default.keeping,
        }
    }

    fn keeping(&mut self, file: &File) -> Keeping {
        let audit = file.audit.as_ref();
        let keeping = Keeping {
            durability: file.durability.unwrap_or_default(),
            audit: audit.map_or_else(Audit::default, |audit| *audit.get_ref()),
        };
        if let (Some(audit), (Durability::Fsync, Audit::BestEffort)) =
            (audit, (keeping.durability, keeping.audit))
        {
            self.say(
                audit.span().start,
                "`audit = \"best_effort\"` gives away what `durability = \"fsync\"` promises",
                "leave one of the two out",
            );
        }
        keeping
    }

    fn policies(
        &mut self,
        policies: BTreeMap<String, Spanned<PathBuf>>,
        files: &mut Vec<PathBuf>,
    ) -> BTreeMap<String, Option<Arc<Policy>>> {
        let mut read = BTreeMap::new();
        for (name, path) in policies {
            let path = self.beside(path.get_ref());
            let policy = load_policy(&path)
                .map_err(|mistakes| self.mistakes.extend(mistakes))
                .ok();
            files.push(path);
            read.insert(name, policy);
        }
        read
    }

    fn grants(
        &mut self,
        grants: &BTreeMap<Spanned<String>, Grant>,
        servers: &BTreeMap<Box<str>, Arc<ServerSpec>>,
        policies: &BTreeMap<String, Option<Arc<Policy>>>,
    ) -> BTreeMap<Box<str>, Entitlement> {
        if grants.is_empty() {
            self.say(
                0,
                "no grant is named, so that no agent could call anything",
                "add [grants.NAME] with `servers = { SERVER = \"POLICY\" }`",
            );
        }
        let mut read = BTreeMap::new();
        for (name, grant) in grants {
            let mut covered = BTreeMap::new();
            for (server, policy) in &grant.servers {
                if !servers.contains_key(server.get_ref().as_str()) {
                    let remedy = known("servers", servers.keys().map(|name| &**name));
                    self.say(
                        server.span().start,
                        format!(
                            "grant {:?} names the unknown server {:?}",
                            name.get_ref(),
                            server.get_ref()
                        ),
                        &remedy,
                    );
                }
                match policies.get(policy.get_ref()) {
                    Some(Some(policy)) => {
                        drop(covered.insert(server.get_ref().as_str().into(), policy.clone()))
                    }
                    Some(None) => {} // its own mistakes are reported
                    None => {
                        let remedy = known("policies", policies.keys().map(String::as_str));
                        self.say(
                            policy.span().start,
                            format!(
                                "grant {:?} names the unknown policy {:?}",
                                name.get_ref(),
                                policy.get_ref()
                            ),
                            &remedy,
                        );
                    }
                }
            }
            let tags = grant.tags.iter();
            let tags = tags.map(|(key, value)| (key.as_str().into(), value.as_str().into()));
            let entitlement = Entitlement {
                servers: covered,
                tags: tags.collect(),
                is_told_quota: grant.quota,
            };
            read.insert(name.get_ref().as_str().into(), entitlement);
        }
        read
    }

    pub(super) fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new(".")).join(path)
    }
}

/// Which names there are, as a remedy.
pub(super) fn known<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        format!("there are no {what}: add one")
    } else {
        format!("the {what} are: {}", names.join(", "))
    }
}
