//! One stdio client in front of one stdio server: the same judging as over HTTP, line by line.
//!
//! Ids are the client's own and nothing is multiplexed, so that every line passes as it came, or not at all.

mod calls;
mod handing;

use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use uuid::Uuid;

use calls::{Calls, GivenUp};

use super::Shared;
use super::definitions::AGAIN_AFTER;
use super::judge::{Definitions, Judged, JudgedCall, Sent, Verdict};
use super::lines::{Line, Lines};
use super::own_list::{OwnList, Told};
use super::reply;
use super::snapshot::Server;
use super::tools_list::{Asked, ListScan, Scanned, learn};
use super::worker::Worker;
use crate::catalogue::Page;
use crate::clock::Timestamp;
use crate::grants::Grant;
use crate::mcp::{RequestId, Shape};
use crate::record::Journal;
use crate::upstream::child::{Child, ChildEvent};

/// How long a child may be silent once the client has closed its side, before it is stopped.
const SILENT_MAX: Duration = Duration::from_secs(5);
/// The id of the grant of whoever starts the process: the same at every start, so that a restart finds its counters.
pub const LOCAL_GRANT: &str = "local";
/// How soon a line is tried again that the child had no room for.
const AGAIN: Duration = Duration::from_millis(5);

/// The client's two streams.
#[derive(Debug)]
pub struct Streams<R, W> {
    /// What the client writes.
    pub input: R,
    /// What it reads.
    pub output: W,
}

/// One client's way to its server.
pub struct Wrap {
    worker: Rc<Worker>,
    grant: Arc<Grant>,
    server: Arc<Server>,
    /// One process is one session.
    session: Box<str>,
    calls: Calls,
    /// The line that the child is to have next.
    waiting: Option<Bytes>,
    lists: ListScan,
    /// What the client calls itself.
    client: Option<Box<str>>,
    /// A list that a call waits for. No more of the client's lines are read meanwhile.
    listing: Option<OwnList>,
    /// When listing failed last.
    failed_at: Option<Timestamp>,
}

impl std::fmt::Debug for Wrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wrap").finish_non_exhaustive()
    }
}

impl Wrap {
    /// The way for the local grant and the server that is named; `None` if the snapshot has not both.
    pub fn new(shared: Arc<Shared>, journal: Journal, server: &str) -> Option<Wrap> {
        let snapshot = shared.snapshot.load_full();
        let server = snapshot.servers.get(server)?.clone();
        let grant = snapshot.grants.with_id(LOCAL_GRANT)?;
        grant.seat(&server.spec.name)?;
        let lists = ListScan::new(
            shared.clone(),
            grant.clone(),
            server.clone(),
            Asked::FirstPage,
        );
        Some(Wrap {
            worker: Worker::new(shared, journal),
            grant,
            server,
            session: Uuid::now_v7().to_string().into(),
            calls: Calls::default(),
            waiting: None,
            lists,
            client: None,
            listing: None,
            failed_at: None,
        })
    }

