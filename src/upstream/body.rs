//! The body of a reply, whatever it comes from.
//!
//! It never reads ahead of whoever polls it by more than one piece, and dropping it frees the upstream at once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::ForwardError;
use super::stdio::{Listening, Replying};
use super::wire::InlineBody;

/// A streaming reply. Not `Send`: it stays on the worker whose connection it reads.
#[derive(Debug)]
pub struct ReplyBody {
    source: Source,
    /// By when a tool call has ended.
    deadline: Option<Deadline>,
    /// Set only once something had to be waited for: most replies are there at once.
    timer: Option<Pin<Box<Sleep>>>,
    /// What was read ahead, and is to be read again.
    ahead: Bytes,
    is_cancelled: bool,
}

/// The moment by which a call ends, whatever has come of its reply.
#[derive(Debug, Clone)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) upstream: Arc<str>,
    /// How long the call had in all.
    pub(super) after: Duration,
}

impl Deadline {
    pub(super) fn passed(&self) -> ForwardError {
        ForwardError::TimeUp {
            upstream: self.upstream.clone(),
            after: self.after,
        }
    }
}

#[derive(Debug)]
enum Source {
    /// All of it, or what is left.
    Whole(Bytes),
    /// A connection of our own pool, moved forward by polling this body.
    Inline(Box<InlineBody>),
    /// A connection of hyper's pool.
    Pooled { body: Incoming, upstream: Arc<str> },
    /// A child's messages for one request, as events.
    Replying(Replying),
    /// A child's messages for nobody in particular, as events.
    Listening(Listening),
}

impl ReplyBody {
    /// A body that is all there.
    pub fn whole(bytes: Bytes) -> ReplyBody {
        ReplyBody::of(Source::Whole(bytes))
    }

    pub(super) fn inline(body: InlineBody) -> ReplyBody {
        ReplyBody::of(Source::Inline(Box::new(body)))
    }

    pub(super) fn pooled(body: Incoming, upstream: Arc<str>) -> ReplyBody {
        ReplyBody::of(Source::Pooled { body, upstream })
    }

    pub(super) fn replying(events: Replying) -> ReplyBody {
        ReplyBody::of(Source::Replying(events))
    }

    pub(super) fn listening(events: Listening) -> ReplyBody {
        ReplyBody::of(Source::Listening(events))
    }

    /// The same, but it fails once the deadline is there.
    pub(super) fn by(self, deadline: Deadline) -> ReplyBody {
        ReplyBody {
            deadline: Some(deadline),
            ..self
        }
    }

    /// The same for a request that its client cancelled.
    pub(super) fn cancelled(self) -> ReplyBody {
        ReplyBody {
            is_cancelled: true,
            ..self
        }
    }

    /// Whether the last that was read of it is the gateway's own word for a request that its client cancelled: then the
    /// server has not answered, and may still be at work.
    pub fn is_cancelled(&self) -> bool {
        match &self.source {
            Source::Replying(events) => events.is_cancelled(),
            _ => self.is_cancelled,
        }
    }

    /// The same with bytes before it, which were read of it already.
    pub fn behind(self, ahead: Bytes) -> ReplyBody {
        ReplyBody { ahead, ..self }
    }

    fn of(source: Source) -> ReplyBody {
        ReplyBody {
            source,
            deadline: None,
            timer: None,
            ahead: Bytes::new(),
            is_cancelled: false,
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ForwardError>>> {
        Poll::Ready(match &mut self.source {
            Source::Whole(bytes) if bytes.is_empty() => None,
            Source::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Source::Inline(body) => ready!(body.poll_data(cx)),
            Source::Pooled { body, upstream } => ready!(poll_pooled(body, upstream, cx)),
            Source::Replying(events) => ready!(events.poll_event(cx)),
            Source::Listening(events) => ready!(events.poll_event(cx)).map(Ok),
        })
    }

    /// The error of a call whose time is up; the upstream is left at once.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<ForwardError> {
        let Some(deadline) = &self.deadline else {
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline.at)));
        ready!(timer.as_mut().poll(cx));
        let passed = deadline.passed();
        *self = ReplyBody::whole(Bytes::new());
        Poll::Ready(passed)
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = ForwardError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ForwardError>>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            let ahead = std::mem::take(&mut this.ahead);
            return Poll::Ready(Some(Ok(Frame::data(ahead))));
        }
        let is_timed = this.timer.is_some();
        let piece = match is_timed.then(|| this.poll_deadline(cx)) {
            Some(Poll::Ready(error)) => Some(Err(error)),
            _ => match this.poll_source(cx) {
                Poll::Ready(piece) => piece,
                Poll::Pending => Some(Err(ready!(this.poll_deadline(cx)))),
            },
        };
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        let is_over = match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Inline(body) => body.is_end_stream(),
            Source::Pooled { body, .. } => body.is_end_stream(),
            Source::Replying(_) | Source::Listening(_) => false,
        };
        is_over && self.ahead.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            // How much is left of it is not how much there was.
            _ if !self.ahead.is_empty() => SizeHint::default(),
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Inline(body) => body.size_hint(),
            Source::Pooled { body, .. } => body.size_hint(),
            Source::Replying(_) | Source::Listening(_) => SizeHint::default(),
        }
    }
}

/// Trailers are skipped: merged by anyone behind us they could pass for headers.
fn poll_pooled(
    body: &mut Incoming,
    upstream: &Arc<str>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, ForwardError>>> {
    loop {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => return Poll::Ready(Some(Ok(data))),
                Err(_trailers) => continue,
            },
            Some(Err(error)) => {
                return Poll::Ready(Some(Err(ForwardError::Cut {
                    upstream: upstream.clone(),
                    source: error.into(),
                })));
            }
            None => return Poll::Ready(None),
        }
    }
}
