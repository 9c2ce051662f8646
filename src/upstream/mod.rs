//! Forwards: to MCP servers that speak streamable HTTP and to those that are child processes, with one kind of answer.
//!
//! It never judges: a `tools/call` comes with the proof that it was judged and recorded, and without it is refused.
//! It never changes what it forwards, except for the ids that clients of one child process would otherwise share.

mod body;
pub mod child;
mod error;
mod headers;
mod http;
mod listing;
mod spec;
mod stdio;
mod tls;
mod wire;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Method as HttpMethod, Response};
use bytes::Bytes;

use crate::mcp::{Envelope, Method};
use crate::record::Recorded;
use crate::sessions::Sessions;

use body::Deadline;

pub use body::{Origin, ReplyBody};
pub use error::ForwardError;
pub use listing::{ListError, list_tools};
pub use spec::{ChildCommand, HttpTarget, ServerSpec, TargetFlaw, Times, Transport};

/// What is to be forwarded.
#[derive(Debug)]
pub struct Outgoing {
    /// `POST`, `GET` or `DELETE`.
    pub method: HttpMethod,
    /// The agent's end-to-end headers, without its credentials.
    pub headers: HeaderMap,
    /// The very bytes that were judged.
    pub body: Bytes,
    /// What the body says; `None` for `GET` and `DELETE`.
    pub envelope: Option<Envelope>,
    /// The id of the grant that is calling.
    pub grant: Arc<str>,
}

/// A server of the configuration, known to all workers. For a stdio server this is also what keeps its processes: they
/// are stopped by [`Server::stop`], or when the last clone and the last [`Upstream`] are gone.
#[derive(Debug, Clone)]
pub struct Server {
    name: Arc<str>,
    times: Times,
    way: ServerWay,
}

#[derive(Debug, Clone)]
enum ServerWay {
    Plain(HttpTarget, HeaderMap),
    Tls(HttpTarget, HeaderMap, tls::Connector),
    Stdio(stdio::Stdio),
}

/// A server cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ServerFlaw {
    /// The system's certificate roots cannot be read.
    #[error("the system's certificate roots are not usable")]
    Roots(#[source] std::io::Error),
}

impl Server {
    /// Sets a server up; nothing is connected or started before its first message. Processes are looked after on
    /// `operator`, the runtime beside the workers' own; `sessions` are those of all stdio servers.
    pub fn new(
        spec: ServerSpec,
        sessions: Arc<Sessions>,
        operator: &tokio::runtime::Handle,
    ) -> Result<Server, ServerFlaw> {
        let ServerSpec {
            name,
            transport,
            times,
        } = spec;
        let way = match transport {
            Transport::Http { target, headers } if target.is_tls => {
                let connector = tls::connector(&times).map_err(ServerFlaw::Roots)?;
                ServerWay::Tls(target, headers, connector)
            }
            Transport::Http { target, headers } => ServerWay::Plain(target, headers),
            Transport::Stdio(command) => {
                let setup = stdio::Setup {
                    name: name.clone(),
                    command,
                    times: times.clone(),
                };
                ServerWay::Stdio(stdio::Stdio::new(setup, sessions, operator))
            }
        };
        Ok(Server { name, times, way })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Ends its processes, if it has any, and waits until they are gone: about four seconds at most. Nothing is
    /// forwarded to them afterwards.
    pub async fn stop(&self) {
        if let ServerWay::Stdio(stdio) = &self.way {
            stdio.stop().await;
        }
    }
}

/// One worker's way to one server; cheap to clone, and it stays on its thread, within a `LocalSet`.
#[derive(Debug, Clone)]
pub struct Upstream {
    name: Arc<str>,
    call_max: Duration,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Plain(Rc<http::Pool>),
    Tls(Rc<tls::TlsPool>),
    Stdio(stdio::Stdio),
}

impl Upstream {
    /// This worker's way to a server.
    pub fn new(server: &Server) -> Upstream {
        let name = server.name.clone();
        let times = server.times.clone();
        let (call_max, called) = (times.call, name.clone());
        let way = match server.way.clone() {
            ServerWay::Plain(target, headers) => {
                Way::Plain(http::Pool::new(name, target, headers, times))
            }
            ServerWay::Tls(target, headers, connector) => {
                let connect = (times, connector);
                Way::Tls(tls::TlsPool::new(name, target, headers, connect))
            }
            ServerWay::Stdio(stdio) => Way::Stdio(stdio),
        };
        Upstream {
            name: called,
            call_max,
            way,
        }
    }

    /// Forwards a tool call that was judged and recorded, `waited` after its admission. Once it has taken as long as it
    /// may, it ends as [`ForwardError::TimeUp`], also in the middle of its reply.
    pub async fn call(
        &self,
        _recorded: &Recorded,
        outgoing: Outgoing,
        waited: Duration,
    ) -> Result<Response<ReplyBody>, ForwardError> {
        self.call_within(outgoing, self.call_max.saturating_sub(waited))
            .await
    }

    async fn call_within(
        &self,
        outgoing: Outgoing,
        within: Duration,
    ) -> Result<Response<ReplyBody>, ForwardError> {
        let deadline = Deadline {
            at: tokio::time::sleep(within).deadline(),
            upstream: self.name.clone(),
            after: self.call_max,
        };
        match tokio::time::timeout_at(deadline.at, self.forward(outgoing)).await {
            Ok(reply) => Ok(reply?.map(|body| body.by(deadline))),
            Err(_elapsed) => Err(deadline.passed()),
        }
    }

    /// Forwards anything else; a `tools/call`, and a `POST` that nobody read, is [`ForwardError::NotJudged`].
    pub async fn pass(&self, outgoing: Outgoing) -> Result<Response<ReplyBody>, ForwardError> {
        let may_pass = match &outgoing.envelope {
            Some(envelope) => envelope.method != Method::ToolsCall,
            None => outgoing.method != HttpMethod::POST && outgoing.body.is_empty(),
        };
        if !may_pass {
            return Err(ForwardError::NotJudged);
        }
        self.forward(outgoing).await
    }

    async fn forward(&self, outgoing: Outgoing) -> Result<Response<ReplyBody>, ForwardError> {
        match &self.way {
            Way::Plain(pool) => pool.forward(outgoing).await,
            Way::Tls(pool) => pool.forward(outgoing).await,
            Way::Stdio(stdio) => stdio.forward(outgoing).await,
        }
    }
}

#[cfg(test)]
mod tests;
