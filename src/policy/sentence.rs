//! The sentences that an agent gets to read when a call does not run.
//!
//! They never hold an argument's value, nor what the agent may not know: a tool that is hidden reads like one that is not there.

use std::time::Duration;

use super::decision::{Denial, Held, Rule, Shadowed};
use super::limit::{Limit, Scope, Window};

/// MCP recommends names of at most 128 characters; more of the agent's own text is not sent back to it.
const NAME_CHARS_MAX: usize = 128;

/// What every sentence about a refused call begins with.
pub const DENIED: &str = "[POLICY DENIED]";
/// What every sentence about a call that waits for a person begins with.
pub const APPROVAL_REQUIRED: &str = "[APPROVAL REQUIRED]";

impl<'p> Denial<'p> {
    /// What to tell the agent, after [`DENIED`]. `tool` is the name that was called.
    pub fn sentence(&self, tool: &str) -> String {
        let tool = shown(tool);
        match self {
            Denial::Unavailable(_) => format!("{tool} is not available to this grant."),
            Denial::Rule(rule) => refusal(&tool, rule, &rule.words),
            Denial::Argument { rule, words } => refusal(&tool, rule, words),
            Denial::LimitReached(full) => {
                let facts = facts_after(&full.limit.on_deny, &allowance(full.limit));
                format!("{tool}: {facts}. {}", next_possible(full.retry_after))
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
            Denial::Argument { .. } => "argument",
            Denial::LimitReached(_) => "limit",
            Denial::Guard { .. } => "guard",
        }
    }

    /// The id of the rule or limit that refused; `None` where none did or the agent must not know.
    pub fn rule(&self) -> Option<&'p str> {
        match self {
            Denial::Rule(rule) | Denial::Argument { rule, .. } => Some(&rule.id),
            Denial::LimitReached(full) => Some(&full.limit.rule),
            Denial::Unavailable(_) | Denial::Guard { .. } => None,
        }
    }

    /// The JSON Pointer (RFC 6901) of that rule or limit in the policy's document.
    pub fn pointer(&self) -> Option<&'p str> {
        match self {
            Denial::Rule(rule) | Denial::Argument { rule, .. } => Some(&rule.pointer),
            Denial::LimitReached(full) => Some(&full.limit.pointer),
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

fn allowance(limit: &Limit) -> String {
    let calls = if limit.max.get() == 1 {
        "call"
    } else {
        "calls"
    };
    let span = match limit.window {
        Window::SECOND | Window::MINUTE | Window::HOUR | Window::DAY | Window::WEEK => {
            format!("per {}", limit.window.name())
        }
        window => format!("in any {} s", window.length().as_secs()),
    };
    let burst = match limit.burst {
        Some(burst) => format!(", {burst} of them back to back"),
        None => String::new(),
    };
    let Scope::Grant = limit.scope;
    format!("at most {} {calls} {span} for this grant{burst}", limit.max)
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
