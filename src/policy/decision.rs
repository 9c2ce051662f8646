//! What `decide` says of a call.
//!
//! A denial is a value, not an error. It never holds an argument's value: it ends up in replies and in the journal.

use std::borrow::Cow;
use std::time::Duration;

use super::limit::{Charge, Charges, Full, Limit};

/// What was decided of one tool call, and what rules in shadow would have decided.
#[derive(Debug)]
pub struct Judgement<'p> {
    /// What happens to the call.
    pub decision: Decision<'p>,
    /// For the record only, in the order in which the rules were judged.
    pub shadowed: Vec<Shadowed<'p>>,
}

/// What a rule in shadow would have done.
#[derive(Debug)]
pub enum Shadowed<'p> {
    /// It would have refused the call.
    Denied(Denial<'p>),
    /// It would have asked a person.
    Held(&'p Rule),
}

/// The verdict on one tool call.
#[derive(Debug)]
pub enum Decision<'p> {
    /// The call may run if all its charges can be taken.
    Allow(Permit<'p>),
    /// The call waits for a person.
    Hold(Held<'p>),
    /// The call does not run.
    Deny(Denial<'p>),
}

/// What a call takes from which limits; the only way to `Counters::charge`. Only this room makes one.
#[derive(Debug)]
pub struct Permit<'p> {
    charges: Charges<'p>,
}

impl<'p> Permit<'p> {
    pub(super) fn new(charges: Charges<'p>) -> Permit<'p> {
        Permit { charges }
    }

    /// What the call takes, in the order of the document.
    pub fn charges(&self) -> &[Charge<'p>] {
        &self.charges
    }
}

/// A call that a person must release. Until approvals exist nothing turns it into a [`Permit`].
#[derive(Debug)]
pub struct Held<'p> {
    /// The rule that held it; of several, the first.
    pub rule: &'p Rule,
    /// How the person is asked.
    pub ask: &'p Ask,
}

/// How a person is asked about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The author's words to that person.
    pub note: Option<Box<str>>,
    /// How long there is to answer.
    pub expires: Duration,
    /// How long the call itself is held open meanwhile; `None`: not at all.
    pub wait: Option<Duration>,
}

/// Which rule spoke, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The rule id, such as `/tools/create_charge/deny_if/args.amount-gt`.
    pub id: Box<str>,
    /// The JSON Pointer (RFC 6901) of the entry in its document.
    pub pointer: Box<str>,
    /// The author's words to the agent, if there are any.
    pub on_deny: Option<Box<str>>,
    /// The rule in words, such as `args.amount must be at most 10000`.
    pub words: Box<str>,
}

/// Why a call does not run.
#[derive(Debug)]
pub enum Denial<'p> {
    /// The tool is not there for this grant. The agent gets one answer whatever the reason.
    Unavailable(Unavailable),
    /// A `require` that does not hold or a `deny_if` that does.
    Rule(&'p Rule),
    /// A rule that cannot be judged, because an argument has the wrong shape.
    Argument {
        /// The rule that could not be judged.
        rule: &'p Rule,
        /// What the argument must be, such as `args.amount must be a number`.
        words: Cow<'p, str>,
    },
    /// What a call would take from a limit cannot be told, because an argument has the wrong shape.
    Uncounted {
        /// The limit that could not be charged.
        limit: &'p Limit,
        /// What the argument must be, such as `args.amount must be a number`.
        words: Box<str>,
    },
    /// A limit of the policy has no room.
    LimitReached(Full<'p>),
    /// A limit would need one counter more than there may be.
    CountersFull(&'p Limit),
    /// The grant's guard against runaway agents has no room; not part of the policy.
    Guard {
        /// How long until it has.
        retry_after: Duration,
    },
}

/// Why a tool, or something else, is not there. For the journal only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// The grant has no policy for this server.
    NoPolicy,
    /// `methods` does not name the method.
    Method,
    /// `resources` does not have it.
    Resource,
    /// `prompts` does not have it.
    Prompt,
    /// `hide` names it.
    Hidden,
    /// `default` is `deny`, and no entry matches.
    Default,
    /// The server does not list it.
    Unknown,
}

impl Unavailable {
    /// What the journal has in place of a rule id.
    pub fn reason(self) -> &'static str {
        match self {
            Unavailable::NoPolicy => "(no policy)",
            Unavailable::Method => "(method)",
            Unavailable::Resource => "(resource)",
            Unavailable::Prompt => "(prompt)",
            Unavailable::Hidden => "(hidden)",
            Unavailable::Default => "(default deny)",
            Unavailable::Unknown => "(unknown tool)",
        }
    }
}
