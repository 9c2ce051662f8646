//! Sees whether a request that is no tool call was answered: only then its id may be used again without doubt.
//!
//! It never changes a byte, and never takes a stream's end for an answer: the server may give that on another stream.

use http::Response;

use super::passthrough::{is_encoded, is_event_stream};
use super::under_way::IdInUse;
use crate::json::{Duplicates, Reader};
use crate::mcp::{self, Event, EventStream, RequestId};
use crate::upstream::ReplyBody;

/// A reply, and the id that it answers.
#[derive(Debug)]
pub(super) struct Watched {
    id_in_use: IdInUse,
    look: Look,
}

#[derive(Debug)]
enum Look {
    /// A reply that is the answer as a whole.
    Whole,
    /// An event stream, in which one event is the answer.
    Events(EventStream, RequestId),
    /// An event stream that cannot be read.
    Unreadable,
    Answered,
}

impl Watched {
    /// The reply to the request with this raw id.
    pub(super) fn of(id_in_use: IdInUse, (id, reply): (&str, &Response<ReplyBody>)) -> Watched {
        let events = is_event_stream(reply) && reply.status().is_success();
        let id = RequestId::read(id).filter(|_| !is_encoded(reply));
        let look = match (events, id) {
            (false, _) => Look::Whole,
            (true, Some(id)) => Look::Events(EventStream::default(), id),
            (true, None) => Look::Unreadable,
        };
        Watched { id_in_use, look }
    }

    /// Looks at the next piece of the reply.
    pub(super) fn saw(&mut self, piece: &[u8]) {
        let Look::Events(events, id) = &mut self.look else {
            return;
        };
        events.feed(piece);
        loop {
            match events.next_event() {
                Ok(Some(event)) if is_answer(&event, id) => break self.look = Look::Answered,
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_too_long) => break self.look = Look::Unreadable,
            }
        }
    }

    /// The reply has come to its end, and was not cut.
    pub(super) fn ended(self) {
        if matches!(self.look, Look::Whole | Look::Answered) {
            self.id_in_use.over();
        }
    }
}

fn is_answer(event: &Event, id: &RequestId) -> bool {
    let data = event.data().filter(|data| !data.is_empty());
    data.is_some_and(|data| {
        let mut reader = Reader::new(Duplicates::Refused);
        let document = reader.read(&data).ok();
        document.is_some_and(|document| mcp::answer(&document, id).is_some())
    })
}
