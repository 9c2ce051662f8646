//! README: an agent is shown only the tools it may call, and cannot find out about the others.
//!
//! Lists come as JSON, as events on a POST and as events on a GET; every other byte of theirs must stay as it was.

mod support;

use support::upstream::{json_reply, serving, whole};
use support::{Agent, Folder, Gateway, Upstream, Wire, message, tools_call};

const HIDING: &str = r#"{"version":"1","default":"allow","hide":["secret","drop_*"]}"#;
const LISTING: &str =
    r#"{"version":"1","default":"deny","tools":{"work":{},"read_*":{}},"hide":["read_secret"]}"#;

const LIST: &str = r#"{ "result" :{"tools":[ {"name":"work", "x":1.0} ,{"name":"\u0073ecret"},{"name":"drop_all"}, {"name":"read_a"} ],"nextCursor":"n", "_meta":{"a": 1e2}},"jsonrpc":"2.0","id":"\u0031" }"#;
const WITHOUT_SECRETS: &str = r#"{ "result" :{"tools":[{"name":"work", "x":1.0},{"name":"read_a"}],"nextCursor":"n", "_meta":{"a": 1e2}},"jsonrpc":"2.0","id":"\u0031" }"#;

fn behind(upstream: &Upstream, policy: &str) -> (Folder, Gateway, Agent) {
    let folder = Folder::of(&upstream.url(), policy);
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    (folder, gateway, agent)
}

#[test]
fn a_list_in_json_loses_what_is_hidden_and_no_other_byte() {
    let upstream = Upstream::start(|_request| json_reply(LIST));
    let (_folder, _gateway, agent) = behind(&upstream, HIDING);
    let reply = agent.post(&message("\"\\u0031\"", "tools/list"));
    assert_eq!(reply.text(), WITHOUT_SECRETS);
}

