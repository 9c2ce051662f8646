//! README: edits apply to the next call without a restart, a broken edit changes nothing, and counts survive every reload.
//!
//! Nothing here restarts the gateway.

mod support;

use rustix::process::Signal;
use support::{ALLOW_ALL, Agent, Folder, Gateway, Upstream, at_most, until};

const APPLIED: &str = "toolgate_reloads_total{result=\"applied\"}";
const REFUSED: &str = "toolgate_reloads_total{result=\"refused\"}";

fn stage(policy: &str) -> (Upstream, Folder, Gateway, Agent) {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), policy);
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    (upstream, folder, gateway, agent)
}

fn at_least(gateway: &Gateway, series: &str, count: f64) {
    until(series, || (gateway.metric(series) >= count).then_some(()));
}

#[test]
fn an_edit_of_a_policy_applies_without_a_restart() {
    let (_upstream, folder, gateway, agent) = stage(ALLOW_ALL);
    assert_eq!(agent.call("work").kind(), "ran");
    folder.write(
        "policy.json",
        r#"{"version":"1","default":"allow","hide":["work"]}"#,
    );
    until("the tool is hidden", || {
        (agent.call("work").kind() == "unavailable").then_some(())
    });
    folder.write("policy.json", ALLOW_ALL);
    until("the tool is back", || {
        (agent.call("work").kind() == "ran").then_some(())
    });
    assert_eq!(gateway.metric(REFUSED), 0.0);
}

#[test]
fn an_edit_right_after_the_start_is_noticed() {
    let (_upstream, folder, _gateway, agent) = stage(ALLOW_ALL);
    folder.write("policy.json", r#"{"version":"1","default":"deny"}"#);
    until("the edit applies", || {
        (agent.call("work").kind() == "unavailable").then_some(())
    });
}

#[test]
fn a_broken_edit_keeps_the_old_policy_and_says_where_it_is_broken() {
    let (_upstream, folder, gateway, agent) = stage(&at_most(3, "work"));
    assert_eq!(agent.call("work").kind(), "ran");
    folder.write(
        "policy.json",
        "{\n  \"version\": \"1\",\n  \"default\": \"allow\",\n  \"deny_iff\": []\n}",
    );
    at_least(&gateway, REFUSED, 1.0);
    let kinds: Vec<_> = (0..3).map(|_| agent.call("work").kind()).collect();
    assert_eq!(kinds, ["ran", "ran", "limit"]);
    let log = folder.log();
    assert!(
        log.contains("policy.json:4:") && log.contains("deny_iff"),
        "{log}"
    );
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    folder.write("toolgate.toml", &format!("lisen = 1\n{config}"));
    at_least(&gateway, REFUSED, 2.0);
    assert!(
        folder.log().contains("toolgate.toml:1:1:"),
        "{}",
        folder.log()
    );
    assert_eq!(agent.call("work").kind(), "limit");
    folder.write("policy.json", ALLOW_ALL);
    folder.write("toolgate.toml", &config);
    until("the mended edit applies", || {
        (agent.call("work").kind() == "ran").then_some(())
    });
}

#[test]
fn counts_survive_a_reload_that_changes_the_limit() {
    let (upstream, folder, gateway, agent) = stage(&at_most(10, "work"));
    let used = (0..12)
        .filter(|_| agent.call("work").kind() == "ran")
        .count();
    assert_eq!(used, 10);
    folder.write("policy.json", &at_most(12, "work"));
    at_least(&gateway, APPLIED, 1.0);
    let more = (0..5)
        .filter(|_| agent.call("work").kind() == "ran")
        .count();
    assert_eq!((more, upstream.calls()), (2, 12));
    folder.write("policy.json", &at_most(5, "work"));
    at_least(&gateway, APPLIED, 2.0);
    let denial = agent.call("work").denial().expect("it is denied");
    assert_eq!(
        (denial["limit"].as_u64(), denial["remaining"].as_u64()),
        (Some(5), Some(0))
    );
}

#[test]
fn the_guard_is_not_refilled_by_a_reload() {
    let (upstream, folder, gateway, agent) = stage(ALLOW_ALL);
    folder.configure(&upstream.url(), "guard = { per_second = 1, burst = 1000 }");
    at_least(&gateway, APPLIED, 1.0);
    folder.configure(&upstream.url(), "guard = { per_second = 1, burst = 50 }");
    at_least(&gateway, APPLIED, 2.0);
    let first = (0..50)
        .filter(|_| agent.call("work").kind() == "ran")
        .count();
    assert_eq!(first, 50);
    folder.write(
        "policy.json",
        r#"{"version":"1","default":"allow","hide":["other"]}"#,
    );
    at_least(&gateway, APPLIED, 3.0);
    let kinds: Vec<_> = (0..30).map(|_| agent.call("work").kind()).collect();
    assert!(kinds.contains(&"guard".to_owned()), "{kinds:?}");
}

#[test]
fn a_hangup_reloads_at_once() {
    let (_upstream, folder, gateway, agent) = stage(ALLOW_ALL);
    gateway.signal(Signal::HUP);
    at_least(&gateway, APPLIED, 1.0);
    folder.write("policy.json", r#"{"version":"1","default":"deny"}"#);
    gateway.signal(Signal::HUP);
    at_least(&gateway, APPLIED, 2.0);
    assert_eq!(agent.call("work").kind(), "unavailable");
}

#[test]
fn a_new_token_works_and_a_new_server_is_there_without_a_restart() {
    let (upstream, folder, gateway, agent) = stage(ALLOW_ALL);
    let token = folder.grant("g");
    until("the new token works", || {
        (agent.with_token(&token).call("work").status == 200).then_some(())
    });
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    let config = config
        .replace("s = \"p\"", "s = \"p\", t = \"q\"")
        .replace("[policies]", "[policies]\nq = \"q.json\"");
    folder.write("q.json", &at_most(1, "work"));
    folder.write(
        "toolgate.toml",
        &format!("{config}\n[servers.t]\nurl = \"{}\"\n", upstream.url()),
    );
    let other = Agent {
        path: "/mcp/t".to_owned(),
        ..agent.clone()
    };
    until("the new server is there", || {
        (other.call("work").status == 200).then_some(())
    });
    folder.write("q.json", &at_most(3, "work"));
    until("a new file's edits are noticed too", || {
        (other.call("work").kind() == "ran").then_some(())
    });
    folder.write("toolgate.toml", &config.replace(", t = \"q\"", ""));
    until("the server is gone again", || {
        (other.call("work").status == 404).then_some(())
    });
    assert_eq!(agent.call("work").kind(), "ran");
    drop(gateway);
}
