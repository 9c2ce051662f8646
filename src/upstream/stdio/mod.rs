//! Forwards to a server that is a child process, and answers as a streamable HTTP server would.
//!
//! It never touches the process itself: an actor on the operator's runtime owns it, and what is here only sends orders and
//! receives parts of replies, both bounded.
//!
//! A server has up to two processes, one for each era of the protocol, each started by its first message. One process
//! cannot serve both: the SDKs' servers decide on an era with the first request and refuse the other one ever after, so
//! that one client with a modern probe would lock all legacy clients out.

mod actor;
mod answer;
mod backoff;
mod greeting;
mod line;
mod running;
mod streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method as HttpMethod, Response, StatusCode, header};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use super::{ChildCommand, ForwardError, Outgoing, ReplyBody, Times};
use crate::mcp::{Envelope, Method, Shape};
use crate::sessions::{Owner, SessionId, Sessions};
use actor::{Actor, Era, Order};
use running::{Caller, Last, Notice, Part, Request};

pub(super) use streams::{Listening, Replying};

/// How many orders may wait for an actor, which only moves bytes and is never far behind.
const ORDERS_MAX: usize = 256;

/// How many parts of one reply may wait for its client: progress beyond that is left out, it only says how far things are.
const PARTS_MAX: usize = 16;

/// How many messages may wait for one listener; one that is further behind is cut, and connects again.
const LISTENER_BACKLOG_MAX: usize = 64;

/// How long a process may take to answer `server/discover`. Old servers do not answer what comes before `initialize`;
/// clients give the probe 10 s, and over HTTP they take a late answer for an outage, not for an old server.
const DISCOVER_WAIT: Duration = Duration::from_secs(8);

/// The header that names a session (revisions 2025-03-26 to 2025-11-25).
const SESSION_HEADER: &str = "mcp-session-id";

/// What a process is started from.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) name: Arc<str>,
    pub(super) command: ChildCommand,
    pub(super) times: Times,
}

/// The way to a server's processes, for any thread.
#[derive(Debug, Clone)]
pub(super) struct Stdio(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    first_byte: Duration,
    sessions: Arc<Sessions>,
    legacy: Post,
    modern: Post,
    /// The server has said that it does not know `server/discover`: no process is started to ask it again.
    is_legacy_only: AtomicBool,
}

/// Where one actor takes orders.
#[derive(Debug)]
struct Post {
    orders: mpsc::Sender<Order>,
    /// Rung by clients that leave.
    left: Arc<Notify>,
}

impl Post {
    fn open(setup: Setup, era: Era, operator: &Handle) -> Post {
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let left = Arc::<Notify>::default();
        operator.spawn(Actor::new(setup, era, left.clone()).run(inbox));
        Post { orders, left }
    }

    async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.orders.send(Order::Stop(done)).await.is_ok() {
            // An actor that is gone has stopped its process too.
            let _ = stopped.await;
        }
    }
}

impl Stdio {
    pub(super) fn new(setup: Setup, sessions: Arc<Sessions>, operator: &Handle) -> Stdio {
        Stdio(Arc::new(Shared {
            name: setup.name.clone(),
            first_byte: setup.times.first_byte,
            sessions,
            legacy: Post::open(setup.clone(), Era::Legacy, operator),
            modern: Post::open(setup, Era::Modern, operator),
            is_legacy_only: AtomicBool::new(false),
        }))
    }

    pub(super) async fn stop(&self) {
        tokio::join!(self.0.legacy.stop(), self.0.modern.stop());
    }

    pub(super) async fn forward(
        &self,
        outgoing: Outgoing,
    ) -> Result<Response<ReplyBody>, ForwardError> {
        match (&outgoing.method, &outgoing.envelope) {
            (&HttpMethod::GET, None) => self.listen(&outgoing),
            (&HttpMethod::DELETE, None) => Ok(self.end_session(&outgoing)),
            (&HttpMethod::POST, Some(envelope)) => {
                let envelope = envelope.clone();
                self.post(outgoing, envelope).await
            }
            _ => Ok(answer::method_not_allowed()),
        }
    }

    async fn post(
        &self,
        outgoing: Outgoing,
        envelope: Envelope,
    ) -> Result<Response<ReplyBody>, ForwardError> {
        // `initialize` does not exist in the modern era, even if a client stamps it so.
        let is_modern = envelope.is_modern && envelope.method != Method::Initialize;
        let session = match is_modern {
            true => None,
            false => match self.session(&outgoing) {
                Ok(session) => session,
                Err(_unknown) => return Ok(answer::unknown_session(raw_id(&outgoing, &envelope))),
            },
        };
        let post = if is_modern {
            &self.0.modern
        } else {
            &self.0.legacy
        };
        let caller = Caller {
            grant: outgoing.grant.clone(),
            session,
        };
        match (envelope.shape, envelope.id.clone()) {
            (Shape::Request, Some(id)) => {
                let request = Request {
                    body: outgoing.body,
                    id,
                    progress_token: envelope.progress_token,
                    method: envelope.method,
                    caller,
                };
                match (is_modern, envelope.method) {
                    (true, Method::Discover) => self.discover(request).await,
                    (true, _) => self.modern_request(request).await,
                    (false, _) => self.legacy_request(request).await,
                }
            }
            _ => {
                let notice = Notice {
                    body: outgoing.body,
                    method: envelope.method,
                    cancels: envelope.cancels,
                    caller,
                };
                self.order(post, Order::Notice(Box::new(notice)))?;
                Ok(answer::accepted())
            }
        }
    }

