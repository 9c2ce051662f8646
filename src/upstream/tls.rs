//! Forwards over HTTPS, HTTP/2 included, through hyper-util's pool.
//!
//! It never accepts a certificate that the system's roots do not vouch for, and never follows a redirect.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::Full;
use hyper::rt::Executor;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use tokio::time::timeout;

use super::http::check_status;
use super::{ForwardError, HttpTarget, Outgoing, ReplyBody, Times, headers};

/// As for plain connections.
const IDLE_MAX: usize = 32;

/// Longer than for plain connections: a handshake costs round trips, and load balancers keep connections for a minute.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// The way to any HTTPS server; made once for all workers, because it reads the system's roots.
pub(super) type Connector = HttpsConnector<HttpConnector>;

/// Makes the connector; fails if the system has no usable roots.
pub(super) fn connector(times: &Times) -> std::io::Result<Connector> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(times.connect));
    let provider = rustls::crypto::ring::default_provider();
    Ok(HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)?
        .https_only()
        .enable_all_versions()
        .wrap_connector(http))
}

/// One worker's connections to one HTTPS server.
#[derive(Debug)]
pub(super) struct TlsPool {
    name: Arc<str>,
    target: HttpTarget,
    headers: HeaderMap,
    times: Times,
    client: Client<Connector, Full<Bytes>>,
}

/// Connections are moved forward by tasks of the worker that uses them.
#[derive(Debug, Clone, Copy)]
struct OnThisWorker;

impl<F: Future + 'static> Executor<F> for OnThisWorker {
    fn execute(&self, future: F) {
        drop(tokio::task::spawn_local(async move {
            future.await;
        }));
    }
}

impl TlsPool {
    pub(super) fn new(
        name: Arc<str>,
        target: HttpTarget,
        headers: HeaderMap,
        (times, connector): (Times, Connector),
    ) -> Rc<TlsPool> {
        let client = Client::builder(OnThisWorker)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_FOR)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        Rc::new(TlsPool {
            name,
            target,
            headers,
            times,
            client,
        })
    }

    pub(super) async fn forward(
        &self,
        outgoing: Outgoing,
    ) -> Result<Response<ReplyBody>, ForwardError> {
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = self.target.absolute.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers::to_upstream(outgoing.headers, &self.headers);
        let answer = timeout(self.times.first_byte, self.client.request(request))
            .await
            .map_err(|_elapsed| ForwardError::Late {
                upstream: self.name.clone(),
                after: self.times.first_byte,
            })?
            .map_err(|error| self.failure(error))?;
        let (mut parts, incoming) = answer.into_parts();
        check_status(&self.name, parts.status)?;
        headers::to_agent(&mut parts.headers);
        let body = ReplyBody::pooled(incoming, self.name.clone());
        Ok(Response::from_parts(parts, body))
    }

    fn failure(&self, error: hyper_util::client::legacy::Error) -> ForwardError {
        let upstream = self.name.clone();
        let is_connect = error.is_connect();
        let source = error.into();
        if is_connect {
            ForwardError::Connect { upstream, source }
        } else {
            ForwardError::Cut { upstream, source }
        }
    }
}
