//! Is the upstream: the smallest MCP server that a gateway accepts, with one tool.
//!
//! It never does work for a call: its reply says how many bytes came and their hash, so that the client can tell that the
//! very body it sent arrived. One revision (2025-11-25), JSON replies, no sessions, no streams.

use std::borrow::Cow;
use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

use crate::call::{TOOL, reply_to};
use crate::failure::Failure;
use crate::workers;

/// The path of the endpoint.
pub(crate) const PATH: &str = "/mcp";

/// The revision that the stub speaks and that every call names.
pub(crate) const REVISION: &str = "2025-11-25";

/// The largest body that is read; more is answered with 413.
const BODY_MAX: usize = 16 << 20;

/// Serves until standard input closes.
pub(crate) fn serve() -> Result<(), Failure> {
    workers::serve(|| service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) }))
}

/// As much of a message as decides the answer.
#[derive(Deserialize)]
struct Message<'a> {
    id: Option<Value>,
    #[serde(borrow)]
    method: Cow<'a, str>,
}

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH {
        return empty(StatusCode::NOT_FOUND);
    }
    if request.method() != Method::POST {
        return empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    match Limited::new(request.into_body(), BODY_MAX).collect().await {
        Ok(body) => answer_to(&body.to_bytes()),
        Err(_) => empty(StatusCode::PAYLOAD_TOO_LARGE),
    }
}

fn answer_to(body: &[u8]) -> Response<Full<Bytes>> {
    let Ok(message) = serde_json::from_slice::<Message<'_>>(body) else {
        return empty(StatusCode::BAD_REQUEST);
    };
    let Some(id) = message.id else {
        return empty(StatusCode::ACCEPTED);
    };
    let id = id.to_string();
    let reply = match message.method.as_ref() {
        "tools/call" => reply_to(&id, body),
        "tools/list" => result(&id, &tools()),
        "initialize" => result(&id, &welcome()),
        "ping" => result(&id, "{}"),
        _ => format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"method not found"}}}}"#
        ),
    };
    let mut response = Response::new(Full::from(reply));
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

fn welcome() -> String {
    format!(
        r#"{{"protocolVersion":"{REVISION}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"loadtest-stub","version":"1"}}}}"#
    )
}

fn tools() -> String {
    format!(
        r#"{{"tools":[{{"name":"{TOOL}","description":"Tells what it received.","inputSchema":{{"type":"object"}},"annotations":{{"readOnlyHint":true}}}}]}}"#
    )
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response<Full<Bytes>>) -> Value {
        let bytes = response.into_body().collect().await.expect("infallible");
        serde_json::from_slice(&bytes.to_bytes()).expect("a JSON reply")
    }

    #[tokio::test]
    async fn every_request_of_a_session_is_answered_under_its_own_id() {
        for method in ["initialize", "tools/list", "tools/call", "ping"] {
            for id in ["1", "\"a\""] {
                let message = format!(r#"{{"method":"{method}","id":{id}}}"#);
                let reply = body(answer_to(message.as_bytes())).await;
                assert_eq!(reply["id"].to_string(), id, "{method}");
                assert!(reply["result"].is_object(), "{method}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_request_of_ours_is_refused_in_the_protocols_words() {
        let unknown = body(answer_to(br#"{"id":1,"method":"server/discover"}"#)).await;
        assert_eq!(unknown["error"]["code"], -32601);
        let notice = answer_to(br#"{"method":"notifications/initialized"}"#);
        assert_eq!(notice.status(), StatusCode::ACCEPTED);
        assert_eq!(answer_to(b"{").status(), StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn the_list_names_the_tool_that_is_called() {
        let reply = body(answer_to(br#"{"id":1,"method":"tools/list"}"#)).await;
        assert_eq!(reply["result"]["tools"][0]["name"], TOOL);
    }
}
