//! README: whoever can read the data folder's admin token sees and resets limits at the admin address; nobody else does, and
//! the fullest counters are gauges.
//!
//! The gateway is the real binary; requests are written byte by byte.

mod support;

use serde_json::{Value, json};
use support::{Agent, Folder, Gateway, Reply, Upstream, Wire, until};

const RULE: &str = "/tools/work/limits/c";
const POLICY: &str = r#"{"version":"1","default":"deny","tools":{"work":{"limits":[
    {"counter":"c","window":"hour","max":4},
    {"counter":"d","window":"day","max":100,"scope":"server"},
    {"counter":"e","window":"day","max":50,"by":["args.to"]}]}}}"#;

struct Stage {
    _upstream: Upstream,
    folder: Folder,
    gateway: Gateway,
    agent: Agent,
    admin: String,
}

impl Stage {
    fn new() -> Stage {
        let upstream = Upstream::working();
        let folder = Folder::of(&upstream.url(), POLICY);
        let token = folder.grant("g");
        let gateway = folder.serve();
        let admin = std::fs::read_to_string(folder.path("toolgate-data/admin-token"));
        Stage {
            _upstream: upstream,
            agent: gateway.agent(&token),
            admin: admin.expect("the start made it").trim_end().to_owned(),
            folder,
            gateway,
        }
    }

