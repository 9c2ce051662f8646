//! From an HTTP request to the room that answers it: step 1 of a call's path, and the reading of its body.
//!
//! It never polls a body before its sender is known, and never acts on a part of one.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};
use http::request::Parts;
use http::{Method, Request as HttpRequest, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};

use super::bodies::Room;
use super::body::Body;
use super::definitions;
use super::door::{self, Entry, single};
use super::judge::{Definitions, Judged, JudgedCall, Sent};
use super::parked;
use super::passthrough;
use super::reply::Refusal;
use super::tools_call::{Request, tools_call};
use super::worker::Worker;
use crate::config::Settings;
use crate::mcp::{Era, ModernHeaders};
use crate::sessions::Begun;

/// A session's name is hashed with each call that a limit counts by it: the longest ones seen are signed tokens.
const SESSION_BYTES_MAX: usize = 1_024;

/// Answers one request. It cannot fail: what goes wrong is an answer too.
pub(super) async fn serve(
    worker: Rc<Worker>,
    request: HttpRequest<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let answered = answer(&worker, request).await;
    Ok(answered.unwrap_or_else(|refusal| {
        worker.shared.metrics.refused(refusal.label()).increment(1);
        tracing::debug!(reason = refusal.label(), "refused");
        refusal.reply()
    }))
}

async fn answer(
    worker: &Rc<Worker>,
    request: HttpRequest<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let snapshot = worker.shared.snapshot.load_full();
    let (mut head, body) = request.into_parts();
    let entry = door::enter(&snapshot, &head)?;
    if worker.shared.stopping.draining.is_cancelled() {
        return Err(Refusal::Draining);
    }
    if head.method == Method::POST {
        media_type(&head.headers)?;
        let mut room = worker.shared.bodies.room(snapshot.settings.bodies_max);
        let body = read(body, &head.headers, (&snapshot.settings, &mut room)).await?;
        // A body may take its time. It is judged by what is in force now, not by what was when its head came.
        let now = worker.shared.snapshot.load_full();
        let entry = match Arc::ptr_eq(&now, &snapshot) {
            true => entry,
            false => door::enter(&now, &head)?,
        };
        return post(worker, entry, (&mut head, &body)).await;
    }
    let era = modern_headers(&head.headers).map_or(Era::Legacy, |headers| headers.era());
    if era == Era::Modern {
        return Err(Refusal::OnlyPost);
    }
    if !body.is_end_stream() {
        return Err(Refusal::Framing("a request with this method has no body"));
    }
    let request = Request {
        headers: passthrough::leaving(head.headers, &entry.token, era),
        entry,
        body: Bytes::new(),
        came: worker.shared.clock.now(),
        client: None,
    };
    Ok(passthrough::pass(worker, head.method, request, None).await)
}

async fn post(
    worker: &Rc<Worker>,
    mut entry: Entry,
    (head, body): (&mut Parts, &Bytes),
) -> Result<Response<Body>, Refusal> {
    let mut definitions = Definitions::Awaited;
    loop {
        let server = entry.server.clone();
        if let Some(reply) = judged(worker, entry, (&mut *head, body), definitions).await? {
            return Ok(reply);
        }
        definitions::list(&worker.shared, &server).await;
        // That takes its time too: by now another policy may be in force, or no grant at all.
        entry = door::enter(&worker.shared.snapshot.load_full(), head)?;
        definitions = Definitions::AsKnown;
    }
}

