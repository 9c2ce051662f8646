//! Compares two editions of a policy: what became looser, what tighter, and how many calls a grant can make at worst.
//!
//! It never takes for tighter what it cannot compare: where it is unsure it says looser. What is only said, to an agent
//! (`on_deny`, `reason`) or to a person (`note`, `expires`, `wait`), is not compared.

mod bound;
mod condition;
mod edition;
mod effects;
mod limit;
mod subjects;
mod view;
mod worst;

pub use edition::Edition;

/// What an edit changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What is different, each thing once.
    pub changes: Vec<Change>,
    /// How many calls a grant can make of each tool, or of all tools of an entry together.
    pub worst_cases: Vec<WorstCase>,
    /// How many calls it can make of all of them together.
    pub total: WorstCase,
}

/// What became different for one tool, or for all tools that an entry speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The tool, the glob, or in words which tools.
    pub subject: String,
    /// At least one.
    pub effects: Vec<Effect>,
}

/// One thing that became different.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Effect {
    /// What kind of thing.
    pub kind: EffectKind,
    /// Which way.
    pub direction: Direction,
    /// The rule, the limit or the reason.
    pub what: String,
}

/// Which way something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// More is allowed than before, or it cannot be shown that not.
    Looser,
    /// Less is allowed than before.
    Tighter,
}

/// What can become different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EffectKind {
    /// It may be called, and could not be.
    Callable,
    /// It can no longer be called.
    NotCallable,
    /// It is in `tools/list`, and was not.
    Listed,
    /// It is no longer in `tools/list`.
    Hidden,
    /// Nothing limits it any more.
    Unlimited,
    /// Something limits it, and nothing did.
    Limited,
    /// A limit more, or one that is lower or higher.
    Limit,
    /// A rule more.
    RuleAdded,
    /// A rule less.
    RuleRemoved,
    /// A rule with another constant.
    RuleChanged,
    /// A part that cannot be compared rule by rule.
    Surface,
}

/// How many calls one grant can make at worst, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorstCase {
    /// As in [`Change`].
    pub subject: String,
    /// By the old edition.
    pub before: Calls,
    /// By the new edition.
    pub after: Calls,
}

/// So many calls fit at most into any hour and any day. The guard against runaway agents is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// Within 3,600 seconds; `None` if no limit counts calls.
    pub hour: Option<u64>,
    /// Within 86,400 seconds; `None` if no limit counts calls.
    pub day: Option<u64>,
}

impl Comparison {
    /// Compares two editions: for these tools of a server, or entry by entry.
    pub fn of(old: &Edition, new: &Edition, tools: Option<&[String]>) -> Comparison {
        let subjects = match tools {
            Some(tools) => subjects::tools(tools, old, new),
            None => subjects::entries(old, new),
        };
        let mut changes = effects::of_document(old, new);
        changes.extend(effects::of_subjects(&subjects));
        let comparison = Comparison {
            changes,
            worst_cases: subjects.iter().filter_map(worst::case).collect(),
            total: worst::total(&subjects),
        };
        comparison.with_total()
    }

    /// Whether something became looser.
    pub fn is_looser(&self) -> bool {
        let mut effects = self.changes.iter().flat_map(|change| &change.effects);
        effects.any(|effect| effect.direction == Direction::Looser)
    }

    /// More calls in total are looser, whatever the parts say.
    fn with_total(mut self) -> Comparison {
        let more = |before: Option<u64>, after: Option<u64>| match (before, after) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(before), Some(after)) => after > before,
        };
        let WorstCase { before, after, .. } = self.total;
        if !self.is_looser() && (more(before.hour, after.hour) || more(before.day, after.day)) {
            let effect = Effect {
                kind: EffectKind::Limit,
                direction: Direction::Looser,
                what: "more calls are possible".into(),
            };
            self.changes.push(Change {
                subject: worst::IN_TOTAL.into(),
                effects: vec![effect],
            });
        }
        self
    }
}

impl Direction {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Looser => "looser",
            Direction::Tighter => "tighter",
        }
    }
}

impl EffectKind {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            EffectKind::Callable => "callable",
            EffectKind::NotCallable => "not callable",
            EffectKind::Listed => "listed",
            EffectKind::Hidden => "hidden",
            EffectKind::Unlimited => "unlimited",
            EffectKind::Limited => "limited",
            EffectKind::Limit => "limit",
            EffectKind::RuleAdded => "rule added",
            EffectKind::RuleRemoved => "rule removed",
            EffectKind::RuleChanged => "rule changed",
            EffectKind::Surface => "changed",
        }
    }
}

#[cfg(test)]
mod tests;