    /// Passes lines both ways until the client or the child ends; returns how the child ended.
    pub async fn run<R, W>(
        mut self,
        mut child: Child,
        streams: Streams<R, W>,
    ) -> std::io::Result<Option<ExitStatus>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let max = self.worker.shared.snapshot.load().settings.body_max;
        let mut output = streams.output;
        let mut lines = Lines::new(streams.input, max);
        let mut is_open = true;
        loop {
            let list_wait = self.list_wait();
            let call_wait = self.calls.next_end(self.worker.shared.clock.now());
            let judgment = tokio::select! {
                event = child.next() => match event {
                    ChildEvent::Line(line) => self.heard(line).await,
                    ChildEvent::Ended(exit) => {
                        self.calls.child_ended(&self.server.spec.name, &exit);
                        return Ok(exit.status);
                    }
                },
                line = lines.next(), if is_open && self.waiting.is_none() && self.listing.is_none() && !self.calls.are_full() => match line? {
                    Line::End => {
                        is_open = false;
                        child.close_input();
                        continue;
                    }
                    Line::TooLong => Judgment::Reply(too_long(max)),
                    Line::Whole(line) => self.asked(line).await,
                },
                () = tokio::time::sleep(list_wait), if self.listing.is_some() => self.list_failed().await,
                () = tokio::time::sleep(call_wait.unwrap_or_default()), if call_wait.is_some() => self.give_up(),
                () = tokio::time::sleep(SILENT_MAX), if !is_open => {
                    child.begin_stop();
                    continue;
                }
                () = tokio::time::sleep(AGAIN), if self.waiting.is_some() => Judgment::Reply(Bytes::new()),
            };
            for line in [self.judged(&child, judgment), self.hand_over(&child)] {
                write_line(&mut output, &line).await?;
            }
        }
    }

    /// Goes by the grant that is in force now: an edit of the policy has made another.
    fn renew(&mut self) {
        let now = self
            .worker
            .shared
            .snapshot
            .load()
            .grants
            .with_id(LOCAL_GRANT);
        if let Some(grant) = now.filter(|grant| !Arc::ptr_eq(grant, &self.grant)) {
            let shared = self.worker.shared.clone();
            self.lists =
                ListScan::new(shared, grant.clone(), self.server.clone(), Asked::FirstPage);
            self.grant = grant;
        }
    }

    /// Judges a line of the client's; a call whose rules need a definition may have to wait for the server's list.
    async fn asked(&mut self, line: Bytes) -> Judgment {
        self.renew();
        let now = self.worker.shared.clock.now();
        let is_resting = self.failed_at.is_some_and(|at| now.since(at) < AGAIN_AFTER);
        let (worker, grant) = (self.worker.clone(), self.grant.clone());
        let Some(seat) = grant.seat(&self.server.spec.name) else {
            return Judgment::Reply(Bytes::new());
        };
        let sent = Sent {
            grant: &grant,
            server: &self.server.spec.name,
            token: None,
            session: Some(&self.session),
            headers: None,
            client: self.client.clone(),
            body: &line,
        };
        let definitions = match is_resting {
            true => Definitions::AsKnown,
            false => Definitions::Awaited,
        };
        match worker.judge.judge(seat, &sent, definitions) {
            Err(refusal) => Judgment::Reply(refusal.message().into()),
            Ok(None) => {
                let (listing, request) = OwnList::begin(line.clone(), now);
                self.listing = Some(listing);
                Judgment::Forward(request)
            }
            Ok(Some(Judged::Message { envelope, client })) => {
                self.client = client.or_else(|| self.client.take());
                self.server.metrics.passed.increment(1);
                // Servers leave what was cancelled unanswered.
                if let Some(id) = envelope.cancels {
                    self.calls.cancelled(&String::from_utf8_lossy(&line[id]));
                }
                if let Some(id) = envelope.id.filter(|_| envelope.shape == Shape::Request) {
                    self.ask(&String::from_utf8_lossy(&line[id]));
                }
                Judgment::Forward(line)
            }
            Ok(Some(Judged::Call(call))) => self.called(line, (call, now)).await,
        }
    }

    /// How long the list may still take.
    fn list_wait(&self) -> Duration {
        let until = self.listing.as_ref().map(OwnList::until);
        until.map_or(Duration::ZERO, |until| {
            until.since(self.worker.shared.clock.now())
        })
    }

    /// What becomes of a line of the child's: it may be a page of the gateway's own list.
    async fn heard(&mut self, line: Bytes) -> Judgment {
        let told = match &mut self.listing {
            Some(listing) => listing.heard(&line),
            None => Told::Nothing,
        };
        match told {
            Told::Nothing => Judgment::Reply(self.answered(line)),
            Told::More(request) => Judgment::Forward(request),
            Told::Failed => self.list_failed().await,
            Told::Whole => {
                let listing = self.listing.take().map(OwnList::into_parts);
                let (call, tools) = listing.unwrap_or_default();
                let page = Page {
                    is_first: true,
                    is_last: true,
                    at: self.worker.shared.clock.now(),
                };
                learn(&self.worker.shared, &self.server.spec.name, tools, page);
                self.asked(call).await
            }
        }
    }

    /// The server has no list for the call that waits: it is judged without.
    async fn list_failed(&mut self) -> Judgment {
        tracing::warn!("the wrapped server could not be listed");
        self.failed_at = Some(self.worker.shared.clock.now());
        match self.listing.take() {
            Some(listing) => self.asked(listing.into_parts().0).await,
            None => Judgment::Reply(Bytes::new()),
        }
    }

    async fn called(&mut self, line: Bytes, (call, came): (JudgedCall<'_>, Timestamp)) -> Judgment {
        let id = call
            .envelope
            .id
            .clone()
            .map(|id| line.slice(id))
            .unwrap_or_default();
        let shown = String::from_utf8_lossy(&id).into_owned();
        let request_id = call.request_id.to_string();
        self.server.metrics.shadowed(&call.shadowed);
        let reply = match call.verdict {
            Verdict::Denied(denial, tool) => {
                reply::denied_message(&shown, &tool, &denial, &request_id)
            }
            Verdict::Held(held, tool) => reply::waiting_message(&shown, &tool, &held, &request_id),
            Verdict::Admitted(recording) => match recording.await {
                Ok(recorded) => {
                    self.begin((shown, came), recorded);
                    return Judgment::Forward(line);
                }
                Err(not_recorded) => {
                    self.worker.shared.counters.refund(not_recorded.taken);
                    reply::undecidable_message(&shown, &request_id)
                }
            },
        };
        Judgment::Reply(reply.into())
    }

    /// What becomes of a line of the child's: lists are filtered, the rest passes; a call's outcome is recorded.
    fn answered(&mut self, line: Bytes) -> Bytes {
        let (scanned, id) = self.lists.scan_reply(&line);
        let raw_id = id.map(|id| String::from_utf8_lossy(&line[id]).into_owned());
        let answered = match raw_id.as_deref().and_then(RequestId::read) {
            Some(id) => self.calls.answered(&id, line),
            None => Some(line),
        };
        let Some(line) = answered else {
            tracing::debug!("an answer came after its call was given up");
            return Bytes::new();
        };
        match scanned {
            Scanned::Passes => line,
            Scanned::Filtered(list) => list.into(),
            Scanned::Unreadable => {
                tracing::warn!("a line of the server's that cannot be read was not passed on");
                match raw_id {
                    Some(id) => reply::unreadable_list(Some(&id)).into(),
                    None => Bytes::new(),
                }
            }
        }
    }
}

async fn write_line<W: AsyncWrite + Unpin>(output: &mut W, line: &[u8]) -> std::io::Result<()> {
    if line.is_empty() {
        return Ok(());
    }
    output.write_all(line).await?;
    output.write_all(b"\n").await?;
    output.flush().await
}

/// What is done with a line of the client's.
enum Judgment {
    Forward(Bytes),
    Reply(Bytes),
    GivenUp(GivenUp),
}

fn too_long(max: usize) -> Bytes {
    reply::Refusal::TooLarge(max).message().into()
}
