//! How many calls may pass in how long, and whose calls are counted together.
//!
//! It never counts: a [`Limit`] is what was written, a [`Charge`] is what one call takes. Counting is `counters`'.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

/// One limit of a policy, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its place in [`super::Policy::limits`]: whoever keeps one counter for each limit finds it by this.
    pub index: usize,
    /// The rule id, such as `/tools/create_charge/limits/charge_rate`; it is also what names the counter.
    pub rule: Box<str>,
    /// The JSON Pointer (RFC 6901) of the limit in its document.
    pub pointer: Box<str>,
    /// The most calls that any stretch of time as long as `window` may hold.
    pub max: NonZeroU64,
    /// How long a call is counted.
    pub window: Window,
    /// The most calls back to back (GCRA), less than `max`; `None` if only `max` counts.
    pub burst: Option<NonZeroU32>,
    /// Whose calls share the counter.
    pub scope: Scope,
    /// The author's words to the agent, put before the facts.
    pub on_deny: Option<Box<str>>,
}

/// A rolling window: any stretch of time of this length, wherever it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    seconds: NonZeroU32,
}

impl Window {
    /// One second.
    pub const SECOND: Window = Window::of(1);
    /// Sixty seconds.
    pub const MINUTE: Window = Window::of(60);
    /// 3,600 seconds.
    pub const HOUR: Window = Window::of(3_600);
    /// 86,400 seconds.
    pub const DAY: Window = Window::of(86_400);
    /// Seven days.
    pub const WEEK: Window = Window::of(604_800);
    /// The longest window there may be, 31 days: what a restart must remember is bounded by it.
    pub const MAX: Window = Window::of(2_678_400);

    /// A window of whole seconds; `None` for 0 and for more than [`Window::MAX`].
    pub fn from_seconds(seconds: u64) -> Option<Window> {
        let seconds = NonZeroU32::new(u32::try_from(seconds).ok()?)?;
        (seconds <= Window::MAX.seconds).then_some(Window { seconds })
    }

    const fn of(seconds: u32) -> Window {
        Window {
            seconds: NonZeroU32::new(seconds).expect("named windows are longer than nothing"),
        }
    }

    /// Its length.
    pub fn length(self) -> Duration {
        Duration::from_secs(self.seconds.get().into())
    }

    /// As a document may spell it: `minute`, or `90s`.
    pub fn name(self) -> String {
        match self {
            Window::SECOND => "second".into(),
            Window::MINUTE => "minute".into(),
            Window::HOUR => "hour".into(),
            Window::DAY => "day".into(),
            Window::WEEK => "week".into(),
            Window { seconds } => format!("{seconds}s"),
        }
    }
}

/// Whose calls share a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The calls of one grant.
    Grant,
}

/// What one call takes from one limit. The amount is one call until limits can count something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge<'p> {
    /// The limit that pays.
    pub limit: &'p Limit,
}

/// A limit without room, found while charging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full<'p> {
    /// The limit that has no room; of several, the one that opens last.
    pub limit: &'p Limit,
    /// How long until it would admit this call, if nobody else takes the room: never zero, never too short.
    pub retry_after: Duration,
}
