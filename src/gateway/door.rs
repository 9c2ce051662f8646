//! The door: whether a request may come in at all, judged by its head alone.
//!
//! Nothing of the body is read here, so that a stranger cannot make the gateway read one. What hyper accepts and two
//! servers could read differently is refused (RFC 9112 §3.2, §6; RFC 9110 §7.4).

use std::sync::Arc;

use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, ORIGIN, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{Method, Version};

use super::reply::Refusal;
use super::snapshot::{Server, Snapshot};
use crate::grants::{Grant, Token};

/// A request that may come in: who calls, and for which server.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) grant: Arc<Grant>,
    /// The token that was presented, to be kept from leaving.
    pub(super) token: Token,
    pub(super) server: Arc<Server>,
}

/// Judges a request's head. The order is fixed: form, host, origin, path, method, grant, server.
pub(super) fn enter(snapshot: &Snapshot, head: &Parts) -> Result<Entry, Refusal> {
    framing(head)?;
    if head.method == Method::CONNECT {
        return Err(Refusal::Method);
    }
    let host = host(head)?;
    if !snapshot.serves_host(host) {
        return Err(Refusal::Misdirected);
    }
    origin(snapshot, &head.headers, host)?;
    let name = server_name(head.uri.path()).ok_or(Refusal::NotFound)?;
    if ![Method::POST, Method::GET, Method::DELETE].contains(&head.method) {
        return Err(Refusal::Method);
    }
    let tokens = head
        .headers
        .get_all(AUTHORIZATION)
        .iter()
        .map(|value| value.as_bytes());
    let (grant, token) = snapshot
        .grants
        .authenticate(tokens)
        .map_err(Refusal::Unauthenticated)?;
    let server = snapshot.servers.get(name).ok_or(Refusal::NotFound)?.clone();
    if grant.seat(name).is_none() {
        return Err(Refusal::NotCovered);
    }
    Ok(Entry {
        grant,
        token,
        server,
    })
}

/// The server that a path names: `/mcp/<name>`, with or without a slash at the end. Names need no escapes.
fn server_name(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/mcp/")?;
    let name = name.strip_suffix('/').unwrap_or(name);
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

fn framing(head: &Parts) -> Result<(), Refusal> {
    let headers = &head.headers;
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || codings.next().is_some()
    {
        return Err(Refusal::Framing(
            "`Transfer-Encoding` must be `chunked`, once",
        ));
    }
    if coding.is_some()
        && (head.version == Version::HTTP_10 || headers.contains_key(CONTENT_LENGTH))
    {
        return Err(Refusal::Framing(
            "`Transfer-Encoding` does not go with this request",
        ));
    }
    if headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(Refusal::Framing("`Content-Length` stands more than once"));
    }
    let has_length = coding.is_some() || headers.contains_key(CONTENT_LENGTH);
    if head.method == Method::POST && head.version == Version::HTTP_10 && !has_length {
        return Err(Refusal::Framing(
            "an HTTP/1.0 request needs `Content-Length`",
        ));
    }
    if headers
        .get(EXPECT)
        .is_some_and(|expected| !expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        return Err(Refusal::Expectation);
    }
    Ok(())
}

/// The one host that a request is for.
fn host(head: &Parts) -> Result<&str, Refusal> {
    let named =
        single(&head.headers, &HOST).map_err(|()| Refusal::Framing("`Host` must stand once"))?;
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    match (named, authority) {
        (Some(named), Some(authority)) if !named.eq_ignore_ascii_case(authority) => {
            Err(Refusal::Framing("`Host` differs from the request's target"))
        }
        (Some(host), _) => Ok(host),
        (None, Some(host)) if head.version == Version::HTTP_2 => Ok(host),
        (None, _) => Err(Refusal::Framing("`Host` must stand once")),
    }
}

/// A browser says where a request comes from. A page of another origin must not use what this machine may reach.
fn origin(snapshot: &Snapshot, headers: &HeaderMap, host: &str) -> Result<(), Refusal> {
    let Some(origin) = single(headers, &ORIGIN).map_err(|()| Refusal::Origin)? else {
        return Ok(());
    };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    if authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
        || snapshot.serves_origin(origin)
    {
        return Ok(());
    }
    Err(Refusal::Origin)
}

/// A header's value where it stands once; `Err` where it stands more than once or is not plain text.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}
