//! Runs a server as a child process: lines in, lines out, and an end that leaves no process behind.
//!
//! It never reads what the lines say. It never asks the kernel to tie the child to a thread (`PR_SET_PDEATHSIG` would
//! fire when a runtime's thread retires); a process group and a guard do that work.

mod lines;
mod stderr;
mod supervisor;

use std::ffi::OsString;
use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};

use super::ChildCommand;
use supervisor::{GroupGuard, Pipes, Supervisor};

pub use lines::LINE_LEN_MAX;

/// How many lines may wait to be written to a child, and how many bytes: a child that does not read is noticed before
/// the gateway's memory is.
const INPUT_LINES_MAX: usize = 1_024;
const INPUT_BYTES_MAX: usize = 32 << 20;

/// How many lines a child may be ahead of its reader; then it waits in its own `write`.
const OUTPUT_LINES_MAX: usize = 8;

/// What a child inherits of the gateway's environment, as with the clients that start such servers themselves (the six of
/// the MCP SDKs: the gateway's other variables may be secrets), and what a server in another locale, with another
/// temporary folder or behind a package runner's cache would miss. Names that end in `*` are prefixes.
pub const INHERITED: [&str; 11] = [
    "HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LANG", "LC_*", "TMPDIR", "TZ", "XDG_*",
];

/// A running child. Dropping it stops it as [`Child::stop`] does, without waiting.
#[derive(Debug)]
pub struct Child {
    id: u32,
    /// `None` after [`Child::close_input`].
    input: Option<mpsc::Sender<Bytes>>,
    flow: Arc<Flow>,
    output: mpsc::Receiver<Bytes>,
    exit: oneshot::Receiver<Exit>,
    /// Told, or dropped, when the child is to stop.
    stop: Option<oneshot::Sender<()>>,
}

/// What the tasks around a child know of each other.
#[derive(Debug, Default)]
struct Flow {
    /// Bytes that wait to be written.
    waiting: AtomicUsize,
    /// Lines whose writing has begun.
    begun: AtomicU64,
    /// A line that was read waits for whoever reads the child.
    is_waiting_for_reader: AtomicBool,
}

/// What a child does next.
#[derive(Debug)]
pub enum ChildEvent {
    /// A line of its standard output, without its end.
    Line(Bytes),
    /// It ended; there is nothing after this.
    Ended(Exit),
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// What the system says; `None` if it could not be asked.
    pub status: Option<ExitStatus>,
    /// Who ended it.
    pub cause: ExitCause,
    /// How many lines were begun to be written to it; later ones certainly did not reach it.
    pub lines_begun: u64,
}

/// Who ended a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCause {
    /// It did.
    Itself,
    /// We did, being asked to.
    Asked,
    /// We did, because it wrote a line longer than [`LINE_LEN_MAX`].
    LineTooLong,
    /// We did, because it closed its standard output and could answer no more.
    OutputClosed,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            ExitCause::Itself => {}
            ExitCause::Asked => write!(f, "stopped; ")?,
            ExitCause::LineTooLong => {
                write!(f, "stopped for a line over {} MiB; ", LINE_LEN_MAX >> 20)?;
            }
            ExitCause::OutputClosed => write!(f, "stopped for closing its output; ")?,
        }
        match self.status {
            Some(status) => write!(f, "{status}"),
            None => write!(f, "exit status unknown"),
        }
    }
}

/// A child that did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {command}")]
pub struct StartError {
    /// The program's name as configured.
    pub command: String,
    /// What the system said.
    pub source: std::io::Error,
}

/// A line that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The child has not read what it was sent before.
    #[error("the process does not read its input")]
    Full,
    /// The child reads no more.
    #[error("the process has closed its input")]
    Closed,
}

impl Child {
    /// Starts a process in a group of its own; what it writes to standard error goes to the log under `name`. Must be
    /// called within a multi-thread runtime, which looks after it.
    pub fn start(name: Arc<str>, command: &ChildCommand) -> Result<Child, StartError> {
        let failed = |source| StartError {
            command: command.command.clone(),
            source,
        };
        let mut process = CommandWrap::from(prepared(command));
        process.wrap(ProcessGroup::leader());
        let mut process = process.spawn().map_err(failed)?;
        let id = process.id().unwrap_or_default();
        let guard = GroupGuard::new(id);
        let pipes = Pipes::take(&mut *process).ok_or_else(|| failed(no_pipe()))?;
        Ok(Child::supervised(name, process, (guard, pipes)))
    }

