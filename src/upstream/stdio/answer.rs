//! Child's messages → HTTP responses, as a streamable HTTP server would give them.
//!
//! It never changes a child's message.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{First, Replying, SESSION_HEADER};
use crate::sessions::SessionId;
use crate::upstream::ReplyBody;

const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_REQUEST: i64 = -32600;
const INVALID_PARAMS: i64 = -32602;
/// What the SDKs' servers answer for a session that they do not know.
const SESSION_NOT_FOUND: i64 = -32001;
/// The modern era's three errors about headers, capabilities and versions.
const MODERN_BAD_REQUEST: [i64; 3] = [-32020, -32021, -32022];

/// A reply as JSON if its first part is the last, else as an event stream.
pub(super) fn reply(status: StatusCode, first: First, rest: Replying) -> Response<ReplyBody> {
    match first {
        First::Last(last) if last.is_cancellation => {
            json(status, last.message).map(ReplyBody::cancelled)
        }
        First::Last(last) => json(status, last.message),
        First::Event(event) => events(ReplyBody::replying(rest.behind(event))),
    }
}

/// The status of a modern reply: errors about the message itself have one of their own (revision 2026-07-28, transports).
pub(super) fn modern_status(error_code: Option<i64>) -> StatusCode {
    match error_code {
        Some(METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(code) if MODERN_BAD_REQUEST.contains(&code) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

/// The status of an answer to `server/discover`. Any error is a 4xx: both big SDKs' clients read the code in its body, and
/// fall back to `initialize` unless it is −32022 with versions that they do not know.
pub(super) fn discover_status(error_code: Option<i64>) -> StatusCode {
    match error_code {
        None => StatusCode::OK,
        Some(METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(_) => StatusCode::BAD_REQUEST,
    }
}

/// Whether an error says for good that a server is of the legacy era: it does not know the method, or takes anything
/// before `initialize` for an invalid request (older Python servers: for invalid parameters).
pub(super) fn is_legacy_verdict(error_code: i64) -> bool {
    [METHOD_NOT_FOUND, INVALID_REQUEST, INVALID_PARAMS].contains(&error_code)
}

/// What a modern client's probe gets where there is nothing modern.
pub(super) fn no_discovery(id: &[u8]) -> Response<ReplyBody> {
    let text = "this server does not know server/discover; use initialize";
    error(StatusCode::NOT_FOUND, Some(id), (METHOD_NOT_FOUND, text))
}

/// For an unknown session and for another grant's.
pub(super) fn unknown_session(id: Option<&[u8]>) -> Response<ReplyBody> {
    let told = (SESSION_NOT_FOUND, "session not found");
    error(StatusCode::NOT_FOUND, id, told)
}

pub(super) fn method_not_allowed() -> Response<ReplyBody> {
    let told = (INVALID_REQUEST, "method not allowed");
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, None, told);
    let allowed = HeaderValue::from_static("POST, GET, DELETE");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

pub(super) fn not_acceptable() -> Response<ReplyBody> {
    let told = (INVALID_REQUEST, "accept must include text/event-stream");
    error(StatusCode::NOT_ACCEPTABLE, None, told)
}

/// What a notification gets.
pub(super) fn accepted() -> Response<ReplyBody> {
    empty(StatusCode::ACCEPTED)
}

/// What the end of a session gets.
pub(super) fn ended() -> Response<ReplyBody> {
    empty(StatusCode::OK)
}

pub(super) fn events(body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let event_stream = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, event_stream);
    let no_cache = HeaderValue::from_static("no-cache");
    headers.insert(header::CACHE_CONTROL, no_cache);
    response
}

pub(super) fn name_session(response: &mut Response<ReplyBody>, id: SessionId) {
    let value =
        HeaderValue::from_str(&id.to_string()).expect("hexadecimal digits are legal in a header");
    response.headers_mut().insert(SESSION_HEADER, value);
}

/// Whether a request without a body says that it is of the modern era, which knows neither GET nor DELETE. Revisions are
/// dates, so they sort as text.
pub(super) fn is_modern_revision(headers: &HeaderMap) -> bool {
    headers
        .get("mcp-protocol-version")
        .is_some_and(|revision| revision.as_bytes() >= &b"2026-07-28"[..])
}

fn error(status: StatusCode, id: Option<&[u8]>, (code, text): (i64, &str)) -> Response<ReplyBody> {
    let mut body = Vec::with_capacity(128);
    body.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    body.extend_from_slice(id.unwrap_or(b"null"));
    let rest = format!(",\"error\":{{\"code\":{code},\"message\":\"{text}\"}}}}");
    body.extend_from_slice(rest.as_bytes());
    json(status, Bytes::from(body))
}

fn json(status: StatusCode, body: Bytes) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn empty(status: StatusCode) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(Bytes::new()));
    *response.status_mut() = status;
    response
}
