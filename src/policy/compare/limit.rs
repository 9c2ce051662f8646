//! One limit of an edition: what it counts, for whom, and whether another admits no more.
//!
//! It never calls two limits comparable whose charges differ.

use super::bound::{Bound, Span};
use crate::policy::import::{self, Node};
use crate::policy::limit::Window;
use crate::policy::limit_numbers::{self, whole};

/// Which calls a limit counts together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Breadth {
    /// Those of one tool.
    Tool(String),
    /// Those of all tools that a glob speaks for.
    Glob(String),
    /// Those of all entries that name a counter.
    Shared(String),
    /// All.
    AllTools,
}

/// One limit that is enforced.
#[derive(Debug, Clone)]
pub(super) struct LimitView {
    pub(super) breadth: Breadth,
    pub(super) counter: String,
    measure: Measure,
    /// From the narrowest to the widest, see [`SCOPES`].
    scope: usize,
    by: Vec<String>,
    /// What a call takes, as it was written.
    charge: Charge,
    /// Outcomes that give a charge back.
    refund_on: Vec<String>,
    words: String,
}

#[derive(Debug, Clone, Copy)]
enum Measure {
    OverTime(Bound),
    AtATime(u64),
    /// Like nothing else.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Charge {
    Calls(u64),
    /// A number that is not whole, or an argument's value.
    Other(String),
}

/// Whose calls are counted together, from few to many.
const SCOPES: [&str; 4] = ["session", "grant", "server", "organisation"];
const GRANT: usize = 1;

impl LimitView {
    /// Reads an entry of `limits`; `None` for one in shadow.
    pub(super) fn of(limit: &Node, breadth: &Breadth, document: &Node) -> Option<LimitView> {
        let Some(name) = limit.text() else {
            let counter = limit.member("counter")?.text()?;
            return LimitView::read(limit, (breadth.clone(), counter));
        };
        let shared = document.member("counters")?.member(name)?;
        LimitView::read(shared, (Breadth::Shared(name.to_owned()), name))
    }

    /// Reads a `rate_limit`.
    pub(super) fn of_rate(rate: &Node, breadth: &Breadth) -> LimitView {
        let numbers = match rate.text() {
            Some(text) => limit_numbers::rate(text).map(|(max, window)| (max.get(), window)),
            None => max(rate).zip(window(rate)),
        };
        let measure = numbers.map(|(max, window)| {
            Measure::OverTime(Bound {
                max,
                span: span(window, None),
                burst: None,
                refunds: false,
            })
        });
        LimitView {
            breadth: breadth.clone(),
            counter: "rate_limit".into(),
            measure: measure.unwrap_or(Measure::Unknown),
            scope: GRANT,
            by: Vec::new(),
            charge: Charge::Calls(1),
            refund_on: Vec::new(),
            words: rate
                .text()
                .map_or_else(|| import::line(rate), str::to_owned),
        }
    }

    fn read(limit: &Node, (breadth, counter): (Breadth, &str)) -> Option<LimitView> {
        if limit.member("shadow").is_some_and(Node::is_true) {
            return None;
        }
        let texts = |key: &str| {
            let elements = limit.member(key).map(Node::elements).unwrap_or_default();
            let mut texts: Vec<_> = elements
                .iter()
                .filter_map(Node::text)
                .map(str::to_owned)
                .collect();
            texts.sort();
            texts
        };
        let refund_on = texts("refund_on");
        let scope = limit.member("scope").and_then(Node::text);
        let scope = scope.and_then(|scope| SCOPES.iter().position(|known| *known == scope));
        Some(LimitView {
            breadth,
            counter: counter.to_owned(),
            measure: measure(limit).unwrap_or(Measure::Unknown),
            scope: scope.unwrap_or(GRANT),
            by: texts("by").into_iter().map(counted_by).collect(),
            charge: charge(limit),
            refund_on,
            words: words(limit),
        })
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        let place = match &self.breadth {
            Breadth::Tool(_) | Breadth::Glob(_) => "",
            Breadth::Shared(_) => "shared ",
            Breadth::AllTools => "all_tools ",
        };
        format!("{place}{}: {}", self.counter, self.words)
    }

