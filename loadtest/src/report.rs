//! Writes what was found, for people; `export` does it for programs.
//!
//! It never leaves out a round or a problem, and knows no figure by itself: those are in `figures`.

use std::fmt::Write;

use crate::client::{Pace, Plan};
use crate::figures::{Compared, FIGURES, Figure, Round};
use crate::measure::Idle;
use crate::options::TargetName;
use crate::summary::{Summary, ratio};
use crate::usage::{Machine, tick};

/// Above this part of the CPU in the hands of others the report says so. One and the same proxy, measured twice in one
/// test, differed by 6 per cent while others used up to a third of the machine.
const DISTURBED: f64 = 0.05;

/// All that was found.
#[derive(Debug)]
pub(crate) struct Report {
    /// The command line that was given.
    pub(crate) command: String,
    /// Where it ran.
    pub(crate) machine: Machine,
    /// The load of each round.
    pub(crate) plan: Plan,
    /// The rounds of each target, in the order in which they were run.
    pub(crate) results: Vec<(TargetName, Vec<Round>)>,
    /// Memory for idle connections, where it was asked for.
    pub(crate) idle: Vec<(TargetName, Idle)>,
    /// Bytes that the gateway had written at the end.
    pub(crate) written: Option<u64>,
    /// What was wrong besides the calls, which tell it themselves.
    pub(crate) problems: Vec<String>,
}

impl Report {
    /// Why the figures cannot be trusted; empty if they can.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.problems.clone();
        for (target, rounds) in &self.results {
            for (number, round) in rounds.iter().enumerate() {
                let mut found = round.tally.problems();
                if round.calls == 0 || round.tally.latency.is_empty() {
                    found.push("no call was measured".into());
                }
                let named = |found| format!("{target}, round {}: {found}", number + 1);
                problems.extend(found.into_iter().map(named));
            }
        }
        problems
    }

    /// The report for people.
    pub(crate) fn text(&self) -> String {
        let mut text = self.heading();
        text.push('\n');
        text.push_str(&aligned(&self.rows()));
        for (target, idle) in &self.idle {
            let (count, each) = (idle.connections, idle.bytes_each());
            let _ = writeln!(
                text,
                "\n{target}: {each:.0} bytes RSS for each of {count} idle connections"
            );
        }
        if let Some(written) = self.written {
            let _ = writeln!(
                text,
                "\nthe gateway wrote {:.1} MiB",
                written as f64 / f64::from(1 << 20)
            );
        }
        if let Some((counted, refused)) = self.flooded() {
            let _ = writeln!(
                text,
                "\nanother grant sent a new value with each call: {counted} were counted, {refused} refused"
            );
        }
        if self.disturbance() > DISTURBED {
            let percent = self.disturbance() * 100.0;
            let _ = writeln!(
                text,
                "\nNOTE in one round others used {percent:.0}% of the CPU: repeat it on a quiet machine before you trust a small difference"
            );
        }
        for problem in self.problems() {
            let _ = writeln!(text, "\nPROBLEM {problem}");
        }
        text
    }

    /// What became of all floods, if there were any.
    fn flooded(&self) -> Option<(u64, u64)> {
        let rounds = self.results.iter().flat_map(|(_, rounds)| rounds);
        let floods = rounds.map(|round| (round.flooded.counted, round.flooded.refused));
        let all = floods.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        (all != (0, 0)).then_some(all)
    }

    /// The most that others used of the machine in any round.
    fn disturbance(&self) -> f64 {
        let rounds = self.results.iter().flat_map(|(_, rounds)| rounds);
        rounds.map(|round| round.others).fold(0.0, f64::max)
    }

    fn heading(&self) -> String {
        let mut text = format!(
            "{}\nmachine: {}\nload: {}\n",
            self.command,
            self.machine,
            self.load()
        );
        if cfg!(debug_assertions) {
            text.push_str("build: DEBUG. Client, stub and proxy are slow; ratios to the proxy flatter toolgate\n");
        }
        let calls = self.results.iter().flat_map(|(_, rounds)| rounds);
        if let Some(fewest) = calls
            .map(|round| round.calls)
            .min()
            .filter(|calls| *calls > 0)
        {
            let step = tick().as_secs_f64() * 1e6 / fewest as f64;
            let _ = writeln!(
                text,
                "told: median of the rounds ± half their range; CPU time in steps of {step:.3} µs a call"
            );
        }
        text
    }

    /// The load in words.
    pub(crate) fn load(&self) -> String {
        let plan = &self.plan;
        let pace = match plan.pace {
            Pace::Max => "closed loop".into(),
            Pace::Rate(rate) => format!("open loop, {rate} calls a second"),
        };
        let (connections, threads) = (plan.connections, plan.threads);
        let rounds = self.results.first().map_or(0, |(_, rounds)| rounds.len());
        let (seconds, warm_up) = (plan.measured.as_secs(), plan.warm_up.as_secs());
        let bytes = plan.script.call(0).body.len();
        format!(
            "{pace}, {connections} connections on {threads} client threads, {rounds} rounds of {seconds} s after {warm_up} s of warm-up, bodies of {bytes} bytes"
        )
    }

    /// The table: a line for each figure, a column for each target, and one for each ratio of neighbours.
    fn rows(&self) -> Vec<Vec<String>> {
        let mut heading = vec![String::new()];
        heading.extend(self.results.iter().map(|(target, _)| target.to_string()));
        heading.extend(
            self.neighbours()
                .map(|[to, of]| format!("{}/{}", of.0, to.0)),
        );
        let mut rows = vec![heading];
        rows.extend(FIGURES.iter().map(|figure| self.row(figure)));
        for (name, count) in COUNTS {
            let mut row = vec![name.to_owned()];
            let sum = |rounds: &[Round]| rounds.iter().map(count).sum::<u64>().to_string();
            row.extend(self.results.iter().map(|(_, rounds)| sum(rounds)));
            rows.push(row);
        }
        rows
    }

    fn row(&self, figure: &Figure) -> Vec<String> {
        let cell = |summary: Option<Summary>, digits| match summary {
            Some(summary) => shown(summary, digits),
            None => "–".into(),
        };
        let summary = |rounds: &[Round]| Summary::of(rounds.iter().map(figure.of));
        let mut row = vec![figure.name.to_owned()];
        row.extend(
            self.results
                .iter()
                .map(|(_, rounds)| cell(summary(rounds), 1)),
        );
        if figure.compared == Compared::Yes {
            let ratios = self
                .neighbours()
                .map(|[to, of]| ratio(figure, &of.1, &to.1));
            row.extend(ratios.map(|ratio| cell(ratio, 2)));
        }
        row
    }

    /// Each target with the one before it: what each step adds.
    pub(crate) fn neighbours(&self) -> impl Iterator<Item = [&(TargetName, Vec<Round>); 2]> {
        self.results.windows(2).map(|pair| [&pair[0], &pair[1]])
    }
}

