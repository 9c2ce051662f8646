//! A process that is running, and what is under way to it.
//!
//! It never gives a client another client's answer: an answer goes to the request whose number it has, and to no other.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::greeting::Greeting;
use super::line::{Aim, AimBy, splice, spliced_line};
use crate::mcp::Method;
use crate::sessions::SessionId;
use crate::upstream::ForwardError;
use crate::upstream::child::{Child, Exit, SendError};

/// How many requests may be under way to one process, waiting ones included.
pub(super) const PENDING_MAX: usize = 1_024;

/// What the SDKs' HTTP servers answer a cancelled request with.
const REQUEST_CANCELLED: i64 = -32800;

/// Who sent a message: ids are only unique for one of these, if at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) grant: Arc<str>,
    pub(super) session: Option<SessionId>,
}

/// A client's request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) body: Bytes,
    /// Where its id stands in the body.
    pub(super) id: Range<usize>,
    /// Where its progress token stands.
    pub(super) progress_token: Option<Range<usize>>,
    pub(super) method: Method,
    pub(super) caller: Caller,
}

/// A client's notification, or its response to a request of the server's.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) body: Bytes,
    pub(super) method: Method,
    /// Where the id of the request that it cancels stands in the body.
    pub(super) cancels: Option<Range<usize>>,
    pub(super) caller: Caller,
}

/// What a client gets of the answer to its request.
#[derive(Debug)]
pub(super) enum Part {
    /// A notification on the way, with the client's own ids.
    Event(Bytes),
    /// The answer.
    Last(Last),
    /// There will be none.
    Failed(ForwardError),
}

/// An answer.
#[derive(Debug)]
pub(super) struct Last {
    /// With the client's own id.
    pub(super) message: Bytes,
    /// The code of the JSON-RPC error, if it is one.
    pub(super) error_code: Option<i64>,
    /// It is the gateway's word for a request that its client cancelled: the server may still be at work.
    pub(super) is_cancellation: bool,
}

/// A request and where its answer goes.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) parts: mpsc::Sender<Part>,
}

impl Asked {
    /// The client is told; if it has left, nobody is.
    pub(super) fn fail(self, error: ForwardError) {
        let _ = self.parts.try_send(Part::Failed(error));
    }

    /// The client gets `answer`, in which its id goes where `ids` are.
    pub(super) fn answer(&self, answer: &[u8], ids: &[Range<usize>], error_code: Option<i64>) {
        let own = self.raw_id();
        let edits: Vec<_> = ids.iter().map(|span| (span.clone(), own)).collect();
        self.end(Last {
            message: Bytes::from(splice(answer, &edits)),
            error_code,
            is_cancellation: false,
        });
    }

    /// The client gets an error for what it has cancelled.
    fn cancelled(&self) {
        let head = br#"{"jsonrpc":"2.0","id":"#;
        let tail = format!(
            r#","error":{{"code":{REQUEST_CANCELLED},"message":"cancelled by the client"}}}}"#
        );
        self.end(Last {
            message: [head, self.raw_id(), tail.as_bytes()].concat().into(),
            error_code: Some(REQUEST_CANCELLED),
            is_cancellation: true,
        });
    }

    fn end(&self, last: Last) {
        // There is room: events leave the last place free. It fails only where the client has left.
        let _ = self.parts.try_send(Part::Last(last));
    }

    /// Keeps of the body only the id and the token: megabytes of arguments need not wait for their answer.
    fn without_body(mut self) -> Asked {
        let Request {
            body,
            id,
            progress_token,
            ..
        } = &mut self.request;
        let token = progress_token.clone().unwrap_or(0..0);
        let kept = [&body[id.clone()], &body[token]].concat();
        *id = 0..id.len();
        *progress_token = progress_token.as_ref().map(|_| id.end..kept.len());
        *body = Bytes::from(kept);
        self
    }

    fn raw_id(&self) -> &[u8] {
        &self.request.body[self.request.id.clone()]
    }

