//! What is known of a server before the first call: where it is, how to reach it, how long to wait.
//!
//! What exists here has been checked; it never connects to anything.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Uri};

use crate::counters::CALL_MAX_DEFAULT;

/// One server of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSpec {
    /// Its name in the configuration and in the path `/mcp/<name>`.
    pub name: Arc<str>,
    /// How to reach it.
    pub transport: Transport,
    /// How long to wait for it.
    pub times: Times,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum Transport {
    /// Streamable HTTP.
    Http {
        /// Where it listens.
        target: HttpTarget,
        /// Headers that every request gets, such as the upstream's own credential; they replace the agent's.
        headers: HeaderMap,
    },
    /// A process that speaks over its standard input and output.
    Stdio(ChildCommand),
}

/// How to start a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildCommand {
    /// The program: a path, or a name that is looked for in `PATH`.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the few that it inherits (see [`super::child::INHERITED`]), or put in their place.
    pub env: Vec<(String, String)>,
    /// Where it runs; the gateway's own directory if `None`.
    pub cwd: Option<PathBuf>,
}

/// How long to wait for a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// For a connection, DNS included. Default 10 s: long enough for two lost SYNs.
    pub connect: Duration,
    /// For the first byte of an answer. Default 120 s: twice the 60 s after which the clients' SDKs give up on a request.
    pub first_byte: Duration,
    /// For a tool call in all, from its admission to the last byte of the answer. Default one hour; at most as long as the
    /// longest window, because so long a call in flight is counted.
    pub call: Duration,
    /// How long a process rests after its first death. Default 1 s; doubled with each further one.
    pub rest_first: Duration,
    /// The longest rest. Default 30 s.
    pub rest_max: Duration,
}

impl Default for Times {
    fn default() -> Times {
        Times {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            call: CALL_MAX_DEFAULT,
            rest_first: Duration::from_secs(1),
            rest_max: Duration::from_secs(30),
        }
    }
}

/// An `http` or `https` URL, taken apart as connections need it.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpTarget {
    pub(super) is_tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: Arc<str>,
    pub(super) port: u16,
    /// What `Host` says: the URL's authority as written.
    pub(super) host_header: HeaderValue,
    /// The whole URL.
    pub(super) absolute: Uri,
}

/// What is wrong with a server's URL.
#[derive(Debug, thiserror::Error)]
pub enum TargetFlaw {
    /// Not a URL.
    #[error("not a URL")]
    Syntax(#[source] http::Error),
    /// Another scheme than `http` and `https`, or none.
    #[error("a server's URL begins with http:// or https://")]
    Scheme,
    /// No host.
    #[error("the URL names no host")]
    Host,
    /// A user or password in it: such a URL ends up in logs.
    #[error("the URL holds a user or password; put the credential into `headers`")]
    UserInfo,
}

impl HttpTarget {
    /// Reads a URL such as `https://mcp.example.com/mcp`.
    pub fn parse(url: &str) -> Result<HttpTarget, TargetFlaw> {
        let uri: Uri = url
            .parse()
            .map_err(|error: http::uri::InvalidUri| TargetFlaw::Syntax(error.into()))?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(TargetFlaw::Scheme),
        };
        let authority = uri.authority().ok_or(TargetFlaw::Host)?.clone();
        if authority.as_str().contains('@') {
            return Err(TargetFlaw::UserInfo);
        }
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() {
            return Err(TargetFlaw::Host);
        }
        let port = authority
            .port_u16()
            .unwrap_or(if is_tls { 443 } else { 80 });
        Ok(HttpTarget {
            is_tls,
            host: host.into(),
            port,
            host_header: HeaderValue::from_str(authority.as_str())
                .map_err(|error| TargetFlaw::Syntax(error.into()))?,
            absolute: uri,
        })
    }

    /// Path and query, for a request to the server itself (RFC 9112 §3.2.1).
    pub(super) fn origin_form(&self) -> Uri {
        let path = self.absolute.path_and_query().cloned();
        Uri::from(path.unwrap_or(PathAndQuery::from_static("/")))
    }
}
