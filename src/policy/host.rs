//! Hosts of URLs: whether a URL points at a host, or at one under it.
//!
//! It never repairs a URL: what two readers could take for two hosts (userinfo, backslashes, `0x7f.1`) is none here.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::truth::Truth;

/// The host of a URL (RFC 3986 §3.2.2), as far as all readers agree on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host<'a> {
    /// ASCII in any case, without a final dot.
    Name(Cow<'a, str>),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// Reads a host as an author writes it; an error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Host<'static>, String> {
        if let Ok(address) = text.parse() {
            return Ok(Host::V6(address));
        }
        let host = Host::read(text).map(|host| match host {
            Host::Name(name) => Host::Name(Cow::Owned(name.into_owned())),
            Host::V4(address) => Host::V4(address),
            Host::V6(address) => Host::V6(address),
        });
        host.ok_or_else(|| format!("{text:?} is no host name or address: write such as \"example.org\", without scheme and port"))
    }

    /// Whether the URL's host is, or is under, one of the hosts; unknown if it has no host that all readers agree on.
    pub(super) fn judge(hosts: &[Host<'_>], url: &str) -> Truth {
        match Host::of_url(url) {
            Some(host) => hosts.iter().any(|own| own.covers(&host)).into(),
            None => Truth::Unknown,
        }
    }

    fn covers(&self, other: &Host<'_>) -> bool {
        let (Host::Name(own), Host::Name(other)) = (self, other) else {
            return self == other;
        };
        let before = other.len().checked_sub(own.len());
        before.is_some_and(|before| {
            let (before, end) = other.split_at(before);
            end.eq_ignore_ascii_case(own) && (before.is_empty() || before.ends_with('.'))
        })
    }

    fn of_url(url: &'a str) -> Option<Host<'a>> {
        let (scheme, rest) = url.split_once("://")?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        let is_odd = |c: char| c == '\\' || c.is_whitespace() || c.is_control();
        if !is_scheme || url.contains(is_odd) {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = &rest[..end];
        let (host, port) = match authority.rfind(':') {
            Some(colon) if !authority[colon..].contains(']') => {
                (&authority[..colon], &authority[colon + 1..])
            }
            _ => (authority, ""),
        };
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.len() <= 5;
        is_port.then(|| Host::read(host))?
    }

    fn read(text: &'a str) -> Option<Host<'a>> {
        if let Some(inside) = text.strip_prefix('[') {
            let address = inside.strip_suffix(']')?;
            return address.parse().ok().map(Host::V6);
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if !name.split('.').all(is_label) {
            return None;
        }
        // A name that ends in a number is an address to many readers, in bases and parts of their own.
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.starts_with(|c: char| c.is_ascii_digit()) {
            return name.parse().ok().map(Host::V4);
        }
        Some(Host::Name(Cow::Borrowed(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_points_at_the_host_that_all_readers_see() {
        use Truth::{False, True, Unknown};
        for (host, url, expected) in [
            ("example.org", "https://example.org/a?b#c", True),
            ("example.org", "https://API.Example.ORG:8443", True),
            ("example.org", "https://example.org.", True),
            ("example.org", "ftp://a.b.example.org?x", True),
            ("example.org", "https://notexample.org/", False),
            ("example.org", "https://example.org.evil.com/", False),
            ("example.org", "https://evil.com/example.org", False),
            ("example.org", "https://evil.com#@example.org", False),
            ("example.org", "https://example.org@evil.com/", Unknown),
            ("example.org", "https://evil.com:pw@example.org/", Unknown),
            ("example.org", "https://evil.com\\@example.org", Unknown),
            ("example.org", "https://exa\tmple.org", Unknown),
            ("example.org", " https://example.org", Unknown),
            ("example.org", "https:/example.org", Unknown),
            ("example.org", "https:example.org", Unknown),
            ("example.org", "https:///example.org", Unknown),
            ("example.org", "//example.org", Unknown),
            ("example.org", "example.org", Unknown),
            ("example.org", "https://example%2eorg", Unknown),
            ("example.org", "https://exämple.org", Unknown),
            ("example.org", "https://example.org:80:90", Unknown),
            ("example.org", "https://example.org:x", Unknown),
            ("example.org", "", Unknown),
            ("127.0.0.1", "http://127.0.0.1:80/", True),
            ("127.0.0.1", "http://127.0.0.2/", False),
            ("127.0.0.1", "http://0x7f.0.0.1/", Unknown),
            ("127.0.0.1", "http://127.1/", Unknown),
            ("127.0.0.1", "http://2130706433/", Unknown),
            ("127.0.0.1", "http://0177.0.0.1/", Unknown),
            ("127.0.0.1", "http://x.127.0.0.1/", Unknown),
            ("::1", "http://[::1]:80/", True),
            ("::1", "http://[0:0::1]/", True),
            ("::1", "http://[::2]/", False),
            ("::1", "http://[::1/", Unknown),
            ("[::1]", "http://[::1]", True),
        ] {
            let hosts = [Host::parse(host).expect("a host")];
            assert_eq!(Host::judge(&hosts, url), expected, "{url} on {host}");
        }
    }

    #[test]
    fn a_broken_host_is_refused() {
        for text in [
            "",
            "https://example.org",
            "example.org:80",
            "*.example.org",
            "a..b",
            ".example.org",
            "1.2.3",
            "ü.org",
        ] {
            assert!(Host::parse(text).is_err(), "{text:?} was read");
        }
    }
}
