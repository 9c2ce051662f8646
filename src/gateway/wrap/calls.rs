//! The calls that a wrapped server has not answered yet.
//!
//! It never lets a client have two answers to one call, and never gives back what a line took that may have been written.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::super::ending::Ending;
use super::super::reply;
use super::super::under_way::IdInUse;
use crate::clock::Timestamp;
use crate::mcp::RequestId;
use crate::upstream::ForwardError;
use crate::upstream::child::{Exit, SendError};

/// How many calls may wait for the server before more of the client's lines are read: no client sends as many, and each
/// costs a little memory.
pub(super) const CALLS_MAX: usize = 1_024;

/// The calls of one wrapped server.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: HashMap<RequestId, Open>,
    /// Every call that was begun, in the order of their ends: all have the same time.
    ends: VecDeque<(Timestamp, RequestId)>,
    /// What was given up, and may still be answered; the oldest first.
    given_up: VecDeque<RequestId>,
    /// The call whose line the child has not taken yet.
    untaken: Option<RequestId>,
    lines_given: u64,
    /// Requests that are no calls, the oldest first.
    asked: VecDeque<(RequestId, IdInUse)>,
}

/// A call that has begun.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) ending: Ending,
    /// The id as the client wrote it.
    pub(super) id: Box<str>,
    pub(super) request_id: String,
    /// By when it has ended.
    pub(super) until: Timestamp,
    /// Which line to the child it is, counted from 1; `None` until the child has taken it.
    pub(super) line: Option<u64>,
}

/// A call whose time is up.
#[derive(Debug)]
pub(super) struct GivenUp {
    /// What the client is told.
    pub(super) reply: Bytes,
    /// What the server is told; nothing if it never had the call.
    pub(super) cancellation: Option<Bytes>,
}

impl Calls {
    /// A call whose line is to be given to the child next.
    pub(super) fn begin(&mut self, call: Open) {
        let Some(id) = RequestId::read(&call.id) else {
            return;
        };
        self.given_up.retain(|given_up| *given_up != id);
        self.ends.push_back((call.until, id.clone()));
        self.untaken = Some(id.clone());
        self.open.insert(id, call);
        if self.ends.len() > 2 * CALLS_MAX {
            // Of calls that were answered long ago.
            let open = &self.open;
            let until = |id: &RequestId| open.get(id).map(|call| call.until);
            self.ends.retain(|(end, id)| until(id) == Some(*end));
        }
    }

    /// A request that is no call; one too many, its oldest is waited for no more.
    pub(super) fn ask(&mut self, id: RequestId, id_in_use: IdInUse) {
        self.asked.push_back((id, id_in_use));
        if self.asked.len() > CALLS_MAX {
            self.asked.pop_front();
        }
    }

    /// Whether no more calls may begin before one has ended.
    pub(super) fn are_full(&self) -> bool {
        self.open.len() >= CALLS_MAX
    }

    /// The child has taken another line, which is nobody's call.
    pub(super) fn line_given(&mut self) {
        self.lines_given += 1;
    }

    /// The child has taken the line that was to be given to it next.
    pub(super) fn line_taken(&mut self) {
        self.line_given();
        let taken = self.untaken.take();
        if let Some(call) = taken.and_then(|id| self.open.get_mut(&id)) {
            call.line = Some(self.lines_given);
        }
    }

    /// The child takes no more lines. What the client is told of the request in this one; nothing if it is none.
    pub(super) fn line_refused(&mut self, server: &Arc<str>, raw_id: Option<&str>) -> Bytes {
        let error = ForwardError::Connect {
            upstream: server.clone(),
            source: SendError::Closed.into(),
        };
        let call = self.untaken.take().and_then(|id| self.open.remove(&id));
        let request_id = call.map(|mut call| {
            call.ending.failed(&error);
            call.request_id
        });
        let request_id = request_id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        raw_id.map_or_else(Bytes::new, |id| {
            reply::upstream_failed_message(Some(id), &error, &request_id).into()
        })
    }

    /// The server has answered; gives what the client gets, `None` if it had its answer before.
    pub(super) fn answered(&mut self, id: &RequestId, line: Bytes) -> Option<Bytes> {
        if let Some(at) = self.given_up.iter().position(|given_up| given_up == id) {
            self.given_up.remove(at);
            return None;
        }
        match self.open.remove(id) {
            Some(mut call) => Some(call.ending.ended_with(&line)),
            None => {
                let at = self.asked.iter().position(|(asked, _)| asked == id);
                let asked = at.and_then(|at| self.asked.remove(at));
                asked.into_iter().for_each(|(_, asked)| asked.over());
                Some(line)
            }
        }
    }

    /// The client waits no more: servers leave what was cancelled unanswered. What it took stays taken.
    pub(super) fn cancelled(&mut self, raw_id: &str) {
        let id = RequestId::read(raw_id);
        drop(id.and_then(|id| self.open.remove(&id)));
    }

    /// How long until the next call is given up, if there is one.
    pub(super) fn next_end(&mut self, now: Timestamp) -> Option<Duration> {
        while let Some((until, id)) = self.ends.front() {
            let is_open = self.open.get(id).is_some_and(|call| call.until == *until);
            if is_open {
                return Some(until.since(now));
            }
            self.ends.pop_front();
        }
        None
    }

    /// Gives up the call that has been in flight for longest, if its time, `after`, is up.
    pub(super) fn give_up(
        &mut self,
        server: &Arc<str>,
        after: Duration,
        now: Timestamp,
    ) -> Option<GivenUp> {
        if !self.next_end(now)?.is_zero() {
            return None;
        }
        let (_, id) = self.ends.pop_front()?;
        let mut call = self.open.remove(&id)?;
        let upstream = server.clone();
        let is_untaken = self.untaken.take_if(|untaken| *untaken == id).is_some();
        let error = match is_untaken {
            true => ForwardError::Saturated { upstream },
            false => ForwardError::TimeUp { upstream, after },
        };
        call.ending.failed(&error);
        let cancellation = (!is_untaken).then(|| {
            self.given_up.push_back(id);
            if self.given_up.len() > CALLS_MAX {
                self.given_up.pop_front();
            }
            cancellation(&call.id)
        });
        let (id, request_id) = (&*call.id, &*call.request_id);
        Some(GivenUp {
            reply: reply::upstream_failed_message(Some(id), &error, request_id).into(),
            cancellation,
        })
    }

    /// The child is gone. What certainly was not written to it is given back.
    pub(super) fn child_ended(mut self, server: &Arc<str>, exit: &Exit) {
        for (_, mut call) in self.open.drain() {
            let was_written = call.line.is_some_and(|line| line <= exit.lines_begun);
            call.ending.failed(&ForwardError::ChildGone {
                upstream: server.clone(),
                exit: exit.clone(),
                was_written,
            });
        }
    }
}

fn cancellation(raw_id: &str) -> Bytes {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{raw_id},\"reason\":\"its time is up\"}}}}\n"
    )
    .into()
}
