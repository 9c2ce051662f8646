//! Runs the load test as a user does, against itself and against stand-ins for the gateway.
//!
//! It never checks how fast anything is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A stand-in for the gateway: a grant token, then whatever `serve` is told to do.
struct StandIn {
    folder: TempDir,
}

impl StandIn {
    /// `serve` is shell code; in it, `$stub` is the upstream's URL as the configuration names it.
    fn new(serve: &str) -> StandIn {
        let folder = tempfile::tempdir().expect("a folder");
        let script = format!(
            r#"#!/bin/sh
set -eu
case "$1 $2" in
"grant new") [ "$*" = "grant new load --config toolgate.toml" ]; echo tg_stand_in ;;
"serve --config")
    stub=$(sed -n 's/^url = "\(.*\)"/\1/p' "$3")
    trap 'exit 0' TERM
    {serve}
    while read -r line; do :; done ;;
esac
"#
        );
        let path = folder.path().join("toolgate");
        fs::write(&path, script).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
        StandIn { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("toolgate")
    }
}

fn loadtest(arguments: &[&str]) -> Output {
    let quick = [
        "--seconds=1",
        "--warm-up=0",
        "--rounds=1",
        "--rate=200",
        "--connections=4",
    ];
    Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(quick)
        .args(arguments)
        .output()
        .expect("the load test starts")
}

fn against(gateway: &Path) -> Output {
    let path = gateway.to_str().expect("text");
    loadtest(&["--targets=toolgate", "--toolgate", path])
}

fn words(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn every_call_of_a_sound_run_is_verified_and_the_report_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.json");
    let output = loadtest(&[
        "--targets=direct,proxy",
        "--sessions=5",
        "--json",
        file.to_str().expect("text"),
    ]);
    assert!(output.status.success(), "{}", words(&output));
    let report = fs::read_to_string(file).expect("the report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["problems"], Value::Array(Vec::new()));
    for target in 0..2 {
        let round = &report["targets"][target]["rounds"][0];
        let sent = round["calls_sent"].as_u64().expect("a count");
        assert!(
            (200..=240).contains(&sent),
            "{sent} calls in a second and a bit"
        );
        assert_eq!(round["calls_sent"], round["rightly_answered"]);
    }
    let ratio = &report["ratios"]["proxy/direct"]["calls_per_second"]["median"];
    assert!(ratio.as_f64().expect("a ratio") > 0.5, "{ratio}");
    assert_eq!(report["idle_connections"][1]["measured"]["connections"], 5);
}

#[test]
fn a_gateway_is_readied_started_and_stopped_by_its_command_line() {
    let gateway = StandIn::new(r#"echo "endpoint: $stub"; echo "admin: http://127.0.0.1:1/""#);
    let output = against(&gateway.path());
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("rightly answered"));
}

#[test]
fn a_gateway_that_answers_otherwise_is_no_measurement() {
    let elsewhere = r#"echo "endpoint: $stub/elsewhere"; echo "admin: http://127.0.0.1:1/""#;
    let output = against(&StandIn::new(elsewhere).path());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        words(&output).contains("the first call to toolgate failed: 404"),
        "{}",
        words(&output)
    );
}

#[test]
fn a_gateway_that_does_not_end_well_spoils_the_run() {
    let ill = r#"trap 'echo ill >&2; exit 3' TERM; echo "endpoint: $stub"; echo "admin: x""#;
    let output = against(&StandIn::new(&format!("{ill}; read -r line; exit 3")).path());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        words(&output).contains("PROBLEM toolgate ended with exit status: 3"),
        "{}",
        words(&output)
    );
}

#[test]
fn a_gateway_that_is_missing_or_says_nothing_is_named_with_its_last_words() {
    let missing = against(Path::new("/nowhere/toolgate"));
    assert_eq!(missing.status.code(), Some(1));
    assert!(words(&missing).contains("there is no toolgate at /nowhere/toolgate"));

    let silent = against(&StandIn::new("echo 'cannot listen' >&2; exit 1").path());
    assert_eq!(silent.status.code(), Some(1));
    assert!(
        words(&silent).contains("cannot listen"),
        "{}",
        words(&silent)
    );
}
