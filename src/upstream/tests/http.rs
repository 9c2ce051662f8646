//! The pool of plain connections, against a server that does what each test says.

mod streams;

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use super::*;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const PONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong";

/// A listener and the way to it.
async fn server() -> (TcpListener, Upstream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let upstream = upstream_at(
        &format!("http://127.0.0.1:{port}/mcp?key=1"),
        Times::default(),
    );
    (listener, upstream)
}

fn upstream_at(url: &str, times: Times) -> Upstream {
    let spec = ServerSpec {
        name: "test".into(),
        transport: Transport::Http {
            target: HttpTarget::parse(url).unwrap(),
            headers: HeaderMap::from_iter([(
                HeaderName::from_static("authorization"),
                HeaderValue::from_static("Bearer upstream"),
            )]),
        },
        times,
    };
    let sessions = Arc::new(Sessions::new(crate::sessions::SESSIONS_MAX));
    let server = Server::new(spec, sessions, &tokio::runtime::Handle::current()).unwrap();
    Upstream::new(&server)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    in_time(listener.accept()).await.unwrap().0
}

/// Reads one request with `Content-Length`, and gives it as text.
async fn request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        let count = in_time(stream.read_buf(&mut read)).await.unwrap();
        assert!(count > 0, "the connection ended within a request");
    }
}

