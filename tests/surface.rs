//! README: a policy also says which methods, resources and prompts a grant may use.
//!
//! What is kept from an agent is neither listed nor read, and no server hears of it.

mod support;

use serde_json::{Value, json};
use support::upstream::{Answer, Recorded, json_reply, whole};
use support::{Agent, Folder, Gateway, Upstream};
use toolgate::mcp::Method;
use toolgate::policy::Policy;

fn answering(request: &Recorded) -> Answer {
    let message = request.json();
    if message["id"].is_null() {
        return whole("202 Accepted", "", "");
    }
    let result = match message["method"].as_str() {
        Some("resources/list") => {
            json!({ "resources": [{ "uri": "file:///data/a" }, { "uri": "file:///secret" }] })
        }
        Some("resources/templates/list") => json!({ "resourceTemplates": [
            { "uriTemplate": "file:///data/{id}" }, { "uriTemplate": "file:///{path}" }] }),
        Some("prompts/list") => json!({ "prompts": [{ "name": "good" }, { "name": "evil" }] }),
        _ => json!({ "ran": true }),
    };
    json_reply(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string())
}

const POLICY: &str = r#"{"version":"1","default":"deny","tools":{"t":{}},
    "resources":{"allow":["file:///data/*"]},"prompts":{"allow":["good"]}}"#;

fn behind(upstream: &Upstream, policy: &str) -> (Folder, Gateway, Agent) {
    let folder = Folder::of(&upstream.url(), policy);
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    (folder, gateway, agent)
}

fn ask(agent: &Agent, method: &str, params: &Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": "x", "method": method, "params": params });
    let reply = agent.post(&body.to_string());
    assert_eq!(reply.status, 200, "{method} {params}");
    assert_eq!(reply.json()["id"], "x");
    reply.json()
}

/// Method, parameters, and whether the policy leaves it to the agent.
fn requests() -> Vec<(&'static str, Value, bool)> {
    vec![
        ("resources/read", json!({ "uri": "file:///data/a" }), true),
        (
            "resources/read",
            json!({ "uri": "file:///data/../secret" }),
            false,
        ),
        ("resources/read", json!({ "uri": "file:///secret" }), false),
        (
            "resources/subscribe",
            json!({ "uri": "file:///secret" }),
            false,
        ),
        (
            "resources/unsubscribe",
            json!({ "uri": "file:///data/a" }),
            true,
        ),
        ("prompts/get", json!({ "name": "good" }), true),
        ("prompts/get", json!({ "name": "evil" }), false),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "evil" } }),
            false,
        ),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/resource", "uri": "file:///data/{id}" } }),
            true,
        ),
        (
            "subscriptions/listen",
            json!({ "notifications": { "resourceSubscriptions": ["file:///data/a", "file:///secret"] } }),
            false,
        ),
        ("ping", json!({}), true),
    ]
}

#[test]
fn what_is_kept_from_an_agent_is_neither_listed_nor_passed_on() {
    let upstream = Upstream::start(answering);
    let (folder, gateway, agent) = behind(&upstream, POLICY);
    let mut passed = 0;
    for (method, params, is_there) in requests() {
        let reply = ask(&agent, method, &params);
        assert_eq!(
            reply["result"]["ran"] == true,
            is_there,
            "{method} {params}: {reply}"
        );
        passed += usize::from(is_there);
        if !is_there {
            assert_eq!(reply["error"]["code"], -31001, "{reply}");
            let text = reply["error"]["message"].as_str().unwrap_or_default();
            assert!(text.starts_with("[POLICY DENIED] this "), "{text}");
            assert!(!text.contains("secret") && !text.contains("evil"), "{text}");
        }
    }
    assert_eq!(
        upstream.requests().len(),
        passed,
        "no server heard of the others"
    );
    let reason =
        |rule: &str| folder.journal_line(rule, |line| line["rule"] == rule)["tool"].clone();
    assert_eq!(reason("(prompt)"), "prompts/get");
    assert_eq!(reason("(resource)"), "resources/read");
    let refused = gateway.metric(r#"toolgate_requests_refused_total{reason="resource_denied"}"#);
    assert_eq!(refused, 4.0);
}

#[test]
fn lists_of_resources_templates_and_prompts_are_filtered() {
    let upstream = Upstream::start(answering);
    let (_folder, _gateway, agent) = behind(&upstream, POLICY);
    for (method, list, kept) in [
        (
            "resources/list",
            "resources",
            json!([{ "uri": "file:///data/a" }]),
        ),
        (
            "resources/templates/list",
            "resourceTemplates",
            json!([{ "uriTemplate": "file:///data/{id}" }]),
        ),
        ("prompts/list", "prompts", json!([{ "name": "good" }])),
    ] {
        assert_eq!(ask(&agent, method, &json!({}))["result"][list], kept);
    }
}

#[test]
fn a_method_that_the_policy_does_not_name_is_refused_and_a_session_never_is() {
    let upstream = Upstream::start(answering);
    let policy = r#"{"version":"1","default":"allow","methods":["prompts/list"]}"#;
    let (_folder, _gateway, agent) = behind(&upstream, policy);
    assert!(ask(&agent, "prompts/list", &json!({}))["result"].is_object());
    for method in ["initialize", "ping", "server/discover"] {
        assert_eq!(
            ask(&agent, method, &json!({}))["result"]["ran"],
            true,
            "{method}"
        );
    }
    for method in [
        "tools/list",
        "resources/list",
        "resources/read",
        "logging/setLevel",
    ] {
        let reply = ask(&agent, method, &json!({ "uri": "a:b" }));
        assert_eq!(reply["error"]["code"], -31001, "{method}: {reply}");
    }
    assert_eq!(agent.call("t").kind(), "unavailable");
}

#[test]
fn a_policy_and_the_gateway_know_the_same_methods() {
    for method in [
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "server/discover",
        "subscriptions/listen",
        "tasks/cancel",
        "tasks/get",
        "tasks/list",
        "tasks/result",
        "tasks/update",
        "tools/call",
        "tools/list",
        "tools/run",
        "roots/list",
        "sampling/createMessage",
        "Tools/list",
        "",
    ] {
        let policy = format!(r#"{{"version":"1","default":"deny","methods":["{method}"]}}"#);
        let loads = Policy::compile(policy.as_bytes()).is_ok();
        assert_eq!(loads, Method::named(method) != Method::Unknown, "{method}");
    }
}

// Ids are kept for as long as their calls last: once an agent could fill the memory with ids of megabytes.
#[test]
fn an_id_of_a_kilobyte_passes_and_a_longer_one_is_refused() {
    let upstream = Upstream::start(answering);
    let (_folder, _gateway, agent) = behind(&upstream, POLICY);
    let called = |length: usize| {
        let id = format!("\"{}\"", "i".repeat(length - 2));
        let reply = agent.post(&support::tools_call(&id, "t", "{}"));
        (reply.status, reply.text().contains(&id))
    };
    assert_eq!(called(1_024), (200, true));
    assert_eq!(called(1_025), (400, false));
    assert_eq!(upstream.calls(), 1);
}
