//! What each revision of MCP asks of an intermediary.
//!
//! Policy is decided from the body alone; headers are only compared with it. Source: MCP 2026-07-28, "Transports",
//! standard request headers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::message::{Message, Method, Shape};
use crate::json::Value;

/// The headers of a request since 2026-07-28 that repeat what the body says; `None` where the request has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct ModernHeaders<'a> {
    /// `MCP-Protocol-Version`
    pub version: Option<&'a str>,
    /// `Mcp-Method`
    pub method: Option<&'a str>,
    /// `Mcp-Name`
    pub name: Option<&'a str>,
}

/// Revisions before 2026-07-28 have sessions, a handshake and requests from the server; since then there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25.
    Legacy,
    /// Since 2026-07-28.
    Modern,
}

/// Headers and body that do not fit together: HTTP 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderMismatch {
    /// A header is missing, stands twice, or does not say what the body says.
    #[error("the header {0} must be there once and say what the body says")]
    Differs(&'static str),
    /// A revision that the gateway does not know.
    #[error("this MCP-Protocol-Version is not supported; supported are {}", REVISIONS.join(", "))]
    Version,
    /// A response, where the revision has no requests of the server's to answer.
    #[error("this revision has no requests of a server's, so that there is nothing to answer")]
    Response,
}

impl HeaderMismatch {
    /// The JSON-RPC error code of MCP 2026-07-28.
    pub fn code(self) -> i64 {
        match self {
            HeaderMismatch::Differs(_) => -32020,
            HeaderMismatch::Version => -32022,
            HeaderMismatch::Response => -32600,
        }
    }
}

/// The revisions that the gateway passes on.
const REVISIONS: &[&str] = &[
    "2024-11-05",
    "2025-03-26",
    "2025-06-18",
    "2025-11-25",
    MODERN,
];

/// The first revision without sessions.
const MODERN: &str = "2026-07-28";

impl ModernHeaders<'_> {
    /// Compares the headers with the message, where either says that it is of a revision that wants them.
    pub fn check(&self, message: &Message<'_>) -> Result<(), HeaderMismatch> {
        if self
            .version
            .is_some_and(|version| !REVISIONS.contains(&version))
        {
            return Err(HeaderMismatch::Version);
        }
        if !message.envelope.is_modern && !self.is_modern() {
            return Ok(());
        }
        if message.envelope.shape == Shape::Response {
            return Err(HeaderMismatch::Response);
        }
        let meta = message.params.and_then(|params| params.member("_meta"));
        let version = meta.and_then(|meta| meta.member("io.modelcontextprotocol/protocolVersion"));
        if self.version.is_none() || version.and_then(Value::as_str) != self.version {
            return Err(HeaderMismatch::Differs("MCP-Protocol-Version"));
        }
        if self.method != Some(message.name) {
            return Err(HeaderMismatch::Differs("Mcp-Method"));
        }
        let named = match (message.envelope.method, message.name) {
            (Method::ToolsCall, _) | (_, "prompts/get") => "name",
            (_, "resources/read") => "uri",
            _ => return Ok(()),
        };
        let expected = message
            .params
            .and_then(|params| params.member(named))
            .and_then(Value::as_str);
        if expected.is_some() && expected != self.name.and_then(decoded).as_deref() {
            return Err(HeaderMismatch::Differs("Mcp-Name"));
        }
        Ok(())
    }

    /// Which side of the great divide the headers say that the request is from.
    pub fn era(&self) -> Era {
        if self.is_modern() {
            Era::Modern
        } else {
            Era::Legacy
        }
    }

    fn is_modern(&self) -> bool {
        self.version == Some(MODERN)
    }
}

/// A header's value, which may be spelled `=?base64?…?=` where it is not plain ASCII. `None`: broken.
fn decoded(value: &str) -> Option<String> {
    let Some(encoded) = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="))
    else {
        return Some(value.to_owned());
    };
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}
