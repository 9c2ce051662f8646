//! Lists the tools of a server as a client would: every page, in whichever era the server speaks.
//!
//! It never runs a tool, never goes on for longer or with more than it was given, and leaves no session behind.

mod answer;
mod client;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::{ForwardError, Server};
use crate::json::{Duplicates, Kind, Reader, Value};
use client::Client;

/// How many pages a list may have: 10,000 tools, of which a catalogue keeps no more, in pages of 50.
const PAGES_MAX: usize = 200;

/// Why a server's tools could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The server could not be asked.
    #[error("{upstream} could not be asked for its tools")]
    Forward {
        /// The server's name.
        upstream: Arc<str>,
        /// Why not.
        source: ForwardError,
    },
    /// The list was not there in time.
    #[error("{upstream} did not list its tools within {after:?}")]
    Late {
        /// The server's name.
        upstream: Arc<str>,
        /// How long it had.
        after: Duration,
    },
    /// The server answered with an error.
    #[error("{upstream} refused {method} (status {status}{})", shown(*.code))]
    Refused {
        /// The server's name.
        upstream: Arc<str>,
        /// The method that it refused.
        method: &'static str,
        /// The HTTP status; of a process, the one that its answer stands for.
        status: u16,
        /// The JSON-RPC error code, if there was one.
        code: Option<i64>,
    },
    /// The answer is no list of tools.
    #[error("{upstream} answered {method} with {what}")]
    Unreadable {
        /// The server's name.
        upstream: Arc<str>,
        /// The method that was answered.
        method: &'static str,
        /// What came instead.
        what: &'static str,
    },
    /// The list is longer than any may be, or has no end.
    #[error("{upstream} lists {what}")]
    TooMuch {
        /// The server's name.
        upstream: Arc<str>,
        /// Too much of what.
        what: &'static str,
    },
}

fn shown(code: Option<i64>) -> String {
    code.map_or_else(String::new, |code| format!(", error {code}"))
}

/// Asks a server for all its tools: the JSON text of each definition, as it came. At most 16 MiB in 200 pages; a server
/// that is not done `within` that time is [`ListError::Late`], and a second at most goes into ending its session.
///
/// It may be awaited on any runtime with timers and I/O, also outside a `LocalSet`: its connections are its own.
pub async fn list_tools(server: &Server, within: Duration) -> Result<Vec<Box<str>>, ListError> {
    let asking = async {
        let mut client = Client::new(server);
        let listed = timeout(within, all_pages(&mut client)).await;
        client.leave().await;
        listed.unwrap_or_else(|_elapsed| {
            Err(ListError::Late {
                upstream: server.name.clone(),
                after: within,
            })
        })
    };
    LocalSet::new().run_until(asking).await
}

async fn all_pages(client: &mut Client) -> Result<Vec<Box<str>>, ListError> {
    client.greet(&mut Reader::new(Duplicates::Kept)).await?;
    match pages(client).await {
        Err(ListError::Forward {
            source: ForwardError::HandshakeRefused { .. },
            ..
        }) => {
            // A process that knows no handshake is of the modern era.
            client.become_modern();
            pages(client).await
        }
        listed => listed,
    }
}

async fn pages(client: &mut Client) -> Result<Vec<Box<str>>, ListError> {
    // A definition that two readers could read differently is not one to judge by.
    let mut reader = Reader::new(Duplicates::Refused);
    let mut tools = Vec::new();
    let mut cursor: Option<Box<str>> = None;
    for _ in 0..PAGES_MAX {
        let params = cursor
            .as_ref()
            .map_or_else(String::new, |cursor| format!(r#""cursor":{cursor}"#));
        let reply = client.ask(client::TOOLS_LIST, &params).await?;
        let Some(next) = page(&reply, &mut reader, &mut tools) else {
            let what = "what is no list of tools";
            return Err(client.unreadable(client::TOOLS_LIST, what));
        };
        match next {
            None => return Ok(tools),
            Some(next) if cursor.as_ref() == Some(&next) => break,
            Some(next) => cursor = Some(next),
        }
    }
    Err(client.too_much("pages without an end"))
}

/// Takes the tools of one page, and gives the cursor of the next as it came, if there is one; outer `None`: no page.
fn page(reply: &Bytes, reader: &mut Reader, tools: &mut Vec<Box<str>>) -> Option<Option<Box<str>>> {
    let document = reader.read(reply).ok()?;
    let result = document.root().member("result")?;
    let list = result.member("tools")?;
    if list.kind() != Kind::Array {
        return None;
    }
    for tool in list.elements() {
        tool.member("name").and_then(Value::as_str)?;
        tools.push(tool.raw().into());
    }
    match result.member("nextCursor") {
        None => Some(None),
        // Clients written in languages where "" is false take it for the end, and so servers do.
        Some(cursor) if cursor.kind() == Kind::Null || cursor.as_str() == Some("") => Some(None),
        Some(cursor) => cursor.as_str().map(|_| Some(cursor.raw().into())),
    }
}