/// The reply to a message; `None` where the server should be listed before it is judged. Only then the headers stay.
async fn judged(
    worker: &Rc<Worker>,
    entry: Entry,
    (head, body): (&mut Parts, &Bytes),
    definitions: Definitions,
) -> Result<Option<Response<Body>>, Refusal> {
    let came = worker.shared.clock.now();
    let grant = entry.grant.clone();
    let server = entry.server.clone();
    let seat = grant.seat(&server.spec.name).ok_or(Refusal::NotCovered)?;
    let headers = &head.headers;
    let modern = modern_headers(headers);
    let era = modern.map_or(Era::Legacy, |headers| headers.era());
    let client = seat.policy.needs_client().then(|| {
        let begun = Begun {
            grant: &grant.id,
            server: &server.spec.name,
            session: passthrough::session(headers),
        };
        worker.shared.clients.name(begun)
    });
    let sent = Sent {
        grant: &grant,
        server: &server.spec.name,
        token: Some(&entry.token),
        session: session(headers, era),
        headers: Some(modern),
        client: client.flatten(),
        body,
    };
    let Some(judged) = worker.judge.judge(seat, &sent, definitions)? else {
        return Ok(None);
    };
    let mut request = Request {
        headers: passthrough::leaving(std::mem::take(&mut head.headers), &entry.token, era),
        entry,
        body: body.clone(),
        came,
        client: None,
    };
    let (Judged::Call(JudgedCall { envelope, .. }) | Judged::Message { envelope, .. }) = &judged;
    if !worker.shared.parked.is_empty() {
        parked::forget_reused(&worker.shared, &request, envelope);
    }
    Ok(Some(match judged {
        Judged::Call(call) => tools_call(worker, request, call).await,
        Judged::Message { envelope, client } => {
            request.client = client;
            passthrough::pass(worker, Method::POST, request, Some(envelope)).await
        }
    }))
}

/// The session that an agent names; none where the revision knows none, or where two readers could take two for it.
fn session(headers: &HeaderMap, era: Era) -> Option<&str> {
    let named = single(headers, &HeaderName::from_static("mcp-session-id"));
    let named = named.ok().flatten().filter(|_| era == Era::Legacy);
    named.filter(|session| session.len() <= SESSION_BYTES_MAX)
}

/// The headers that repeat the body; the name of one that cannot be read.
fn modern_headers(headers: &HeaderMap) -> Result<ModernHeaders<'_>, &'static str> {
    let read = |name: &'static str| single(headers, &HeaderName::from_static(name));
    Ok(ModernHeaders {
        version: read("mcp-protocol-version").map_err(|()| "MCP-Protocol-Version")?,
        method: read("mcp-method").map_err(|()| "Mcp-Method")?,
        name: read("mcp-name").map_err(|()| "Mcp-Name")?,
    })
}

/// JSON in UTF-8, not compressed: some servers would inflate or decode what the gateway cannot read.
fn media_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let encoding = single(headers, &CONTENT_ENCODING).map_err(|()| Refusal::MediaType)?;
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(Refusal::MediaType);
    }
    let kind = single(headers, &CONTENT_TYPE)
        .map_err(|()| Refusal::MediaType)?
        .ok_or(Refusal::MediaType)?;
    let mut parts = kind.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
    {
        return Err(Refusal::MediaType);
    }
    let is_utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    if parts.all(is_utf8) {
        Ok(())
    } else {
        Err(Refusal::MediaType)
    }
}

/// The whole body, or nothing. Trailers are left behind.
async fn read(
    body: Incoming,
    headers: &HeaderMap,
    (settings, room): (&Settings, &mut Room<'_>),
) -> Result<Bytes, Refusal> {
    let max = settings.body_max;
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > max as u64) {
        return Err(Refusal::TooLarge(max));
    }
    let collecting = collect(Limited::new(body, max), room);
    let collected = tokio::time::timeout(settings.body_timeout, collecting).await;
    collected.map_err(|_| Refusal::Slow)?
}

/// Puts the pieces together; a body that comes in one piece, as nearly all do, is not copied.
async fn collect(mut body: Limited<Incoming>, room: &mut Room<'_>) -> Result<Bytes, Refusal> {
    let max = body.size_hint().upper().unwrap_or(u64::MAX);
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Refusal::TooLarge(usize::try_from(max).unwrap_or(usize::MAX)),
            false => Refusal::Framing("the body broke off or its framing is broken"),
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if !room.take(data.len()) {
            return Err(Refusal::Full);
        }
        if first.is_empty() {
            first = data;
        } else {
            whole.extend_from_slice(if whole.is_empty() { &first } else { &[] });
            whole.extend_from_slice(&data);
        }
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}
