//! Where the reply to a tool call ends, and how: read beside the bytes that pass, and only where that makes a difference.
//!
//! It never holds back or changes a byte, except for the one answer that tells a grant what is left of its limits.

use bytes::{Bytes, BytesMut};
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::call_record::CallRecord;
use super::parked::{self, Address, Cursor};
use super::passthrough::{is_encoded, is_event_stream};
use super::quota::Quota;
use crate::json::Document;
use crate::mcp::{self, Event, EventStream, RequestId};
use crate::policy::Failures;
use crate::upstream::{ForwardError, Origin};

/// So much of a reply, or of one event, is kept aside to be read: as much as a request may have by default. Of what is
/// longer the end is seen, and no more.
pub(super) const READ_MAX: usize = 4 << 20;

/// A call's record, and what is looked at of its reply.
#[derive(Debug)]
pub(super) struct Ending {
    /// `None` once the call has ended, which may be before its reply does.
    record: Option<CallRecord>,
    look: Look,
    id: Option<RequestId>,
    quota: Option<Quota>,
    /// The session in which the call was made.
    session: Option<HeaderValue>,
    /// The id of the last event that had one, from which on the stream can be asked for again.
    last_event: Option<Cursor>,
}

/// Whose reply it is.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The request's id, raw.
    pub(super) id: &'a str,
    /// The one session that it named.
    pub(super) session: Option<HeaderValue>,
    /// What is to be told of limits.
    pub(super) quota: Option<Quota>,
}

/// What is looked at.
#[derive(Debug)]
enum Look {
    /// Nothing: the call ends with its reply, and how makes no difference.
    Nothing,
    /// A reply of one message, kept aside until it is whole.
    Whole(BytesMut),
    /// A reply too long, or in an encoding, that cannot be read: the call ends with it, and only its status counts.
    Unreadable,
    /// An event stream of which that is so: whether the answer was in it nobody knows.
    Unwatched,
    /// An event stream, in which one event is the answer.
    Events(EventStream),
}

impl Ending {
    /// The end of the call whose reply has begun.
    pub(super) fn of<B>(record: CallRecord, reply: &Response<B>, asked: Asked<'_>) -> Ending {
        let Asked { id, session, quota } = asked;
        // A stream may end before its answer, which is then still to come.
        let may_go_on = record.holds_its_id() && is_event_stream(reply);
        let looks = record.waits() || may_go_on || quota.is_some();
        let look = match looks {
            false => Look::Nothing,
            true if is_encoded(reply) && is_event_stream(reply) => Look::Unwatched,
            true if is_encoded(reply) => Look::Unreadable,
            true if is_event_stream(reply) => Look::Events(EventStream::new(READ_MAX)),
            true => Look::Whole(BytesMut::new()),
        };
        Ending {
            record: Some(record),
            id: looks.then(|| RequestId::read(id)).flatten(),
            quota: quota.filter(|_| !matches!(look, Look::Unreadable | Look::Unwatched)),
            look,
            session,
            last_event: None,
        }
    }

    /// The end of a call that one line answers.
    pub(super) fn of_line(record: CallRecord, (id, quota): (&str, Option<Quota>)) -> Ending {
        let looks = record.waits() || quota.is_some();
        Ending {
            record: Some(record),
            id: looks.then(|| RequestId::read(id)).flatten(),
            look: Look::Nothing,
            quota,
            session: None,
            last_event: None,
        }
    }

    /// Whether the reply is one JSON message that is to be changed: it must be whole before its first byte goes out.
    pub(super) fn changes_json<B>(&self, reply: &Response<B>) -> bool {
        let kind = reply.headers().get(CONTENT_TYPE);
        let kind = kind.map_or(&[][..], |kind| kind.as_bytes()).get(..16);
        let is_json = kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/json"));
        is_json && self.quota.is_some() && matches!(self.look, Look::Whole(_))
    }

    /// Looks at the next piece of the reply, and gives back what may go out of it.
    pub(super) fn saw(&mut self, piece: Bytes) -> Bytes {
        match std::mem::replace(&mut self.look, Look::Nothing) {
            Look::Events(events) => return self.saw_events(events, piece),
            Look::Whole(kept) if kept.len() + piece.len() > READ_MAX => {
                self.look = Look::Unreadable;
            }
            Look::Whole(mut kept) => {
                kept.extend_from_slice(&piece);
                self.look = Look::Whole(kept);
            }
            look => self.look = look,
        }
        piece
    }

