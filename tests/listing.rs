//! A server's tools are listed to the last page, in both eras, over HTTP and from processes, and always in bounded time.
//!
//! Never looks at how they are asked for but in what the server received.

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Answer, PATIENCE, Recorded, Steps, Upstream};
use toolgate::sessions::{SESSIONS_MAX, Sessions};
use toolgate::upstream::{
    ChildCommand, HttpTarget, ListError, Server, ServerSpec, Times, Transport, list_tools,
};

use support::upstream::{json_reply, whole};

fn listed(transport: Transport, within: Duration) -> Result<Vec<Box<str>>, ListError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let spec = ServerSpec {
        name: "tested".into(),
        transport,
        times: Times::default(),
    };
    let sessions = Arc::new(Sessions::new(SESSIONS_MAX));
    let server = Server::new(spec, sessions, runtime.handle()).expect("a server");
    runtime.block_on(async {
        let listed = list_tools(&server, within).await;
        server.stop().await;
        listed
    })
}

fn over_http(upstream: &Upstream) -> Result<Vec<Box<str>>, ListError> {
    listed(http(upstream), PATIENCE)
}

fn http(upstream: &Upstream) -> Transport {
    Transport::Http {
        target: HttpTarget::parse(&upstream.url()).expect("a URL"),
        headers: Default::default(),
    }
}

fn child(mode: &str) -> Transport {
    Transport::Stdio(ChildCommand {
        command: "python3".into(),
        args: vec!["-u".into(), "-c".into(), CHILD.into(), mode.into()],
        env: Vec::new(),
        cwd: None,
    })
}

/// A process with two pages; its argument is the era it speaks, or what it does instead of listing.
const CHILD: &str = r#"
import json, sys
mode = sys.argv[1]
def send(id, **rest):
    print(json.dumps({"jsonrpc": "2.0", "id": id, **rest}))
for line in sys.stdin:
    message = json.loads(line)
    method, id, params = message["method"], message.get("id"), message.get("params", {})
    if method == "initialize" and mode == "modern":
        send(id, error={"code": -32601, "message": "no"})
    elif method == "initialize":
        send(id, result={"protocolVersion": params["protocolVersion"], "capabilities": {}})
    elif method == "tools/list" and mode == "silent":
        pass
    elif method == "tools/list" and mode == "dies":
        sys.exit(3)
    elif method == "tools/list" and params.get("cursor") == "two":
        send(id, result={"tools": [{"name": "b"}]})
    elif method == "tools/list":
        send(id, result={"tools": [{"name": "a"}], "nextCursor": "two"})
"#;

fn reply(request: &Value, result: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }).to_string()
}

fn events(messages: &[String]) -> Answer {
    let stream: String = messages
        .iter()
        .map(|message| format!("event: message\r\ndata: {message}\r\n\r\n"))
        .collect();
    let headers = "content-type: text/event-stream; charset=utf-8\r\n";
    whole("200 OK", headers, &format!("id: 1\ndata:\n\n{stream}"))
}

/// Two pages, the second behind a cursor that needs escaping.
fn page(request: &Value) -> Value {
    match request["params"]["cursor"].as_str() {
        None => {
            json!({ "tools": [{ "name": "a", "inputSchema": { "type": "object" } }], "nextCursor": "\"\u{e9}\n" })
        }
        Some("\"\u{e9}\n") => json!({ "tools": [{ "name": "b" }, { "name": "c" }] }),
        Some(other) => panic!("an unknown cursor: {other:?}"),
    }
}

/// A server of the legacy era with a session, which answers everything as events, as the SDKs' servers do.
fn legacy(request: &Recorded) -> Answer {
    let message = request.json();
    let in_session = request.header("mcp-session-id") == Some("s1");
    match message["method"].as_str() {
        Some("initialize") => {
            let result = json!({ "protocolVersion": "2025-06-18", "capabilities": {} });
            let stream = format!("data: {}\n\n", reply(&message, &result));
            let headers = "content-type: text/event-stream\r\nmcp-session-id: s1\r\n";
            whole("200 OK", headers, &stream)
        }
        Some("notifications/initialized") if in_session => whole("202 Accepted", "", ""),
        Some("tools/list") if in_session => events(&[
            json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": {} })
                .to_string(),
            json!({ "jsonrpc": "2.0", "id": message["id"], "method": "roots/list" }).to_string(),
            reply(&message, &page(&message)),
        ]),
        _ if request.method() == "DELETE" && in_session => whole("200 OK", "", ""),
        _ => whole(
            "400 Bad Request",
            "content-type: application/json\r\n",
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no session"}}"#,
        ),
    }
}

