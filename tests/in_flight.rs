//! README: a limit of calls in flight holds a call's place until its server has answered or its time is up, and for nothing
//! less; a call ends when its time is up.
//!
//! The upstream speaks only when the test says so. What is asserted is who was let in before what, never a time.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::mpsc::Receiver;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Agent, Folder, Gateway, PATIENCE, Reply, Steps, Upstream, Wire, tools_call, until};

struct Stage {
    upstream: Upstream,
    steps: Receiver<Steps>,
    gateway: Gateway,
    agent: Agent,
    folder: Folder,
}

/// A stage on which two calls may be in flight, each for so many seconds.
fn stage(seconds: u32) -> Stage {
    let policy = r#"{"version":"1","default":"deny","tools":{"work":{"limits":[{"counter":"c","concurrent":2}]}}}"#;
    let (upstream, steps) = Upstream::stepping();
    let folder = Folder::of(&upstream.url(), policy);
    folder.configure(&upstream.url(), "drain_seconds = 1");
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    let times = format!("call_timeout_seconds = {seconds}\n[policies]");
    folder.write("toolgate.toml", &config.replace("[policies]", &times));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    Stage {
        upstream,
        steps,
        gateway,
        agent,
        folder,
    }
}

impl Stage {
    fn begin(&self) -> (Wire, Steps) {
        let wire = self.agent.begin(&call());
        let steps = self.steps.recv_timeout(PATIENCE);
        (wire, steps.expect("the call comes"))
    }

    /// The denial of one call more.
    fn denied(&self) -> Value {
        let denial = self.agent.post(&call()).denial();
        denial.expect("there is no room for one more")
    }

    fn outcome(&self, upstream: &str) -> Value {
        self.folder.journal_line("the outcome is written", |line| {
            line["kind"] == "outcome" && line["upstream"] == upstream
        })
    }

    /// Calls again and again until one is let in; those before it were denied, and did not reach the server.
    fn begin_when_there_is_room(&self) -> Steps {
        until("there is room", || {
            let _wire = self.agent.begin(&call());
            let patience = std::time::Duration::from_millis(100);
            self.steps.recv_timeout(patience).ok()
        })
    }

    fn restarted(self) -> Stage {
        self.gateway.kill();
        let gateway = self.folder.serve();
        let agent = gateway.agent(&self.agent.token);
        Stage {
            gateway,
            agent,
            ..self
        }
    }
}

fn call() -> String {
    tools_call("1", "work", "{}")
}

fn json_head(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
}

/// A whole answer, after which the server closes the connection.
fn answer(steps: Steps, body: &str) {
    steps.raw(json_head(body) + body);
}

const DONE: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
const LONG: u32 = 3_600;

#[test]
fn a_stream_with_an_event_that_is_too_long_to_be_read_leaves_the_end_unknown() {
    let stage = stage(LONG);
    let (mut one, one_steps) = stage.begin();
    let (_other, _other_steps) = stage.begin();
    one_steps.open();
    let long = format!(
        "id: 1\ndata: {{\"method\":\"{}\"}}\n\n",
        "m".repeat(5 << 20)
    );
    one_steps.event(&long);
    one_steps.end();
    assert!(one.reply().text() == long, "it passes all the same");
    stage.outcome("200");
    stage.denied();
}

