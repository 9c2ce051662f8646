//! `toolgate check`: everything that is to be said of policies, at once.
//!
//! It changes nothing, and contacts nobody but a server that it is told to compare with.

mod json;
mod text;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::definitions::Tools;
use super::terminal::{CliError, Format, print};
use crate::config::policy_text;
use crate::policy::{Offer, PolicyText, Review};

pub(super) const HELP: &str = r#"Exit codes:
  0  every policy is valid; with --strict, and has no warnings
  1  a policy has mistakes, or its own tests fail; with --strict, or has warnings
  2  a file or the server cannot be used

With --format json each policy is one line, an object with these keys:
  file, valid, hash (null if not valid)
  mistakes, warnings   arrays of {line, column, pointer, what, remedy}
  limits               array of {rule, pointer, line, column, meaning}
  tests                {passed, failed}
  server               null, or {name, tools, unmatched: {tools, fate}}"#;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Policies to check
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Warnings make the exit code 1, too
    #[arg(long)]
    strict: bool,
    /// Check again whenever a file changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    tools: Tools,
}

/// One policy, and all that is to be said of it.
struct Checked<'f> {
    file: &'f Path,
    source: Vec<u8>,
    review: Review,
}

impl Checked<'_> {
    fn text(&self) -> PolicyText<'_> {
        policy_text(self.file, &self.source)
    }
}

/// What the policies are compared with.
struct Compared {
    name: String,
    offer: Offer,
}

/// What came of all files together.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    valid: usize,
    broken: usize,
    unreadable: usize,
    warnings: usize,
}

impl Tally {
    fn code(self, args: &CheckArgs) -> u8 {
        match self {
            Tally {
                unreadable: 1.., ..
            } => 2,
            Tally { broken: 1.., .. } => 1,
            Tally { warnings: 1.., .. } if args.strict => 1,
            _ => 0,
        }
    }
}

/// Exit codes: see [`HELP`].
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    if args.watch {
        return watch::run(args);
    }
    let compared = compared(args)?;
    Ok(ExitCode::from(check(args, compared.as_ref()).code(args)))
}

fn compared(args: &CheckArgs) -> Result<Option<Compared>, CliError> {
    let (Some(name), Some(definitions)) = (args.tools.source(), args.tools.load()?) else {
        return Ok(None);
    };
    let offer =
        Offer::read(&definitions).map_err(|what| CliError::unusable(format!("{name}: {what}")))?;
    Ok(Some(Compared { name, offer }))
}

/// Checks all files, and says what is to be said of each as soon as it is known.
fn check(args: &CheckArgs, compared: Option<&Compared>) -> Tally {
    let mut tally = Tally::default();
    for file in &args.files {
        let source = match std::fs::read(file) {
            Ok(source) => source,
            Err(error) => {
                tally.unreadable += 1;
                eprintln!(
                    "error: {}: cannot read this policy: {error}",
                    file.display()
                );
                continue;
            }
        };
        let review = policy_text(file, &source).review(compared.map(|compared| &compared.offer));
        match review.policy.is_ok() {
            true => tally.valid += 1,
            false => tally.broken += 1,
        }
        tally.warnings += review.warnings.len();
        tell(
            args.format,
            &Checked {
                file,
                source,
                review,
            },
            compared,
        );
    }
    tally
}

fn tell(format: Format, checked: &Checked<'_>, compared: Option<&Compared>) {
    print(&match format {
        Format::Text => text::shown(checked, compared),
        Format::Json => json::line(checked, compared),
    });
}