    /// Whether both count in the same counter.
    pub(super) fn is_same_as(&self, other: &LimitView) -> bool {
        self.breadth == other.breadth && self.counter == other.counter
    }

    /// Whether whatever this admits, `other` admits too.
    pub(super) fn is_within(&self, other: &LimitView) -> bool {
        let is_as_wide = match (&self.breadth, &other.breadth) {
            (mine, theirs) if mine == theirs => true,
            (Breadth::AllTools, _) | (_, Breadth::Tool(_)) => true,
            _ => false,
        };
        let has_no_key_more = self.by.iter().all(|key| other.by.contains(key));
        let gives_back_no_more = self
            .refund_on
            .iter()
            .all(|outcome| other.refund_on.contains(outcome));
        let is_less = match (self.measure, other.measure) {
            (Measure::OverTime(mine), Measure::OverTime(theirs)) => {
                self.charge == other.charge && mine.is_within(&theirs)
            }
            (Measure::AtATime(mine), Measure::AtATime(theirs)) => mine <= theirs,
            _ => false,
        };
        is_as_wide && has_no_key_more && gives_back_no_more && is_less && self.scope >= other.scope
    }

    /// The most calls that one grant can make in so many seconds; `None` if it does not bound them.
    pub(super) fn calls(&self, seconds: u64) -> Option<u64> {
        // Sessions are free to open, and an agent chooses its arguments.
        let is_open = self.scope < GRANT
            || self
                .by
                .iter()
                .any(|key| key != "tool" && !key.starts_with("grant."));
        match (self.measure, &self.charge, is_open) {
            (Measure::OverTime(bound), Charge::Calls(each), false) => {
                Some(bound.within(seconds) / each)
            }
            _ => None,
        }
    }

    /// Whether each tool has a counter of its own.
    pub(super) fn is_by_tool(&self) -> bool {
        self.by.iter().any(|key| key == "tool")
    }
}

/// Of the two names of one thing, one.
fn counted_by(path: String) -> String {
    match path.as_str() {
        "tool.name" => "tool".into(),
        _ => path,
    }
}

fn max(limit: &Node) -> Option<u64> {
    whole(limit.member("max")?.number()?)
}

fn measure(limit: &Node) -> Option<Measure> {
    let whole = |key: &str| whole(limit.member(key)?.number()?);
    if limit.member("concurrent").is_some() {
        return whole("concurrent").map(Measure::AtATime);
    }
    let align = limit.member("align").and_then(Node::text);
    Some(Measure::OverTime(Bound {
        max: max(limit)?,
        span: span(window(limit)?, align),
        burst: whole("burst"),
        refunds: limit.member("refund_on").is_some(),
    }))
}

fn window(limit: &Node) -> Option<Window> {
    let window = limit.member("window")?;
    match window.number() {
        Some(number) => Window::from_seconds(whole(number)?),
        // A rate of one has the same spans.
        None => limit_numbers::rate(&format!("1/{}", window.text()?)).map(|(_, window)| window),
    }
}

/// Months are those of the calendar, whatever is said.
fn span(window: Window, align: Option<&str>) -> Span {
    let seconds = window.length().as_secs();
    match align {
        _ if window == Window::MONTH => Span::Month,
        Some("calendar") => Span::Calendar(seconds),
        _ => Span::Rolling(seconds),
    }
}

fn charge(limit: &Node) -> Charge {
    let from = limit.member("increment_from");
    let increment = limit.member("increment");
    match (from, increment.and_then(Node::number)) {
        (Some(from), _) => Charge::Other(import::line(from)),
        (None, None) => Charge::Calls(1),
        (None, Some(text)) => match whole(text) {
            Some(each) if each > 0 => Charge::Calls(each),
            _ => Charge::Other(text.to_owned()),
        },
    }
}

/// All that decides, on one line.
fn words(limit: &Node) -> String {
    let is_silent = |key: &str| matches!(key, "counter" | "on_deny" | "shadow");
    let members = limit
        .members()
        .iter()
        .filter(|member| !is_silent(&member.key));
    let words: Vec<_> = members
        .map(|member| match member.value.text() {
            Some(text) => format!("{} {text}", member.key),
            None => format!("{} {}", member.key, import::line(&member.value)),
        })
        .collect();
    words.join(", ")
}
