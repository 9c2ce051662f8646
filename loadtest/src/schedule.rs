//! Says when each call of an open loop is due.
//!
//! It never waits and never looks at a reply: the times are fixed before the first call, whatever the target does. That
//! is what keeps a slow target from slowing down its own measurement (coordinated omission).

use std::num::NonZeroU32;
use std::time::Duration;

const NANOSECONDS: u128 = 1_000_000_000;

/// Which part of the calls one client thread makes: every `of`-th, beginning with `number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Less than `of`.
    pub(crate) number: u32,
    /// How many threads share the calls.
    pub(crate) of: NonZeroU32,
}

impl Share {
    /// The number among all calls of this share's call `ticket`, both counted from zero.
    pub(crate) fn number_of(self, ticket: u64) -> u64 {
        ticket * u64::from(self.of.get()) + u64::from(self.number)
    }

    /// How many of `total` things fall to this share.
    pub(crate) fn part(self, total: u64) -> u64 {
        let of = u64::from(self.of.get());
        (total + of - 1 - u64::from(self.number)) / of
    }
}

/// Equally spaced calls at a fixed rate, and one thread's share of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// Calls a second, over all shares.
    pub(crate) rate: NonZeroU32,
    /// Which of them.
    pub(crate) share: Share,
}

impl Schedule {
    /// When this share's call `ticket` (from zero) is due, counted from the start; exact, so that nothing drifts.
    pub(crate) fn due(&self, ticket: u64) -> Duration {
        let nanoseconds =
            u128::from(self.share.number_of(ticket)) * NANOSECONDS / u128::from(self.rate.get());
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// How many calls of this share are due before `elapsed`.
    pub(crate) fn due_before(&self, elapsed: Duration) -> u64 {
        // Call g is due before e exactly when floor(g·10⁹/rate) < e, that is, when g·10⁹ < e·rate.
        let calls = (elapsed.as_nanos() * u128::from(self.rate.get())).div_ceil(NANOSECONDS);
        self.share.part(u64::try_from(calls).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedules() -> impl Iterator<Item = Schedule> {
        let rates = [1, 3, 7, 1_000, 3_333, 1_000_000];
        let shares = [(0, 1), (0, 2), (1, 2), (2, 3)];
        rates.into_iter().flat_map(move |rate| {
            shares.map(|(number, of)| Schedule {
                rate: NonZeroU32::new(rate).expect("not zero"),
                share: Share {
                    number,
                    of: NonZeroU32::new(of).expect("not zero"),
                },
            })
        })
    }

    #[test]
    fn the_number_of_calls_due_agrees_with_their_times() {
        for schedule in schedules() {
            for ticket in [0, 1, 2, 10, 999] {
                let due = schedule.due(ticket);
                let shown = format!("{schedule:?}, ticket {ticket}");
                assert_eq!(schedule.due_before(due), ticket, "{shown}");
                let just_after = due + Duration::from_nanos(1);
                assert_eq!(schedule.due_before(just_after), ticket + 1, "{shown}");
            }
        }
    }

    #[test]
    fn a_rate_holds_over_an_hour_without_drift() {
        for rate in [3_u32, 7, 3_333] {
            let schedule = Schedule {
                rate: NonZeroU32::new(rate).expect("not zero"),
                share: Share {
                    number: 0,
                    of: NonZeroU32::MIN,
                },
            };
            let hour = Duration::from_secs(3_600);
            assert_eq!(schedule.due(u64::from(rate) * 3_600), hour);
            assert_eq!(schedule.due_before(hour), u64::from(rate) * 3_600);
        }
    }

    #[test]
    fn the_shares_together_make_every_call_once() {
        let of = NonZeroU32::new(3).expect("not zero");
        let shares = [0, 1, 2].map(|number| Share { number, of });
        let mut numbers: Vec<u64> = shares
            .iter()
            .flat_map(|share| (0..share.part(100)).map(|ticket| share.number_of(ticket)))
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    }
}
