//! Every metric: its name, unit, labels and buckets, in one place.
//!
//! Labels come from closed lists or from the configuration, never from what an agent or an upstream sent. Handles are
//! made once, because making one costs more than a decision.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Label};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use crate::policy::{Denial, Shadowed};

/// What is looked up at each scrape.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Counters kept.
    pub counter_keys: usize,
    /// Grants in force.
    pub grants: usize,
    /// How often a journal waited for the disk, of all workers since the start.
    pub journal_syncs: u64,
    /// Lines that no journal could keep, of all workers since the start.
    pub journal_lost_lines: u64,
}

/// Upper bounds in seconds for what the gateway itself adds: from well under a request's cost to a felt delay.
const ADDED_BUCKETS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05,
    0.1, 1.0,
];
/// Upper bounds in seconds for an upstream's first byte: from a local tool to a job that takes its time.
const UPSTREAM_BUCKETS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0, 120.0,
];

/// All that is measured, and the text that Prometheus reads.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// `toolgate_reloads_total{result="applied"}`
    pub reloads_applied: Counter,
    /// `toolgate_reloads_total{result="refused"}`: the old configuration goes on.
    pub reloads_refused: Counter,
    /// `toolgate_connections`: open connections from agents.
    pub connections: Gauge,
    /// `toolgate_connections_refused_total`: beyond `connections_max`.
    pub connections_refused: Counter,
    /// `toolgate_journal_failures_total`: calls refused because their decision could not be written.
    pub journal_failures: Counter,
    /// `toolgate_judging_panics_total`: calls denied because judging them failed; always a bug.
    pub panics: Counter,
    journal_syncs: Counter,
    journal_lost_lines: Counter,
    counter_keys: Gauge,
    grants: Gauge,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// A recorder of its own, so that two gateways in one process do not share figures.
    pub fn new() -> Metrics {
        let buckets = |builder: PrometheusBuilder, name: &str, bounds| {
            builder
                .set_buckets_for_metric(Matcher::Full(name.into()), bounds)
                .expect("the list of bounds is not empty")
        };
        let builder = buckets(
            PrometheusBuilder::new(),
            "toolgate_added_latency_seconds",
            ADDED_BUCKETS,
        );
        let recorder = buckets(
            builder,
            "toolgate_upstream_latency_seconds",
            UPSTREAM_BUCKETS,
        )
        .build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            describe_counters();
            describe_the_rest();
            metrics::gauge!("toolgate_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        });
        let counter = |name: &'static str, label: Option<(&'static str, &'static str)>| {
            let labels: Vec<_> = label
                .into_iter()
                .map(|(key, value)| Label::new(key, value))
                .collect();
            metrics::with_local_recorder(&recorder, || metrics::counter!(name, labels))
        };
        let gauge =
            |name: &'static str| metrics::with_local_recorder(&recorder, || metrics::gauge!(name));
        Metrics {
            reloads_applied: counter("toolgate_reloads_total", Some(("result", "applied"))),
            reloads_refused: counter("toolgate_reloads_total", Some(("result", "refused"))),
            connections: gauge("toolgate_connections"),
            connections_refused: counter("toolgate_connections_refused_total", None),
            journal_failures: counter("toolgate_journal_failures_total", None),
            panics: counter("toolgate_judging_panics_total", None),
            journal_syncs: counter("toolgate_journal_syncs_total", None),
            journal_lost_lines: counter("toolgate_journal_lost_lines_total", None),
            counter_keys: gauge("toolgate_counter_keys"),
            grants: gauge("toolgate_grants"),
            recorder,
            handle,
        }
    }

    /// The text format that Prometheus scrapes (exposition format 0.0.4).
    pub fn render(&self, sizes: Sizes) -> String {
        self.counter_keys.set(sizes.counter_keys as f64);
        self.grants.set(sizes.grants as f64);
        self.journal_syncs.absolute(sizes.journal_syncs);
        self.journal_lost_lines.absolute(sizes.journal_lost_lines);
        self.handle.render()
    }

    /// Moves raw samples into buckets; without it memory grows with every call.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// Requests that got no further than the door, by reason.
    pub fn refused(&self, reason: &'static str) -> Counter {
        self.counter(
            "toolgate_requests_refused_total",
            vec![Label::new("reason", reason)],
        )
    }

    fn counter(&self, name: &'static str, labels: Vec<Label>) -> Counter {
        metrics::with_local_recorder(&self.recorder, || metrics::counter!(name, labels))
    }
}

fn describe_counters() {
    use metrics::describe_counter as counter;
    counter!(
        "toolgate_decisions_total",
        "Tool calls judged, by server, decision and kind of rule."
    );
    counter!(
        "toolgate_shadowed_total",
        "What rules in shadow would have done, by server and kind of rule."
    );
    counter!(
        "toolgate_requests_total",
        "Messages other than tool calls that were passed on, by server."
    );
    counter!(
        "toolgate_requests_refused_total",
        "Requests refused before any policy was asked, by reason."
    );
    counter!(
        "toolgate_upstream_errors_total",
        "Forwarded messages that an upstream did not answer, by server and error."
    );
    counter!(
        "toolgate_refunds_total",
        "Calls whose charges were given back, by server."
    );
    counter!(
        "toolgate_reloads_total",
        "Changes of configuration, policies or grants, by result."
    );
    counter!(
        "toolgate_connections_refused_total",
        "Connections refused beyond connections_max."
    );
    counter!(
        "toolgate_journal_failures_total",
        "Decisions that could not be recorded; their calls were not forwarded."
    );
    counter!(
        "toolgate_journal_lost_lines_total",
        "Lines that could not be written: decisions of calls that were refused for it or, with audit = best_effort, ran all the same; denials; outcomes."
    );
    counter!(
        "toolgate_journal_syncs_total",
        "How often the journal waited for the disk, with durability = fsync; calls that come together share one."
    );
    counter!(
        "toolgate_judging_panics_total",
        "Calls denied because judging them failed; always a bug."
    );
}

