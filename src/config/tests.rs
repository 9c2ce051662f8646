//! What a configuration may say, and what each mistake is answered with.

use super::*;
use crate::record::{Audit, Durability};

const POLICY: &str = r#"{"version":"1","default":"allow"}"#;

/// A folder with the files given.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file for the test");
    }
    folder
}

/// What is wrong with a configuration, with the folder's path taken out.
fn told(text: &str) -> String {
    let folder = folder(&[
        ("c.toml", text),
        ("p.json", POLICY),
        ("bad.json", r#"{"version":"1"}"#),
    ]);
    let error = Config::load(&folder.path().join("c.toml"), None).expect_err(text);
    assert!(!error.mistakes.is_empty());
    for mistake in &error.mistakes {
        assert!(
            mistake.remedy.is_some() || mistake.file.ends_with("bad.json"),
            "{mistake}: no remedy"
        );
    }
    error
        .to_string()
        .replace(&format!("{}/", folder.path().display()), "")
}

const SERVER: &str = "[servers.s]\nurl = \"http://127.0.0.1:1/mcp\"\n";
const POLICIES: &str = "[policies]\np = \"p.json\"\n";
const GRANT: &str = "[grants.g]\nservers = { s = \"p\" }\n";

#[test]
fn a_configuration_says_all_it_can_say() {
    let text = format!(
        "listen = \"127.0.0.1:1\"\nadmin = \"127.0.0.1:2\"\ndata = \"d\"\nworkers = 3\nhosts = [\"h\"]\n\
         origins = [\"https://o\"]\nbody_max_bytes = 10\nbody_timeout_seconds = 1\ndrain_seconds = 2\n\
         sse_keep_alive_seconds = 3\nconnections_max = 4\ncounters_max = 11\ncounters_per_grant_max = 12\ndurability = \"write\"\naudit = \"best_effort\"\n[guard]\nper_second = 5\nburst = 6\n\
         [servers.c]\ncommand = \"x\"\nargs = [\"y\"]\nenv = {{ A = \"${{PATH}}\" }}\ncwd = \"w\"\n\
         first_byte_timeout_seconds = 7\ncall_timeout_seconds = 2678400\n{SERVER}headers = {{ Authorization = \"Bearer z\" }}\nconnect_timeout_seconds = 8\n\
         {POLICIES}{GRANT}quota = true\n"
    );
    let folder = folder(&[("c.toml", &text), ("p.json", POLICY)]);
    let config = Config::load(&folder.path().join("c.toml"), None).expect("valid");
    assert_eq!(config.data, folder.path().join("d"));
    assert_eq!(config.settings.workers, 3);
    assert_eq!(config.settings.guard.burst.get(), 6);
    let bounds = config.settings.counters;
    assert_eq!((bounds.all.get(), bounds.per_grant.get()), (11, 12));
    let keeping = config.settings.keeping;
    assert_eq!(
        (keeping.durability, keeping.audit),
        (Durability::Write, Audit::BestEffort)
    );
    assert_eq!(config.servers["s"].times.connect, Duration::from_secs(8));
    assert_eq!(config.servers["c"].times.first_byte, Duration::from_secs(7));
    let calls = ["s", "c"].map(|name| config.servers[name].times.call.as_secs());
    assert_eq!(calls, [3_600, 31 * 86_400]);
    assert!(config.grants["g"].is_told_quota);
    let Transport::Stdio(command) = &config.servers["c"].transport else {
        panic!("c is a command")
    };
    assert_eq!(command.cwd.as_deref(), Some(&*folder.path().join("w")));
    assert_eq!(
        command.env[0].1,
        std::env::var("PATH").expect("tests have a PATH")
    );
    assert!(config.grants["g"].servers.contains_key("s"));
    assert_eq!(config.files.len(), 2, "the file and its policy are watched");
}

/// A file in which `{S}`, `{P}` and `{G}` stand for a good server, policy and grant; and what it is answered with.
const BAD: &[(&str, &str)] = &[
    ("", "c.toml:1:1: no server is named"),
    ("{S}{P}", "c.toml:1:1: no grant is named"),
    (
        "listne = 1\n{S}{P}{G}",
        "c.toml:1:1: unknown field `listne`, expected",
    ),
    (
        "listen = \"here\"\n{S}{P}{G}",
        "c.toml:1:10: invalid socket address",
    ),
    (
        "workers = 0\n{S}{P}{G}",
        "c.toml:1:11: invalid value: integer `0`",
    ),
    (
        "body_max_bytes = 0\n{S}{P}{G}",
        "c.toml:1:18: invalid value: integer `0`",
    ),
    (
        "connections_max = -1\n{S}{P}{G}",
        "c.toml:1:19: invalid value: integer `-1`",
    ),
    (
        "counters_max = 0\n{S}{P}{G}",
        "c.toml:1:16: invalid value: integer `0`",
    ),
    (
        "counters_per_grant_max = -1\n{S}{P}{G}",
        "c.toml:1:26: invalid value: integer `-1`",
    ),
    (
        "durability = \"sync\"\n{S}{P}{G}",
        "c.toml:1:14: unknown variant `sync`, expected `write` or `fsync`",
    ),
    (
        "durability = \"fsync\"\naudit = \"best_effort\"\n{S}{P}{G}",
        "c.toml:2:9: `audit = \"best_effort\"` gives away what `durability = \"fsync\"` promises",
    ),
    (
        "{S}call_timeout_seconds = 0\n{P}{G}",
        "c.toml:3:24: invalid value: integer `0`",
    ),
    (
        "{S}call_timeout_seconds = 2678401\n{P}{G}",
        "c.toml:1:1: server \"s\" gives its calls more than 31 days",
    ),
    (
        "{S}{P}{G}quota = 1\n",
        "c.toml:7:9: invalid type: integer `1`, expected a boolean",
    ),
    (
        "workers = \"two\"\n{S}{P}{G}",
        "c.toml:1:11: invalid type: string \"two\"",
    ),
    (
        "[guard]\nper_second = 0\nburst = 1\n{S}{P}{G}",
        "c.toml:2:14: invalid value: integer `0`",
    ),
    (
        "[guard]\nper_second = 1\n{S}{P}{G}",
        "c.toml:1:1: missing field `burst`",
    ),
    ("{S}{S}{P}{G}", "c.toml:3:10: duplicate key"),
    (
        "[servers.s]\n{P}{G}",
        "server \"s\" has neither `url` nor `command`",
    ),
    (
        "{S}command = \"x\"\n{P}{G}",
        "server \"s\" mixes `url` with a command's settings",
    ),
    (
        "{S}args = [\"x\"]\n{P}{G}",
        "server \"s\" mixes `url` with a command's settings",
    ),
    (
        "[servers.s]\nurl = \"ftp://x\"\n{P}{G}",
        "`url`: a server's URL begins with http:// or https://",
    ),
    (
        "[servers.s]\nurl = \"http://u:p@x/\"\n{P}{G}",
        "`url`: the URL holds a user or password",
    ),
    (
        "{S}connect_timeout_seconds = 0\n{P}{G}",
        "c.toml:3:27: invalid value: integer `0`",
    ),
    (
        "{S}headers = { \"a b\" = \"x\" }\n{P}{G}",
        "\"a b\" is not the name of a header",
    ),
    (
        "{S}headers = { A = \"${TOOLGATE_NOT_SET}\" }\n{P}{G}",
        "the environment has no \"TOOLGATE_NOT_SET\"",
    ),
    (
        "[servers.\"a/b\"]\nurl = \"http://x\"\n{S}{P}{G}",
        "c.toml:1:10: server \"a/b\": a server's name has",
    ),
    (
        "[servers.a__b]\nurl = \"http://x\"\n{S}{P}{G}",
        "a server's name has no `__`",
    ),
    (
        "{S}{P}[grants.g]\nservers = { t = \"p\" }\n",
        "c.toml:6:13: grant \"g\" names the unknown server \"t\"\n    the servers are: s",
    ),
    (
        "{S}{P}[grants.g]\nservers = { s = \"q\" }\n",
        "c.toml:6:17: grant \"g\" names the unknown policy \"q\"\n    the policies are: p",
    ),
    (
        "{S}{P}q = \"nowhere.json\"\n{G}",
        "nowhere.json: cannot read this policy",
    ),
    ("{S}{P}q = \"bad.json\"\n{G}", "bad.json:1:1: "),
    ("{S}{P}[grants.g]\nserver = {}\n", "unknown field `server`"),
    ("listen = ", "c.toml:1:10: "),
];

#[test]
fn every_mistake_says_file_line_and_remedy() {
    for (text, expected) in BAD {
        let text = text
            .replace("{S}", SERVER)
            .replace("{P}", POLICIES)
            .replace("{G}", GRANT);
        let told = told(&text);
        assert!(
            told.contains(expected),
            "{text}\nsays: {told}\nnot:  {expected}"
        );
    }
}

#[test]
fn several_mistakes_are_told_at_once() {
    let told = told(
        "[servers.s]\n[servers.\"a b\"]\nurl = \"http://x\"\n[grants.g]\nservers = { s = \"p\" }\n",
    );
    for expected in ["neither `url` nor `command`", "\"a b\"", "unknown policy"] {
        assert!(told.contains(expected), "{expected} is missing in: {told}");
    }
}

#[test]
fn a_file_of_an_mcp_client_is_taken_as_it_is() {
    let text = r#"{"mcpServers": {
        "files": {"command": "npx", "args": ["-y", "x"], "env": {"A": "b"}, "autoApprove": ["y"]},
        "remote": {"type": "http", "url": "https://example.com/mcp", "headers": {"Authorization": "Bearer z"}},
        "off": {"command": "x", "disabled": true}}, "theme": "dark"}"#;
    let folder = folder(&[("c.json", text), ("p.json", POLICY)]);
    let config = Config::load(
        &folder.path().join("c.json"),
        Some(&folder.path().join("p.json")),
    )
    .expect("valid");
    assert_eq!(
        config
            .servers
            .keys()
            .map(|name| &**name)
            .collect::<Vec<_>>(),
        ["files", "remote"]
    );
    assert_eq!(config.grants[ONLY_GRANT].servers.len(), 2);
    let error = Config::load(&folder.path().join("c.json"), None).expect_err("no policy");
    assert!(error.to_string().contains("add --policy FILE"), "{error}");
}

