//! The tools of a server as a command needs them: listed live, or from a file that was saved before.
//!
//! It never calls a tool.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::terminal::{CONFIG_DEFAULT, CliError};
use crate::config::one_server;
use crate::json::{Duplicates, Kind, Reader, Value};
use crate::record::chain;
use crate::sessions::{SESSIONS_MAX, Sessions};
use crate::upstream::{Server, ServerSpec, list_tools};

/// How long a server may take: `npx` and `uvx` may have to fetch the server first.
const LIST_WAIT: Duration = Duration::from_secs(60);

/// Where the definitions of tools come from.
#[derive(Debug, Args)]
pub(super) struct Tools {
    /// A server of the configuration, which is asked for its tools; none of them is called
    #[arg(long, value_name = "NAME", conflicts_with = "tools")]
    pub(super) server: Option<String>,
    /// The configuration that has the server [default: ./toolgate.toml]
    #[arg(long, short, value_name = "FILE", requires = "server")]
    config: Option<PathBuf>,
    /// The server's tools from a file: a saved `tools/list` result, or its array of tools
    #[arg(long, value_name = "FILE")]
    pub(super) tools: Option<PathBuf>,
}

impl Tools {
    /// The definitions, each as JSON; `None` if the command line names no source.
    pub(super) fn load(&self) -> Result<Option<Vec<Box<str>>>, CliError> {
        match (&self.tools, &self.server) {
            (Some(file), _) => read(file).map(Some),
            (None, Some(name)) => {
                let config = self.config.as_deref().unwrap_or(Path::new(CONFIG_DEFAULT));
                list(&one_server(config, name)?).map(Some)
            }
            (None, None) => Ok(None),
        }
    }

    /// What the tools are called in the output.
    pub(super) fn source(&self) -> Option<String> {
        let file = self.tools.as_ref().map(|file| file.display().to_string());
        file.or_else(|| self.server.clone())
    }
}

fn list(spec: &Arc<ServerSpec>) -> Result<Vec<Box<str>>, CliError> {
    // One thread looks after a child process while this one waits for its list.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(CliError::failed)?;
    let sessions = Arc::new(Sessions::new(SESSIONS_MAX));
    let server = Server::new(spec.as_ref().clone(), sessions, runtime.handle())
        .map_err(|error| CliError::unusable(chain(&error)))?;
    let listed = runtime.block_on(async {
        let listed = list_tools(&server, LIST_WAIT).await;
        server.stop().await;
        listed
    });
    listed.map_err(|error| {
        let why = chain(&error);
        CliError::unusable(format!(
            "{why}; check its entry in the configuration, or save its list and use --tools FILE"
        ))
    })
}

fn read(file: &Path) -> Result<Vec<Box<str>>, CliError> {
    let unusable = |what: String| CliError::unusable(format!("{}: {what}", file.display()));
    let source = std::fs::read(file)
        .map_err(|error| unusable(format!("cannot read this list of tools: {error}")))?;
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader
        .read(&source)
        .map_err(|flaw| unusable(format!("this is no list of tools: {flaw}")))?;
    let root = document.root();
    let inside = root.member("result").unwrap_or(root);
    let list = inside.member("tools").unwrap_or(inside);
    let is_tool = |tool: Value<'_>| tool.member("name").and_then(Value::as_str).is_some();
    if list.kind() != Kind::Array || !list.elements().all(is_tool) {
        let what = "this is no list of tools; save a tools/list result, or its array of tools";
        return Err(unusable(what.to_owned()));
    }
    Ok(list.elements().map(|tool| tool.raw().into()).collect())
}
