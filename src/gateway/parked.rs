//! Calls whose event stream ended before their answer: a server may close a stream and give the answer to whoever asks for
//! the rest of it (MCP 2025-11-25, "Resumability and Redelivery").
//!
//! It never keeps one for longer than a call may take, never lets another grant or session end a call, and never settles a
//! call anywhere but on the thread whose journal has its decision.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, HeaderValue, Method};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Shared;
use super::call_record::CallRecord;
use super::tools_call::Request;
use crate::json::{Document, Duplicates, Reader};
use crate::mcp::{self, Answer, Envelope, Event, RequestId};

/// How many calls of one grant may be parked: more than any agent has under way at once.
const PER_GRANT_MAX: usize = 256;
/// And of all grants: as many as there may be connections by default; each costs a task and a few hundred bytes.
const ALL_MAX: usize = 10_000;
/// The longest name of a session; the longest ones seen are signed tokens.
const SESSION_BYTES_MAX: usize = 1_024;

/// So many ids of a call's stream are kept, the latest: a client that lost some events asks from one of those on.
const CURSORS_MAX: usize = 8;
/// The longest of them; the longest ones seen have 60 bytes.
const CURSOR_BYTES_MAX: usize = 256;

/// From where on a stream is asked for again: the id of one of its events (`Last-Event-ID`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor(Box<[u8]>);

impl Cursor {
    /// `None` for what nobody can ask from.
    pub(super) fn of(id: &[u8]) -> Option<Cursor> {
        (1..=CURSOR_BYTES_MAX)
            .contains(&id.len())
            .then(|| Cursor(id.into()))
    }

    /// The one that a request names.
    fn asked(headers: &HeaderMap) -> Option<Cursor> {
        let mut named = headers.get_all("last-event-id").iter();
        let id = named.next().filter(|_| named.next().is_none())?;
        Cursor::of(id.as_bytes())
    }
}

/// Where the answer to a call may still come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) server: Arc<str>,
    pub(super) session: HeaderValue,
    pub(super) id: RequestId,
}

/// The parked calls of all threads, each with the way to its own.
#[derive(Debug, Default)]
pub struct Parked {
    calls: Mutex<HashMap<Arc<str>, OfGrant>>,
    count: AtomicUsize,
}

type OfGrant = HashMap<Address, Waiting>;

/// A parked call.
#[derive(Debug)]
struct Waiting {
    call: oneshot::Sender<Answer>,
    /// What its stream was seen to say of itself, the latest last. An answer on a stream that was asked for from elsewhere
    /// is not this call's: servers tell old answers again to whoever asks, and clients use ids again.
    cursors: Vec<Cursor>,
}

impl Waiting {
    fn follows(&self, cursor: &Cursor) -> bool {
        self.cursors.contains(cursor)
    }

    fn moves_on_to(&mut self, cursor: &Cursor) {
        if self.cursors.len() == CURSORS_MAX {
            self.cursors.remove(0);
        }
        self.cursors.push(cursor.clone());
    }
}

impl Parked {
    /// Whether there is none, as nearly always: then nothing need be read.
    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// A place for one more call, in place of an older one with the same id; `None` if there is none.
    fn enter(
        &self,
        grant: &Arc<str>,
        (address, cursor): (Address, Cursor),
    ) -> Option<oneshot::Receiver<Answer>> {
        let (call, receiver) = oneshot::channel();
        let cursors = vec![cursor];
        self.change(grant, |calls| {
            let has_room = calls.len() < PER_GRANT_MAX || calls.contains_key(&address);
            has_room.then(|| drop(calls.insert(address, Waiting { call, cursors })))
        })?;
        let has_room = self.count.load(Ordering::Acquire) <= ALL_MAX;
        has_room.then_some(receiver)
    }

    /// Lets go of the grant's calls that nobody waits for any more.
    fn sweep(&self, grant: &Arc<str>) {
        self.change(grant, |calls| {
            calls.retain(|_, waiting| !waiting.call.is_closed());
        });
    }

    /// Lets go of the call there, whatever becomes of it.
    fn forget(&self, grant: &Arc<str>, address: &Address) {
        self.change(grant, |calls| drop(calls.remove(address)));
    }

    /// The call there, if it is its stream that goes on from `cursor`.
    fn take(
        &self,
        grant: &Arc<str>,
        (address, cursor): (&Address, &Cursor),
    ) -> Option<oneshot::Sender<Answer>> {
        self.change(grant, |calls| {
            calls.get(address).filter(|call| call.follows(cursor))?;
            Some(calls.remove(address)?.call)
        })
    }

    /// The stream that goes on from a cursor has come to another.
    fn move_on(&self, polled: &Polled, to: &Cursor) {
        self.change(&polled.grant, |calls| {
            let own = |(address, _): &(&Address, &mut Waiting)| {
                address.server == polled.server && address.session == polled.session
            };
            let own = calls.iter_mut().filter(own);
            own.map(|(_, waiting)| waiting)
                .filter(|waiting| waiting.follows(&polled.cursor))
                .for_each(|waiting| waiting.moves_on_to(to));
        });
    }

    fn change<T>(&self, grant: &Arc<str>, change: impl FnOnce(&mut OfGrant) -> T) -> T {
        let mut grants = self.calls.lock();
        let calls = grants.entry(grant.clone()).or_default();
        let before = calls.len();
        let changed = change(calls);
        let after = calls.len();
        if after == 0 {
            grants.remove(grant);
        }
        self.count.fetch_add(after, Ordering::AcqRel);
        self.count.fetch_sub(before, Ordering::AcqRel);
        changed
    }
}

