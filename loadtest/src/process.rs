//! Starts and ends the processes of a test: the roles of this very program, and the gateway.
//!
//! It never leaves one behind while it lives: each is stopped in order at the end and killed when dropped. Roles also end
//! by themselves when their standard input closes; a gateway whose load test is killed with SIGKILL stays.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines, Take};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::failure::Failure;

/// How long a process may take to say where it listens.
const READY_MAX: Duration = Duration::from_secs(20);

/// How long a process may take to end; also what the gateway has for its drain.
const STOP_MAX: Duration = Duration::from_secs(15);

/// How much of a process's standard output is read for what it has to say.
const OUTPUT_MAX: u64 = 64 << 10;

/// A running process that was started here.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    pid: Pid,
    lines: Lines<BufReader<Take<ChildStdout>>>,
}

impl Process {
    /// Starts `command`; the name is for messages.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Process, Failure> {
        let started = |source| Failure::Start { what: name, source };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(started)?;
        let stdout = child.stdout.take().expect("the output is piped");
        let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Ok(Process {
            name,
            pid: pid.expect("a process that was not waited for has an id"),
            child,
            lines: BufReader::new(stdout.take(OUTPUT_MAX)).lines(),
        })
    }

    /// Starts a role of this program and reads the address that it prints.
    pub(crate) async fn role(
        name: &'static str,
        arguments: &[String],
    ) -> Result<(Process, SocketAddr), Failure> {
        let program =
            std::env::current_exe().map_err(|source| Failure::Start { what: name, source })?;
        let mut process = Process::start(name, Command::new(program).args(arguments))?;
        let line = process.line().await?;
        match line.parse() {
            Ok(address) => Ok((process, address)),
            Err(_) => Err(process.not_ready(format!("it printed {line:?}"))),
        }
    }

    /// The next line of standard output; an error when none comes in time.
    pub(crate) async fn line(&mut self) -> Result<String, Failure> {
        match timeout(READY_MAX, self.lines.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            Ok(Ok(None)) => Err(self.not_ready("its output ended".into())),
            Ok(Err(error)) => Err(self.not_ready(error.to_string())),
            Err(_) => Err(self.not_ready(format!("no line in {} s", READY_MAX.as_secs()))),
        }
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Closes its input and, for a process that does not watch it, asks it to end; kills it when it does not in time.
    /// Returns what was wrong with its end.
    pub(crate) async fn stop(mut self, way: Stop) -> Option<String> {
        let name = self.name;
        if way == Stop::Terminate {
            // It may have ended on its own; the exit status tells.
            let _ = kill_process(self.pid, Signal::TERM);
        }
        // Waiting closes the input.
        match timeout(STOP_MAX, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => None,
            Ok(Ok(status)) => Some(format!("{name} ended with {status}")),
            Ok(Err(error)) => Some(format!("{name} could not be waited for: {error}")),
            Err(_) => {
                let _ = self.child.kill().await;
                Some(format!(
                    "{name} did not end within {} s",
                    STOP_MAX.as_secs()
                ))
            }
        }
    }

    fn not_ready(&self, found: String) -> Failure {
        Failure::NotReady {
            process: self.name,
            found,
        }
    }
}

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// By closing its input.
    CloseInput,
    /// By SIGTERM.
    Terminate,
}

/// Lets this process and those that it starts open as many descriptors as the system allows. Where it may not, the first
/// connection that finds none left reports it.
pub(crate) fn allow_many_connections() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
}

/// A file for a process's log.
pub(crate) fn log_file(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|source| Failure::File {
        path: path.into(),
        source,
    })
}

/// How many lines of a log are shown.
const LOG_LINES_SHOWN: usize = 12;

/// The last lines of a log, each behind a line break; empty if there is none.
pub(crate) fn end_of(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<&str> = text.lines().rev().take(LOG_LINES_SHOWN).collect();
    lines.reverse();
    lines.iter().map(|line| format!("\n  | {line}")).collect()
}
