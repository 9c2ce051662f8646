//! The sentences that an agent gets to read when a call does not run.
//!
//! They never hold an argument's value, nor what the agent may not know: a tool that is hidden reads like one that is not there.

use std::time::Duration;

use super::amount::Amount;
use super::decision::{Denial, Held, Rule, Shadowed};
use super::limit::{Full, Increment};

/// MCP recommends names of at most 128 characters; more of the agent's own text is not sent back to it.
const NAME_CHARS_MAX: usize = 128;

/// What every sentence about a refused call begins with.
pub const DENIED: &str = "[POLICY DENIED]";
/// What every sentence about a call that waits for a person begins with.
pub const APPROVAL_REQUIRED: &str = "[APPROVAL REQUIRED]";
/// What is said where a call in flight must end first.
const ONE_MUST_END: &str =
    "The call was not run; it is possible once one of those in flight has ended.";
/// What is said where nobody knows when there will be room.
const LATER: &str = "The call was not run; try again later.";

impl<'p> Denial<'p> {
    /// What to tell the agent, after [`DENIED`]. `tool` is the name that was called.
    pub fn sentence(&self, tool: &str) -> String {
        let tool = shown(tool);
        match self {
            Denial::Unavailable(_) => format!("{tool} is not available to this grant."),
            Denial::Rule(rule) => refusal(&tool, rule, &rule.words),
            Denial::Argument { rule, words } => refusal(&tool, rule, words),
            Denial::Uncounted { limit, words } => {
                let facts = facts_after(&limit.on_deny, words);
                format!("{tool}: {facts}. The call was not run.")
            }
            Denial::LimitReached(full) => {
                let facts = facts_after(&full.limit.on_deny, &allowance(full));
                let next = full.told_delay().map_or(ONE_MUST_END.into(), next_possible);
                format!("{tool}: {facts}. {next}")
            }
            Denial::CountersFull(limit) => {
                let facts = facts_after(&limit.on_deny, &limit.allowance());
                format!(
                    "{tool}: {facts}; too many different ones are being counted, and this one is new. {LATER}"
                )
            }
            Denial::Guard { retry_after } => format!(
                "{tool}: too many calls at once from this grant. {}",
                next_possible(*retry_after)
            ),
        }
    }

    /// The denial's kind, from a closed list: a label for metrics and for `_meta`.
    pub fn kind(&self) -> &'static str {
        match self {
            Denial::Unavailable(_) => "unavailable",
            Denial::Rule(_) => "rule",
            Denial::Argument { .. } | Denial::Uncounted { .. } => "argument",
            Denial::LimitReached(_) | Denial::CountersFull(_) => "limit",
            Denial::Guard { .. } => "guard",
        }
    }

    /// What metrics call it, from a closed list: the kind, but for what an operator can mend by a setting.
    pub fn label(&self) -> &'static str {
        match self {
            Denial::CountersFull(_) => "counters_full",
            denial => denial.kind(),
        }
    }

    /// The id of the rule or limit that refused; `None` where none did or the agent must not know.
    pub fn rule(&self) -> Option<&'p str> {
        match self {
            Denial::Rule(rule) | Denial::Argument { rule, .. } => Some(&rule.id),
            Denial::LimitReached(Full { limit, .. })
            | Denial::Uncounted { limit, .. }
            | Denial::CountersFull(limit) => Some(&limit.rule),
            Denial::Unavailable(_) | Denial::Guard { .. } => None,
        }
    }

    /// The JSON Pointer (RFC 6901) of that rule or limit in the policy's document.
    pub fn pointer(&self) -> Option<&'p str> {
        match self {
            Denial::Rule(rule) | Denial::Argument { rule, .. } => Some(&rule.pointer),
            Denial::LimitReached(Full { limit, .. })
            | Denial::Uncounted { limit, .. }
            | Denial::CountersFull(limit) => Some(&limit.pointer),
            Denial::Unavailable(_) | Denial::Guard { .. } => None,
        }
    }
}

impl<'p> Shadowed<'p> {
    /// Its kind, from a closed list: a label for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Shadowed::Denied(denial) => denial.kind(),
            Shadowed::Held(_) => "approval",
        }
    }

    /// The id of the rule or limit, and its JSON Pointer.
    pub fn rule(&self) -> Option<(&'p str, &'p str)> {
        match self {
            Shadowed::Denied(denial) => Some((denial.rule()?, denial.pointer()?)),
            Shadowed::Held(rule) => Some((&rule.id, &rule.pointer)),
        }
    }
}

impl Held<'_> {
    /// What to tell the agent of a call that waits for a person. `tool` is the name that was called.
    pub fn sentence(&self, tool: &str) -> String {
        refusal(&shown(tool), self.rule, &self.rule.words)
    }
}

fn refusal(tool: &str, rule: &Rule, words: &str) -> String {
    let facts = facts_after(&rule.on_deny, words);
    format!("{tool}: {facts}. The call was not run.")
}

/// The facts, after the author's words if there are any.
fn facts_after(on_deny: &Option<Box<str>>, facts: &str) -> String {
    let own = on_deny.as_deref().map_or("", str::trim_end);
    if own.is_empty() {
        return facts.to_owned();
    }
    let stop = if own.ends_with(['.', '!', '?', ':', '…', '。']) {
        ""
    } else {
        "."
    };
    // A path keeps its spelling wherever it stands.
    let facts = match facts.split_at_checked(1) {
        Some((first, rest)) if !super::path::begins(facts) => first.to_uppercase() + rest,
        _ => facts.to_owned(),
    };
    format!("{own}{stop} {facts}")
}

/// What the limit allows, and of something other than calls how much is left.
fn allowance(full: &Full<'_>) -> String {
    let allowance = full.limit.allowance();
    let counts_calls = full.limit.increment == Increment::Constant(Amount::ONE);
    match full.told_left().filter(|_| !counts_calls) {
        Some(left) => format!("{allowance}, of which {left} is left"),
        None => allowance,
    }
}

/// Whole seconds, rounded up: an agent that waits as told is not refused again.
fn next_possible(retry_after: Duration) -> String {
    let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
    format!(
        "The call was not run; the next one is possible in {} s, not earlier.",
        seconds.max(1)
    )
}

/// A name as it may be repeated: no controls, no marks that turn or hide text, and not too long.
fn shown(tool: &str) -> String {
    let mut kept: String = tool
        .chars()
        .take(NAME_CHARS_MAX)
        .map(|c| {
            if is_safe(c) {
                c
            } else {
                char::REPLACEMENT_CHARACTER
            }
        })
        .collect();
    if tool.chars().nth(NAME_CHARS_MAX).is_some() {
        kept.push('…');
    }
    kept
}

/// Whether a character shows as itself: one that folding would drop is a control, a space of some kind or invisible.
fn is_safe(c: char) -> bool {
    c == ' ' || !crate::json::fold(c.encode_utf8(&mut [0; 4])).is_empty()
}
