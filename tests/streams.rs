//! README: replies stream through as they come, a client that leaves frees its server, and SIGTERM drains within a bound.
//!
//! The upstream speaks only when the test says so: what arrives before it spoke again was not held back.

mod support;

use std::sync::mpsc::Receiver;

use rustix::process::Signal;
use support::{
    ALLOW_ALL, Agent, Folder, Gateway, PATIENCE, Steps, Upstream, Wire, message, tools_call, until,
};

struct Stage {
    upstream: Upstream,
    steps: Receiver<Steps>,
    gateway: Gateway,
    agent: Agent,
    folder: Folder,
}

fn stage(settings: &str) -> Stage {
    let (upstream, steps) = Upstream::stepping();
    let folder = Folder::of(&upstream.url(), ALLOW_ALL);
    folder.configure(&upstream.url(), settings);
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
    /// Sends a message and gives both ends of its answer.
    fn begin(&self, body: &str) -> (Wire, Steps) {
        let wire = self.agent.begin(body);
        (wire, self.next_steps())
    }

    fn next_steps(&self) -> Steps {
        self.steps
            .recv_timeout(PATIENCE)
            .expect("the request comes")
    }

    /// An event stream that only listens, with its head read.
    fn listen(&self) -> (Wire, Steps) {
        let mut wire = Wire::to(self.agent.address);
        wire.send(self.agent.bare_request("GET"));
        let steps = self.next_steps();
        steps.open();
        assert_eq!(wire.head().status, 200);
        (wire, steps)
    }

    fn outcome(&self, upstream: &str) -> serde_json::Value {
        self.folder.journal_line("the outcome is written", |line| {
            line["kind"] == "outcome" && line["upstream"] == upstream
        })
    }
}

fn call() -> String {
    tools_call("1", "work", "{}")
}

#[test]
fn events_arrive_one_by_one_while_the_tool_runs() {
    let stage = stage("");
    for body in [call(), message("1", "tools/list"), message("1", "ping")] {
        let (mut wire, steps) = stage.begin(&body);
        steps.open();
        let head = wire.head();
        assert_eq!(head.status, 200);
        assert_eq!(head.header("x-accel-buffering"), Some("no"), "{body}");
        for at in 0..3 {
            let event = format!(
                "id: {at}\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}}\n\n"
            );
            steps.event(&event);
            assert_eq!(wire.pieces_until("\n\n"), event, "{body}");
        }
        steps.end();
        assert_eq!(wire.piece(), None);
    }
    assert_eq!(stage.outcome("200")["refunded"], serde_json::json!([]));
}

