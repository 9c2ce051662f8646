//! A client that speaks cleartext HTTP/2 by prior knowledge, for one request.
//!
//! It never falls back to HTTP/1.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::{Agent, PATIENCE, Reply};

/// Sends one message; the bound is for the whole exchange.
pub(crate) fn post(agent: &Agent, headers: &[(&str, &str)], body: &str) -> Reply {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let exchanged = tokio::time::timeout(PATIENCE, exchange(agent, headers, body));
        exchanged.await.expect("an answer in time")
    })
}

async fn exchange(agent: &Agent, headers: &[(&str, &str)], body: &str) -> Reply {
    let stream = tokio::net::TcpStream::connect(agent.address)
        .await
        .expect("the gateway listens");
    let opened =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.expect("the gateway speaks HTTP/2");
    tokio::spawn(connection);
    let mut request = hyper::Request::post(format!("http://{}{}", agent.address, agent.path))
        .header("authorization", format!("Bearer {}", agent.token))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::from(body.to_owned())))
        .expect("a request");
    let (head, body) = sender
        .send_request(request)
        .await
        .expect("an answer")
        .into_parts();
    let pairs = head.headers.iter().map(|(name, value)| {
        (
            name.to_string(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    let headers = pairs.collect();
    let body = body
        .collect()
        .await
        .expect("a whole body")
        .to_bytes()
        .to_vec();
    Reply {
        status: head.status.as_u16(),
        headers,
        body,
    }
}
