//! Keeps what happened to the calls of one round: latencies, and everything that was not as it must be.
//!
//! It never forgets a call: sent calls are verified, broken, refused, mismatched or unanswered, and calls that were due
//! but could not be sent count with the latency they had at least.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Latencies above this count as this; no round waits longer for a reply.
const LATENCY_MAX: Duration = Duration::from_secs(600);

/// How many wrong replies are kept to be shown.
const SAMPLES_MAX: usize = 3;

/// When the parts of a round begin and end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// The first call of the warm-up.
    pub(crate) start: Instant,
    /// The first call that is measured.
    pub(crate) measure_from: Instant,
    /// The first call that is not measured any more; load goes on for a moment, so that the end is not measured either.
    pub(crate) measure_to: Instant,
    /// No call is due from here on.
    pub(crate) end: Instant,
    /// No reply is awaited from here on.
    pub(crate) give_up: Instant,
}

/// One call's times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// When it was to be sent.
    pub(crate) due: Instant,
    /// When it was sent.
    pub(crate) sent: Instant,
    /// When its whole reply was there.
    pub(crate) answered: Instant,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The one right reply came.
    Verified,
    /// HTTP 200 and another body.
    Mismatched(String),
    /// Another status than 200.
    Refused(String),
    /// No whole reply came: the connection broke.
    Broken(String),
}

impl Ending {
    /// Whether the call was rightly answered, or else what came instead.
    pub(crate) fn verified(self) -> Result<(), String> {
        match self {
            Ending::Verified => Ok(()),
            Ending::Mismatched(found) => {
                Err(format!("another reply than the expected one: {found}"))
            }
            Ending::Refused(found) | Ending::Broken(found) => Err(found),
        }
    }
}

/// What happened to the calls of a round, or of one thread's share of it.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// Nanoseconds from the instant at which a measured call was due to its reply.
    pub(crate) latency: Histogram<u64>,
    /// Nanoseconds from the instant at which a measured call was due to its being sent: the client's own part, and the
    /// wait for a free connection.
    pub(crate) lateness: Histogram<u64>,
    /// Calls that were begun, the warm-up's included; so are all counts below.
    pub(crate) sent: u64,
    /// Right replies.
    pub(crate) verified: u64,
    /// Replies with HTTP 200 that were not the right one.
    pub(crate) mismatched: u64,
    /// Replies with another status.
    pub(crate) refused: u64,
    /// Calls whose connection broke before the whole reply was there.
    pub(crate) broken: u64,
    /// Connections that could not be opened.
    pub(crate) unconnected: u64,
    /// Calls that were due and never sent, because no connection was free in time.
    pub(crate) unsent: u64,
    /// The first few things that went wrong, in words.
    pub(crate) samples: Vec<String>,
}

impl Default for Tally {
    fn default() -> Tally {
        let highest = nanoseconds(LATENCY_MAX);
        let histogram = Histogram::new_with_bounds(1, highest, 3)
            .expect("one and ten minutes are valid bounds, three digits a valid precision");
        Tally {
            latency: histogram.clone(),
            lateness: histogram,
            sent: 0,
            verified: 0,
            mismatched: 0,
            refused: 0,
            broken: 0,
            unconnected: 0,
            unsent: 0,
            samples: Vec::new(),
        }
    }
}

impl Tally {
    /// Counts a call's end; its latency too if it was due in the measured part and rightly answered.
    pub(crate) fn end(&mut self, ending: Ending, times: Times, timing: &Timing) {
        let (count, sample) = match ending {
            Ending::Verified => {
                self.time(times, timing);
                (&mut self.verified, None)
            }
            Ending::Mismatched(found) => (&mut self.mismatched, Some(found)),
            Ending::Refused(found) => (&mut self.refused, Some(found)),
            Ending::Broken(found) => (&mut self.broken, Some(found)),
        };
        *count += 1;
        self.keep(sample);
    }

    /// Counts a connection that could not be opened.
    pub(crate) fn not_connected(&mut self, found: String) {
        self.unconnected += 1;
        self.keep(Some(found));
    }

    /// Counts a call that was due and not sent when waiting ended: its latency is at least as long as it waited.
    pub(crate) fn not_sent(&mut self, due: Instant, timing: &Timing) {
        self.unsent += 1;
        let times = Times {
            due,
            sent: timing.give_up,
            answered: timing.give_up,
        };
        self.time(times, timing);
    }

    /// Calls that were sent and had no end of any kind.
    pub(crate) fn unanswered(&self) -> u64 {
        let ended = self.verified + self.mismatched + self.refused + self.broken;
        self.sent.saturating_sub(ended)
    }

    /// Adds another thread's share.
    pub(crate) fn merge(&mut self, other: Tally) {
        let same_bounds = "all histograms have the same bounds";
        self.latency.add(&other.latency).expect(same_bounds);
        self.lateness.add(&other.lateness).expect(same_bounds);
        self.sent += other.sent;
        self.verified += other.verified;
        self.mismatched += other.mismatched;
        self.refused += other.refused;
        self.broken += other.broken;
        self.unconnected += other.unconnected;
        self.unsent += other.unsent;
        self.samples.extend(other.samples);
        self.samples.truncate(SAMPLES_MAX);
    }