/// Says what each gauge and histogram means.
fn describe_the_rest() {
    use metrics::{Unit, describe_gauge as gauge, describe_histogram as histogram};
    gauge!("toolgate_connections", "Open connections from agents.");
    gauge!(
        "toolgate_calls_in_flight",
        "Tool calls forwarded and not yet answered to the end, by server."
    );
    gauge!("toolgate_counter_keys", "Counters kept.");
    gauge!("toolgate_grants", "Grants in force.");
    gauge!("toolgate_build_info", "Always 1; the version is a label.");
    histogram!(
        "toolgate_added_latency_seconds",
        Unit::Seconds,
        "From a call's last byte to its leaving for the upstream."
    );
    histogram!(
        "toolgate_upstream_latency_seconds",
        Unit::Seconds,
        "From a call's leaving to the upstream's first byte."
    );
}

/// What is measured for one server, with every handle made.
pub struct ServerMetrics {
    allowed: Counter,
    held: Counter,
    undecidable: Counter,
    denied: [Counter; DENIALS.len()],
    shadowed: [Counter; 4],
    /// Messages other than tool calls that were passed on.
    pub passed: Counter,
    /// Charges given back.
    pub refunds: Counter,
    /// Tool calls forwarded and not yet answered to the end.
    pub in_flight: Gauge,
    added: Histogram,
    upstream: Histogram,
    errors: Vec<(&'static str, Counter)>,
}

impl std::fmt::Debug for ServerMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerMetrics").finish_non_exhaustive()
    }
}

/// Labels of denials, in the order of `ServerMetrics::denied`.
const DENIALS: [&str; 6] = [
    "unavailable",
    "rule",
    "argument",
    "limit",
    "counters_full",
    "guard",
];

/// Kinds of what rules in shadow would have done, in the order of `ServerMetrics::shadowed`.
const SHADOWED: [&str; 4] = ["rule", "argument", "limit", "approval"];

impl ServerMetrics {
    /// Handles for a server of the configuration; `errors` are the labels that `upstream_error` will be given.
    pub fn new(metrics: &Metrics, server: &str, errors: &'static [&'static str]) -> ServerMetrics {
        let server = Label::new("server", server.to_owned());
        let labels = |more: &[(&'static str, &'static str)]| {
            let more = more.iter().map(|&(key, value)| Label::new(key, value));
            std::iter::once(server.clone())
                .chain(more)
                .collect::<Vec<_>>()
        };
        let decision = |decision, kind| {
            metrics.counter(
                "toolgate_decisions_total",
                labels(&[("decision", decision), ("kind", kind)]),
            )
        };
        let error = |error| {
            (
                error,
                metrics.counter(
                    "toolgate_upstream_errors_total",
                    labels(&[("error", error)]),
                ),
            )
        };
        let (added, upstream, in_flight) = metrics::with_local_recorder(&metrics.recorder, || {
            let added = metrics::histogram!("toolgate_added_latency_seconds", labels(&[]));
            let upstream = metrics::histogram!("toolgate_upstream_latency_seconds", labels(&[]));
            (
                added,
                upstream,
                metrics::gauge!("toolgate_calls_in_flight", labels(&[])),
            )
        });
        ServerMetrics {
            allowed: decision("allow", "none"),
            held: decision("hold", "approval"),
            undecidable: decision("deny", "undecidable"),
            denied: DENIALS.map(|kind| decision("deny", kind)),
            shadowed: SHADOWED
                .map(|kind| metrics.counter("toolgate_shadowed_total", labels(&[("kind", kind)]))),
            passed: metrics.counter("toolgate_requests_total", labels(&[])),
            refunds: metrics.counter("toolgate_refunds_total", labels(&[])),
            in_flight,
            added,
            upstream,
            errors: errors.iter().map(|&name| error(name)).collect(),
        }
    }

    /// A call that may run and was recorded.
    pub fn allowed(&self) {
        self.allowed.increment(1);
    }

    /// A call that waits for a person.
    pub fn held(&self) {
        self.held.increment(1);
    }

    /// A call that was not forwarded because its decision could not be made or recorded.
    pub fn undecidable(&self) {
        self.undecidable.increment(1);
    }

    /// A call that was denied.
    pub fn denied(&self, denial: &Denial<'_>) {
        let kind = DENIALS.iter().position(|&kind| kind == denial.label());
        self.denied[kind.expect("DENIALS has every kind, as a test checks")].increment(1);
    }

    /// What rules in shadow would have done with a call.
    pub fn shadowed(&self, shadowed: &[Shadowed<'_>]) {
        for one in shadowed {
            let kind = SHADOWED.iter().position(|&kind| kind == one.kind());
            self.shadowed[kind.expect("SHADOWED has every kind, as a test checks")].increment(1);
        }
    }

    /// How long the gateway took, and how long the upstream until its first byte.
    pub fn latency(&self, added: Duration, upstream: Duration) {
        self.added.record(added);
        self.upstream.record(upstream);
    }

    /// An upstream that did not answer, by the label of its error.
    pub fn upstream_error(&self, label: &'static str) {
        let counter = self.errors.iter().find(|(name, _)| *name == label);
        counter.iter().for_each(|(_, counter)| counter.increment(1));
    }
}
