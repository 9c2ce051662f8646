//! README: a wrapped call that its server certainly never read costs nothing, and its client is told; one that it may have
//! read stays charged.
//!
//! The server is Python that does not read, and ends when a file of the test's appears.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Folder, at_most, tools_call, until};

/// Writes down that it is there and waits for its end.
const WAIT: &str = r#"
open("there", "w").close()
while not os.path.exists("end"):
    time.sleep(0.01)
"#;

struct Wrapped {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    folder: Folder,
}

fn wrap(server: &str) -> Wrapped {
    let folder = Folder::new();
    folder.write("policy.json", &at_most(1_000, "work"));
    folder.write("server.py", &format!("import os, time\n{server}{WAIT}"));
    let mut command = folder.program();
    command.args([
        "wrap",
        "--policy",
        "policy.json",
        "--data",
        "toolgate-data",
        "--",
    ]);
    command.args(["python3", "server.py"]);
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.expect("the program starts");
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let (sender, lines) = channel();
    thread::spawn(move || {
        let mut all = output.lines().map_while(Result::ok);
        all.try_for_each(|line| sender.send(line))
    });
    until("the server is there", || {
        folder.path("there").exists().then_some(())
    });
    let input = child.stdin.take().expect("it is piped");
    Wrapped {
        child,
        input,
        lines,
        folder,
    }
}

impl Wrapped {
    fn call(&mut self, id: &str, arguments: &str) {
        let line = tools_call(id, "work", arguments);
        writeln!(self.input, "{line}").expect("it reads");
    }

    fn outcomes(&self, upstream: &str) -> Vec<Value> {
        let journal = self.folder.journal().into_iter();
        journal
            .filter(|line| line["kind"] == "outcome" && line["upstream"] == upstream)
            .collect()
    }

    fn end(&mut self) {
        self.folder.write("end", "");
        until("it ends", || {
            self.child.try_wait().expect("it is our own child")
        });
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_call_that_the_server_takes_no_more_is_answered_and_costs_nothing() {
    let mut wrapped = wrap("os.close(0)\n");
    let mut calls = 0;
    let refused = until("the server is known to read no more", || {
        calls += 1;
        wrapped.call(&calls.to_string(), "{}");
        // Calls that were taken before that was known have no answer.
        wrapped.lines.recv_timeout(Duration::from_millis(100)).ok()
    });
    let error: Value = serde_json::from_str(&refused).expect("JSON");
    assert_eq!(error["error"]["code"], -31005, "{error}");
    assert_eq!(error["error"]["data"]["was_sent"], false, "{error}");
    writeln!(wrapped.input, "{}", support::message("\"ask\"", "ping")).expect("it reads");
    let ping = wrapped
        .lines
        .recv_timeout(support::PATIENCE)
        .expect("it is answered too");
    assert!(
        ping.contains(r#""id":"ask","error":{"code":-31005"#),
        "{ping}"
    );
    wrapped.end();
    let refunded = wrapped.outcomes("connect");
    assert_eq!(refunded.len(), 1, "{calls} calls were made");
    assert_eq!(refunded[0]["refunded"].as_array().map(Vec::len), Some(1));
    for kept in wrapped.outcomes("child_gone") {
        assert_eq!(kept["refunded"], json!([]), "it may have been read");
    }
}

#[test]
fn of_the_calls_of_a_server_that_dies_only_those_that_were_never_written_cost_nothing() {
    let mut wrapped = wrap("");
    // More than a pipe holds: the rest of it and all that comes later waits for a server that does not read.
    wrapped.call("1", &format!("{{\"x\":\"{}\"}}", "x".repeat(1 << 20)));
    wrapped.call("2", "{}");
    wrapped.call("3", "{}");
    until("all are let in", || {
        let journal = wrapped.folder.journal();
        (journal
            .iter()
            .filter(|line| line["decision"] == "allow")
            .count()
            == 3)
            .then_some(())
    });
    wrapped.end();
    let outcomes = wrapped.outcomes("child_gone");
    let mut refunds: Vec<usize> = outcomes
        .iter()
        .map(|line| line["refunded"].as_array().map_or(0, Vec::len))
        .collect();
    refunds.sort_unstable();
    assert_eq!(refunds, [0, 1, 1]);
    assert_eq!(wrapped.lines.iter().count(), 0, "nobody is left to be told");
}