    fn progress(&self, message: &[u8], aim: &Aim) {
        let own = match (aim.by, &self.request.progress_token) {
            (AimBy::ProgressToken, Some(token)) => &self.request.body[token.clone()],
            (AimBy::ProgressToken, None) => return,
            (AimBy::Id, _) => self.raw_id(),
        };
        if self.parts.capacity() > 1 {
            let event = splice(message, &[(aim.span.clone(), own)]);
            let _ = self.parts.try_send(Part::Event(Bytes::from(event)));
        }
    }
}

/// A request that the process has.
#[derive(Debug)]
struct Pending {
    asked: Asked,
    /// Which line it was, counted from 1.
    line: u64,
}

/// A process and everything that is known only as long as it lives.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) greeting: Greeting,
    lines_given: u64,
    pending: BTreeMap<u64, Pending>,
}

impl Running {
    pub(super) fn new(child: Child) -> Running {
        Running {
            child,
            greeting: Greeting::None,
            lines_given: 0,
            pending: BTreeMap::new(),
        }
    }

    /// Hands a line to the process; gives back which one it is.
    pub(super) fn give(&mut self, line: Bytes) -> Result<u64, SendError> {
        self.child.try_send(line)?;
        self.lines_given += 1;
        Ok(self.lines_given)
    }

    /// Hands a request to the process under a number of ours, which is also its progress token.
    pub(super) fn ask(&mut self, number: u64, asked: Asked) -> Result<(), Box<(SendError, Asked)>> {
        let text = number.to_string();
        let mut edits = vec![(asked.request.id.clone(), text.as_bytes())];
        if let Some(token) = &asked.request.progress_token {
            edits.push((token.clone(), text.as_bytes()));
        }
        edits.sort_by_key(|(span, _)| span.start);
        let line = spliced_line(&asked.request.body, &edits);
        match self.give(line) {
            Ok(line) => {
                let asked = asked.without_body();
                self.pending.insert(number, Pending { asked, line });
                Ok(())
            }
            Err(error) => Err(Box::new((error, asked))),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.pending.len() + self.greeting.held_count() < PENDING_MAX
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes the request that has this number.
    pub(super) fn take(&mut self, number: u64) -> Option<Asked> {
        self.pending.remove(&number).map(|pending| pending.asked)
    }

    /// Passes a notification to the request it is about; dropped if that is over or its client is far behind.
    pub(super) fn progress(&self, message: &[u8], aim: &Aim) {
        if let Some(pending) = self.pending.get(&aim.number) {
            pending.asked.progress(message, aim);
        }
    }

    /// Ends the request that a client knows as `raw_id`, and gives its number: the latest, as some clients use one id for
    /// everything. It gets an error, because over HTTP only an answer ends a request; the child need not answer any more.
    pub(super) fn cancel(&mut self, caller: &Caller, raw_id: &[u8]) -> Option<u64> {
        let is_it = |asked: &Asked| asked.request.caller == *caller && asked.raw_id() == raw_id;
        let mut latest_first = self.pending.iter().rev();
        let (&number, _) = latest_first.find(|(_, pending)| is_it(&pending.asked))?;
        let asked = self.take(number)?;
        asked.cancelled();
        Some(number)
    }

    /// Takes out the requests whose clients have left, and gives the numbers of those that may be cancelled.
    pub(super) fn forget_leavers(&mut self) -> Vec<u64> {
        self.greeting.forget_leavers();
        let left = self
            .pending
            .extract_if(.., |_, pending| pending.asked.parts.is_closed());
        // The protocol forbids cancelling a probe; `initialize` is never among these.
        left.filter(|(_, pending)| pending.asked.request.method != Method::Discover)
            .map(|(number, _)| number)
            .collect()
    }

    /// Tells everyone who waits that the process is gone.
    pub(super) fn fail_all(self, upstream: &Arc<str>, exit: &Exit) {
        let gone = |was_written| ForwardError::ChildGone {
            upstream: upstream.clone(),
            exit: exit.clone(),
            was_written,
        };
        for pending in self.pending.into_values() {
            let was_written = pending.line <= exit.lines_begun;
            pending.asked.fail(gone(was_written));
        }
        for asked in self.greeting.into_waiting() {
            asked.fail(gone(false));
        }
    }
}
