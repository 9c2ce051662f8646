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
use crate::counters::Admitted;
use crate::grants::{Grant, Seat, Token};
use crate::json::{Document, Duplicates, Reader};
use crate::mcp::{self, Envelope, Message, Method, ModernHeaders, Shape, Subject, ToolsCall};
use crate::policy::{Call, Caller, Decision, Denial, Facts, Held, Moment, Shadowed, Unavailable};
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
#[derive(Debug)]
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
    /// What the session's client called itself when it began, where a rule asks.
    pub(super) client: Option<Box<str>>,
    /// The body.
    pub(super) body: &'a [u8],
}

/// A message that was read.
#[derive(Debug)]
pub(super) enum Judged<'p> {
    /// A tool call, and what was decided.
    Call(JudgedCall<'p>),
    /// Anything else.
    Message {
        /// Where its parts stand in the body.
        envelope: Envelope,
        /// What the client calls itself, where it introduces itself.
        client: Option<Box<str>>,
    },
}

/// Whether a call whose rules need a definition may still wait for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Definitions {
    /// The server is listed first, if its list is not there or old.
    Awaited,
    /// It is judged by what is known now; a rule that needs what is not known denies.
    AsKnown,
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
    /// What rules in shadow would have decided.
    pub(super) shadowed: Vec<Shadowed<'p>>,
}

