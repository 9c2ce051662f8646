//! README: every call is in the journal before it leaves, with its arguments' keys and never their values, and in the metrics.
//!
//! The journal is read as a file, by the upstream too: what it has not, did not leave.

mod support;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::upstream::serving;
use support::{ALLOW_ALL, Agent, Folder, Gateway, Upstream, at_most, message, tools_call};

fn stage(policy: &str) -> (Upstream, Folder, Gateway, Agent) {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), policy);
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    (upstream, folder, gateway, agent)
}

#[test]
fn a_call_leaves_only_after_its_decision_line_is_written() {
    let folder = Arc::new(Folder::new());
    let (reading, admitted) = (folder.clone(), Arc::new(Mutex::new(Vec::new())));
    let noted = admitted.clone();
    let upstream = Upstream::start(move |request| {
        let allowed = reading
            .journal()
            .iter()
            .filter(|line| line["decision"] == "allow")
            .count();
        noted.lock().expect("no thread panicked").push(allowed);
        serving(&["work"])(request)
    });
    folder.write("policy.json", ALLOW_ALL);
    folder.configure(&upstream.url(), "");
    let token = folder.grant("g");
    let gateway = folder.serve();
    for _ in 0..20 {
        assert_eq!(gateway.agent(&token).call("work").kind(), "ran");
    }
    let seen = admitted.lock().expect("no thread panicked").clone();
    assert_eq!(
        seen,
        (1..=20).collect::<Vec<_>>(),
        "each call found its own line in the file"
    );
}

#[test]
fn a_call_that_cannot_be_recorded_is_not_forwarded_and_takes_nothing() {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), &at_most(3, "work"));
    let token = folder.grant("g");
    let gateway = folder.serve_on_a_disk_that_fills();
    let agent = gateway.agent(&token);
    assert_eq!(agent.call("work").kind(), "ran");
    let before = gateway.keep_files_from_growing();
    for _ in 0..5 {
        let reply = agent.post(&tools_call("\"x\"", "work", "{}"));
        assert_eq!(
            (reply.status, reply.code()),
            (200, -31004),
            "{}",
            reply.text()
        );
        let json = reply.json();
        assert_eq!(json["id"], "x");
        assert!(json["error"]["data"]["request_id"].is_string(), "{json}");
    }
    assert_eq!(upstream.calls(), 1, "nothing left unrecorded");
    gateway.let_files_grow(before);
    let kinds: Vec<_> = (0..3).map(|_| agent.call("work").kind()).collect();
    assert_eq!(
        kinds,
        ["ran", "ran", "limit"],
        "what was not recorded was given back"
    );
    assert_eq!(gateway.metric("toolgate_journal_failures_total"), 5.0);
    assert_eq!(
        gateway.metric(
            "toolgate_decisions_total{server=\"s\",decision=\"deny\",kind=\"undecidable\"}"
        ),
        5.0
    );
}

#[test]
fn the_journal_has_keys_and_never_values() {
    let policy = r#"{"version":"1","default":"allow","tools":{"work":{
        "require":[{"conditions":[{"path":"args.reason","op":"exists","value":true}]}],
        "deny_if":[{"conditions":[{"path":"args.amount","op":"gt","value":77001}]}]}}}"#;
    let (_upstream, folder, gateway, agent) = stage(policy);
    let arguments = |amount: &str| {
        format!(r#"{{"reason":"SECRET-ONE","amount":{amount},"nested":{{"inner":"SECRET-TWO"}}}}"#)
    };
    for amount in ["5", "880088", "\"SECRET-THREE\""] {
        let reply = agent.post(&tools_call("1", "work", &arguments(amount)));
        assert!(!reply.text().contains("SECRET"), "{}", reply.text());
        assert!(!reply.text().contains("880088"), "{}", reply.text());
    }
    assert!(gateway.stop().success());
    let lines = folder.journal();
    let decided: Vec<_> = lines
        .iter()
        .filter(|line| line["kind"] == "decision")
        .collect();
    assert_eq!(
        decided
            .iter()
            .map(|line| line["decision"].clone())
            .collect::<Vec<_>>(),
        ["allow", "deny", "deny"]
    );
    for line in &decided {
        assert_eq!(line["args"], json!(["reason", "amount", "nested"]));
    }
    let text = format!("{lines:?}{}", folder.log());
    for value in ["SECRET", "880088", "inner"] {
        assert!(
            !text.contains(value),
            "{value} is in journal or log: {text}"
        );
    }
}

