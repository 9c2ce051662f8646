//! README: the grant's token never leaves the gateway: not to a server, not into a journal, a log or a metric.
//!
//! The upstream records every byte, and all that the gateway wrote is searched.

#[path = "support/http2.rs"]
mod http2;
mod support;

use std::fs;
use std::path::Path;

use support::{ALLOW_ALL, Agent, Folder, Gateway, Upstream, message, tools_call, until};

struct Stage {
    upstream: Upstream,
    folder: Folder,
    gateway: Gateway,
    agent: Agent,
}

/// Everything is logged here, also what libraries say.
fn stage() -> Stage {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), ALLOW_ALL);
    let settings = "[servers.s.headers]\nAuthorization = \"Bearer upstreams-own\"\nX-Key = \"${UPSTREAM_KEY}\"\n";
    let config = fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    folder.write(
        "toolgate.toml",
        &config.replace("[policies]", &format!("{settings}[policies]")),
    );
    let mut program = folder.program();
    program
        .env("TOOLGATE_LOG", "trace")
        .env("UPSTREAM_KEY", "from-the-environment");
    let minted = folder
        .program()
        .env("UPSTREAM_KEY", "x")
        .args(["grant", "new", "g"])
        .output()
        .expect("it runs");
    let token = String::from_utf8(minted.stdout)
        .expect("text")
        .trim()
        .to_owned();
    let gateway = folder.serve_as(program, &["serve"]);
    let agent = gateway.agent(&token);
    Stage {
        upstream,
        folder,
        gateway,
        agent,
    }
}

impl Stage {
    /// Ends the gateway and searches all it left behind, and all that the upstream was sent.
    fn nothing_holds_the_token(self) {
        let Stage {
            upstream,
            folder,
            gateway,
            agent,
        } = self;
        let secret = &agent.token["tg_".len()..];
        assert_eq!(secret.len(), 49, "a whole token");
        let metrics = gateway.page("/metrics").text();
        assert!(
            metrics.contains("toolgate_") && !metrics.contains(secret),
            "{metrics}"
        );
        assert!(gateway.stop().success());
        assert!(folder.log().contains("draining"), "there is a log");
        for request in upstream.requests() {
            let text = request.text();
            assert!(
                !request.head.contains(secret) && !text.contains(secret),
                "{} {text}",
                request.head
            );
        }
        let mut files = 0;
        for place in ["stderr.log", "toolgate-data", "toolgate-data/journal"] {
            files += searched(&folder.path(place), secret);
        }
        assert!(files >= 4, "log, journal and store were searched: {files}");
    }
}

fn searched(place: &Path, secret: &str) -> usize {
    if place.is_file() {
        let bytes = fs::read(place).expect("a file of the test's own");
        let holds = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!holds, "{} holds the token", place.display());
        return 1;
    }
    let files = fs::read_dir(place)
        .expect("a folder of the test's own")
        .map(|entry| entry.expect("an entry").path());
    files
        .filter(|path| path.is_file())
        .map(|path| searched(&path, secret))
        .sum()
}

const STAYS_HERE: [&str; 9] = [
    "cookie",
    "origin",
    "x-api-key",
    "x-hop",
    "te",
    "keep-alive",
    "proxy-authorization",
    "mcp-session-id",
    "connection",
];

#[test]
fn a_token_in_any_header_stays_here() {
    let stage = stage();
    let token = stage.agent.token.clone();
    let headers = format!(
        "X-Api-Key: {token}\r\nCookie: session={token}\r\nX-Forwarded-Authorization: Bearer {token}\r\n\
         Mcp-Session-Id: a-{token}-b\r\nOrigin: http://{}\r\nProxy-Authorization: Bearer {token}\r\n\
         Connection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nX-Stays: 1\r\nX-Key: agents\r\n",
        stage.agent.address
    );
    let path = format!("/mcp/s?token={token}");
    let agent = Agent {
        path,
        ..stage.agent.clone()
    };
    for body in [tools_call("1", "work", "{}"), message("2", "tools/list")] {
        let mut wire = support::Wire::to(agent.address);
        wire.send(agent.request(&headers, &body));
        assert_eq!(wire.reply().status, 200);
    }
    let pairs = [
        ("x-api-key", &*token),
        ("cookie", &*token),
        ("x-stays", "1"),
    ];
    assert_eq!(
        http2::post(&agent, &pairs, &tools_call("3", "work", "{}")).status,
        200
    );
    until("libraries are heard of too", || {
        stage.folder.log().contains("TRACE").then_some(())
    });
    let requests = stage.upstream.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert!(
            request.head.starts_with("POST /mcp HTTP/1.1\r\n"),
            "{}",
            request.head
        );
        assert_eq!(
            request.header("authorization"),
            Some("Bearer upstreams-own")
        );
        assert_eq!(request.header("x-key"), Some("from-the-environment"));
        assert_eq!(request.header("x-stays"), Some("1"));
        for name in STAYS_HERE {
            assert_eq!(request.header(name), None, "{name}");
        }
    }
    stage.nothing_holds_the_token();
}

