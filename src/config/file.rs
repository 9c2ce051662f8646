//! The TOML file: what may stand in it, and what each line means.
//!
//! It never ignores a key it does not know, and never uses a relative path from anywhere but the file's own folder.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{
    ADMIN_DEFAULT, Config, ConfigError, ConfigMistake, DATA_DEFAULT, LISTEN_DEFAULT, Settings,
    bad_server_name, http_transport, load_policy, server_spec,
};
use crate::counters::GuardSettings;
use crate::json::Position;
use crate::policy::Policy;
use crate::upstream::{ChildCommand, ServerSpec, Transport};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    data: Option<PathBuf>,
    workers: Option<Spanned<usize>>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    origins: Vec<String>,
    body_max_bytes: Option<Spanned<usize>>,
    body_timeout_seconds: Option<u64>,
    drain_seconds: Option<u64>,
    sse_keep_alive_seconds: Option<Spanned<u64>>,
    connections_max: Option<Spanned<usize>>,
    guard: Option<Spanned<Guard>>,
    #[serde(default)]
    servers: BTreeMap<Spanned<String>, Spanned<Server>>,
    #[serde(default)]
    policies: BTreeMap<String, Spanned<PathBuf>>,
    #[serde(default)]
    grants: BTreeMap<Spanned<String>, Grant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Guard {
    per_second: u32,
    burst: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    cwd: Option<PathBuf>,
    connect_timeout_seconds: Option<u64>,
    first_byte_timeout_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    servers: BTreeMap<Spanned<String>, Spanned<String>>,
}

pub(super) fn read(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let mut reading = Reading {
        path,
        text,
        mistakes: Vec::new(),
    };
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
    if reading.mistakes.is_empty() {
        Ok(config)
    } else {
        Err(ConfigError {
            mistakes: reading.mistakes,
        })
    }
}

fn remedy_for(error: &toml::de::Error) -> &'static str {
    match error.message() {
        message if message.starts_with("unknown field") => {
            "remove it, or use one of the names it lists"
        }
        message if message.starts_with("duplicate key") => "say it once",
        message if message.contains("socket address") => {
            "write an IP address and a port, such as \"127.0.0.1:7080\""
        }
        _ => "see `toolgate serve --help` for an example of the file",
    }
}

/// One pass over one file, collecting what is wrong.
struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    mistakes: Vec<ConfigMistake>,
}

