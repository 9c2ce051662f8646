//! README: a charge comes back for the failures that its limit names, over every transport, and at most `max` times a window.
//!
//! A tool's name says how its calls end, which failure its limit names, and on which kind of reply.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};
use support::upstream::{json_reply, whole};
use support::{Agent, Answer, Folder, Recorded, Upstream, tools_call};

/// How calls end: with a result, in one of the three failures, or in two of them at once.
const ENDS: [&str; 5] = ["ok", "rpc_error", "error_result", "http_5xx", "two_at_once"];
const NAMED: [&str; 4] = ["none", "rpc_error", "error_result", "http_5xx"];
const WAYS: [&str; 2] = ["json", "sse"];
/// Calls of each tool: two that its limit admits, two more for what comes back, and two that find it full.
const TRIES: usize = 6;

/// Does as [`answered`], line by line; where an event stream is asked for, it tells of progress first.
const SERVER: &str = r#"
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    raw, params = json.dumps(message["id"]), message.get("params", {})
    name = params.get("name", "")
    token = params.get("_meta", {}).get("progressToken")
    if name.endswith("sse") and token is not None:
        print('{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}' % json.dumps(token), flush=True)
    if message["method"] == "initialize":
        end = '"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}'
    elif name.startswith("rpc_error"):
        end = '"error":{"code":-32000,"message":"no"}'
    elif name.startswith("error_result"):
        end = '"result":{"content":[],"isError":true}'
    else:
        end = '"result":{"content":[]}'
    print('{"jsonrpc":"2.0","id":%s,%s}' % (raw, end), flush=True)
"#;

fn answered(request: &Recorded) -> Answer {
    let message = request.json();
    let name = message["params"]["name"].as_str().unwrap_or_default();
    let id = &message["id"];
    let end = match name.split('-').next() {
        Some("rpc_error" | "two_at_once") => r#""error":{"code":-32000,"message":"no"}"#,
        Some("error_result") => r#""result":{"content":[],"isError":true}"#,
        _ => r#""result":{"content":[]}"#,
    };
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},{end}}}"#);
    let status = match name.starts_with("http_5xx") || name.starts_with("two_at_once") {
        true => "503 Service Unavailable",
        false => "200 OK",
    };
    if !name.ends_with("sse") {
        return whole(status, "content-type: application/json\r\n", &body);
    }
    // Neither a notification nor an answer to another request is the end of this one.
    let before =
        r#"data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"result":{}}}"#;
    let other = r#"data: {"jsonrpc":"2.0","id":"other","result":{}}"#;
    let last = match name.starts_with("http_5xx") {
        // The status has said it already.
        true => String::new(),
        false => format!("id: 3\ndata: {body}\n\n"),
    };
    let events = format!("{before}\n\n{other}\n\n{last}");
    whole(status, "content-type: text/event-stream\r\n", &events)
}

fn tools() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    let pairs = ENDS.iter().flat_map(|&end| NAMED.map(|named| (end, named)));
    pairs.flat_map(|(end, named)| WAYS.map(|way| (end, named, format!("{end}-{named}-{way}"))))
}

fn policy() -> String {
    let limits = tools().map(|(_, named, tool)| {
        let mut limit = json!({ "counter": "c", "window": "hour", "max": 2 });
        if named != "none" {
            limit["refund_on"] = json!([named]);
        }
        (tool, json!({ "limits": [limit] }))
    });
    let tools: serde_json::Map<String, Value> = limits.collect();
    json!({ "version": "1", "default": "deny", "tools": tools }).to_string()
}

/// A call that asks to be told of progress.
fn call(tool: &str) -> String {
    let call = tools_call("\"a\\u0041\"", tool, "{}");
    call.replace(
        "\"arguments\"",
        "\"_meta\":{\"progressToken\":1},\"arguments\"",
    )
}

fn runs(mut call: impl FnMut() -> String) -> usize {
    (0..TRIES)
        .filter(|_| !call().contains("toolgate/denial"))
        .count()
}

fn expected(end: &str, named: &str) -> usize {
    let fails_so = match end {
        "two_at_once" => ["rpc_error", "http_5xx"].contains(&named),
        end => end == named,
    };
    if fails_so { 4 } else { 2 }
}

fn of_agent(agent: &Agent, tool: &str) -> usize {
    runs(|| agent.post(&call(tool)).text())
}

