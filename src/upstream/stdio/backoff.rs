//! How long a process rests after its death.
//!
//! It never decides that a process is to start; that takes a request.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::upstream::Times;

#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    /// How long the next rest will be.
    next: Duration,
    /// The rest under way, or the last one.
    rest: Option<(Instant, Duration)>,
}

impl Backoff {
    pub(super) fn new(times: &Times) -> Backoff {
        Backoff {
            first: times.rest_first,
            max: times.rest_max,
            next: times.rest_first,
            rest: None,
        }
    }

    /// A process died, or did not start: the rest begins, and the next one will be twice as long.
    pub(super) fn died(&mut self) {
        let length = self.lengthen();
        // The runtime's timer says when the rest began, so that this file reads no clock.
        let began = sleep(length).deadline() - length;
        self.rest = Some((began, length));
    }

    fn lengthen(&mut self) -> Duration {
        let length = self.next;
        self.next = (length * 2).min(self.max);
        length
    }

    /// A process has answered: the next rest will be a short one again.
    pub(super) fn proved(&mut self) {
        self.next = self.first;
    }

    /// What remains of a rest; `None` if a process may start.
    pub(super) fn remaining(&self) -> Option<Duration> {
        let (began, length) = self.rest?;
        length
            .checked_sub(began.elapsed())
            .filter(|remaining| !remaining.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rests_double_up_to_the_longest_and_begin_anew_after_an_answer() {
        let mut backoff = Backoff::new(&Times::default());
        for rest in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(backoff.lengthen(), SECOND * rest);
        }
        backoff.proved();
        assert_eq!(backoff.lengthen(), SECOND);
    }

    #[tokio::test]
    async fn a_rest_begins_with_a_death_and_passes() {
        let mut backoff = Backoff::new(&Times::default());
        assert_eq!(backoff.remaining(), None, "nothing has died");
        backoff.died();
        let remaining = backoff.remaining().expect("a second has not passed");
        assert!(remaining <= SECOND, "{remaining:?}");
        let (began, length) = backoff.rest.unwrap();
        backoff.rest = Some((began - SECOND, length));
        assert_eq!(backoff.remaining(), None, "the rest is over");
    }
}