#[test]
fn a_message_that_says_the_token_is_refused() {
    let stage = stage();
    let token = stage.agent.token.clone();
    let escaped: String = token
        .chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect();
    let half = token.replacen("tg_", "\\u0074g_", 1);
    let mut bodies = Vec::new();
    for said in [&token, &escaped, &half] {
        bodies.push(tools_call("1", said, "{}"));
        bodies.push(tools_call("1", "work", &format!("{{\"{said}\":1}}")));
        bodies.push(tools_call(
            "1",
            "work",
            &format!("{{\"a\":[{{\"b\":\"x {said} y\"}}]}}"),
        ));
        bodies.push(tools_call(&format!("\"{said}\""), "work", "{}"));
        bodies.push(message("1", "ping").replace("{}", &format!("{{\"_meta\":{{\"{said}\":1}}}}")));
        bodies.push(message("1", said));
    }
    for body in &bodies {
        let reply = stage.agent.post(body);
        assert_eq!(
            (reply.status, reply.code()),
            (400, -32600),
            "{body}: {}",
            reply.text()
        );
        assert!(!reply.text().contains(&token[3..]));
    }
    let refused = stage
        .gateway
        .metric("toolgate_requests_refused_total{reason=\"token_inside\"}");
    assert_eq!(refused, bodies.len() as f64);
    assert_eq!(stage.upstream.requests().len(), 0);
    stage.nothing_holds_the_token();
}

#[test]
fn a_token_of_another_grant_is_kept_out_of_journal_and_log() {
    let stage = stage();
    let minted = stage
        .folder
        .program()
        .env("UPSTREAM_KEY", "x")
        .args(["grant", "new", "g"])
        .output()
        .expect("it runs");
    let other = String::from_utf8(minted.stdout)
        .expect("text")
        .trim()
        .to_owned();
    let agent = stage.agent.clone();
    until("the other token works", || {
        (agent.with_token(&other).call("work").status == 200).then_some(())
    });
    assert_eq!(
        agent
            .post(&tools_call(
                "1",
                "work",
                &format!("{{\"{other}\":\"{other}\"}}")
            ))
            .status,
        200
    );
    assert_eq!(agent.post(&tools_call("1", &other, "{}")).status, 200);
    let line = stage.folder.journal_line("the line", |line| {
        line["args"][0]
            .as_str()
            .is_some_and(|key| key.contains("redacted"))
    });
    assert_eq!(line["args"], serde_json::json!(["[redacted]"]));
    assert!(stage.gateway.stop().success());
    for place in ["stderr.log", "toolgate-data", "toolgate-data/journal"] {
        searched(&stage.folder.path(place), &other[3..]);
    }
}

#[test]
fn a_body_is_forwarded_byte_for_byte() {
    let stage = stage();
    let odd = " {\t\"params\" :{ \"arguments\":{\"n\":1.0e+2 ,\"big\":12345678901234567890,\"u\":\"\\u00e9\u{e9}\u{1f600}\\/\"},\n\
               \"name\":\"w\\u006frk\",\"extra\":[ ] } ,\"jsonrpc\":\"2.0\",\"method\":\"tools\\/call\", \"id\" : 9007199254740993 }\r\n";
    let bodies = [
        odd.to_owned(),
        tools_call("-0", "work", "{ }"),
        message("\"\\u0031\"", "tools/list"),
    ];
    for body in &bodies {
        assert_eq!(stage.agent.post(body).status, 200, "{body}");
    }
    let came: Vec<_> = stage
        .upstream
        .requests()
        .iter()
        .map(support::Recorded::text)
        .collect();
    assert_eq!(came, bodies);
    stage.nothing_holds_the_token();
}
