//! What is still to be told of a call that was forwarded, and what it gives back at its end.
//!
//! It never lets one go without an outcome line, never gives anything back before the journal was told, and never frees a
//! place among calls in flight because somebody left.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use uuid::Uuid;

use super::snapshot::Server;
use super::under_way::IdInUse;
use super::worker::Worker;
use crate::clock::Timestamp;
use crate::counters::{Settlement, Taken};
use crate::grants::Grant;
use crate::mcp::Answer;
use crate::policy::{Failure, Failures};
use crate::record::OutcomeLine;
use crate::upstream::ForwardError;

/// The outcome of a reply that came to its end and has no status.
const ANSWERED: &str = "answered";
/// The outcome of a call whose end nobody waited for.
const ABANDONED: &str = "abandoned";

/// A call that was forwarded and whose outcome is not yet written. Dropping it writes one: whoever leaves early, a
/// client, an upstream or the gateway's own end, leaves a line behind, and what the call took stays taken.
#[derive(Debug)]
pub(super) struct CallRecord {
    worker: Rc<Worker>,
    grant: Arc<Grant>,
    server: Arc<Server>,
    request_id: Uuid,
    started: Timestamp,
    status: Option<StatusCode>,
    taken: Option<Taken>,
    /// Where another request's answer could be taken for this call's.
    id_in_use: Option<IdInUse>,
    /// The end of the call makes a difference to what it took.
    is_awaited: bool,
    is_settled: bool,
}

impl CallRecord {
    /// The record of a call of this grant to this server.
    pub(super) fn new(
        worker: Rc<Worker>,
        (grant, server): (Arc<Grant>, Arc<Server>),
        request_id: Uuid,
    ) -> CallRecord {
        server.metrics.in_flight.increment(1.0);
        let started = worker.shared.clock.now();
        CallRecord {
            worker,
            grant,
            server,
            request_id,
            started,
            status: None,
            taken: None,
            id_in_use: None,
            is_awaited: false,
            is_settled: false,
        }
    }

    /// What all calls of this thread share.
    pub(super) fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// Who was called.
    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Who called.
    pub(super) fn grant(&self) -> &Grant {
        &self.grant
    }

    /// How long until the call's time is up.
    pub(super) fn time_left(&self) -> Duration {
        let past = self.worker.shared.clock.now().since(self.started);
        self.server.spec.times.call.saturating_sub(past)
    }

    /// The upstream's first byte has come.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// The call has left with what it took; see [`CallRecord::waits`].
    pub(super) fn took(&mut self, taken: Taken) {
        let seat = self.grant.seat(&self.server.spec.name);
        let limits = seat.map_or(&[][..], |seat| seat.policy.limits());
        self.is_awaited = taken.waits_for_the_end(limits);
        self.taken = Some(taken);
    }

    /// The call has left with this id.
    pub(super) fn uses(&mut self, id: Option<IdInUse>) {
        self.id_in_use = id;
    }

    /// Whether it makes a difference to other calls when this one is answered.
    pub(super) fn holds_its_id(&self) -> bool {
        self.id_in_use.is_some()
    }

    /// Whether the end of the call makes a difference to what it took: of other replies nothing need be read.
    pub(super) fn waits(&self) -> bool {
        self.is_awaited
    }

    /// Whether the upstream's status is not that of a reply to a call that ran.
    pub(super) fn is_refused(&self) -> bool {
        self.status.is_some_and(|status| !status.is_success())
    }

    /// The call has ended with this answer.
    pub(super) fn ended_with(self, answer: Answer) {
        let failures = Failures::NONE;
        match answer {
            Answer::Result => self.ended(failures),
            Answer::ErrorResult => self.ended(failures.with(Failure::ErrorResult)),
            Answer::Error => self.ended(failures.with(Failure::RpcError)),
            // The tool goes on: what it holds it holds until its time is up.
            Answer::Task => {
                let mut record = self;
                record.leave_id();
                record.ended_without_an_answer();
            }
        }
    }

    /// The call has ended, with these failures besides what its status says.
    pub(super) fn ended(mut self, failures: Failures) {
        let is_5xx = self.status.is_some_and(|status| status.is_server_error());
        let failures = match is_5xx {
            true => failures.with(Failure::Http5xx),
            false => failures,
        };
        let settlement = self.settlement(failures);
        self.leave_id();
        self.close_as_answered(settlement);
    }

    /// The reply has ended, and the call has not: the server may still be at work.
    pub(super) fn ended_without_an_answer(mut self) {
        self.close_as_answered(None);
    }

    /// The reply broke off.
    pub(super) fn broke_off(mut self, error: &ForwardError) {
        let label = match error {
            ForwardError::TimeUp { .. } => error.label(),
            // Whatever broke it, to the client it is a reply without an end.
            _ => "cut",
        };
        self.server.metrics.upstream_error(label);
        self.close(label, None);
    }

    /// No upstream answered. What the call took is given back if no byte of it was sent; a redirect is an answer too.
    pub(super) fn failed(mut self, error: &ForwardError) {
        self.server.metrics.upstream_error(error.label());
        match error {
            _ if !error.was_sent() => {
                let taken = self.taken.take();
                self.leave_id();
                self.close(error.label(), taken.map(Settlement::of_unsent));
            }
            ForwardError::Redirected { .. } => {
                let label = error.label();
                let settlement = self.settlement(Failures::NONE);
                self.leave_id();
                self.close(label, settlement);
            }
            _ => self.close(error.label(), None),
        }
    }

    fn settlement(&mut self, failures: Failures) -> Option<Settlement> {
        let taken = self.taken.take().filter(|_| self.is_awaited)?;
        let mut id_in_use = self.id_in_use.iter();
        if id_in_use.any(IdInUse::is_doubtful) {
            // It may be the answer to another request with this id.
            return None;
        }
        let seat = self.grant.seat(&self.server.spec.name)?;
        let of_seat = (seat.policy.limits(), &seat.account);
        let shared = &self.worker.shared;
        let now = shared.clock.now();
        Some(shared.counters.settle(taken, failures, of_seat, now))
    }

    /// No byte of the call was sent, and the gateway answers in the server's place.
    pub(super) fn unsent(mut self) {
        let settlement = self.taken.take().map(Settlement::of_unsent);
        self.leave_id();
        self.close_as_answered(settlement);
    }

    fn leave_id(&mut self) {
        self.id_in_use.take().into_iter().for_each(IdInUse::over);
    }

    fn close_as_answered(&mut self, settlement: Option<Settlement>) {
        let status = self.status;
        let upstream = status.as_ref().map_or(ANSWERED, StatusCode::as_str);
        self.close(upstream, settlement);
    }

    fn close(&mut self, upstream: &str, settlement: Option<Settlement>) {
        let Worker {
            shared, journal, ..
        } = &*self.worker;
        self.is_settled = true;
        let settlement = settlement.filter(|settlement| !settlement.is_empty());
        let line = OutcomeLine {
            upstream,
            latency: shared.clock.now().since(self.started),
            settlement: settlement.as_ref(),
        };
        journal.outcome(self.request_id, &line);
        if let Some(settlement) = settlement {
            let is_refund = settlement.refunded().parts().next().is_some();
            self.server.metrics.refunds.increment(u64::from(is_refund));
            shared.counters.give_back(settlement);
        }
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.server.metrics.in_flight.decrement(1.0);
        if !self.is_settled {
            self.close(ABANDONED, None);
        }
    }
}