    async fn legacy_request(&self, request: Request) -> Result<Response<ReplyBody>, ForwardError> {
        let is_initialize = request.method == Method::Initialize;
        let owner = self.owner(&request.caller.grant);
        let (first, reply) = self.ask(&self.0.legacy, request, self.0.first_byte).await?;
        let is_greeted = matches!(&first, First::Last(last) if last.error_code.is_none());
        let mut response = answer::reply(StatusCode::OK, first, reply);
        if is_initialize && is_greeted {
            match self.0.sessions.open(owner) {
                Ok(id) => answer::name_session(&mut response, id),
                // Without an id the client simply goes on without a session.
                Err(error) => tracing::error!(error = %error, "no session was opened"),
            }
        }
        Ok(response)
    }

    async fn modern_request(&self, request: Request) -> Result<Response<ReplyBody>, ForwardError> {
        let (first, reply) = self.ask(&self.0.modern, request, self.0.first_byte).await?;
        let status = match &first {
            First::Last(last) => answer::modern_status(last.error_code),
            First::Event(_) => StatusCode::OK,
        };
        Ok(answer::reply(status, first, reply))
    }

    /// Over HTTP a modern client falls back to `initialize` on an error of the 4xx kind; on silence, a broken connection
    /// or a 5xx it gives up. A process that is old says so in all of these ways, so they all become "not found".
    async fn discover(&self, request: Request) -> Result<Response<ReplyBody>, ForwardError> {
        let id = request.body.slice(request.id.clone());
        if self.0.is_legacy_only.load(Ordering::Relaxed) {
            return Ok(answer::no_discovery(&id));
        }
        let wait = DISCOVER_WAIT.min(self.0.first_byte);
        let (first, reply) = match self.ask(&self.0.modern, request, wait).await {
            Ok(answered) => answered,
            Err(
                ForwardError::Late { .. }
                | ForwardError::ChildGone { .. }
                | ForwardError::ChildNotStarted { source: None, .. },
            ) => return Ok(answer::no_discovery(&id)),
            Err(error) => return Err(error),
        };
        let code = match &first {
            First::Last(last) => last.error_code,
            First::Event(_) => None,
        };
        if code.is_some_and(answer::is_legacy_verdict) {
            self.0.is_legacy_only.store(true, Ordering::Relaxed);
            // A full mailbox only means that an idle process stays.
            let _ = self.0.modern.orders.try_send(Order::Rest);
        }
        Ok(answer::reply(answer::discover_status(code), first, reply))
    }

    /// Sends a request to an actor and waits for the first part of the answer.
    async fn ask(
        &self,
        post: &Post,
        request: Request,
        wait: Duration,
    ) -> Result<(First, Replying), ForwardError> {
        let (parts, receiver) = mpsc::channel(PARTS_MAX);
        let mut reply = Replying::new(self.0.name.clone(), receiver, post.left.clone());
        self.order(post, Order::Request(Box::new(request), parts))?;
        let late = |_elapsed| ForwardError::Late {
            upstream: self.0.name.clone(),
            after: wait,
        };
        match timeout(wait, reply.first()).await.map_err(late)?? {
            Part::Event(event) => Ok((First::Event(event), reply)),
            Part::Last(last) => Ok((First::Last(last), reply)),
            Part::Failed(error) => Err(error),
        }
    }

    fn order(&self, post: &Post, order: Order) -> Result<(), ForwardError> {
        let upstream = self.0.name.clone();
        post.orders
            .try_send(order)
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => ForwardError::Saturated { upstream },
                mpsc::error::TrySendError::Closed(_) => ForwardError::Stopped { upstream },
            })
    }

    fn listen(&self, outgoing: &Outgoing) -> Result<Response<ReplyBody>, ForwardError> {
        if answer::is_modern_revision(&outgoing.headers) {
            return Ok(answer::method_not_allowed());
        }
        if !accepts_events(&outgoing.headers) {
            return Ok(answer::not_acceptable());
        }
        if self.session(outgoing).is_err() {
            return Ok(answer::unknown_session(None));
        }
        let (sender, receiver) = mpsc::channel(LISTENER_BACKLOG_MAX);
        let post = &self.0.legacy;
        self.order(post, Order::Listen(sender))?;
        Ok(answer::events(ReplyBody::listening(Listening::new(
            receiver,
            post.left.clone(),
        ))))
    }

    fn end_session(&self, outgoing: &Outgoing) -> Response<ReplyBody> {
        let Some(id) = outgoing.headers.get(SESSION_HEADER) else {
            return answer::method_not_allowed();
        };
        let owner = self.owner(&outgoing.grant);
        match self.0.sessions.end(id.to_str().unwrap_or_default(), &owner) {
            Ok(()) => answer::ended(),
            Err(_unknown) => answer::unknown_session(None),
        }
    }

    /// The session that a request names; none if it names none.
    fn session(
        &self,
        outgoing: &Outgoing,
    ) -> Result<Option<SessionId>, crate::sessions::UnknownSession> {
        let Some(id) = outgoing.headers.get(SESSION_HEADER) else {
            return Ok(None);
        };
        let owner = self.owner(&outgoing.grant);
        let id = id.to_str().unwrap_or_default();
        self.0.sessions.find(id, &owner).map(Some)
    }

    fn owner(&self, grant: &Arc<str>) -> Owner {
        Owner {
            grant: grant.clone(),
            server: self.0.name.clone(),
        }
    }
}

/// The first part of an answer; it decides between JSON and an event stream.
#[derive(Debug)]
enum First {
    Event(Bytes),
    Last(Last),
}

fn raw_id<'a>(outgoing: &'a Outgoing, envelope: &Envelope) -> Option<&'a [u8]> {
    envelope.id.clone().map(|id| &outgoing.body[id])
}

fn accepts_events(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value: &HeaderValue| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .any(|range| {
            ["text/event-stream", "text/*", "*/*"]
                .iter()
                .any(|known| range.eq_ignore_ascii_case(known))
        })
}
