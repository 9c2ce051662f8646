//! One HTTP/1 connection, moved forward by whoever waits for its answer.
//!
//! There is never a task behind it: an exchange costs no wake-up of another task, and dropping whoever waits closes the
//! connection, which is how HTTP/1 tells an upstream that nobody waits any more.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::ForwardError;
use super::http::{Pool, Slot};

type Connection = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// A connection and its place among those that may be open.
#[derive(Debug)]
pub(super) struct Wire {
    sender: http1::SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    connection: Option<Box<Connection>>,
    _slot: Slot,
}

impl Wire {
    pub(super) async fn open(stream: TcpStream, slot: Slot) -> hyper::Result<Wire> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Wire {
            sender,
            connection: Some(Box::new(connection)),
            _slot: slot,
        })
    }

    /// Sends a request and waits for the head of its answer. What the peer did while the connection was idle is seen here:
    /// hyper reads before it writes, and hands the request back unsent if the connection was closed meanwhile.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        std::future::poll_fn(|cx| {
            advance(&mut self.connection, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        advance(&mut self.connection, cx);
    }

    /// Whether it can take a request, as far as was seen.
    pub(super) fn is_idle(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }
}

/// How the connection ended is not looked at: hyper tells it to whoever waits for the answer or for its body.
fn advance(connection: &mut Option<Box<Connection>>, cx: &mut Context<'_>) {
    let is_over = connection
        .as_mut()
        .is_some_and(|running| Pin::new(running).poll(cx).is_ready());
    if is_over {
        *connection = None;
    }
}

/// The body of an answer; it holds its connection, and hands it back to the pool at the end.
#[derive(Debug)]
pub(super) struct InlineBody {
    incoming: Incoming,
    /// `None` after the end.
    wire: Option<Wire>,
    pool: Rc<Pool>,
}

impl InlineBody {
    pub(super) fn new(incoming: Incoming, wire: Wire, pool: Rc<Pool>) -> InlineBody {
        InlineBody {
            incoming,
            wire: Some(wire),
            pool,
        }
    }

    /// For an answer without a body: the connection is free at once.
    pub(super) async fn settle(&mut self) {
        std::future::poll_fn(|cx| {
            self.finish_if_ended(cx);
            Poll::Ready(())
        })
        .await;
    }

    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ForwardError>>> {
        loop {
            if let Some(wire) = &mut self.wire {
                wire.advance(cx);
            }
            let frame = match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(self.cut(error)))),
                None => {
                    self.finish(cx);
                    return Poll::Ready(None);
                }
            };
            // Trailers are skipped: merged by anyone behind us they could pass for headers.
            if let Ok(data) = frame.into_data() {
                self.finish_if_ended(cx);
                return Poll::Ready(Some(Ok(data)));
            }
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    /// Whoever sees `is_end_stream` does not poll again, so the connection must not wait for that.
    fn finish_if_ended(&mut self, cx: &mut Context<'_>) {
        if self.incoming.is_end_stream() {
            self.finish(cx);
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        let Some(mut wire) = self.wire.take() else {
            return;
        };
        wire.advance(cx);
        if wire.is_idle() {
            self.pool.keep(wire);
        }
    }

    fn cut(&mut self, error: hyper::Error) -> ForwardError {
        self.wire = None;
        ForwardError::Cut {
            upstream: self.pool.name().clone(),
            source: error.into(),
        }
    }
}
