//! README: what cannot work is said before anything starts: which file, which line, what to do, and a fixed exit code.
//!
//! Exit codes: 0 done, 1 it ran and failed, 2 it cannot be used.

mod support;

use std::process::Output;

use support::{ALLOW_ALL, Folder, Upstream};

fn texts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

const GOOD: &str = "[servers.s]\nurl = \"http://127.0.0.1:1/\"\n[policies]\np = \"policy.json\"\n[grants.g]\nservers = { s = \"p\" }\n";

/// Starts with `GOOD` in which one text is replaced by another: a mistake in that line, of which it says this.
fn refuses_configuration(replaced: (&str, &str), (line, says): (usize, &str)) {
    let folder = Folder::new();
    folder.write("policy.json", ALLOW_ALL);
    assert!(GOOD.contains(replaced.0));
    let broken = GOOD.replace(replaced.0, replaced.1);
    folder.write("toolgate.toml", &broken);
    let (code, stdout, stderr) = texts(&folder.run(&["serve"]));
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{broken}\n{stderr}");
    assert!(
        stderr.contains(&format!("toolgate.toml:{line}:")),
        "line {line} of {broken}\n{stderr}"
    );
    assert!(stderr.contains(says), "{says:?} is not in {stderr}");
    assert!(!folder.path("toolgate-data").exists(), "nothing was begun");
}

#[test]
fn a_setting_that_cannot_be_used_is_refused_with_file_line_and_remedy() {
    for (setting, says) in [
        ("lisen = \"x\"", "unknown field `lisen`"),
        ("listen = \"7080\"", "socket address"),
        ("workers = 0", "a whole number from 1"),
        (
            "guard = { per_second = 0, burst = 1 }",
            "a whole number from 1",
        ),
    ] {
        refuses_configuration(
            ("[servers.s]", &format!("{setting}\n[servers.s]")),
            (1, says),
        );
    }
}

#[test]
fn a_broken_configuration_is_refused_with_file_line_and_remedy() {
    let grants = "[grants.g]\nservers = { s = \"p\" }\n";
    for (replaced, mistake) in [
        (("[servers.s]", "[servers.s"), (1, "toolgate serve --help")),
        (("http:/", "ftp:/"), (1, "http:// or https://")),
        (("url = ", "curl = "), (2, "unknown field `curl`")),
        (("url = ", "command = \"x\"\nurl = "), (1, "mixes")),
        (
            ("url = \"http://127.0.0.1:1/\"", ""),
            (1, "neither `url` nor `command`"),
        ),
        (("servers.s", "servers.\"a/b\""), (1, "1 to 64")),
        (
            ("{ s = \"p\" }", "{ t = \"p\" }"),
            (6, "the servers are: s"),
        ),
        (
            ("{ s = \"p\" }", "{ s = \"q\" }"),
            (6, "the policies are: p"),
        ),
        ((grants, ""), (1, "no grant is named")),
        (
            ("[policies]", "headers = { A = \"${NO_SUCH}\" }\n[policies]"),
            (1, "NO_SUCH"),
        ),
    ] {
        refuses_configuration(replaced, mistake);
    }
}

/// `check` and `serve` refuse this policy for a mistake in that line.
fn refuses_policy(broken: &str, line: usize) {
    let folder = Folder::of("http://127.0.0.1:1/", ALLOW_ALL);
    folder.write("policy.json", broken);
    let place = format!("policy.json:{line}:");
    let (code, stdout, _) = texts(&folder.run(&["check", "policy.json"]));
    assert_eq!(code, Some(1), "{broken}\n{stdout}");
    assert!(stdout.contains(&place), "line {line} of {broken}\n{stdout}");
    let (code, stdout, stderr) = texts(&folder.run(&["serve"]));
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{broken}\n{stderr}");
    assert!(stderr.contains(&place), "line {line} of {broken}\n{stderr}");
}

#[test]
fn a_broken_policy_is_refused_with_file_line_and_remedy() {
    for (broken, line) in [
        ("{", 1),
        ("{\"version\":\"1\"\n}", 1),
        ("{\"default\":\"deny\"}", 1),
        ("{\"version\":\"1\",\n\"default\":\"maybe\"}", 2),
        (
            "{\"version\":\"1\",\n\"default\":\"deny\",\n\"defualt\":\"deny\"}",
            3,
        ),
        (
            "{\"version\":\"1\",\n\"default\":\"deny\",\n\"default\":\"allow\"}",
            3,
        ),
    ] {
        refuses_policy(broken, line);
    }
}

#[test]
fn a_rule_that_cannot_be_judged_is_refused_with_file_line_and_remedy() {
    for rules in [
        r#""limits":[{"counter":"c","window":"minute","max":0}]"#,
        r#""limits":[{"counter":"c","window":"fortnight","max":1}]"#,
        r#""limits":[{"counter":"c","window":"minute","max":1,"scope":"nobody"}]"#,
        r#""deny_if":[{"conditions":[{"path":"args.a","op":"gtt","value":1}]}]"#,
        r#""deny_if":[{"conditions":[{"path":"a","op":"gt","value":1}]}]"#,
        r#""deny_if":[{"conditions":[{"path":"args.a","op":"regex","value":"("}]}]"#,
        r#""rate_limit":"ten a minute""#,
        r#""no_such_key":1"#,
    ] {
        let tool = format!(
            "{{\"version\":\"1\",\"default\":\"deny\",\n\"tools\":{{\"t\":{{\n{rules}}}}}}}"
        );
        refuses_policy(&tool, 3);
    }
}

