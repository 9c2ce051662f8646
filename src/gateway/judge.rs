//! Steps 3 to 6 of a call's path: bytes → message → decision → charges, in one synchronous piece.
//!
//! Nothing that is borrowed from the reader's scratch leaves it, and nothing here waits. A panic in judging denies the
//! call and is counted; it never lets one through.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use memchr::memmem;

use super::Shared;
use super::reply::Refusal;
use crate::grants::{Grant, Seat, Token};
use crate::json::{Document, Duplicates, Reader};
use crate::mcp::{self, Envelope, Message, Method, ModernHeaders, ToolsCall};
use crate::policy::{Call, Decision, Denial, Facts, Held};
use crate::record::{Entry, Journal, Recording, RequestId};

/// What judging needs and keeps from one message to the next. One for each worker.
pub struct Judge {
    shared: Arc<Shared>,
    journal: Journal,
    reader: RefCell<Reader>,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}

/// A message as it came, and who sent it to which server.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// Who sent it.
    pub grant: &'a Grant,
    /// To which server.
    pub server: &'a str,
    /// The token that was presented, if one was: it must not be in the body.
    pub token: Option<&'a Token>,
    /// What the request's headers say about the body.
    pub headers: Result<ModernHeaders<'a>, &'static str>,
    /// The body.
    pub body: &'a [u8],
}

/// A message that was read.
#[derive(Debug)]
pub enum Judged<'p> {
    /// A tool call, and what was decided.
    Call(JudgedCall<'p>),
    /// Anything else.
    Message(Envelope),
}

/// A tool call that was judged.
#[derive(Debug)]
pub struct JudgedCall<'p> {
    /// Where its parts stand in the body.
    pub envelope: Envelope,
    /// What journal, log and denial call it.
    pub request_id: RequestId,
    /// What was decided.
    pub verdict: Verdict<'p>,
}

/// What was decided, with all charges taken or none.
#[derive(Debug)]
pub enum Verdict<'p> {
    /// It may run once its decision is recorded.
    Admitted(Recording<'p>),
    /// It does not run; the tool's name is for the reply.
    Denied(Denial<'p>, Box<str>),
    /// It waits for a person.
    Held(Held<'p>, Box<str>),
}

impl Judge {
    /// A judge that writes its decisions to this journal.
    pub fn new(shared: Arc<Shared>, journal: Journal) -> Judge {
        Judge { shared, journal, reader: RefCell::new(Reader::new(Duplicates::Refused)) }
    }

    /// Reads a message and, if it is a tool call, decides and charges it. `seat` is the grant's at that server.
    pub fn judge<'p>(&self, seat: &'p Seat, sent: Sent<'_>) -> Result<Judged<'p>, Refusal> {
        let mut reader = self.reader.borrow_mut();
        let judged = catch_unwind(AssertUnwindSafe(|| {
            let document = reader.read(sent.body).map_err(Refusal::Json)?;
            self.judge_document(seat, &sent, &document)
        }));
        judged.unwrap_or_else(|_| {
            self.shared.metrics.panics.increment(1);
            *reader = Reader::new(Duplicates::Refused);
            Err(Refusal::Panicked)
        })
    }

    fn judge_document<'p>(
        &self,
        seat: &'p Seat,
        sent: &Sent<'_>,
        document: &Document<'_>,
    ) -> Result<Judged<'p>, Refusal> {
        let raw = |id: &Option<std::ops::Range<usize>>| id.clone().map(|id| document.source()[id].to_owned());
        let invalid = |invalid: mcp::Invalid| {
            let id = raw(&invalid.id);
            Refusal::Invalid(invalid, id)
        };
        let message = mcp::parse(document).map_err(invalid)?;
        let envelope = &message.envelope;
        let headers = sent.headers.map_err(mcp::HeaderMismatch::Differs);
        headers
            .and_then(|headers| headers.check(&message).map(|()| headers))
            .map_err(|mismatch| Refusal::Headers(mismatch, raw(&envelope.id)))?;
        if sent.token.is_some_and(|token| holds(document, token)) {
            return Err(Refusal::TokenInside);
        }
        match envelope.method {
            Method::ToolsCall => {
                let call = ToolsCall::of(&message).map_err(invalid)?;
                Ok(Judged::Call(self.decide(seat, sent, call, message)))
            }
            Method::Unknown => {
                Err(Refusal::UnknownMethod { id: raw(&envelope.id), is_modern: envelope.is_modern })
            }
            _ => Ok(Judged::Message(message.envelope)),
        }
    }

    fn decide<'p>(&self, seat: &'p Seat, sent: &Sent<'_>, call: ToolsCall<'_>, message: Message<'_>) -> JudgedCall<'p> {
        let facts = Facts { listing: self.shared.catalogue.listing(sent.server, call.tool) };
        let now = self.shared.clock.now();
        let request_id = RequestId::new();
        let entry = Entry {
            request_id,
            grant: &sent.grant.id,
            server: sent.server,
            tool: call.tool,
            arguments: call.arguments,
            policy: seat.policy.hash(),
        };
        let decision = seat.policy.decide(&Call { tool: call.tool, arguments: call.arguments }, &facts);
        let verdict = match decision {
            Decision::Allow(permit) => match self.shared.counters.charge(permit, &seat.account, now) {
                Ok(admitted) => Verdict::Admitted(self.journal.decision(admitted, &entry)),
                Err(denial) => Verdict::Denied(denial, call.tool.into()),
            },
            Decision::Hold(held) => Verdict::Held(held, call.tool.into()),
            Decision::Deny(denial) => Verdict::Denied(denial, call.tool.into()),
        };
        match &verdict {
            Verdict::Admitted(_) => {}
            Verdict::Denied(denial, _) => self.journal.denied(&entry, denial),
            Verdict::Held(held, _) => self.journal.held(&entry, held),
        }
        JudgedCall { envelope: message.envelope, request_id, verdict }
    }
}

/// Whether the document says the token anywhere, spelled out or in escapes.
fn holds(document: &Document<'_>, token: &Token) -> bool {
    let token = token.reveal().as_bytes();
    memmem::find(document.source().as_bytes(), token).is_some()
        || memmem::find(document.unescaped().as_bytes(), token).is_some()
}
