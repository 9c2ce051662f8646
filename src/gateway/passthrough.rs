//! The path of everything that is not a tool call, and the way back of every reply.
//!
//! It never changes a message; it only keeps credentials, hop-by-hop headers and trailers from crossing.

use std::rc::Rc;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue,
    ORIGIN, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use memchr::memmem;
use uuid::Uuid;

use super::body::{Body, Quiet, Stream};
use super::ending::Ending;
use super::parked::Polled;
use super::reply;
use super::snapshot::{Server, UNAUTHORIZED};
use super::tools_call::Request;
use super::tools_list::{self, Asked, EventFilter, ListScan};
use super::under_way::IdInUse;
use super::watched::Watched;
use super::worker::Worker;
use crate::grants::Token;
use crate::mcp::{Envelope, Era, Shape};
use crate::record;
use crate::sessions::Begun;
use crate::upstream::{ForwardError, Outgoing, ReplyBody};

/// What an agent sent for the gateway, or for a server that is not behind it. `Accept-Encoding` is taken out because
/// lists must be read.
const KEPT_FROM_UPSTREAMS: &[HeaderName] = &[
    AUTHORIZATION,
    COOKIE,
    PROXY_AUTHORIZATION,
    ORIGIN,
    ACCEPT_ENCODING,
];
/// What means something only where there are sessions (MCP before 2026-07-28).
const OF_SESSIONS: &[&str] = &["mcp-session-id", "last-event-id"];
/// Arguments repeated as headers, which servers before 2026-07-28 do not know and would not compare with the body.
const PARAM_PREFIX: &str = "mcp-param-";
/// What an upstream said to the gateway, not to the agent.
const KEPT_FROM_AGENTS: &[HeaderName] = &[SET_COOKIE, WWW_AUTHENTICATE, PROXY_AUTHENTICATE];

/// The agent's headers as they may leave: without credentials, without any header that holds the token, and without
/// what the revision does not have.
pub(super) fn leaving(mut headers: HeaderMap, token: &Token, era: Era) -> HeaderMap {
    KEPT_FROM_UPSTREAMS
        .iter()
        .for_each(|name| drop(headers.remove(name)));
    let holds =
        |value: &HeaderValue| memmem::find(value.as_bytes(), token.reveal().as_bytes()).is_some();
    let is_foreign = |name: &HeaderName| match era {
        Era::Modern => OF_SESSIONS.contains(&name.as_str()),
        Era::Legacy => name.as_str().starts_with(PARAM_PREFIX),
    };
    let dropped = headers
        .iter()
        .filter(|(name, value)| holds(value) || is_foreign(name));
    let dropped: Vec<_> = dropped.map(|(name, _)| name.clone()).collect();
    dropped.iter().for_each(|name| drop(headers.remove(name)));
    headers
}

/// Passes on a message that is no tool call, or (without an envelope) a `GET` or `DELETE`.
pub(super) async fn pass(
    worker: &Rc<Worker>,
    method: http::Method,
    request: Request,
    envelope: Option<Envelope>,
) -> Response<Body> {
    let server = request.entry.server.clone();
    let id = envelope.as_ref().and_then(|envelope| envelope.id.clone());
    let id = id.map(|id| String::from_utf8_lossy(&request.body[id]).into_owned());
    let is_list = envelope
        .as_ref()
        .is_some_and(|envelope| envelope.method.is_list());
    let polled = Polled::of(&worker.shared, &method, &request);
    let id_in_use = id_in_use(worker, &request, envelope.as_ref());
    let scan = (is_list || method == http::Method::GET).then(|| {
        let method = envelope.as_ref().map(|envelope| envelope.method);
        let asked = Asked::by(method, &request.body);
        ListScan::new(
            worker.shared.clone(),
            request.entry.grant.clone(),
            server.clone(),
            asked,
        )
    });
    let outgoing = Outgoing {
        method: method.clone(),
        headers: request.headers,
        body: request.body,
        envelope,
        grant: request.entry.grant.id.clone(),
    };
    server.metrics.passed.increment(1);
    let replied = worker.upstream(&server).pass(outgoing).await;
    if let (Ok(reply), Some(client)) = (&replied, &request.client) {
        let begun = Begun {
            grant: &request.entry.grant.id,
            server: &server.spec.name,
            session: session(reply.headers()),
        };
        worker.shared.clients.remember(begun, client);
    }
    match replied {
        Ok(reply) if refuses_us(&reply) => credential_refused(&server, id.as_deref()),
        Ok(reply) => {
            let watched = id_in_use.zip(id.as_deref());
            let watched = watched.map(|(of, id)| Watched::of(of, (id, &reply)));
            let reply = match scan {
                Some(scan) if is_list => list(worker, reply, (scan, id)).await,
                Some(scan) => listening(worker, reply, (scan.polled_by(polled), id)),
                None => stream(worker, reply, None),
            };
            watched_by(watched, reply)
        }
        Err(error) => {
            let unsent = id_in_use.filter(|_| !error.was_sent());
            unsent.into_iter().for_each(IdInUse::over);
            failed(&server, id.as_deref(), &error)
        }
    }
}

