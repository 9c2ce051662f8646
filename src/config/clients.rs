//! A file in the `mcpServers` shape that MCP clients use, accepted as it is.
//!
//! Keys of the clients' own (`disabled`, `autoApprove`, …) are not errors here: the file is not ours. `disabled` servers
//! are left out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::one_server::unknown;
use super::{
    ADMIN_DEFAULT, Config, ConfigError, ConfigMistake, DATA_DEFAULT, LISTEN_DEFAULT, ONLY_GRANT,
    Settings, bad_server_name, http_transport, load_policy, server_spec,
};
use crate::grants::Entitlement;
use crate::json::Position;
use crate::upstream::{ChildCommand, ServerSpec, Transport};

#[derive(Deserialize)]
struct File {
    #[serde(rename = "mcpServers", alias = "servers")]
    servers: BTreeMap<String, Server>,
}

#[derive(Deserialize)]
struct Server {
    #[serde(alias = "serverUrl")]
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    cwd: Option<std::path::PathBuf>,
    #[serde(default)]
    disabled: bool,
}

/// The server of that name, whether it is disabled or not: nothing is called there.
pub(super) fn one_server(
    path: &Path,
    text: &str,
    name: &str,
) -> Result<Arc<ServerSpec>, ConfigError> {
    let mut file = parse(path, text)?;
    let Some(server) = file.servers.remove(name) else {
        let names: Vec<String> = file.servers.into_keys().collect();
        return Err(unknown(path, name, &names));
    };
    spec(name, server).map(Arc::new).map_err(|why| {
        let mistake = ConfigMistake::about(path, format!("server {name:?}: {why}"));
        ConfigError::one(mistake)
    })
}

fn parse(path: &Path, text: &str) -> Result<File, ConfigError> {
    serde_json::from_str(text).map_err(|error| {
        let position = Position { line: error.line(), column: error.column() };
        let mistake = ConfigMistake::about(path, error.to_string()).at(position);
        ConfigError::one(mistake.remedy("the file must look like {\"mcpServers\": {\"NAME\": {\"command\": …} or {\"url\": …}}}"))
    })
}

pub(super) fn read(path: &Path, text: &str, policy: Option<&Path>) -> Result<Config, ConfigError> {
    let file = parse(path, text)?;
    let Some(policy_path) = policy else {
        let mistake = ConfigMistake::about(path, "this file names servers but no policy");
        return Err(ConfigError::one(mistake.remedy(
            "add --policy FILE: it then holds for every server of the file",
        )));
    };
    let mut mistakes = Vec::new();
    let mut servers: BTreeMap<Box<str>, Arc<ServerSpec>> = BTreeMap::new();
    for (name, server) in file
        .servers
        .into_iter()
        .filter(|(_, server)| !server.disabled)
    {
        match spec(&name, server) {
            Ok(spec) => drop(servers.insert(name.into(), Arc::new(spec))),
            Err(why) => mistakes.push(ConfigMistake::about(
                path,
                format!("server {name:?}: {why}"),
            )),
        }
    }
    if servers.is_empty() && mistakes.is_empty() {
        mistakes.push(
            ConfigMistake::about(path, "no server is named").remedy("add one under \"mcpServers\""),
        );
    }
    let policy = load_policy(policy_path)
        .map_err(|more| mistakes.extend(more))
        .ok();
    let (Some(policy), true) = (policy, mistakes.is_empty()) else {
        return Err(ConfigError { mistakes });
    };
    let covered = servers.keys().map(|name| (name.clone(), policy.clone()));
    let covered = Entitlement::to(covered);
    Ok(Config {
        listen: LISTEN_DEFAULT,
        admin: ADMIN_DEFAULT,
        data: path.parent().unwrap_or(Path::new(".")).join(DATA_DEFAULT),
        settings: Settings::default(),
        grants: [(ONLY_GRANT.into(), covered)].into(),
        servers,
        files: vec![path.to_owned(), policy_path.to_owned()],
    })
}

fn spec(name: &str, server: Server) -> Result<ServerSpec, String> {
    if let Some(why) = bad_server_name(name) {
        return Err(why.into());
    }
    let transport = match (server.url, server.command) {
        (Some(url), None) => http_transport(&url, server.headers)?,
        (None, Some(command)) => {
            let env = server.env.into_iter().collect();
            Transport::Stdio(ChildCommand {
                command,
                args: server.args,
                env,
                cwd: server.cwd,
            })
        }
        _ => return Err("give it either `command` or `url`".into()),
    };
    Ok(server_spec(name, transport))
}