#[test]
fn as_many_as_the_limit_says_are_in_flight_and_an_answer_makes_room_for_one() {
    let stage = stage(LONG);
    let (mut json, json_steps) = stage.begin();
    let (mut events, events_steps) = stage.begin();
    let denial = stage.denied();
    assert_eq!(
        denial.get("retry_after_ms"),
        None,
        "nobody knows when: {denial}"
    );
    assert_eq!(
        (&denial["limit"], &denial["remaining"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(denial["window"], "in flight");
    answer(json_steps, DONE);
    assert_eq!(json.reply().text(), DONE);
    let (_third, _third_steps) = stage.begin();
    stage.denied();
    events_steps.open();
    events.head();
    for text in [
        "data: {\"method\":\"m\",\"id\":1}\n\n",
        "data: {\"id\":2,\"result\":{}}\n\n",
    ] {
        events_steps.event(text);
        events.pieces_until("\n\n");
    }
    stage.denied();
    events_steps.event(&format!("data: {DONE}\n\n"));
    events.pieces_until("\n\n");
    let (_fourth, _fourth_steps) = stage.begin();
    stage.denied();
    let freed = stage.outcome("200");
    assert_eq!(
        freed["released"].as_array().map(Vec::len),
        Some(1),
        "{freed}"
    );
    assert_eq!(freed["refunded"], json!([]));
}

#[test]
fn a_client_that_leaves_frees_its_server_and_not_its_place() {
    let stage = stage(5);
    let (leaving, _steps) = stage.begin();
    let (mut streaming, steps) = stage.begin();
    steps.open();
    streaming.head();
    leaving.leave();
    streaming.leave();
    stage.upstream.wait_for_leaving(2);
    let abandoned = stage.outcome("abandoned");
    assert_eq!(abandoned.get("released"), None, "{abandoned}");
    stage.denied();
    let _let_in = stage.begin_when_there_is_room();
}

#[test]
fn a_call_ends_when_its_time_is_up_before_its_first_byte_and_after() {
    let stage = stage(3);
    let (mut silent, _silent_steps) = stage.begin();
    let (mut streaming, steps) = stage.begin();
    steps.open();
    steps.event("data: 1\n\n");
    streaming.head();
    streaming.pieces_until("\n\n");
    let late: Reply = silent.reply();
    assert_eq!((late.status, late.code()), (504, -31005), "{}", late.text());
    assert!(
        late.text().contains("did not answer to the end within 3s"),
        "{}",
        late.text()
    );
    assert_eq!(late.json()["error"]["data"]["was_sent"], true);
    assert_eq!(streaming.piece(), None);
    assert!(streaming.is_closed(), "no orderly end is made up");
    stage.upstream.wait_for_leaving(2);
    until("both are told", || {
        let journal = stage.folder.journal();
        let lines = journal.iter().filter(|line| line["upstream"] == "time_up");
        (lines.count() == 2).then_some(())
    });
    let series = "toolgate_upstream_errors_total{server=\"s\",error=\"time_up\"}";
    assert_eq!(stage.gateway.metric(series), 2.0);
    let _let_in = stage.begin_when_there_is_room();
}

#[test]
fn a_task_holds_its_place_after_its_reply() {
    let stage = stage(5);
    for task in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"t"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"task"}}"#,
    ] {
        let (mut wire, steps) = stage.begin();
        answer(steps, task);
        assert_eq!(wire.reply().text(), task);
    }
    stage.denied();
    assert_eq!(stage.outcome("200").get("released"), None);
    let _let_in = stage.begin_when_there_is_room();
}

#[test]
fn places_survive_a_kill_and_are_free_when_their_time_is_up() {
    let stage = stage(8);
    let (_one, _one_steps) = stage.begin();
    let (_two, _two_steps) = stage.begin();
    let stage = stage.restarted();
    stage.denied();
    let _let_in = stage.begin_when_there_is_room();
}

#[test]
fn a_reply_that_finishes_while_the_gateway_drains_frees_its_place_and_one_that_is_cut_does_not() {
    let mut stage = stage(LONG);
    let (mut finishing, steps) = stage.begin();
    let (_cut, cut_steps) = stage.begin();
    stage.gateway.signal(Signal::TERM);
    until("it drains", || {
        std::net::TcpStream::connect(stage.agent.address)
            .is_err()
            .then_some(())
    });
    answer(steps, DONE);
    assert_eq!(finishing.reply().text(), DONE);
    assert!(stage.gateway.ended().success());
    drop(cut_steps);
    stage.outcome("abandoned");
    let stage = stage.restarted();
    let (_let_in, _its_steps) = stage.begin();
    stage.denied();
}

/// A server that clients share, which greets and then holds every call for ever.
const HOLDS: &str = r#"
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    token = message.get("params", {}).get("_meta", {}).get("progressToken")
    if message.get("method") == "initialize":
        print('{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}' % json.dumps(message["id"]), flush=True)
    elif token is not None:
        print('{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}' % json.dumps(token), flush=True)
"#;

