//! README: operators see where limits stand and let them begin anew, with or without a running gateway; a reset survives
//! every restart, is one grant's alone, and looking changes nothing.
//!
//! The gateway is the real binary, the upstream answers everything.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use support::{Agent, Folder, Upstream, Wire, at_most, tools_call, until};

const RULE: &str = "/tools/work/limits/c";

fn policy(limits: &str) -> String {
    format!(
        r#"{{"version":"1","default":"deny","tools":{{"work":{{"limits":[{limits}]}},"other":{{}}}}}}"#
    )
}

/// The id of a token's grant: the newest that `grant list` tells.
fn newest_id(folder: &Folder) -> String {
    let listed = folder.run(&["grant", "list"]);
    let text = String::from_utf8(listed.stdout).expect("text");
    let last = text.lines().last().expect("a grant was made");
    last.split(' ').next().expect("a first word").to_owned()
}

fn succeeded(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// What is said of a command that cannot be done.
fn refused(output: Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).expect("text")
}

fn reset(folder: &Folder, grant: &str, more: &[&str]) -> String {
    let arguments = [&["limits", "reset", "--grant", grant], more].concat();
    succeeded(folder.run(&arguments))
}

fn shown(folder: &Folder, grant: &str, more: &[&str]) -> Value {
    let asked = ["limits", "show", "--format", "json", "--grant", grant];
    let line = succeeded(folder.run(&[&asked, more].concat()));
    serde_json::from_str(&line).expect("one line of JSON")
}

fn runs_again(agent: &Agent) {
    until("the reset is in force", || {
        (agent.call("work").kind() == "ran").then_some(())
    });
}

fn kinds(agent: &Agent, count: usize) -> Vec<String> {
    (0..count).map(|_| agent.call("work").kind()).collect()
}

#[test]
fn a_reset_applies_while_the_gateway_runs_and_survives_a_kill_and_is_one_grants_alone() {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), &at_most(2, "work"));
    let token = folder.grant("g");
    let id = newest_id(&folder);
    let other = folder.grant("g");
    let gateway = folder.serve();
    let [agent, other] = [&token, &other].map(|token| gateway.agent(token));
    for agent in [&agent, &other] {
        assert_eq!(kinds(agent, 3), ["ran", "ran", "limit"]);
    }
    assert_eq!(reset(&folder, &id, &[]), format!("reset  s  {RULE}\n"));
    runs_again(&agent);
    assert_eq!(kinds(&agent, 2), ["ran", "limit"], "a fresh limit, no more");
    assert_eq!(kinds(&other, 1), ["limit"], "another grant is untouched");
    let log = folder.log();
    let line = log.lines().find(|line| line.contains("limits reset"));
    assert!(line.is_some_and(|line| line.contains(&id)), "{log}");
    gateway.kill();
    let gateway = folder.serve();
    for token in [&agent.token, &other.token] {
        assert_eq!(kinds(&gateway.agent(token), 1), ["limit"]);
    }
    drop(gateway);
    reset(&folder, &id, &["--server", "s", "--limit", RULE]);
    let gateway = folder.serve();
    let again = gateway.agent(&token);
    assert_eq!(
        kinds(&again, 3),
        ["ran", "ran", "limit"],
        "reset while stopped"
    );
    assert_eq!(kinds(&gateway.agent(&other.token), 1), ["limit"]);
}

