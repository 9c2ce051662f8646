//! README: what is not a well-formed, authenticated request never reaches a server, and every refusal is a JSON-RPC error.
//!
//! Requests are sent byte by byte, because clients do not send what attackers do.

#[path = "support/http2.rs"]
mod http2;
mod support;

use support::{ALLOW_ALL, Agent, Folder, Gateway, Reply, Upstream, Wire, message, tools_call};

struct Stage {
    upstream: Upstream,
    gateway: Gateway,
    agent: Agent,
    _folder: Folder,
}

fn stage() -> Stage {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), ALLOW_ALL);
    folder.configure(
        &upstream.url(),
        "body_max_bytes = 2000\nbody_timeout_seconds = 1",
    );
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    Stage {
        upstream,
        gateway,
        agent,
        _folder: folder,
    }
}

impl Stage {
    fn send(&self, bytes: impl AsRef<[u8]>) -> Reply {
        let mut wire = Wire::to(self.gateway.address());
        wire.send(bytes);
        wire.reply()
    }

    /// The agent's usual call with something in its head replaced.
    fn send_with(&self, from: &str, to: &str) -> Reply {
        let request = self.agent.request("", &tools_call("1", "work", "{}"));
        assert!(request.contains(from), "{from:?} is not in {request:?}");
        self.send(request.replacen(from, to, 1))
    }

    /// A refusal with this status and code, of which the upstream has heard nothing.
    fn refused(&self, reply: &Reply, (status, code): (u16, i64), what: &str) {
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        assert_eq!(
            reply.header("content-type"),
            Some("application/json"),
            "{what}"
        );
        assert_eq!(reply.code(), code, "{what}");
        assert_eq!(
            self.upstream.requests().len(),
            0,
            "{what} reached the upstream"
        );
    }
}

const JSON_TYPE: &str = "Content-Type: application/json";

#[test]
fn a_request_without_a_good_token_gets_401_and_a_challenge() {
    let stage = stage();
    let auth = format!("Authorization: Bearer {}", stage.agent.token);
    let other_end = if auth.ends_with('0') { '1' } else { '0' };
    for (to, what) in [
        ("X-None: 1".to_owned(), "no token"),
        (format!("{auth}{other_end}"), "a token that is too long"),
        (
            format!("{}{other_end}", &auth[..auth.len() - 1]),
            "a token with a typing error",
        ),
        (format!("{auth}\r\n{auth}"), "two headers"),
        (auth.replace("Bearer", "Basic"), "another scheme"),
        ("Authorization: Bearer".to_owned(), "an empty token"),
    ] {
        let reply = stage.send_with(&auth, &to);
        stage.refused(&reply, (401, -31001), what);
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        assert!(
            challenge.starts_with("Bearer realm=\"toolgate\""),
            "{what}: {challenge:?}"
        );
        assert!(
            !reply.text().contains("tg_0") && !reply.text().contains(&stage.agent.token),
            "{what}"
        );
    }
    let reply = stage.send_with("Bearer tg_", "bEARER tg_");
    assert_eq!(
        reply.status, 200,
        "the scheme's letters may be of either case (RFC 9110 §11.1)"
    );
}

#[test]
fn a_grant_opens_its_own_servers_only() {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), ALLOW_ALL);
    folder.configure(&upstream.url(), "");
    let config = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    let more = format!(
        "[grants.other]\nservers = {{ t = \"p\" }}\n[servers.t]\nurl = \"{}\"\n",
        upstream.url()
    );
    folder.write("toolgate.toml", &(config + &more));
    let token = folder.grant("other");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let reply = agent.call("work");
    assert_eq!((reply.status, reply.code()), (403, -31001));
    assert_eq!(upstream.requests().len(), 0);
    let own = Agent {
        path: "/mcp/t".to_owned(),
        ..agent
    };
    assert_eq!(own.call("work").kind(), "ran");
}

#[test]
fn only_servers_paths_are_there_with_or_without_a_slash_at_the_end() {
    let stage = stage();
    for path in [
        "/",
        "/mcp",
        "/mcp/",
        "/mcp/none",
        "/mcp/s/more",
        "/mcp//s",
        "/mcp/S",
        "/mcp/%73",
        "/x/../mcp/s",
        "/metrics",
    ] {
        let reply = stage.send_with("POST /mcp/s ", &format!("POST {path} "));
        stage.refused(&reply, (404, -32600), path);
    }
    for path in ["/mcp/s/", "/mcp/s", "/mcp/s?x=1"] {
        let reply = stage.send_with("POST /mcp/s ", &format!("POST {path} "));
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    }
    let lines: Vec<_> = stage
        .upstream
        .requests()
        .iter()
        .map(|request| request.head.lines().next().unwrap_or("").to_owned())
        .collect();
    assert_eq!(lines, ["POST /mcp HTTP/1.1"; 3]);
}

