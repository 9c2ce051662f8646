//! README: a server may close a call's stream and give the answer to whoever asks for the rest of it; the call ends then, on
//! whichever connection that was, and for nobody else's message.
//!
//! The upstream speaks only when the test says so.

mod support;

use std::sync::mpsc::Receiver;

use serde_json::json;
use support::{
    Agent, Folder, Gateway, PATIENCE, Steps, Upstream, Wire, message, tools_call, until,
};

struct Stage {
    steps: Receiver<Steps>,
    gateway: Gateway,
    agent: Agent,
    folder: Folder,
    _upstream: Upstream,
}

/// One call may be in flight, and its charge comes back for an error result.
fn stage(seconds: u32) -> Stage {
    let policy = r#"{"version":"1","default":"allow","tools":{"work":{"limits":[
        {"counter":"c","concurrent":1},{"counter":"h","window":"hour","max":100,"refund_on":["error_result"]}]}}}"#;
    let (upstream, steps) = Upstream::stepping();
    let folder = Folder::of(&upstream.url(), policy);
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    let times = format!("call_timeout_seconds = {seconds}\n[policies]");
    folder.write("toolgate.toml", &config.replace("[policies]", &times));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    Stage {
        steps,
        gateway,
        agent,
        folder,
        _upstream: upstream,
    }
}

impl Stage {
    fn next_steps(&self) -> Steps {
        self.steps
            .recv_timeout(PATIENCE)
            .expect("the request comes")
    }

    /// A request in the session `s`, whose stream ends before its answer.
    fn closed_early(&self, body: &str, event: &str) {
        let mut wire = Wire::to(self.agent.address);
        wire.send(self.agent.request("Mcp-Session-Id: s\r\n", body));
        let steps = self.next_steps();
        steps.open();
        steps.event(event);
        steps.end();
        assert!(wire.reply().text().contains(event));
    }

    /// Asks for the rest of a stream, on a connection of its own, and is given these events.
    fn polled(&self, agent: &Agent, session: &str, events: &str) {
        self.polled_from("Last-Event-ID: 1\r\n", (agent, session), events);
    }

    fn polled_from(&self, from: &str, (agent, session): (&Agent, &str), events: &str) {
        let mut wire = Wire::to(agent.address);
        let get = agent.bare_request("GET");
        let headers = format!("{session}{from}\r\n");
        wire.send(get.strip_suffix("\r\n").expect("a blank line").to_owned() + &headers);
        let steps = self.next_steps();
        steps.open();
        steps.event(events);
        steps.end();
        assert_eq!(wire.reply().text(), events);
    }

    fn kind(&self) -> String {
        self.agent.post(&call("\"denied\"")).kind()
    }

    fn ends(&self) -> Vec<serde_json::Value> {
        let journal = self.folder.journal().into_iter();
        journal.filter(|line| line["kind"] == "outcome").collect()
    }
}

fn call(id: &str) -> String {
    tools_call(id, "work", "{}")
}

fn answer(id: &str) -> String {
    format!(
        "id: 2\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[],\"isError\":true}}}}\n\n"
    )
}

const OWN: &str = "Mcp-Session-Id: s\r\n";
const PRIMED: &str = "id: 1\ndata: \n\n";

#[test]
fn the_answer_ends_its_call_on_whichever_connection_it_comes() {
    let stage = stage(3_600);
    // Enough connections that both threads take some of either kind.
    for round in 0..12 {
        let id = format!("\"call\\u002d{round}\"");
        stage.closed_early(&call(&id), PRIMED);
        assert_eq!(stage.kind(), "limit", "it is in flight");
        stage.polled(&stage.agent, OWN, &answer(&format!("\"call-{round}\"")));
        let ends = until("the call has ended", || {
            let ends = stage.ends();
            (ends.len() == round + 1).then_some(ends)
        });
        for part in ["released", "refunded"] {
            assert_eq!(
                ends[round][part].as_array().map(Vec::len),
                Some(1),
                "{ends:?}"
            );
        }
    }
    assert_eq!(
        stage
            .gateway
            .metric("toolgate_calls_in_flight{server=\"s\"}"),
        0.0
    );
    assert_eq!(
        stage.gateway.metric("toolgate_refunds_total{server=\"s\"}"),
        12.0
    );
}

