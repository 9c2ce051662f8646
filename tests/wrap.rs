//! README: `toolgate wrap` puts the same policy in front of a stdio server, and nothing but the protocol on its output.
//!
//! The server is a few lines of Python that write down what reaches them.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;
use support::{Folder, PATIENCE, at_most, message, tools_call, until};

/// Answers calls and lists, repeats ids raw, writes all it reads to a file, and ends as it is told.
const SERVER: &str = r#"
import json, sys
log = open("received.log", "a", buffering=1)
for line in sys.stdin:
    log.write(line)
    message = json.loads(line)
    method, raw = message.get("method"), json.dumps(message.get("id"))
    if method == "notifications/cancelled":
        sys.exit(int(message["params"]["reason"]))
    if method == "tools/list":
        print('{"jsonrpc":"2.0", "result":{"tools":[{"name":"work"}, {"name":"secret","x":1.0}]},"id":' + raw + "}", flush=True)
    elif method == "ping":
        print('{"jsonrpc":"2.0","method":"notifications/message","params":{"n":1.0e2}}', flush=True)
        print('{ "id":' + raw + ' ,"result":{},  "jsonrpc":"2.0"}', flush=True)
    elif "id" in message:
        print('{"jsonrpc":"2.0","id":' + raw + ',"result":{"content":[]}}', flush=True)
sys.stderr.write("the server's last words\n")
sys.exit(7)
"#;

