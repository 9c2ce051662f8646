//! The one place where an outcome becomes JSON-RPC and HTTP.
//!
//! It never lets an upstream's or an agent's own text into an error of the gateway's.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use serde_json::json;

use super::body::Body;
use crate::grants::Unauthenticated;
use crate::json::Flaw;
use crate::mcp::{self, HeaderMismatch, Invalid};
use crate::policy::{self, Amount, Denial, Held, Unavailable};
use crate::upstream::ForwardError;

/// Codes of the gateway's own, outside the range that JSON-RPC keeps for itself.
const DENIED: i64 = -31001;
const UNDECIDABLE: i64 = -31004;
const UPSTREAM: i64 = -31005;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const PARSE_ERROR: i64 = -32700;

/// A request that got no further than the door: no policy was asked and nothing was forwarded.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("this request cannot be read the same way by everyone: {0}")]
    Framing(&'static str),
    #[error("this host is not served here; add it to `hosts` in the configuration")]
    Misdirected,
    #[error("requests from this origin are not accepted; add it to `origins` in the configuration")]
    Origin,
    #[error("there is nothing here; servers are at /mcp/NAME")]
    NotFound,
    #[error("only POST, GET and DELETE are understood here")]
    Method,
    #[error("this revision of MCP knows POST only")]
    OnlyPost,
    #[error("the gateway holds as much of requests as it may; try again in a moment")]
    Full,
    #[error("{0}")]
    Unauthenticated(Unauthenticated),
    #[error("this grant does not cover this server")]
    NotCovered,
    #[error("the body did not arrive in time")]
    Slow,
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    #[error("the body must be `application/json` in UTF-8 without `Content-Encoding`")]
    MediaType,
    #[error("only `Expect: 100-continue` is understood")]
    Expectation,
    #[error("{0}")]
    Json(Flaw),
    #[error("{}", .0.what)]
    Invalid(Invalid, Option<String>),
    #[error("{0}")]
    Headers(HeaderMismatch, Option<String>),
    #[error("no revision of MCP has this method, so that it is not passed on")]
    UnknownMethod { id: Option<String>, is_modern: bool },
    #[error("[POLICY DENIED] {} is not available to this grant", shown(*.0))]
    Unavailable(Unavailable, Option<String>),
    #[error("the message contains the grant's own token, which must not reach a server")]
    TokenInside,
    #[error("the gateway is stopping; try again in a moment")]
    Draining,
    #[error(
        "the gateway failed while judging this message, so that it was not forwarded; the operator's log says more"
    )]
    Panicked,
}

/// What a refused message was about. Its own words for it are not repeated.
fn shown(what: Unavailable) -> &'static str {
    match what {
        Unavailable::Method => "this method",
        Unavailable::Prompt => "this prompt",
        _ => "this resource",
    }
}

impl Refusal {
    /// A label for metrics, from a closed list.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Refusal::Framing(_) => "framing",
            Refusal::Misdirected => "host",
            Refusal::Origin => "origin",
            Refusal::NotFound => "not_found",
            Refusal::Method | Refusal::OnlyPost => "method",
            Refusal::Full => "bodies_full",
            Refusal::Unauthenticated(why) => why.label(),
            Refusal::NotCovered => "not_covered",
            Refusal::Slow => "slow",
            Refusal::TooLarge(_) => "too_large",
            Refusal::MediaType => "media_type",
            Refusal::Expectation => "expectation",
            Refusal::Json(_) => "json",
            Refusal::Invalid(..) => "invalid_message",
            Refusal::Headers(..) => "header_mismatch",
            Refusal::UnknownMethod { .. } => "unknown_method",
            Refusal::Unavailable(Unavailable::Method, _) => "method_denied",
            Refusal::Unavailable(Unavailable::Prompt, _) => "prompt_denied",
            Refusal::Unavailable(..) => "resource_denied",
            Refusal::TokenInside => "token_inside",
            Refusal::Draining => "draining",
            Refusal::Panicked => "panicked",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Refusal::Framing(_) | Refusal::Json(_) | Refusal::Invalid(..) => {
                StatusCode::BAD_REQUEST
            }
            Refusal::Headers(..) | Refusal::TokenInside => StatusCode::BAD_REQUEST,
            Refusal::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Refusal::Origin | Refusal::NotCovered => StatusCode::FORBIDDEN,
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::Method | Refusal::OnlyPost => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Refusal::Slow => StatusCode::REQUEST_TIMEOUT,
            Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Expectation => StatusCode::EXPECTATION_FAILED,
            // Since 2026-07-28 an unknown method is a 404; clients of the older revisions look into a 200.
            Refusal::UnknownMethod {
                is_modern: true, ..
            } => StatusCode::NOT_FOUND,
            Refusal::UnknownMethod {
                is_modern: false, ..
            }
            | Refusal::Unavailable(..) => StatusCode::OK,
            Refusal::Draining | Refusal::Full => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn code(&self) -> i64 {
        match self {
            Refusal::Json(_) => PARSE_ERROR,
            Refusal::Invalid(invalid, _) => invalid.code,
            Refusal::Headers(mismatch, _) => mismatch.code(),
            Refusal::UnknownMethod { .. } => METHOD_NOT_FOUND,
            Refusal::Panicked => UNDECIDABLE,
            Refusal::NotCovered
            | Refusal::Unauthenticated(_)
            | Refusal::Origin
            | Refusal::Unavailable(..) => DENIED,
            _ => INVALID_REQUEST,
        }
    }

    fn id(&self) -> Option<&str> {
        match self {
            Refusal::Invalid(_, id)
            | Refusal::Headers(_, id)
            | Refusal::Unavailable(_, id)
            | Refusal::UnknownMethod { id, .. } => id.as_deref(),
            _ => None,
        }
    }

