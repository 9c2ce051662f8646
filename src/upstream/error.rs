//! Why a call could not be forwarded, and whether any of it was sent.
//!
//! It never holds what an agent or an upstream sent: errors end up in logs.

use std::sync::Arc;
use std::time::Duration;

use super::child::{Exit, StartError};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// An accident between the gateway and an upstream.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// No connection.
    #[error("cannot connect to {upstream}")]
    Connect {
        /// The server's name.
        upstream: Arc<str>,
        /// What the network said.
        source: Source,
    },
    /// No connection within the time for it.
    #[error("{upstream} did not accept a connection within {after:?}")]
    ConnectLate {
        /// The server's name.
        upstream: Arc<str>,
        /// How long it had.
        after: Duration,
    },
    /// No first byte of an answer within the time for it.
    #[error("{upstream} did not begin to answer within {after:?}")]
    Late {
        /// The server's name.
        upstream: Arc<str>,
        /// How long it had.
        after: Duration,
    },
    /// No end of an answer within the time for a tool call.
    #[error("{upstream} did not answer to the end within {after:?}")]
    TimeUp {
        /// The server's name.
        upstream: Arc<str>,
        /// How long it had.
        after: Duration,
    },
    /// The connection ended before the answer did.
    #[error("{upstream} broke off")]
    Cut {
        /// The server's name.
        upstream: Arc<str>,
        /// What was seen of it.
        source: Source,
    },
    /// An answer that is none in this protocol.
    #[error("{upstream} answered with {what}")]
    Protocol {
        /// The server's name.
        upstream: Arc<str>,
        /// What it answered with.
        what: &'static str,
    },
    /// A redirect, which is never followed: it would carry the call and its credential to where nobody configured.
    #[error("{upstream} answered with a redirect (status {status}), which is not followed")]
    Redirected {
        /// The server's name.
        upstream: Arc<str>,
        /// 300–399.
        status: u16,
    },
    /// As much as may be is under way to this upstream already.
    #[error("too much is under way to {upstream}")]
    Saturated {
        /// The server's name.
        upstream: Arc<str>,
    },
    /// The process did not start, or it died and rests before the next start.
    #[error(
        "the process of {upstream} is not running; the next start is possible in {retry_after:?}"
    )]
    ChildNotStarted {
        /// The server's name.
        upstream: Arc<str>,
        /// What remains of the rest.
        retry_after: Duration,
        /// Why the last start failed, if it did.
        source: Option<Arc<StartError>>,
    },
    /// The process ended while the call was with it.
    #[error("the process of {upstream} ended: {exit}")]
    ChildGone {
        /// The server's name.
        upstream: Arc<str>,
        /// How it ended.
        exit: Exit,
        /// Whether writing the call to the process had begun.
        was_written: bool,
    },
    /// The process refused the handshake that has to come before this call.
    #[error("{upstream} refused to be initialized")]
    HandshakeRefused {
        /// The server's name.
        upstream: Arc<str>,
    },
    /// The gateway is stopping this upstream.
    #[error("{upstream} is being stopped")]
    Stopped {
        /// The server's name.
        upstream: Arc<str>,
    },
    /// A `tools/call`, or something that was not read and could be one, on the way that skips the gate.
    #[error("a tool call that was not judged is not forwarded")]
    NotJudged,
}

impl ForwardError {
    /// Whether any byte of the call may have left. `false` means certainly not: what it was charged is given back.
    pub fn was_sent(&self) -> bool {
        match self {
            ForwardError::Connect { .. }
            | ForwardError::ConnectLate { .. }
            | ForwardError::Saturated { .. }
            | ForwardError::ChildNotStarted { .. }
            | ForwardError::HandshakeRefused { .. }
            | ForwardError::Stopped { .. }
            | ForwardError::NotJudged => false,
            ForwardError::ChildGone { was_written, .. } => *was_written,
            // Whether it had left already is not known where connecting took all the time there was.
            ForwardError::TimeUp { .. }
            | ForwardError::Late { .. }
            | ForwardError::Cut { .. }
            | ForwardError::Protocol { .. }
            | ForwardError::Redirected { .. } => true,
        }
    }

    /// All that [`ForwardError::label`] may say.
    pub const LABELS: &'static [&'static str] = &[
        "connect",
        "connect_late",
        "late",
        "time_up",
        "cut",
        "protocol",
        "redirected",
        "saturated",
        "child_not_started",
        "child_gone",
        "handshake_refused",
        "stopped",
        "not_judged",
    ];

    /// A label for metrics and the journal, from a closed list.
    pub fn label(&self) -> &'static str {
        match self {
            ForwardError::Connect { .. } => "connect",
            ForwardError::ConnectLate { .. } => "connect_late",
            ForwardError::Late { .. } => "late",
            ForwardError::TimeUp { .. } => "time_up",
            ForwardError::Cut { .. } => "cut",
            ForwardError::Protocol { .. } => "protocol",
            ForwardError::Redirected { .. } => "redirected",
            ForwardError::Saturated { .. } => "saturated",
            ForwardError::ChildNotStarted { .. } => "child_not_started",
            ForwardError::ChildGone { .. } => "child_gone",
            ForwardError::HandshakeRefused { .. } => "handshake_refused",
            ForwardError::Stopped { .. } => "stopped",
            ForwardError::NotJudged => "not_judged",
        }
    }

    /// Whether it was a time-out (504 rather than 502).
    pub fn is_late(&self) -> bool {
        matches!(
            self,
            ForwardError::Late { .. }
                | ForwardError::TimeUp { .. }
                | ForwardError::ConnectLate { .. }
        )
    }
}
