//! How much may pass in how long, and whose calls are counted together.
//!
//! It never counts: a [`Limit`] is what was written, a [`Charge`] is what one call takes. Counting is `counters`'.

use std::num::{NonZeroU32, NonZeroU64, NonZeroU128};
use std::time::Duration;

use smallvec::SmallVec;

use super::amount::Amount;
use super::failure::Failures;
use super::source::{Argument, Source};

/// One limit of a policy, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its place in [`super::Policy::limits`]: whoever keeps one counter for each limit finds it by this.
    pub index: usize,
    /// The rule id, such as `/tools/create_charge/limits/charge_rate`; it is also what names the counter.
    pub rule: Box<str>,
    /// The JSON Pointer (RFC 6901) of the limit in its document.
    pub pointer: Box<str>,
    /// The most that any stretch of time as long as `window` may hold, or that may be in flight at a time; at most
    /// [`Amount::MAX`], and [`IN_FLIGHT_MAX`] in flight.
    pub max: NonZeroU64,
    /// How long a call is counted. Those in flight are counted until they end.
    pub window: Window,
    /// Where windows begin.
    pub align: Align,
    /// The most back to back (GCRA), less than `max`; `None` if only `max` counts.
    pub burst: Option<NonZeroU32>,
    /// Whose calls share the counter.
    pub scope: Scope,
    /// What each distinct value of has a counter of its own, in the order of the text, each once.
    pub by: Box<[Source]>,
    /// How much a call takes.
    pub increment: Increment,
    /// With which failures of the server the charge is given back.
    pub refund_on: Failures,
    /// Whether it is counted and told, but refuses nothing.
    pub is_shadow: bool,
    /// The author's words to the agent, put before the facts.
    pub on_deny: Option<Box<str>>,
}

impl Limit {
    /// `max`, as an amount.
    pub fn capacity(&self) -> Amount {
        Amount::whole(self.max.get())
    }

    /// The most that it admits at one moment.
    pub fn at_once(&self) -> Amount {
        let burst = self.burst.map(|burst| Amount::whole(burst.get().into()));
        burst.unwrap_or(self.capacity())
    }

    /// Whether it counts the calls that are in flight, and not those of a stretch of time.
    pub fn is_concurrent(&self) -> bool {
        self.align == Align::InFlight
    }

    /// Whether all calls of those who share it are counted together, whatever their session and arguments.
    pub fn has_one_counter(&self) -> bool {
        self.by.is_empty() && self.scope != Scope::Session
    }

    /// All paths into the arguments that it reads.
    pub fn arguments(&self) -> impl Iterator<Item = &Argument> {
        let by = self.by.iter().filter_map(|source| match source {
            Source::Argument(argument) => Some(argument),
            _ => None,
        });
        let from = match &self.increment {
            Increment::Constant(_) => None,
            Increment::From(argument) => Some(argument),
        };
        by.chain(from)
    }
}

/// How much a call takes from a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Increment {
    /// Always so much; one, unless the author says otherwise. Never nothing, and at most `max`.
    Constant(Amount),
    /// What the number there says; the sum, if there are many.
    From(Argument),
}

/// Where windows begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Align {
    /// Anywhere: no stretch of time as long as the window holds more than `max`.
    Rolling,
    /// With each second, minute, hour, day, week (on Monday) or month of UTC: none of them holds more than `max`.
    Calendar,
    /// Nowhere: a call is counted while it is in flight, and no moment has more than `max`.
    InFlight,
}

/// The most calls in flight that a limit may name: their ends are kept one by one, and more than so many connections the
/// gateway does not have either.
pub(super) const IN_FLIGHT_MAX: u64 = 10_000;

