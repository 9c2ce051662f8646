//! The path of one `tools/call` from its verdict to its reply: record, forward, record the outcome.
//!
//! It never forwards without a recorded decision, and never gives a charge back for a call that may have been sent.

use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};

use super::body::Body;
use super::call_record::CallRecord;
use super::door::Entry;
use super::ending::{Asked, Ending};
use super::judge::{JudgedCall, Verdict};
use super::parked;
use super::passthrough;
use super::quota::{self, Quota};
use super::reply;
use super::snapshot::Server;
use super::under_way::IdInUse;
use super::worker::Worker;
use crate::clock::Timestamp;
use crate::policy::{Denial, Failures, Held};
use crate::record;
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

/// What is told of an answered call besides its reply, and where its answer may still come.
type Told = (Option<Quota>, Option<HeaderValue>);

/// What became of a call.
enum Outcome<'p> {
    Denied(Denial<'p>, Box<str>),
    Waiting(Held<'p>, Box<str>),
    Undecidable,
    Answered(Response<ReplyBody>, CallRecord, Told),
    Failed(ForwardError),
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
    match forward(worker, (request, &id), call).await {
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
        Outcome::Answered(reply, record, _) if passthrough::refuses_us(&reply) => {
            record.ended(Failures::NONE);
            passthrough::credential_refused(&server, Some(&id))
        }
        Outcome::Answered(reply, record, (quota, session)) => {
            let id = &*id;
            let asked = Asked { id, session, quota };
            let ending = Ending::of(record, &reply, asked);
            if !ending.changes_json(&reply) {
                return passthrough::stream(worker, reply, Some(ending));
            }
            let whole = quota::whole(worker, reply, ending).await;
            whole.unwrap_or_else(|error| failed(&server, &error, (id, &request_id)))
        }
        Outcome::Failed(error) => failed(&server, &error, (&id, &request_id)),
    }
}

/// In place of a reply that no upstream gave, or not to its end.
fn failed(server: &Server, error: &ForwardError, (id, request_id): (&str, &str)) -> Response<Body> {
    tracing::warn!(
        request_id,
        server = &*server.spec.name,
        error = record::chain(error),
        "upstream failed"
    );
    reply::upstream_failed(Some(id), error, request_id)
}

/// Steps 7 and 8.
async fn forward<'p>(
    worker: &Rc<Worker>,
    (request, id): (Request, &str),
    call: JudgedCall<'p>,
) -> Outcome<'p> {
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
    let Entry { server, grant, .. } = request.entry;
    server.metrics.allowed();
    let seat = (grant.clone(), server.clone());
    let mut record = CallRecord::new(worker.clone(), seat, call.request_id);
    let sent = (&request.headers, id);
    record.uses(IdInUse::of_http(&worker.shared, (&grant, &server), sent));
    let session = parked::session(&request.headers).cloned();
    let outgoing = Outgoing {
        method: http::Method::POST,
        headers: request.headers,
        body: request.body,
        envelope: Some(call.envelope),
        grant: grant.id.clone(),
    };
    let left = worker.shared.clock.now();
    let upstream = worker.upstream(&server);
    match upstream
        .call(&recorded, outgoing, left.since(request.came))
        .await
    {
        Ok(reply) => {
            server.metrics.latency(
                left.since(request.came),
                worker.shared.clock.now().since(left),
            );
            let quota = Quota::of(&worker.shared, (&grant, &server), recorded.taken());
            record.answered(reply.status());
            record.took(recorded.into_taken());
            Outcome::Answered(reply, record, (quota, session))
        }
        Err(error) => {
            record.took(recorded.into_taken());
            record.failed(&error);
            Outcome::Failed(error)
        }
    }
}
