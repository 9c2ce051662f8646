//! README: a request id that is used again while its first request may still be answered gives nothing back: the answer
//! may be the other request's.
//!
//! Upstreams answer only when the test says so.

mod support;

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::Receiver;

use serde_json::json;
use support::{Agent, Folder, Gateway, PATIENCE, Steps, Upstream, Wire, message, tools_call};

const IN_SESSION: &str = "Mcp-Session-Id: s\r\n";
const PLACE: &str = r#"{"version":"1","default":"allow","tools":{"work":{"limits":[
    {"counter":"c","concurrent":1},{"counter":"h","window":"hour","max":100,"refund_on":["rpc_error"]}]}}}"#;

struct Stage {
    upstream: Upstream,
    steps: Receiver<Steps>,
    agent: Agent,
    _gateway: Gateway,
    _folder: Folder,
}

fn stage() -> Stage {
    let (upstream, steps) = Upstream::stepping();
    let folder = Folder::of(&upstream.url(), PLACE);
    let token = folder.grant("g");
    let gateway = folder.serve();
    Stage {
        upstream,
        steps,
        agent: gateway.agent(&token),
        _gateway: gateway,
        _folder: folder,
    }
}

impl Stage {
    fn begin(&self, headers: &str, body: &str) -> (Wire, Steps) {
        let mut wire = Wire::to(self.agent.address);
        wire.send(self.agent.request(headers, body));
        let steps = self.steps.recv_timeout(PATIENCE);
        (wire, steps.expect("the request comes"))
    }

    /// A call with the id `"1"`, answered on its own stream with the id `1`.
    fn answered_call(&self, headers: &str) {
        let (mut wire, steps) = self.begin(headers, &tools_call("\"1\"", "work", "{}"));
        let answer = r#"{"jsonrpc":"2.0","id":"1","result":{"content":[]}}"#;
        steps.raw(json_head(answer) + answer);
        assert_eq!(wire.reply().text(), answer);
    }

    fn is_full(&self) -> bool {
        let mut wire = Wire::to(self.agent.address);
        wire.send(self.agent.request("", &tools_call("2", "work", "{}")));
        let patience = std::time::Duration::from_millis(300);
        self.steps.recv_timeout(patience).is_err() && wire.reply().kind() == "limit"
    }
}

fn json_head(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
}

fn ping() -> String {
    message("1", "ping")
}

#[test]
fn an_answer_frees_no_place_while_another_request_has_its_id() {
    let stage = stage();
    let _waiting = stage.begin(IN_SESSION, &ping());
    stage.answered_call(IN_SESSION);
    assert!(stage.is_full(), "it may have been the answer to the ping");
}

#[test]
fn a_request_that_its_client_left_may_still_be_answered_with_its_id() {
    let stage = stage();
    let (wire, _steps) = stage.begin(IN_SESSION, &tools_call("1", "unlimited", "{}"));
    wire.leave();
    stage.upstream.wait_for_leaving(1);
    stage.answered_call(IN_SESSION);
    assert!(stage.is_full(), "it may have been the other call's answer");
}

#[test]
fn a_stream_that_ends_before_its_answer_leaves_its_id_in_use() {
    for first in [
        ping(),
        tools_call("1", "unlimited", "{}"),
        message("1", "prompts/list"),
    ] {
        let stage = stage();
        let (mut wire, steps) = stage.begin(IN_SESSION, &first);
        steps.open();
        steps.event("id: 1\ndata: \n\n");
        steps.end();
        wire.reply();
        stage.answered_call(IN_SESSION);
        assert!(stage.is_full(), "{first} was not answered");
    }
}

#[test]
fn an_id_that_two_session_headers_name_is_used_in_both() {
    let stage = stage();
    let twice = "Mcp-Session-Id: other\r\nMcp-Session-Id: s\r\n";
    let _waiting = stage.begin(twice, &ping());
    stage.answered_call(IN_SESSION);
    assert!(stage.is_full(), "servers take either");
}

#[test]
fn ids_that_are_used_one_after_another_give_their_places_back() {
    let stage = stage();
    for _ in 0..3 {
        let (mut wire, steps) = stage.begin(IN_SESSION, &ping());
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        steps.raw(json_head(answer) + answer);
        drop(steps);
        wire.reply();
        for first in [
            ping(),
            tools_call("1", "unlimited", "{}"),
            message("1", "prompts/list"),
        ] {
            let (mut wire, steps) = stage.begin(IN_SESSION, &first);
            let listed = r#"{"jsonrpc":"2.0","id":1,"result":{"prompts":[]}}"#;
            steps.open();
            steps.event(&format!("data: {listed}\n\n"));
            steps.end();
            wire.reply();
        }
        stage.answered_call(IN_SESSION);
    }
}

