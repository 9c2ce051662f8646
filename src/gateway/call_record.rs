//! What is still to be told of a call that was forwarded.
//!
//! It never lets one go without an outcome line.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use uuid::Uuid;

use super::snapshot::Server;
use super::worker::Worker;
use crate::clock::Timestamp;
use crate::record::OutcomeLine;

/// The outcome of a reply that came to its end; the journal then has its status instead.
const ANSWERED: &str = "answered";

/// A call that was forwarded and whose outcome is not yet written. Dropping it writes one: whoever leaves early, a
/// client, an upstream or the gateway's own end, leaves a line behind.
#[derive(Debug)]
pub(super) struct CallRecord {
    worker: Rc<Worker>,
    server: Arc<Server>,
    request_id: Uuid,
    started: Timestamp,
    status: Option<StatusCode>,
    label: &'static str,
    is_settled: bool,
}

impl CallRecord {
    pub(super) fn new(worker: Rc<Worker>, server: Arc<Server>, request_id: Uuid) -> CallRecord {
        server.metrics.in_flight.increment(1.0);
        let started = worker.shared.clock.now();
        CallRecord {
            worker,
            server,
            request_id,
            started,
            status: None,
            label: "abandoned",
            is_settled: false,
        }
    }

    /// Who was called.
    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// The upstream's first byte has come.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// The reply has come to its end.
    pub(super) fn ended(&mut self) {
        self.label = ANSWERED;
    }

    /// The reply broke off.
    pub(super) fn broke_off(&mut self) {
        self.label = "cut";
        self.server.metrics.upstream_error("cut");
    }

    /// Writes the outcome in place of the one that dropping would write; latency is filled in.
    pub(super) fn settle(mut self, line: OutcomeLine<'_>) {
        self.write(line);
    }

    fn write(&mut self, mut line: OutcomeLine<'_>) {
        line.latency = self.worker.shared.clock.now().since(self.started);
        self.is_settled = true;
        self.worker.journal.outcome(self.request_id, &line);
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.server.metrics.in_flight.decrement(1.0);
        if !self.is_settled {
            let status = self.status.filter(|_| self.label == ANSWERED);
            let upstream = status.as_ref().map_or(self.label, StatusCode::as_str);
            self.write(OutcomeLine {
                upstream,
                latency: Duration::ZERO,
                settlement: None,
            });
        }
    }
}
