//! The path of one `tools/call` from its verdict to its reply: record, forward, record the outcome.
//!
//! It never forwards without a recorded decision, and never gives a charge back for a call that may have been sent.

use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::body::Body;
use super::call_record::CallRecord;
use super::door::Entry;
use super::judge::{JudgedCall, Verdict};
use super::passthrough;
use super::reply;
use super::worker::Worker;
use crate::clock::Timestamp;
use crate::counters::Settlement;
use crate::policy::{Denial, Held};
use crate::record::{self, OutcomeLine, Recorded};
use crate::upstream::{ForwardError, Outgoing, ReplyBody};

/// A request whose body was read.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) entry: Entry,
    /// The agent's headers, as they may leave.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// When the last byte had come.
    pub(super) came: Timestamp,
    /// What the client calls itself, where the request begins a session.
    pub(super) client: Option<Box<str>>,
}

/// What became of a call.
enum Outcome<'p> {
    Denied(Denial<'p>, Box<str>),
    Waiting(Held<'p>, Box<str>),
    Undecidable,
    Answered(Response<ReplyBody>, CallRecord),
    Failed(ForwardError, Recorded<'p>, CallRecord),
}

/// Takes a judged call to its end, and tells journal, counters and metrics what became of it.
pub(super) async fn tools_call(
    worker: &Rc<Worker>,
    request: Request,
    call: JudgedCall<'_>,
) -> Response<Body> {
    let id = call
        .envelope
        .id
        .clone()
        .unwrap_or(Range { start: 0, end: 0 });
    let id = String::from_utf8_lossy(&request.body[id]).into_owned();
    let request_id = call.request_id.to_string();
    let server = request.entry.server.clone();
    server.metrics.shadowed(&call.shadowed);
    match forward(worker, request, call).await {
        Outcome::Denied(denial, tool) => {
            server.metrics.denied(&denial);
            reply::denied(&id, &tool, &denial, &request_id)
        }
        Outcome::Waiting(held, tool) => {
            server.metrics.held();
            reply::waiting(&id, &tool, &held, &request_id)
        }
        Outcome::Undecidable => {
            server.metrics.undecidable();
            worker.shared.metrics.journal_failures.increment(1);
            reply::undecidable(&id, &request_id)
        }
        Outcome::Answered(reply, mut record) if passthrough::refuses_us(&reply) => {
            record.ended();
            passthrough::credential_refused(&server, Some(&id))
        }
        Outcome::Answered(reply, record) => passthrough::stream(worker, reply, Some(record)),
        Outcome::Failed(error, recorded, record) => {
            tracing::warn!(
                request_id,
                server = &*server.spec.name,
                error = record::chain(&error),
                "upstream failed"
            );
            failed(worker, &error, (recorded, record));
            reply::upstream_failed(Some(&id), &error, &request_id)
        }
    }
}

/// Tells of a call that no upstream answered, and gives its charges back if no byte of it was sent.
fn failed(worker: &Worker, error: &ForwardError, (recorded, record): (Recorded<'_>, CallRecord)) {
    let metrics = &record.server().metrics;
    metrics.upstream_error(error.label());
    let unsent = (!error.was_sent()).then(|| Settlement::of_unsent(recorded.into_taken()));
    metrics.refunds.increment(u64::from(unsent.is_some()));
    record.settle(OutcomeLine {
        upstream: error.label(),
        latency: Duration::ZERO,
        settlement: unsent.as_ref(),
    });
    if let Some(unsent) = unsent {
        worker.shared.counters.give_back(unsent);
    }
}

/// Steps 7 and 8.
async fn forward<'p>(worker: &Rc<Worker>, request: Request, call: JudgedCall<'p>) -> Outcome<'p> {
    let recording = match call.verdict {
        Verdict::Admitted(recording) => recording,
        Verdict::Denied(denial, tool) => return Outcome::Denied(denial, tool),
        Verdict::Held(held, tool) => return Outcome::Waiting(held, tool),
    };
    let recorded = match recording.await {
        Ok(recorded) => recorded,
        Err(not_recorded) => {
            worker.shared.counters.refund(not_recorded.taken);
            return Outcome::Undecidable;
        }
    };
    let server = request.entry.server;
    server.metrics.allowed();
    let mut record = CallRecord::new(worker.clone(), server.clone(), call.request_id);
    let outgoing = Outgoing {
        method: http::Method::POST,
        headers: request.headers,
        body: request.body,
        envelope: Some(call.envelope),
        grant: request.entry.grant.id.clone(),
    };
    let left = worker.shared.clock.now();
    let upstream = worker.upstream(&server);
    match upstream.call(&recorded, outgoing).await {
        Ok(reply) => {
            server.metrics.latency(
                left.since(request.came),
                worker.shared.clock.now().since(left),
            );
            record.answered(reply.status());
            Outcome::Answered(reply, record)
        }
        Err(error) => Outcome::Failed(error, recorded, record),
    }
}