/// The id of a request, where a call with the same one may be under way.
fn id_in_use(worker: &Worker, request: &Request, envelope: Option<&Envelope>) -> Option<IdInUse> {
    let envelope = envelope.filter(|envelope| envelope.shape == Shape::Request)?;
    let id = std::str::from_utf8(&request.body[envelope.id.clone()?]).ok()?;
    let seat = (&*request.entry.grant, &*request.entry.server);
    IdInUse::of_http(&worker.shared, seat, (&request.headers, id))
}

/// In place of a reply that no upstream gave.
fn failed(server: &Server, id: Option<&str>, error: &ForwardError) -> Response<Body> {
    let request_id = Uuid::now_v7().to_string();
    server.metrics.upstream_error(error.label());
    tracing::warn!(
        request_id,
        server = &*server.spec.name,
        error = record::chain(error),
        "upstream failed"
    );
    reply::upstream_failed(id, error, &request_id)
}

/// The reply, looked at for the answer as it passes.
fn watched_by(watched: Option<Watched>, reply: Response<Body>) -> Response<Body> {
    // In place of a list that broke off there is an error of the gateway's own.
    let is_whole = reply.status().is_success();
    match watched {
        Some(watched) => reply.map(|body| match is_whole || body.is_stream() {
            true => body.watched(watched),
            false => body,
        }),
        None => reply,
    }
}

/// The reply to a request for a list, whole or on a stream.
async fn list(
    worker: &Rc<Worker>,
    reply: Response<ReplyBody>,
    (scan, id): (ListScan, Option<String>),
) -> Response<Body> {
    if is_event_stream(&reply) {
        return listening(worker, reply, (scan, id));
    }
    let (head, body) = reply.into_parts();
    let reply = Response::from_parts(for_the_agent(head), body);
    tools_list::whole(reply, scan, id.as_deref()).await
}

/// The session that a message belongs to; empty if it belongs to none.
pub(super) fn session(headers: &HeaderMap) -> &str {
    let id = headers.get("mcp-session-id");
    id.and_then(|id| id.to_str().ok()).unwrap_or_default()
}

/// An event stream that may carry a list; one that answers no request (`GET`) ends when the gateway drains.
fn listening(
    worker: &Rc<Worker>,
    reply: Response<ReplyBody>,
    (scan, id): (ListScan, Option<String>),
) -> Response<Body> {
    if is_encoded(&reply) {
        let unreadable = reply::unreadable_list(id.as_deref());
        return reply::json_reply(StatusCode::BAD_GATEWAY, unreadable);
    }
    if !is_event_stream(&reply) {
        return stream(worker, reply, None);
    }
    let (head, mut body) = opened(worker, reply);
    if id.is_none() {
        body.ends_with = Some(Box::pin(
            worker.shared.stopping.draining.clone().cancelled_owned(),
        ));
    }
    body.filter = Some(EventFilter::new(scan, id));
    Response::from_parts(head, Body::stream(body))
}

/// Whether a reply is compressed, although nobody asked for that: it cannot be filtered.
pub(super) fn is_encoded<B>(reply: &Response<B>) -> bool {
    let encoding = reply.headers().get(http::header::CONTENT_ENCODING);
    encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Streams an upstream's reply to the agent.
pub(super) fn stream(
    worker: &Worker,
    reply: Response<ReplyBody>,
    ending: Option<Ending>,
) -> Response<Body> {
    let (head, mut body) = opened(worker, reply);
    if let Some(ending) = ending {
        body.ends(ending);
    }
    Response::from_parts(head, Body::stream(body))
}

/// Whether an upstream refuses the gateway's own credential.
pub(super) fn refuses_us(reply: &Response<ReplyBody>) -> bool {
    reply.status() == StatusCode::UNAUTHORIZED
}

/// In place of an upstream's 401: passed on, the agent would think that its grant is at fault.
pub(super) fn credential_refused(server: &Server, id: Option<&str>) -> Response<Body> {
    server.metrics.upstream_error(UNAUTHORIZED);
    tracing::warn!(
        server = &*server.spec.name,
        "an upstream answered 401: check the credential in its `headers`"
    );
    reply::credential_refused(id)
}

/// The head without what was said to the gateway.
pub(super) fn for_the_agent(mut head: http::response::Parts) -> http::response::Parts {
    KEPT_FROM_AGENTS
        .iter()
        .for_each(|name| drop(head.headers.remove(name)));
    head
}

fn opened(worker: &Worker, reply: Response<ReplyBody>) -> (http::response::Parts, Stream) {
    let is_events = is_event_stream(&reply);
    let (head, source) = reply.into_parts();
    let mut head = for_the_agent(head);
    let mut body = Stream::new(source);
    if is_events {
        // nginx would hold events back (the header is its own, and other proxies honour it).
        head.headers
            .insert("x-accel-buffering", HeaderValue::from_static("no"));
        // Comments and filtering change it.
        head.headers.remove(http::header::CONTENT_LENGTH);
        body.quiet = Some(Quiet::every(
            worker.shared.snapshot.load().settings.sse_keep_alive,
        ));
    }
    (head, body)
}

pub(super) fn is_event_stream<B>(reply: &Response<B>) -> bool {
    let kind = reply
        .headers()
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    kind.get(..17)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"))
}