    /// Why this round's figures cannot be trusted; empty if they can.
    pub(crate) fn problems(&self) -> Vec<String> {
        let counts = [
            (self.mismatched, "replies were not the expected one"),
            (self.refused, "replies had another status than 200"),
            (self.broken, "calls broke off"),
            (self.unconnected, "connections could not be opened"),
            (self.unanswered(), "calls were never answered"),
            (
                self.unsent,
                "calls were due but never sent: the rate is more than it can serve, percentiles are lower bounds",
            ),
        ];
        let mut problems: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        problems.extend(
            self.samples
                .iter()
                .map(|sample| format!("for example: {sample}")),
        );
        problems
    }

    fn time(&mut self, times: Times, timing: &Timing) {
        if !(timing.measure_from..timing.measure_to).contains(&times.due) {
            return;
        }
        let since_due =
            |instant: Instant| nanoseconds(instant.saturating_duration_since(times.due));
        self.latency.saturating_record(since_due(times.answered));
        self.lateness.saturating_record(since_due(times.sent));
    }

    fn keep(&mut self, sample: Option<String>) {
        if self.samples.len() < SAMPLES_MAX {
            self.samples.extend(sample);
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn timing() -> Timing {
        let start = Instant::now();
        Timing {
            start,
            measure_from: start + 100 * MILLISECOND,
            measure_to: start + 1_000 * MILLISECOND,
            end: start + 1_100 * MILLISECOND,
            give_up: start + 5_000 * MILLISECOND,
        }
    }

    fn times(timing: &Timing, milliseconds: [u32; 3]) -> Times {
        let [due, sent, answered] = milliseconds.map(|at| timing.start + at * MILLISECOND);
        Times {
            due,
            sent,
            answered,
        }
    }

    fn milliseconds(nanoseconds: u64) -> u64 {
        (nanoseconds + 500_000) / 1_000_000
    }

    #[test]
    fn latency_counts_from_the_instant_a_call_was_due_not_from_when_it_was_sent() {
        let timing = timing();
        let mut tally = Tally::default();
        tally.end(Ending::Verified, times(&timing, [200, 700, 703]), &timing);
        assert_eq!(milliseconds(tally.latency.max()), 503);
        assert_eq!(milliseconds(tally.lateness.max()), 500);
    }

    #[test]
    fn only_calls_due_in_the_measured_part_are_timed_but_all_are_counted() {
        for (due, timed) in [(0, 0), (99, 0), (100, 1), (999, 1), (1_000, 0)] {
            let timing = timing();
            let mut tally = Tally::default();
            tally.end(Ending::Verified, times(&timing, [due, due, 2_000]), &timing);
            assert_eq!(tally.latency.len(), timed, "due at {due} ms");
            assert_eq!(tally.verified, 1);
        }
    }

    #[test]
    fn a_stalled_target_shows_in_the_percentiles_of_an_open_loop() {
        // 900 calls, one a millisecond; the target stops for the last 450 ms and then answers all of them.
        let timing = timing();
        let mut tally = Tally::default();
        for due in 100..1_000 {
            let answered = if due < 550 { due + 1 } else { 1_000 };
            tally.end(
                Ending::Verified,
                times(&timing, [due, due, answered]),
                &timing,
            );
        }
        assert_eq!(milliseconds(tally.latency.value_at_quantile(0.25)), 1);
        assert_eq!(milliseconds(tally.latency.value_at_quantile(0.75)), 225);
        assert_eq!(milliseconds(tally.latency.max()), 450);
    }

    #[test]
    fn a_call_that_was_never_sent_counts_with_all_the_time_it_waited() {
        let timing = timing();
        let mut tally = Tally::default();
        tally.not_sent(timing.start + 400 * MILLISECOND, &timing);
        let latency = milliseconds(tally.latency.max());
        assert!((4_600..4_605).contains(&latency), "{latency} ms");
        assert!(tally.problems()[0].contains("1 calls were due but never sent"));
    }

    #[test]
    fn whatever_is_not_the_right_reply_is_a_problem() {
        let wrong: [fn(String) -> Ending; 3] =
            [Ending::Mismatched, Ending::Refused, Ending::Broken];
        for ending in wrong {
            let timing = timing();
            let mut tally = Tally::default();
            tally.sent += 1;
            tally.end(
                ending("seen".into()),
                times(&timing, [200, 200, 201]),
                &timing,
            );
            assert_eq!(tally.latency.len(), 0);
            assert_eq!(tally.problems().len(), 2, "{:?}", tally.problems());
            assert_eq!(tally.problems()[1], "for example: seen");
        }
    }

    #[test]
    fn a_call_without_an_end_is_a_problem_and_one_with_an_end_is_none() {
        let timing = timing();
        let mut tally = Tally::default();
        tally.sent += 2;
        tally.end(Ending::Verified, times(&timing, [200, 200, 201]), &timing);
        assert_eq!(tally.problems(), ["1 calls were never answered"]);
        tally.end(Ending::Verified, times(&timing, [200, 200, 201]), &timing);
        assert_eq!(tally.problems(), [""; 0]);
    }

    #[test]
    fn shares_merge_into_the_whole() {
        let timing = timing();
        let mut whole = Tally::default();
        for (due, answered) in [(200, 203), (300, 307)] {
            let mut share = Tally::default();
            share.sent += 1;
            share.end(
                Ending::Verified,
                times(&timing, [due, due, answered]),
                &timing,
            );
            share.not_connected(format!("{due}"));
            whole.merge(share);
        }
        assert_eq!((whole.sent, whole.verified, whole.unconnected), (2, 2, 2));
        assert_eq!(whole.latency.len(), 2);
        assert_eq!(milliseconds(whole.latency.max()), 7);
        assert_eq!(whole.samples, ["200", "300"]);
    }
}
