//! Handshakes, sessions and the two eras.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_is_initialized_once_however_many_clients_it_has() {
    let fake = fixture("-32601");
    let (first, second) = tokio::join!(
        fake.send(initialize("\"one\"", "first")),
        fake.send(initialize("2", "second").of("grant-2"))
    );
    let third = fake.send(initialize("3", "third")).await;
    for (reply, id) in [(first, "\"one\""), (second, "2"), (third, "3")] {
        let reply = reply.unwrap();
        assert_eq!(header(&reply, "mcp-session-id").map(str::len), Some(32));
        let text = text(reply).await;
        assert!(
            text.contains("serverInfo") && text.ends_with(&format!(r#""id": {id}}}"#)),
            "{text}"
        );
    }
    for _ in 0..3 {
        assert_eq!(fake.send(initialized()).await.unwrap().status(), 202);
    }
    let heard = fake.heard().await;
    assert_eq!(
        methods(&heard),
        ["initialize", "notifications/initialized", "tools/call"]
    );
    let name = &heard[0]["params"]["clientInfo"]["name"];
    assert!(name == "first" || name == "second", "{name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_a_handshake_gets_one_done_for_it() {
    let fake = fixture("-32601");
    let heard = fake.heard().await;
    assert_eq!(
        methods(&heard),
        ["initialize", "notifications/initialized", "tools/call"]
    );
    assert_eq!(heard[0]["params"]["clientInfo"]["name"], "toolgate");
    assert_eq!(heard[0]["params"]["protocolVersion"], "2025-06-18");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_refuses_the_handshake_gets_no_call() {
    let fake = fixture("refuses");
    let error = fake.send(tool("1", "echo", "{}")).await.unwrap_err();
    assert!(
        matches!(error, ForwardError::HandshakeRefused { .. }),
        "{error}"
    );
    assert!(!error.was_sent());
    let refused = fake.send(initialize("1", "client")).await.unwrap();
    assert_eq!(header(&refused, "mcp-session-id"), None);
    assert!(text(refused).await.contains("-32603"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_belongs_to_its_grant_and_ends_by_delete() {
    let fake = fixture("-32601");
    let reply = fake.send(initialize("1", "client")).await.unwrap();
    let id = header(&reply, "mcp-session-id").unwrap().to_owned();
    let with = |outgoing: Outgoing, grant| outgoing.with("mcp-session-id", &id).of(grant);
    let echo = || tool("\"mine\"", "echo", "{}");
    let listen = || bodiless(HttpMethod::GET).with("accept", "text/event-stream");
    let delete = || bodiless(HttpMethod::DELETE);

    assert_eq!(
        fake.send(with(echo(), "grant-1")).await.unwrap().status(),
        200
    );
    for outgoing in [echo(), listen(), delete()] {
        let refused = fake.send(with(outgoing, "grant-2")).await.unwrap();
        assert_eq!(refused.status(), 404);
    }
    assert_eq!(
        fake.send(with(delete(), "grant-1")).await.unwrap().status(),
        200
    );
    let gone = fake.send(with(echo(), "grant-1")).await.unwrap();
    assert_eq!(gone.status(), 404);
    let text = text(gone).await;
    assert_eq!(
        text,
        r#"{"jsonrpc":"2.0","id":"mine","error":{"code":-32001,"message":"session not found"}}"#
    );
    let modern_call = modern("1", "tools/call", r#","name":"echo""#);
    let ignored = fake.send(with(modern_call, "grant-2")).await.unwrap();
    assert_eq!(ignored.status(), 200, "modern requests have no session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_opened_only_for_those_who_can_read_it() {
    let fake = fixture("-32601");
    let get = || bodiless(HttpMethod::GET);
    assert_eq!(fake.send(get()).await.unwrap().status(), 406);
    let json_only = get().with("accept", "application/json");
    assert_eq!(fake.send(json_only).await.unwrap().status(), 406);
    let both = get().with("accept", "application/json, Text/Event-Stream;q=0.5");
    assert_eq!(fake.send(both).await.unwrap().status(), 200);
    let modern = get()
        .with("accept", "text/event-stream")
        .with("mcp-protocol-version", "2026-07-28");
    assert_eq!(fake.send(modern).await.unwrap().status(), 405);
    let put = bodiless(HttpMethod::PUT);
    assert_eq!(fake.send(put).await.unwrap().status(), 405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_era_has_a_process_of_its_own_and_the_modern_one_no_handshake() {
    let fake = fixture("modern");
    let discovered = fake.send(modern("1", "server/discover", "")).await.unwrap();
    assert_eq!(discovered.status(), 200);
    assert!(text(discovered).await.contains("supportedVersions"));
    let report = fake
        .ask(modern("1", "tools/call", r#","name":"heard""#))
        .await;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let heard = report["result"]["heard"].as_array().unwrap();
    assert_eq!(methods(heard), ["server/discover", "tools/call"]);
    fake.ask(initialize("1", "legacy")).await;
    assert_ne!(report["result"]["pid"], fake.pid().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_modern_clients_probe_of_an_old_server_is_answered_so_that_it_falls_back() {
    let table = [
        ("-32601", 404),
        ("-32602", 400),
        ("-32000", 400),
        ("-32022", 400),
        ("dies", 404),
    ];
    for (mode, status) in table {
        let fake = fixture(mode);
        for id in ["1", "\"again\""] {
            let reply = fake.send(modern(id, "server/discover", "")).await.unwrap();
            let seen = reply.status().as_u16();
            assert!(seen == status || seen == 404, "{mode}: {seen}");
            assert_eq!(header(&reply, "content-type"), Some("application/json"));
            let answer: serde_json::Value = serde_json::from_str(&text(reply).await).unwrap();
            assert_eq!(answer["id"].to_string(), id, "{mode}");
            let code = answer["error"]["code"].as_i64();
            assert!(
                code == mode.parse().ok() || code == Some(-32601),
                "{mode}: {answer}"
            );
        }
        let legacy = fake.send(initialize("1", "fallen back")).await.unwrap();
        assert_eq!(legacy.status(), 200, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_that_is_not_answered_is_answered_in_time_for_the_client() {
    let times = Times {
        first_byte: Duration::from_millis(10),
        ..Times::default()
    };
    let fake = fixture_with("silent", times);
    let reply = fake.send(modern("1", "server/discover", "")).await.unwrap();
    assert_eq!(reply.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modern_errors_about_the_message_have_their_own_status() {
    let fake = fixture("modern");
    let unknown = fake.send(modern("1", "no/such", "")).await.unwrap();
    assert_eq!(unknown.status(), 404);
    let legacy = post(r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#);
    assert_eq!(fake.send(legacy).await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_has_the_clients_own_id_wherever_it_stands() {
    let fake = fixture("modern");
    let mut reply = fake
        .send(modern("\"sub\"", "subscriptions/listen", ""))
        .await
        .unwrap();
    let acknowledged = next_piece(&mut reply).await.unwrap();
    assert!(
        acknowledged.contains(r#""io.modelcontextprotocol/subscriptionId": "sub""#),
        "{acknowledged}"
    );
    let last = next_piece(&mut reply).await.unwrap();
    assert!(
        last.contains(r#""io.modelcontextprotocol/subscriptionId": "sub""#),
        "{last}"
    );
    assert!(last.contains(r#""id": "sub""#), "{last}");
    assert_eq!(next_piece(&mut reply).await, None);
}
