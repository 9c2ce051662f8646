//! README: `toolgate serve --demo` shows all that a first call needs, ten of twelve calls pass, and a restart forgets nothing.
//!
//! What the demo prints is pasted into a shell here, as a reader would.

mod support;

use std::process::Command;

use serde_json::Value;
use support::{Agent, Folder, Gateway, until};

const SERVE: &[&str] = &[
    "serve",
    "--demo",
    "--listen",
    "127.0.0.1:0",
    "--admin",
    "127.0.0.1:0",
];
const IMPORT: &str = "start_dicom_import_job";

fn demo(folder: &Folder) -> Gateway {
    folder.serve_as(folder.program(), SERVE)
}

fn token_in(gateway: &Gateway) -> Option<String> {
    let said = gateway.said.join("\n");
    let token = said
        .lines()
        .find_map(|line| line.strip_prefix("token: tg_"));
    token.map(|token| format!("tg_{token}"))
}

fn agent(gateway: &Gateway, token: &str) -> Agent {
    Agent {
        path: "/mcp/demo".to_owned(),
        ..gateway.agent(token)
    }
}

/// How many of so many calls pass.
fn passing(agent: &Agent, calls: usize) -> usize {
    (0..calls)
        .filter(|_| agent.call(IMPORT).kind() == "ran")
        .count()
}

fn place_of(gateway: &Gateway, start: &str) -> usize {
    let place = gateway.said.iter().position(|line| line.starts_with(start));
    place.unwrap_or_else(|| panic!("no line {start:?} in {:?}", gateway.said))
}

#[test]
fn the_demo_says_endpoint_token_client_configuration_call_and_admin_address_in_this_order() {
    let folder = Folder::new();
    let gateway = demo(&folder);
    let places = [
        "endpoint: ",
        "token: tg_",
        "client configuration:",
        "curl ",
        "admin: ",
    ]
    .map(|start| place_of(&gateway, start));
    assert!(places.is_sorted(), "{:?}", gateway.said);
    let from = places[2] + 1;
    let to = from
        + gateway.said[from..]
            .iter()
            .position(|line| line == "}")
            .expect("the configuration ends");
    let client: Value = serde_json::from_str(&gateway.said[from..=to].join("\n"))
        .expect("the configuration is JSON");
    let server = &client["mcpServers"]["demo"];
    assert_eq!(
        server["url"],
        format!("http://{}/mcp/demo", gateway.address())
    );
    let bearer = format!("Bearer {}", token_in(&gateway).expect("a token"));
    assert_eq!(server["headers"]["Authorization"], bearer);
}

#[test]
fn the_printed_curl_line_works_when_it_is_pasted_and_ten_of_twelve_calls_pass() {
    let folder = Folder::new();
    let gateway = demo(&folder);
    let line = &gateway.said[place_of(&gateway, "curl ")];
    let pasted = || {
        Command::new("sh")
            .args(["-c", line])
            .output()
            .expect("sh runs")
            .stdout
    };
    let replies: Vec<String> = (0..12)
        .map(|_| String::from_utf8_lossy(&pasted()).into_owned())
        .collect();
    let passed = replies
        .iter()
        .filter(|reply| reply.contains("reached the demo server"))
        .count();
    let denied = replies
        .iter()
        .filter(|reply| reply.contains("[POLICY DENIED]"))
        .count();
    assert_eq!((passed, denied), (10, 2), "{replies:?}");
    assert!(
        replies[10..]
            .iter()
            .all(|reply| reply.contains("at most 10 calls per minute")),
        "{replies:?}"
    );
}

#[test]
fn a_second_start_shows_no_token_and_still_counts() {
    let folder = Folder::new();
    let first = demo(&folder);
    let token = token_in(&first).expect("the first start shows a token");
    assert_eq!(passing(&agent(&first, &token), 4), 4);
    assert!(first.stop().success());
    let second = demo(&folder);
    let said = second.said.join("\n");
    assert_eq!(token_in(&second), None, "{said}");
    assert!(
        said.contains("exists already") && said.contains("toolgate grant new"),
        "{said}"
    );
    assert!(!said.contains(&token), "{said}");
    assert_eq!(passing(&agent(&second, &token), 4), 4);
    second.kill();
    let third = demo(&folder);
    assert_eq!(
        passing(&agent(&third, &token), 4),
        2,
        "eight were used before"
    );
}

#[test]
fn grants_are_made_listed_and_revoked_while_the_demo_runs() {
    let folder = Folder::new();
    let gateway = demo(&folder);
    let first = token_in(&gateway).expect("a token");
    let made = folder.run(&["grant", "new"]);
    let token = String::from_utf8(made.stdout).expect("text");
    let second = agent(&gateway, token.trim());
    until("the new token works", || {
        (second.call(IMPORT).status == 200).then_some(())
    });
    assert_eq!(
        passing(&second, 12),
        9,
        "a new grant has counts of its own, and one call was made"
    );
    let listed = String::from_utf8(folder.run(&["grant", "list"]).stdout).expect("text");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(!listed.contains("tg_"), "{listed}");
    let told = String::from_utf8(made.stderr).expect("text");
    let id = listed
        .split_whitespace()
        .find(|word| word.len() == 36 && told.contains(word))
        .expect("its id is listed");
    assert!(folder.run(&["grant", "revoke", id]).status.success());
    until("the revoked token is refused", || {
        (second.call(IMPORT).status == 401).then_some(())
    });
    assert_eq!(
        agent(&gateway, &first).call(IMPORT).status,
        200,
        "the other grant goes on"
    );
    for id in [id, "no-such-id"] {
        assert_eq!(
            folder.run(&["grant", "revoke", id]).status.code(),
            Some(2),
            "{id}"
        );
    }
}