    /// Sends a request with these header lines; `Host` is among them or not.
    fn send(&self, line: &str, headers: &str, body: &str) -> Reply {
        let mut wire = Wire::to(self.gateway.admin());
        let length = body.len();
        wire.send(format!(
            "{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ));
        wire.reply()
    }

    fn as_operator(&self, line: &str, body: &str) -> Reply {
        let host = self.gateway.admin();
        let headers = format!("Host: {host}\r\nAuthorization: Bearer {}\r\n", self.admin);
        self.send(line, &headers, body)
    }

    fn shown(&self) -> Value {
        let reply = self.as_operator("GET /api/limits?grant=g", "");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// The id of the grant that was made first.
    fn first_id(&self) -> String {
        let listed = self.folder.run(&["grant", "list"]);
        let text = String::from_utf8(listed.stdout).expect("text");
        text.split(' ').next().expect("a first word").to_owned()
    }

    fn calls(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.agent.call("work").kind()).collect()
    }
}

const RESET: &str = "POST /api/limits/reset";

#[test]
fn without_the_admin_token_nothing_is_told_and_nothing_changes() {
    let stage = Stage::new();
    assert_eq!(stage.calls(5).last().map(String::as_str), Some("limit"));
    let host = format!("Host: {}\r\n", stage.gateway.admin());
    let bearer = |token: &str| format!("{host}Authorization: Bearer {token}\r\n");
    // Another last digit, whichever it was.
    let last = if stage.admin.ends_with('0') { '1' } else { '0' };
    let wrong = format!("{}{last}", &stage.admin[..67]);
    let twice = bearer(&stage.admin) + &format!("Authorization: Bearer {}\r\n", stage.admin);
    for headers in [
        host.clone(),
        bearer(&wrong),
        bearer(&stage.agent.token),
        format!("{host}Authorization: Basic {}\r\n", stage.admin),
        twice,
    ] {
        for (line, body) in [("GET /api/limits?grant=g", ""), (RESET, r#"{"grant":"g"}"#)] {
            let reply = stage.send(line, &headers, body);
            assert_eq!(reply.status, 401, "{line} {headers}");
            assert_eq!(reply.json()["error"]["kind"], "unauthorized");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        }
    }
    let own = bearer(&stage.admin).replace(&host, "Host: evil.example\r\n");
    let reply = stage.send(RESET, &own, r#"{"grant":"g"}"#);
    assert_eq!(reply.status, 421, "a name that was bent to this machine");
    assert_eq!(reply.header("access-control-allow-origin"), None);
    assert!(!stage.folder.log().contains("limits reset"));
    assert_eq!(stage.shown()["limits"][0]["left"], 0);
    assert_eq!(
        stage.gateway.page("/metrics").status,
        200,
        "no token needed"
    );
}

#[test]
fn the_api_shows_live_counters_and_resets_them() {
    let stage = Stage::new();
    assert_eq!(stage.shown()["limits"][0]["left"], 4);
    assert_eq!(stage.calls(5).last().map(String::as_str), Some("limit"));
    let told = stage.shown();
    let limit = &told["limits"][0];
    assert_eq!((&limit["rule"], &limit["left"]), (&json!(RULE), &json!(0)));
    assert!(
        limit["opens_ms"]
            .as_u64()
            .is_some_and(|wait| wait > 3_000_000)
    );
    let wanted = json!({ "grant": "g", "server": "s", "limit": RULE });
    let reply = stage.as_operator(RESET, &wanted.to_string());
    assert_eq!(reply.status, 200, "{}", reply.text());
    let told = reply.json();
    assert_eq!(told["reset"], json!([{ "server": "s", "rule": RULE }]));
    until("the reset is in force", || {
        (stage.shown()["limits"][0]["left"] == 4).then_some(())
    });
    assert_eq!(stage.shown()["limits"][1]["left"], 96, "the server's stays");
    assert_eq!(stage.calls(5), ["ran", "ran", "ran", "ran", "limit"]);
    let log = stage.folder.log();
    assert!(
        log.lines()
            .any(|line| line.contains("limits reset") && line.contains(RULE))
    );
}

#[test]
fn what_the_api_cannot_do_it_says_in_json() {
    let stage = Stage::new();
    let long = format!(r#"{{"grant":"{}"}}"#, "g".repeat(9_000));
    let shared = r#"{"grant":"g","limit":"/tools/work/limits/d"}"#;
    for (line, body, status, words) in [
        ("GET /api/limits?grant=h", "", 404, "there is no grant"),
        ("GET /api/limits", "", 400, "grant=GRANT"),
        ("GET /api/limits?grant=g&sever=s", "", 400, "sever"),
        ("GET /api/limits?grant=g&server=t", "", 404, "it reaches: s"),
        (RESET, "", 400, "send {\"grant\""),
        (RESET, r#"{"grant":"g","rule":"x"}"#, 400, "unknown field"),
        (RESET, r#"{"grant":"g","limit":"x"}"#, 404, RULE),
        (RESET, shared, 409, "other grants share"),
        (RESET, &long, 413, "at most 8192 bytes"),
        ("GET /api/limits/reset", "", 405, "use POST"),
        ("POST /api/limits?grant=g", "", 405, "GET for all"),
        ("GET /api/limit", "", 404, "/api/limits/reset"),
    ] {
        let reply = stage.as_operator(line, body);
        let message = reply.json()["error"]["message"].to_string();
        let message = message.replace("\\\"", "\"");
        assert_eq!(reply.status, status, "{line} {body}: {message}");
        assert!(message.contains(words), "{line} {body}: {message}");
    }
}

#[test]
fn the_fullest_counter_of_each_rule_is_a_gauge() {
    let stage = Stage::new();
    let other = stage.gateway.agent(&stage.folder.grant("g"));
    let used = |counter: &str| {
        let rule = format!("/tools/work/limits/{counter}");
        let series = format!(r#"toolgate_limit_used_ratio{{server="s",rule="{rule}"}}"#);
        stage.gateway.metric(&series)
    };
    let page = stage.gateway.page("/metrics").text();
    assert!(page.contains("# TYPE toolgate_limit_used_ratio gauge"));
    assert!(
        !page.contains("limits/e"),
        "it has a counter for each value"
    );
    assert_eq!(stage.calls(3), ["ran", "ran", "ran"]);
    until("the other grant is in force", || {
        (other.call("work").status == 200).then_some(())
    });
    assert_eq!((used("c"), used("d")), (0.75, 0.04));
    let id = stage.first_id();
    let reply = stage.as_operator(RESET, &json!({ "grant": id }).to_string());
    assert_eq!(reply.status, 200, "{}", reply.text());
    until("the reset is in force", || {
        (used("c") == 0.25).then_some(())
    });
    let told = stage.as_operator(&format!("GET /api/limits?grant={id}"), "");
    let left = &told.json()["limits"][1]["left"];
    assert_eq!(left, 96, "what grants share is not one grant's to reset");
}

#[test]
fn a_gateway_does_not_start_with_an_admin_token_that_others_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new();
    let token = stage.folder.path("toolgate-data/admin-token");
    let mode = |mode| std::fs::set_permissions(&token, PermissionsExt::from_mode(mode));
    assert!(stage.gateway.stop().success());
    mode(0o644).expect("it is our own file");
    let output = stage.folder.run(&["serve"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("chmod 600"), "{errors}");
    mode(0o600).expect("it is our own file");
    let again = stage.folder.serve();
    let kept = std::fs::read_to_string(&token).expect("it is there");
    assert_eq!(kept.trim_end(), stage.admin, "a restart keeps the token");
    drop(again);
}
