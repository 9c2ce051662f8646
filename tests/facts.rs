//! README: rules ask for the tool's own schema, for who calls and for the time; rules in shadow are recorded only.
//!
//! What a server says of its tools is fetched by the gateway itself, once, and a call that cannot have it is denied.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use support::upstream::{Answer, Recorded, Steps, json_reply, whole};
use support::{Folder, Upstream, tools_call, until};

const OWN_SCHEMA: &str =
    r#"{"version":"1","default":"deny","tools":{"pay":{"schema":"closed"},"free":{}}}"#;

/// A server with one tool that takes a whole number, and nothing else.
fn paying(request: &Recorded) -> Answer {
    let message = request.json();
    if message["id"].is_null() {
        return whole("202 Accepted", "", "");
    }
    let result = match message["method"].as_str() {
        Some("initialize") => {
            json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
            "serverInfo": { "name": "s", "version": "1" } })
        }
        Some("tools/list") => {
            json!({ "tools": [{ "name": "pay", "annotations": { "destructiveHint": true },
            "inputSchema": { "type": "object", "required": ["amount"],
                             "properties": { "amount": { "type": "integer" } } } }] })
        }
        Some("tools/call") => json!({ "content": [{ "type": "text", "text": "ran" }] }),
        _ => {
            return json_reply(
                &json!({ "jsonrpc": "2.0", "id": message["id"],
            "error": { "code": -32601, "message": "no such method" } })
                .to_string(),
            );
        }
    };
    json_reply(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string())
}

fn lists(upstream: &Upstream) -> usize {
    let requests = upstream.requests();
    let lists = requests
        .iter()
        .filter(|request| request.json()["method"] == "tools/list");
    lists.count()
}

#[test]
fn a_call_is_held_against_the_schema_that_the_gateway_fetches_once() {
    let upstream = Upstream::start(paying);
    let folder = Folder::of(&upstream.url(), OWN_SCHEMA);
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let pay = |arguments: &str| agent.post(&tools_call("1", "pay", arguments)).kind();
    let all: Vec<_> = thread::scope(|scope| {
        let calls: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| pay(r#"{"amount":5}"#)))
            .collect();
        calls
            .into_iter()
            .map(|call| call.join().expect("no panic"))
            .collect()
    });
    assert_eq!(all, vec!["ran"; 16]);
    assert_eq!(lists(&upstream), 1, "sixteen calls at once, one list");
    for refused in [
        r#"{"amount":"5"}"#,
        "{}",
        r#"{"amount":5,"more":1}"#,
        r#"{"Amount":5,"amount":1}"#,
    ] {
        assert_eq!(pay(refused), "argument", "{refused}");
    }
    assert_eq!(upstream.calls(), 16);
    assert_eq!(lists(&upstream), 1);
}

#[test]
fn where_a_server_cannot_be_listed_only_what_needs_its_definition_is_denied() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = is_broken.clone();
    let upstream = Upstream::start(move |request| match request.json()["method"].as_str() {
        Some("tools/call") => paying(request),
        _ if broken.load(Ordering::SeqCst) => whole("500 Internal Server Error", "", ""),
        _ => paying(request),
    });
    let folder = Folder::of(&upstream.url(), OWN_SCHEMA);
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let reply = agent.post(&tools_call("1", "pay", r#"{"amount":5}"#));
    assert_eq!(reply.kind(), "argument");
    assert!(
        reply.text().contains("could not be listed"),
        "{}",
        reply.text()
    );
    assert_eq!(agent.call("free").kind(), "ran");
    // An agent that lists the server itself teaches the gateway.
    is_broken.store(false, Ordering::SeqCst);
    agent.post(&support::message("1", "tools/list"));
    let reply = agent.post(&tools_call("1", "pay", r#"{"amount":5}"#));
    assert_eq!(reply.kind(), "ran", "{}", reply.text());
}

// A call that waited for a list was once judged by the grant and the policy of before.
#[test]
fn a_grant_that_is_revoked_while_its_call_waits_for_a_list_is_refused() {
    let (steps, answer) = Steps::new();
    let answer = Mutex::new(Some(answer));
    let upstream = Upstream::start(move |request| match request.json()["method"].as_str() {
        Some("tools/list") => {
            let held = answer.lock().expect("no test panics with it").take();
            held.unwrap_or_else(|| paying(request))
        }
        _ => paying(request),
    });
    let folder = Folder::of(&upstream.url(), OWN_SCHEMA);
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let mut waiting = agent.begin(&tools_call("1", "pay", r#"{"amount":5}"#));
    until("the server is asked for its tools", || {
        (lists(&upstream) == 1).then_some(())
    });
    let listed = folder.run(&["grant", "list"]);
    let id = String::from_utf8_lossy(&listed.stdout)
        .split(' ')
        .next()
        .unwrap_or_default()
        .to_owned();
    assert!(folder.run(&["grant", "revoke", &id]).status.success());
    until("the token is refused", || {
        (agent.call("free").status == 401).then_some(())
    });
    steps.raw("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(waiting.reply().status, 401);
    assert!(
        !upstream
            .requests()
            .iter()
            .any(|request| request.json()["params"]["name"] == "pay")
    );
}

#[test]
fn a_policy_that_asks_nothing_of_the_server_makes_the_gateway_list_nothing() {
    let upstream = Upstream::start(paying);
    let folder = Folder::of(&upstream.url(), r#"{"version":"1","default":"allow"}"#);
    let token = folder.grant("g");
    let gateway = folder.serve();
    assert_eq!(gateway.agent(&token).call("pay").kind(), "ran");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn rules_ask_for_the_servers_hints_and_for_who_calls() {
    let upstream = Upstream::start(paying);
    let folder = Folder::of(
        &upstream.url(),
        r#"{"version":"1","default":"allow","all_tools":{"deny_if":[{"conditions":[
            {"path":"tool.annotations.destructiveHint","op":"eq","value":true},
            {"path":"grant.tags.team","op":"neq","value":"payments"}]},
            {"conditions":[{"path":"client.name","op":"eq","value":"bad-client"}]},
            {"conditions":[{"path":"grant.label","op":"eq","value":"nobody"}]}]}}"#,
    );
    let configuration = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it is there");
    let more = "[grants.payer]\nservers = { s = \"p\" }\ntags = { team = \"payments\" }\n[grants.nobody]\nservers = { s = \"p\" }\n";
    folder.write("toolgate.toml", &(configuration + more));
    let [stranger, payer, nobody] = ["g", "payer", "nobody"].map(|name| folder.grant(name));
    let gateway = folder.serve();
    let (stranger, payer) = (gateway.agent(&stranger), gateway.agent(&payer));
    assert_eq!(stranger.call("pay").kind(), "rule");
    assert_eq!(payer.call("pay").kind(), "ran");
    assert_eq!(gateway.agent(&nobody).call("pay").kind(), "rule");
    // What a client calls itself when it begins is remembered for its later calls.
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",
        "capabilities":{},"clientInfo":{"name":"bad-client","version":"1"}}}"#;
    payer.post(hello);
    assert_eq!(payer.call("pay").kind(), "rule");
    payer.post(&hello.replace("bad-client", "good-client"));
    assert_eq!(payer.call("pay").kind(), "ran");
    let claim = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{},
        "_meta":{"io.modelcontextprotocol/clientInfo":{"name":"bad-client"}}}}"#;
    assert_eq!(payer.post(claim).kind(), "rule");
}

