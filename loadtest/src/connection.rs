//! One agent's connection: sends a call, reads the whole reply, says what it was.
//!
//! It never repeats a call and never reconnects: a connection that breaks under load is a finding, not an obstacle.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::call::Call;
use crate::stub::REVISION;
use crate::tally::Ending;

/// The largest reply that is read.
const REPLY_MAX: usize = 1 << 20;

/// How much of a wrong reply is shown.
const SHOWN_MAX: usize = 300;

/// Where calls go and what they carry besides their body.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    path: Uri,
    headers: HeaderMap<HeaderValue>,
}

impl Endpoint {
    /// An endpoint on this machine and the bearer token that it gets; `None` if one of them cannot stand in a request.
    pub(crate) fn new(address: SocketAddr, path: &str, bearer: &str) -> Option<Endpoint> {
        let value = |text: String| HeaderValue::try_from(text).ok();
        let accepted = HeaderValue::from_static("application/json, text/event-stream");
        let headers = [
            (header::HOST, value(address.to_string())?),
            (header::AUTHORIZATION, value(format!("Bearer {bearer}"))?),
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            ),
            (header::ACCEPT, accepted),
            (
                HeaderName::from_static("mcp-protocol-version"),
                HeaderValue::from_static(REVISION),
            ),
        ];
        Some(Endpoint {
            address,
            path: Uri::try_from(path).ok()?,
            headers: headers.into_iter().collect(),
        })
    }

    /// The same for another agent; `None` if its token cannot stand in a request.
    pub(crate) fn with_bearer(&self, bearer: &str) -> Option<Endpoint> {
        let value = HeaderValue::try_from(format!("Bearer {bearer}")).ok()?;
        let mut other = self.clone();
        other.headers.insert(header::AUTHORIZATION, value);
        Some(other)
    }

    fn request(&self, call: &Call) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// A keep-alive connection to an [`Endpoint`]; must be used within a `LocalSet`.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects; the error is in words.
    pub(crate) async fn open(endpoint: &Endpoint) -> Result<Connection, String> {
        let stream = TcpStream::connect(endpoint.address)
            .await
            .map_err(|error| format!("cannot connect: {error}"))?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        // Its error reaches the call that is under way.
        tokio::task::spawn_local(connection);
        Ok(Connection { sender })
    }

    /// Sends one call and awaits its whole reply.
    pub(crate) async fn ask(&mut self, endpoint: &Endpoint, call: &Call) -> Ending {
        let reply = match self.sender.ready().await {
            Ok(()) => self.sender.send_request(endpoint.request(call)).await,
            Err(error) => Err(error),
        };
        match reply {
            Ok(reply) => judge(reply, call).await,
            Err(error) => Ending::Broken(chain(&error)),
        }
    }
}

async fn judge(reply: Response<Incoming>, call: &Call) -> Ending {
    let status = reply.status();
    let body = match Limited::new(reply.into_body(), REPLY_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Ending::Broken(chain(error.as_ref())),
    };
    if status != StatusCode::OK {
        Ending::Refused(format!("{status}: {}", shown(&body)))
    } else if !call.is_answered_by(&body) {
        Ending::Mismatched(shown(&body))
    } else {
        Ending::Verified
    }
}

/// The beginning of a body, on one line.
fn shown(body: &[u8]) -> String {
    let start = &body[..body.len().min(SHOWN_MAX)];
    String::from_utf8_lossy(start).escape_debug().to_string()
}

/// An error with its sources.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Script;

    #[test]
    fn a_request_is_one_that_an_mcp_client_sends() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let endpoint = Endpoint::new(address, "/mcp/stub", "tg_x").expect("valid");
        let request = endpoint.request(&Script::new(300).call(0));
        let header = |name: &str| request.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "/mcp/stub");
        assert_eq!(header("host"), "127.0.0.1:80");
        assert_eq!(header("authorization"), "Bearer tg_x");
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("accept"), "application/json, text/event-stream");
    }

    #[test]
    fn a_token_that_cannot_stand_in_a_header_is_no_endpoint() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        assert!(Endpoint::new(address, "/mcp", "a\nb").is_none());
    }

    #[test]
    fn a_wrong_reply_is_shown_on_one_line_and_cut() {
        assert_eq!(shown(b"a\nb\xff"), "a\\nb\u{fffd}");
        assert_eq!(shown(&[b'x'; 1_000]).len(), SHOWN_MAX);
    }
}