#[test]
fn a_json_reply_streams_too() {
    let stage = stage("");
    let (mut wire, steps) = stage.begin(&call());
    steps.raw(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    steps.event("{\"jsonrpc\":\"2.0\",");
    let head = wire.head();
    assert_eq!((head.status, head.header("x-accel-buffering")), (200, None));
    assert_eq!(wire.pieces_until(","), "{\"jsonrpc\":\"2.0\",");
    steps.event("\"id\":1,\"result\":{}}");
    assert_eq!(wire.pieces_until("}}"), "\"id\":1,\"result\":{}}");
    steps.end();
    assert_eq!(wire.piece(), None);
}

#[test]
fn a_client_that_leaves_frees_the_upstream_and_the_outcome_says_so() {
    let stage = stage("");
    let (mut wire, steps) = stage.begin(&call());
    steps.open();
    steps.event("data: 1\n\n");
    wire.head();
    wire.pieces_until("\n\n");
    assert_eq!(
        stage
            .gateway
            .metric("toolgate_calls_in_flight{server=\"s\"}"),
        1.0
    );
    wire.leave();
    stage.upstream.wait_for_leaving(1);
    stage.outcome("abandoned");
    let (wire, _no_answer) = stage.begin(&call());
    wire.leave();
    stage.upstream.wait_for_leaving(2);
    until("both are written", || {
        let abandoned = stage
            .folder
            .journal()
            .iter()
            .filter(|line| line["upstream"] == "abandoned")
            .count();
        (abandoned == 2).then_some(())
    });
    assert_eq!(
        stage
            .gateway
            .metric("toolgate_calls_in_flight{server=\"s\"}"),
        0.0
    );
    let (wire, _steps) = stage.listen();
    wire.leave();
    stage.upstream.wait_for_leaving(3);
}

#[test]
fn a_reply_that_breaks_off_breaks_off_for_the_client_and_says_so() {
    let stage = stage("");
    let (mut wire, steps) = stage.begin(&call());
    steps.open();
    steps.event("data: 1\n\n");
    wire.head();
    wire.pieces_until("\n\n");
    drop(steps);
    assert_eq!(wire.piece(), None);
    assert!(wire.is_closed(), "no orderly end is made up");
    assert_eq!(stage.outcome("cut")["refunded"], serde_json::json!([]));
}

#[test]
fn a_quiet_stream_gets_comments_between_events_and_nowhere_else() {
    let stage = stage("sse_keep_alive_seconds = 1");
    for (body, holds_back) in [(call(), false), (message("1", "tools/list"), true)] {
        let (mut wire, steps) = stage.begin(&body);
        steps.open();
        wire.head();
        assert_eq!(wire.pieces_until(":\n\n"), ":\n\n", "{body}");
        steps.event("data: {\"a\"");
        if !holds_back {
            assert_eq!(wire.pieces_until("\"a\""), "data: {\"a\"");
            // Meanwhile another stream gets its comment: more than a second passes with half an event out.
            let (mut other, _steps) = stage.listen();
            assert_eq!(other.pieces_until(":\n\n:\n\n"), ":\n\n:\n\n");
            steps.event(":1}\n\n");
            assert_eq!(
                wire.pieces_until("\n\n"),
                ":1}\n\n",
                "no comment stands in an event"
            );
        } else {
            steps.event(":1}\n\n");
            assert!(wire.pieces_until("1}\n\n").ends_with("data: {\"a\":1}\n\n"));
        }
        assert_eq!(wire.pieces_until(":\n\n"), ":\n\n", "{body}");
        steps.end();
        assert_eq!(wire.piece(), None);
    }
}

#[test]
fn draining_ends_listening_streams_and_lets_a_call_finish() {
    let mut stage = stage("drain_seconds = 25");
    let (mut listening, _quiet) = stage.listen();
    let (mut calling, steps) = stage.begin(&call());
    let _silent = Wire::to(stage.agent.address);
    let mut idle = Wire::to(stage.agent.address);
    idle.send(stage.agent.request("", "{"));
    assert_eq!(idle.reply().status, 400);
    stage.gateway.signal(Signal::TERM);
    assert_eq!(listening.piece(), None, "the stream ends");
    assert!(idle.is_closed(), "a connection without a request ends");
    until("new connections are refused", || {
        std::net::TcpStream::connect(stage.agent.address)
            .is_err()
            .then_some(())
    });
    assert_eq!(stage.gateway.page("/readyz").status, 503);
    steps.open();
    steps.event("data: the last words\n\n");
    steps.end();
    assert!(
        calling.reply().text().contains("the last words"),
        "the call in flight finishes"
    );
    let began = std::time::Instant::now();
    assert!(stage.gateway.ended().success());
    assert!(
        began.elapsed().as_secs() < 20,
        "nothing was left to wait for, but it took {:?}",
        began.elapsed()
    );
    stage.outcome("200");
}

#[test]
fn draining_ends_at_its_bound_whatever_the_upstream_does() {
    let mut stage = stage("drain_seconds = 1");
    let (mut streaming, steps) = stage.begin(&call());
    steps.open();
    streaming.head();
    let (mut waiting, _no_answer) = stage.begin(&call());
    let began = std::time::Instant::now();
    stage.gateway.signal(Signal::TERM);
    assert!(stage.gateway.ended().success());
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    assert_eq!(streaming.piece(), None);
    assert!(waiting.is_closed());
    let abandoned = stage
        .folder
        .journal()
        .iter()
        .filter(|line| line["upstream"] == "abandoned")
        .count();
    assert_eq!(abandoned, 2, "the journal knows of both");
}

#[test]
fn an_event_that_is_too_long_to_be_read_ends_its_stream() {
    let stage = stage("");
    let (mut wire, steps) = stage.begin(&message("1", "tools/list"));
    steps.open();
    steps.event("data: 1\n\n");
    wire.head();
    assert_eq!(wire.pieces_until("\n\n"), "data: 1\n\n");
    for _ in 0..17 {
        steps.event(&format!("data: {}\n", " ".repeat(1 << 20)));
    }
    assert_eq!(
        wire.piece(),
        None,
        "nothing unread passes, and nobody waits for it"
    );
    stage.upstream.wait_for_leaving(1);
}