#[test]
fn what_a_rule_in_shadow_would_do_is_in_the_journal_and_in_the_metrics_only() {
    let upstream = Upstream::start(paying);
    let folder = Folder::of(
        &upstream.url(),
        r#"{"version":"1","default":"allow","tools":{"pay":{
            "deny_if":[{"conditions":[{"path":"args.amount","op":"gt","value":10}],"shadow":true}],
            "approve_if":[{"conditions":[{"path":"args.amount","op":"gt","value":5}],"shadow":true}]}}}"#,
    );
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    for amount in [1, 7, 11] {
        let arguments = format!(r#"{{"amount":{amount}}}"#);
        assert_eq!(
            agent.post(&tools_call("1", "pay", &arguments)).kind(),
            "ran"
        );
    }
    assert_eq!(upstream.calls(), 3);
    let shadows: Vec<_> = folder
        .journal()
        .into_iter()
        .filter(|line| line["kind"] == "decision")
        .collect();
    let told = |at: usize| shadows[at]["shadow"].clone();
    assert_eq!(told(0), json!(null), "nothing to say of the first");
    assert_eq!(
        told(2),
        json!([{"kind":"rule","rule":"/tools/pay/deny_if/args.amount-gt","pointer":"/tools/pay/deny_if/0"},
               {"kind":"approval","rule":"/tools/pay/approve_if/args.amount-gt","pointer":"/tools/pay/approve_if/0"}])
    );
    assert!(shadows.iter().all(|line| line["decision"] == "allow"));
    let metric = |kind: &str| {
        gateway.metric(&format!(
            r#"toolgate_shadowed_total{{server="s",kind="{kind}"}}"#
        ))
    };
    assert_eq!(
        (metric("rule"), metric("approval"), metric("argument")),
        (1.0, 2.0, 0.0)
    );
}
