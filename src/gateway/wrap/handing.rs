//! What a wrapped server is handed, and the calls that end without its answer.
//!
//! It never takes a call for run that the server cannot have read, and never leaves a client without a word on one that
//! it gave up.

use bytes::Bytes;

use super::super::call_record::CallRecord;
use super::super::ending::Ending;
use super::super::quota::Quota;
use super::super::under_way::IdInUse;
use super::calls::Open;
use super::{Judgment, Wrap};
use crate::clock::Timestamp;
use crate::json::Value;
use crate::mcp::RequestId;
use crate::record::Recorded;
use crate::upstream::child::{Child, SendError};

impl Wrap {
    /// Does what was judged; gives what the client gets at once.
    pub(super) fn judged(&mut self, child: &Child, judgment: Judgment) -> Bytes {
        match judgment {
            Judgment::Reply(reply) => reply,
            Judgment::Forward(line) => {
                self.waiting = Some(line);
                Bytes::new()
            }
            Judgment::GivenUp(given_up) => {
                if given_up.cancellation.is_none() {
                    // It was this very line that the child had no room for.
                    self.waiting = None;
                }
                self.tell(child, given_up.cancellation);
                given_up.reply
            }
        }
    }

    /// Hands the child the line that waits for it, if there is room; gives what the client gets if the child is past
    /// reading.
    pub(super) fn hand_over(&mut self, child: &Child) -> Bytes {
        let Some(line) = self.waiting.take() else {
            return Bytes::new();
        };
        match child.try_send(line.clone()) {
            Ok(()) => self.calls.line_taken(),
            Err(SendError::Full) => self.waiting = Some(line),
            Err(SendError::Closed) => return self.refused(&line),
        }
        Bytes::new()
    }

    /// A call that may run, and was admitted after `came`.
    pub(super) fn begin(&mut self, (id, came): (String, Timestamp), recorded: Recorded) {
        self.server.metrics.allowed();
        let seat = (self.grant.clone(), self.server.clone());
        let request_id = recorded.request_id();
        let mut record = CallRecord::new(self.worker.clone(), seat, request_id);
        record.uses(self.id_in_use(&id));
        let of_grant = (&self.grant, &self.server);
        let quota = Quota::of(&self.worker.shared, of_grant, recorded.taken());
        record.took(recorded.into_taken());
        self.calls.begin(Open {
            ending: Ending::of_line(record, (&id, quota)),
            id: id.into(),
            request_id: request_id.to_string(),
            until: came.plus(self.server.spec.times.call),
            line: None,
        });
    }

    /// A request that is no call, with this raw id, is to be handed over.
    pub(super) fn ask(&mut self, id: &str) {
        let id_in_use = self.id_in_use(id);
        if let Some((id, id_in_use)) = RequestId::read(id).zip(id_in_use) {
            self.calls.ask(id, id_in_use);
        }
    }

    fn id_in_use(&self, id: &str) -> Option<IdInUse> {
        let seat = (&*self.grant, &*self.server);
        let sessions = std::iter::once(self.session.as_bytes());
        IdInUse::of(&self.worker.shared, seat, (sessions, id))
    }

    /// The oldest call's time is up.
    pub(super) fn give_up(&mut self) -> Judgment {
        let server = self.server.spec.clone();
        let now = self.worker.shared.clock.now();
        match self.calls.give_up(&server.name, server.times.call, now) {
            Some(given_up) => Judgment::GivenUp(given_up),
            None => Judgment::Reply(Bytes::new()),
        }
    }

    /// Tells the child something of the gateway's own. It may be missed: nothing hangs on it.
    fn tell(&mut self, child: &Child, line: Option<Bytes>) {
        if line.is_some_and(|line| child.try_send(line).is_ok()) {
            self.calls.line_given();
        }
    }

    /// What the client gets for a line that the child takes no more; nothing if it asked for nothing.
    fn refused(&mut self, line: &Bytes) -> Bytes {
        tracing::warn!("the wrapped server has closed its input");
        if self.listing.is_some() {
            // It was a request of the gateway's own: the list fails when its time is up, and nobody is told.
            return Bytes::new();
        }
        let mut reader = self.worker.replies.borrow_mut();
        let document = reader.read(line).ok();
        let root = document.as_ref().map(|document| document.root());
        let asked = root.filter(|root| root.member("method").is_some());
        let id = asked.and_then(|root| root.member("id")).map(Value::raw);
        self.calls.line_refused(&self.server.spec.name, id)
    }
}