impl Reading<'_> {
    fn say(&mut self, offset: usize, what: impl Into<String>, remedy: &str) {
        let position = Position::of(self.text.as_bytes(), offset);
        self.mistakes.push(
            ConfigMistake::about(self.path, what)
                .at(position)
                .remedy(remedy),
        );
    }

    fn config(&mut self, mut file: File) -> Config {
        let settings = self.settings(&file);
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

    fn settings(&mut self, file: &File) -> Settings {
        let default = Settings::default();
        let guard = file.guard.as_ref().and_then(|guard| {
            let Guard { per_second, burst } = *guard.get_ref();
            let read = NonZeroU32::new(per_second).zip(NonZeroU32::new(burst));
            let read = read.map(|(per_second, burst)| GuardSettings { per_second, burst });
            if read.is_none() {
                self.say(
                    guard.span().start,
                    "`per_second` and `burst` must be at least 1",
                    "the defaults are 1000 and 2000",
                );
            }
            read
        });
        Settings {
            workers: self.at_least_one(&file.workers, default.workers),
            hosts: file.hosts.clone(),
            origins: file.origins.clone(),
            body_max: self.at_least_one(&file.body_max_bytes, default.body_max),
            body_timeout: file
                .body_timeout_seconds
                .map_or(default.body_timeout, Duration::from_secs),
            drain_max: file
                .drain_seconds
                .map_or(default.drain_max, Duration::from_secs),
            sse_keep_alive: file
                .sse_keep_alive_seconds
                .as_ref()
                .map_or(default.sse_keep_alive, |seconds| {
                    Duration::from_secs((*seconds.get_ref()).max(1))
                }),
            connections_max: self.at_least_one(&file.connections_max, default.connections_max),
            guard: guard.unwrap_or(default.guard),
        }
    }

    fn at_least_one(&mut self, value: &Option<Spanned<usize>>, default: usize) -> usize {
        match value {
            Some(value) if *value.get_ref() == 0 => {
                self.say(
                    value.span().start,
                    "this must be at least 1",
                    "leave it out for the default",
                );
                default
            }
            Some(value) => *value.get_ref(),
            None => default,
        }
    }

    fn servers(
        &mut self,
        servers: BTreeMap<Spanned<String>, Spanned<Server>>,
    ) -> BTreeMap<Box<str>, Arc<ServerSpec>> {
        if servers.is_empty() {
            self.say(
                0,
                "no server is named",
                "add [servers.NAME] with `url = …` or `command = …`",
            );
        }
        let mut read = BTreeMap::new();
        for (name, server) in servers {
            if let Some(why) = bad_server_name(name.get_ref()) {
                self.say(
                    name.span().start,
                    format!("server {:?}: {why}", name.get_ref()),
                    "choose another name",
                );
                continue;
            }
            if let Some(spec) = self.server(name.get_ref(), server) {
                read.insert(name.get_ref().as_str().into(), Arc::new(spec));
            }
        }
        read
    }

    fn server(&mut self, name: &str, server: Spanned<Server>) -> Option<ServerSpec> {
        let offset = server.span().start;
        let server = server.into_inner();
        let expanded =
            |map: BTreeMap<String, String>, reading: &mut Self| -> Vec<(String, String)> {
                map.into_iter()
                    .map(|(key, value)| (key, reading.expanded(offset, &value)))
                    .collect()
            };
        let transport = match (server.url, server.command) {
            (Some(url), None)
                if server.args.is_empty() && server.env.is_empty() && server.cwd.is_none() =>
            {
                let headers = expanded(server.headers, self);
                http_transport(&url, headers)
            }
            (None, Some(command)) if server.headers.is_empty() => {
                let cwd = server.cwd.map(|cwd| self.beside(&cwd));
                let env = expanded(server.env, self);
                Ok(Transport::Stdio(ChildCommand {
                    command,
                    args: server.args,
                    env,
                    cwd,
                }))
            }
            (None, None) => {
                self.say(
                    offset,
                    format!("server {name:?} has neither `url` nor `command`"),
                    "give it one of them",
                );
                return None;
            }
            _ => {
                let what = format!("server {name:?} mixes `url` with a command's settings");
                self.say(
                    offset,
                    what,
                    "`url` goes with `headers`; `command` with `args`, `env` and `cwd`",
                );
                return None;
            }
        };
        let transport = transport
            .map_err(|why| {
                self.say(
                    offset,
                    format!("server {name:?}: {why}"),
                    "mend the url or the header",
                )
            })
            .ok()?;
        let mut spec = server_spec(name, transport);
        if let Some(seconds) = server.connect_timeout_seconds {
            spec.times.connect = Duration::from_secs(seconds.max(1));
        }
        if let Some(seconds) = server.first_byte_timeout_seconds {
            spec.times.first_byte = Duration::from_secs(seconds.max(1));
        }
        Some(spec)
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
    ) -> BTreeMap<Box<str>, BTreeMap<Box<str>, Arc<Policy>>> {
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
            read.insert(name.get_ref().as_str().into(), covered);
        }
        read
    }

    fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new(".")).join(path)
    }

    /// Replaces `${NAME}` by the environment's value; a variable that is not set is a mistake, not an empty text.
    fn expanded(&mut self, offset: usize, value: &str) -> String {
        let mut text = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                break;
            };
            text.push_str(before);
            match std::env::var(name) {
                Ok(value) => text.push_str(&value),
                Err(_) => self.say(
                    offset,
                    format!("the environment has no {name:?}"),
                    "set the variable where toolgate starts",
                ),
            }
            rest = after;
        }
        text + rest
    }
}

fn known<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        format!("there are no {what}: add one")
    } else {
        format!("the {what} are: {}", names.join(", "))
    }
}