#[test]
fn both_lines_of_a_call_and_its_denial_have_one_request_id() {
    let (_upstream, folder, gateway, agent) = stage(&at_most(1, "work"));
    assert_eq!(agent.call("work").kind(), "ran");
    let denial = agent.call("work").denial().expect("it is denied");
    assert!(gateway.stop().success());
    let lines = folder.journal();
    let with_id = |id: &Value| {
        lines
            .iter()
            .filter(|line| line["request_id"] == *id)
            .map(|line| line["kind"].clone())
            .collect::<Vec<_>>()
    };
    let admitted = lines
        .iter()
        .find(|line| line["decision"] == "allow")
        .expect("one ran");
    assert_eq!(with_id(&admitted["request_id"]), ["decision", "outcome"]);
    assert_eq!(with_id(&denial["request_id"]), ["decision"]);
    let denied = lines
        .iter()
        .find(|line| line["decision"] == "deny")
        .expect("one was denied");
    assert_eq!(denied["request_id"], denial["request_id"]);
    assert_eq!(
        (&denied["rule"], &denied["pointer"]),
        (&denial["rule"], &json!("/tools/work/limits/0"))
    );
    for key in ["at", "ns", "grant", "server", "tool", "policy", "charges"] {
        assert!(!admitted[key].is_null(), "{key} is missing: {admitted}");
    }
    assert_eq!(
        (
            admitted["charges"].as_array().map(Vec::len),
            &denied["charges"]
        ),
        (Some(1), &json!([]))
    );
    assert_eq!(admitted["policy"], denied["policy"]);
}

#[test]
fn the_metrics_have_the_names_and_labels_that_the_readme_says() {
    let (_upstream, _folder, gateway, agent) = stage(&at_most(1, "work"));
    for tool in ["work", "work", "other"] {
        agent.call(tool);
    }
    agent.post(&message("1", "ping"));
    agent.with_token("tg_none").call("work");
    let decision = |decision: &str, kind: &str| {
        gateway.metric(&format!(
            "toolgate_decisions_total{{server=\"s\",decision=\"{decision}\",kind=\"{kind}\"}}"
        ))
    };
    assert_eq!(
        (
            decision("allow", "none"),
            decision("deny", "limit"),
            decision("deny", "unavailable")
        ),
        (1.0, 1.0, 1.0)
    );
    assert_eq!(gateway.metric("toolgate_requests_total{server=\"s\"}"), 1.0);
    assert_eq!(
        gateway.metric("toolgate_requests_refused_total{reason=\"malformed_token\"}"),
        1.0
    );
    assert_eq!(
        (
            gateway.metric("toolgate_counter_keys"),
            gateway.metric("toolgate_grants")
        ),
        (1.0, 1.0)
    );
}

#[test]
fn the_metrics_have_histograms_with_buckets_and_tell_the_build() {
    let (_upstream, _folder, gateway, agent) = stage(ALLOW_ALL);
    agent.call("work");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        gateway.metric(&format!("toolgate_build_info{{version=\"{version}\"}}")),
        1.0
    );
    for name in [
        "toolgate_added_latency_seconds",
        "toolgate_upstream_latency_seconds",
    ] {
        assert_eq!(
            gateway.metric(&format!("{name}_bucket{{server=\"s\",le=\"+Inf\"}}")),
            1.0,
            "{name}"
        );
        assert_eq!(
            gateway.metric(&format!("{name}_count{{server=\"s\"}}")),
            1.0,
            "{name}"
        );
    }
    let page = gateway.page("/metrics");
    assert!(
        page.header("content-type")
            .is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4"))
    );
    let text = page.text();
    assert!(
        text.contains("# TYPE toolgate_added_latency_seconds histogram"),
        "{text}"
    );
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        assert!(line.starts_with("toolgate_"), "{line}");
    }
}

#[test]
fn what_an_agent_sends_makes_no_series() {
    let (_upstream, _folder, gateway, agent) = stage(ALLOW_ALL);
    let series = |gateway: &Gateway| {
        gateway
            .page("/metrics")
            .text()
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count()
    };
    agent.call("first");
    let before = series(&gateway);
    for at in 0..20 {
        agent.post(&tools_call(
            &at.to_string(),
            &format!("tool-{at}"),
            &format!("{{\"key-{at}\":1}}"),
        ));
    }
    assert_eq!(series(&gateway), before);
}

#[test]
fn the_operators_side_says_whether_it_is_well() {
    let (_upstream, _folder, gateway, agent) = stage(ALLOW_ALL);
    assert_eq!(
        (
            gateway.page("/healthz").status,
            gateway.page("/healthz").text().as_str()
        ),
        (200, "ok\n")
    );
    assert_eq!(
        (
            gateway.page("/readyz").status,
            gateway.page("/readyz").text().as_str()
        ),
        (200, "ready\n")
    );
    assert_eq!(
        gateway.page("/mcp/s").status,
        404,
        "agents are served elsewhere"
    );
    assert_ne!(gateway.admin(), agent.address);
}
