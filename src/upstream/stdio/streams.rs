//! The worker's ends of what an actor sends: the parts of one reply, and messages for listeners.
//!
//! Dropping one before its end rings the actor, which then tells the child; nothing is sent that could be refused.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::{Notify, mpsc};

use super::running::Part;
use crate::upstream::ForwardError;

/// The parts of one reply, as events.
#[derive(Debug)]
pub(in crate::upstream) struct Replying {
    upstream: Arc<str>,
    /// The part that was taken to see what kind of reply this is.
    first: Option<Bytes>,
    parts: mpsc::Receiver<Part>,
    left: Arc<Notify>,
    is_over: bool,
    is_cancelled: bool,
}

impl Replying {
    pub(super) fn new(
        upstream: Arc<str>,
        parts: mpsc::Receiver<Part>,
        left: Arc<Notify>,
    ) -> Replying {
        Replying {
            upstream,
            first: None,
            parts,
            left,
            is_over: false,
            is_cancelled: false,
        }
    }

    /// Waits for the first part.
    pub(super) async fn first(&mut self) -> Result<Part, ForwardError> {
        let part = self.parts.recv().await;
        self.note(part)
    }

    /// The same with its first part still to be read.
    pub(super) fn behind(mut self, first: Bytes) -> Replying {
        self.first = Some(first);
        self
    }

    /// Whether its last event is no answer of the server's.
    pub(in crate::upstream) fn is_cancelled(&self) -> bool {
        self.is_cancelled
    }

    pub(in crate::upstream) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ForwardError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(event(&first))));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        let part = ready!(self.parts.poll_recv(cx));
        Poll::Ready(Some(match self.note(part) {
            Ok(Part::Event(message)) => Ok(event(&message)),
            Ok(Part::Last(last)) => Ok(event(&last.message)),
            Ok(Part::Failed(error)) | Err(error) => Err(error),
        }))
    }

    fn note(&mut self, part: Option<Part>) -> Result<Part, ForwardError> {
        self.is_over = !matches!(part, Some(Part::Event(_)));
        self.is_cancelled = matches!(&part, Some(Part::Last(last)) if last.is_cancellation);
        part.ok_or_else(|| ForwardError::Cut {
            upstream: self.upstream.clone(),
            source: "the answer was given up".into(),
        })
    }
}

impl Drop for Replying {
    fn drop(&mut self) {
        if !self.is_over {
            self.parts.close();
            self.left.notify_one();
        }
    }
}

/// A child's messages for nobody in particular, as events.
#[derive(Debug)]
pub(in crate::upstream) struct Listening {
    messages: mpsc::Receiver<Bytes>,
    left: Arc<Notify>,
}

impl Listening {
    pub(super) fn new(messages: mpsc::Receiver<Bytes>, left: Arc<Notify>) -> Listening {
        Listening { messages, left }
    }

    pub(in crate::upstream) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let message = ready!(self.messages.poll_recv(cx));
        Poll::Ready(message.map(|message| event(&message)))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.messages.close();
        self.left.notify_one();
    }
}

/// A message holds no line end: it was a line, and was flattened.
fn event(message: &[u8]) -> Bytes {
    let mut event = BytesMut::with_capacity(message.len() + 24);
    event.put_slice(b"event: message\ndata: ");
    event.put_slice(message);
    event.put_slice(b"\n\n");
    event.freeze()
}
