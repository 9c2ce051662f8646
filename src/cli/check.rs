//! `toolgate check`: every mistake of every policy at once.
//!
//! It changes nothing and contacts nobody.

use std::process::ExitCode;

use super::CheckArgs;
use super::terminal::CliError;
use crate::policy::Policy;

/// Exit code 0 if all are valid, 1 if one is not, 2 if one cannot be read.
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let mut valid = true;
    for file in &args.files {
        let source = std::fs::read(file).map_err(|error| {
            CliError::unusable(format!(
                "{}: cannot read this policy: {error}",
                file.display()
            ))
        })?;
        match Policy::compile(&source) {
            Ok(policy) => println!(
                "{}: valid ({} limits, hash {})",
                file.display(),
                policy.limits().len(),
                policy.hash()
            ),
            Err(mistakes) => {
                valid = false;
                for mistake in &mistakes {
                    println!("{}: {mistake}", file.display());
                }
            }
        }
    }
    Ok(if valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