/// How long a call is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window(Span);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Span {
    Seconds(NonZeroU32),
    Month,
    InFlight,
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
    /// A month of the calendar.
    pub const MONTH: Window = Window(Span::Month);
    /// As long as a call is in flight.
    pub const IN_FLIGHT: Window = Window(Span::InFlight);
    /// The longest window there may be, 31 days: what a restart must remember is bounded by it.
    pub const MAX: Window = Window::of(2_678_400);

    /// A window of whole seconds; `None` for 0 and for more than [`Window::MAX`].
    pub fn from_seconds(seconds: u64) -> Option<Window> {
        let window = Window(Span::Seconds(NonZeroU32::new(
            u32::try_from(seconds).ok()?,
        )?));
        (window.length() <= Window::MAX.length()).then_some(window)
    }

    const fn of(seconds: u32) -> Window {
        let seconds = NonZeroU32::new(seconds).expect("named windows are longer than nothing");
        Window(Span::Seconds(seconds))
    }

    /// Its length; of a month the longest that there are. No call is in flight for longer than [`Window::MAX`].
    pub fn length(self) -> Duration {
        match self.0 {
            Span::Seconds(seconds) => Duration::from_secs(seconds.get().into()),
            Span::Month | Span::InFlight => Window::MAX.length(),
        }
    }

    /// Whether the calendar has a name for it.
    pub fn is_named(self) -> bool {
        use Window as W;
        let named = [W::SECOND, W::MINUTE, W::HOUR, W::DAY, W::WEEK, W::MONTH];
        named.contains(&self)
    }

    /// As a document may spell it: `minute`, or `90s`.
    pub fn name(self) -> String {
        match self {
            Window::SECOND => "second".into(),
            Window::MINUTE => "minute".into(),
            Window::HOUR => "hour".into(),
            Window::DAY => "day".into(),
            Window::WEEK => "week".into(),
            Window::MONTH => "month".into(),
            Window::IN_FLIGHT => "in flight".into(),
            Window(_) => format!("{}s", self.length().as_secs()),
        }
    }
}

/// Whose calls share a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The calls of one grant at one server.
    Grant,
    /// The calls of one session; where there is none, those of one grant at one server.
    Session,
    /// The calls of all grants at one server.
    Server,
    /// All calls of this gateway.
    Organisation,
}

impl Scope {
    /// As a document spells it.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Grant => "grant",
            Scope::Session => "session",
            Scope::Server => "server",
            Scope::Organisation => "organisation",
        }
    }

    /// Whether other grants share the counter: an agent must not be able to watch them by it.
    pub fn is_shared(self) -> bool {
        matches!(self, Scope::Server | Scope::Organisation)
    }
}

/// What one call takes from one counter of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge<'p> {
    /// The limit that pays.
    pub limit: &'p Limit,
    /// How much: never more than its `max`.
    pub amount: Amount,
    /// Which of its counters; `None` for a limit that has one only.
    pub subject: Option<Subject>,
}

/// What a call takes from all its limits. Four stand in place: few policies charge a call more often.
pub type Charges<'p> = SmallVec<[Charge<'p>; 4]>;

/// Which of a limit's counters is meant: the first 16 bytes of a SHA-256 over the session and the values of `by`.
///
/// It can be guessed by whoever can guess the values, and is therefore never kept: see `counters`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject(NonZeroU128);

impl Subject {
    pub(super) fn of_hash(hash: [u8; 16]) -> Subject {
        // No hash that anybody will see is 0; a number that never is makes a charge half as large.
        Subject(NonZeroU128::new(u128::from_be_bytes(hash)).unwrap_or(NonZeroU128::MAX))
    }

    /// Some subject.
    #[cfg(test)]
    pub(crate) fn in_test(number: u128) -> Subject {
        Subject::of_hash(number.to_be_bytes())
    }

    /// The hash.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }
}

/// A limit without room, found while charging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full<'p> {
    /// The limit that has no room; of several, the one that opens last.
    pub limit: &'p Limit,
    /// How long until it would admit this call, if nobody else takes the room: never zero, never too short. Of calls in
    /// flight nobody knows when they end: then this says nothing.
    pub retry_after: Duration,
    /// What it would still admit: less than the call was to take.
    pub left: Amount,
}

/// To which of these a delay is rounded up where the agent must not know it exactly: a second, ten, a minute, ten, an
/// hour, six, a day, a week; the longest window is 31 days.
const COARSE_SECONDS: [u64; 9] = [1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_678_400];

impl Full<'_> {
    /// The delay that the agent is told: exact where only its own grant is counted, else rounded up, so that it tells
    /// little of what other agents do. `None` where a call in flight must end first.
    pub fn told_delay(&self) -> Option<Duration> {
        if self.limit.is_concurrent() {
            return None;
        }
        if !self.limit.scope.is_shared() {
            return Some(self.retry_after);
        }
        let coarse = COARSE_SECONDS.map(Duration::from_secs).into_iter();
        let mut longer = coarse.filter(|coarse| *coarse >= self.retry_after);
        Some(longer.next().unwrap_or(self.retry_after))
    }

    /// What is left that the agent is told; `None` where other grants share it.
    pub fn told_left(&self) -> Option<Amount> {
        (!self.limit.scope.is_shared()).then_some(self.left)
    }
}
