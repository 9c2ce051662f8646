//! `toolgate wrap`: a stdio client starts this instead of its server.
//!
//! Standard output belongs to the protocol: nothing else is ever written to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use super::WrapArgs;
use super::ledger::{Around, Ledger};
use super::terminal::{CliError, start_log};
use crate::config::{Config, ConfigError, ONLY_GRANT, load_policy};
use crate::gateway::{Shared, Streams, Wrap};
use crate::record::Journal;
use crate::sessions::{SESSIONS_MAX, Sessions};
use crate::store::KeptGrant;
use crate::upstream::child::Child;
use crate::upstream::{ChildCommand, ServerSpec, Times, Transport};

pub(super) fn run(args: WrapArgs) -> Result<ExitCode, CliError> {
    start_log();
    let policy = load_policy(&args.policy).map_err(|mistakes| ConfigError { mistakes })?;
    let data = args.data.clone().map_or_else(|| data_folder(&args), Ok)?;
    let ledger = Ledger::open(&data)?;
    let mut words = args.command.into_iter();
    let command = words
        .next()
        .ok_or_else(|| CliError::unusable("no command was given after `--`"))?;
    // The client chose this process's environment for its server: all of it is passed on.
    let command = ChildCommand {
        command,
        args: words.collect(),
        env: std::env::vars().collect(),
        cwd: None,
    };
    let name: Box<str> = args.name.into();
    let spec = ServerSpec {
        name: (&*name).into(),
        transport: Transport::Stdio(command.clone()),
        times: Times::default(),
    };
    let config = Config {
        data,
        servers: [(name.clone(), Arc::new(spec))].into(),
        grants: [(ONLY_GRANT.into(), BTreeMap::from([(name.clone(), policy)]))].into(),
        ..Config::demo(PathBuf::new())
    };
    let operator = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(CliError::failed)?;
    let around = Around {
        sessions: &Arc::new(Sessions::new(SESSIONS_MAX)),
        operator: operator.handle(),
        listen: config.listen,
    };
    let shared = ledger.shared(&config, &[local_grant()], around)?;
    let status = pass(&operator, &ledger, (shared, &name, command))?;
    ledger.close()?;
    // A read of standard input cannot be given up; the runtime must not wait for it.
    operator.shutdown_background();
    Ok(status.map_or(ExitCode::FAILURE, |status| {
        match status.code().map(u8::try_from) {
            Some(Ok(code)) => ExitCode::from(code),
            _ => ExitCode::FAILURE,
        }
    }))
}

fn pass(
    operator: &Runtime,
    ledger: &Ledger,
    (shared, name, command): (Arc<Shared>, &str, ChildCommand),
) -> Result<Option<ExitStatus>, CliError> {
    let child = operator
        .block_on(async { Child::start(name.into(), &command) })
        .map_err(CliError::failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::failed)?;
    let clock = ledger.clock.clone();
    let status = tokio::task::LocalSet::new().block_on(&runtime, async {
        let (journal, writer) =
            Journal::open(&ledger.journal, 0, clock).map_err(CliError::failed)?;
        let writing = tokio::task::spawn_local(writer.run());
        let wrap = Wrap::new(shared, journal.clone(), name)
            .ok_or_else(|| CliError::unusable("the wrapped server has no grant, which is a bug"))?;
        let streams = Streams {
            input: tokio::io::stdin(),
            output: tokio::io::stdout(),
        };
        let status = tokio::select! {
            status = wrap.run(child, streams) => status.map_err(CliError::failed),
            () = told_to_end() => Ok(None),
        };
        journal.close();
        drop(writing.await);
        status
    });
    runtime.shutdown_background();
    status
}

async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// The one grant is whoever starts this process: it needs no token, and its id is the same at every start, so that a
/// restart finds its counters.
fn local_grant() -> KeptGrant {
    KeptGrant {
        id: "local".into(),
        name: ONLY_GRANT.into(),
        token_hash: [0; 32],
        created_at: crate::clock::Timestamp::default(),
        revoked_at: None,
    }
}

/// A folder for this policy and this command: another start of the same finds the same counts.
fn data_folder(args: &WrapArgs) -> Result<PathBuf, CliError> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    let Some(state) = state.or_else(home) else {
        return Err(CliError::unusable(
            "there is no HOME to keep the counts in; name a folder with --data",
        ));
    };
    let policy = std::fs::canonicalize(&args.policy).unwrap_or_else(|_| args.policy.clone());
    let mut hash = Sha256::new();
    hash.update(policy.as_os_str().as_encoded_bytes());
    for word in &args.command {
        hash.update([0]);
        hash.update(word);
    }
    let name: String = hash.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(state.join("toolgate").join(name))
}