    /// The reply has ended; gives back what was held of it.
    pub(super) fn ended(&mut self) -> Bytes {
        match std::mem::replace(&mut self.look, Look::Nothing) {
            Look::Whole(kept) => drop(self.ended_with(&kept.freeze())),
            Look::Nothing | Look::Unreadable => self.close(Failures::NONE),
            Look::Unwatched => {
                self.last_event = None;
                if let Some(record) = self.record.take() {
                    self.end_unanswered(record);
                }
            }
            Look::Events(events) => {
                if let Some(record) = self.record.take() {
                    self.end_unanswered(record);
                }
                if self.quota.is_some() {
                    return events.into_rest();
                }
            }
        }
        Bytes::new()
    }

    /// The reply has ended, and this is all of it; gives back what goes out in its place.
    pub(super) fn ended_with(&mut self, whole: &Bytes) -> Bytes {
        self.look = Look::Nothing;
        let answered = self.id.is_some().then(|| self.read(whole)).flatten();
        // What is no answer at all, such as a proxy's page, is the end of the call all the same.
        self.close(Failures::NONE);
        answered.flatten().unwrap_or_else(|| whole.clone())
    }

    /// Hears who says what comes next: where it is not the server, the call ends by that, whatever is said.
    pub(super) fn hears(&mut self, origin: Origin) {
        match origin {
            Origin::Server => {}
            Origin::Cancelled => self.record = None,
            Origin::Unsent => {
                if let Some(record) = self.record.take() {
                    record.unsent();
                }
            }
        }
    }

    /// No reply came.
    pub(super) fn failed(&mut self, error: &ForwardError) {
        if let Some(record) = self.record.take() {
            record.failed(error);
        }
    }

    /// The reply broke off.
    pub(super) fn broke_off(&mut self, error: &ForwardError) {
        if let Some(record) = self.record.take() {
            record.broke_off(error);
        }
    }

    fn saw_events(&mut self, mut events: EventStream, piece: Bytes) -> Bytes {
        events.feed(&piece);
        let mut out = self.quota.is_some().then(BytesMut::new);
        let mut put = |bytes: &[u8]| out.iter_mut().for_each(|out| out.extend_from_slice(bytes));
        loop {
            match events.next_event() {
                Ok(Some(event)) => match self.read_event(&event) {
                    None => put(event.raw()),
                    Some(changed) => {
                        put(changed.as_deref().unwrap_or(event.raw()));
                        put(&events.into_rest());
                        break;
                    }
                },
                Ok(None) => {
                    self.look = Look::Events(events);
                    break;
                }
                Err(_too_long) => {
                    self.look = Look::Unwatched;
                    self.quota = None;
                    put(&events.into_rest());
                    break;
                }
            }
        }
        out.map_or(piece, BytesMut::freeze)
    }

    /// `None`: the event is not the answer. Else what goes out in its place, if it changes.
    fn read_event(&mut self, event: &Event) -> Option<Option<Vec<u8>>> {
        if let Some(id) = event.id() {
            self.last_event = Cursor::of(id);
        }
        let data = event.data().filter(|data| !data.is_empty())?;
        let changed = self.read(&data)?;
        Some(changed.map(|data| event.with_data(&data)))
    }

    /// Reads a message; if it is the answer, the call has ended. `None`: it is not. Else what goes out in its place, if
    /// it changes.
    fn read(&mut self, message: &[u8]) -> Option<Option<Bytes>> {
        let worker = self.record.as_ref()?.worker().clone();
        let mut reader = worker.replies.borrow_mut();
        let document = reader.read(message).ok()?;
        let answer = mcp::answer(&document, self.id.as_ref()?)?;
        if let Some(record) = self.record.take() {
            record.ended_with(answer);
        }
        Some(self.changed(&document))
    }

    fn changed(&mut self, document: &Document<'_>) -> Option<Bytes> {
        self.quota.take()?.told_in(document).map(Bytes::from)
    }

    /// The stream has ended before the answer. Where its events had ids the rest may be asked for.
    fn end_unanswered(&mut self, record: CallRecord) {
        if record.is_refused() {
            // An error's status is an answer by itself.
            return record.ended(Failures::NONE);
        }
        let session = self.session.take().filter(|_| record.waits());
        match (session, self.id.take(), self.last_event.take()) {
            (Some(session), Some(id), Some(cursor)) => {
                let server = record.server().spec.name.clone();
                let address = Address {
                    server,
                    session,
                    id,
                };
                parked::park(record, (address, cursor));
            }
            _ => record.ended_without_an_answer(),
        }
    }

    fn close(&mut self, failures: Failures) {
        if let Some(record) = self.record.take() {
            record.ended(failures);
        }
    }
}