/// What was decided, with all charges taken or none.
#[derive(Debug)]
pub(super) enum Verdict<'p> {
    /// It may run once its decision is recorded.
    Admitted(Recording),
    /// It does not run; the tool's name is for the reply.
    Denied(Denial<'p>, Box<str>),
    /// It waits for a person.
    Held(Held<'p>, Box<str>),
}

/// Why a call does not run now.
enum Stopped<'p> {
    Denied(Denial<'p>),
    Held(Held<'p>),
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
    ///
    /// `None`, with nothing decided, where definitions are awaited and the server should be listed first.
    pub(super) fn judge<'p>(
        &self,
        seat: &'p Seat,
        sent: &Sent<'_>,
        definitions: Definitions,
    ) -> Result<Option<Judged<'p>>, Refusal> {
        let mut reader = self.reader.borrow_mut();
        let judged = catch_unwind(AssertUnwindSafe(|| {
            let document = reader.read(sent.body).map_err(Refusal::Json)?;
            self.judge_document((seat, sent), &document, definitions)
        }));
        judged.unwrap_or_else(|_| {
            self.shared.metrics.panics.increment(1);
            *reader = Reader::new(Duplicates::Refused);
            Err(Refusal::Panicked)
        })
    }

    fn judge_document<'p>(
        &self,
        (seat, sent): (&'p Seat, &Sent<'_>),
        document: &Document<'_>,
        definitions: Definitions,
    ) -> Result<Option<Judged<'p>>, Refusal> {
        let raw = |id: &_| raw_id(sent.body, id);
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
                let is_asked = seat.policy.needs_definition(call.tool);
                if is_asked && definitions == Definitions::Awaited && self.is_due(sent.server) {
                    return Ok(None);
                }
                Ok(Some(Judged::Call(self.decide(seat, sent, call, message))))
            }
            Method::Unknown => Err(Refusal::UnknownMethod {
                id: raw(&envelope.id),
                is_modern: envelope.is_modern,
            }),
            method => {
                self.pass((seat, sent), &message)?;
                let introduces = method == Method::Initialize;
                let client = introduces.then(|| mcp::client_name(&message)).flatten();
                Ok(Some(Judged::Message {
                    client: client.map(Into::into),
                    envelope: message.envelope,
                }))
            }
        }
    }

    /// Lets a message that is no tool call pass, if the policy leaves the grant its method and what it is about.
    fn pass(&self, (seat, sent): (&Seat, &Sent<'_>), message: &Message<'_>) -> Result<(), Refusal> {
        let policy = &*seat.policy;
        if policy.leaves_all_but_tools() || keeps_session(message) {
            return Ok(());
        }
        let id = || raw_id(sent.body, &message.envelope.id);
        let subjects = mcp::subjects(message).map_err(|invalid| Refusal::Invalid(invalid, id()))?;
        let is_there = |subject: &Subject<'_>| match *subject {
            Subject::Resource(uri) => (policy.has_resource(uri), Unavailable::Resource),
            Subject::Template(template) => (policy.has_template(template), Unavailable::Resource),
            Subject::Prompt(name) => (policy.has_prompt(name), Unavailable::Prompt),
        };
        let missing = match policy.allows_method(message.name) {
            false => Some(Unavailable::Method),
            true => subjects
                .iter()
                .map(is_there)
                .find_map(|(has, why)| (!has).then_some(why)),
        };
        let Some(why) = missing else {
            return Ok(());
        };
        let entry = Entry {
            request_id: Uuid::now_v7(),
            grant: &sent.grant.id,
            server: sent.server,
            tool: message.name,
            keys: &[],
            policy: policy.hash(),
            shadowed: &[],
        };
        self.journal.denied(&entry, &Denial::Unavailable(why));
        Err(Refusal::Unavailable(why, id()))
    }

    fn is_due(&self, server: &str) -> bool {
        let now = self.shared.clock.now();
        self.shared.catalogue.is_due(server, now)
    }

    fn decide<'p>(
        &self,
        seat: &'p Seat,
        sent: &Sent<'_>,
        call: ToolsCall<'_>,
        message: Message<'_>,
    ) -> JudgedCall<'p> {
        let Shared {
            catalogue, clock, ..
        } = &*self.shared;
        let definition = match seat.policy.needs_definition(call.tool) {
            true => catalogue.definition(sent.server, call.tool),
            false => None,
        };
        let facts = Facts {
            listing: catalogue.listing(sent.server, call.tool),
            definition: definition.as_deref(),
            caller: caller(sent, &message),
            session: sent.session,
            time: Moment {
                seconds: clock.wall_seconds(),
            },
        };
        let now = clock.now();
        let request_id = Uuid::now_v7();
        let judgement = seat.policy.decide(
            &Call {
                tool: call.tool,
                arguments: call.arguments,
            },
            &facts,
        );
        let mut shadowed = judgement.shadowed;
        let charged = self.charge(judgement.decision, seat, now);
        let full = charged.iter().flat_map(Admitted::shadowed);
        shadowed.extend(full.map(|full| Shadowed::Denied(Denial::LimitReached(*full))));
        let keys = keys(&call);
        let entry = Entry {
            request_id,
            grant: &sent.grant.id,
            server: sent.server,
            tool: call.tool,
            keys: &keys,
            policy: seat.policy.hash(),
            shadowed: &shadowed,
        };
        let verdict = match charged {
            Ok(admitted) => Verdict::Admitted(self.journal.decision(admitted, &entry)),
            Err(Stopped::Denied(denial)) => Verdict::Denied(denial, call.tool.into()),
            Err(Stopped::Held(held)) => Verdict::Held(held, call.tool.into()),
        };
        let verdict = guarded(verdict, seat, now);
        self.record_refusal(&verdict, entry);
        JudgedCall {
            envelope: message.envelope,
            request_id,
            verdict,
            shadowed,
        }
    }

    /// Takes what a call is charged that may run.
    fn charge<'p>(
        &self,
        decision: Decision<'p>,
        seat: &Seat,
        now: Timestamp,
    ) -> Result<Admitted<'p>, Stopped<'p>> {
        match decision {
            Decision::Allow(permit) => {
                let charged = self.shared.counters.charge(permit, &seat.account, now);
                charged.map_err(Stopped::Denied)
            }
            Decision::Hold(held) => Err(Stopped::Held(held)),
            Decision::Deny(denial) => Err(Stopped::Denied(denial)),
        }
    }

    /// The line of a call that does not run. One that may run has its line already.
    fn record_refusal(&self, verdict: &Verdict<'_>, entry: Entry<'_>) {
        match verdict {
            Verdict::Admitted(_) => {}
            // A flood's lines are kept short.
            Verdict::Denied(denial @ Denial::Guard { .. }, _) => {
                let keys = &[];
                self.journal.denied(&Entry { keys, ..entry }, denial);
            }
            Verdict::Denied(denial, _) => self.journal.denied(&entry, denial),
            Verdict::Held(held, _) => self.journal.held(&entry, held),
        }
    }
}

/// Whether a message opens or keeps a session, or tells something: such are never refused by a policy.
fn keeps_session(message: &Message<'_>) -> bool {
    let is_told = message.envelope.shape != Shape::Request;
    is_told
        || matches!(
            message.envelope.method,
            Method::Initialize | Method::Ping | Method::Discover
        )
}

/// The `id` as it stands in the body.
fn raw_id(body: &[u8], id: &Option<std::ops::Range<usize>>) -> Option<String> {
    let id = id.clone()?;
    Some(String::from_utf8_lossy(&body[id]).into_owned())
}

/// Who calls, for rules that ask.
fn caller<'a>(sent: &'a Sent<'_>, message: &Message<'a>) -> Caller<'a> {
    Caller {
        label: &sent.grant.name,
        tags: &sent.grant.tags,
        client: mcp::client_name(message).or(sent.client.as_deref()),
    }
}

/// The keys of a call's arguments, for the journal.
fn keys<'a>(call: &ToolsCall<'a>) -> SmallVec<[&'a str; 16]> {
    let arguments = call.arguments.into_iter();
    let members = arguments.flat_map(|arguments| arguments.members());
    members.filter_map(|(key, _)| key.as_str()).collect()
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
