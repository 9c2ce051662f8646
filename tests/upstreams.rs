//! README: what a server answers wrongly is told apart from what the gateway refuses, and its credentials stay here.
//!
//! Every reply here is one that a real server or proxy has been seen to send.

mod support;

use serde_json::{Value, json};
use support::upstream::{json_reply, whole};
use support::{ALLOW_ALL, Agent, Answer, Folder, Gateway, Upstream, message, tools_call};

fn answering(
    answer: impl Fn() -> Answer + Send + Sync + 'static,
) -> (Upstream, Folder, Gateway, Agent) {
    let upstream = Upstream::start(move |_request| answer());
    let folder = Folder::of(&upstream.url(), ALLOW_ALL);
    folder.configure(&upstream.url(), "");
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    (upstream, folder, gateway, agent)
}

fn outcome(folder: &Folder) -> Value {
    folder.journal_line("the outcome is written", |line| line["kind"] == "outcome")
}

#[test]
fn a_server_that_refuses_the_gateways_credential_does_not_make_the_agent_doubt_its_own() {
    let refusal = || {
        whole(
            "401 Unauthorized",
            "www-authenticate: Bearer realm=\"theirs\"\r\ncontent-type: application/json\r\n",
            "{}",
        )
    };
    let (_upstream, folder, gateway, agent) = answering(refusal);
    for body in [
        tools_call("7", "work", "{}"),
        message("7", "tools/list"),
        message("7", "ping"),
    ] {
        let reply = agent.post(&body);
        assert_eq!(
            (reply.status, reply.code()),
            (502, -31005),
            "{body}: {}",
            reply.text()
        );
        assert_eq!(reply.header("www-authenticate"), None, "{body}");
        assert_eq!(
            reply.json()["id"],
            7,
            "{body}: the client must know which request failed"
        );
    }
    assert_eq!(
        outcome(&folder)["upstream"],
        "401",
        "the journal has what the server said"
    );
    let errors =
        gateway.metric("toolgate_upstream_errors_total{server=\"s\",error=\"unauthorized\"}");
    assert_eq!(errors, 3.0, "{}", gateway.page("/metrics").text());
}

#[test]
fn a_redirect_is_not_followed_and_not_given_back() {
    let elsewhere = Upstream::working();
    let location = format!("location: {}\r\n", elsewhere.url());
    let (_upstream, folder, _gateway, agent) =
        answering(move || whole("307 Temporary Redirect", &location, ""));
    let reply = agent.call("work");
    assert_eq!(
        (reply.status, reply.code()),
        (502, -31005),
        "{}",
        reply.text()
    );
    assert!(!reply.text().contains("127.0.0.1"), "{}", reply.text());
    assert_eq!(reply.json()["error"]["data"]["was_sent"], true);
    assert_eq!(elsewhere.requests().len(), 0);
    assert_eq!(outcome(&folder)["upstream"], "redirected");
}

#[test]
fn an_answer_without_a_body_is_an_answer() {
    let (_upstream, folder, _gateway, agent) =
        answering(|| whole("500 Internal Server Error", "", ""));
    let reply = agent.call("work");
    assert_eq!((reply.status, reply.body.len()), (500, 0));
    assert_eq!(outcome(&folder)["upstream"], "500");
}

#[test]
fn a_servers_error_passes_unchanged() {
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Bad Request: no valid session"}}"#;
    let (_upstream, folder, _gateway, agent) = answering(move || {
        whole(
            "400 Bad Request",
            "content-type: application/json\r\nx-own: 1\r\nset-cookie: a=b\r\n",
            error,
        )
    });
    let reply = agent.call("work");
    assert_eq!((reply.status, reply.text().as_str()), (400, error));
    assert_eq!(
        (reply.header("x-own"), reply.header("set-cookie")),
        (Some("1"), None)
    );
    assert_eq!(outcome(&folder)["upstream"], "400");
}

#[test]
fn a_server_that_does_not_answer_in_time_is_given_up_and_not_asked_again() {
    let (upstream, _steps) = Upstream::stepping();
    let folder = Folder::of(&upstream.url(), ALLOW_ALL);
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    folder.write(
        "toolgate.toml",
        &config.replace("[policies]", "first_byte_timeout_seconds = 1\n[policies]"),
    );
    let token = folder.grant("g");
    let gateway = folder.serve();
    let reply = gateway.agent(&token).call("work");
    assert_eq!(
        (reply.status, reply.code()),
        (504, -31005),
        "{}",
        reply.text()
    );
    assert_eq!(upstream.calls(), 1);
    assert_eq!(
        (
            outcome(&folder)["upstream"].clone(),
            outcome(&folder)["refunded"].clone()
        ),
        ("late".into(), json!([]))
    );
}

#[test]
fn a_session_header_passes_both_ways() {
    let (upstream, _folder, _gateway, agent) = answering(|| {
        whole(
            "200 OK",
            "content-type: application/json\r\nmcp-session-id: abc\r\n",
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        )
    });
    let mut wire = support::Wire::to(agent.address);
    wire.send(agent.request(
        "Mcp-Session-Id: abc\r\nMCP-Protocol-Version: 2025-06-18\r\n",
        &message("1", "initialize"),
    ));
    assert_eq!(wire.reply().header("mcp-session-id"), Some("abc"));
    wire.send(agent.bare_request("DELETE"));
    assert_eq!(wire.reply().status, 200);
    let requests = upstream.requests();
    assert_eq!(requests[0].header("mcp-session-id"), Some("abc"));
    assert_eq!(
        requests[0].header("mcp-protocol-version"),
        Some("2025-06-18")
    );
    assert_eq!(requests[1].method(), "DELETE");
}

#[test]
fn connections_to_a_server_are_used_again() {
    let (upstream, _folder, _gateway, agent) =
        answering(|| json_reply(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
    let mut wire = support::Wire::to(agent.address);
    for _ in 0..5 {
        wire.send(agent.request("", &message("1", "ping")));
        assert_eq!(wire.reply().status, 200);
    }
    assert_eq!((upstream.requests().len(), upstream.connections()), (5, 1));
}