    /// The JSON-RPC error.
    pub(super) fn message(&self) -> Vec<u8> {
        mcp::error(self.id(), self.code(), &self.to_string(), None)
    }

    /// The HTTP reply, with a JSON-RPC error as its body.
    pub(super) fn reply(&self) -> Response<Body> {
        let mut response = json_reply(self.status(), self.message());
        let headers = response.headers_mut();
        match self {
            Refusal::Method => {
                drop(headers.insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE")))
            }
            Refusal::OnlyPost => drop(headers.insert(ALLOW, HeaderValue::from_static("POST"))),
            Refusal::Unauthenticated(why) => {
                let challenge = match why {
                    Unauthenticated::Missing => "Bearer realm=\"toolgate\"",
                    _ => "Bearer realm=\"toolgate\", error=\"invalid_token\"",
                };
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            // What follows on the connection may be the rest of a body that was not read.
            Refusal::Framing(_) | Refusal::Slow | Refusal::TooLarge(_) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Refusal::Full => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Refusal::Draining => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static("1"))),
            _ => {}
        }
        response
    }
}

/// The tool result for a call that was denied: HTTP 200, so that it reaches the model in every client.
pub(super) fn denied(
    id: &str,
    tool: &str,
    denial: &Denial<'_>,
    request_id: &str,
) -> Response<Body> {
    json_reply(StatusCode::OK, denied_message(id, tool, denial, request_id))
}

/// The same as a message without HTTP around it.
pub(super) fn denied_message(
    id: &str,
    tool: &str,
    denial: &Denial<'_>,
    request_id: &str,
) -> Vec<u8> {
    let mut facts = json!({ "kind": denial.kind(), "request_id": request_id });
    if let Some(rule) = denial.rule() {
        facts["rule"] = rule.into();
    }
    match denial {
        Denial::LimitReached(full) => {
            if let Some(delay) = full.told_delay() {
                facts["retry_after_ms"] = millis_up(delay).into();
            }
            facts["limit"] = full.limit.max.get().into();
            if let Some(left) = full.told_left() {
                facts["remaining"] = remaining(left);
            }
            facts["window"] = full.limit.window.name().into();
        }
        Denial::CountersFull(limit) => {
            facts["limit"] = limit.max.get().into();
            facts["window"] = limit.window.name().into();
        }
        Denial::Guard { retry_after } => facts["retry_after_ms"] = millis_up(*retry_after).into(),
        Denial::Unavailable(_)
        | Denial::Rule(_)
        | Denial::Argument { .. }
        | Denial::Uncounted { .. } => {}
    }
    mcp::denied_result(
        id,
        &format!("{} {}", policy::DENIED, denial.sentence(tool)),
        facts,
    )
}

/// A whole number where it is one, so that a client that counts calls need not know of others.
pub(super) fn remaining(left: Amount) -> serde_json::Value {
    let text = left.to_string();
    serde_json::from_str(&text).expect("a decimal is JSON")
}

/// Whole milliseconds, rounded up: a client that waits exactly so long must not come too early.
fn millis_up(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// The tool result for a call that waits for a person.
pub(super) fn waiting(id: &str, tool: &str, held: &Held<'_>, request_id: &str) -> Response<Body> {
    json_reply(StatusCode::OK, waiting_message(id, tool, held, request_id))
}

/// The same as a message without HTTP around it.
pub(super) fn waiting_message(id: &str, tool: &str, held: &Held<'_>, request_id: &str) -> Vec<u8> {
    let facts = json!({ "kind": "approval", "rule": held.rule.id, "request_id": request_id });
    mcp::denied_result(
        id,
        &format!("{} {}", policy::APPROVAL_REQUIRED, held.sentence(tool)),
        facts,
    )
}

/// A call whose decision could not be recorded or made: not forwarded.
pub(super) fn undecidable(id: &str, request_id: &str) -> Response<Body> {
    json_reply(StatusCode::OK, undecidable_message(id, request_id))
}

/// The same as a message without HTTP around it.
pub(super) fn undecidable_message(id: &str, request_id: &str) -> Vec<u8> {
    let what = "the gateway could not record its decision, so the call was not run; the operator's log has this request id";
    mcp::error(
        Some(id),
        UNDECIDABLE,
        what,
        Some(json!({ "request_id": request_id })),
    )
}

/// An upstream that did not answer: 504 where it was late, else 502.
pub(super) fn upstream_failed(
    id: Option<&str>,
    error: &ForwardError,
    request_id: &str,
) -> Response<Body> {
    let status = match error.is_late() {
        true => StatusCode::GATEWAY_TIMEOUT,
        false => StatusCode::BAD_GATEWAY,
    };
    json_reply(status, upstream_failed_message(id, error, request_id))
}

/// The same as a message without HTTP around it.
pub(super) fn upstream_failed_message(
    id: Option<&str>,
    error: &ForwardError,
    request_id: &str,
) -> Vec<u8> {
    let data = json!({ "request_id": request_id, "was_sent": error.was_sent() });
    mcp::error(id, UPSTREAM, &error.to_string(), Some(data))
}

/// An upstream that refused the gateway's own credential.
pub(super) fn credential_refused(id: Option<&str>) -> Response<Body> {
    let what = "the server refused the gateway's own credential; the operator must mend it";
    json_reply(
        StatusCode::BAD_GATEWAY,
        mcp::error(id, UPSTREAM, what, None),
    )
}

/// A list that could not be read, and therefore not be filtered.
pub(super) fn unreadable_list(id: Option<&str>) -> Vec<u8> {
    mcp::error(
        id,
        UPSTREAM,
        "the server's tool list could not be read, so that it was not passed on",
        None,
    )
}

/// An HTTP reply with a whole JSON body.
pub(super) fn json_reply(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::whole(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
