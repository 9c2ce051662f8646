//! `toolgate wrap`: a stdio client starts this instead of its server.
//!
//! Standard output belongs to the protocol: nothing else is ever written to it.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use super::WrapArgs;
use super::ledger::{Around, Ledger, upkeep};
use super::terminal::{CliError, start_log};
use crate::clock::Timestamp;
use crate::config::{Config, ConfigError, ONLY_GRANT, Settings, load_policy};
use crate::gateway::{LOCAL_GRANT, Reloader, Seen, Shared, Start, Streams, Wrap, watch};
use crate::grants::Entitlement;
use crate::record::{Audit, Journal, Keeping};
use crate::sessions::{SESSIONS_MAX, Sessions};
use crate::store::{KeptGrant, Store};
use crate::upstream::child::Child;
use crate::upstream::{ChildCommand, ServerSpec, Times, Transport};

pub(super) fn run(args: WrapArgs) -> Result<ExitCode, CliError> {
    start_log();
    let data = args.data.clone().map_or_else(|| data_folder(&args), Ok)?;
    let wrapped = Wrapped::of(args, &data)?;
    let first = wrapped.config()?;
    let ledger = Ledger::open(&data, &first.settings)?;
    keep_local_grant(&ledger.store)?;
    let seen = Seen::now(&first.files, &ledger.store);
    let config = wrapped.config()?;
    let operator = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(CliError::failed)?;
    let sessions = Arc::new(Sessions::new(SESSIONS_MAX));
    let around = Around {
        sessions: &sessions,
        operator: operator.handle(),
        listen: config.listen,
    };
    let roster = ledger.store.roster().wait().map_err(CliError::failed)?;
    let shared = ledger.shared(&config, &roster, around)?;
    let (name, command) = (wrapped.name.clone(), wrapped.command.clone());
    let start = Start {
        sessions: sessions.clone(),
        operator: operator.handle().clone(),
        listen: config.listen,
        config,
        seen,
        load: Box::new(move || wrapped.config()),
    };
    operator.spawn(watch(Reloader::new(shared.clone(), start), Arc::default()));
    let status = pass(&operator, &ledger, (shared.clone(), &name, command))?;
    shared.stopping.draining.cancel();
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

/// What the command line says is to be wrapped, and under which policy.
struct Wrapped {
    policy: PathBuf,
    data: PathBuf,
    name: Box<str>,
    command: ChildCommand,
    keeping: Keeping,
    call_max: Duration,
    is_told_quota: bool,
}

impl Wrapped {
    fn of(args: WrapArgs, data: &Path) -> Result<Wrapped, CliError> {
        let mut words = args.command.into_iter();
        let command = words
            .next()
            .ok_or_else(|| CliError::unusable("no command was given after `--`"))?;
        Ok(Wrapped {
            policy: args.policy,
            data: data.to_owned(),
            name: args.name.into(),
            keeping: Keeping {
                durability: args.durability.into(),
                audit: Audit::Required,
            },
            call_max: Duration::from_secs(args.call_timeout),
            is_told_quota: args.quota,
            // The client chose this process's environment for its server: all of it is passed on.
            command: ChildCommand {
                command,
                args: words.collect(),
                env: std::env::vars().collect(),
                cwd: None,
            },
        })
    }

    /// One server, one grant, one policy: read anew at each edit of the policy.
    fn config(&self) -> Result<Config, ConfigError> {
        let policy = load_policy(&self.policy).map_err(|mistakes| ConfigError { mistakes })?;
        let spec = ServerSpec {
            name: (&*self.name).into(),
            transport: Transport::Stdio(self.command.clone()),
            times: Times {
                call: self.call_max,
                ..Times::default()
            },
        };
        let entitlement = Entitlement {
            is_told_quota: self.is_told_quota,
            ..Entitlement::to([(self.name.clone(), policy)])
        };
        Ok(Config {
            data: self.data.clone(),
            servers: [(self.name.clone(), Arc::new(spec))].into(),
            grants: [(ONLY_GRANT.into(), entitlement)].into(),
            settings: Settings {
                // One client, one thread, one journal.
                workers: 1,
                keeping: self.keeping,
                ..Settings::default()
            },
            files: vec![self.policy.clone()],
            ..Config::demo(PathBuf::new())
        })
    }
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
    let keeping = shared.snapshot.load().settings.keeping;
    let status = tokio::task::LocalSet::new().block_on(&runtime, async {
        let (journal, writer) =
            Journal::open(&ledger.journal, 0, clock, keeping).map_err(CliError::failed)?;
        let writing = tokio::task::spawn_local(writer.run());
        let journals = (vec![journal.progress()], ledger.kept.clone());
        let housekeeping = upkeep(shared.clone(), ledger.journal.clone(), journals);
        let housekeeping = operator.spawn(housekeeping);
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
        housekeeping.abort();
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

/// The one grant is whoever starts this process: nobody can present its token.
fn keep_local_grant(store: &Store) -> Result<(), CliError> {
    let kept = store.grants().wait().map_err(CliError::failed)?;
    if kept.iter().any(|grant| &*grant.id == LOCAL_GRANT) {
        return Ok(());
    }
    let grant = KeptGrant {
        id: LOCAL_GRANT.into(),
        name: ONLY_GRANT.into(),
        token_hash: [0; 32],
        created_at: Timestamp::default(),
        revoked_at: None,
    };
    let inserted = store.insert_grant(grant).wait();
    inserted.map_err(CliError::failed)
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::record::Durability;

    #[test]
    fn the_journal_is_as_durable_as_the_command_line_says() {
        let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/demo.json");
        for (more, expected) in [
            (&[][..], Durability::Write),
            (&["--durability=write"], Durability::Write),
            (&["--durability=fsync"], Durability::Fsync),
        ] {
            let words = ["toolgate", "wrap", "--policy", policy];
            let words = words.iter().chain(more).chain(&["--", "server"]);
            let cli = Cli::try_parse_from(words).expect("valid");
            let Command::Wrap(args) = cli.command else {
                panic!("another command");
            };
            let wrapped = Wrapped::of(args, Path::new("data")).expect("a command is named");
            let keeping = wrapped
                .config()
                .expect("the demo's policy")
                .settings
                .keeping;
            assert_eq!(
                (keeping.durability, keeping.audit),
                (expected, Audit::Required)
            );
        }
    }
}
