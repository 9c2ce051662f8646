//! The gateway's own settings: which servers, which policies, which grants, and how much of everything.
//!
//! It never starts with half a configuration: every mistake is found here, all are reported at once, each with file,
//! line and remedy. Nothing in it is a secret of an agent's; upstream credentials may come from the environment.

mod clients;
mod file;
mod mistake;
mod one_server;
mod outline;
mod servers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::counters::{Bounds, GuardSettings};
use crate::grants::Entitlement;
use crate::policy::{Format, Policy, PolicyText};
use crate::record::Keeping;
use crate::upstream::{ChildCommand, HttpTarget, ServerSpec, Times, Transport};

use file::{Environment, Reading};

pub use file::json_schema;
pub use mistake::{ConfigError, ConfigMistake};
pub use one_server::one_server;
pub use outline::Outline;

/// Everything a gateway needs to know to start, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where agents connect.
    pub listen: SocketAddr,
    /// Where operators and Prometheus connect.
    pub admin: SocketAddr,
    /// The folder of the store and the journal.
    pub data: PathBuf,
    /// Bounds that hold for every request.
    pub settings: Settings,
    /// The servers by name.
    pub servers: BTreeMap<Box<str>, Arc<ServerSpec>>,
    /// What each kind of grant may reach: grant name → server name → policy.
    pub grants: BTreeMap<Box<str>, Entitlement>,
    /// The files this was read from; when one changes, it is read again.
    pub files: Vec<PathBuf>,
}

/// Bounds and names that hold for every request; a reload replaces all but `workers`, `counters` and `keeping`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Data-path threads, each with its own listener and upstream connections. Default: one for each core.
    pub workers: usize,
    /// `Host` values served besides the loopback names and the listening address; `*` serves all.
    pub hosts: Vec<String>,
    /// `Origin` values served besides those of the same host; a browser sends one, an agent does not.
    pub origins: Vec<String>,
    /// The longest body of a request in bytes. Default 4 MiB: far above any tool call seen, far below a worker's memory.
    pub body_max: usize,
    /// All requests' bodies together, in bytes, while they are read and until their replies begin. Default 512 MiB: room
    /// for 128 of the longest, and for half a million ordinary ones.
    pub bodies_max: usize,
    /// How long a request's body may take. Default 30 s.
    pub body_timeout: Duration,
    /// How long calls in flight may go on after SIGTERM. Default 10 s.
    pub drain_max: Duration,
    /// How often a quiet event stream gets a comment, so that proxies between keep it open. Default 15 s.
    pub sse_keep_alive: Duration,
    /// Connections from agents at a time, for all workers together. Default 10,000.
    pub connections_max: usize,
    /// The bucket that stops a runaway agent whatever its policy says; one for each grant.
    pub guard: GuardSettings,
    /// How many counters there may be: `counters_max` and `counters_per_grant_max`.
    pub counters: Bounds,
    /// How surely decision lines are kept: `durability` and `audit`. Default: written before the call goes, without a sync,
    /// because a sync takes longer than all else that the gateway does, and a power cut is rarer than a call.
    pub keeping: Keeping,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            hosts: Vec::new(),
            origins: Vec::new(),
            body_max: 4 << 20,
            bodies_max: 512 << 20,
            body_timeout: Duration::from_secs(30),
            drain_max: Duration::from_secs(10),
            sse_keep_alive: Duration::from_secs(15),
            connections_max: 10_000,
            guard: GuardSettings::default(),
            counters: Bounds::default(),
            keeping: Keeping::default(),
        }
    }
}

/// Where agents connect unless the configuration says otherwise: this machine only.
pub const LISTEN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7080);
/// Where operators connect unless the configuration says otherwise: this machine only.
pub const ADMIN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7081);
/// The data folder unless the configuration says otherwise, beside the configuration file.
pub const DATA_DEFAULT: &str = "toolgate-data";

/// The policy of the demo: ten imports a minute, and nothing else.
pub const DEMO_POLICY: &str = include_str!("../../policies/demo.json");

/// What the one grant of the demo, of a clients' file, and of `wrap` is called.
pub const ONLY_GRANT: &str = "default";

impl Config {
    /// Reads a TOML configuration, or a file in the `mcpServers` shape of MCP clients. `policy` is for the latter,
    /// which names none: it then holds for every server, for the one grant `default`.
    pub fn load(path: &Path, policy: Option<&Path>) -> Result<Config, ConfigError> {
        Config::read((path, policy), Environment::Needed)
    }

    /// The same for commands that contact no server: `${NAME}` stays as it is written, so that no credential need be at
    /// hand.
    pub fn load_without_environment(
        path: &Path,
        policy: Option<&Path>,
    ) -> Result<Config, ConfigError> {
        Config::read((path, policy), Environment::LeftOut)
    }

