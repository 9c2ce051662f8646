//! Says why a load test could not be run.
//!
//! Never why a run went badly: wrong replies and broken connections are counted in the tally and shown in the report.

use std::io;
use std::path::PathBuf;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A listener, thread, runtime or process could not be made.
    #[error("cannot start {what}")]
    Start {
        /// What was being started.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The gateway's binary is not where it should be.
    #[error(
        "there is no toolgate at {0}; build it (cargo build --release), name it (--toolgate PATH), or leave it out (--targets direct,proxy)"
    )]
    NoGateway(PathBuf),
    /// A process did not say in time where it listens, or said something else.
    #[error("{process} did not say where it listens: {found}")]
    NotReady {
        /// Which process.
        process: &'static str,
        /// What it did instead, with the end of its log.
        found: String,
    },
    /// A file could not be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the kernel's does not look as documented.
    #[error("{} does not have the documented form", .0.display())]
    Accounting(PathBuf),
    /// The first call to a target was not answered as it must be; there is nothing to measure.
    #[error("the first call to {target} failed: {found}")]
    Probe {
        /// Which target.
        target: &'static str,
        /// What came instead of the reply.
        found: String,
    },
    /// An idle connection could not be opened, or was not there any more when it was used again.
    #[error("idle connection {number} to {target} failed: {found}")]
    Idle {
        /// Which target.
        target: &'static str,
        /// Which connection, counted from 1.
        number: usize,
        /// What came instead of the reply.
        found: String,
    },
    /// The flood beside the load was not answered.
    #[error("the flood beside the load failed: {0}")]
    Flood(String),
    /// A thread of the client panicked.
    #[error("a client thread panicked")]
    Panicked,
    /// The whole test took longer than its own plan allows.
    #[error("the test did not end within {0} s")]
    Overdue(u64),
    /// A signal asked for the end.
    #[error("interrupted")]
    Interrupted,
}