#[test]
fn what_a_client_cancels_at_a_shared_server_is_no_failure_of_the_servers_and_frees_no_place() {
    let policy = r#"{"version":"1","default":"allow","tools":{"work":{"limits":[
        {"counter":"c","concurrent":2},{"counter":"h","window":"hour","max":9,"refund_on":["rpc_error"]}]}}}"#;
    let folder = Folder::of("http://127.0.0.1:1/", policy);
    folder.write("server.py", HOLDS);
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    let command = "command = \"python3\"\nargs = [\"server.py\"]";
    let config = config.replace("url = \"http://127.0.0.1:1/\"", command);
    folder.write("toolgate.toml", &config);
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let streamed = call().replace(
        "\"arguments\"",
        "\"_meta\":{\"progressToken\":1},\"arguments\"",
    );
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let mut events = agent.begin(&streamed);
    events.head();
    events.pieces_until("notifications/progress");
    assert_eq!(agent.post(cancel).status, 202);
    events.pieces_until("cancelled by the client");
    let mut json = agent.begin(&call());
    // The call may still be on its way to the server, which then knows nothing to cancel.
    until("the second is cancelled", || {
        agent.post(cancel);
        let journal = folder.journal();
        let ends = journal
            .iter()
            .filter(|line| line["upstream"] == "abandoned");
        (ends.count() == 2).then_some(())
    });
    assert!(json.reply().text().contains("cancelled by the client"));
    assert_eq!(
        agent.post(&call()).kind(),
        "limit",
        "the server may still be at work"
    );
    for end in folder
        .journal()
        .iter()
        .filter(|line| line["kind"] == "outcome")
    {
        assert_eq!((&end["refunded"], end.get("released")), (&json!([]), None));
    }
}

/// Answers nothing but `ping`, and writes down what it is told.
const SILENT: &str = r#"
import json, sys
log = open("received.log", "a", buffering=1)
for line in sys.stdin:
    log.write(line)
    message = json.loads(line)
    if message.get("method") == "ping":
        print('{"jsonrpc":"2.0","id":"late","result":{"content":[]}}', flush=True)
        print('{"jsonrpc":"2.0","id":%s,"result":{}}' % json.dumps(message["id"]), flush=True)
"#;

#[test]
fn a_wrapped_call_whose_time_is_up_is_answered_once_by_the_gateway() {
    let folder = Folder::new();
    let policy = r#"{"version":"1","default":"allow","tools":{"work":{"limits":[{"counter":"c","concurrent":1}]}}}"#;
    folder.write("policy.json", policy);
    folder.write("server.py", SILENT);
    let mut command = folder.program();
    command.args([
        "wrap",
        "--policy",
        "policy.json",
        "--data",
        "data",
        "--call-timeout",
        "1",
        "--",
    ]);
    command.args(["python3", "server.py"]);
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.expect("the program starts");
    let mut input = child.stdin.take().expect("it is piped");
    let mut output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut next = || output.next().expect("it answers").expect("text");
    let late = tools_call("\"l\\u0061te\"", "work", "{}");
    writeln!(input, "{late}\n{}", tools_call("2", "work", "{}")).expect("it reads");
    assert!(next().contains("toolgate/denial"), "one is in flight");
    let given_up = next();
    assert!(
        given_up.starts_with(r#"{"jsonrpc":"2.0","id":"l\u0061te","error":{"code":-31005"#),
        "{given_up}"
    );
    writeln!(input, "{}", support::message("3", "ping")).expect("it reads");
    assert!(
        next().contains("\"id\":3"),
        "the late answer is not a second one"
    );
    let received = std::fs::read_to_string(folder.path("received.log")).expect("a log");
    let cancelled: Vec<&str> = received
        .lines()
        .filter(|line| line.contains("notifications/cancelled"))
        .collect();
    assert_eq!(cancelled.len(), 1, "{received}");
    assert!(
        cancelled[0].contains(r#""requestId":"l\u0061te""#),
        "{received}"
    );
    writeln!(input, "{}", tools_call("4", "work", "{}")).expect("it reads");
    let given_up = next();
    assert!(
        given_up.contains("\"id\":4,\"error\""),
        "its place was free: {given_up}"
    );
    drop(input);
    assert!(child.wait().expect("it ends").success());
}