#[test]
fn nobody_elses_message_ends_a_call_and_its_time_does() {
    let stage = stage(8);
    let other = stage.agent.with_token(&stage.folder.grant("g"));
    until("the other grant is known", || {
        (other.post("{").status == 400).then_some(())
    });
    stage.closed_early(&call("1"), PRIMED);
    stage.polled(&stage.agent, "Mcp-Session-Id: t\r\n", &answer("1"));
    stage.polled(&stage.agent, "", &answer("1"));
    stage.polled(&other, OWN, &answer("1"));
    stage.polled(&stage.agent, OWN, &answer("2"));
    let request = "id: 3\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n";
    stage.polled(&stage.agent, OWN, request);
    assert_eq!((stage.kind(), stage.ends().len()), ("limit".into(), 0));
    let line = stage
        .folder
        .journal_line("its time is up", |line| line["kind"] == "outcome");
    assert_eq!(
        (&line["upstream"], &line["refunded"]),
        (&json!("200"), &json!([]))
    );
}

// A server tells old answers again to whoever asks for an old stream, and clients use ids again: once an agent could free a
// call's place with the answer to an earlier one.
#[test]
fn an_answer_on_another_stream_than_the_calls_own_ends_nothing() {
    let stage = stage(3_600);
    stage.closed_early(&call("1"), PRIMED);
    let own = (&stage.agent, OWN);
    for from in [
        "",
        "Last-Event-ID: 0\r\n",
        "Last-Event-ID: 1\r\nLast-Event-ID: 1\r\n",
    ] {
        stage.polled_from(from, own, &answer("1"));
    }
    assert_eq!((stage.kind(), stage.ends().len()), ("limit".into(), 0));
    // Its own stream goes on in pieces, each with an id to ask from.
    stage.polled(&stage.agent, OWN, "id: 7\ndata: \n\n");
    stage.polled_from("Last-Event-ID: 7\r\n", own, "id: 8\n\nid: 9\ndata: \n\n");
    assert_eq!((stage.kind(), stage.ends().len()), ("limit".into(), 0));
    stage.polled_from("Last-Event-ID: 8\r\n", own, &answer("1"));
    until("the call has ended", || {
        (stage.ends().len() == 1).then_some(())
    });
}

#[test]
fn a_stream_that_cannot_be_asked_for_again_ends_at_once_and_leaves_the_end_unknown() {
    let stage = stage(3_600);
    stage.closed_early(&call("1"), "data: {\"method\":\"id: 1\"}\n\n");
    let line = stage
        .folder
        .journal_line("its stream is over", |line| line["kind"] == "outcome");
    assert_eq!(
        (line.get("released"), &line["refunded"]),
        (None, &json!([]))
    );
    stage.polled(&stage.agent, OWN, &answer("1"));
    assert_eq!((stage.kind(), stage.ends().len()), ("limit".into(), 1));
}

#[test]
fn an_id_that_is_used_again_leaves_the_older_calls_end_unknown() {
    let stage = stage(3_600);
    stage.closed_early(&call("1"), PRIMED);
    stage.closed_early(&message("1", "ping"), PRIMED);
    let line = stage
        .folder
        .journal_line("it is let run out", |line| line["kind"] == "outcome");
    assert_eq!(
        (line.get("released"), &line["refunded"]),
        (None, &json!([]))
    );
    stage.polled(&stage.agent, OWN, &answer("1"));
    assert_eq!(stage.kind(), "limit", "the answer is the other request's");
}

#[test]
fn a_call_whose_answer_may_still_come_does_not_hold_up_the_end_of_the_gateway() {
    let stage = stage(3_600);
    stage.closed_early(&call("1"), PRIMED);
    assert_eq!(stage.ends().len(), 0);
    assert!(stage.gateway.stop().success());
    let journal = stage.folder.journal();
    let ends = journal.iter().filter(|line| line["kind"] == "outcome");
    let ends: Vec<_> = ends.collect();
    assert_eq!((ends.len(), ends[0].get("released")), (1, None), "{ends:?}");
}
