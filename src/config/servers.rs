//! The `[servers.NAME]` tables of the TOML file.
//!
//! It never quotes a header's or a variable's value: they are credentials.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::file::{Environment, Reading};
use super::{bad_server_name, http_transport, server_spec};
use crate::policy::Window;
use crate::upstream::{ChildCommand, ServerSpec, Transport};

/// One MCP server: a `url`, or a `command` that toolgate starts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["url"], "not": { "anyOf": [{ "required": ["args"] }, { "required": ["env"] }, { "required": ["cwd"] }] } },
    { "required": ["command"], "not": { "required": ["headers"] } }
]))]
pub(super) struct Server {
    /// A streamable HTTP server.
    url: Option<String>,
    /// Headers sent to it; ${NAME} is taken from the environment.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A stdio server's program.
    command: Option<String>,
    /// Its arguments.
    #[serde(default)]
    args: Vec<String>,
    /// Its environment; ${NAME} is taken from toolgate's own.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// The folder it starts in; a relative path starts at this file's folder.
    cwd: Option<PathBuf>,
    /// How long connecting may take. Default 10.
    connect_timeout_seconds: Option<NonZeroU64>,
    /// How long the first byte of an answer may take. Default 120.
    first_byte_timeout_seconds: Option<NonZeroU64>,
    /// How long a tool call may take in all, to the last byte of its answer; so long it counts as in flight where nobody
    /// saw its end. Default 3600, at most 2678400 (31 days).
    #[schemars(range(max = 2_678_400))]
    call_timeout_seconds: Option<NonZeroU64>,
}

impl Reading<'_> {
    pub(super) fn servers(
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
        let (connect, first_byte, call) = (
            server.connect_timeout_seconds,
            server.first_byte_timeout_seconds,
            server.call_timeout_seconds,
        );
        let transport = match self.transport(offset, server) {
            Ok(transport) => transport,
            Err((what, remedy)) => {
                self.say(offset, format!("server {name:?} {what}"), remedy);
                return None;
            }
        };
        let mut spec = server_spec(name, transport);
        let seconds = |seconds: NonZeroU64| Duration::from_secs(seconds.get());
        spec.times.connect = connect.map_or(spec.times.connect, seconds);
        spec.times.first_byte = first_byte.map_or(spec.times.first_byte, seconds);
        spec.times.call = call.map_or(spec.times.call, seconds);
        if spec.times.call > Window::MAX.length() {
            let what = format!("server {name:?} gives its calls more than 31 days");
            self.say(
                offset,
                what,
                "write at most 2678400 as `call_timeout_seconds`",
            );
            return None;
        }
        Some(spec)
    }

    /// `Err`: what is wrong, and the remedy.
    fn transport(
        &mut self,
        offset: usize,
        server: Server,
    ) -> Result<Transport, (String, &'static str)> {
        let is_plain = server.args.is_empty() && server.env.is_empty() && server.cwd.is_none();
        match (server.url, server.command) {
            (Some(url), None) if is_plain => {
                let headers = self.all_expanded(offset, server.headers);
                http_transport(&url, headers).map_err(|why| {
                    (
                        format!("cannot be used: {why}"),
                        "mend the url or the header",
                    )
                })
            }
            (None, Some(command)) if server.headers.is_empty() => {
                Ok(Transport::Stdio(ChildCommand {
                    command,
                    args: server.args,
                    env: self.all_expanded(offset, server.env),
                    cwd: server.cwd.map(|cwd| self.beside(&cwd)),
                }))
            }
            (None, None) => Err((
                "has neither `url` nor `command`".into(),
                "give it one of them",
            )),
            _ => Err((
                "mixes `url` with a command's settings".into(),
                "`url` goes with `headers`; `command` with `args`, `env` and `cwd`",
            )),
        }
    }

    fn all_expanded(
        &mut self,
        offset: usize,
        map: BTreeMap<String, String>,
    ) -> Vec<(String, String)> {
        map.into_iter()
            .map(|(key, value)| (key, self.expanded(offset, &value)))
            .collect()
    }

    /// Replaces `${NAME}` by the environment's value; a variable that is not set is a mistake, not an empty text.
    fn expanded(&mut self, offset: usize, value: &str) -> String {
        if self.environment() == Environment::LeftOut {
            return value.to_owned();
        }
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
