//! `toolgate check`: every mistake of every policy at once.
//!
//! It changes nothing and contacts nobody.

use std::process::ExitCode;

use super::CheckArgs;
use super::terminal::CliError;
use crate::config::load_policy;

/// Exit code 0 if all are valid, 1 if one is not, 2 if one cannot be read.
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let mut valid = true;
    for file in &args.files {
        std::fs::File::open(file).map_err(|error| {
            CliError::unusable(format!(
                "{}: cannot read this policy: {error}",
                file.display()
            ))
        })?;
        match load_policy(file) {
            Ok(policy) => println!(
                "{}: valid ({} limits, hash {})",
                file.display(),
                policy.limits().len(),
                policy.hash()
            ),
            Err(mistakes) => {
                valid = false;
                mistakes.iter().for_each(|mistake| println!("{mistake}"));
            }
        }
    }
    Ok(if valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