#[test]
fn over_http_a_charge_comes_back_for_the_failures_that_its_limit_names() {
    let upstream = Upstream::start(answered);
    let folder = Folder::of(&upstream.url(), &policy());
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let mut refunds = 0;
    for (end, named, tool) in tools() {
        let expected = expected(end, named);
        assert_eq!(of_agent(&agent, &tool), expected, "{tool}");
        refunds += expected - 2;
    }
    let refunded = folder.journal_line("a refund is in the journal", |line| {
        line["refunded"]
            .as_array()
            .is_some_and(|parts| !parts.is_empty())
    });
    assert_eq!(refunded["kind"], "outcome");
    let series = "toolgate_refunds_total{server=\"s\"}";
    assert_eq!(gateway.metric(series), refunds as f64);
    gateway.kill();
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    for (_, _, tool) in tools().filter(|(end, named, _)| end == named) {
        assert_eq!(
            of_agent(&agent, &tool),
            0,
            "{tool}: a restart gives no refund again"
        );
    }
}

#[test]
fn over_stdio_a_charge_comes_back_for_the_failures_that_its_limit_names() {
    let folder = Folder::of("http://127.0.0.1:1/", &policy());
    folder.write("server.py", SERVER);
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    let command = "command = \"python3\"\nargs = [\"server.py\"]";
    let config = config.replace("url = \"http://127.0.0.1:1/\"", command);
    folder.write("toolgate.toml", &config);
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    for (end, named, tool) in tools().filter(|(end, ..)| !has_status(end)) {
        assert_eq!(of_agent(&agent, &tool), expected(end, named), "{tool}");
    }
    let streamed = agent.post(&call("ok-none-sse"));
    assert!(
        streamed.text().contains("toolgate/denial"),
        "{}",
        streamed.text()
    );
}

#[test]
fn a_wrapped_servers_failures_count_like_those_over_http() {
    let folder = Folder::new();
    folder.write("policy.json", &policy());
    folder.write("server.py", SERVER);
    let mut command = folder.program();
    command.args(["wrap", "--policy", "policy.json", "--data", "data", "--"]);
    command.args(["python3", "server.py"]);
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.expect("the program starts");
    let mut input = child.stdin.take().expect("it is piped");
    let mut output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut ask = |tool: &str| {
        writeln!(input, "{}", call(tool)).expect("it reads");
        loop {
            let line = output.next().expect("it answers").expect("text");
            if !line.contains("notifications/progress") {
                return line;
            }
        }
    };
    for (end, named, tool) in tools().filter(|(end, ..)| !has_status(end)) {
        assert_eq!(runs(|| ask(&tool)), expected(end, named), "{tool}");
    }
    drop(input);
    assert!(child.wait().expect("it ends").success());
}

fn has_status(end: &str) -> bool {
    ["http_5xx", "two_at_once"].contains(&end)
}

#[test]
fn what_was_not_sent_comes_back_whatever_the_limit_names() {
    let address = support::folder::closed_port();
    let url = format!("http://{address}/mcp");
    let folder = Folder::of(&url, &support::at_most(1, "work"));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    for _ in 0..3 {
        assert_eq!(agent.call("work").code(), -31005);
    }
    assert_eq!(gateway.metric("toolgate_refunds_total{server=\"s\"}"), 3.0);
    let upstream = Upstream::start(|_| json_reply(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
    folder.configure(&upstream.url(), "");
    support::until("the refunds are written", || {
        let journal = folder.journal();
        let written = journal.iter().filter(|line| line["upstream"] == "connect");
        (written.count() == 3).then_some(())
    });
    gateway.kill();
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    assert_eq!(
        (agent.call("work").kind(), agent.call("work").kind()),
        ("ran".into(), "limit".into())
    );
}

#[test]
fn a_call_in_a_session_that_a_shared_server_never_had_costs_nothing() {
    let folder = Folder::of("http://127.0.0.1:1/", &support::at_most(1, "work"));
    folder.write("server.py", SERVER);
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    let command = "command = \"python3\"\nargs = [\"server.py\"]";
    let config = config.replace("url = \"http://127.0.0.1:1/\"", command);
    folder.write("toolgate.toml", &config);
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    for _ in 0..3 {
        let mut wire = support::Wire::to(agent.address);
        wire.send(agent.request("Mcp-Session-Id: 0\r\n", &call("work")));
        assert_eq!(wire.reply().status, 404);
    }
    assert_eq!(of_agent(&agent, "work"), 1);
    assert_eq!(gateway.metric("toolgate_refunds_total{server=\"s\"}"), 3.0);
}