/// Keeps a call until its answer is seen or its time is up. Where there is no room its end stays unknown.
pub(super) fn park(record: CallRecord, place: (Address, Cursor)) {
    let worker = record.worker().clone();
    let grant = record.grant().id.clone();
    let Some(answered) = worker.shared.parked.enter(&grant, place) else {
        worker.shared.parked.sweep(&grant);
        return record.ended_without_an_answer();
    };
    let shared = worker.shared.clone();
    worker.parked.spawn_local(async move {
        let answer = tokio::select! {
            answer = answered => answer.ok(),
            () = tokio::time::sleep(record.time_left()) => None,
            // No request is taken any more that could bring it.
            () = shared.stopping.draining.cancelled() => None,
        };
        shared.parked.sweep(&grant);
        match answer {
            Some(answer) => record.ended_with(answer),
            None => record.ended_without_an_answer(),
        }
    });
}

/// Lets the older of two requests with one id run out: nobody could tell which of them an answer is for.
pub(super) fn forget_reused(shared: &Shared, request: &Request, envelope: &Envelope) {
    let id = envelope.id.clone().map(|id| &request.body[id]);
    let id = id.and_then(|id| RequestId::read(std::str::from_utf8(id).ok()?));
    if let (Some(id), Some(session)) = (id, session(&request.headers)) {
        let address = Address {
            server: request.entry.server.spec.name.clone(),
            session: session.clone(),
            id,
        };
        shared.parked.forget(&request.entry.grant.id, &address);
    }
}

/// The one session that a request names.
pub(super) fn session(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut named = headers.get_all("mcp-session-id").iter();
    let session = named.next().filter(|_| named.next().is_none());
    session.filter(|session| session.len() <= SESSION_BYTES_MAX)
}

/// A stream on which answers to parked calls may come.
#[derive(Debug)]
pub(super) struct Polled {
    shared: Arc<Shared>,
    grant: Arc<str>,
    server: Arc<str>,
    session: HeaderValue,
    cursor: Cursor,
}

impl Polled {
    /// The stream that a request asks for, if it asks for the rest of one in a session.
    pub(super) fn of(shared: &Arc<Shared>, method: &Method, request: &Request) -> Option<Polled> {
        let session = session(&request.headers).filter(|_| *method == Method::GET)?;
        Some(Polled {
            cursor: Cursor::asked(&request.headers)?,
            shared: shared.clone(),
            grant: request.entry.grant.id.clone(),
            server: request.entry.server.spec.name.clone(),
            session: session.clone(),
        })
    }

    /// Tells the call's own thread if this event is the answer to a parked one.
    pub(super) fn saw(&mut self, event: &Event) {
        if self.shared.parked.is_empty() {
            return;
        }
        if let Some(data) = event.data().filter(|data| !data.is_empty()) {
            self.saw_message(&data);
        }
        if let Some(cursor) = event.id().and_then(Cursor::of) {
            self.shared.parked.move_on(self, &cursor);
            self.cursor = cursor;
        }
    }

    fn saw_message(&self, message: &[u8]) {
        let mut reader = Reader::new(Duplicates::Refused);
        let document = reader.read(message).ok();
        let Some((address, answer)) = document.and_then(|document| self.answer(&document)) else {
            return;
        };
        let place = (&address, &self.cursor);
        if let Some(call) = self.shared.parked.take(&self.grant, place) {
            // Its time may just be up.
            let _ = call.send(answer);
        }
    }

    fn answer(&self, document: &Document<'_>) -> Option<(Address, Answer)> {
        let id = mcp::answered_id(document)?;
        let answer = mcp::answer(document, &id)?;
        let address = Address {
            server: self.server.clone(),
            session: self.session.clone(),
            id,
        };
        Some((address, answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(id: usize) -> (Address, Cursor) {
        let address = Address {
            server: "s".into(),
            session: HeaderValue::from_static("x"),
            id: RequestId::Number(id.to_string().into()),
        };
        (address, Cursor::of(b"e1").expect("not empty"))
    }

    #[test]
    fn a_grant_parks_so_many_calls_and_the_next_finds_no_room_until_one_is_gone() {
        let parked = Parked::default();
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let mut held: Vec<_> = (0..PER_GRANT_MAX)
            .map(|id| parked.enter(&one, place(id)).expect("there is room"))
            .collect();
        assert!(parked.enter(&one, place(PER_GRANT_MAX)).is_none());
        assert!(parked.enter(&other, place(0)).is_some());
        held.pop();
        parked.sweep(&one);
        assert!(parked.enter(&one, place(PER_GRANT_MAX)).is_some());
        drop(held);
        parked.sweep(&one);
        parked.sweep(&other);
        assert!(parked.is_empty(), "all are gone: {parked:?}");
    }

    #[test]
    fn an_id_that_is_used_again_ends_the_older_call_unanswered() {
        let parked = Parked::default();
        let grant: Arc<str> = "g".into();
        let mut older = parked.enter(&grant, place(1)).expect("there is room");
        let mut newer = parked.enter(&grant, place(1)).expect("there is room");
        let (address, cursor) = place(1);
        let call = parked.take(&grant, (&address, &cursor));
        let call = call.expect("the newer one");
        call.send(Answer::Result).expect("it waits");
        assert!(older.try_recv().is_err(), "nobody answers it any more");
        assert_eq!(newer.try_recv(), Ok(Answer::Result));
        assert!(parked.is_empty());
    }
}
