//! The journal's lines: what is in them, how they are written and read.
//!
//! They never hold an argument's value. What an agent chose itself, a tool's name and its arguments' keys, is bounded,
//! and whatever looks like a grant token in it is left out.

use std::borrow::Cow;
use std::time::Duration;

use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::parts::{LineCharge, Parts, parts};
use crate::clock::Timestamp;
use crate::counters::{Charged, CounterKey, Opener, Settlement, Taken};
use crate::policy::{Denial, Full, Held, Rule, Shadowed};

/// Bytes of a tool's name in a line. MCP asks for names of at most 128 characters.
const TOOL_MAX: usize = 256;
/// Bytes of one argument's key in a line.
const KEY_MAX: usize = 128;
/// Keys in a line; what is above is counted only.
const KEYS_MAX: usize = 64;

/// Which call a decision line is about.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The call's id; UUID version 7 sorts by time.
    pub request_id: Uuid,
    /// The grant's id.
    pub grant: &'a str,
    /// The server's name in the settings.
    pub server: &'a str,
    /// The tool's name, as the agent sent it.
    pub tool: &'a str,
    /// The keys of the call's arguments, as the agent sent them; never a value.
    pub keys: &'a [&'a str],
    /// The hash of the policy that decided.
    pub policy: &'a str,
    /// What rules in shadow would have decided.
    pub shadowed: &'a [Shadowed<'a>],
}

/// What became of a call that was let go.
#[derive(Debug, Clone, Copy)]
pub struct OutcomeLine<'a> {
    /// The upstream's HTTP status or a label of the outcome, from a closed list.
    pub upstream: &'a str,
    /// From the decision to the end of the reply.
    pub latency: Duration,
    /// What is given back, if anything is.
    pub settlement: Option<&'a Settlement>,
}

/// What a decision line says of the decision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict<'a> {
    decision: &'static str,
    rule: Option<&'a str>,
    pointer: Option<&'a str>,
    charges: Option<Parts<'a>>,
}

impl<'a> Verdict<'a> {
    pub(super) fn allow(taken: &'a Taken) -> Verdict<'a> {
        Verdict {
            decision: "allow",
            rule: None,
            pointer: None,
            charges: Some(Parts(taken)),
        }
    }

    pub(super) fn hold(held: &'a Held<'_>) -> Verdict<'a> {
        Verdict::by("hold", held.rule)
    }

    pub(super) fn deny(denial: &'a Denial<'_>) -> Verdict<'a> {
        let named = |rule, pointer| Verdict {
            decision: "deny",
            rule: Some(rule),
            pointer,
            charges: None,
        };
        match denial {
            Denial::Unavailable(unavailable) => named(unavailable.reason(), None),
            Denial::Rule(rule) | Denial::Argument { rule, .. } => Verdict::by("deny", rule),
            Denial::LimitReached(Full { limit, .. })
            | Denial::Uncounted { limit, .. }
            | Denial::CountersFull(limit) => named(&limit.rule, Some(&limit.pointer)),
            Denial::Guard { .. } => named("(guard)", None),
        }
    }

    fn by(decision: &'static str, rule: &'a Rule) -> Verdict<'a> {
        Verdict {
            decision,
            rule: Some(&rule.id),
            pointer: Some(&rule.pointer),
            charges: None,
        }
    }
}

#[derive(Serialize)]
struct DecisionLine<'a> {
    kind: &'static str,
    at: Text<Timestamp>,
    ns: u64,
    request_id: Text<Uuid>,
    grant: &'a str,
    server: &'a str,
    tool: Bounded<'a>,
    args: Keys<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args_left_out: Option<usize>,
    decision: &'static str,
    rule: Option<&'a str>,
    pointer: Option<&'a str>,
    policy: &'a str,
    #[serde(serialize_with = "parts")]
    charges: Option<Parts<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shadow: Vec<ShadowLine<'a>>,
}

/// What one rule in shadow would have decided.
#[derive(Serialize)]
struct ShadowLine<'a> {
    kind: &'static str,
    rule: &'a str,
    pointer: &'a str,
}

impl<'a> ShadowLine<'a> {
    fn of(shadowed: &Shadowed<'a>) -> Option<ShadowLine<'a>> {
        let (rule, pointer) = shadowed.rule()?;
        Some(ShadowLine {
            kind: shadowed.kind(),
            rule,
            pointer,
        })
    }
}

#[derive(Serialize)]
struct Outcome<'a> {
    kind: &'static str,
    at: Text<Timestamp>,
    ns: u64,
    request_id: Text<Uuid>,
    upstream: &'a str,
    latency_ms: f64,
    #[serde(serialize_with = "parts")]
    refunded: Option<Parts<'a>>,
    /// Places among calls in flight that are free again.
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<Parts<'a>>,
    /// What the counters of refunds were charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    charges: Option<Parts<'a>>,
}

