//! The threads of the data path: one for each core, each with its own runtime, listener and journal.
//!
//! A worker's thread never ends before its journal is written.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc};
use std::thread;

use super::Shared;
use super::listener::{self, Listeners};
use super::worker::Worker;
use crate::record::{Journal, JournalError, Keeping, Progress};

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
        let keeping = shared.snapshot.load().settings.keeping;
        let (mut threads, mut progress) = (Vec::new(), Vec::new());
        for (index, socket) in listeners.sockets.into_iter().enumerate() {
            let (started, starts) = mpsc::channel();
            let seat = Bench {
                shared: shared.clone(),
                journal: journal.to_owned(),
                index,
                open: open.clone(),
                keeping,
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
    keeping: Keeping,
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
        let clock = self.shared.clock.clone();
        let (journal, writer) =
            match Journal::open(&self.journal, self.index as u32, clock, self.keeping) {
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