#[test]
fn a_list_shows_just_what_the_policy_names_where_the_default_is_deny() {
    let upstream = Upstream::start(serving(&[
        "work",
        "other",
        "read_a",
        "read_secret",
        "Work",
        "work ",
    ]));
    let (_folder, _gateway, agent) = behind(&upstream, LISTING);
    let list = agent.post(&message("1", "tools/list")).json();
    let names: Vec<_> = list["result"]["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| tool["name"].clone())
        .collect();
    assert_eq!(names, ["work", "read_a"]);
}

#[test]
fn a_list_in_events_loses_what_is_hidden_and_no_other_byte() {
    let around = |data: &str| {
        format!(
            ": hello\n\nid: p\nretry: 10\ndata:\n\nid: 7\r\nevent: message\r\ndata: {data}\r\nretry: 5\r\n\r\n"
        )
    };
    let (upstream, steps) = Upstream::stepping();
    let (_folder, _gateway, agent) = behind(&upstream, HIDING);
    let mut wire = agent.begin(&message("\"\\u0031\"", "tools/list"));
    let steps = steps
        .recv_timeout(support::PATIENCE)
        .expect("the request comes");
    steps.open();
    let text = around(LIST);
    let (first, second) = text.split_at(text.len() / 2);
    steps.event(first);
    steps.event(second);
    steps.end();
    let reply = wire.reply();
    assert_eq!((reply.status, reply.text()), (200, around(WITHOUT_SECRETS)));
}

#[test]
fn a_list_that_arrives_on_a_get_is_filtered_too() {
    let (upstream, steps) = Upstream::stepping();
    let (_folder, _gateway, agent) = behind(&upstream, HIDING);
    let mut wire = Wire::to(agent.address);
    wire.send(agent.bare_request("GET"));
    let steps = steps
        .recv_timeout(support::PATIENCE)
        .expect("the request comes");
    steps.open();
    assert_eq!(wire.head().status, 200);
    let note = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n";
    steps.event(note);
    assert_eq!(wire.pieces_until("\n\n"), note);
    steps.event(&format!("id: 9\ndata: {LIST}\n\n"));
    assert_eq!(
        wire.pieces_until("\n\n"),
        format!("id: 9\ndata: {WITHOUT_SECRETS}\n\n")
    );
}

#[test]
fn a_list_that_cannot_be_read_is_refused() {
    let twice = LIST.replace(
        "\"nextCursor\"",
        "\"tools\":[{\"name\":\"secret\"}],\"nextCursor\"",
    );
    let unnamed = LIST.replace("\"name\":\"work\"", "\"name\":7");
    let cut_off = &LIST[..LIST.len() - 1];
    for body in [
        &twice,
        &unnamed,
        cut_off,
        "[]",
        "secret",
        "",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"t\":[]}}",
    ] {
        let answer = body.to_owned();
        let upstream = Upstream::start(move |_request| json_reply(&answer));
        let (_folder, _gateway, agent) = behind(&upstream, HIDING);
        let reply = agent.post(&message("5", "tools/list"));
        assert_eq!(
            (reply.status, reply.code()),
            (502, -31005),
            "{body}: {}",
            reply.text()
        );
        assert_eq!(reply.json()["id"], 5);
        assert!(!reply.text().contains("secret"), "{}", reply.text());
    }
}

#[test]
fn a_list_that_cannot_be_read_in_events_is_refused() {
    let twice = LIST.replace(
        "\"nextCursor\"",
        "\"tools\":[{\"name\":\"secret\"}],\"nextCursor\"",
    );
    let body = format!("id: 3\ndata: {twice}\n\n");
    let upstream = Upstream::start(move |_request| {
        whole(
            "200 OK",
            "content-type: text/event-stream; charset=utf-8\r\n",
            &body,
        )
    });
    let (_folder, _gateway, agent) = behind(&upstream, HIDING);
    let text = agent.post(&message("5", "tools/list")).text();
    assert!(
        text.starts_with("id: 3\ndata: {") && text.contains("-31005") && !text.contains("secret"),
        "{text}"
    );
}

#[test]
fn a_compressed_list_is_not_asked_for_and_not_passed_on() {
    let upstream = Upstream::start(|_request| {
        whole(
            "200 OK",
            "content-type: application/json\r\ncontent-encoding: gzip\r\n",
            "\u{1f}secret",
        )
    });
    let (_folder, _gateway, agent) = behind(&upstream, HIDING);
    let mut wire = Wire::to(agent.address);
    wire.send(agent.request("Accept-Encoding: gzip\r\n", &message("5", "tools/list")));
    let reply = wire.reply();
    assert_eq!((reply.status, reply.code()), (502, -31005));
    assert_eq!(upstream.requests()[0].header("accept-encoding"), None);
}

/// A denial without what differs from call to call.
fn comparable(agent: &Agent, tool: &str) -> String {
    let reply = agent.post(&tools_call("1", tool, "{\"a\":1}"));
    let denial = reply
        .denial()
        .unwrap_or_else(|| panic!("{tool} ran: {}", reply.text()));
    let id = denial["request_id"].as_str().expect("an id");
    let headers: Vec<_> = reply
        .headers
        .iter()
        .filter(|(name, _)| name != "date" && name != "content-length")
        .collect();
    format!(
        "{} {headers:?} {}",
        reply.status,
        reply.text().replace(id, "ID").replace(tool, "NAME")
    )
}

#[test]
fn a_hidden_tool_is_refused_like_one_that_does_not_exist() {
    let upstream = Upstream::start(serving(&["work", "secret", "drop_all"]));
    let (folder, gateway, agent) = behind(&upstream, HIDING);
    agent.post(&message("1", "tools/list"));
    let hidden = comparable(&agent, "secret");
    assert!(
        hidden.contains("NAME is not available to this grant.")
            && hidden.contains("\"kind\":\"unavailable\""),
        "{hidden}"
    );
    assert!(!hidden.contains("rule"), "{hidden}");
    for tool in ["drop_all", "misspelt", "drop_nothing"] {
        assert_eq!(comparable(&agent, tool), hidden, "{tool}");
    }
    assert_eq!(agent.call("work").kind(), "ran");
    assert_eq!(upstream.calls(), 1, "no server heard of the others");
    let reason = |tool: &str| {
        folder.journal_line("the true reason", |line| line["tool"] == tool)["rule"].clone()
    };
    assert_eq!(
        (reason("secret"), reason("misspelt")),
        ("(hidden)".into(), "(unknown tool)".into())
    );
    assert!(gateway.stop().success());
    let again = folder.serve();
    let agent = again.agent(&agent.token);
    // The server may be another version by now: until it is listed again, it says itself what it does not have.
    assert_eq!(agent.call("misspelt").kind(), "ran");
    agent.post(&message("1", "tools/list"));
    assert_eq!(comparable(&agent, "misspelt"), hidden, "after a new list");
}

#[test]
fn an_unlisted_tool_is_refused_like_one_that_does_not_exist_where_the_default_is_deny() {
    let upstream = Upstream::start(serving(&["work", "other", "read_secret"]));
    let (_folder, _gateway, agent) = behind(&upstream, LISTING);
    let before = comparable(&agent, "other");
    agent.post(&message("1", "tools/list"));
    for tool in ["other", "misspelt", "read_secret", "WORK", "work "] {
        assert_eq!(comparable(&agent, tool), before, "{tool}");
    }
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn an_error_of_the_servers_is_passed_on_in_place_of_a_list() {
    let error = r#"{"jsonrpc":"2.0","id":5,"error":{"code":-32000,"message":"not initialized"}}"#;
    let upstream = Upstream::start(move |_request| {
        whole(
            "400 Bad Request",
            "content-type: application/json\r\n",
            error,
        )
    });
    let (_folder, _gateway, agent) = behind(&upstream, HIDING);
    let reply = agent.post(&message("5", "tools/list"));
    assert_eq!((reply.status, reply.text().as_str()), (400, error));
}
