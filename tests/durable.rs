//! README: what a limit has counted outlives the gateway, as surely as `durability` and `audit` say.
//!
//! A power cut cannot be had here: that no call goes before its sync has returned is tested where the journal is written.

mod support;

use std::fs;
use std::path::PathBuf;

use support::{Agent, Folder, Gateway, Upstream, at_most, until};

/// A gateway with these settings and one limit of ten.
fn stage(settings: &str) -> (Upstream, Folder, String) {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), &at_most(10, "work"));
    folder.configure(&upstream.url(), settings);
    let token = folder.grant("g");
    (upstream, folder, token)
}

fn ran(agent: &Agent, calls: usize) -> usize {
    let kinds = (0..calls).map(|_| agent.call("work").kind());
    kinds.filter(|kind| kind == "ran").count()
}

fn lost_lines(gateway: &Gateway) -> f64 {
    gateway.metric("toolgate_journal_lost_lines_total")
}

#[test]
fn with_fsync_every_call_is_synced_and_counts_over_a_kill() {
    let (_upstream, folder, token) = stage("durability = \"fsync\"");
    let gateway = folder.serve();
    assert_eq!(ran(&gateway.agent(&token), 7), 7);
    // One after the other: each had to wait for a sync of its own.
    let syncs = gateway.metric("toolgate_journal_syncs_total");
    assert!(syncs >= 7.0, "{syncs} syncs for seven calls in turn");
    assert_eq!(lost_lines(&gateway), 0.0);
    gateway.kill();
    let gateway = folder.serve();
    assert_eq!(ran(&gateway.agent(&token), 7), 3);
}

#[test]
fn without_fsync_no_call_waits_for_the_disk() {
    let (_upstream, folder, token) = stage("");
    let gateway = folder.serve();
    assert_eq!(ran(&gateway.agent(&token), 7), 7);
    assert_eq!(gateway.metric("toolgate_journal_syncs_total"), 0.0);
}

#[test]
fn with_best_effort_a_call_runs_that_cannot_be_recorded_and_a_start_warns_of_it() {
    let (upstream, folder, token) = stage("audit = \"best_effort\"");
    let gateway = folder.serve_on_a_disk_that_fills();
    let log = folder.log();
    assert!(log.contains("a crash may forget"), "{log}");
    let agent = gateway.agent(&token);
    assert_eq!(ran(&agent, 2), 2);
    let before = gateway.keep_files_from_growing();
    assert_eq!(ran(&agent, 5), 5, "it runs all the same");
    // Two lines a call.
    until("all lines are given up", || {
        (lost_lines(&gateway) >= 10.0).then_some(())
    });
    gateway.let_files_grow(before);
    assert_eq!(ran(&agent, 9), 3, "what ran counts as long as this runs");
    assert_eq!(upstream.calls(), 10);
    assert_eq!(gateway.metric("toolgate_journal_failures_total"), 0.0);
}

/// Seven calls of ten, and then the gateway is killed.
fn seven_and_a_kill() -> (Upstream, Folder, String) {
    let (upstream, folder, token) = stage("");
    let gateway = folder.serve();
    assert_eq!(ran(&gateway.agent(&token), 7), 7);
    gateway.kill();
    (upstream, folder, token)
}

/// What a start says that does not come about.
fn refusal(folder: &Folder) -> String {
    let output = folder.run(&["serve"]);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The worker's journal that has lines.
fn written_segment(folder: &Folder) -> PathBuf {
    let files = fs::read_dir(folder.path("toolgate-data/journal")).expect("there is a journal");
    let mut paths = files.map(|file| file.expect("a file").path());
    let has_lines = |path: &PathBuf| support::folder::length(path) > 0;
    paths.find(has_lines).expect("seven calls left lines")
}

#[test]
fn a_garbled_line_stops_a_start_until_a_person_decides() {
    let (_upstream, folder, token) = seven_and_a_kill();
    let path = written_segment(&folder);
    let text = fs::read_to_string(&path).expect("the journal is text");
    fs::write(&path, format!("garbled\n{text}")).expect("it can be written");
    let said = refusal(&folder);
    let file = path.file_name().and_then(|name| name.to_str());
    for word in [
        "line 1 of the journal",
        file.expect("a name"),
        "delete that line",
    ] {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
    fs::write(&path, text).expect("it can be written");
    assert_eq!(ran(&folder.serve().agent(&token), 7), 3);
}

#[test]
fn a_journal_that_is_gone_stops_a_start() {
    let (_upstream, folder, _token) = seven_and_a_kill();
    fs::remove_dir_all(folder.path("toolgate-data/journal")).expect("it was there");
    let said = refusal(&folder);
    assert!(said.contains("0-00000001.jsonl is missing"), "{said}");
}

#[test]
fn a_store_that_is_gone_stops_a_start() {
    let (_upstream, folder, _token) = seven_and_a_kill();
    for file in ["toolgate.db", "toolgate.db-wal", "toolgate.db-shm"] {
        // A store that nobody has open may have only the first.
        let _ = fs::remove_file(folder.path("toolgate-data").join(file));
    }
    folder.grant("g");
    let said = refusal(&folder);
    assert!(
        said.contains("the store beside it knows nothing of"),
        "{said}"
    );
}

#[test]
fn a_torn_last_line_stops_nothing() {
    let (_upstream, folder, token) = seven_and_a_kill();
    let path = written_segment(&folder);
    let text = fs::read_to_string(&path).expect("the journal is text");
    fs::write(&path, format!("{text}{{\"kind\":\"deci")).expect("it can be written");
    let gateway = folder.serve();
    assert_eq!(ran(&gateway.agent(&token), 7), 3);
    assert!(gateway.stop().success(), "nobody waits for a denial's line");
    let denied = |line: &serde_json::Value| line["decision"] == "deny";
    assert_eq!(
        folder.journal().iter().filter(|line| denied(line)).count(),
        4,
        "whole lines behind whole lines"
    );
}

#[test]
fn counts_outlive_a_kill_and_another_number_of_workers() {
    let (upstream, folder, token) = seven_and_a_kill();
    let config = fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    for (workers, runs) in [(1, 2), (3, 1)] {
        let other = format!("workers = {workers}\n");
        folder.write("toolgate.toml", &config.replace("workers = 2\n", &other));
        let gateway = folder.serve();
        assert_eq!(ran(&gateway.agent(&token), runs), runs, "{workers} workers");
        gateway.kill();
    }
    assert_eq!(ran(&folder.serve().agent(&token), 3), 0);
    assert_eq!(upstream.calls(), 10);
}
