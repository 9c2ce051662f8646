//! README: where a grant's settings say so, results tell what is left of its limits; else not a byte of a reply changes.
//!
//! The upstream's replies are odd on purpose: every byte that is not the gateway's must come through.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};
use support::upstream::whole;
use support::{Agent, Answer, Folder, Gateway, Recorded, Upstream, tools_call};

/// A grant's own limits, and three that its agent is not to watch or that count nothing: shared, in shadow, in the other tool.
const POLICY: &str = r#"{"version":"1","default":"deny","tools":{"work":{"limits":[
    {"counter":"calls","window":"minute","max":10},
    {"counter":"spent","window":"90s","max":100,"increment_from":"args.amount","by":["args.to"]},
    {"counter":"busy","concurrent":3},
    {"counter":"all","window":"hour","max":50,"scope":"server"},
    {"counter":"shadow","window":"hour","max":1,"shadow":true}]},
  "free":{}}}"#;

/// Odd replies, by what the argument `as` says; `{id}` is the request's.
const REPLIES: [(&str, &str); 8] = [
    (
        "plain",
        r#" { "result":{"content":[] ,"x":1.0e2},"jsonrpc":"2.0","id":{id} } "#,
    ),
    (
        "meta",
        r#"{"jsonrpc":"2.0","id":{id},"result":{"_meta": {"a":"\u0041"},"content":[]}}"#,
    ),
    (
        "forged",
        r#"{"jsonrpc":"2.0","id":{id},"result":{"_meta":{"toolgate\/quota":[{"remaining":99}]},"content":[]}}"#,
    ),
    (
        "failed",
        r#"{"jsonrpc":"2.0","id":{id},"result":{"isError":true}}"#,
    ),
    (
        "error",
        r#"{"jsonrpc":"2.0","id":{id},"error":{"code":1,"message":"no"}}"#,
    ),
    ("broken", r#"{"jsonrpc":"2.0","id":{id},"result":{"#),
    (
        "twice",
        r#"{"jsonrpc":"2.0","id":{id},"result":{"a":1,"a":2}}"#,
    ),
    ("other", r#"{"jsonrpc":"2.0","id":"other","result":{}}"#),
];
const EVENTS: &str = ": hello\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"result\":{}}}\n\n";
const AFTER: &str = "data: {\"jsonrpc\":\"2.0\",\"id\":\"later\",\"result\":{}}\n\ndata: no end";

fn reply(name: &str) -> String {
    let found = REPLIES.iter().find(|(known, _)| *known == name);
    found.expect("a known reply").1.replace("{id}", "7")
}

/// The reply on a stream: split over two lines, among others.
fn streamed(name: &str) -> String {
    let data = reply(name)
        .replacen(',', "\ndata: ,", 1)
        .replace("\ndata: ,", ",\ndata:");
    format!("{EVENTS}id: 5\nretry: 1\ndata: {data}\n: in it\n\n{AFTER}")
}

fn answered(request: &Recorded) -> Answer {
    let arguments = &request.json()["params"]["arguments"];
    let name = arguments["as"].as_str().unwrap_or("plain");
    match arguments["streamed"] == true {
        false => whole(
            "200 OK",
            "content-type: application/json; charset=utf-8\r\nx-own: 1\r\n",
            &reply(name),
        ),
        true => whole(
            "200 OK",
            "content-type: text/event-stream\r\n",
            &streamed(name),
        ),
    }
}

struct Stage {
    _upstream: Upstream,
    folder: Folder,
    gateway: Gateway,
    agent: Agent,
}

fn stage(quota: &str) -> Stage {
    let upstream = Upstream::start(answered);
    let folder = Folder::of(&upstream.url(), POLICY);
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    folder.write("toolgate.toml", &format!("{config}{quota}\n"));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    Stage {
        _upstream: upstream,
        folder,
        gateway,
        agent,
    }
}

fn work(to: &str, amount: &str, how: &str) -> String {
    tools_call(
        "7",
        "work",
        &format!(r#"{{"to":"{to}","amount":{amount},{how}}}"#),
    )
}

/// Without what the gateway put in; the quota itself beside it.
fn taken_apart(text: &str) -> (String, Value) {
    let start = text
        .find(r#""_meta":{"toolgate/quota":"#)
        .map(|at| (at, at + 8 + 1));
    let key = text.find(r#""toolgate/quota":"#).expect("a quota");
    let array = &text[key + 17..];
    let end = key + 17 + array.find(']').expect("an end") + 1;
    let quota = serde_json::from_str(&text[key + 17..end]).expect("JSON");
    let (from, to) = match start {
        Some((at, _)) => (at, end + 1),
        None => (key, end),
    };
    let to = to + usize::from(text[to..].starts_with(','));
    (format!("{}{}", &text[..from], &text[to..]), quota)
}

fn quota(calls: u32, spent: Value) -> Value {
    json!([
        { "rule": "/tools/work/limits/calls", "limit": 10, "remaining": calls, "window": "minute" },
        { "rule": "/tools/work/limits/spent", "limit": 100, "remaining": spent, "window": "90s" },
        { "rule": "/tools/work/limits/busy", "limit": 3, "remaining": 3, "window": "in flight" },
    ])
}

#[test]
fn a_result_tells_what_is_left_and_keeps_every_other_byte() {
    let stage = stage("quota = true");
    let post = |body: String| stage.agent.post(&body);
    let first = post(work("a", "60.25", "\"as\":\"plain\""));
    assert_eq!(
        first.header("content-length"),
        Some(first.body.len().to_string().as_str())
    );
    assert_eq!(first.header("x-own"), Some("1"));
    assert_eq!(
        taken_apart(&first.text()),
        (reply("plain"), quota(9, json!(39.75)))
    );
    let with_meta = post(work("b", "1", "\"as\":\"meta\"")).text();
    assert_eq!(
        taken_apart(&with_meta),
        (reply("meta"), quota(8, json!(99)))
    );
    let failed = post(work("a", "0.75", "\"as\":\"failed\"")).text();
    assert_eq!(taken_apart(&failed), (reply("failed"), quota(7, json!(39))));
    let forged = post(work("c", "1", "\"as\":\"forged\"")).text();
    let json: Value = serde_json::from_str(&forged).expect("JSON");
    assert_eq!(
        json["result"]["_meta"],
        json!({ "toolgate/quota": quota(6, json!(99)) })
    );
    assert_eq!(
        post(tools_call("7", "free", "{}")).text(),
        reply("plain"),
        "nothing is charged"
    );
    for unread in ["error", "broken", "twice", "other"] {
        let text = post(work("d", "1", &format!("\"as\":\"{unread}\""))).text();
        assert_eq!(text, reply(unread));
    }
    assert!(stage.gateway.stop().success());
    let ends = stage
        .folder
        .journal()
        .into_iter()
        .filter(|line| line["upstream"] == "200");
    assert_eq!(ends.count(), 9, "each has one end");
}

#[test]
fn in_a_stream_only_the_data_of_the_answer_changes() {
    let stage = stage("quota = true");
    let text = stage
        .agent
        .post(&work("a", "1", "\"streamed\":true,\"as\":\"plain\""))
        .text();
    let (text, told) = taken_apart(&text);
    assert_eq!(told, quota(9, json!(99)));
    let expected = format!(
        "{EVENTS}id: 5\nretry: 1\ndata: {}\n: in it\n\n{AFTER}",
        reply("plain").replacen(',', ", ", 1)
    );
    assert_eq!(text, expected);
    for unread in ["error", "broken", "other"] {
        let how = format!("\"streamed\":true,\"as\":\"{unread}\"");
        assert_eq!(
            stage.agent.post(&work("b", "1", &how)).text(),
            streamed(unread)
        );
    }
}

#[test]
fn without_the_setting_not_a_byte_changes() {
    let stage = stage("");
    for (name, _) in REPLIES {
        let json = stage
            .agent
            .post(&work("a", "1", &format!("\"as\":\"{name}\"")))
            .text();
        assert_eq!(json, reply(name));
    }
    let streamed_reply = stage
        .agent
        .post(&work("a", "1", "\"as\":\"forged\",\"streamed\":true"));
    assert_eq!(streamed_reply.text(), streamed("forged"));
}

#[test]
fn a_wrapped_server_and_one_that_clients_share_tell_it_too() {
    const SERVER: &str = r#"
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        print('{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"} }}' % json.dumps(message["id"]), flush=True)
"#;
    let said = r#"{"jsonrpc":"2.0","id":7,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"} }}"#;
    let folder = Folder::of("http://127.0.0.1:1/", POLICY);
    folder.write("server.py", SERVER);
    for (flag, data) in [("--quota", "told"), ("--name=same", "untold")] {
        let mut command = folder.program();
        command.args([
            "wrap",
            "--policy",
            "policy.json",
            "--data",
            data,
            flag,
            "--",
        ]);
        let started = command
            .args(["python3", "server.py"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = started.expect("the program starts");
        let mut input = child.stdin.take().expect("it is piped");
        writeln!(input, "{}", work("a", "1.5", "\"x\":1")).expect("it reads");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let line = output.next().expect("it answers").expect("text");
        drop(input);
        assert!(child.wait().expect("it ends").success());
        match flag {
            "--quota" => assert_eq!(taken_apart(&line), (said.into(), quota(9, json!(98.5)))),
            _ => assert_eq!(line, said),
        }
    }
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    let command = "command = \"python3\"\nargs = [\"server.py\"]";
    let config = config.replace("url = \"http://127.0.0.1:1/\"", command);
    folder.write("toolgate.toml", &format!("{config}quota = true\n"));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let text = gateway
        .agent(&token)
        .post(&work("a", "1.5", "\"x\":1"))
        .text();
    assert_eq!(taken_apart(&text), (said.into(), quota(9, json!(98.5))));
}
