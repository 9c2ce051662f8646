//! Which headers travel end to end.
//!
//! It never lets through what belongs to one connection (RFC 9110 §7.6.1), an agent's credentials or an upstream's cookies.

use http::HeaderMap;
use http::header::{self, HeaderName};

/// Headers that belong to one connection, whether `Connection` names them or not.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Headers of an agent that an upstream never sees, or that are made anew for each connection. Replies must come as they
/// are meant (lists are filtered), so no coding is asked for; the grant's bearer must never leave.
const NOT_FORWARDED: [HeaderName; 6] = [
    header::HOST,
    header::ACCEPT_ENCODING,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::AUTHORIZATION,
    header::COOKIE,
];

/// What an upstream is sent: the agent's end-to-end headers, and the server's configured ones in place of theirs.
pub(super) fn to_upstream(mut agent: HeaderMap, configured: &HeaderMap) -> HeaderMap {
    strip_hop_by_hop(&mut agent);
    for name in &NOT_FORWARDED {
        agent.remove(name);
    }
    for name in configured.keys() {
        agent.remove(name);
    }
    for (name, value) in configured {
        agent.append(name, value.clone());
    }
    agent
}

/// What an agent is sent: the upstream's end-to-end headers without its cookies.
pub(super) fn to_agent(reply: &mut HeaderMap) {
    strip_hop_by_hop(reply);
    reply.remove(header::SET_COOKIE);
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        for name in named_in_connection(headers) {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

fn named_in_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn what_belongs_to_a_connection_or_to_the_grant_stays_here() {
        let agent = headers(&[
            ("connection", "close, x-mine"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("host", "gateway"),
            ("authorization", "Bearer tg_secret"),
            ("cookie", "a=b"),
            ("accept-encoding", "gzip"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-session-id", "s"),
        ]);
        let sent = to_upstream(agent, &HeaderMap::new());
        let expected = headers(&[
            ("accept", "application/json, text/event-stream"),
            ("mcp-session-id", "s"),
        ]);
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_configured_header_replaces_the_agents() {
        let configured = headers(&[("authorization", "Bearer up"), ("x-key", "k")]);
        let agent = headers(&[("x-key", "agents"), ("authorization", "Bearer tg_secret")]);
        assert_eq!(to_upstream(agent, &configured), configured);
    }

    #[test]
    fn a_reply_loses_its_cookies_and_what_its_connection_names() {
        let mut reply = headers(&[
            ("set-cookie", "a=b"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("mcp-session-id", "s"),
        ]);
        to_agent(&mut reply);
        assert_eq!(reply, headers(&[("mcp-session-id", "s")]));
    }
}
