//! Steps 3 to 6 of a call's path: bytes → message → decision → charges, in one synchronous piece.
//!
//! Nothing that is borrowed from the reader's scratch leaves it, and nothing here waits. A panic in judging denies the
//! call and is counted; it never lets one through.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use memchr::memmem;
use smallvec::SmallVec;
use uuid::Uuid;

use super::Shared;
use super::reply::Refusal;
use crate::clock::Timestamp;
use crate::grants::{Grant, Seat, Token};
use crate::json::{Document, Duplicates, Reader};
use crate::mcp::{self, Envelope, Message, Method, ModernHeaders, ToolsCall};
use crate::policy::{Call, Decision, Denial, Facts, Held};
use crate::record::{Entry, Journal, Recording};

/// What judging needs and keeps from one message to the next. One for each worker.
pub(super) struct Judge {
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
pub(super) struct Sent<'a> {
    /// Who sent it.
    pub(super) grant: &'a Grant,
    /// To which server.
    pub(super) server: &'a str,
    /// The token that was presented, if one was: it must not be in the body.
    pub(super) token: Option<&'a Token>,
    /// The session that it came in, as the sender names it.
    pub(super) session: Option<&'a str>,
    /// What the request's headers say about the body, or the name of one that cannot be read; nothing over stdio.
    pub(super) headers: Option<Result<ModernHeaders<'a>, &'static str>>,
    /// The body.
    pub(super) body: &'a [u8],
}

/// A message that was read.
#[derive(Debug)]
pub(super) enum Judged<'p> {
    /// A tool call, and what was decided.
    Call(JudgedCall<'p>),
    /// Anything else.
    Message(Envelope),
}

/// A tool call that was judged.
#[derive(Debug)]
pub(super) struct JudgedCall<'p> {
    /// Where its parts stand in the body.
    pub(super) envelope: Envelope,
    /// What journal, log and denial call it.
    pub(super) request_id: Uuid,
    /// What was decided.
    pub(super) verdict: Verdict<'p>,
}

/// What was decided, with all charges taken or none.
#[derive(Debug)]
pub(super) enum Verdict<'p> {
    /// It may run once its decision is recorded.
    Admitted(Recording<'p>),
    /// It does not run; the tool's name is for the reply.
    Denied(Denial<'p>, Box<str>),
    /// It waits for a person.
    Held(Held<'p>, Box<str>),
}

impl Judge {
    /// A judge that writes its decisions to this journal.
    pub(super) fn new(shared: Arc<Shared>, journal: Journal) -> Judge {
        Judge {
            shared,
            journal,
            reader: RefCell::new(Reader::new(Duplicates::Refused)),
        }
    }

    /// Reads a message and, if it is a tool call, decides and charges it. `seat` is the grant's at that server.
    pub(super) fn judge<'p>(&self, seat: &'p Seat, sent: Sent<'_>) -> Result<Judged<'p>, Refusal> {
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
        let raw = |id: &Option<std::ops::Range<usize>>| {
            id.clone().map(|id| document.source()[id].to_owned())
        };
        let invalid = |invalid: mcp::Invalid| {
            let id = raw(&invalid.id);
            Refusal::Invalid(invalid, id)
        };
        let message = mcp::parse(document).map_err(invalid)?;
        let envelope = &message.envelope;
        if let Some(headers) = sent.headers {
            let headers = headers.map_err(mcp::HeaderMismatch::Differs);
            let fit = headers.and_then(|headers| headers.check(&message));
            fit.map_err(|mismatch| Refusal::Headers(mismatch, raw(&envelope.id)))?;
        }
        if sent.token.is_some_and(|token| holds(document, token)) {
            return Err(Refusal::TokenInside);
        }
        match envelope.method {
            Method::ToolsCall => {
                let call = ToolsCall::of(&message).map_err(invalid)?;
                Ok(Judged::Call(self.decide(seat, sent, call, message)))
            }
            Method::Unknown => Err(Refusal::UnknownMethod {
                id: raw(&envelope.id),
                is_modern: envelope.is_modern,
            }),
            _ => Ok(Judged::Message(message.envelope)),
        }
    }

    fn decide<'p>(
        &self,
        seat: &'p Seat,
        sent: &Sent<'_>,
        call: ToolsCall<'_>,
        message: Message<'_>,
    ) -> JudgedCall<'p> {
        let facts = Facts {
            listing: self.shared.catalogue.listing(sent.server, call.tool),
            session: sent.session,
            ..Facts::NONE
        };
        let now = self.shared.clock.now();
        let request_id = Uuid::now_v7();
        let keys = call
            .arguments
            .into_iter()
            .flat_map(|arguments| arguments.members());
        let keys: SmallVec<[&str; 16]> = keys.filter_map(|(key, _)| key.as_str()).collect();
        let entry = Entry {
            request_id,
            grant: &sent.grant.id,
            server: sent.server,
            tool: call.tool,
            keys: &keys,
            policy: seat.policy.hash(),
        };
        let judgement = seat.policy.decide(
            &Call {
                tool: call.tool,
                arguments: call.arguments,
            },
            &facts,
        );
        let verdict = match judgement.decision {
            Decision::Allow(permit) => {
                match self.shared.counters.charge(permit, &seat.account, now) {
                    Ok(admitted) => Verdict::Admitted(self.journal.decision(admitted, &entry)),
                    Err(denial) => Verdict::Denied(denial, call.tool.into()),
                }
            }
            Decision::Hold(held) => Verdict::Held(held, call.tool.into()),
            Decision::Deny(denial) => Verdict::Denied(denial, call.tool.into()),
        };
        let verdict = guarded(verdict, seat, now);
        match &verdict {
            Verdict::Admitted(_) => {}
            // A flood's lines are kept short.
            Verdict::Denied(denial @ Denial::Guard { .. }, _) => {
                self.journal.denied(&Entry { keys: &[], ..entry }, denial);
            }
            Verdict::Denied(denial, _) => self.journal.denied(&entry, denial),
            Verdict::Held(held, _) => self.journal.held(&entry, held),
        }
        JudgedCall {
            envelope: message.envelope,
            request_id,
            verdict,
        }
    }
}

/// A call that was admitted has passed its grant's guard; one that was not meets it here.
fn guarded<'p>(verdict: Verdict<'p>, seat: &Seat, now: Timestamp) -> Verdict<'p> {
    match verdict {
        Verdict::Admitted(_) | Verdict::Denied(Denial::Guard { .. }, _) => verdict,
        Verdict::Denied(_, ref tool) | Verdict::Held(_, ref tool) => {
            match seat.account.pass_guard(now) {
                Ok(()) => verdict,
                Err(retry_after) => Verdict::Denied(Denial::Guard { retry_after }, tool.clone()),
            }
        }
    }
}

/// Whether the document says the token anywhere, spelled out or in escapes.
fn holds(document: &Document<'_>, token: &Token) -> bool {
    let token = token.reveal().as_bytes();
    memmem::find(document.source().as_bytes(), token).is_some()
        || memmem::find(document.unescaped().as_bytes(), token).is_some()
}
