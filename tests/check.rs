//! `toolgate check` says everything about a policy at once: mistakes, doubts, what its limits mean, how it fits a server.
//!
//! Never looks inside: what it expects is what a person or a program reads. The texts stand in `fixtures/check`.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::{ALLOW_ALL, Folder, PATIENCE, Upstream, until};

const CAREFUL: &str = include_str!("fixtures/check/careful.json");
const DOUBTFUL: &str = include_str!("fixtures/check/doubtful.json");
const FILES: [(&str, &str); 5] = [
    ("careful.json", CAREFUL),
    ("doubtful.json", DOUBTFUL),
    ("broken.json", include_str!("fixtures/check/broken.json")),
    ("failing.json", include_str!("fixtures/check/failing.json")),
    ("tools.json", include_str!("fixtures/check/tools.json")),
];

fn folder() -> Folder {
    let folder = Folder::new();
    for (name, text) in FILES {
        folder.write(name, text);
    }
    folder
}

fn texts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Runs `check` in a folder with the fixtures.
fn check(arguments: &[&str]) -> (Option<i32>, String, String) {
    texts(&folder().run(&[&["check"], arguments].concat()))
}

fn told(file: &str, code: i32, expected: &str) {
    let (found, stdout, stderr) = check(&[file, "--tools", "tools.json"]);
    assert_eq!(stdout, expected, "{file}");
    assert_eq!((found, stderr.as_str()), (Some(code), ""), "{file}");
}

#[test]
fn a_valid_policy_is_told_with_what_its_limits_mean() {
    told(
        "careful.json",
        0,
        include_str!("fixtures/check/careful.txt"),
    );
}

#[test]
fn every_mistake_stands_under_its_line_with_a_caret_and_a_remedy() {
    told("broken.json", 1, include_str!("fixtures/check/broken.txt"));
}

#[test]
fn doubts_are_told_and_do_not_make_a_policy_invalid() {
    told(
        "doubtful.json",
        0,
        include_str!("fixtures/check/doubtful.txt"),
    );
}

#[test]
fn a_failing_test_of_its_own_makes_a_policy_invalid() {
    told(
        "failing.json",
        1,
        include_str!("fixtures/check/failing.txt"),
    );
}

#[test]
fn strict_makes_a_doubt_a_failure() {
    assert_eq!(check(&["careful.json", "--strict"]).0, Some(0));
    assert_eq!(check(&["doubtful.json", "--strict"]).0, Some(1));
    assert_eq!(check(&["doubtful.json"]).0, Some(0));
}