/// Appends a decision line to `to`.
pub(super) fn decision(to: &mut Vec<u8>, now: Timestamp, entry: &Entry<'_>, verdict: Verdict<'_>) {
    let left_out = entry.keys.len().saturating_sub(KEYS_MAX);
    let line = DecisionLine {
        kind: "decision",
        at: Text(now),
        ns: now.nanos(),
        request_id: Text(entry.request_id),
        grant: entry.grant,
        server: entry.server,
        tool: Bounded(entry.tool, TOOL_MAX),
        args: Keys(entry.keys),
        args_left_out: (left_out > 0).then_some(left_out),
        decision: verdict.decision,
        rule: verdict.rule,
        pointer: verdict.pointer,
        policy: entry.policy,
        charges: verdict.charges,
        shadow: entry.shadowed.iter().filter_map(ShadowLine::of).collect(),
    };
    append(to, &line);
}

/// Appends an outcome line to `to`.
pub(super) fn outcome(to: &mut Vec<u8>, now: Timestamp, id: Uuid, outcome: &OutcomeLine<'_>) {
    let line = Outcome {
        kind: "outcome",
        at: Text(now),
        ns: now.nanos(),
        request_id: Text(id),
        upstream: outcome.upstream,
        latency_ms: outcome.latency.as_micros() as f64 / 1_000.0,
        refunded: outcome.settlement.map(Settlement::refunded).map(Parts),
        released: outcome
            .settlement
            .map(Settlement::released)
            .and_then(Parts::if_any),
        charges: outcome
            .settlement
            .map(Settlement::charged)
            .and_then(Parts::if_any),
    };
    append(to, &line);
}

/// Appends a line that says: of segment `segment`, only the first `length` bytes were ever acknowledged.
pub(super) fn cut(to: &mut Vec<u8>, cut: Cut) {
    let Cut { segment, length } = cut;
    append(
        to,
        &serde_json::json!({ "kind": "cut", "ns": 0, "segment": segment, "length": length }),
    );
}

fn append(to: &mut Vec<u8>, line: &impl Serialize) {
    serde_json::to_writer(&mut *to, line).expect("memory takes every byte, and all keys are text");
    to.push(b'\n');
}

/// A line as a restart reads it: what it did to the counters.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    kind: LineKind,
    ns: u64,
    #[serde(default)]
    charges: Vec<LineCharge>,
    #[serde(default)]
    refunded: Vec<LineCharge>,
    #[serde(default)]
    released: Vec<LineCharge>,
    #[serde(default)]
    segment: u32,
    #[serde(default)]
    length: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LineKind {
    Decision,
    Outcome,
    Cut,
}

/// Where a segment ends, because what follows could not be taken back from the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) segment: u32,
    pub(super) length: u64,
}

impl Line {
    /// Reads one line without its end; `None` if it is not one that this program writes.
    pub(super) fn parse(bytes: &[u8]) -> Option<Line> {
        serde_json::from_slice(bytes).ok()
    }

    pub(super) fn at(&self) -> Timestamp {
        Timestamp::from_nanos(self.ns)
    }

    /// Which counters may have been opened by which grant.
    pub(super) fn opened(&self) -> impl Iterator<Item = (CounterKey, Opener)> {
        self.charges.iter().filter_map(LineCharge::opened)
    }

    pub(super) fn charges(&self) -> impl Iterator<Item = (CounterKey, Charged)> {
        self.charges.iter().map(LineCharge::charged)
    }

    /// What the call gave back, places among those in flight too.
    pub(super) fn given_back(&self) -> impl Iterator<Item = (CounterKey, Charged)> {
        let given_back = self.refunded.iter().chain(&self.released);
        given_back.map(LineCharge::charged)
    }

    pub(super) fn cut(&self) -> Option<Cut> {
        (self.kind == LineKind::Cut).then_some(Cut {
            segment: self.segment,
            length: self.length,
        })
    }
}

struct Text<T>(T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

struct Keys<'a>(&'a [&'a str]);

impl Serialize for Keys<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let kept = self.0.iter().take(KEYS_MAX);
        to.collect_seq(kept.map(|key| Bounded(key, KEY_MAX)))
    }
}

/// Text that an agent sent, without tokens and cut at so many bytes.
struct Bounded<'a>(&'a str, usize);

impl Serialize for Bounded<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // First the tokens, then the cut: half a token is still a secret.
        let text = redacted(self.0);
        to.serialize_str(&text[..text.floor_char_boundary(self.1)])
    }
}

/// The text without what looks like a grant token: `tg_` and twenty or more letters and digits.
fn redacted(text: &str) -> Cow<'_, str> {
    const MARK: &str = "tg_";
    let mut kept = String::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(found) = rest[from..].find(MARK) {
        let start = from + found;
        let secret = &rest[start + MARK.len()..];
        let length = secret.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if length < 20 {
            from = start + MARK.len();
            continue;
        }
        kept.push_str(&rest[..start]);
        kept.push_str("[redacted]");
        rest = &secret[length..];
        from = 0;
    }
    match kept.is_empty() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(kept + rest),
    }
}