    fn read(
        (path, policy): (&Path, Option<&Path>),
        environment: Environment,
    ) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::unreadable(path, source))?;
        if text.trim_start().starts_with('{') {
            return clients::read(path, &text, policy);
        }
        if policy.is_some() {
            let what = "--policy goes with a file in the mcpServers shape; this file names its policies itself";
            return Err(ConfigError::one(
                ConfigMistake::about(path, what).remedy("leave --policy out"),
            ));
        }
        file::read(Reading::new(path, &text).with(environment))
    }

    /// Names of settings that differ from `before` and are only read at a start.
    pub fn needs_restart_for(&self, before: &Config) -> Vec<&'static str> {
        let differs = [
            ("listen", self.listen != before.listen),
            ("admin", self.admin != before.admin),
            ("data", self.data != before.data),
            ("workers", self.settings.workers != before.settings.workers),
            (
                "counters_max",
                self.settings.counters.all != before.settings.counters.all,
            ),
            (
                "counters_per_grant_max",
                self.settings.counters.per_grant != before.settings.counters.per_grant,
            ),
            (
                "durability",
                self.settings.keeping.durability != before.settings.keeping.durability,
            ),
            (
                "audit",
                self.settings.keeping.audit != before.settings.keeping.audit,
            ),
        ];
        let differs = differs.into_iter().filter(|(_, differs)| *differs);
        differs.map(|(name, _)| name).collect()
    }

    /// The embedded defaults: a sample server, which is this program itself, behind the demo's policy.
    pub fn demo(program: PathBuf) -> Config {
        let policy =
            Policy::compile(DEMO_POLICY.as_bytes()).expect("a test compiles the demo's policy");
        let command = program
            .into_os_string()
            .into_string()
            .unwrap_or_else(|_| "toolgate".into());
        let args = vec!["demo-server".into()];
        let transport = Transport::Stdio(ChildCommand {
            command,
            args,
            env: Vec::new(),
            cwd: None,
        });
        let server: Box<str> = "demo".into();
        Config {
            listen: LISTEN_DEFAULT,
            admin: ADMIN_DEFAULT,
            data: DATA_DEFAULT.into(),
            settings: Settings::default(),
            servers: [(server.clone(), Arc::new(server_spec(&server, transport)))].into(),
            grants: [(
                ONLY_GRANT.into(),
                Entitlement::to([(server, Arc::new(policy))]),
            )]
            .into(),
            files: Vec::new(),
        }
    }
}

/// Reads and compiles one policy; every mistake in it becomes one of the configuration's.
pub fn load_policy(path: &Path) -> Result<Arc<Policy>, Vec<ConfigMistake>> {
    let source = std::fs::read(path).map_err(|error| {
        let mistake = ConfigMistake::about(path, format!("cannot read this policy: {error}"));
        vec![
            mistake
                .remedy("check the path; a relative one starts at the configuration file's folder"),
        ]
    })?;
    match policy_text(path, &source).compile() {
        Ok(policy) => Ok(Arc::new(policy)),
        Err(mistakes) => Err(mistakes
            .iter()
            .map(|mistake| ConfigMistake::of_policy(path, mistake))
            .collect()),
    }
}

/// A policy file by its name and what is in it. The name alone tells how it is written: JSON is YAML too, so that its
/// content could not.
pub fn policy_text<'s>(path: &Path, bytes: &'s [u8]) -> PolicyText<'s> {
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => Format::Yaml,
        _ => Format::Json,
    };
    PolicyText { bytes, format }
}

fn server_spec(name: &str, transport: Transport) -> ServerSpec {
    ServerSpec {
        name: name.into(),
        transport,
        times: Times::default(),
    }
}

/// A server behind a URL; the error says what is wrong, without the headers' values.
fn http_transport(
    url: &str,
    headers: impl IntoIterator<Item = (String, String)>,
) -> Result<Transport, String> {
    let target = HttpTarget::parse(url).map_err(|flaw| format!("`url`: {flaw}"))?;
    let mut read = HeaderMap::new();
    for (name, value) in headers {
        let key = HeaderName::try_from(&name)
            .map_err(|_| format!("{name:?} is not the name of a header"))?;
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| format!("the value of header {name:?} cannot be sent"))?;
        value.set_sensitive(true);
        read.insert(key, value);
    }
    Ok(Transport::Http {
        target,
        headers: read,
    })
}

/// Why a name cannot be a server's: it becomes a part of a URL path, of metrics and of journal lines.
fn bad_server_name(name: &str) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) || name.starts_with('.') {
        return Some(
            "a server's name has 1 to 64 of the characters A-Z a-z 0-9 - _ . and does not begin with a dot",
        );
    }
    name.contains("__")
        .then_some("a server's name has no `__`, which separates a server from its tools")
}

#[cfg(test)]
mod tests;
