//! How much fits into a stretch of time under one limit, at worst.
//!
//! It never says less than what a limit admits: where it rounds, it rounds up.

/// The longest month, in seconds.
const MONTH: u64 = 31 * 86_400;
/// The shortest month, in seconds.
const SHORTEST_MONTH: u64 = 28 * 86_400;

/// How a window lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// Any stretch of so many seconds.
    Rolling(u64),
    /// Each UTC period of so many seconds.
    Calendar(u64),
    /// Each UTC month.
    Month,
}

/// The numbers of a limit that counts over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) max: u64,
    pub(super) span: Span,
    pub(super) burst: Option<u64>,
    /// Whether as much again can be given back.
    pub(super) refunds: bool,
}

impl Bound {
    /// The most that any stretch of so many seconds can hold.
    pub(super) fn within(&self, seconds: u64) -> u64 {
        let windows = self.windows(seconds);
        let capped = u128::from(self.max) * u128::from(windows);
        let smoothed = self
            .burst
            .map_or(u128::MAX, |burst| self.smoothed(burst, seconds));
        let given_back = if self.refunds { capped } else { 0 };
        u64::try_from(capped.min(smoothed) + given_back).unwrap_or(u64::MAX)
    }

    /// How many windows a stretch of so many seconds can touch.
    fn windows(&self, seconds: u64) -> u64 {
        let touched = |length: u64| match seconds % length {
            0 => seconds / length + 1,
            _ => seconds / length + 2,
        };
        match self.span {
            // Full windows, one beginning where another ends, and a part of one more.
            Span::Rolling(length) => seconds.div_ceil(length),
            Span::Calendar(length) => touched(length),
            Span::Month => touched(SHORTEST_MONTH),
        }
    }

    /// What a bucket of `burst` holds that is refilled at (max − burst) in each window.
    fn smoothed(&self, burst: u64, seconds: u64) -> u128 {
        let refill = u128::from(self.max.saturating_sub(burst)) * u128::from(seconds);
        u128::from(burst) + refill.div_ceil(u128::from(self.length()))
    }

    /// Whether this admits no more than `other`, wherever a stretch of time begins.
    pub(super) fn is_within(&self, other: &Bound) -> bool {
        let is_same_calendar = self.span == other.span && !matches!(self.span, Span::Rolling(_));
        let fits = match is_same_calendar {
            true => self.max <= other.max,
            false => self.within(other.length()) <= other.max,
        };
        let is_smooth = match (self.burst, other.burst) {
            (_, None) => true,
            (Some(mine), Some(theirs)) => {
                mine <= theirs && self.refill_is_within(mine, other, theirs)
            }
            (None, Some(theirs)) => {
                self.max <= theirs && self.within(other.length()) <= other.max - theirs
            }
        };
        fits && is_smooth && (!self.refunds || other.refunds)
    }

    fn refill_is_within(&self, mine: u64, other: &Bound, theirs: u64) -> bool {
        let rate = |bound: &Bound, burst, length| {
            u128::from(bound.max.saturating_sub(burst)) * u128::from(length)
        };
        rate(self, mine, other.length()) <= rate(other, theirs, self.length())
    }

    /// The length of the window in seconds; of months, the longest.
    fn length(&self) -> u64 {
        match self.span {
            Span::Rolling(length) | Span::Calendar(length) => length,
            Span::Month => MONTH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolling(max: u64, seconds: u64) -> Bound {
        Bound {
            max,
            span: Span::Rolling(seconds),
            burst: None,
            refunds: false,
        }
    }

    fn calendar(max: u64, seconds: u64) -> Bound {
        Bound {
            span: Span::Calendar(seconds),
            ..rolling(max, seconds)
        }
    }

    fn smooth(max: u64, seconds: u64, burst: u64) -> Bound {
        Bound {
            burst: Some(burst),
            ..rolling(max, seconds)
        }
    }

    #[test]
    fn the_worst_case_of_a_window_is_told_for_hours_and_days() {
        for (bound, hour, day) in [
            (rolling(10, 60), 600, 14_400),
            (rolling(10, 3_600), 10, 240),
            (rolling(10, 86_400), 10, 10),
            (rolling(10, 7_000), 10, 130),
            (calendar(10, 60), 610, 14_410),
            (calendar(10, 86_400), 20, 20),
            (smooth(60, 60, 10), 3_010, 72_010),
            (smooth(60, 86_400, 10), 13, 60),
            (
                Bound {
                    span: Span::Month,
                    ..rolling(10, 1)
                },
                20,
                20,
            ),
            (
                Bound {
                    refunds: true,
                    ..rolling(10, 3_600)
                },
                20,
                480,
            ),
        ] {
            assert_eq!(
                (bound.within(3_600), bound.within(86_400)),
                (hour, day),
                "{bound:?}"
            );
        }
    }

    #[test]
    fn a_bound_is_within_another_only_where_it_admits_no_more() {
        let month = |max| Bound {
            span: Span::Month,
            ..rolling(max, 1)
        };
        for (mine, theirs, is_within) in [
            (rolling(10, 60), rolling(10, 60), true),
            (rolling(9, 60), rolling(10, 60), true),
            (rolling(11, 60), rolling(10, 60), false),
            (rolling(10, 3_600), rolling(10, 60), true),
            (rolling(1, 1), rolling(60, 60), true),
            (rolling(1, 1), rolling(59, 60), false),
            (calendar(10, 60), rolling(10, 60), false),
            (calendar(5, 60), rolling(10, 60), true),
            (rolling(10, 60), calendar(10, 60), true),
            (calendar(10, 60), calendar(10, 60), true),
            (month(10), month(10), true),
            (rolling(10, 31 * 86_400), month(10), true),
            (rolling(10, 30 * 86_400), month(10), false),
            (smooth(60, 60, 10), rolling(60, 60), true),
            (rolling(60, 60), smooth(60, 60, 10), false),
            (smooth(60, 60, 5), smooth(60, 60, 10), false),
            (smooth(55, 60, 5), smooth(60, 60, 10), true),
            (rolling(10, 60), smooth(60, 60, 10), true),
        ] {
            assert_eq!(mine.is_within(&theirs), is_within, "{mine:?} in {theirs:?}");
        }
    }
}
