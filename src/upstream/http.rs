//! Forwards over plain HTTP/1, through connections that one worker keeps to one server.
//!
//! It never sends a request twice: only one that hyper hands back unsent goes out again. It never follows a redirect.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::wire::{InlineBody, Wire};
use super::{ForwardError, HttpTarget, Outgoing, ReplyBody, Times, headers};

/// How many idle connections a worker keeps to a server: as many as a busy worker uses at once, few enough for any server.
const IDLE_MAX: usize = 32;

/// How many connections a worker may have open to a server, streams included: far below the usual limit of open files.
const OPEN_MAX: usize = 4_096;

/// Idle connections are kept for one to two of these: less than the 5 s after which Node's and Python's servers close
/// them, because a request that meets such a close is lost.
const REAP_EVERY: Duration = Duration::from_secs(2);

/// One worker's connections to one server.
#[derive(Debug)]
pub(super) struct Pool {
    name: Arc<str>,
    target: HttpTarget,
    origin_form: Uri,
    headers: HeaderMap,
    times: Times,
    idle: RefCell<Vec<Idle>>,
    open: Rc<Cell<usize>>,
    /// Goes up with each reaping: the age of an idle connection without asking what time it is.
    tick: Cell<u64>,
    is_reaping: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    wire: Wire,
    since: u64,
}

/// A place among the connections that may be open; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot(Rc<Cell<usize>>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Pool {
    pub(super) fn new(
        name: Arc<str>,
        target: HttpTarget,
        headers: HeaderMap,
        times: Times,
    ) -> Rc<Pool> {
        Rc::new(Pool {
            name,
            origin_form: target.origin_form(),
            target,
            headers,
            times,
            idle: RefCell::default(),
            open: Rc::default(),
            tick: Cell::new(0),
            is_reaping: Cell::new(false),
        })
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Sends a request and gives back the answer as soon as its head is there.
    pub(super) async fn forward(
        self: &Rc<Pool>,
        outgoing: Outgoing,
    ) -> Result<Response<ReplyBody>, ForwardError> {
        let (wire, answer) = self.exchange(self.request(outgoing)).await?;
        let (mut parts, incoming) = answer.into_parts();
        check_status(&self.name, parts.status)?;
        headers::to_agent(&mut parts.headers);
        let mut body = InlineBody::new(incoming, wire, self.clone());
        body.settle().await;
        Ok(Response::from_parts(parts, ReplyBody::inline(body)))
    }

    fn request(&self, outgoing: Outgoing) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = self.origin_form.clone();
        *request.headers_mut() = headers::to_upstream(outgoing.headers, &self.headers);
        request
            .headers_mut()
            .insert(header::HOST, self.target.host_header.clone());
        request
    }

    async fn exchange(
        self: &Rc<Pool>,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Wire, Response<Incoming>), ForwardError> {
        loop {
            let (mut wire, is_fresh) = match self.take_idle() {
                Some(wire) => (wire, false),
                None => (self.connect().await?, true),
            };
            let answer = timeout(self.times.first_byte, wire.exchange(request));
            let mut error = match answer.await {
                Err(_elapsed) => return Err(self.late()),
                Ok(Ok(answer)) => return Ok((wire, answer)),
                Ok(Err(error)) => error,
            };
            match error.take_message() {
                Some(unsent) if !is_fresh => request = unsent,
                Some(_unsent) => return Err(self.unreachable(error.into_error())),
                None => return Err(self.cut(error.into_error())),
            }
        }
    }

    /// The one used last: it is the least likely to have been closed.
    fn take_idle(&self) -> Option<Wire> {
        self.idle.borrow_mut().pop().map(|idle| idle.wire)
    }

    async fn connect(&self) -> Result<Wire, ForwardError> {
        let slot = self.slot()?;
        let address = (&*self.target.host, self.target.port);
        let stream = timeout(self.times.connect, TcpStream::connect(address))
            .await
            .map_err(|_elapsed| self.connect_late())?
            .map_err(|error| self.unreachable(error))?;
        stream
            .set_nodelay(true)
            .map_err(|error| self.unreachable(error))?;
        Wire::open(stream, slot)
            .await
            .map_err(|error| self.unreachable(error))
    }

    fn slot(&self) -> Result<Slot, ForwardError> {
        if self.open.get() >= OPEN_MAX {
            let upstream = self.name.clone();
            return Err(ForwardError::Saturated { upstream });
        }
        self.open.set(self.open.get() + 1);
        Ok(Slot(self.open.clone()))
    }

    /// Takes back a connection whose answer has been read to its end.
    pub(super) fn keep(self: &Rc<Pool>, wire: Wire) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= IDLE_MAX {
            return;
        }
        let since = self.tick.get();
        idle.push(Idle { wire, since });
        if !self.is_reaping.replace(true) {
            tokio::task::spawn_local(reap(Rc::downgrade(self)));
        }
    }

    /// Closes what has been idle for a whole period; `false` if nothing is left.
    fn reap(&self) -> bool {
        let now = self.tick.get();
        let mut idle = self.idle.borrow_mut();
        idle.retain(|idle| idle.since == now);
        self.tick.set(now + 1);
        self.is_reaping.set(!idle.is_empty());
        !idle.is_empty()
    }

    fn unreachable(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ForwardError {
        ForwardError::Connect {
            upstream: self.name.clone(),
            source: source.into(),
        }
    }

    fn cut(&self, source: hyper::Error) -> ForwardError {
        ForwardError::Cut {
            upstream: self.name.clone(),
            source: source.into(),
        }
    }

    fn connect_late(&self) -> ForwardError {
        ForwardError::ConnectLate {
            upstream: self.name.clone(),
            after: self.times.connect,
        }
    }

    fn late(&self) -> ForwardError {
        ForwardError::Late {
            upstream: self.name.clone(),
            after: self.times.first_byte,
        }
    }
}

/// Runs while there are idle connections, and ends with the last of them or with the pool.
async fn reap(pool: std::rc::Weak<Pool>) {
    loop {
        tokio::time::sleep(REAP_EVERY).await;
        match pool.upgrade() {
            Some(pool) if pool.reap() => continue,
            _ => return,
        }
    }
}

pub(super) fn check_status(
    upstream: &Arc<str>,
    status: http::StatusCode,
) -> Result<(), ForwardError> {
    let upstream = upstream.clone();
    if status.is_redirection() {
        let status = status.as_u16();
        return Err(ForwardError::Redirected { upstream, status });
    }
    if status.is_informational() {
        let what = "a switch of protocols";
        return Err(ForwardError::Protocol { upstream, what });
    }
    Ok(())
}
