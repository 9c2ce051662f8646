//! Writes what was found, for programs: JSON with every round by itself.
//!
//! It never rounds: numbers stand as they were computed, in the unit that their key names.

use serde_json::{Map, Value, json};

use crate::figures::{Compared, FIGURES, Round};
use crate::options::TargetName;
use crate::report::{COUNTS, Report};
use crate::summary::{Summary, ratio};

/// The whole report.
pub(crate) fn json(report: &Report) -> Value {
    let targets = report.results.iter();
    let targets = targets.map(|(target, rounds)| target_json(*target, rounds));
    let idle = report.idle.iter().map(|(target, idle)| {
        json!({ "target": target, "measured": idle, "bytes_each": idle.bytes_each() })
    });
    json!({
        "command": report.command,
        "machine": report.machine,
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        "load": report.load(),
        "targets": targets.collect::<Vec<_>>(),
        "ratios": ratios(report),
        "idle_connections": idle.collect::<Vec<_>>(),
        "gateway_wrote_bytes": report.written,
        "problems": report.problems(),
    })
}

fn target_json(target: TargetName, rounds: &[Round]) -> Value {
    let summary: Map<String, Value> = FIGURES
        .iter()
        .map(|figure| {
            let summary = Summary::of(rounds.iter().map(figure.of));
            (figure.key.to_owned(), json!(summary))
        })
        .collect();
    let rounds: Vec<Value> = rounds.iter().map(round_json).collect();
    json!({ "target": target, "summary": summary, "rounds": rounds })
}

fn round_json(round: &Round) -> Value {
    let figures = FIGURES
        .iter()
        .map(|figure| (figure.key.to_owned(), json!((figure.of)(round))));
    let counts = COUNTS
        .iter()
        .map(|(name, count)| (key(name), json!(count(round))));
    Value::Object(figures.chain(counts).collect())
}

/// A count's name as a key: `never answered` is `never_answered`.
fn key(name: &str) -> String {
    name.trim()
        .replace(", ", "_")
        .replace(' ', "_")
        .to_lowercase()
}

fn ratios(report: &Report) -> Map<String, Value> {
    report
        .neighbours()
        .map(|[to, of]| {
            let compared = FIGURES
                .iter()
                .filter(|figure| figure.compared == Compared::Yes);
            let figures: Map<String, Value> = compared
                .map(|figure| (figure.key.to_owned(), json!(ratio(figure, &of.1, &to.1))))
                .collect();
            (format!("{}/{}", of.0, to.0), Value::Object(figures))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_counts_become_keys_that_differ() {
        let mut keys: Vec<String> = COUNTS.iter().map(|(name, _)| key(name)).collect();
        assert!(keys.contains(&"due_not_sent".to_owned()), "{keys:?}");
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), COUNTS.len());
    }
}
