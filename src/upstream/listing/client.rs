//! The client's side of the protocol, as far as a list of tools needs it: greeting, asking, leaving.
//!
//! It never answers what a server asks of its client: it says that it can do nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, Response, header};
use tokio::time::timeout;

use super::super::{ForwardError, Outgoing, ReplyBody, Server, ServerWay, Upstream};
use super::ListError;
use super::answer::{self, Answer};
use crate::json::{Duplicates, Reader, Value};
use crate::mcp::{EVENT_LEN_MAX, Era, parse};

pub(super) const TOOLS_LIST: &str = "tools/list";
const DISCOVER: &str = "server/discover";
const INITIALIZE: &str = "initialize";
const INITIALIZED: &str = "notifications/initialized";

/// How long a server may take to say that it is modern. Old ones may be silent before `initialize`; the SDKs' clients
/// wait ten seconds.
const DISCOVER_WAIT: Duration = Duration::from_secs(8);

/// How long the end of a session may take: it is a courtesy, and nobody needs its answer.
const FAREWELL_WAIT: Duration = Duration::from_secs(1);

/// All answers together: as long as one page of a list may be on its way to an agent.
const BYTES_MAX: usize = EVENT_LEN_MAX;

const MODERN: HeaderValue = HeaderValue::from_static("2026-07-28");
const LEGACY: &str = "2025-11-25";
const CLIENT: &str = concat!(
    r#"{"name":"toolgate","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// One conversation with a server.
pub(super) struct Client {
    name: Arc<str>,
    upstream: Upstream,
    /// A process is greeted by the room that keeps it.
    is_process: bool,
    era: Era,
    session: Option<HeaderValue>,
    version: Option<HeaderValue>,
    last_id: u64,
    bytes_left: usize,
}

impl Client {
    pub(super) fn new(server: &Server) -> Client {
        Client {
            name: server.name.clone(),
            upstream: Upstream::new(server),
            is_process: matches!(server.way, ServerWay::Stdio(_)),
            era: Era::Legacy,
            session: None,
            version: None,
            last_id: 0,
            bytes_left: BYTES_MAX,
        }
    }

    /// Finds out which era the server speaks, and does what has to come before the first request.
    pub(super) async fn greet(&mut self, reader: &mut Reader) -> Result<(), ListError> {
        if self.is_process {
            return Ok(());
        }
        self.become_modern();
        let discovered = timeout(DISCOVER_WAIT, self.ask(DISCOVER, "")).await;
        match discovered {
            Ok(Ok(reply)) if is_modern(&reply, reader) => return Ok(()),
            Ok(Err(error @ ListError::Forward { .. })) => return Err(error),
            // An old server says in all these ways that it is old.
            Ok(Ok(_) | Err(_)) | Err(_) => {}
        }
        self.era = Era::Legacy;
        self.version = None;
        self.initialize(reader).await
    }

    pub(super) fn become_modern(&mut self) {
        self.era = Era::Modern;
        self.version = Some(MODERN);
    }

    async fn initialize(&mut self, reader: &mut Reader) -> Result<(), ListError> {
        let params =
            format!(r#""protocolVersion":"{LEGACY}","capabilities":{{}},"clientInfo":{CLIENT}"#);
        let (response, id) = self.send(INITIALIZE, &params).await?;
        self.session = response.headers().get(SESSION).cloned();
        let reply = self.read(INITIALIZE, response, id).await?;
        // A server that names no revision is not told one either.
        self.version = reader.read(&reply).ok().and_then(|document| {
            let result = document.root().member("result")?;
            let version = result.member("protocolVersion").and_then(Value::as_str)?;
            HeaderValue::from_str(version).ok()
        });
        let body = format!(r#"{{"jsonrpc":"2.0","method":"{INITIALIZED}"}}"#);
        let confirmed = self.forward(self.outgoing(INITIALIZED, body)).await?;
        match confirmed.status().is_success() {
            true => Ok(()),
            false => Err(self.refused(INITIALIZED, confirmed.status().as_u16(), None)),
        }
    }

    /// Sends a request with these members of `params`, and gives the reply that has a result.
    pub(super) async fn ask(
        &mut self,
        method: &'static str,
        params: &str,
    ) -> Result<Bytes, ListError> {
        let (response, id) = self.send(method, params).await?;
        self.read(method, response, id).await
    }

    /// Ends the session, if there is one.
    pub(super) async fn leave(&mut self) {
        if self.session.is_none() {
            return;
        }
        let outgoing = Outgoing {
            method: HttpMethod::DELETE,
            headers: self.headers(),
            body: Bytes::new(),
            envelope: None,
            grant: asker(),
        };
        // Servers may refuse it (405); a session that nobody uses ends by itself.
        let _ = timeout(FAREWELL_WAIT, self.upstream.pass(outgoing)).await;
    }

    async fn send(
        &mut self,
        method: &'static str,
        params: &str,
    ) -> Result<(Response<ReplyBody>, u64), ListError> {
        self.last_id += 1;
        let id = self.last_id;
        let meta = match self.era {
            Era::Legacy => String::new(),
            Era::Modern => format!(
                r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}},"io.modelcontextprotocol/clientInfo":{CLIENT}}}"#
            ),
        };
        let comma = match meta.is_empty() || params.is_empty() {
            true => "",
            false => ",",
        };
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{meta}{comma}{params}}}}}"#
        );
        let response = self.forward(self.outgoing(method, body)).await?;
        Ok((response, id))
    }

    async fn read(
        &mut self,
        method: &'static str,
        response: Response<ReplyBody>,
        id: u64,
    ) -> Result<Bytes, ListError> {
        let status = response.status().as_u16();
        match answer::read(response, id, &mut self.bytes_left).await {
            Answer::Result(reply) => Ok(reply),
            Answer::Error(code) => Err(self.refused(method, status, code)),
            Answer::None(what) => Err(self.unreadable(method, what)),
            Answer::TooLong => Err(self.too_much("more than 16 MiB of tools")),
            Answer::Broken(source) => Err(self.failed(source)),
        }
    }

    fn outgoing(&self, method: &'static str, body: String) -> Outgoing {
        let mut headers = self.headers();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        let accepted = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(header::ACCEPT, accepted);
        if self.era == Era::Modern {
            let method = HeaderValue::from_static(method);
            headers.insert(HeaderName::from_static("mcp-method"), method);
        }
        let mut reader = Reader::new(Duplicates::Refused);
        let document = reader
            .read(body.as_bytes())
            .expect("a cursor that was read as JSON is JSON, and all else is ours");
        let envelope = parse(&document).expect("our own messages are well-formed");
        Outgoing {
            method: HttpMethod::POST,
            headers,
            envelope: Some(envelope.envelope),
            body: Bytes::from(body),
            grant: asker(),
        }
    }

    fn headers(&self) -> HeaderMap {
        let session = self.session.clone().map(|value| (SESSION, value));
        let version = self.version.clone().map(|value| (VERSION, value));
        session.into_iter().chain(version).collect()
    }

    async fn forward(&self, outgoing: Outgoing) -> Result<Response<ReplyBody>, ListError> {
        let passed = self.upstream.pass(outgoing).await;
        passed.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: ForwardError) -> ListError {
        let upstream = self.name.clone();
        ListError::Forward { upstream, source }
    }

    fn refused(&self, method: &'static str, status: u16, code: Option<i64>) -> ListError {
        ListError::Refused {
            upstream: self.name.clone(),
            method,
            status,
            code,
        }
    }

    pub(super) fn unreadable(&self, method: &'static str, what: &'static str) -> ListError {
        ListError::Unreadable {
            upstream: self.name.clone(),
            method,
            what,
        }
    }

    pub(super) fn too_much(&self, what: &'static str) -> ListError {
        let upstream = self.name.clone();
        ListError::TooMuch { upstream, what }
    }
}

/// Grants are known by generated ids, so that this one is nobody else's.
fn asker() -> Arc<str> {
    "toolgate".into()
}

fn is_modern(reply: &Bytes, reader: &mut Reader) -> bool {
    let Ok(document) = reader.read(reply) else {
        return false;
    };
    let versions = document
        .root()
        .member("result")
        .and_then(|result| result.member("supportedVersions"));
    versions.is_some_and(|versions| {
        versions
            .elements()
            .any(|version| version.as_str().map(str::as_bytes) == Some(MODERN.as_bytes()))
    })
}