/// A server of the modern era; `list` answers `tools/list`.
fn modern(
    list: impl Fn(&Value) -> Answer + Send + Sync + 'static,
) -> impl Fn(&Recorded) -> Answer + Send + Sync {
    move |request| {
        let message = request.json();
        match message["method"].as_str() {
            Some("server/discover") => {
                let result = json!({ "supportedVersions": ["2026-07-28"], "capabilities": {} });
                json_reply(&reply(&message, &result))
            }
            Some("tools/list") => list(&message),
            _ => whole("404 Not Found", "", ""),
        }
    }
}

fn methods(upstream: &Upstream) -> Vec<String> {
    let named = |request: &Recorded| match request.json()["method"].as_str() {
        Some(method) => method.to_owned(),
        None => request.method().to_owned(),
    };
    upstream.requests().iter().map(named).collect()
}

#[test]
fn a_modern_server_is_listed_to_its_last_page_without_a_handshake() {
    let upstream = Upstream::start(modern(|message| {
        json_reply(&reply(message, &page(message)))
    }));
    let tools = over_http(&upstream).expect("a list");
    let expected = [
        r#"{"inputSchema":{"type":"object"},"name":"a"}"#,
        r#"{"name":"b"}"#,
        r#"{"name":"c"}"#,
    ];
    assert_eq!(tools, expected.map(Box::from));
    assert_eq!(
        methods(&upstream),
        ["server/discover", "tools/list", "tools/list"]
    );
    for request in upstream.requests() {
        let message = request.json();
        assert_eq!(request.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(request.header("mcp-method"), message["method"].as_str());
        let meta = &message["params"]["_meta"];
        assert_eq!(
            meta["io.modelcontextprotocol/protocolVersion"],
            "2026-07-28"
        );
        assert_eq!(
            meta["io.modelcontextprotocol/clientCapabilities"],
            json!({})
        );
    }
}

#[test]
fn a_legacy_server_is_greeted_listed_through_its_events_and_left() {
    let upstream = Upstream::start(legacy);
    let tools = over_http(&upstream).expect("a list");
    assert_eq!(tools.len(), 3);
    let expected = [
        "server/discover",
        "initialize",
        "notifications/initialized",
        "tools/list",
        "tools/list",
        "DELETE",
    ];
    assert_eq!(methods(&upstream), expected);
    for request in &upstream.requests()[2..] {
        assert_eq!(request.header("mcp-protocol-version"), Some("2025-06-18"));
        assert_eq!(request.header("mcp-method"), None);
    }
}

#[test]
fn a_process_is_listed_in_the_era_that_it_speaks() {
    for mode in ["legacy", "modern"] {
        let tools = listed(child(mode), PATIENCE).unwrap_or_else(|error| panic!("{mode}: {error}"));
        let expected = [r#"{"name": "a"}"#, r#"{"name": "b"}"#];
        assert_eq!(tools, expected.map(Box::from), "{mode}");
    }
}

#[test]
fn a_refusal_is_told_with_its_status_and_code() {
    let refusal = |status: &'static str, code: i64| {
        Upstream::start(modern(move |message| {
            let error = json!({ "jsonrpc": "2.0", "id": message["id"], "error": { "code": code, "message": "secret" } });
            whole(
                status,
                "content-type: application/json\r\n",
                &error.to_string(),
            )
        }))
    };
    for (status, shown) in [("200 OK", "200"), ("403 Forbidden", "403")] {
        let error = over_http(&refusal(status, -32603)).expect_err("a refusal");
        let expected = format!("tested refused tools/list (status {shown}, error -32603)");
        assert_eq!(error.to_string(), expected);
    }
    let closed = Upstream::start(|_| whole("401 Unauthorized", "", "who are you?"));
    let error = over_http(&closed).expect_err("a refusal");
    assert_eq!(
        error.to_string(),
        "tested refused initialize (status 401)",
        "an old server is given its chance"
    );
}

#[test]
fn what_is_no_list_is_not_taken_for_one() {
    let table = [
        r#"{"tools":{}}"#,
        r#"{}"#,
        r#"{"tools":[{"name":7}]}"#,
        r#"{"tools":["a"]}"#,
        r#"{"tools":[{"name":"a","name":"b"}]}"#,
        r#"{"tools":[],"nextCursor":7}"#,
    ];
    for result in table {
        let upstream = Upstream::start(modern(move |message| {
            json_reply(&format!(
                r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#,
                message["id"]
            ))
        }));
        let error = over_http(&upstream).expect_err(result);
        assert!(
            matches!(error, ListError::Unreadable { .. }),
            "{result}: {error}"
        );
    }
    let other_id = Upstream::start(modern(|_| {
        json_reply(r#"{"jsonrpc":"2.0","id":77,"result":{"tools":[]}}"#)
    }));
    let error = over_http(&other_id).expect_err("another request's answer");
    assert!(matches!(error, ListError::Unreadable { .. }), "{error}");
}

#[test]
fn a_list_without_an_end_is_given_up() {
    let same =
        |message: &Value| json_reply(&reply(message, &json!({ "tools": [], "nextCursor": "x" })));
    let upstream = Upstream::start(modern(same));
    let error = over_http(&upstream).expect_err("an endless list");
    assert!(matches!(error, ListError::TooMuch { .. }), "{error}");
    assert_eq!(
        methods(&upstream).len(),
        3,
        "the same cursor again is the end"
    );
    let counting = |message: &Value| {
        let next = format!("{}x", message["params"]["cursor"].as_str().unwrap_or(""));
        json_reply(&reply(message, &json!({ "tools": [], "nextCursor": next })))
    };
    let upstream = Upstream::start(modern(counting));
    let error = over_http(&upstream).expect_err("an endless list");
    assert_eq!(error.to_string(), "tested lists pages without an end");
    assert_eq!(methods(&upstream).len(), 201);
}

#[test]
fn a_list_longer_than_any_may_be_is_not_read_to_its_end() {
    let long = "x".repeat(6 << 20);
    let upstream = Upstream::start(modern(move |message| {
        let next = format!("{}x", message["params"]["cursor"].as_str().unwrap_or(""));
        let tool = json!({ "name": "a", "description": long });
        let result = json!({ "tools": [tool], "nextCursor": next });
        json_reply(&reply(message, &result))
    }));
    let error = over_http(&upstream).expect_err("too much");
    assert_eq!(error.to_string(), "tested lists more than 16 MiB of tools");
    assert_eq!(methods(&upstream).len(), 4);
}

#[test]
fn a_server_that_is_silent_is_late() {
    let (upstream, _steps) = Upstream::stepping();
    let silent = listed(http(&upstream), Duration::from_millis(50)).expect_err("silence");
    assert_eq!(
        silent.to_string(),
        "tested did not list its tools within 50ms"
    );
    let (sender, steps) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let upstream = Upstream::start(modern(move |_| {
        let (steps, answer) = Steps::new();
        steps.open();
        steps.event(": waiting\n\n");
        sender
            .lock()
            .expect("no panic")
            .send(steps)
            .expect("the test waits");
        answer
    }));
    // Enough for the first request on a busy machine; the second one gets no answer.
    let error = listed(http(&upstream), Duration::from_secs(2)).expect_err("no event");
    assert!(matches!(error, ListError::Late { .. }), "{error}");
    upstream.wait_for_leaving(1);
    drop(steps);
    let error = listed(child("silent"), Duration::from_millis(500)).expect_err("silence");
    assert!(matches!(error, ListError::Late { .. }), "{error}");
}

#[test]
fn a_server_that_breaks_off_is_told_of() {
    let upstream = Upstream::start(modern(|_| Answer::Cut));
    let error = over_http(&upstream).expect_err("a cut");
    assert!(matches!(error, ListError::Forward { .. }), "{error}");
    let upstream = Upstream::start(modern(|_| {
        whole(
            "200 OK",
            "content-type: text/event-stream\r\n",
            "data: {}\n\n",
        )
    }));
    let error = over_http(&upstream).expect_err("no answer");
    assert_eq!(
        error.to_string(),
        "tested answered tools/list with a stream that ends without an answer"
    );
    let error = listed(child("dies"), PATIENCE).expect_err("it died");
    assert!(matches!(error, ListError::Forward { .. }), "{error}");
}
