//! Sees a child to its end.
//!
//! It never leaves a process of the group behind, however the end comes: asked for, by itself, or by the runtime going away.

use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use process_wrap::tokio::ChildWrapper;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::lines::ReadEnd;
use super::{Exit, ExitCause, Flow};

/// How long a child has to end by itself once its input is closed: what the protocol asks for, and short, as a drain waits.
const INPUT_CLOSED_WAIT: Duration = Duration::from_millis(500);

/// How long it has after SIGTERM.
const TERM_WAIT: Duration = Duration::from_secs(3);

/// How long its pipes are read after its end: only a process that left the group can still hold them.
const PIPES_WAIT: Duration = Duration::from_secs(1);

/// Kills the group when dropped, unless the group is known to be gone.
#[derive(Debug)]
pub(super) struct GroupGuard(Option<Pid>);

impl GroupGuard {
    pub(super) fn new(id: u32) -> GroupGuard {
        GroupGuard(i32::try_from(id).ok().and_then(Pid::from_raw))
    }

    /// A group that is gone already is what was wanted.
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for GroupGuard {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// A child's three pipes.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl Pipes {
    pub(super) fn take(process: &mut dyn ChildWrapper) -> Option<Pipes> {
        Some(Pipes {
            stdin: process.stdin().take()?,
            stdout: process.stdout().take()?,
            stderr: process.stderr().take()?,
        })
    }
}

/// The process and the tasks that serve it.
pub(super) struct Supervisor {
    pub(super) process: Box<dyn ChildWrapper>,
    pub(super) guard: GroupGuard,
    pub(super) writer: JoinHandle<()>,
    pub(super) reader: JoinHandle<ReadEnd>,
    pub(super) stderr: JoinHandle<()>,
    pub(super) flow: Arc<Flow>,
}

impl Supervisor {
    /// Waits for the end, or brings it about when asked to (by a message or by its sender being dropped).
    pub(super) async fn run(mut self, stop_asked: oneshot::Receiver<()>) -> Exit {
        let mut read_end = None;
        let ended = tokio::select! {
            status = self.process.wait() => Some(status.ok()),
            end = &mut self.reader => { read_end = end.ok(); None }
            _ = stop_asked => None,
        };
        let (status, cause) = match ended {
            Some(status) => (status, ExitCause::Itself),
            None => self.stop(read_end).await,
        };
        // Grandchildren (package runners leave some) go with the leader.
        self.guard.signal(Signal::KILL);
        self.guard.0 = None;
        if read_end.is_none() {
            self.drain().await;
        }
        if timeout(PIPES_WAIT, &mut self.stderr).await.is_err() {
            self.stderr.abort();
        }
        self.writer.abort();
        // Its end, and not only its being told to end, makes the count of lines final.
        let _ = (&mut self.writer).await;
        Exit {
            status,
            cause,
            lines_begun: self.flow.begun.load(Ordering::Relaxed),
        }
    }

    /// Waits for the last lines. Whoever reads them may take its time; a pipe that somebody else holds open may not.
    async fn drain(&mut self) {
        while timeout(PIPES_WAIT, &mut self.reader).await.is_err() {
            if !self.flow.is_waiting_for_reader.load(Ordering::Relaxed) {
                return self.reader.abort();
            }
        }
    }

    async fn stop(&mut self, read_end: Option<ReadEnd>) -> (Option<ExitStatus>, ExitCause) {
        let cause = match read_end {
            Some(ReadEnd::TooLong) => {
                self.guard.signal(Signal::KILL);
                return (self.process.wait().await.ok(), ExitCause::LineTooLong);
            }
            Some(ReadEnd::Closed) => ExitCause::OutputClosed,
            None => ExitCause::Asked,
        };
        if cause == ExitCause::OutputClosed {
            // Its end and the end of its output come together: which one is seen first is chance.
            if let Ok(status) = timeout(INPUT_CLOSED_WAIT, self.process.wait()).await {
                return (status.ok(), ExitCause::Itself);
            }
            self.writer.abort();
        }
        if let Ok(status) = timeout(INPUT_CLOSED_WAIT, self.process.wait()).await {
            return (status.ok(), cause);
        }
        self.guard.signal(Signal::TERM);
        if let Ok(status) = timeout(TERM_WAIT, self.process.wait()).await {
            return (status.ok(), cause);
        }
        self.guard.signal(Signal::KILL);
        (self.process.wait().await.ok(), cause)
    }
}
