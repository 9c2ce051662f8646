//! `toolgate diff`: what an edit of a policy changes, before it does.
//!
//! It never calls an edit tighter that it cannot judge, and contacts nobody.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::terminal::CliError;
use super::{DiffArgs, OutputFormat};
use crate::config::{ConfigError, ConfigMistake, policy_format};
use crate::policy::{Calls, Comparison, Direction, Edition, Effect, WorstCase};

/// What is compared, and what the exit codes mean.
pub(super) const HELP: &str = "Without --tools the entries of both policies are compared: exact names, globs, and every other tool. \
With --tools it speaks of these tools of the server, one by one.

What cannot be compared counts as looser: rules whose conditions changed in more than one constant, resources and prompts. \
Texts (on_deny, reason, note) and waiting times of approvals are not compared; rules in shadow are none.
The worst case is the number of calls that fit into any hour and any day of one grant; with sessions, arguments and tools \
counted apart it is unlimited. The total is an upper bound.

Exit codes:
  0  nothing became looser
  1  something became looser
  2  a policy or the file of tools cannot be used";

/// Exit codes: see [`HELP`].
pub(super) fn run(args: &DiffArgs) -> Result<ExitCode, CliError> {
    let (old, new) = (edition(&args.old)?, edition(&args.new)?);
    let tools = args.tools.as_deref().map(tools).transpose()?;
    let comparison = Comparison::of(&old, &new, tools.as_deref());
    match args.format {
        OutputFormat::Text => print!("{}", text(&comparison)),
        OutputFormat::Json => println!("{:#}", json(&comparison)),
    }
    Ok(match comparison.is_looser() {
        true => ExitCode::from(1),
        false => ExitCode::SUCCESS,
    })
}

fn edition(file: &Path) -> Result<Edition, CliError> {
    let source = std::fs::read(file)
        .map_err(|error| unusable(file, &format!("cannot read this policy: {error}")))?;
    Edition::read(&source, policy_format(file)).map_err(|mistakes| {
        let mistakes = mistakes.iter();
        let mistakes = mistakes.map(|mistake| ConfigMistake::of_policy(file, mistake));
        ConfigError {
            mistakes: mistakes.collect(),
        }
        .into()
    })
}

/// The names in a file: a list of names or of tools, or an object that has such a list under `tools`, on its own or as
/// the `result` of a reply.
fn tools(file: &Path) -> Result<Vec<String>, CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| unusable(file, &format!("cannot read these tools: {error}")))?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| unusable(file, &format!("this is not JSON: {error}")))?;
    let list = [&value, &value["tools"], &value["result"]["tools"]]
        .into_iter()
        .find_map(Value::as_array);
    let name = |tool: &Value| tool.as_str().or(tool["name"].as_str()).map(str::to_owned);
    let names: Option<Vec<String>> = list.and_then(|list| list.iter().map(name).collect());
    names.ok_or_else(|| {
        let what =
            "no tools are here; write a list of names, or save a server's reply to tools/list";
        unusable(file, what)
    })
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

/// A number with commas, as people read it.
fn calls(calls: Option<u64>) -> String {
    let Some(calls) = calls else {
        return "unlimited".into();
    };
    let digits = calls.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