#[test]
fn a_reset_reaches_the_counters_of_sessions_and_values_too() {
    let upstream = Upstream::working();
    let limits = r#"{"counter":"c","window":"hour","max":1,"scope":"session","by":["args.to"]}"#;
    let folder = Folder::of(&upstream.url(), &policy(limits));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let send = |session: &str, to: &str| {
        let mut wire = Wire::to(agent.address);
        let call = tools_call("1", "work", &format!(r#"{{"to":"{to}"}}"#));
        wire.send(agent.request(&format!("Mcp-Session-Id: {session}\r\n"), &call));
        wire.reply().kind()
    };
    let all = [("one", "alice"), ("one", "bob"), ("two", "alice")];
    for (session, to) in all {
        assert_eq!(send(session, to), "ran");
        assert_eq!(send(session, to), "limit");
    }
    reset(&folder, "g", &[]);
    until("the reset is in force", || {
        (send("one", "alice") == "ran").then_some(())
    });
    for (session, to) in &all[1..] {
        assert_eq!(send(session, to), "ran");
        assert_eq!(send(session, to), "limit");
    }
}

#[test]
fn only_the_limit_that_is_named_begins_anew() {
    let upstream = Upstream::working();
    let limits =
        r#"{"counter":"c","window":"hour","max":1},{"counter":"d","window":"day","max":2}"#;
    let folder = Folder::of(&upstream.url(), &policy(limits));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    assert_eq!(kinds(&agent, 2), ["ran", "limit"]);
    reset(&folder, "g", &["--limit", RULE]);
    runs_again(&agent);
    let denial = agent.call("work").denial().expect("both are full");
    assert_eq!(denial["rule"], "/tools/work/limits/d", "{denial}");
}

#[test]
fn what_cannot_be_reset_is_refused_with_what_can_be() {
    let upstream = Upstream::working();
    let limits = r#"{"counter":"c","window":"hour","max":1},{"counter":"d","window":"day","max":2,"scope":"server"}"#;
    let folder = Folder::of(&upstream.url(), &policy(limits));
    let asked = |more: &[&str]| {
        let arguments = [&["limits", "reset", "--grant"], more].concat();
        refused(folder.run(&arguments))
    };
    assert!(asked(&["g"]).contains("no store yet"));
    assert!(!folder.path("toolgate-data").exists(), "a question made it");
    folder.grant("g");
    for (arguments, words) in [
        (&["g", "--limit", "/tools/work/limits/x"][..], RULE),
        (
            &["g", "--limit", "/tools/work/limits/d"],
            "other grants share",
        ),
        (&["g", "--server", "t"], "it reaches: s"),
        (&["h"], "there is no grant \"h\""),
    ] {
        let told = asked(arguments);
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
    folder.grant("g");
    let id = newest_id(&folder);
    let told = asked(&["g"]);
    assert!(
        told.contains("more than one") && told.contains(&id),
        "{told}"
    );
    assert_eq!(reset(&folder, &id, &[]), format!("reset  s  {RULE}\n"));
}

#[test]
fn what_is_shown_is_what_a_denial_says() {
    let upstream = Upstream::working();
    let limits = r#"{"counter":"c","window":"hour","max":3},{"counter":"d","window":"day","max":100,"scope":"server","increment":2.5}"#;
    let folder = Folder::of(&upstream.url(), &policy(limits));
    let token = folder.grant("g");
    assert_eq!(shown(&folder, "g", &[])["limits"][0]["left"], 3);
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    assert_eq!(kinds(&agent, 2), ["ran", "ran"]);
    let told = shown(&folder, "g", &["--server", "s"]);
    let [own, shared] = [&told["limits"][0], &told["limits"][1]];
    assert_eq!((&own["rule"], &own["left"]), (&json!(RULE), &json!(1)));
    assert_eq!(own["opens_ms"], 0);
    assert_eq!(
        (&shared["left"], &shared["takes"]),
        (&json!(95), &json!(2.5))
    );
    assert_eq!(shared["can_be_reset"], false);
    assert_eq!(kinds(&agent, 1), ["ran"]);
    let before = agent.call("work").denial().expect("it is full");
    let told = shown(&folder, "g", &[]);
    let after = agent.call("work").denial().expect("it is full");
    let opens = told["limits"][0]["opens_ms"].as_u64().expect("a number");
    let wait = |denial: &Value| denial["retry_after_ms"].as_u64().expect("a number");
    assert!(wait(&after) <= opens && opens <= wait(&before), "{told}");
    assert_eq!(told["limits"][0]["left"], before["remaining"]);
    let text = succeeded(folder.run(&["limits", "show", "--grant", "g"]));
    assert!(
        text.contains("0 of 3") && text.contains("at most 3 calls"),
        "{text}"
    );
    drop(gateway);
    assert_eq!(shown(&folder, "g", &[])["limits"][0]["left"], 0);
}

#[test]
fn a_call_tells_which_of_many_counters_it_is_charged_to() {
    let upstream = Upstream::working();
    let limits = r#"{"counter":"c","window":"hour","max":2,"scope":"session","by":["args.to"]}"#;
    let folder = Folder::of(&upstream.url(), &policy(limits));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let mut wire = Wire::to(agent.address);
    let call = tools_call("1", "work", r#"{"to":"Alice"}"#);
    wire.send(agent.request("Mcp-Session-Id: one\r\n", &call));
    assert_eq!(wire.reply().kind(), "ran");
    let left = |session: &str, to: &str| {
        let call = format!(r#"{{"tool":"work","args":{{"to":"{to}"}}}}"#);
        let told = shown(&folder, "g", &["--session", session, "--call", &call]);
        assert_eq!(told["call"]["verdict"], "allow", "{told}");
        told["limits"][0]["left"].clone()
    };
    assert_eq!(left("one", "alice "), 1);
    assert_eq!(left("two", "alice"), 2);
    assert_eq!(left("one", "bob"), 2);
    assert_eq!(shown(&folder, "g", &[])["limits"][0]["left"], Value::Null);
    let told = shown(&folder, "g", &["--call", r#"{"tool":"nothing"}"#]);
    assert_eq!(told["call"]["rule"], "(default deny)", "{told}");
    assert_eq!(told["limits"], json!([]));
}

/// Every file of the data folder with its bytes, but for SQLite's own index of its log, in which readers leave marks.
fn files(dir: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            files(&path, into);
        } else if !name.ends_with("-shm") {
            into.insert(name, std::fs::read(&path).expect("a file"));
        }
    }
}

#[test]
fn looking_changes_nothing_whether_the_gateway_runs_was_killed_or_stopped() {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), &at_most(5, "work"));
    let token = folder.grant("g");
    let all = || {
        let mut all = BTreeMap::new();
        files(&folder.path("toolgate-data"), &mut all);
        all
    };
    let unchanged = |when: &str| {
        let before = all();
        assert_eq!(shown(&folder, "g", &[])["limits"][0]["left"], 4, "{when}");
        let after = all();
        let names = |all: &BTreeMap<String, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after), "{when}");
        assert!(before == after, "a file has other bytes: {when}");
    };
    let gateway = folder.serve();
    assert_eq!(kinds(&gateway.agent(&token), 1), ["ran"]);
    folder.journal_line("the outcome", |line| line.get("upstream").is_some());
    unchanged("running");
    gateway.kill();
    unchanged("killed");
    let gateway = folder.serve();
    assert!(gateway.stop().success());
    unchanged("stopped");
}

#[test]
fn no_credential_of_a_server_is_needed() {
    let folder = Folder::of("http://127.0.0.1:1/", &at_most(5, "work"));
    folder.grant("g");
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    let headers = "headers = { Authorization = \"Bearer ${NOBODY_SETS_THIS}\" }\n[policies]";
    folder.write("toolgate.toml", &config.replace("[policies]", headers));
    assert_eq!(shown(&folder, "g", &[])["limits"][0]["left"], 5);
    reset(&folder, "g", &[]);
}
