//! Bodies that stream, break off, are left or are never read.

use http_body_util::BodyExt;

use super::*;

#[tokio::test]
async fn events_arrive_before_the_end_and_a_dropped_body_closes_the_connection() {
    LocalSet::new()
        .run_until(async {
            let (listener, upstream) = server().await;
            let (told, hear) = tokio::sync::oneshot::channel();
            both(
                async {
                    let mut reply = call(&upstream, post(PING)).await.unwrap();
                    assert_eq!(next_piece(&mut reply).await.as_deref(), Some("data: 1\n\n"));
                    told.send(()).unwrap();
                    assert_eq!(next_piece(&mut reply).await.as_deref(), Some("data: 2\n\n"));
                    drop(reply);
                },
                async {
                    let mut stream = accept(&listener).await;
                    request(&mut stream).await;
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
                    stream.write_all(head.as_bytes()).await.unwrap();
                    stream.write_all(b"9\r\ndata: 1\n\n\r\n").await.unwrap();
                    // The second event is written only after the first one was seen.
                    in_time(hear).await.unwrap();
                    stream.write_all(b"9\r\ndata: 2\n\n\r\n").await.unwrap();
                    is_closed(&mut stream).await;
                },
            )
            .await;
        })
        .await;
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_answer_closes_the_connection() {
    LocalSet::new()
        .run_until(async {
            let (listener, upstream) = server().await;
            let calling = upstream.clone();
            let caller =
                tokio::task::spawn_local(async move { calling.forward(post(PING)).await.is_ok() });
            let mut stream = accept(&listener).await;
            request(&mut stream).await;
            caller.abort();
            is_closed(&mut stream).await;
        })
        .await;
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_server() {
    LocalSet::new()
        .run_until(async {
            let (listener, upstream) = server().await;
            let (mut reply, mut stream) = both(
                async { call(&upstream, post(PING)).await.unwrap() },
                async {
                    let mut stream = accept(&listener).await;
                    request(&mut stream).await;
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1u64 << 40);
                    stream.write_all(head.as_bytes()).await.unwrap();
                    stream
                },
            )
            .await;
            // Far more than the kernel keeps in both sockets' buffers would mean that somebody here reads ahead.
            let megabyte = vec![b'x'; 1 << 20];
            let mut written = 0;
            while let Ok(done) =
                tokio::time::timeout(Duration::from_millis(200), stream.write(&megabyte)).await
            {
                written += done.unwrap();
                assert!(
                    written < 64 << 20,
                    "nobody reads, yet the server may write on"
                );
            }
            assert!(
                next_piece(&mut reply).await.is_some(),
                "what was written is there"
            );
        })
        .await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_no_end() {
    LocalSet::new()
        .run_until(async {
            let (listener, upstream) = server().await;
            let (reply, ()) = both(
                async { call(&upstream, post(PING)).await.unwrap() },
                async {
                    let mut stream = accept(&listener).await;
                    request(&mut stream).await;
                    let part = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npong";
                    stream.write_all(part.as_bytes()).await.unwrap();
                },
            )
            .await;
            let error = in_time(reply.into_body().collect()).await.unwrap_err();
            assert!(matches!(error, ForwardError::Cut { .. }), "{error}");
        })
        .await;
}

#[tokio::test]
async fn a_redirect_is_an_error_and_is_not_followed() {
    LocalSet::new()
        .run_until(async {
            let (listener, upstream) = server().await;
            let (error, ()) = both(async { call(&upstream, post(PING)).await.unwrap_err() }, async {
                let mut stream = accept(&listener).await;
                request(&mut stream).await;
                let head = "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(head.as_bytes()).await.unwrap();
            })
            .await;
            assert!(matches!(error, ForwardError::Redirected { status: 307, .. }), "{error}");
            assert!(error.was_sent());
        })
        .await;
}

#[tokio::test]
async fn idle_connections_are_closed_in_the_end() {
    LocalSet::new()
        .run_until(async {
            let (listener, upstream) = server().await;
            both(
                async {
                    let reply = call(&upstream, post(PING)).await.unwrap();
                    assert_eq!(text(reply).await, "pong");
                },
                async {
                    let mut stream = accept(&listener).await;
                    request(&mut stream).await;
                    stream.write_all(PONG.as_bytes()).await.unwrap();
                    is_closed(&mut stream).await;
                },
            )
            .await;
        })
        .await;
}