    fn supervised(
        name: Arc<str>,
        process: Box<dyn ChildWrapper>,
        (guard, pipes): (GroupGuard, Pipes),
    ) -> Child {
        let id = process.id().unwrap_or_default();
        let (input, input_lines) = mpsc::channel(INPUT_LINES_MAX);
        let (output_lines, output) = mpsc::channel(OUTPUT_LINES_MAX);
        let (exit_sender, exit) = oneshot::channel();
        let (stop, stop_asked) = oneshot::channel();
        let flow = Arc::<Flow>::default();
        let supervisor = Supervisor {
            process,
            guard,
            writer: tokio::spawn(lines::write(pipes.stdin, input_lines, flow.clone())),
            reader: tokio::spawn(lines::read(pipes.stdout, output_lines, flow.clone())),
            stderr: tokio::spawn(stderr::log(name, pipes.stderr)),
            flow: flow.clone(),
        };
        tokio::spawn(async move {
            // Nobody waits for the exit of a child whose handle was dropped.
            let _ = exit_sender.send(supervisor.run(stop_asked).await);
        });
        Child {
            id,
            input: Some(input),
            flow,
            output,
            exit,
            stop: Some(stop),
        }
    }

    /// The process id, which is also its group's.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Queues a line, which holds no line end but the one at its end; refused at once if the queue is full.
    pub fn try_send(&self, line: Bytes) -> Result<(), SendError> {
        let input = self.input.as_ref().ok_or(SendError::Closed)?;
        if self.flow.waiting.load(Ordering::Relaxed) > INPUT_BYTES_MAX {
            return Err(SendError::Full);
        }
        let length = line.len();
        self.flow.waiting.fetch_add(length, Ordering::Relaxed);
        let sent = input.try_send(line).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        });
        if sent.is_err() {
            self.flow.waiting.fetch_sub(length, Ordering::Relaxed);
        }
        sent
    }

    /// Queues a line, waiting while the queue is full.
    pub async fn send(&self, line: Bytes) -> Result<(), SendError> {
        let input = self.input.as_ref().ok_or(SendError::Closed)?;
        let permit = input.reserve().await.map_err(|_closed| SendError::Closed)?;
        self.flow.waiting.fetch_add(line.len(), Ordering::Relaxed);
        permit.send(line);
        Ok(())
    }

    /// Closes its standard input once what is queued is written; most servers end on that, in their own time.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// The next line, or the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> ChildEvent {
        if let Some(line) = self.output.recv().await {
            return ChildEvent::Line(line);
        }
        let unknown = Exit {
            status: None,
            cause: ExitCause::Asked,
            lines_begun: u64::MAX,
        };
        // No exit comes if the runtime is shutting down: the guard has killed the group then.
        ChildEvent::Ended((&mut self.exit).await.unwrap_or(unknown))
    }

    /// Begins to stop it; its end comes as [`ChildEvent::Ended`].
    pub fn begin_stop(&mut self) {
        self.input = None;
        self.stop = None;
    }

    /// Closes its input, and if it does not end by that within half a second, sends SIGTERM to its group, and after three
    /// more SIGKILL. What it still writes is lost.
    pub async fn stop(mut self) -> Exit {
        self.end().await
    }

    /// The same for a child that is part of something.
    pub(super) async fn end(&mut self) -> Exit {
        self.begin_stop();
        loop {
            if let ChildEvent::Ended(exit) = self.next().await {
                return exit;
            }
        }
    }
}

fn prepared(command: &ChildCommand) -> Command {
    let mut prepared = Command::new(&command.command);
    prepared
        .args(&command.args)
        .env_clear()
        .envs(inherited(std::env::vars_os()))
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(cwd) = &command.cwd {
        prepared.current_dir(cwd);
    }
    prepared
}

/// Values that begin with `()` are functions of old shells, which the SDKs leave out too.
fn inherited(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    all.filter(|(name, value)| {
        let name = name.to_string_lossy();
        let is_named = INHERITED.iter().any(|known| match known.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == *known,
        });
        is_named && !value.to_string_lossy().starts_with("()")
    })
}

fn no_pipe() -> std::io::Error {
    std::io::Error::other("a standard stream is missing")
}

#[cfg(test)]
mod tests;