#[test]
fn other_methods_get_405_and_those_that_work() {
    let stage = stage();
    for method in ["PUT", "PATCH", "OPTIONS", "QUERY", "post"] {
        let reply = stage.send_with("POST ", &format!("{method} "));
        stage.refused(&reply, (405, -32600), method);
        assert_eq!(reply.header("allow"), Some("POST, GET, DELETE"), "{method}");
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_whether_it_says_so_or_not() {
    let stage = stage();
    let declared = stage
        .agent
        .request("", "")
        .replace("Content-Length: 0", "Content-Length: 2001");
    stage.refused(&stage.send(declared), (413, -32600), "a declared length");
    let chunk = format!("3e9\r\n{}\r\n", " ".repeat(1_001));
    let chunked = stage
        .agent
        .request("", "")
        .replace("Content-Length: 0", "Transfer-Encoding: chunked");
    stage.refused(
        &stage.send(format!("{chunked}{chunk}{chunk}0\r\n\r\n")),
        (413, -32600),
        "chunks",
    );
    let body = message("1", "ping");
    let fine = format!(
        "{chunked}{:x}\r\n{body}{}\r\n0\r\n\r\n",
        2_000,
        " ".repeat(2_000 - body.len())
    );
    assert_eq!(
        stage.send(fine).status,
        200,
        "a body of just the length that is allowed"
    );
}

#[test]
fn only_plain_json_in_utf_8_is_read() {
    let stage = stage();
    for kind in [
        "X-None: 1",
        "Content-Type: text/plain",
        "Content-Type: application/json; charset=utf-16",
        "Content-Type: application/json-seq",
        "Content-Type: application/json\r\nContent-Type: application/json",
        "Content-Type: application/json\r\nContent-Encoding: gzip",
    ] {
        stage.refused(&stage.send_with(JSON_TYPE, kind), (415, -32600), kind);
    }
    for kind in [
        "Content-Type: application/json; charset=UTF-8",
        "content-type: Application/JSON;charset=\"utf-8\"",
        "Content-Type: application/json\r\nContent-Encoding: identity",
    ] {
        assert_eq!(stage.send_with(JSON_TYPE, kind).status, 200, "{kind}");
    }
}

#[test]
fn a_body_that_two_servers_could_read_differently_is_refused() {
    let stage = stage();
    let call = tools_call("1", "work", "{}");
    let (parse, invalid, params) = (-32700, -32600, -32602);
    for (body, code) in [
        (String::new(), parse),
        ("{".to_owned(), parse),
        (format!("{call}{call}"), parse),
        (format!("\u{feff}{call}"), parse),
        (call.replace("\"name\"", "\"name\":\"x\",\"name\""), parse),
        (
            call.replace("\"name\"", "\"name\":\"x\",\"n\\u0061me\""),
            parse,
        ),
        (call.replace("{}", "{\"a\":NaN}"), parse),
        (call.replace("{}", "{\"a\":\"\\ud800\"}"), parse),
        (call.replace("{}", &"[".repeat(500)), parse),
        (format!("[{call}]"), invalid),
        ("[]".to_owned(), invalid),
        (tools_call("null", "work", "{}"), invalid),
        (tools_call("1.5", "work", "{}"), invalid),
        (tools_call("{}", "work", "{}"), invalid),
        (call.replace("\"id\":1,", ""), invalid),
        (call.replace("2.0", "1.0"), invalid),
        (
            call.replace("\"method\"", "\"Method\":\"ping\",\"method\""),
            invalid,
        ),
        (tools_call("1", "work", "[]"), params),
        (tools_call("1", "work", "null"), params),
    ] {
        let reply = stage.agent.post(&body);
        stage.refused(&reply, (400, code), &body);
    }
    let latin = stage
        .agent
        .request("", &tools_call("1", "work", "{\"a\":\"e\"}"))
        .replace("\"e\"", "\"\u{1}\"")
        .into_bytes();
    let broken: Vec<u8> = latin
        .into_iter()
        .map(|byte| if byte == 1 { 0xe9 } else { byte })
        .collect();
    stage.refused(&stage.send(broken), (400, parse), "invalid UTF-8");
    let unknown = stage.agent.post(&message("7", "rpc.discover"));
    stage.refused(&unknown, (200, -32601), "an unknown method");
    assert_eq!(unknown.json()["id"], 7);
}

#[test]
fn a_request_for_another_host_or_from_another_origin_is_refused() {
    let stage = stage();
    let host = format!("Host: {}", stage.gateway.address());
    for other in [
        "Host: evil.example",
        "Host: localhost.evil.example",
        "Host: 127.0.0.1.evil.example:80",
    ] {
        stage.refused(&stage.send_with(&host, other), (421, -32600), other);
    }
    let port = stage.gateway.address().port();
    for origin in [
        "https://evil.example".to_owned(),
        "null".to_owned(),
        format!("http://localhost:{port}\r\nOrigin: x"),
        "http://localhost:1".to_owned(),
    ] {
        let reply = stage.send_with(JSON_TYPE, &format!("{JSON_TYPE}\r\nOrigin: {origin}"));
        stage.refused(&reply, (403, -31001), &origin);
    }
    let own = format!("{JSON_TYPE}\r\nOrigin: http://{}", stage.gateway.address());
    assert_eq!(stage.send_with(JSON_TYPE, &own).status, 200);
    assert_eq!(
        stage
            .send_with(&host, &format!("Host: LOCALHOST:{port}"))
            .status,
        200
    );
}

#[test]
fn a_request_whose_framing_is_ambiguous_is_refused() {
    let stage = stage();
    let host = format!("Host: {}", stage.gateway.address());
    let ends = |what: &str| format!("{what}\r\nContent-Length:");
    for (from, to) in [
        (
            "Content-Length:",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\nX-Length:".to_owned(),
        ),
        (
            "Content-Length:",
            "Transfer-Encoding: gzip, chunked\r\nX-Length:".to_owned(),
        ),
        ("Content-Length:", ends("Expect: 200-ok")),
        (&*host, "X-None: 1".to_owned()),
        (&*host, format!("{host}\r\n{host}")),
    ] {
        let reply = stage.send_with(from, &to);
        let status = if to.starts_with("Expect") { 417 } else { 400 };
        stage.refused(&reply, (status, -32600), &to);
    }
}

#[test]
fn a_body_is_not_asked_for_before_its_sender_is_known() {
    let stage = stage();
    let body = message("1", "ping");
    let request = stage.agent.request("Expect: 100-continue\r\n", &body);
    let head = &request[..request.len() - body.len()];
    let mut known = Wire::to(stage.gateway.address());
    known.send(head);
    assert_eq!(
        known.head().status,
        100,
        "a known agent is asked for its body"
    );
    known.send(&body);
    assert_eq!(known.reply().status, 200);
    let before = stage.upstream.requests().len();
    let reply = stage.send(head.replace("Bearer tg_", "Bearer xx_"));
    assert_eq!(
        (reply.status, reply.code()),
        (401, -31001),
        "a stranger is refused at once"
    );
    assert_eq!(stage.upstream.requests().len(), before);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let stage = stage();
    let request = stage.agent.request("", &message("1", "ping"));
    let reply = stage.send(&request[..request.len() - 1]);
    stage.refused(&reply, (408, -32600), "a body without its last byte");
}

#[test]
fn http_2_without_tls_works_by_prior_knowledge() {
    let stage = stage();
    let call = tools_call("\"h2\"", "work", "{}");
    let reply = http2::post(&stage.agent, &[], &call);
    assert_eq!(
        (reply.status, reply.kind().as_str()),
        (200, "ran"),
        "{}",
        reply.text()
    );
    assert_eq!(reply.json()["id"], "h2");
    assert_eq!(stage.upstream.requests()[0].text(), call);
    let stranger = stage.agent.with_token("tg_none");
    let reply = http2::post(&stranger, &[], &call);
    assert_eq!((reply.status, reply.code()), (401, -31001));
}

#[test]
fn a_connection_that_asks_for_nothing_is_not_kept() {
    let stage = stage();
    let mut waiting = [
        "",
        "P",
        "PRI * HTTP/2.0\r\n\r\nSM",
        "POST /mcp/s HTTP/1.1\r\nHost:",
    ]
    .map(|beginning| {
        let mut wire = Wire::to(stage.gateway.address());
        wire.send(beginning);
        wire
    });
    for wire in &mut waiting {
        assert!(wire.is_closed());
    }
    let open = "toolgate_connections";
    support::until("their places are free", || {
        (stage.gateway.metric(open) == 0.0).then_some(())
    });
}
