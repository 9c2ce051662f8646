//! The body of a reply to an agent: whole, or streamed through with comments on quiet event streams.
//!
//! It never holds back a byte that the upstream has sent, except for events that must be read whole to be filtered or told in.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::ending::Ending;
use super::tools_list::EventFilter;
use super::watched::Watched;
use crate::upstream::{ForwardError, ReplyBody};

/// An event that says nothing (WHATWG HTML §9.2.6, a comment).
const COMMENT: &[u8] = b":\n\n";

/// The body of a reply.
#[derive(Debug)]
pub(super) struct Body(Content);

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Stream(Box<Stream>),
}

/// A reply that is still coming.
#[derive(Debug)]
pub(super) struct Stream {
    source: ReplyBody,
    /// For event streams only.
    pub(super) quiet: Option<Quiet>,
    /// For event streams that may carry a list.
    pub(super) filter: Option<EventFilter>,
    /// For streams that only listen: draining ends them.
    pub(super) ends_with: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// For tool calls.
    ending: Option<Ending>,
    /// For requests that are no tool calls.
    watched: Option<Watched>,
    has_ended: bool,
}

/// Keeps a quiet event stream open.
#[derive(Debug)]
pub(super) struct Quiet {
    timer: Pin<Box<Sleep>>,
    every: Duration,
    /// The last bytes that went out: a comment may only stand between events.
    last: [u8; 4],
}

impl Body {
    pub(super) fn whole(bytes: Bytes) -> Body {
        Body(Content::Whole(bytes))
    }

    pub(super) fn stream(stream: Stream) -> Body {
        Body(Content::Stream(Box::new(stream)))
    }

    /// Whether it is still coming.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.0, Content::Stream(_))
    }

    /// Lets the answer be looked for in what passes.
    pub(super) fn watched(mut self, watched: Watched) -> Body {
        match &mut self.0 {
            // A body of no length is not polled at all.
            Content::Stream(stream) if !stream.source.is_end_stream() => {
                stream.watched = Some(watched);
            }
            _ => watched.ended(),
        }
        self
    }
}

impl Stream {
    pub(super) fn new(source: ReplyBody) -> Stream {
        Stream {
            source,
            quiet: None,
            filter: None,
            ends_with: None,
            ending: None,
            watched: None,
            has_ended: false,
        }
    }

    /// Lets the call's ending see what passes.
    pub(super) fn ends(&mut self, ending: Ending) {
        self.ending = Some(ending);
        if self.source.is_end_stream() {
            // A body of no length is not polled at all.
            drop(self.end());
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ForwardError>>> {
        loop {
            if self.has_ended
                || self
                    .ends_with
                    .as_mut()
                    .is_some_and(|ends| ends.as_mut().poll(cx).is_ready())
            {
                return Poll::Ready(None);
            }
            if let Some(error) = self.filter.as_ref().and_then(EventFilter::flaw) {
                return Poll::Ready(self.broken(error));
            }
            let Poll::Ready(piece) = Pin::new(&mut self.source).poll_frame(cx) else {
                return self.poll_quiet(cx).map(|comment| Some(Ok(comment)));
            };
            let data = match piece {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(self.broken(error)),
                None => {
                    let held = self.end();
                    return Poll::Ready(Some(held).filter(|held| !held.is_empty()).map(Ok));
                }
            };
            let data = self.passed(data);
            if !data.is_empty() {
                self.quiet.iter_mut().for_each(|quiet| quiet.spoke(&data));
                return Poll::Ready(Some(Ok(data)));
            }
        }
    }

    /// What goes out of a piece that has come.
    fn passed(&mut self, data: Bytes) -> Bytes {
        let origin = self.source.origin();
        self.ending
            .iter_mut()
            .for_each(|ending| ending.hears(origin));
        self.watched
            .iter_mut()
            .for_each(|watched| watched.saw(&data));
        let data = match (&mut self.filter, &mut self.ending) {
            (Some(filter), _) => filter.feed(data),
            (None, Some(ending)) => ending.saw(data),
            (None, None) => data,
        };
        if !self.source.is_end_stream() {
            return data;
        }
        // A body of known length is not polled again after its last byte.
        let held = self.end();
        match held.is_empty() {
            true => data,
            false => [data, held].concat().into(),
        }
    }

    fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let Some(quiet) = &mut self.quiet else {
            return Poll::Pending;
        };
        loop {
            ready!(quiet.timer.as_mut().poll(cx));
            quiet.timer.as_mut().set(tokio::time::sleep(quiet.every));
            if quiet.is_between_events() {
                return Poll::Ready(Bytes::from_static(COMMENT));
            }
        }
    }

    fn broken(&mut self, error: ForwardError) -> Option<Result<Bytes, ForwardError>> {
        self.has_ended = true;
        self.watched = None;
        if let Some(mut ending) = self.ending.take() {
            ending.broke_off(&error);
        }
        Some(Err(error))
    }

    /// The source has ended; gives what was held back of it.
    fn end(&mut self) -> Bytes {
        self.has_ended = true;
        self.watched.take().into_iter().for_each(Watched::ended);
        let ending = self.ending.take();
        ending.map_or_else(Bytes::new, |mut ending| ending.ended())
    }
}

impl Quiet {
    pub(super) fn every(every: Duration) -> Quiet {
        Quiet {
            timer: Box::pin(tokio::time::sleep(every)),
            every,
            last: *b"\n\n\n\n",
        }
    }

    fn spoke(&mut self, data: &[u8]) {
        for &byte in &data[data.len().saturating_sub(4)..] {
            self.last.rotate_left(1);
            self.last[3] = byte;
        }
        self.timer.as_mut().set(tokio::time::sleep(self.every));
    }

    fn is_between_events(&self) -> bool {
        self.last.ends_with(b"\n\n") || self.last == *b"\r\n\r\n" || self.last.ends_with(b"\r\r")
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = ForwardError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ForwardError>>> {
        match &mut self.get_mut().0 {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(stream) => stream
                .poll_data(cx)
                .map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Stream(stream) => stream.has_ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(stream) if stream.filter.is_none() && stream.quiet.is_none() => {
                stream.source.size_hint()
            }
            Content::Stream(_) => SizeHint::default(),
        }
    }
}
