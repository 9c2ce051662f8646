//! Several clients of one process.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_with_the_same_id_get_each_its_own_answer() {
    let fake = fixture("-32601");
    let mut first = std::pin::pin!(fake.send(tool("1", "hold", r#"{"who":"first"}"#)));
    let mut second =
        std::pin::pin!(fake.send(tool("1", "hold", r#"{"who":"second"}"#).of("grant-2")));
    // Both are sent before the third one, which releases them in the other order.
    let third = async {
        fake.heard_at_last(|message| message["params"]["arguments"]["who"] == "first")
            .await;
        fake.heard_at_last(|message| message["params"]["arguments"]["who"] == "second")
            .await;
        fake.ask(tool("1", "release", "{}")).await
    };
    let (first, second, third) = tokio::join!(first.as_mut(), second.as_mut(), third);
    assert_eq!(
        text(first.unwrap()).await,
        r#"{"jsonrpc": "2.0", "result": {"held": {"who": "first"}}, "id": 1}"#
    );
    assert_eq!(
        text(second.unwrap()).await,
        r#"{"jsonrpc": "2.0", "result": {"held": {"who": "second"}}, "id": 1}"#
    );
    assert_eq!(third, r#"{"jsonrpc": "2.0", "result": {}, "id": 1}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_comes_back_as_it_went() {
    let fake = fixture("-32601");
    for id in [
        "9007199254740993",
        r#""9007199254740993""#,
        r#""a\u0062\"c""#,
        "-7",
        "0",
    ] {
        let answer = fake.ask(tool(id, "echo", "{}")).await;
        assert!(
            answer.ends_with(&format!(r#""id": {id}}}"#)),
            "{id}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_several_lines_is_one_message() {
    let fake = fixture("-32601");
    let body = "{\r\n  \"jsonrpc\": \"2.0\",\n  \"id\": 5,\n  \"method\": \"tools/call\",\r  \"params\": {\"name\": \"echo\",\n \"arguments\": {\"text\": \"a\\nb\"}}\n}\n";
    let answer = fake.ask(post(body)).await;
    assert!(answer.contains(r#""echo": {"text": "a\nb"}"#), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_streamed_under_the_clients_own_token_and_the_answer_is_last() {
    let fake = fixture("-32601");
    let mut reply = fake
        .send(tool_with_progress("\"a\"", "\"tok\"", "{}"))
        .await
        .unwrap();
    assert_eq!(header(&reply, "content-type"), Some("text/event-stream"));
    let mut pieces = Vec::new();
    while let Some(piece) = next_piece(&mut reply).await {
        pieces.push(piece);
    }
    let event = |message: &str| format!("event: message\ndata: {message}\n\n");
    let progress = |step| {
        event(&format!(
            r#"{{"jsonrpc": "2.0", "method": "notifications/progress", "params": {{"progressToken": "tok", "progress": {step}}}}}"#
        ))
    };
    let last = event(r#"{"jsonrpc": "2.0", "result": {"done": true}, "id": "a"}"#);
    assert_eq!(pieces, [progress(1), progress(2), last]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_arrives_while_the_tool_still_runs() {
    let fake = fixture("-32601");
    let mut reply = fake
        .send(tool_with_progress("1", "1", r#"{"and_wait":true}"#))
        .await
        .unwrap();
    assert!(
        next_piece(&mut reply)
            .await
            .unwrap()
            .contains("\"progress\": 1")
    );
    fake.ask(tool("2", "release", "{}")).await;
    assert!(
        next_piece(&mut reply)
            .await
            .unwrap()
            .contains("\"progress\": 2")
    );
    assert!(next_piece(&mut reply).await.unwrap().contains("\"id\": 1"));
    assert_eq!(next_piece(&mut reply).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_is_cancelled_under_the_childs_id() {
    let fake = fixture("-32601");
    let reply = fake
        .send(tool_with_progress("77", "1", r#"{"and_wait":true}"#))
        .await
        .unwrap();
    drop(reply);
    let cancel = fake
        .heard_at_last(|message| message["method"] == "notifications/cancelled")
        .await;
    let heard = fake.heard().await;
    let call = heard
        .iter()
        .find(|message| message["params"]["name"] == "progress")
        .unwrap();
    assert_eq!(cancel["params"]["requestId"], call["id"], "{cancel}");
    // Its late answer goes to nobody, and the process goes on.
    assert_eq!(
        fake.ask(tool("1", "release", "{}")).await,
        r#"{"jsonrpc": "2.0", "result": {}, "id": 1}"#
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_cancels_its_own_request_and_nobody_elses() {
    let fake = fixture("-32601");
    let mut mine = fake
        .send(tool_with_progress("1", "1", r#"{"and_wait":true}"#))
        .await
        .unwrap();
    let theirs = tool_with_progress("1", "1", r#"{"and_wait":true}"#).of("grant-2");
    let theirs = fake.send(theirs).await.unwrap();
    let cancel = |grant| {
        post(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
            .of(grant)
    };
    for grant in ["grant-3", "grant-1"] {
        assert_eq!(fake.send(cancel(grant)).await.unwrap().status(), 202);
    }
    let heard = fake.heard().await;
    let calls: Vec<_> = heard
        .iter()
        .filter(|message| message["params"]["name"] == "progress")
        .collect();
    let cancels: Vec<_> = heard
        .iter()
        .filter(|message| message["method"] == "notifications/cancelled")
        .map(|message| &message["params"]["requestId"])
        .collect();
    assert_eq!(
        cancels,
        [&calls[0]["id"]],
        "one cancellation, of the first call"
    );
    assert!(
        next_piece(&mut mine)
            .await
            .unwrap()
            .contains("notifications/progress")
    );
    assert!(
        next_piece(&mut mine)
            .await
            .unwrap()
            .contains("notifications/progress")
    );
    let last = next_piece(&mut mine).await.unwrap();
    assert!(last.contains(r#""id":1,"error":{"code":-32800"#), "{last}");
    assert_eq!(next_piece(&mut mine).await, None);
    drop(theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_for_nobody_in_particular_goes_to_every_listener() {
    let fake = fixture("-32601");
    let listen = || bodiless(HttpMethod::GET).with("accept", "text/event-stream");
    let mut streams = [
        fake.send(listen()).await.unwrap(),
        fake.send(listen()).await.unwrap(),
    ];
    fake.ask(tool("1", "announce", "{}")).await;
    for stream in &mut streams {
        assert_eq!(header(stream, "content-type"), Some("text/event-stream"));
        let event = next_piece(stream).await.unwrap();
        assert!(
            event.starts_with("event: message\ndata: {") && event.contains("\"data\": 0"),
            "{event}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_is_too_slow_is_cut_and_holds_nobody_up() {
    let fake = fixture("-32601");
    let listen = bodiless(HttpMethod::GET).with("accept", "text/event-stream");
    let mut slow = fake.send(listen).await.unwrap();
    fake.ask(tool("1", "announce", r#"{"times":500}"#)).await;
    let mut seen = 0;
    while next_piece(&mut slow).await.is_some() {
        seen += 1;
    }
    assert!((1..500).contains(&seen), "{seen} were kept for it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_gets_an_answer_at_once() {
    let fake = fixture("-32601");
    let answered =
        |message: &serde_json::Value| message["id"] == "s1" && message["method"].is_null();
    fake.ask(tool("1", "ask", r#"{"method":"sampling/createMessage"}"#))
        .await;
    let answer = fake.heard_at_last(answered).await;
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    let fake = fixture("-32601");
    fake.ask(tool("1", "ask", r#"{"method":"ping"}"#)).await;
    assert_eq!(
        fake.heard_at_last(answered).await["result"],
        serde_json::json!({})
    );
}
