//! README: limits count calls or amounts, for a grant, a session, a server or all, and for each value apart; counts survive
//! kill -9, and what is kept tells no value.
//!
//! The gateway is the real binary, the upstream answers everything.

mod support;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use support::{Agent, Folder, Reply, Upstream, Wire, tools_call};

fn policy(limit: &str) -> String {
    format!(
        r#"{{"version":"1","default":"deny","tools":{{"work":{{"limits":[{{"counter":"c","window":"hour",{limit}}}]}}}}}}"#
    )
}

fn work(agent: &Agent, arguments: &str) -> Reply {
    agent.post(&tools_call("1", "work", arguments))
}

fn in_session(agent: &Agent, headers: &str) -> String {
    let mut wire = Wire::to(agent.address);
    wire.send(agent.request(headers, &tools_call("1", "work", "{}")));
    wire.reply().kind()
}

/// Whether any file below holds these bytes.
fn holds(dir: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(dir).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => holds(&path, bytes),
            false => {
                let file = std::fs::read(&path).expect("a file");
                file.windows(bytes.len()).any(|window| window == bytes)
            }
        }
    })
}

#[test]
fn a_budget_for_each_value_survives_a_kill_and_no_value_is_kept() {
    let upstream = Upstream::working();
    let text = policy(r#""max":100,"increment_from":"args.amount","by":["args.to"]"#);
    let folder = Folder::of(&upstream.url(), &text);
    let token = folder.grant("g");
    let pay = |agent: &Agent, to: &str, amount: &str| {
        work(agent, &format!(r#"{{"to":"{to}","amount":{amount}}}"#))
    };
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    assert_eq!(pay(&agent, "alice@example.com", "60.25").kind(), "ran");
    assert_eq!(pay(&agent, "bob@example.com", "99.999999").kind(), "ran");
    gateway.kill();
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let denial = pay(&agent, "ALICE@example.com", "39.76").denial();
    let denial = denial.expect("a cent too much");
    assert_eq!(denial["remaining"], json!(39.75), "{denial}");
    assert_eq!(pay(&agent, "Alice@Example.com ", "39.75").kind(), "ran");
    assert_eq!(pay(&agent, "bob@example.com", "0.000002").kind(), "limit");
    assert_eq!(pay(&agent, "bob@example.com", "0.000001").kind(), "ran");
    assert_eq!(pay(&agent, "carol@example.com", "\"5\"").kind(), "argument");
    assert!(gateway.stop().success());
    for value in ["alice", "ALICE", "bob@", "example.com", "39.75"] {
        let data = folder.path("toolgate-data");
        assert!(
            !holds(&data, value.as_bytes()),
            "{value} is in the data folder"
        );
    }
}

#[test]
fn all_grants_of_a_server_share_its_limit_and_are_told_little_of_each_other() {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), &policy(r#""max":5,"scope":"server""#));
    let tokens = [folder.grant("g"), folder.grant("g")];
    let gateway = folder.serve();
    let agents = tokens.map(|token| gateway.agent(&token));
    let ran = (0..12).filter(|call| agents[call % 2].call("work").kind() == "ran");
    assert_eq!(ran.count(), 5);
    let reply = agents[0].call("work");
    let denial = reply.denial().expect("it is full");
    assert_eq!(denial.get("remaining"), None, "{denial}");
    assert_eq!(
        denial["retry_after_ms"], 3_600_000,
        "a coarse delay: {denial}"
    );
    let text = reply.json()["result"]["content"][0]["text"].to_string();
    assert!(
        text.contains("at most 5 calls per hour for all agents of this server."),
        "{text}"
    );
}

#[test]
fn each_session_has_a_counter_and_calls_without_one_share_the_grants() {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), &policy(r#""max":1,"scope":"session""#));
    let tokens = [folder.grant("g"), folder.grant("g")];
    let gateway = folder.serve();
    let [agent, other] = tokens.map(|token| gateway.agent(&token));
    let one = "Mcp-Session-Id: one\r\n";
    assert_eq!(in_session(&agent, one), "ran");
    assert_eq!(in_session(&agent, one), "limit");
    assert_eq!(in_session(&agent, "Mcp-Session-Id: two\r\n"), "ran");
    assert_eq!(
        in_session(&other, one),
        "ran",
        "another grant's session of that name"
    );
    assert_eq!(in_session(&agent, ""), "ran");
    assert_eq!(in_session(&agent, ""), "limit");
    let both = format!("{one}Mcp-Session-Id: three\r\n");
    assert_eq!(in_session(&agent, &both), "limit", "two names are none");
    let long = format!("Mcp-Session-Id: {}\r\n", "x".repeat(1_025));
    assert_eq!(in_session(&agent, &long), "limit");
}

#[test]
fn a_grant_may_open_so_many_counters_and_the_next_value_is_refused() {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), &policy(r#""max":1,"by":["args.to"]"#));
    folder.configure(&upstream.url(), "counters_per_grant_max = 2");
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let to = |value: u32| work(&agent, &format!(r#"{{"to":{value}}}"#));
    assert_eq!((to(1).kind(), to(2).kind()), ("ran".into(), "ran".into()));
    let text = to(3).json()["result"]["content"][0]["text"].to_string();
    assert!(
        text.contains("too many different ones are being counted"),
        "{text}"
    );
    assert_eq!(to(1).kind(), "limit", "what was counted stays counted");
    let series = r#"toolgate_decisions_total{server="s",decision="deny",kind="counters_full"}"#;
    assert_eq!(gateway.metric(series), 1.0);
    gateway.kill();
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let to = |value: u32| work(&agent, &format!(r#"{{"to":{value}}}"#));
    assert_eq!(to(3).kind(), "limit", "a restart gives no fresh bound");
    assert_eq!(gateway.metric(series), 1.0);
}

#[test]
fn a_full_limit_in_shadow_lets_the_call_run_and_is_in_the_journal() {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), &policy(r#""max":1,"shadow":true"#));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    for _ in 0..2 {
        assert_eq!(agent.call("work").kind(), "ran");
    }
    let line = folder.journal_line("what a limit in shadow would have done", |line| {
        line["shadow"]
            .as_array()
            .is_some_and(|shadow| !shadow.is_empty())
    });
    assert_eq!(line["decision"], "allow");
    assert_eq!(line["shadow"][0]["rule"], "/tools/work/limits/c");
    assert_eq!(line["charges"], json!([]));
    assert_eq!(
        gateway.metric(r#"toolgate_shadowed_total{server="s",kind="limit"}"#),
        1.0
    );
}

#[test]
fn one_wrapped_process_is_one_session() {
    const SERVER: &str = r#"
import json, sys
for line in sys.stdin:
    print('{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}' % json.loads(line)["id"], flush=True)
"#;
    let folder = Folder::new();
    folder.write("policy.json", &policy(r#""max":1,"scope":"session""#));
    folder.write("server.py", SERVER);
    for _ in 0..2 {
        let mut command = folder.program();
        command.args(["wrap", "--policy", "policy.json", "--data", "data", "--"]);
        command.args(["python3", "server.py"]);
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = started.expect("the program starts");
        let mut input = child.stdin.take().expect("it is piped");
        for id in ["1", "2"] {
            writeln!(input, "{}", tools_call(id, "work", "{}")).expect("it reads");
        }
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let output = String::from_utf8(output.stdout).expect("JSON is text");
        let replies = output
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        let mut denied: Vec<_> = replies
            .map(|reply: Value| (reply["id"].as_u64(), reply["result"]["isError"] == true))
            .collect();
        denied.sort_unstable();
        assert_eq!(denied, [(Some(1), false), (Some(2), true)]);
    }
}
