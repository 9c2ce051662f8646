//! Readies and starts the gateway: a folder, a configuration, a policy in which everything is on, a grant token.
//!
//! It never reaches into the gateway: it uses its command line as an operator does.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hyper::Uri;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::call::TOOL;
use crate::connection::Endpoint;
use crate::failure::Failure;
use crate::options::TargetName;
use crate::process::{Process, Stop, end_of, log_file};
use crate::stub;

const NAME: &str = "toolgate";
const CONFIG: &str = "toolgate.toml";
const POLICY: &str = "load.json";
const FLOOD_POLICY: &str = "flood.json";
const LOAD_GRANT: &str = "load";
const FLOOD_GRANT: &str = "flood";
const LOG: &str = "toolgate.log";

/// Far more than any machine makes in a minute, so that the counter counts every call and refuses none. A minute, so that
/// a run of a minute also sees calls leave the window.
const CALLS_MAX: u64 = 1_000_000_000;

/// Calls a second that the guard lets pass; raised, because the load is one grant's.
const GUARD: u64 = 10_000_000;

/// A gateway in front of the stub.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// Which one it is.
    pub(crate) target: TargetName,
    /// Its process.
    pub(crate) process: Process,
    /// Where its agents call, with a valid token.
    pub(crate) endpoint: Endpoint,
    /// The same for the grant that floods it, if one does.
    pub(crate) flood: Option<Endpoint>,
    folder: TempDir,
}

impl Gateway {
    /// Makes a grant token with `program` and starts `program` in front of the stub at `upstream`.
    pub(crate) async fn start(
        program: &Path,
        upstream: SocketAddr,
        target: TargetName,
    ) -> Result<Gateway, Failure> {
        let program = fs::canonicalize(program).map_err(|_| Failure::NoGateway(program.into()))?;
        let folder = tempfile::Builder::new()
            .prefix("toolgate-loadtest-")
            .tempdir()
            .map_err(|source| Failure::Start {
                what: "a temporary folder",
                source,
            })?;
        write(folder.path().join(CONFIG), &config(upstream, target))?;
        write(folder.path().join(POLICY), &policy())?;
        write(folder.path().join(FLOOD_POLICY), &flood_policy())?;
        let bearer = token(&program, folder.path(), LOAD_GRANT).await?;
        let flood = match target {
            TargetName::Flooded => Some(token(&program, folder.path(), FLOOD_GRANT).await?),
            _ => None,
        };
        let mut process = serve(&program, folder.path())?;
        let endpoint = match endpoint(&mut process, &bearer).await {
            Ok(endpoint) => endpoint,
            Err(failure) => return Err(with_log(failure, folder.path())),
        };
        let flood = flood.and_then(|bearer| endpoint.with_bearer(&bearer));
        Ok(Gateway {
            target,
            process,
            endpoint,
            flood,
            folder,
        })
    }

    /// The end of its log, for messages.
    pub(crate) fn log(&self) -> String {
        end_of(&self.folder.path().join(LOG))
    }

    /// Bytes in its data folder: the journal and the store.
    pub(crate) fn written(&self) -> u64 {
        size_of(&self.folder.path().join("data"))
    }

    /// Stops it with SIGTERM and removes its folder; returns what was wrong with its end.
    pub(crate) async fn stop(self) -> Option<String> {
        let found = self.process.stop(Stop::Terminate).await?;
        Some(found + &end_of(&self.folder.path().join(LOG)))
    }
}

fn config(upstream: SocketAddr, target: TargetName) -> String {
    let durability = match target {
        TargetName::Fsync => "fsync",
        _ => "write",
    };
    format!(
        r#"listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
data = "data"
durability = "{durability}"

[guard]
per_second = {GUARD}
burst = {GUARD}

[servers.stub]
url = "http://{upstream}{}"

[policies]
load = "{POLICY}"
flood = "{FLOOD_POLICY}"

[grants.{LOAD_GRANT}]
servers = {{ stub = "load" }}

[grants.{FLOOD_GRANT}]
servers = {{ stub = "flood" }}
"#,
        stub::PATH
    )
}

