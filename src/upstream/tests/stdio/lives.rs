//! How processes start, die, rest and stop.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_of_a_process_that_dies_is_answered_at_once_and_was_sent() {
    let fake = fixture("-32601");
    let hold = || fake.send(tool("1", "hold", "{}"));
    let die = async {
        fake.heard_at_last(|message| message["params"]["name"] == "hold")
            .await;
        fake.send(tool("3", "die", "{}")).await
    };
    let (first, second, third) = tokio::join!(hold(), hold(), die);
    for error in [first, second, third].map(Result::unwrap_err) {
        assert!(matches!(error, ForwardError::ChildGone { .. }), "{error}");
        assert!(error.was_sent(), "{error}");
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_process_dies_ends_with_an_error() {
    let fake = fixture("-32601");
    let mut reply = fake
        .send(tool_with_progress("1", "1", r#"{"and_wait":true}"#))
        .await
        .unwrap();
    assert!(next_piece(&mut reply).await.is_some());
    fake.send(tool("3", "die", "{}")).await.unwrap_err();
    let error = in_time(reply.into_body().collect()).await.unwrap_err();
    assert!(matches!(error, ForwardError::ChildGone { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_died_rests_and_calls_meanwhile_fail_unsent() {
    let fake = fixture("-32601");
    fake.send(tool("1", "die", "{}")).await.unwrap_err();
    let error = fake.send(tool("2", "echo", "{}")).await.unwrap_err();
    let ForwardError::ChildNotStarted { retry_after, .. } = &error else {
        panic!("{error}");
    };
    assert!(
        !retry_after.is_zero() && *retry_after <= Duration::from_secs(1),
        "{retry_after:?}"
    );
    assert!(!error.was_sent());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_process_is_greeted_as_the_last_one_was_before_anything_else() {
    let times = Times {
        rest_first: Duration::from_millis(1),
        ..Times::default()
    };
    let fake = fixture_with("-32601", times);
    fake.ask(initialize("1", "careful")).await;
    fake.send(initialized()).await.unwrap();
    let before = fake.pid().await;
    fake.send(tool("1", "die", "{}")).await.unwrap_err();
    let heard = in_time(async {
        loop {
            let heard = fake.send(tool("2", "heard", "{}")).await;
            if let Ok(heard) = heard {
                break serde_json::from_str::<serde_json::Value>(&text(heard).await).unwrap();
            }
        }
    })
    .await;
    assert_ne!(heard["result"]["pid"], before);
    let heard = heard["result"]["heard"].as_array().unwrap();
    assert_eq!(
        methods(heard),
        ["initialize", "notifications/initialized", "tools/call"]
    );
    assert_eq!(heard[0]["params"]["clientInfo"]["name"], "careful");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_does_not_start_fails_unsent_and_says_why() {
    let fake = started("no-such-program-at-all", Vec::new(), Times::default());
    for _ in 0..2 {
        let error = fake.send(tool("1", "echo", "{}")).await.unwrap_err();
        assert!(!error.was_sent());
        let cause = std::error::Error::source(&error)
            .expect("the start's error")
            .to_string();
        assert_eq!(cause, "cannot start no-such-program-at-all");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_over_the_bound_ends_the_process_with_a_clear_error() {
    let fake = fixture("-32601");
    let near = fake.ask(tool("1", "long", r#"{"length":8000000}"#)).await;
    assert!(near.len() > 8_000_000);
    let error = fake
        .send(tool("1", "long", r#"{"length":9000000}"#))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("line over 8 MiB"), "{error}");
    assert!(error.was_sent());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_a_server_answers_what_waits_and_refuses_what_comes() {
    let fake = fixture("-32601");
    let waiting = fake.send(tool("1", "hold", "{}"));
    let stop = async {
        fake.heard_at_last(|message| message["params"]["name"] == "hold")
            .await;
        in_time(fake.server.stop()).await;
    };
    let (waiting, ()) = tokio::join!(waiting, stop);
    let waiting = waiting.unwrap_err();
    assert!(
        matches!(waiting, ForwardError::ChildGone { .. }),
        "{waiting}"
    );
    let late = fake.send(tool("1", "echo", "{}")).await.unwrap_err();
    assert!(matches!(late, ForwardError::Stopped { .. }), "{late}");
    assert!(!late.was_sent());
    in_time(fake.server.stop()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_silent_is_late_and_the_call_is_cancelled() {
    let times = Times {
        first_byte: Duration::from_millis(300),
        ..Times::default()
    };
    let fake = fixture_with("-32601", times);
    // The first call may be late because Python is.
    while fake.send(tool("0", "echo", "{}")).await.is_err() {}
    let error = fake.send(tool("1", "hold", "{}")).await.unwrap_err();
    assert!(matches!(error, ForwardError::Late { .. }), "{error}");
    fake.heard_at_last(|message| message["method"] == "notifications/cancelled")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_time_is_up_ends_and_is_cancelled_before_its_first_byte_and_after() {
    let fake = fixture("-32601");
    fake.ask(tool("0", "echo", "{}")).await;
    let hasty = Upstream {
        call_max: Duration::from_millis(300),
        ..fake.upstream.clone()
    };
    let error = call(&hasty, tool("1", "hold", "{}")).await.unwrap_err();
    assert!(matches!(error, ForwardError::TimeUp { .. }), "{error}");
    assert!(error.was_sent() && error.is_late());
    let waiting = tool_with_progress("2", "1", r#"{"and_wait":true}"#);
    let mut reply = call(&hasty, waiting).await.unwrap();
    let error = loop {
        match in_time(reply.body_mut().frame()).await {
            Some(Ok(_progress)) => continue,
            Some(Err(error)) => break error,
            None => panic!("it ended in order"),
        }
    };
    assert!(matches!(error, ForwardError::TimeUp { .. }), "{error}");
    assert!(in_time(reply.body_mut().frame()).await.is_none());
    for name in ["hold", "progress"] {
        let asked = fake
            .heard_at_last(|message| message["params"]["name"] == name)
            .await;
        fake.heard_at_last(|message| {
            message["method"] == "notifications/cancelled"
                && message["params"]["requestId"] == asked["id"]
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_waited_for_the_handshake_of_a_process_that_died_was_not_sent() {
    let fake = fixture("dies early");
    let error = fake.send(tool("1", "echo", "{}")).await.unwrap_err();
    assert!(matches!(error, ForwardError::ChildGone { .. }), "{error}");
    assert!(!error.was_sent(), "the charge must be given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_nobody_holds_any_more_leaves_no_process() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let program = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); sys.stdin.read()";
    let args = ["-c", program, &port].map(str::to_owned).to_vec();
    let fake = started("python3", args, Times::default());
    let mut leash = {
        let mut calling = std::pin::pin!(fake.send(tool("1", "echo", "{}")));
        tokio::select! {
            reply = calling.as_mut() => panic!("answered: {reply:?}"),
            leash = in_time(listener.accept()) => leash.unwrap().0,
        }
    };
    drop(fake);
    let end = in_time(tokio::io::AsyncReadExt::read(&mut leash, &mut [0])).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}
