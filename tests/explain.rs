//! `toolgate explain` says what a policy decides of a call, each step of the way, and what the agent would read.
//!
//! Never looks inside: what it expects is what a person or a program reads, and what a gateway really answers.

mod support;

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use support::{Folder, Upstream};

const FILES: [(&str, &str); 4] = [
    ("careful.json", include_str!("fixtures/check/careful.json")),
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

fn explain(policy: &str, call: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let arguments = ["explain", "--policy", policy, "--call", call];
    texts(&folder().run(&[&arguments, more].concat()))
}

/// The explanation as programs get it.
fn explained(policy: &str, call: &str, more: &[&str]) -> Value {
    let (code, stdout, stderr) = explain(policy, call, &[more, &["--format", "json"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    serde_json::from_str(&stdout).expect("JSON")
}

const TOO_MUCH: &str = r#"{"tool":"create_charge","args":{"amount":20000,"reason":"x"}}"#;
const FINE: &str = r#"{"tool":"create_charge","args":{"amount":2,"reason":"x"}}"#;

#[test]
fn a_refusal_is_explained_to_the_rule_that_decided() {
    let expected = r#"a call of "create_charge"

 1. hide       the tool is not hidden
 2. tools      this entry speaks for the tool
    /tools/create_charge (line 6)
 3. require    holds
    /tools/create_charge/require/args.reason-exists (line 7)
      args.reason exists true saw "x" → true
 4. deny_if    holds: refused
    /tools/create_charge/deny_if/args.amount-gt (line 8)
      args.amount gt 10000 saw 20000 → true

decision: deny by /tools/create_charge/deny_if/args.amount-gt (/tools/create_charge/deny_if/0, line 8)
the agent reads: [POLICY DENIED] create_charge: args.amount must be at most 10000. The call was not run.
"#;
    let (code, stdout, stderr) = explain("careful.json", TOO_MUCH, &[]);
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (Some(0), expected, "")
    );
}

#[test]
fn a_call_that_may_run_is_explained_to_what_it_takes() {
    let (_, stdout, _) = explain("careful.json", FINE, &[]);
    let expected = "decision: allow\nit takes, if all of them have room:\n  1 from /tools/create_charge/limits/charges (line 9): at most 10 calls in any 60 seconds for each grant; 14,400 a day\n";
    assert!(stdout.ends_with(expected), "{stdout}");
}

#[test]
fn programs_get_the_keys_that_the_help_names() {
    let told = explained("careful.json", TOO_MUCH, &[]);
    let condition = json!({
        "depth": 0,
        "pointer": "/tools/create_charge/deny_if/0/conditions/0",
        "line": 8,
        "column": 36,
        "test": "args.amount gt 10000",
        "saw": "20000",
        "truth": "true",
        "why": null,
    });
    let step = json!({
        "section": "deny_if",
        "rule": "/tools/create_charge/deny_if/args.amount-gt",
        "pointer": "/tools/create_charge/deny_if/0",
        "line": 8,
        "column": 19,
        "truth": "true",
        "follows": "holds: refused",
        "conditions": [condition],
    });
    assert_eq!(told["steps"][3], step);
    let keys = [
        "verdict", "rule", "pointer", "line", "column", "sentence", "steps", "shadowed", "charges",
    ];
    let mut found: Vec<_> = told.as_object().expect("an object").keys().collect();
    found.sort();
    let mut expected = keys.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let charge = &explained("careful.json", FINE, &[])["charges"][0];
    let rule = &charge["rule"];
    assert_eq!(
        (rule, &charge["line"]),
        (&json!("/tools/create_charge/limits/charges"), &json!(9))
    );
    let (_, help, _) = texts(&Folder::new().run(&["explain", "--help"]));
    let inside = condition.as_object().expect("an object").keys();
    for key in keys.into_iter().chain(inside.map(String::as_str)) {
        assert!(help.contains(key), "{key} is not in the help");
    }
}

#[test]
fn what_the_agent_would_read_is_what_a_gateway_answers() {
    let upstream = Upstream::working();
    let policy = r#"{"version":"1","default":"deny","tools":{
        "work":{"deny_if":[{"conditions":[{"path":"args.n","op":"gt","value":5}],"on_deny":"Less, please."}]},
        "ask":{"action":"require_approval","reason":"Ask first."}}}"#;
    let folder = Folder::of(&upstream.url(), policy);
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    for (tool, arguments) in [
        ("work", r#"{"n":6}"#),
        ("work", r#"{"n":"6"}"#),
        ("ask", "{}"),
        ("none", "{}"),
    ] {
        let call = format!(r#"{{"tool":"{tool}","args":{arguments}}}"#);
        let explain = [
            "explain",
            "--policy",
            "policy.json",
            "--format",
            "json",
            "--call",
            &call,
        ];
        let (_, stdout, stderr) = texts(&folder.run(&explain));
        let told: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stderr}"));
        let answered = agent
            .post(&support::tools_call("1", tool, arguments))
            .json();
        assert_eq!(
            told["sentence"], answered["result"]["content"][0]["text"],
            "{call}"
        );
    }
}

#[test]
fn a_call_is_read_as_it_was_sent_and_from_standard_input() {
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_charge","arguments":{"amount":20000,"reason":"x"}}}"#;
    let params = r#"{"name":"create_charge","arguments":{"amount":20000,"reason":"x"},"_meta":{}}"#;
    for call in [message, params] {
        assert_eq!(
            explained("careful.json", call, &[])["verdict"],
            "deny",
            "{call}"
        );
    }
    let folder = folder();
    let mut command = folder.program();
    command.args(["explain", "--policy", "careful.json", "--call", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(FINE.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(texts(&output).1.contains("decision: allow"));
}

#[test]
fn who_calls_and_when_is_told_by_the_command_line() {
    let folder = folder();
    let test = |path: &str, op: &str, value: &str| {
        format!(r#"{{"conditions":[{{"path":"{path}","op":"{op}","value":{value}}}]}}"#)
    };
    let require = [
        test("grant.label", "eq", "\"support\""),
        test("grant.tags.team", "eq", "\"billing\""),
        test("time.hour", "gte", "20"),
        test("tool.name", "eq", "\"t\""),
    ];
    let forbidden = test("client.name", "eq", "\"evil\"");
    folder.write(
        "who.json",
        &format!(
            r#"{{"version":"1","default":"allow","all_tools":{{"require":[{}],"deny_if":[{forbidden}]}}}}"#,
            require.join(",")
        ),
    );
    let all = [
        "--label=support",
        "--tag=team=billing",
        "--tag=a=b=c",
        "--at=2026-11-24T21:00:00+01:00",
        "--client=good",
    ];
    let verdict = |arguments: &[&str], expected: &str| {
        let call = [
            "explain",
            "--policy",
            "who.json",
            "--call",
            r#"{"tool":"t"}"#,
        ];
        let expected = ["--expect", expected];
        let output = folder.run(&[&call, arguments, &expected].concat());
        let (code, stdout, stderr) = texts(&output);
        assert_eq!(code, Some(0), "{arguments:?} {stdout}{stderr}");
    };
    verdict(&all, "allow");
    for (at, other) in [
        (0, "--label=other"),
        (1, "--tag=team=sales"),
        (3, "--at=2026-11-24T20:30:00+01:00"),
        (4, "--client=evil"),
    ] {
        let mut arguments = all;
        arguments[at] = other;
        verdict(&arguments, "deny");
    }
}

#[test]
fn the_tools_own_definition_comes_from_a_file_or_a_live_server() {
    let folder = folder();
    folder.write(
        "own.json",
        r#"{"version":"1","default":"allow","tools":{"create_charge":{"schema":true}}}"#,
    );
    let upstream = Upstream::start(support::upstream::serving(&["create_charge"]));
    folder.configure(&upstream.url(), "");
    let call = r#"{"tool":"create_charge","args":{"amount":"much","reason":"x"}}"#;
    let verdict = |call: &str, more: &[&str]| {
        let arguments = [
            "explain", "--policy", "own.json", "--format", "json", "--call", call,
        ];
        let (_, stdout, stderr) = texts(&folder.run(&[&arguments, more].concat()));
        let told: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stderr}"));
        let follows = told["steps"]
            .as_array()
            .and_then(|steps| steps.last().cloned());
        (
            told["verdict"].as_str().expect("a verdict").to_owned(),
            follows.expect("a step")["follows"].to_string(),
        )
    };
    let (unknown, why) = verdict(call, &[]);
    assert!(
        unknown == "deny" && why.contains("could not be listed"),
        "{why}"
    );
    let (misfit, why) = verdict(call, &["--tools", "tools.json"]);
    assert!(
        misfit == "deny" && why.contains("args.amount does not fit"),
        "{why}"
    );
    assert_eq!(
        verdict(call, &["--server", "s"]).0,
        "allow",
        "it takes any object"
    );
    assert_eq!(upstream.calls(), 0, "no tool is called");
    let (absent, why) = verdict(r#"{"tool":"gone"}"#, &["--tools", "tools.json"]);
    assert!(
        absent == "deny" && why.contains("does not list the tool"),
        "{why}"
    );
}

#[test]
fn another_decision_than_the_expected_one_is_exit_code_1() {
    for (call, verdict) in [(FINE, "allow"), (TOO_MUCH, "deny")] {
        for expected in ["allow", "deny", "approve"] {
            let code = i32::from(expected != verdict);
            let found = explain("careful.json", call, &["--expect", expected]);
            assert_eq!(found.0, Some(code), "{verdict} {expected}");
        }
    }
}

#[test]
fn a_policy_whose_own_tests_fail_is_explained_all_the_same() {
    let told = explained("failing.json", r#"{"tool":"list_charges"}"#, &[]);
    assert_eq!(told["verdict"], "allow");
}

#[test]
fn what_cannot_be_used_is_exit_code_2() {
    let fine = "careful.json";
    for (policy, call, says) in [
        ("none.json", FINE, "none.json: cannot read this policy"),
        ("broken.json", FINE, "broken.json:3:14 /default"),
        (fine, "{", "the call: invalid JSON"),
        (
            fine,
            r#"{"tool":"a","tool":"b"}"#,
            "the call: a duplicate key",
        ),
        (fine, r#"{"args":{}}"#, "the call: it names no tool"),
        (
            fine,
            r#"{"tool":"a","args":[]}"#,
            "its arguments must be an object",
        ),
        (fine, r#"{"tool":"a","arg":{}}"#, "unknown key \"arg\""),
    ] {
        let (code, stdout, stderr) = explain(policy, call, &[]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{policy} {call}");
        assert!(stderr.contains(says), "{says:?} is not in {stderr}");
    }
    for flag in ["--at=yesterday", "--tag=team", "--expect=maybe"] {
        let (code, _, stderr) = explain(fine, FINE, &[flag]);
        assert!(
            code == Some(2) && stderr.contains("invalid value"),
            "{flag}: {stderr}"
        );
    }
}