fn policy() -> String {
    let condition = |path: &str, op: &str, value: serde_json::Value| json!({ "conditions": [{ "path": path, "op": op, "value": value }] });
    let policy = json!({
        "version": "1",
        "description": "everything that a call can meet, and nothing that refuses it",
        "default": "deny",
        "hide": ["delete_*"],
        "tools": { TOOL: {
            "require": [condition("args.reason", "exists", true.into())],
            "deny_if": [condition("args.amount", "gt", 10_000.into())],
            "limits": [{ "counter": "calls", "window": "minute", "max": CALLS_MAX, "scope": "grant" }],
        }},
    });
    format!("{policy:#}\n")
}

/// A counter for each customer. An hour, so that none leaves while this runs.
fn flood_policy() -> String {
    let each = json!({ "counter": "each", "window": "hour", "max": 1, "by": ["args.customer"] });
    let policy =
        json!({ "version": "1", "default": "deny", "tools": { TOOL: { "limits": [each] } } });
    format!("{policy:#}\n")
}

async fn token(program: &Path, folder: &Path, grant: &str) -> Result<String, Failure> {
    let name = "toolgate grant new";
    let mut command = Command::new(program);
    command
        .args(["grant", "new", grant, "--config", CONFIG])
        .current_dir(folder)
        .stderr(log_file(&folder.join(LOG))?);
    let mut process = Process::start(name, &mut command)?;
    let line = process.line().await;
    let ended = process.stop(Stop::CloseInput).await;
    match (line, ended) {
        (Ok(token), None) => Ok(token.trim().to_owned()),
        (Err(failure), _) => Err(with_log(failure, folder)),
        (_, Some(found)) => Err(with_log(
            Failure::NotReady {
                process: name,
                found,
            },
            folder,
        )),
    }
}

fn serve(program: &Path, folder: &Path) -> Result<Process, Failure> {
    let mut command = Command::new(program);
    command
        .args(["serve", "--config", CONFIG])
        .current_dir(folder)
        .stderr(log_file(&folder.join(LOG))?);
    Process::start(NAME, &mut command)
}

/// Reads `endpoint: URL` lines up to the `admin: URL` line, which says that the gateway is ready.
async fn endpoint(process: &mut Process, bearer: &str) -> Result<Endpoint, Failure> {
    let mut found = None;
    loop {
        let line = process.line().await?;
        if line.starts_with("admin: ") {
            break;
        }
        if let Some(url) = line.strip_prefix("endpoint: ") {
            found = parse_endpoint(url.trim(), bearer);
        }
    }
    found.ok_or_else(|| Failure::NotReady {
        process: NAME,
        found: "it printed no usable `endpoint: http://ADDRESS:PORT/PATH`".into(),
    })
}

fn parse_endpoint(url: &str, bearer: &str) -> Option<Endpoint> {
    let url: Uri = url.parse().ok()?;
    let address: SocketAddr = url.authority()?.as_str().parse().ok()?;
    Endpoint::new(address, url.path(), bearer)
}

fn with_log(failure: Failure, folder: &Path) -> Failure {
    match failure {
        Failure::NotReady { process, found } => Failure::NotReady {
            process,
            found: found + &end_of(&folder.join(LOG)),
        },
        other => other,
    }
}

fn write(path: PathBuf, text: &str) -> Result<(), Failure> {
    fs::write(&path, text).map_err(|source| Failure::File { path, source })
}

/// Bytes of all files under a folder; what cannot be read, because it is just being renamed, counts nothing.
fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => size_of(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_and_a_path() {
        assert!(parse_endpoint("http://127.0.0.1:8080/mcp/stub", "tg_x").is_some());
        for url in ["", "/mcp/stub", "http://name/mcp", "http://127.0.0.1/mcp"] {
            assert!(parse_endpoint(url, "tg_x").is_none(), "accepted {url}");
        }
    }

    #[test]
    fn a_folder_is_as_large_as_all_files_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("inner")).expect("a folder");
        fs::write(folder.path().join("a"), [0; 10]).expect("a file");
        fs::write(folder.path().join("inner/b"), [0; 5]).expect("a file");
        assert_eq!(size_of(folder.path()), 15);
        assert_eq!(size_of(&folder.path().join("missing")), 0);
    }
}