#[test]
fn without_a_session_or_in_another_one_an_id_is_another() {
    for (of_ping, of_call) in [("", ""), (IN_SESSION, "Mcp-Session-Id: t\r\n")] {
        let stage = stage();
        let _waiting = stage.begin(of_ping, &ping());
        stage.answered_call(of_call);
        assert!(!stage.is_full(), "nobody else's answer comes on its stream");
    }
}

/// Holds all calls but `quick` ones, answers what else it is asked, and before a request with the id `"late"` gives an
/// answer with the id 5.
const SERVER: &str = r#"
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    raw = json.dumps(message.get("id"))
    held = message.get("method") == "tools/call" and message["params"]["name"] != "quick"
    if raw == '"late"':
        print('{"jsonrpc":"2.0","id":5,"result":{"content":[]}}', flush=True)
    if message.get("method") == "resources/read":
        print('{"jsonrpc":"2.0","id":%s,"error":{"code":-32002,"message":"none"}}' % raw, flush=True)
    elif "id" in message and not held:
        print('{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}' % raw, flush=True)
"#;

struct Wrapped {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    folder: Folder,
}

fn wrapped() -> Wrapped {
    let folder = Folder::new();
    folder.write(
        "policy.json",
        r#"{"version":"1","default":"allow","tools":{
        "work":{"limits":[{"counter":"c","concurrent":2},{"counter":"h","window":"hour","max":9,"refund_on":["rpc_error"]}]},
        "quick":{"limits":[{"counter":"q","concurrent":1}]}}}"#,
    );
    folder.write("server.py", SERVER);
    let mut command = folder.program();
    command.args(["wrap", "--policy", "policy.json", "--data", "toolgate-data"]);
    command.args(["--", "python3", "server.py"]);
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.expect("the program starts");
    Wrapped {
        input: child.stdin.take().expect("it is piped"),
        output: BufReader::new(child.stdout.take().expect("it is piped")).lines(),
        child,
        folder,
    }
}

impl Wrapped {
    fn send(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it reads");
    }

    fn call(&mut self, id: &str, tool: &str) {
        self.send(&tools_call(id, tool, "{}"));
    }

    fn next(&mut self) -> String {
        self.output.next().expect("it answers").expect("text")
    }

    fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.next()
    }

    /// How many of the two places calls find free.
    fn places_left(&mut self) -> usize {
        let calls = ["a", "b", "c"].map(|id| tools_call(&format!("\"{id}\""), "work", "{}"));
        calls.iter().for_each(|call| self.send(call));
        self.send(&message("\"end\"", "ping"));
        let denied =
            std::iter::from_fn(|| Some(self.next()).filter(|line| !line.contains("\"end\"")));
        3 - denied
            .filter(|line| line.contains("toolgate/denial"))
            .count()
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_answer_to_another_line_with_its_id_gives_a_wrapped_call_nothing_back() {
    for other in ["ping", "resources/read"] {
        let mut wrapped = wrapped();
        wrapped.call("5", "work");
        let answer = wrapped.ask(&message("5", other));
        assert!(
            answer.contains("\"id\":5"),
            "it passes all the same: {answer}"
        );
        assert_eq!(wrapped.places_left(), 1, "it was {other} that was answered");
        let end = wrapped
            .folder
            .journal_line("its outcome", |line| line["kind"] == "outcome");
        assert_eq!((&end["refunded"], end.get("released")), (&json!([]), None));
    }
}

#[test]
fn a_wrapped_call_is_not_ended_by_an_unlimited_one_with_its_id() {
    let mut wrapped = wrapped();
    wrapped.call("5", "unlimited");
    wrapped.call("5", "work");
    wrapped.ask(&message("\"late\"", "ping"));
    wrapped.next();
    assert_eq!(wrapped.places_left(), 1);
}

#[test]
fn the_late_answer_to_a_cancelled_line_does_not_end_the_next_with_its_id() {
    let mut wrapped = wrapped();
    wrapped.call("5", "unlimited");
    wrapped
        .send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#);
    wrapped.call("5", "work");
    wrapped.ask(&message("\"late\"", "ping"));
    wrapped.next();
    assert_eq!(wrapped.places_left(), 1);
}

#[test]
fn wrapped_lines_that_use_one_id_one_after_another_give_their_places_back() {
    let mut wrapped = wrapped();
    for _ in 0..3 {
        assert!(wrapped.ask(&message("5", "ping")).contains("\"id\":5"));
        let answer = wrapped.ask(&tools_call("5", "quick", "{}"));
        assert!(!answer.contains("toolgate/denial"), "{answer}");
    }
}
