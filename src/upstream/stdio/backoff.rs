//! How long a process rests after its death.
//!
//! It never decides that a process is to start: that takes a request. It never asks what time it is.

use std::time::Duration;

use tokio::time::Instant;

use crate::upstream::Times;

#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    /// How long the next rest will be.
    next: Duration,
    /// The end of the last rest.
    rests_until: Option<Instant>,
}

impl Backoff {
    pub(super) fn new(times: &Times) -> Backoff {
        Backoff {
            first: times.rest_first,
            max: times.rest_max,
            next: times.rest_first,
            rests_until: None,
        }
    }

    /// A process died, or did not start: the rest begins, and the next one will be twice as long.
    pub(super) fn died(&mut self, now: Instant) {
        self.rests_until = Some(now + self.next);
        self.next = (self.next * 2).min(self.max);
    }

    /// A process has answered: the next rest will be a short one again.
    pub(super) fn proved(&mut self) {
        self.next = self.first;
    }

    /// What remains of a rest; nothing if a process may start.
    pub(super) fn remaining(&self, now: Instant) -> Duration {
        self.rests_until
            .map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rests_double_up_to_the_longest_and_begin_anew_after_an_answer() {
        let mut backoff = Backoff::new(&Times::default());
        let mut now = Instant::now();
        assert_eq!(backoff.remaining(now), Duration::ZERO, "nothing has died");
        for rest in [1, 2, 4, 8, 16, 30, 30] {
            backoff.died(now);
            assert_eq!(backoff.remaining(now), SECOND * rest);
            now += SECOND * rest - SECOND / 2;
            assert_eq!(backoff.remaining(now), SECOND / 2);
            now += SECOND / 2;
            assert_eq!(backoff.remaining(now), Duration::ZERO, "{rest} s are over");
        }
        backoff.proved();
        backoff.died(now);
        assert_eq!(backoff.remaining(now), SECOND);
    }
}
