//! Runs the whole test: sets the stage, measures all targets in turn, clears the stage, reports.
//!
//! It never runs without end: the plan says how long all rounds take, and somewhat later everything is given up.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use crate::client::Plan;
use crate::export;
use crate::failure::Failure;
use crate::measure;
use crate::options::Options;
use crate::process::allow_many_connections;
use crate::report::Report;
use crate::stage::Stage;
use crate::usage::Machine;
use crate::workers;

/// What a round may take besides its load: connecting, the last replies, reading /proc.
const ROUND_SLACK: Duration = Duration::from_secs(10);

/// What starting, ending and idle connections may take.
const WHOLE_SLACK: Duration = Duration::from_secs(300);

/// Measures and prints; fails when there is nothing to report, and exits with 1 when the report has problems.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    allow_many_connections();
    let runtime = workers::runtime()?;
    let report = runtime.block_on(LocalSet::new().run_until(bounded(options)))?;
    let mut text = report.text();
    let sound = report.problems().is_empty();
    if let Some(path) = &options.json {
        let written = std::fs::write(path, format!("{:#}\n", export::json(&report)));
        written.map_err(|source| Failure::File {
            path: path.clone(),
            source,
        })?;
        text.push_str(&format!("\nwritten: {}\n", path.display()));
    }
    let printed = std::io::stdout().write_all(text.as_bytes());
    printed.map_err(|source| Failure::Start {
        what: "the report",
        source,
    })?;
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn bounded(options: &Options) -> Result<Report, Failure> {
    let plan = options.plan();
    let rounds = options.rounds * options.targets().len() as u32;
    let longest = (plan.warm_up + plan.measured + ROUND_SLACK) * rounds + WHOLE_SLACK;
    let watch = |kind| {
        signal(kind).map_err(|source| Failure::Start {
            what: "watching for signals",
            source,
        })
    };
    let (mut interrupt, mut terminate) = (
        watch(SignalKind::interrupt())?,
        watch(SignalKind::terminate())?,
    );
    // Whichever ends first: the others are dropped, and with them all processes.
    tokio::select! {
        report = test(options, plan) => report,
        () = tokio::time::sleep(longest) => Err(Failure::Overdue(longest.as_secs())),
        _ = interrupt.recv() => Err(Failure::Interrupted),
        _ = terminate.recv() => Err(Failure::Interrupted),
    }
}

async fn test(options: &Options, plan: Plan) -> Result<Report, Failure> {
    let mut report = Report {
        command: std::env::args().collect::<Vec<_>>().join(" "),
        machine: Machine::here(),
        plan,
        results: options
            .targets()
            .into_iter()
            .map(|target| (target, Vec::new()))
            .collect(),
        idle: Vec::new(),
        written: None,
        problems: Vec::new(),
    };
    let stage = Stage::set(options).await?;
    let measured = measure_all(&stage, options, &mut report).await;
    let problems = stage.clear().await;
    measured?;
    report.problems = problems;
    Ok(report)
}

async fn measure_all(stage: &Stage, options: &Options, report: &mut Report) -> Result<(), Failure> {
    stage.probe().await?;
    if options.sessions > 0 {
        for subject in &stage.subjects {
            let idle = measure::idle(subject, options.sessions).await?;
            report.idle.push((subject.target, idle));
        }
    }
    let targets = stage.subjects.len();
    for number in 1..=options.rounds {
        for place in 0..targets {
            // Each round begins with another target, so that none always has the machine that another one left.
            let index = (number as usize - 1 + place) % targets;
            let (target, rounds) = &mut report.results[index];
            let subject = &stage.subjects[index];
            let round = measure::round(subject, stage.stub(), &report.plan).await?;
            let rate = round.calls as f64 / round.elapsed.as_secs_f64();
            let of = options.rounds;
            eprintln!("round {number} of {of}: {target}, {rate:.0} calls a second");
            rounds.push(round);
        }
    }
    report.written = stage.written();
    Ok(())
}
