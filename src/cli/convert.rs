//! `toolgate convert`: a policy of any accepted form → its canonical document.
//!
//! It never writes a document that `toolgate check` would refuse, and never half of one.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::excerpt::{Weight, pointed};
use super::terminal::{CliError, print};
use crate::config::policy_text;

/// What the command does with what it reads.
pub(super) const HELP: &str = "The document goes to standard output, or to --output. Standard error gets a note for every place where \
the meaning became stricter than it was elsewhere, or was put into other words; each with line, column and JSON Pointer of FILE.

Intercept's rules become require, deny_if and limits; its tool \"*\" becomes all_tools; a missing default is spelled out. \
The shorthands action and rate_limit stay as they are. What is already canonical comes out unchanged.

Exit codes:
  0  converted
  1  the policy has mistakes; nothing is written
  2  a file cannot be read or written";

#[derive(Debug, Args)]
pub(super) struct ConvertArgs {
    /// The policy: JSON, or YAML if it is named .yaml or .yml
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Exit codes: see [`HELP`].
pub(super) fn run(args: &ConvertArgs) -> Result<ExitCode, CliError> {
    let file = &args.file;
    let source =
        std::fs::read(file).map_err(|error| unusable(file, "cannot read this policy", &error))?;
    match policy_text(file, &source).canonical() {
        Ok(canonical) => {
            for note in &canonical.notes {
                eprintln!("{}:{note}", file.display());
            }
            write(args.output.as_deref(), &canonical.text)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(mistakes) => {
            let told = mistakes
                .iter()
                .map(|mistake| pointed(Weight::Error, mistake, (file, &source)));
            anstream::eprint!("{}", told.collect::<String>());
            Ok(ExitCode::from(1))
        }
    }
}

fn write(output: Option<&Path>, text: &str) -> Result<(), CliError> {
    match output {
        Some(file) => std::fs::write(file, text)
            .map_err(|error| unusable(file, "cannot write this file", &error)),
        None => {
            print(text);
            Ok(())
        }
    }
}

fn unusable(file: &Path, what: &str, error: &std::io::Error) -> CliError {
    CliError::unusable(format!("{}: {what}: {error}", file.display()))
}
