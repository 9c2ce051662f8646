//! How a server says that a call failed.
//!
//! It never means that the call was not run: a server can do the work and fail.

/// How a server says that a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// A JSON-RPC error in place of a result.
    RpcError,
    /// An HTTP status from 500 on.
    Http5xx,
    /// A tool result that says of itself that it is an error (`isError`).
    ErrorResult,
}

impl Failure {
    /// All of them.
    pub const ALL: [Failure; 3] = [Failure::RpcError, Failure::Http5xx, Failure::ErrorResult];

    /// As a document spells it.
    pub fn name(self) -> &'static str {
        match self {
            Failure::RpcError => "rpc_error",
            Failure::Http5xx => "http_5xx",
            Failure::ErrorResult => "error_result",
        }
    }
}

/// Some kinds of failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures(u8);

impl Failures {
    /// None of them.
    pub const NONE: Failures = Failures(0);

    /// These and one more.
    pub fn with(self, failure: Failure) -> Failures {
        Failures(self.0 | 1 << failure as u8)
    }

    /// Whether this is one of them.
    pub fn has(self, failure: Failure) -> bool {
        self.0 & 1 << failure as u8 != 0
    }

    /// Whether one of them is among these.
    pub fn meets(self, others: Failures) -> bool {
        self.0 & others.0 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
