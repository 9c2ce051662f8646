//! One server of a configuration, for commands that ask it something.
//!
//! It never asks for more to be right: policies may be broken and other servers' credentials not at hand.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::file::{Reading, known};
use super::servers::Server;
use super::{ConfigError, ConfigMistake, clients};
use crate::json::Position;
use crate::upstream::ServerSpec;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    servers: BTreeMap<Spanned<String>, Spanned<Server>>,
}

/// The server of that name in a configuration file, TOML or in the `mcpServers` shape.
pub fn one_server(path: &Path, name: &str) -> Result<Arc<ServerSpec>, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::unreadable(path, source))?;
    if text.trim_start().starts_with('{') {
        return clients::one_server(path, &text, name);
    }
    let file: File = toml::from_str(&text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let position = Position::of(text.as_bytes(), offset);
        let mistake = ConfigMistake::about(path, error.message()).at(position);
        ConfigError::one(mistake.remedy("see `toolgate serve --help` for an example of the file"))
    })?;
    let names: Vec<String> = file
        .servers
        .keys()
        .map(|key| key.get_ref().clone())
        .collect();
    let mut wanted = file.servers;
    wanted.retain(|key, _| key.get_ref() == name);
    if wanted.is_empty() {
        return Err(unknown(path, name, &names));
    }
    let mut reading = Reading::new(path, &text);
    let servers = reading.servers(wanted);
    reading.into_result(servers).map(|servers| {
        let first = servers.into_values().next();
        first.expect("a server that was not read left a mistake")
    })
}

/// There is no server of that name.
pub(super) fn unknown(path: &Path, name: &str, names: &[String]) -> ConfigError {
    let mistake = ConfigMistake::about(path, format!("there is no server {name:?}"));
    let remedy = known("servers", names.iter().map(String::as_str));
    ConfigError::one(mistake.remedy(remedy))
}