#[test]
fn a_clients_file_that_is_broken_says_where() {
    let folder = folder(&[
        ("a.json", "{\n \"mcpServers\": 7}"),
        ("b.json", r#"{"mcpServers":{"x":{}}}"#),
        ("p.json", POLICY),
    ]);
    let policy = folder.path().join("p.json");
    let told = |name: &str| {
        Config::load(&folder.path().join(name), Some(&policy))
            .expect_err(name)
            .to_string()
    };
    assert!(told("a.json").contains("a.json:2:"), "{}", told("a.json"));
    assert!(
        told("b.json").contains("server \"x\": give it either `command` or `url`"),
        "{}",
        told("b.json")
    );
    assert!(
        told("c.json").contains("cannot read this file"),
        "{}",
        told("c.json")
    );
}

#[test]
fn a_credential_is_never_told() {
    let told =
        told("[servers.s]\nurl = \"ftp://x\"\nheaders = { Authorization = \"Bearer sesame\" }\n");
    assert!(!told.contains("sesame"), "{told}");
}

#[test]
fn the_demo_needs_no_file() {
    let config = Config::demo("/toolgate".into());
    assert!(config.files.is_empty() && config.servers.contains_key("demo"));
    assert_eq!(config.grants[ONLY_GRANT].servers["demo"].limits().len(), 1);
}

#[test]
fn how_lines_are_kept_is_read_at_a_start_only() {
    let before = Config::demo("toolgate".into());
    assert_eq!(before.settings.keeping, Keeping::default());
    let changed = |keeping| {
        let mut after = before.clone();
        after.settings.keeping = keeping;
        after.needs_restart_for(&before)
    };
    let durability = Durability::Fsync;
    let audit = Audit::BestEffort;
    assert!(changed(Keeping::default()).is_empty());
    assert_eq!(
        changed(Keeping { durability, audit }),
        ["durability", "audit"]
    );
}
