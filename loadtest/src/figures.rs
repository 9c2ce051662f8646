//! Turns what was measured in a round into the figures that are told.
//!
//! It never measures: a round is what came out of `measure`, and each figure is a function of it and nothing else.

use std::time::Duration;

use crate::flood::Flooded;
use crate::tally::Tally;
use crate::usage::Cpu;

/// What was measured of one target in one round.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    /// Right replies in the measured part.
    pub(crate) calls: u64,
    /// How long the measured part was, between the two readings.
    pub(crate) elapsed: Duration,
    /// What the target's process used.
    pub(crate) target: Cpu,
    /// What the stub's process used.
    pub(crate) stub: Duration,
    /// What this client used.
    pub(crate) client: Duration,
    /// What everything else on the machine used, as a part of all cores; a hypervisor's stolen time counts.
    pub(crate) others: f64,
    /// Resident memory of the target before and after the round, in bytes.
    pub(crate) resident: (u64, u64),
    /// What happened to the calls.
    pub(crate) tally: Tally,
    /// What became of a flood beside it.
    pub(crate) flooded: Flooded,
}

/// One line of the report: a number that every round has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// Its key in the JSON report, with the unit.
    pub(crate) key: &'static str,
    /// How it is computed.
    pub(crate) of: fn(&Round) -> f64,
    /// Whether targets are compared by it.
    pub(crate) compared: Compared,
}

/// Whether a ratio of a figure says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// It is shown.
    Yes,
    /// It is not.
    No,
}

/// All figures, in the order in which they are shown.
pub(crate) const FIGURES: [Figure; 16] = {
    use Compared::{No, Yes};
    [
        Figure {
            name: "calls a second",
            key: "calls_per_second",
            of: rate,
            compared: Yes,
        },
        Figure {
            name: "CPU-µs a call, target",
            key: "target_cpu_us",
            of: |r| per_call(r, r.target.total()),
            compared: Yes,
        },
        Figure {
            name: "  of it in user code",
            key: "target_user_us",
            of: |r| per_call(r, r.target.user),
            compared: Yes,
        },
        Figure {
            name: "  of it in the kernel",
            key: "target_system_us",
            of: |r| per_call(r, r.target.system),
            compared: Yes,
        },
        Figure {
            name: "CPU-µs a call, stub",
            key: "stub_cpu_us",
            of: |r| per_call(r, r.stub),
            compared: No,
        },
        Figure {
            name: "CPU-µs a call, client",
            key: "client_cpu_us",
            of: |r| per_call(r, r.client),
            compared: No,
        },
        Figure {
            name: "latency p50, µs",
            key: "latency_p50_us",
            of: |r| quantile(r, 0.5),
            compared: Yes,
        },
        Figure {
            name: "latency p90, µs",
            key: "latency_p90_us",
            of: |r| quantile(r, 0.9),
            compared: Yes,
        },
        Figure {
            name: "latency p99, µs",
            key: "latency_p99_us",
            of: |r| quantile(r, 0.99),
            compared: Yes,
        },
        Figure {
            name: "latency p99.9, µs",
            key: "latency_p999_us",
            of: |r| quantile(r, 0.999),
            compared: Yes,
        },
        Figure {
            name: "latency max, µs",
            key: "latency_max_us",
            of: |r| microseconds(r.tally.latency.max()),
            compared: No,
        },
        Figure {
            name: "sent late p50, µs",
            key: "sent_late_p50_us",
            of: |r| microseconds(r.tally.lateness.value_at_quantile(0.5)),
            compared: No,
        },
        Figure {
            name: "sent late p99, µs",
            key: "sent_late_p99_us",
            of: |r| microseconds(r.tally.lateness.value_at_quantile(0.99)),
            compared: No,
        },
        Figure {
            name: "RSS before, MiB",
            key: "resident_before_mib",
            of: |r| mebibytes(r.resident.0),
            compared: No,
        },
        Figure {
            name: "RSS after, MiB",
            key: "resident_after_mib",
            of: |r| mebibytes(r.resident.1),
            compared: No,
        },
        Figure {
            name: "used by others, % of CPU",
            key: "others_percent",
            of: |r| r.others * 100.0,
            compared: No,
        },
    ]
};

/// The CPU time of the others as a part of all cores: what the machine used without what we used.
pub(crate) fn others(machine: Duration, ours: Duration, available: Duration) -> f64 {
    machine.saturating_sub(ours).as_secs_f64() / available.as_secs_f64()
}

fn rate(round: &Round) -> f64 {
    round.calls as f64 / round.elapsed.as_secs_f64()
}

fn per_call(round: &Round, used: Duration) -> f64 {
    used.as_secs_f64() * 1e6 / round.calls as f64
}

fn quantile(round: &Round, quantile: f64) -> f64 {
    microseconds(round.tally.latency.value_at_quantile(quantile))
}

fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A round with nothing in it but calls in two seconds, and what its target used.
#[cfg(test)]
pub(crate) fn round(calls: u64, used: Duration) -> Round {
    Round {
        calls,
        elapsed: Duration::from_secs(2),
        target: Cpu {
            user: used / 4,
            system: used / 4 * 3,
        },
        stub: Duration::ZERO,
        client: Duration::ZERO,
        others: 0.0,
        resident: (1 << 20, 3 << 20),
        tally: Tally::default(),
        flooded: Flooded::default(),
    }
}

/// The figure with this key.
#[cfg(test)]
pub(crate) fn figure(key: &str) -> &'static Figure {
    FIGURES.iter().find(|figure| figure.key == key).expect(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(key: &str, round: &Round) -> f64 {
        (figure(key).of)(round)
    }

    #[test]
    fn figures_are_per_call_and_per_second() {
        let round = round(50_000, Duration::from_secs(1));
        for (key, expected) in [
            ("calls_per_second", 25_000.0),
            ("target_cpu_us", 20.0),
            ("target_user_us", 5.0),
            ("target_system_us", 15.0),
            ("resident_before_mib", 1.0),
            ("resident_after_mib", 3.0),
        ] {
            let found = value(key, &round);
            assert!((found - expected).abs() < 1e-9, "{key}: {found}");
        }
    }

    #[test]
    fn latencies_are_told_in_microseconds() {
        let mut round = round(1, Duration::ZERO);
        for microseconds in 1..=1_000 {
            round.tally.latency.saturating_record(microseconds * 1_000);
        }
        for (key, expected) in [
            ("latency_p50_us", 500.0),
            ("latency_p99_us", 990.0),
            ("latency_p999_us", 999.0),
            ("latency_max_us", 1_000.0),
        ] {
            let found = value(key, &round);
            assert!((found / expected - 1.0).abs() < 0.002, "{key}: {found}");
        }
    }

    #[test]
    fn the_others_have_what_is_not_ours() {
        let seconds = Duration::from_secs;
        assert_eq!(others(seconds(8), seconds(6), seconds(20)), 0.1);
        assert_eq!(others(seconds(5), seconds(6), seconds(20)), 0.0);
    }
}
