//! Upstreams as a gateway sees them: bytes at one end, real sockets and processes at the other.

mod http;
mod stdio;

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::*;
use crate::json::{Duplicates, Reader, Value};
use crate::mcp::Shape;

/// Longer than anything here takes, even on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// What a gateway hands over for a body.
fn post(body: &str) -> Outgoing {
    Outgoing {
        method: HttpMethod::POST,
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_owned()),
        envelope: Some(envelope(body)),
        grant: "grant-1".into(),
    }
}

fn bodiless(method: HttpMethod) -> Outgoing {
    Outgoing {
        method,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        envelope: None,
        grant: "grant-1".into(),
    }
}

impl Outgoing {
    fn with(mut self, name: &'static str, value: &str) -> Outgoing {
        let value = HeaderValue::from_str(value).unwrap();
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    fn of(mut self, grant: &str) -> Outgoing {
        self.grant = grant.into();
        self
    }
}

fn envelope(body: &str) -> Envelope {
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader.read(body.as_bytes()).expect("a test's body is JSON");
    let message = document.root();
    let id = message.member("id").map(Value::span);
    let params = message.member("params");
    let meta = params.and_then(|params| params.member("_meta"));
    let method = message.member("method").and_then(Value::as_str);
    Envelope {
        shape: match (method, &id) {
            (Some(_), Some(_)) => Shape::Request,
            (Some(_), None) => Shape::Notification,
            (None, _) => Shape::Response,
        },
        method: match method {
            Some("tools/call") => Method::ToolsCall,
            Some("tools/list") => Method::ToolsList,
            Some("initialize") => Method::Initialize,
            Some("notifications/initialized") => Method::Initialized,
            Some("notifications/cancelled") => Method::Cancelled,
            Some("server/discover") => Method::Discover,
            Some("ping") => Method::Ping,
            Some(_) => Method::Other,
            None => Method::None,
        },
        id,
        progress_token: meta
            .and_then(|meta| meta.member("progressToken"))
            .map(Value::span),
        cancels: params
            .and_then(|params| params.member("requestId"))
            .map(Value::span),
        is_modern: meta.is_some_and(|meta| {
            meta.member("io.modelcontextprotocol/protocolVersion")
                .is_some()
        }),
    }
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    timeout(LONG, what).await.expect("it happens in time")
}

async fn next_piece(response: &mut Response<ReplyBody>) -> Option<String> {
    let frame = in_time(response.body_mut().frame()).await?;
    let data = frame.expect("no error").into_data().expect("data");
    Some(String::from_utf8(data.to_vec()).unwrap())
}

async fn text(response: Response<ReplyBody>) -> String {
    let body = in_time(response.into_body().collect()).await;
    String::from_utf8(body.expect("no error").to_bytes().to_vec()).unwrap()
}

fn header<'a>(response: &'a Response<ReplyBody>, name: &str) -> Option<&'a str> {
    let value = response.headers().get(name)?;
    Some(value.to_str().unwrap())
}

/// What `call` does once its proof is there; tests have no journal to get one from.
async fn call(
    upstream: &Upstream,
    outgoing: Outgoing,
) -> Result<Response<ReplyBody>, ForwardError> {
    in_time(upstream.call_within(outgoing, upstream.call_max)).await
}

#[tokio::test]
async fn what_was_not_judged_does_not_pass() {
    let spec = ServerSpec {
        name: "nobody".into(),
        transport: Transport::Http {
            // Nothing is connected, or this would be the error.
            target: HttpTarget::parse("http://127.0.0.1:1/mcp").unwrap(),
            headers: HeaderMap::new(),
        },
        times: Times::default(),
    };
    let sessions = Arc::new(Sessions::new(crate::sessions::SESSIONS_MAX));
    let server = Server::new(spec, sessions, &tokio::runtime::Handle::current()).unwrap();
    let upstream = Upstream::new(&server);
    let mut unread = post(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    unread.envelope = None;
    let judged_elsewhere = post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#);
    for outgoing in [unread, judged_elsewhere] {
        let error = upstream.pass(outgoing).await.unwrap_err();
        assert!(matches!(error, ForwardError::NotJudged), "{error}");
        assert!(!error.was_sent());
    }
    let passed = upstream
        .pass(post(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#))
        .await;
    assert!(
        matches!(passed, Err(ForwardError::Connect { .. })),
        "{passed:?}"
    );
}

#[test]
fn a_target_is_an_http_url_without_credentials() {
    let target = HttpTarget::parse("http://[::1]:8080/mcp?x=1").unwrap();
    assert_eq!((&*target.host, target.port), ("::1", 8080));
    assert_eq!(target.host_header, "[::1]:8080");
    assert_eq!(target.origin_form(), "/mcp?x=1");
    let target = HttpTarget::parse("https://mcp.example.com").unwrap();
    assert_eq!((target.is_tls, target.port), (true, 443));
    assert_eq!(target.origin_form(), "/");
    for url in [
        "mcp.example.com/mcp",
        "ftp://x/",
        "/mcp",
        "http://u:p@x/",
        "http:///mcp",
        "",
    ] {
        assert!(HttpTarget::parse(url).is_err(), "{url:?}");
    }
}
