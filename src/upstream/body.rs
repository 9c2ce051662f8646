//! The body of a reply, whatever it comes from.
//!
//! It never reads ahead of whoever polls it by more than one piece, and dropping it frees the upstream at once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::ForwardError;
use super::stdio::{Listening, Replying};
use super::wire::InlineBody;

/// A streaming reply. Not `Send`: it stays on the worker whose connection it reads.
#[derive(Debug)]
pub struct ReplyBody(Source);

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
        ReplyBody(Source::Whole(bytes))
    }

    pub(super) fn inline(body: InlineBody) -> ReplyBody {
        ReplyBody(Source::Inline(Box::new(body)))
    }

    pub(super) fn pooled(body: Incoming, upstream: Arc<str>) -> ReplyBody {
        ReplyBody(Source::Pooled { body, upstream })
    }

    pub(super) fn replying(events: Replying) -> ReplyBody {
        ReplyBody(Source::Replying(events))
    }

    pub(super) fn listening(events: Listening) -> ReplyBody {
        ReplyBody(Source::Listening(events))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = ForwardError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ForwardError>>> {
        let piece = match &mut self.get_mut().0 {
            Source::Whole(bytes) if bytes.is_empty() => None,
            Source::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Source::Inline(body) => ready!(body.poll_data(cx)),
            Source::Pooled { body, upstream } => ready!(poll_pooled(body, upstream, cx)),
            Source::Replying(events) => ready!(events.poll_event(cx)),
            Source::Listening(events) => ready!(events.poll_event(cx)).map(Ok),
        };
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Inline(body) => body.is_end_stream(),
            Source::Pooled { body, .. } => body.is_end_stream(),
            Source::Replying(_) | Source::Listening(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
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
