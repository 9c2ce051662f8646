//! How surely a call's decision line is kept before the call goes.
//!
//! It never decides anything: the journal does as it says, and what each choice gives away is told where it is made.

use schemars::JsonSchema;
use serde::Deserialize;

/// What has to happen to a line before it counts as written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// The operating system has the line: limits hold over any end of this process, `kill -9` too. A power cut or a crash
    /// of the system forgets the charges of about the last half minute, so that so much may be admitted again.
    #[default]
    Write,
    /// The disk has the line, by its own word: limits hold over a power cut too. Calls that come together share one sync,
    /// and each waits for it.
    Fsync,
}

/// Whether a call needs its line.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audit {
    /// A call goes once its decision line is written; where that fails it is refused.
    #[default]
    Required,
    /// A call does not wait for its line, and goes even where that cannot be written. Any end of the process but a clean
    /// one may then forget charges, so that so much is admitted again, and calls that the journal does not have.
    BestEffort,
}

/// How a journal keeps lines.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// When a line counts as written.
    pub durability: Durability,
    /// Whether a call waits for that.
    pub audit: Audit,
}
