//! `toolgate serve`: puts the rooms together, tells where they are, and ends them in order.
//!
//! It never serves before the counters are restored, and never ends before the journal is written.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::ledger::{Around, Ledger, upkeep};
use super::terminal::{CliError, start_log};
use super::{ServeArgs, grant, welcome};
use crate::admin::{self, AdminToken};
use crate::config::{Config, ONLY_GRANT};
use crate::gateway::{Listeners, Load, Reloader, Seen, Shared, Start, Workers, watch};
use crate::grants::Token;
use crate::record::{self, Audit};
use crate::sessions::{SESSIONS_MAX, Sessions};

pub(super) fn run(args: ServeArgs) -> Result<ExitCode, CliError> {
    start_log();
    let load = loader(args);
    let config = load()?;
    let operator = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("operator")
        .enable_all()
        .build()
        .map_err(CliError::failed)?;
    let ledger = Ledger::open(&config.data, &config.settings)?;
    // Read once more now that its files have been looked at: an edit after this look is noticed.
    let seen = Seen::now(&config.files, &ledger.store);
    let config = load()?;
    if config.settings.keeping.audit == Audit::BestEffort {
        tracing::warn!(
            "audit = \"best_effort\": calls run even where the journal cannot be written, and a crash may forget what they were charged"
        );
    }
    let is_demo = config.files.is_empty();
    let token = if is_demo { demo_token(&ledger)? } else { None };
    serve(&operator, ledger, (config, seen, load), |running| {
        welcome::print(running, is_demo.then_some(token))
    })
}

/// Reads the configuration as the command line says, now and at each reload.
fn loader(args: ServeArgs) -> Load {
    Box::new(move || {
        let mut config = args.place.config()?;
        config.listen = args.listen.unwrap_or(config.listen);
        config.admin = args.admin.unwrap_or(config.admin);
        Ok(config)
    })
}

/// A token for the demo's grant, if its folder has none in force.
fn demo_token(ledger: &Ledger) -> Result<Option<Token>, CliError> {
    let grants = ledger.store.grants().wait().map_err(CliError::failed)?;
    if grants
        .iter()
        .any(|grant| &*grant.name == ONLY_GRANT && grant.revoked_at.is_none())
    {
        return Ok(None);
    }
    grant::mint(&ledger.store, ONLY_GRANT).map(|(_, token)| Some(token))
}

/// What a running gateway tells of itself.
pub(super) struct Running<'a> {
    pub(super) config: &'a Config,
    pub(super) listen: std::net::SocketAddr,
    pub(super) admin: std::net::SocketAddr,
    pub(super) shared: &'a Shared,
}

fn serve(
    operator: &Runtime,
    ledger: Ledger,
    (config, seen, load): (Config, Seen, Load),
    tell: impl FnOnce(&Running<'_>),
) -> Result<ExitCode, CliError> {
    let told = operator
        .block_on(async { Told::listen() })
        .map_err(CliError::failed)?;
    let listeners =
        Listeners::bind(config.listen, config.settings.workers).map_err(CliError::failed)?;
    let listen = listeners.address();
    let (admin, own) = operator_side(operator, &config)?;
    let admin_address = own.1;
    let sessions = Arc::new(Sessions::new(SESSIONS_MAX));
    let roster = ledger.store.roster().wait().map_err(CliError::failed)?;
    let around = Around {
        sessions: &sessions,
        operator: operator.handle(),
        listen,
    };
    let shared = ledger.shared(&config, &roster, around)?;
    let workers = Workers::start(&shared, listeners, &ledger.journal).map_err(CliError::failed)?;
    let is_ready = Arc::new(AtomicBool::new(true));
    let sources = sources(&shared, &is_ready, own, workers.progress());
    operator.spawn(admin::serve(admin, sources));
    operator.spawn(upkeep(
        shared.clone(),
        ledger.journal.clone(),
        (workers.progress(), ledger.kept.clone()),
    ));
    tell(&Running {
        config: &config,
        listen,
        admin: admin_address,
        shared: &shared,
    });
    let start = Start {
        sessions,
        operator: operator.handle().clone(),
        listen,
        config,
        seen,
        load,
    };
    let hangup = Arc::new(Notify::new());
    operator.spawn(watch(Reloader::new(shared.clone(), start), hangup.clone()));
    operator.block_on(told.until_end(&hangup));
    is_ready.store(false, Ordering::Release);
    drain(operator, &shared, workers);
    ledger.close()?;
    Ok(ExitCode::SUCCESS)
}

/// Where operators connect, and what lets them use the API there.
fn operator_side(
    operator: &Runtime,
    config: &Config,
) -> Result<(TcpListener, (AdminToken, SocketAddr)), CliError> {
    let token = AdminToken::of_folder(&config.data).map_err(CliError::failed)?;
    let bound = operator.block_on(TcpListener::bind(config.admin));
    let listener = bound.map_err(|error| {
        CliError::unusable(format!(
            "cannot listen on {} for operators; choose another address with --admin: {error}",
            config.admin
        ))
    })?;
    let address = listener.local_addr().map_err(CliError::failed)?;
    Ok((listener, (token, address)))
}

fn sources(
    shared: &Arc<Shared>,
    is_ready: &Arc<AtomicBool>,
    (token, address): (AdminToken, SocketAddr),
    journals: Vec<record::Progress>,
) -> Arc<admin::Sources> {
    let (grants, is_ready) = (shared.clone(), is_ready.clone());
    Arc::new(admin::Sources {
        metrics: shared.metrics.clone(),
        counters: shared.counters.clone(),
        clock: shared.clock.clone(),
        store: shared.store.clone(),
        journals,
        grants: Box::new(move || grants.snapshot.load().grants.clone()),
        is_ready: Box::new(move || is_ready.load(Ordering::Acquire)),
        token,
        address,
    })
}

/// The signals that the gateway listens to, from before it says that it is there.
struct Told {
    terminate: Signal,
    interrupt: Signal,
    hangups: Signal,
}

impl Told {
    fn listen() -> std::io::Result<Told> {
        Ok(Told {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangups: signal(SignalKind::hangup())?,
        })
    }

    /// Returns on SIGTERM or SIGINT; SIGHUP reloads.
    async fn until_end(mut self, hangup: &Notify) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangups.recv() => hangup.notify_one(),
            }
        }
    }
}

/// Lets calls in flight end within the bound, then ends everything: workers, then child processes.
fn drain(operator: &Runtime, shared: &Shared, workers: Workers) {
    let max = shared.snapshot.load().settings.drain_max;
    tracing::info!(?max, "draining");
    shared.stopping.draining.cancel();
    let ending = shared.stopping.ending.clone();
    let bound = operator.spawn(async move {
        tokio::time::sleep(max).await;
        ending.cancel();
    });
    workers.join();
    bound.abort();
    let servers = shared.snapshot.load_full().upstreams();
    operator.block_on(async {
        let mut stops = JoinSet::new();
        for server in servers {
            stops.spawn(async move { server.stop().await });
        }
        stops.join_all().await;
    });
    tracing::info!("stopped");
}
