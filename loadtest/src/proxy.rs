//! Is the baseline: what a reverse proxy on hyper costs before it does anything for anybody.
//!
//! It never looks at a body, a token or a policy. It has the gateway's own shape (a thread, runtime, listener and pool for
//! each core) and the pool that one would take from the shelf, so that the difference is what the gateway adds.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::failure::Failure;
use crate::workers;

/// How long a connection to the upstream may idle: longer than any pause between two rounds.
const IDLE_MAX: Duration = Duration::from_secs(90);

/// Headers that end at the next hop (RFC 9110 §7.6.1). `transfer-encoding` is hyper's own to set, on both sides.
const HOP_BY_HOP: [HeaderName; 4] = [
    header::CONNECTION,
    header::TE,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

type Pool = Client<HttpConnector, Incoming>;
type Reply = Response<BoxBody<Bytes, hyper::Error>>;

/// Forwards everything to `upstream` until standard input closes.
pub(crate) fn serve(upstream: SocketAddr) -> Result<(), Failure> {
    workers::serve(move || {
        let pool = pool();
        service_fn(move |request| {
            let pool = pool.clone();
            async move { Ok::<_, Infallible>(forward(&pool, upstream, request).await) }
        })
    })
}

fn pool() -> Pool {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_MAX)
        .build(connector)
}

async fn forward(pool: &Pool, upstream: SocketAddr, mut request: Request<Incoming>) -> Reply {
    let Some(uri) = upstream_uri(upstream, request.uri()) else {
        return status(StatusCode::BAD_REQUEST);
    };
    *request.uri_mut() = uri;
    strip(request.headers_mut());
    // The pool writes the upstream's own `Host`.
    request.headers_mut().remove(header::HOST);
    match pool.request(request).await {
        Ok(mut reply) => {
            strip(reply.headers_mut());
            reply.map(BodyExt::boxed)
        }
        Err(_) => status(StatusCode::BAD_GATEWAY),
    }
}

fn upstream_uri(upstream: SocketAddr, uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query()?.clone();
    Uri::builder()
        .scheme("http")
        .authority(upstream.to_string())
        .path_and_query(path)
        .build()
        .ok()
}

fn strip(headers: &mut HeaderMap<HeaderValue>) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn status(status: StatusCode) -> Reply {
    let body = Empty::new().map_err(|never| match never {}).boxed();
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_authority_of_a_uri_changes() {
        let upstream = SocketAddr::from(([127, 0, 0, 1], 8_080));
        for (asked, sent) in [
            ("/mcp", "http://127.0.0.1:8080/mcp"),
            ("/a%20b?c=d&e", "http://127.0.0.1:8080/a%20b?c=d&e"),
            ("http://other/mcp", "http://127.0.0.1:8080/mcp"),
        ] {
            let uri: Uri = asked.parse().expect("a URI");
            assert_eq!(
                upstream_uri(upstream, &uri).expect("a URI"),
                sent,
                "{asked}"
            );
        }
    }

    #[test]
    fn a_hops_own_headers_end_here_and_the_others_pass() {
        let mut headers = HeaderMap::new();
        for name in ["connection", "keep-alive", "te", "upgrade", "authorization"] {
            headers.insert(name, HeaderValue::from_static("x"));
        }
        strip(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["authorization"]);
    }
}