#[test]
fn each_policy_is_one_line_of_json_with_the_keys_that_the_help_names() {
    let files = ["careful.json", "broken.json", "failing.json"];
    let (code, stdout, _) = check(&[&files[..], &["--format", "json"]].concat());
    assert_eq!(code, Some(1));
    let lines: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let named: Vec<_> = lines
        .iter()
        .map(|line| line["file"].as_str().unwrap())
        .collect();
    assert_eq!(named, files);
    let careful = json!({
        "file": "careful.json",
        "valid": true,
        "hash": lines[0]["hash"],
        "mistakes": [],
        "warnings": [],
        "limits": [{
            "rule": "/tools/create_charge/limits/charges",
            "pointer": "/tools/create_charge/limits/0",
            "line": 9,
            "column": 18,
            "meaning": "at most 10 calls in any 60 seconds for each grant; 14,400 a day",
        }],
        "tests": { "passed": 2, "failed": 0 },
        "server": null,
    });
    assert_eq!(lines[0], careful);
    assert_eq!(lines[0]["hash"].as_str().map(str::len), Some(16));
    let mistake = json!({
        "line": 3,
        "column": 14,
        "pointer": "/default",
        "what": "\"maybe\" is not known here",
        "remedy": "write \"allow\" or \"deny\"",
    });
    assert_eq!(lines[1]["mistakes"][0], mistake);
    assert_eq!(
        (&lines[1]["valid"], &lines[1]["hash"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(lines[2]["tests"], json!({ "passed": 1, "failed": 1 }));
    assert_eq!(lines[2]["mistakes"][0]["remedy"], Value::Null);
    let (_, help, _) = texts(&Folder::new().run(&["check", "--help"]));
    for key in careful.as_object().expect("an object").keys() {
        assert!(help.contains(key.as_str()), "{key} is not in the help");
    }
}

#[test]
fn what_it_is_compared_with_is_told_to_programs_too() {
    let (_, stdout, _) = check(&["doubtful.json", "--tools", "tools.json", "--format", "json"]);
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    let expected = json!({
        "name": "tools.json",
        "tools": 3,
        "unmatched": {
            "tools": ["list_charges", "refund"],
            "fate": "allowed without any rule: \"default\" is \"allow\"",
        },
    });
    assert_eq!(told["server"], expected);
    assert_eq!(told["warnings"].as_array().map(Vec::len), Some(6));
}

#[test]
fn what_cannot_be_read_is_exit_code_2_and_hides_nothing_else() {
    let (code, stdout, stderr) = check(&["none.json", "broken.json", "careful.json"]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.starts_with("error: none.json: cannot read this policy"),
        "{stderr}"
    );
    assert!(stdout.contains("broken.json: not valid") && stdout.contains("careful.json: valid"));
    for (arguments, says) in [
        (
            ["--tools", "none.json"],
            "none.json: cannot read this list of tools",
        ),
        (
            ["--tools", "careful.json"],
            "careful.json: this is no list of tools",
        ),
        (["--tools", "careful.txt"], "careful.txt: cannot read"),
        (["--server", "s"], "toolgate.toml: cannot read this file"),
    ] {
        let (code, stdout, stderr) = check(&[&["careful.json"], &arguments[..]].concat());
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains(says), "{says:?} is not in {stderr}");
    }
    let (code, _, stderr) = check(&["careful.json", "--tools", "t", "--server", "s"]);
    assert!(
        code == Some(2) && stderr.contains("cannot be used with"),
        "{stderr}"
    );
}

#[test]
fn a_list_of_tools_is_read_in_each_shape_that_it_is_saved_in() {
    let folder = folder();
    let list = r#"[{"name":"create_charge"}]"#;
    for saved in [
        list.to_owned(),
        format!(r#"{{"tools":{list}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":{list}}}}}"#),
    ] {
        folder.write("saved.json", &saved);
        let output = folder.run(&["check", "careful.json", "--tools", "saved.json"]);
        let (code, stdout, stderr) = texts(&output);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(
            stdout.contains("saved.json: 1 tool, each with an entry or hidden"),
            "{stdout}"
        );
    }
}

#[test]
fn a_live_server_is_asked_even_where_the_rest_of_the_configuration_is_broken() {
    let upstream = Upstream::start(support::upstream::serving(&["create_charge", "other"]));
    let folder = folder();
    folder.write(
        "toolgate.toml",
        &format!(
            "[servers.live]\nurl = \"{}\"\n[servers.locked]\nurl = \"http://127.0.0.1:1/\"\nheaders = {{ A = \"${{NO_SUCH}}\" }}\n\
             [policies]\np = \"broken.json\"\n",
            upstream.url()
        ),
    );
    let (code, stdout, stderr) = texts(&folder.run(&["check", "careful.json", "--server", "live"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("warning: no tool of the server matches \"list_*\""),
        "{stdout}"
    );
    assert!(
        stdout.contains("live: 2 tools, 1 without an entry"),
        "{stdout}"
    );
    assert_eq!(upstream.calls(), 0, "no tool is called");
    let clients = format!(
        r#"{{"mcpServers":{{"theirs":{{"url":"{}"}}}}}}"#,
        upstream.url()
    );
    folder.write("clients.json", &clients);
    let theirs = [
        "check",
        "careful.json",
        "--server",
        "theirs",
        "--config",
        "clients.json",
    ];
    assert_eq!(texts(&folder.run(&theirs)).0, Some(0));
    for (server, says) in [
        ("gone", "the servers are: live, locked"),
        ("locked", "NO_SUCH"),
    ] {
        let (code, _, stderr) = texts(&folder.run(&["check", "careful.json", "--server", server]));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(says), "{says:?} is not in {stderr}");
    }
}

#[test]
fn a_server_that_is_not_there_is_exit_code_2_with_its_name() {
    let folder = folder();
    folder.write(
        "toolgate.toml",
        "[servers.away]\nurl = \"http://127.0.0.1:1/\"\n",
    );
    let (code, stdout, stderr) = texts(&folder.run(&["check", "careful.json", "--server", "away"]));
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(
        stderr.contains("away could not be asked for its tools: cannot connect to away"),
        "{stderr}"
    );
}

#[test]
fn colours_are_for_terminals_alone() {
    let folder = folder();
    let plain = folder.run(&["check", "broken.json"]).stdout;
    assert!(!plain.contains(&0x1b), "a pipe gets none");
    let mut command = folder.program();
    command
        .args(["check", "broken.json"])
        .env("CLICOLOR_FORCE", "1");
    let forced = command.output().expect("the program runs").stdout;
    assert!(forced.contains(&0x1b), "whoever insists gets them");
}

/// A running `check --watch`: its lines, of both streams, as they come.
struct Watching {
    child: std::process::Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(folder: &Folder, arguments: &[&str]) -> Watching {
        let mut command = folder.program();
        command.args(["check", "--watch"]).args(arguments);
        let spawned = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.expect("the program starts");
        let (sender, lines) = channel();
        let errors = child.stderr.take().expect("it is piped");
        let told = child.stdout.take().expect("it is piped");
        let streams: [Box<dyn std::io::Read + Send>; 2] = [Box::new(told), Box::new(errors)];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let lines = BufReader::new(stream).lines().map_while(Result::ok);
                lines.for_each(|line| drop(sender.send(line)));
            });
        }
        Watching { child, lines }
    }

    fn wait_for(&self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_watched_policy_is_checked_again_whenever_it_changes_also_when_it_was_gone() {
    let folder = Folder::new();
    folder.write("p.json", ALLOW_ALL);
    let mut watching = Watching::start(&folder, &["p.json"]);
    let line = watching.wait_for("waiting for changes");
    assert!(
        line.ends_with(" UTC: 1 valid; waiting for changes"),
        "{line}"
    );
    folder.write("p.json", r#"{"version":"1","default":"maybe"}"#);
    watching.wait_for("p.json: not valid (1 mistake)");
    watching.wait_for("0 valid, 1 not valid; waiting");
    std::fs::remove_file(folder.path("p.json")).expect("the file is there");
    watching.wait_for("1 not readable; waiting");
    folder.write("p.json", ALLOW_ALL);
    watching.wait_for("p.json: valid");
    watching.wait_for(": 1 valid; waiting");
    let pid = Pid::from_child(&watching.child);
    // Not SIGINT: whoever runs the tests in the background has it ignored, and so do their children.
    kill_process(pid, Signal::TERM).expect("it is our own child");
    until("it ends", || {
        watching.child.try_wait().expect("it is our own child")
    });
}

#[test]
fn a_watched_list_of_tools_is_read_again_when_it_changes() {
    let folder = folder();
    let watching = Watching::start(&folder, &["careful.json", "--tools", "tools.json"]);
    watching.wait_for("1 without an entry");
    watching.wait_for("waiting for changes");
    folder.write("tools.json", r#"[{"name":"create_charge"}]"#);
    watching.wait_for("1 tool, each with an entry or hidden");
}