struct Wrapped {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

fn folder(policy: &str) -> Folder {
    let folder = Folder::new();
    folder.write("policy.json", policy);
    folder.write("server.py", SERVER);
    folder
}

fn wrap(folder: &Folder) -> Wrapped {
    let errors = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.path("stderr.log"))
        .expect("the folder takes files");
    let mut command = folder.program();
    command.args([
        "wrap",
        "--policy",
        "policy.json",
        "--data",
        "data",
        "--",
        "python3",
        "server.py",
    ]);
    let started = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn();
    let mut child = started.expect("the program starts");
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let (sender, lines) = channel();
    thread::spawn(move || {
        output
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    Wrapped {
        input: child.stdin.take(),
        child,
        lines,
    }
}

impl Wrapped {
    fn send(&mut self, text: &str) {
        let input = self.input.as_mut().expect("it is open");
        input
            .write_all(text.as_bytes())
            .and_then(|()| input.flush())
            .expect("it reads");
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line comes")
    }

    fn ask(&mut self, line: &str) -> String {
        self.send(&format!("{line}\n"));
        self.next()
    }

    fn ended(&mut self) -> ExitStatus {
        until("it ends", || {
            self.child.try_wait().expect("it is our own child")
        })
    }

    /// Closes its input and waits for its end; gives the lines that were still to come.
    fn close(mut self) -> (ExitStatus, Vec<String>) {
        self.input = None;
        let status = self.ended();
        (status, self.lines.iter().collect())
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kind(line: &str) -> String {
    let json: Value = serde_json::from_str(line).expect("JSON");
    match json.pointer("/result/_meta/toolgate~1denial/kind") {
        Some(kind) => kind.as_str().expect("a kind").to_owned(),
        None if json["error"].is_object() => json["error"]["code"].to_string(),
        None => "ran".to_owned(),
    }
}

fn received(folder: &Folder) -> String {
    std::fs::read_to_string(folder.path("received.log")).unwrap_or_default()
}

#[test]
fn a_list_is_filtered_and_the_rest_passes_byte_for_byte() {
    let folder = folder(r#"{"version":"1","default":"allow","hide":["secret"]}"#);
    let mut wrapped = wrap(&folder);
    let ask = " { \"jsonrpc\":\"2.0\" ,\"id\":9007199254740993, \"method\":\"ping\",\"x\":[1.0e2, \"\\u00e9\"]} ";
    assert_eq!(
        wrapped.ask(ask),
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"n":1.0e2}}"#
    );
    assert_eq!(
        wrapped.next(),
        r#"{ "id":9007199254740993 ,"result":{},  "jsonrpc":"2.0"}"#
    );
    assert_eq!(received(&folder), format!("{ask}\n"));
    let list = wrapped.ask(&message("2", "tools/list"));
    assert_eq!(
        list,
        r#"{"jsonrpc":"2.0", "result":{"tools":[{"name":"work"}]},"id":2}"#
    );
    assert_eq!(
        kind(&wrapped.ask(&tools_call("3", "secret", "{}"))),
        "unavailable"
    );
    assert!(!received(&folder).contains("secret"));
}

#[test]
fn a_denied_call_has_the_clients_id_and_never_reaches_the_server() {
    let folder = folder(r#"{"version":"1","default":"deny"}"#);
    let mut wrapped = wrap(&folder);
    for id in ["9007199254740993", "\"a\\u0041\"", "-0"] {
        let line = wrapped.ask(&tools_call(id, "work", "{}"));
        assert!(
            line.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#)),
            "{line}"
        );
        assert!(
            line.contains("[POLICY DENIED] work is not available to this grant."),
            "{line}"
        );
    }
    assert_eq!(received(&folder), "");
}

#[test]
fn a_call_waits_for_the_list_that_its_rules_need_and_the_client_hears_nothing_of_it() {
    let folder = folder(
        r#"{"version":"1","default":"deny","tools":{"work":{"schema":true},"secret":{"schema":true}}}"#,
    );
    let schema = r#"{"name":"work","inputSchema":{"required":["n"]}}"#;
    folder.write("server.py", &SERVER.replace(r#"{"name":"work"}"#, schema));
    let mut wrapped = wrap(&folder);
    let mut call = |id: &str, tool, arguments| wrapped.ask(&tools_call(id, tool, arguments));
    let line = call("1", "work", r#"{"n":1}"#);
    assert_eq!(
        (kind(&line).as_str(), line.contains("\"id\":1")),
        ("ran", true),
        "{line}"
    );
    assert_eq!(kind(&call("2", "work", "{}")), "argument");
    assert_eq!(
        kind(&call("3", "secret", "{}")),
        "argument",
        "it has no schema"
    );
    assert_eq!(received(&folder).matches("tools/list").count(), 1);
    assert_eq!(received(&folder).matches("tools/call").count(), 1);
}

#[test]
fn a_limit_holds_over_restarts_of_the_wrapped_server() {
    let folder = folder(&at_most(5, "work"));
    let mut wrapped = wrap(&folder);
    let kinds: Vec<_> = (0..3)
        .map(|at| kind(&wrapped.ask(&tools_call(&at.to_string(), "work", "{}"))))
        .collect();
    assert_eq!(kinds, ["ran", "ran", "ran"]);
    assert_eq!(wrapped.close().0.code(), Some(7));
    let mut again = wrap(&folder);
    let kinds: Vec<_> = (0..3)
        .map(|_| kind(&again.ask(&tools_call("1", "work", "{}"))))
        .collect();
    assert_eq!(kinds, ["ran", "ran", "limit"]);
    again.child.kill().expect("it is our own child");
    again.ended();
    let mut third = wrap(&folder);
    assert_eq!(
        kind(&third.ask(&tools_call("1", "work", "{}"))),
        "limit",
        "also after a kill"
    );
    assert_eq!(received(&folder).lines().count(), 5);
}

#[test]
fn the_servers_exit_code_is_passed_on_and_only_the_protocol_is_on_the_output() {
    let folder = folder(support::ALLOW_ALL);
    let mut wrapped = wrap(&folder);
    assert_eq!(kind(&wrapped.ask(&tools_call("1", "work", "{}"))), "ran");
    let (status, rest) = wrapped.close();
    assert_eq!((status.code(), rest), (Some(7), Vec::new()));
    assert!(
        folder.log().contains("the server's last words"),
        "{}",
        folder.log()
    );
    let mut ends_itself = wrap(&folder);
    ends_itself.send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1,\"reason\":\"3\"}}\n");
    assert_eq!(
        ends_itself.ended().code(),
        Some(3),
        "a server that ends ends its client's process"
    );
}

#[test]
fn what_a_client_sent_before_it_closed_is_answered() {
    let folder = folder(support::ALLOW_ALL);
    let mut wrapped = wrap(&folder);
    for at in 0..50 {
        wrapped.send(&(tools_call(&at.to_string(), "work", "{}") + "\n"));
    }
    let (status, lines) = wrapped.close();
    assert_eq!(
        (status.code(), lines.len()),
        (Some(7), 50),
        "{lines:?} {}",
        folder.log()
    );
}

#[test]
fn a_line_that_is_no_message_is_answered_with_an_error_and_not_passed_on() {
    let folder = folder(support::ALLOW_ALL);
    let mut wrapped = wrap(&folder);
    for (line, code) in [
        ("{", "-32700"),
        ("[]", "-32600"),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}",
            "-32700",
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no/such\"}",
            "-32601",
        ),
    ] {
        assert_eq!(kind(&wrapped.ask(line)), code, "{line}");
    }
    assert_eq!(received(&folder), "");
}

#[test]
fn a_line_that_is_too_long_is_answered_once_even_if_its_end_comes_late() {
    let folder = folder(support::ALLOW_ALL);
    let mut wrapped = wrap(&folder);
    let long = " ".repeat(5 << 20);
    assert_eq!(kind(&wrapped.ask(&long)), "-32600");
    // Something of the server's must come while the rest of the long line is still awaited.
    wrapped.send(&format!("{}\n{long}", message("1", "ping")));
    let heard = [wrapped.next(), wrapped.next()];
    assert!(
        heard.iter().any(|line| line.contains("\"id\":1")),
        "{heard:?}"
    );
    let hidden = tools_call("2", "work", "{}");
    wrapped.send(&format!("{hidden}\n"));
    assert_eq!(
        kind(&wrapped.next()),
        "-32600",
        "the end of a long line is no line of its own"
    );
    assert_eq!(kind(&wrapped.ask(&tools_call("3", "work", "{}"))), "ran");
    assert!(
        !received(&folder).contains("\"id\":2"),
        "{}",
        received(&folder)
    );
}

#[test]
fn two_wraps_do_not_share_a_folder_and_a_broken_policy_starts_nothing() {
    let folder = folder(support::ALLOW_ALL);
    let mut first = wrap(&folder);
    assert_eq!(kind(&first.ask(&tools_call("1", "work", "{}"))), "ran");
    let second = folder.run(&[
        "wrap",
        "--policy",
        "policy.json",
        "--data",
        "data",
        "--",
        "python3",
        "server.py",
    ]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("is in use by another toolgate"));
    folder.write("policy.json", "{\n\"version\":\"2\"}");
    let broken = folder.run(&[
        "wrap",
        "--policy",
        "policy.json",
        "--data",
        "other",
        "--",
        "python3",
        "server.py",
    ]);
    assert_eq!((broken.status.code(), broken.stdout.len()), (Some(2), 0));
    assert!(
        String::from_utf8_lossy(&broken.stderr).contains("policy.json:2:"),
        "{broken:?}"
    );
    folder.write("policy.json", support::ALLOW_ALL);
    let missing = folder.run(&[
        "wrap",
        "--policy",
        "policy.json",
        "--data",
        "other",
        "--",
        "no-such-program",
    ]);
    assert_eq!(
        (missing.status.code(), missing.stdout.len()),
        (Some(1), 0),
        "{missing:?}"
    );
}

#[test]
fn a_line_stays_one_line_for_every_reader() {
    let folder = folder(r#"{"version":"1","default":"deny"}"#);
    let mut wrapped = wrap(&folder);
    let hidden = tools_call("2", "work", "{}");
    wrapped.send(&format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{{\"x\":\r{hidden}\r}}}}\r\n"
    ));
    assert!(
        wrapped.next().contains("notifications/message"),
        "one ping was heard"
    );
    assert!(wrapped.next().contains("\"id\":1"));
    let said = message("3", "ping").replace("{}", "{\"s\":\"a\u{2028}b\u{2029}c\u{85}d\"}");
    assert!(wrapped.ask(&said).contains("notifications/message"));
    assert!(wrapped.next().contains("\"id\":3"));
    let received = received(&folder);
    assert_eq!(received.lines().count(), 2, "{received:?}");
    assert!(
        received.contains("\"a\\u2028b\\u2029c\\u0085d\""),
        "{received:?}"
    );
}
