//! `toolgate diff`: what an edit of a policy changes, before it does.
//!
//! It never calls an edit tighter that it cannot judge, and contacts nobody.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::definitions::Tools;
use super::excerpt::{Weight, pointed};
use super::terminal::{CliError, Format, print};
use crate::config::policy_text;
use crate::policy::{Calls, Comparison, Direction, Edition, Effect, WorstCase, in_groups};

/// What is compared, and what the exit codes mean.
pub(super) const HELP: &str = "Without --server or --tools the entries of both policies are compared: exact names, globs, and every other tool. \
With one of them it speaks of the tools of that server, one by one.

What cannot be compared counts as looser: rules whose conditions changed in more than one constant, resources and prompts. \
Texts (on_deny, reason, note) and waiting times of approvals are not compared; rules in shadow are none.
The worst case is the number of calls that fit into any hour and any day of one grant; with sessions, arguments and tools \
counted apart it is unlimited. The total is an upper bound.

Exit codes:
  0  nothing became looser
  1  something became looser
  2  a policy, the server or the file of tools cannot be used

With --format json it is one line, an object with these keys:
  looser       whether anything became looser
  changes      array of {subject, effects: array of {direction, kind, what}}
  worst_cases  array of {subject, before, after}, each {hour, day}; null is unlimited
  total        the same of all of them together";

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The policy before the edit
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The policy after it
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    tools: Tools,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Exit codes: see [`HELP`].
pub(super) fn run(args: &DiffArgs) -> Result<ExitCode, CliError> {
    let (old, new) = (edition(&args.old)?, edition(&args.new)?);
    let tools = names(&args.tools)?;
    let comparison = Comparison::of(&old, &new, tools.as_deref());
    print(&match args.format {
        Format::Text => text(&comparison),
        Format::Json => format!("{}\n", json(&comparison)),
    });
    Ok(match comparison.is_looser() {
        true => ExitCode::from(1),
        false => ExitCode::SUCCESS,
    })
}

fn edition(file: &Path) -> Result<Edition, CliError> {
    let source = std::fs::read(file)
        .map_err(|error| unusable(file, &format!("cannot read this policy: {error}")))?;
    Edition::read(policy_text(file, &source)).map_err(|mistakes| {
        let mistakes = mistakes.iter();
        let told = mistakes.map(|mistake| pointed(Weight::Error, mistake, (file, &source)));
        anstream::eprint!("{}", told.collect::<String>());
        unusable(file, "this policy is not valid")
    })
}

/// The names of a server's tools, if the command line says where they are.
fn names(tools: &Tools) -> Result<Option<Vec<String>>, CliError> {
    let Some(definitions) = tools.load()? else {
        return Ok(None);
    };
    let name = |definition: &Box<str>| {
        let tool: Value = serde_json::from_str(definition).ok()?;
        tool["name"].as_str().map(str::to_owned)
    };
    Ok(Some(definitions.iter().filter_map(name).collect()))
}

fn unusable(file: &Path, what: &str) -> CliError {
    CliError::unusable(format!("{}: {what}", file.display()))
}

fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    for change in &comparison.changes {
        say(&mut text, format_args!("{}\n", change.subject));
        for Effect {
            kind,
            direction,
            what,
        } in &change.effects
        {
            say(
                &mut text,
                format_args!("  {:<7}  {:<12}  {what}\n", direction.name(), kind.name()),
            );
        }
    }
    text.push_str(if text.is_empty() {
        "nothing changed\n\n"
    } else {
        "\n"
    });
    text.push_str(&table(comparison));
    let count = |direction| {
        let effects = comparison.changes.iter().flat_map(|change| &change.effects);
        effects
            .filter(|effect| effect.direction == direction)
            .count()
    };
    say(
        &mut text,
        format_args!(
            "\n{} looser, {} tighter\n",
            count(Direction::Looser),
            count(Direction::Tighter)
        ),
    );
    text
}

fn say(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words).expect("memory takes all text");
}

/// The worst cases, one a line, in columns.
fn table(comparison: &Comparison) -> String {
    let cases = || comparison.worst_cases.iter().chain([&comparison.total]);
    let mut rows = vec![[
        "calls at worst".to_owned(),
        "an hour".into(),
        "a day".into(),
    ]];
    rows.extend(cases().map(
        |WorstCase {
             subject,
             before,
             after,
         }| {
            let hour = edited(before.hour, after.hour);
            [subject.clone(), hour, edited(before.day, after.day)]
        },
    ));
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let (first, second) = (width(0), width(1));
    let lines = rows
        .iter()
        .map(|[subject, hour, day]| format!("{subject:<first$}  {hour:<second$}  {day}\n"));
    lines.collect()
}

fn edited(before: Option<u64>, after: Option<u64>) -> String {
    match before == after {
        true => calls(after),
        false => format!("{} → {}", calls(before), calls(after)),
    }
}

fn calls(calls: Option<u64>) -> String {
    calls.map_or_else(|| "unlimited".into(), in_groups)
}

/// `null` stands for unlimited.
fn json(comparison: &Comparison) -> Value {
    let changes = comparison.changes.iter().map(|change| {
        let effects = change.effects.iter().map(
            |Effect {
                 kind,
                 direction,
                 what,
             }| {
                json!({ "direction": direction.name(), "kind": kind.name().replace(' ', "_"), "what": what })
            },
        );
        json!({ "subject": change.subject, "effects": effects.collect::<Vec<_>>() })
    });
    let calls = |Calls { hour, day }: Calls| json!({ "hour": hour, "day": day });
    let case = |case: &WorstCase| json!({ "subject": case.subject, "before": calls(case.before), "after": calls(case.after) });
    json!({
        "looser": comparison.is_looser(),
        "changes": changes.collect::<Vec<_>>(),
        "worst_cases": comparison.worst_cases.iter().map(case).collect::<Vec<_>>(),
        "total": case(&comparison.total),
    })
}