/// A count of one round.
pub(crate) type Count = fn(&Round) -> u64;

/// Counts that are summed over the rounds, the warm-up included.
pub(crate) const COUNTS: [(&str, Count); 8] = [
    ("calls sent", |round| round.tally.sent),
    ("  rightly answered", |round| round.tally.verified),
    ("  wrong reply", |round| round.tally.mismatched),
    ("  not HTTP 200", |round| round.tally.refused),
    ("  broke off", |round| round.tally.broken),
    ("  never answered", |round| round.tally.unanswered()),
    ("due, not sent", |round| round.tally.unsent),
    ("not connected", |round| round.tally.unconnected),
];

/// `12.3 ±4%`; without a spread where there was one round only.
fn shown(summary: Summary, digits: usize) -> String {
    let digits = if summary.median.abs() >= 1_000.0 {
        0
    } else {
        digits
    };
    let median = format!("{:.digits$}", summary.median);
    if summary.min == summary.max {
        median
    } else {
        format!("{median} ±{:.0}%", summary.spread_percent())
    }
}

/// Rows of cells as text: the first column to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let line = row.iter().zip(&widths).enumerate().fold(
            String::new(),
            |line, (column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{line}  {cell:>width$}"),
            },
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::call::Script;
    use crate::figures::round;

    fn report(rounds: Vec<Round>) -> Report {
        Report {
            command: "loadtest".into(),
            machine: Machine::here(),
            plan: Plan {
                pace: Pace::Max,
                connections: std::num::NonZeroUsize::MIN,
                threads: std::num::NonZeroU32::MIN,
                script: Script::new(300),
                warm_up: Duration::ZERO,
                measured: Duration::from_secs(1),
            },
            results: vec![
                (TargetName::Proxy, rounds.clone()),
                (TargetName::Toolgate, rounds),
            ],
            idle: Vec::new(),
            written: None,
            problems: Vec::new(),
        }
    }

    fn sound() -> Round {
        let mut round = round(100, Duration::from_secs(1));
        round.tally.latency.saturating_record(1_000);
        round
    }

    #[test]
    fn a_round_without_calls_is_a_problem_even_if_nothing_failed() {
        assert_eq!(report(vec![sound()]).problems(), [""; 0]);
        let empty = round(0, Duration::ZERO);
        let problems = report(vec![sound(), empty]).problems();
        assert_eq!(problems[0], "proxy, round 2: no call was measured");
        assert_eq!(problems[1], "toolgate, round 2: no call was measured");
    }

    #[test]
    fn a_single_wrong_reply_in_any_round_is_a_problem_of_the_whole() {
        let mut wrong = sound();
        wrong.tally.mismatched = 1;
        let report = report(vec![sound(), wrong]);
        assert!(
            report
                .text()
                .contains("PROBLEM proxy, round 2: 1 replies were not")
        );
    }

    #[test]
    fn the_table_names_the_ratio_of_each_target_to_the_one_before() {
        let report = report(vec![sound()]);
        let rows = report.rows();
        assert_eq!(rows[0], ["", "proxy", "toolgate", "toolgate/proxy"]);
        assert_eq!(rows[1], ["calls a second", "50.0", "50.0", "1.00"]);
    }

    #[test]
    fn a_disturbed_round_is_noted() {
        let mut disturbed = sound();
        assert!(!report(vec![disturbed.clone()]).text().contains("NOTE"));
        disturbed.others = 0.4;
        assert!(
            report(vec![sound(), disturbed])
                .text()
                .contains("NOTE in one round others used 40%")
        );
    }

    #[test]
    fn columns_are_aligned_by_characters_not_by_bytes() {
        let rows = [["µs", "1"], ["abc", "10 ±1%"]].map(|row| row.map(String::from).to_vec());
        assert_eq!(aligned(&rows), "µs        1\nabc  10 ±1%\n");
    }
}