#[test]
fn check_tells_all_mistakes_of_all_files_at_once() {
    let folder = Folder::new();
    folder.write("good.json", ALLOW_ALL);
    folder.write(
        "bad.json",
        "{\"version\":\"1\",\n\"default\":\"maybe\",\n\"deny_iff\":[]}",
    );
    let (code, stdout, _) = texts(&folder.run(&["check", "good.json", "bad.json"]));
    assert_eq!(code, Some(1));
    assert!(stdout.contains("good.json: valid (0 limits"), "{stdout}");
    assert!(
        stdout.contains("bad.json:2:") && stdout.contains("bad.json:3:"),
        "{stdout}"
    );
    assert_eq!(texts(&folder.run(&["check", "good.json"])).0, Some(0));
    let (code, _, stderr) = texts(&folder.run(&["check", "none.json"]));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("none.json"), "{stderr}");
}

#[test]
fn a_start_without_a_configuration_teaches() {
    let folder = Folder::new();
    let (code, stdout, stderr) = texts(&folder.run(&["serve"]));
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(
        stderr.contains("--demo") && stderr.contains("toolgate serve --help"),
        "{stderr}"
    );
    for arguments in [
        &["grant", "new"][..],
        &["grant", "list"],
        &["grant", "revoke", "x"],
    ] {
        let (code, stdout, stderr) = texts(&folder.run(arguments));
        assert_eq!(
            (code, stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}: {stderr}"
        );
    }
    assert!(!folder.path("toolgate-data").exists(), "nothing was begun");
    let (code, _, stderr) = texts(&folder.run(&["serve", "--config", "none.toml"]));
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("none.toml") && stderr.contains("cannot read"),
        "{stderr}"
    );
}

#[test]
fn a_second_gateway_in_the_same_folder_or_on_the_same_port_is_refused() {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), ALLOW_ALL);
    let gateway = folder.serve();
    let (code, stdout, stderr) = texts(&folder.run(&["serve"]));
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("is in use by another toolgate"), "{stderr}");
    for (flag, address) in [
        ("--listen", gateway.address()),
        ("--admin", gateway.admin()),
    ] {
        let (code, stdout, stderr) =
            texts(&folder.run(&["serve", "--data", "other", flag, &address.to_string()]));
        assert!(code == Some(1) || code == Some(2), "{code:?}");
        assert_eq!(stdout, "");
        assert!(
            stderr.contains(&address.to_string()) && stderr.contains(flag),
            "{stderr}"
        );
    }
    let token = folder.grant("g");
    support::until("the first goes on", || {
        (gateway.agent(&token).call("work").status == 200).then_some(())
    });
}

#[test]
fn a_grant_that_the_configuration_does_not_have_is_not_made() {
    let folder = Folder::of("http://127.0.0.1:1/", ALLOW_ALL);
    let (code, stdout, stderr) = texts(&folder.run(&["grant", "new", "h"]));
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(
        stderr.contains("it has: g") && stderr.contains("[grants.h]"),
        "{stderr}"
    );
    let (_, token, told) = texts(&folder.run(&["grant", "new", "g"]));
    assert!(
        token.starts_with("tg_") && token.lines().count() == 1,
        "a token alone on standard output"
    );
    assert!(!told.contains(token.trim()), "{told}");
}

#[test]
fn a_clients_own_file_is_accepted_with_a_policy() {
    let upstream = Upstream::working();
    let folder = Folder::new();
    folder.write("policy.json", ALLOW_ALL);
    let clients = format!(
        "{{\"mcpServers\":{{\"s\":{{\"type\":\"http\",\"url\":\"{}\"}},\"off\":{{\"command\":\"x\",\"disabled\":true}}}}}}",
        upstream.url()
    );
    folder.write("clients.json", &clients);
    let place = ["--config", "clients.json", "--policy", "policy.json"];
    let (code, token, stderr) = texts(&folder.run(&[&["grant", "new"], &place[..]].concat()));
    assert_eq!(code, Some(0), "{stderr}");
    let (code, _, stderr) = texts(&folder.run(&["serve", "--config", "clients.json"]));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--policy"), "{stderr}");
    let anywhere = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let gateway = folder.serve_as(
        folder.program(),
        &[&["serve"], &place[..], &anywhere].concat(),
    );
    assert_eq!(gateway.agent(token.trim()).call("work").kind(), "ran");
}

#[test]
fn every_command_explains_itself_and_completes() {
    let folder = Folder::new();
    let commands = [
        &[][..],
        &["serve"],
        &["wrap"],
        &["check"],
        &["explain"],
        &["grant"],
        &["grant", "new"],
        &["grant", "list"],
        &["grant", "revoke"],
        &["completions"],
    ];
    for command in commands {
        let (code, stdout, _) = texts(&folder.run(&[command, &["--help"]].concat()));
        assert!(
            code == Some(0) && stdout.contains("Usage: toolgate"),
            "{command:?}: {stdout}"
        );
    }
    assert!(texts(&folder.run(&["--help"])).1.contains("Exit codes:"));
    assert!(
        texts(&folder.run(&["serve", "--help"]))
            .1
            .contains("[servers.files]")
    );
    let (code, script, _) = texts(&folder.run(&["completions", "bash"]));
    assert!(
        code == Some(0) && script.contains("complete -F _toolgate"),
        "{script}"
    );
    assert!(!script.contains("--no-such"), "{script}");
    let (code, _, stderr) = texts(&folder.run(&["sevre"]));
    assert!(code == Some(2) && stderr.contains("'serve'"), "{stderr}");
}
