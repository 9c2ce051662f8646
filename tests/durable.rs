//! README: what a limit has counted outlives the gateway, as surely as `durability` and `audit` say.
//!
//! A power cut cannot be had here: that no call goes before its sync has returned is tested where the journal is written.

mod support;

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
