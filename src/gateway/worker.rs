//! One worker of the data path: a thread with its own runtime, listener, upstream connections and scratch.
//!
//! A call never changes threads, and a worker shares nothing that it would have to wait for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use http::StatusCode;
use uuid::Uuid;

use super::Shared;
use super::judge::Judge;
use super::listener::{self, Listeners};
use super::snapshot::Server;
use crate::clock::Timestamp;
use crate::record::{Journal, JournalError, OutcomeLine, Progress};
use crate::upstream::Upstream;

/// A server, and this thread's connections to it.
type Way = (Arc<Server>, Upstream);

/// What the requests of one thread share.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) judge: Judge,
    pub(super) journal: Journal,
    upstreams: RefCell<HashMap<Box<str>, Way>>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, journal: Journal) -> Rc<Worker> {
        let judge = Judge::new(shared.clone(), journal.clone());
        Rc::new(Worker {
            shared,
            judge,
            journal,
            upstreams: RefCell::default(),
        })
    }

    /// This thread's way to a server: its own connections. Replaced when a reload has changed the server.
    pub(super) fn upstream(&self, server: &Arc<Server>) -> Upstream {
        let mut upstreams = self.upstreams.borrow_mut();
        if let Some((known, upstream)) = upstreams.get(&*server.spec.name)
            && Arc::ptr_eq(known, server)
        {
            return upstream.clone();
        }
        let upstream = Upstream::new(&server.upstream);
        upstreams.insert(
            server.spec.name.as_ref().into(),
            (server.clone(), upstream.clone()),
        );
        upstream
    }
}

/// The threads of the data path.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<thread::JoinHandle<()>>,
    progress: Vec<Progress>,
}

/// A worker that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its journal cannot be written.
    #[error("a worker cannot open its journal")]
    Journal(#[source] JournalError),
    /// The system gives it no thread or no event loop.
    #[error("a worker cannot start")]
    Start(#[source] std::io::Error),
}

impl Workers {
    /// Starts one thread for each socket, and returns when all have opened their journals.
    pub fn start(
        shared: &Arc<Shared>,
        listeners: Listeners,
        journal: &Path,
    ) -> Result<Workers, WorkerError> {
        let open = Arc::new(AtomicUsize::new(0));
        let (mut threads, mut progress) = (Vec::new(), Vec::new());
        for (index, socket) in listeners.sockets.into_iter().enumerate() {
            let (started, starts) = mpsc::channel();
            let seat = Bench {
                shared: shared.clone(),
                journal: journal.to_owned(),
                index,
                open: open.clone(),
            };
            let thread = thread::Builder::new().name(format!("worker-{index}"));
            threads.push(
                thread
                    .spawn(move || seat.work(socket, &started))
                    .map_err(WorkerError::Start)?,
            );
            let started = starts
                .recv()
                .map_err(|_| WorkerError::Start(std::io::ErrorKind::BrokenPipe.into()))?;
            progress.push(started?);
        }
        Ok(Workers { threads, progress })
    }

    /// How far each worker's journal has got.
    pub fn progress(&self) -> Vec<Progress> {
        self.progress.clone()
    }

    /// Waits until all have ended, which they do when the gateway drains.
    pub fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
    }
}

/// What a worker's thread begins with.
struct Bench {
    shared: Arc<Shared>,
    journal: PathBuf,
    index: usize,
    open: Arc<AtomicUsize>,
}

impl Bench {
    fn work(
        self,
        socket: std::net::TcpListener,
        started: &mpsc::Sender<Result<Progress, WorkerError>>,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // The starter may have given up on an earlier worker; then there is nobody to tell.
        let tell = |result| drop(started.send(result));
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return tell(Err(WorkerError::Start(error))),
        };
        let (journal, writer) =
            match Journal::open(&self.journal, self.index as u32, self.shared.clock.clone()) {
                Ok(opened) => opened,
                Err(error) => return tell(Err(WorkerError::Journal(error))),
            };
        tell(Ok(journal.progress()));
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            let writing = tokio::task::spawn_local(writer.run());
            let worker = Worker::new(self.shared, journal.clone());
            if let Err(error) = listener::run(worker, socket, self.open).await {
                tracing::error!(%error, "a listener failed");
            }
            journal.close();
            if writing.await.is_err() {
                tracing::error!("the journal's writer panicked");
            }
        });
    }
}

/// The outcome of a reply that came to its end; the journal then has its status instead.
const ANSWERED: &str = "answered";

/// A call that was forwarded and whose outcome is not yet written. Dropping it writes one: whoever leaves early, a
/// client, an upstream or the gateway's own end, leaves a line behind.
#[derive(Debug)]
pub(super) struct CallRecord {
    worker: Rc<Worker>,
    server: Arc<Server>,
    request_id: Uuid,
    started: Timestamp,
    status: Option<StatusCode>,
    label: &'static str,
    is_settled: bool,
}

impl CallRecord {
    pub(super) fn new(worker: Rc<Worker>, server: Arc<Server>, request_id: Uuid) -> CallRecord {
        server.metrics.in_flight.increment(1.0);
        let started = worker.shared.clock.now();
        CallRecord {
            worker,
            server,
            request_id,
            started,
            status: None,
            label: "abandoned",
            is_settled: false,
        }
    }

    /// The upstream's first byte has come.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// The reply has come to its end.
    pub(super) fn ended(&mut self) {
        self.label = ANSWERED;
    }

    /// The reply broke off.
    pub(super) fn broke_off(&mut self) {
        self.label = "cut";
        self.server.metrics.upstream_error("cut");
    }

    /// Writes the outcome in place of the one that dropping would write; latency is filled in.
    pub(super) fn settle(mut self, line: OutcomeLine<'_>) {
        self.write(line);
    }

    fn write(&mut self, mut line: OutcomeLine<'_>) {
        line.latency = self.worker.shared.clock.now().since(self.started);
        self.is_settled = true;
        self.worker.journal.outcome(self.request_id, &line);
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.server.metrics.in_flight.decrement(1.0);
        if !self.is_settled {
            let status = self.status.filter(|_| self.label == ANSWERED);
            let upstream = status.as_ref().map_or(self.label, StatusCode::as_str);
            self.write(OutcomeLine {
                upstream,
                latency: Duration::ZERO,
                refund: None,
            });
        }
    }
}
