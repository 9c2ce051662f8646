//! One stdio client in front of one stdio server: the same judging as over HTTP, line by line.
//!
//! Ids are the client's own and nothing is multiplexed, so that every line passes as it came, or not at all.

use std::collections::HashMap;
use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};

use uuid::Uuid;

use super::Shared;
use super::call_record::CallRecord;
use super::judge::{Judged, JudgedCall, Sent, Verdict};
use super::reply;
use super::snapshot::Server;
use super::tools_list::{Asked, ListScan, Scanned};
use super::worker::Worker;
use crate::grants::Grant;
use crate::record::{Journal, OutcomeLine};
use crate::upstream::child::{Child, ChildEvent, SendError};

/// How long a child may be silent once the client has closed its side, before it is stopped.
const SILENT_MAX: Duration = Duration::from_secs(5);
/// The id of the grant of whoever starts the process: the same at every start, so that a restart finds its counters.
pub const LOCAL_GRANT: &str = "local";
/// How many calls may wait for the server before more of the client's lines are read: no client sends as many, and each
/// costs a little memory.
const CALLS_MAX: usize = 1_024;
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
    calls: HashMap<Box<[u8]>, CallRecord>,
    lists: ListScan,
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
            calls: HashMap::new(),
            lists,
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
        let mut lines = Lines {
            input: BufReader::new(streams.input),
            line: Vec::new(),
            is_skipping: false,
            max,
        };
        let mut waiting: Option<Bytes> = None;
        let mut is_open = true;
        loop {
            let reply = tokio::select! {
                event = child.next() => match event {
                    ChildEvent::Line(line) => self.answered(line),
                    ChildEvent::Ended(exit) => return Ok(exit.status),
                },
                line = lines.next(), if is_open && waiting.is_none() && self.calls.len() < CALLS_MAX => match line? {
                    Line::End => {
                        is_open = false;
                        child.close_input();
                        continue;
                    }
                    Line::TooLong => too_long(max),
                    Line::Whole(line) => match self.asked(line).await {
                        Judgment::Forward(line) => { waiting = Some(line); Bytes::new() }
                        Judgment::Reply(reply) => reply,
                    },
                },
                () = tokio::time::sleep(SILENT_MAX), if !is_open => {
                    child.begin_stop();
                    continue;
                }
                () = tokio::time::sleep(AGAIN), if waiting.is_some() => Bytes::new(),
            };
            if !reply.is_empty() {
                output.write_all(&reply).await?;
                output.write_all(b"\n").await?;
                output.flush().await?;
            }
            waiting = waiting.and_then(|line| match child.try_send(line.clone()) {
                Err(SendError::Full) => Some(line),
                Ok(()) | Err(SendError::Closed) => None,
            });
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

    /// Judges a line of the client's.
    async fn asked(&mut self, line: Bytes) -> Judgment {
        self.renew();
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
            body: &line,
        };
        match worker.judge.judge(seat, sent) {
            Err(refusal) => Judgment::Reply(refusal.message().into()),
            Ok(Judged::Message(envelope)) => {
                self.server.metrics.passed.increment(1);
                // Servers leave what was cancelled unanswered.
                if let Some(id) = envelope.cancels {
                    self.calls.remove(&line[id]);
                }
                Judgment::Forward(line)
            }
            Ok(Judged::Call(call)) => self.called(line, call).await,
        }
    }

    async fn called(&mut self, line: Bytes, call: JudgedCall<'_>) -> Judgment {
        let id = call
            .envelope
            .id
            .clone()
            .map(|id| line.slice(id))
            .unwrap_or_default();
        let shown = String::from_utf8_lossy(&id).into_owned();
        let request_id = call.request_id.to_string();
        let reply = match call.verdict {
            Verdict::Denied(denial, tool) => {
                reply::denied_message(&shown, &tool, &denial, &request_id)
            }
            Verdict::Held(held, tool) => reply::waiting_message(&shown, &tool, &held, &request_id),
            Verdict::Admitted(recording) => match recording.await {
                Ok(_recorded) => {
                    self.server.metrics.allowed();
                    let record =
                        CallRecord::new(self.worker.clone(), self.server.clone(), call.request_id);
                    self.calls.insert(id.to_vec().into(), record);
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
        if let Some(record) = id
            .as_ref()
            .and_then(|id| self.calls.remove(&line[id.clone()]))
        {
            record.settle(OutcomeLine {
                upstream: "answered",
                latency: Duration::ZERO,
                refund: None,
            });
        }
        match scanned {
            Scanned::Passes => line,
            Scanned::Filtered(list) => list.into(),
            Scanned::Unreadable => {
                tracing::warn!("a line of the server's that cannot be read was not passed on");
                let id = id.map(|id| String::from_utf8_lossy(&line[id]).into_owned());
                if id.is_some() {
                    reply::unreadable_list(id.as_deref()).into()
                } else {
                    Bytes::new()
                }
            }
        }
    }
}

/// What is done with a line of the client's.
enum Judgment {
    Forward(Bytes),
    Reply(Bytes),
}

fn too_long(max: usize) -> Bytes {
    reply::Refusal::TooLarge(max).message().into()
}

/// What some servers' readers take for the end of a line (Python's text streams, Node's `readline`), and what says the
/// same in JSON: the first can stand only between tokens, the others only in strings.
const OTHER_LINE_ENDS: [(char, &str); 4] = [
    ('\r', " "),
    ('\u{85}', "\\u0085"),
    ('\u{2028}', "\\u2028"),
    ('\u{2029}', "\\u2029"),
];

/// The line as one that every reader takes for one: in what follows such an end a server could see a message of its
/// own, which nobody has judged.
fn one_line(line: Vec<u8>) -> Bytes {
    let ends = OTHER_LINE_ENDS.map(|(end, _)| end);
    match std::str::from_utf8(&line) {
        Ok(text) if text.contains(ends) => {
            let replaced = OTHER_LINE_ENDS
                .iter()
                .fold(text.to_owned(), |text, (end, same)| {
                    text.replace(*end, same)
                });
            replaced.into()
        }
        // What is not UTF-8 is refused when it is read.
        _ => line.into(),
    }
}

/// Lines of bounded length.
struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    /// The rest of a line that was too long is still to come.
    is_skipping: bool,
    max: usize,
}

enum Line {
    Whole(Bytes),
    TooLong,
    End,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The next line that is not blank, with its end. Dropping the future loses nothing.
    async fn next(&mut self) -> std::io::Result<Line> {
        loop {
            if self.is_skipping {
                skip_line(&mut self.input).await?;
                self.is_skipping = false;
                return Ok(Line::TooLong);
            }
            let room = (self.max + 1).saturating_sub(self.line.len()) as u64;
            let read = (&mut self.input)
                .take(room)
                .read_until(b'\n', &mut self.line)
                .await?;
            if self.line.last() == Some(&b'\n') {
                let line = std::mem::take(&mut self.line);
                if !line.trim_ascii().is_empty() {
                    return Ok(Line::Whole(one_line(line)));
                }
            } else if read == 0 && self.line.len() <= self.max {
                // What stands after the last line end was never finished.
                return Ok(Line::End);
            } else if self.line.len() > self.max {
                self.line = Vec::new();
                self.is_skipping = true;
            }
        }
    }
}

/// Reads on to the end of a line without keeping it.
async fn skip_line(input: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf().await?;
        let end = memchr::memchr(b'\n', buffer);
        let (used, is_done) = (
            end.map_or(buffer.len(), |end| end + 1),
            end.is_some() || buffer.is_empty(),
        );
        input.consume(used);
        if is_done {
            return Ok(());
        }
    }
}
