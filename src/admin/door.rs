//! Who may use the API: whoever has the admin token, at a name of this machine's.
//!
//! It never lets a browser's page in: a page has no token, no other origin is allowed to read a reply, and a name that was
//! bent to point here (DNS rebinding) is not served.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Sources;

/// Why a request is refused: a status, and what to do.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(
        status: StatusCode,
        kind: &'static str,
        message: impl Into<String>,
    ) -> Refused {
        Refused {
            status,
            kind,
            message: message.into(),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let error = json!({ "error": { "kind": self.kind, "message": self.message } });
        let mut response = (self.status, super::json_body(&error)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// Lets a request pass that may use the API.
pub(super) async fn guard(
    State(sources): State<Arc<Sources>>,
    request: Request,
    next: Next,
) -> Response {
    match admitted(&sources, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

/// The answer where there is nothing.
pub(super) async fn no_page() -> Refused {
    let pages = "there are /metrics, /healthz, /readyz, /api/limits and /api/limits/reset";
    Refused::new(StatusCode::NOT_FOUND, "path", pages)
}

/// The answer to a method that a page does not have.
pub(super) async fn no_method() -> Refused {
    let methods = "use POST for /api/limits/reset, and GET for all other pages";
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "method", methods)
}

fn admitted(sources: &Sources, headers: &HeaderMap) -> Result<(), Refused> {
    let host = only(headers, header::HOST);
    if !host.is_some_and(|host| is_own_name(host, sources.address)) {
        return Err(Refused::new(
            StatusCode::MISDIRECTED_REQUEST,
            "host",
            "use localhost, a loopback address or the address of --admin as the host",
        ));
    }
    let presented = only(headers, header::AUTHORIZATION)
        .and_then(|header| header.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match presented {
        Some((_, token)) if sources.token.is(token) => Ok(()),
        _ => Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "send `Authorization: Bearer` with the token in the file `admin-token` of the data folder",
        )),
    }
}

/// The value of a header that is there once.
fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok())?
}

/// `localhost`, a loopback address, or the address that is listened on. Where that is every address, any address: a name is
/// what can be bent, a number cannot.
fn is_own_name(host: &str, address: SocketAddr) -> bool {
    let name = match host.parse::<SocketAddr>() {
        Ok(with_port) => return is_own_address(with_port.ip(), address),
        Err(_) => host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']')),
    };
    if let Ok(ip) = name.unwrap_or(host).parse() {
        return is_own_address(ip, address);
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
}

fn is_own_address(ip: IpAddr, address: SocketAddr) -> bool {
    ip.is_loopback() || ip == address.ip() || address.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_can_bend_are_served() {
        let [loopback, other, any] = ["127.0.0.1:7081", "192.0.2.7:7081", "[::]:7081"];
        for (host, address, is_served) in [
            ("localhost", loopback, true),
            ("LOCALHOST:7081", loopback, true),
            ("127.0.0.1:7081", loopback, true),
            ("127.0.0.1", other, true),
            ("[::1]:7081", loopback, true),
            ("[::1]", loopback, true),
            ("192.0.2.7:7081", other, true),
            ("192.0.2.7", other, true),
            ("192.0.2.7", loopback, false),
            ("192.0.2.7:80", any, true),
            ("evil.example", any, false),
            ("evil.example:7081", loopback, false),
            ("localhost.evil.example", loopback, false),
            ("127.0.0.1.evil.example:7081", loopback, false),
            ("", loopback, false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(is_own_name(host, address), is_served, "{host} at {address}");
        }
    }
}