async fn is_closed(stream: &mut TcpStream) {
    let end = in_time(stream.read(&mut [0])).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

/// Runs both sides on one thread, as a worker does.
async fn both<A, B>(client: impl Future<Output = A>, server: impl Future<Output = B>) -> (A, B) {
    tokio::join!(client, server)
}

#[tokio::test]
async fn a_request_arrives_whole_and_with_the_servers_own_credential() {
    LocalSet::new()
        .run_until(async {
            let (listener, upstream) = server().await;
            let outgoing = post(PING)
                .with("accept", "application/json, text/event-stream")
                .with("accept-encoding", "gzip")
                .with("authorization", "Bearer tg_agent")
                .with("mcp-session-id", "s1");
            let (reply, seen) = both(call(&upstream, outgoing), async {
                let mut stream = accept(&listener).await;
                let seen = request(&mut stream).await;
                let head = "HTTP/1.1 202 Accepted\r\nSet-Cookie: a=b\r\nConnection: x-hop, keep-alive\r\nX-Hop: 1\r\nMcp-Session-Id: s1\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(head.as_bytes()).await.unwrap();
                (seen, stream)
            })
            .await;
            let seen = seen.0.to_ascii_lowercase();
            let port = listener.local_addr().unwrap().port();
            assert!(seen.starts_with("post /mcp?key=1 http/1.1\r\n"), "{seen}");
            assert!(seen.ends_with(&format!("\r\n\r\n{}", PING.to_ascii_lowercase())), "{seen}");
            for line in [
                format!("\r\nhost: 127.0.0.1:{port}\r\n").as_str(),
                "\r\nauthorization: bearer upstream\r\n",
                "\r\naccept: application/json, text/event-stream\r\n",
                "\r\nmcp-session-id: s1\r\n",
            ] {
                assert!(seen.contains(line), "{line:?} is not in {seen}");
            }
            assert!(!seen.contains("tg_agent") && !seen.contains("accept-encoding"), "{seen}");
            let reply = reply.unwrap();
            assert_eq!(reply.status(), 202);
            assert_eq!(header(&reply, "mcp-session-id"), Some("s1"));
            for gone in ["set-cookie", "connection", "x-hop"] {
                assert_eq!(header(&reply, gone), None, "{gone}");
            }
        })
        .await;
}

#[tokio::test]
async fn a_connection_is_used_again_after_every_kind_of_body() {
    LocalSet::new()
        .run_until(async {
            let (listener, upstream) = server().await;
            let replies = [
                PONG,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npong\r\n0\r\n\r\n",
                "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 204 No Content\r\n\r\n",
                PONG,
            ];
            both(
                async {
                    for _ in replies {
                        let reply = call(&upstream, post(PING)).await.unwrap();
                        let text = text(reply).await;
                        assert!(text == "pong" || text.is_empty(), "{text}");
                    }
                },
                async {
                    let mut stream = accept(&listener).await;
                    for reply in replies {
                        request(&mut stream).await;
                        stream.write_all(reply.as_bytes()).await.unwrap();
                    }
                },
            )
            .await;
        })
        .await;
}

#[tokio::test]
async fn whoever_stops_at_the_last_byte_frees_the_connection_too() {
    LocalSet::new()
        .run_until(async {
            let (listener, upstream) = server().await;
            both(
                async {
                    for _ in 0..3 {
                        // As hyper's server does: it does not ask for more once the body says that it is at its end.
                        let mut reply = call(&upstream, post(PING)).await.unwrap();
                        assert_eq!(next_piece(&mut reply).await.as_deref(), Some("pong"));
                        assert!(http_body::Body::is_end_stream(reply.body()));
                    }
                },
                async {
                    let mut stream = accept(&listener).await;
                    for _ in 0..3 {
                        request(&mut stream).await;
                        stream.write_all(PONG.as_bytes()).await.unwrap();
                    }
                },
            )
            .await;
        })
        .await;
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_it_was_idle_is_not_used() {
    LocalSet::new()
        .run_until(async {
            let (listener, upstream) = server().await;
            for _ in 0..3 {
                let (reply, stream) = both(call(&upstream, post(PING)), async {
                    let mut stream = accept(&listener).await;
                    request(&mut stream).await;
                    stream.write_all(PONG.as_bytes()).await.unwrap();
                    stream
                })
                .await;
                assert_eq!(text(reply.unwrap()).await, "pong");
                drop(stream);
                // Another connection's round trip: the close, which was first, has been seen after it.
                let other = TcpStream::connect(listener.local_addr().unwrap());
                let (other, accepted) = both(other, accept(&listener)).await;
                drop(accepted);
                is_closed(&mut other.unwrap()).await;
            }
        })
        .await;
}

#[tokio::test]
async fn a_request_that_may_have_been_read_is_not_sent_again() {
    LocalSet::new()
        .run_until(async {
            let (listener, upstream) = server().await;
            let (error, ()) = both(
                async {
                    let first = call(&upstream, post(PING)).await.unwrap();
                    assert_eq!(text(first).await, "pong");
                    call(&upstream, post(PING)).await.unwrap_err()
                },
                async {
                    let mut stream = accept(&listener).await;
                    request(&mut stream).await;
                    stream.write_all(PONG.as_bytes()).await.unwrap();
                    request(&mut stream).await;
                },
            )
            .await;
            assert!(matches!(error, ForwardError::Cut { .. }), "{error}");
            assert!(error.was_sent(), "the charge must stay");
            let again = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
            assert!(again.is_err(), "it was sent again");
        })
        .await;
}

#[tokio::test]
async fn no_connection_means_that_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let upstream = upstream_at(&url, Times::default());
    let error = call(&upstream, post(PING)).await.unwrap_err();
    assert!(matches!(error, ForwardError::Connect { .. }), "{error}");
    assert_eq!(error.to_string(), "cannot connect to test");
    assert!(!error.was_sent());
}

#[tokio::test]
async fn a_silent_server_is_late_and_its_connection_is_closed() {
    LocalSet::new()
        .run_until(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let times = Times {
                first_byte: Duration::from_millis(50),
                ..Times::default()
            };
            let url = format!("http://{}/", listener.local_addr().unwrap());
            let upstream = upstream_at(&url, times);
            let (error, ()) = both(
                async { call(&upstream, post(PING)).await.unwrap_err() },
                async {
                    let mut stream = accept(&listener).await;
                    request(&mut stream).await;
                    is_closed(&mut stream).await;
                },
            )
            .await;
            assert!(matches!(error, ForwardError::Late { .. }), "{error}");
            assert!(error.was_sent() && error.is_late());
        })
        .await;
}

#[tokio::test]
async fn a_tls_handshake_that_fails_means_that_nothing_was_sent() {
    LocalSet::new()
        .run_until(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("https://{}/", listener.local_addr().unwrap());
            let upstream = upstream_at(&url, Times::default());
            let (error, ()) = both(
                async { call(&upstream, post(PING)).await.unwrap_err() },
                async {
                    let mut stream = accept(&listener).await;
                    stream.write_all(PONG.as_bytes()).await.unwrap();
                    // Until the client gives up; what it says meanwhile is its half of a handshake.
                    let mut said = Vec::new();
                    let _ = in_time(stream.read_to_end(&mut said)).await;
                    assert!(!String::from_utf8_lossy(&said).contains("ping"));
                },
            )
            .await;
            assert!(matches!(error, ForwardError::Connect { .. }), "{error}");
            assert!(!error.was_sent());
        })
        .await;
}
