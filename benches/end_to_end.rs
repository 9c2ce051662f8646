//! Times a whole call: a short run of the load test on the gateway that was just built.
//!
//! It never measures by itself: `loadtest` does, with the stub, the baseline and the ratios. Options after `--` go to it:
//! `cargo bench --bench end_to_end -- --seconds 10 --rate 2000`.

use std::process::{Command, ExitCode};

/// The gateway that belongs to this bench, and a run long enough for a first look and short enough for a bench among
/// others. Options that the user gives replace these.
const USUAL: [(&str, &str); 4] = [
    ("--toolgate", env!("CARGO_BIN_EXE_toolgate")),
    ("--seconds", "3"),
    ("--warm-up", "1"),
    ("--rounds", "3"),
];

fn main() -> ExitCode {
    let mut given: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` runs this as well, without the word: nothing to time then.
    let Some(place) = given.iter().position(|argument| argument == "--bench") else {
        return ExitCode::SUCCESS;
    };
    given.remove(place);
    let is_given = |name: &str| given.iter().any(|argument| argument.starts_with(name));
    let usual = USUAL.into_iter().filter(|(name, _)| !is_given(name));

    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--release", "--quiet", "--package", "loadtest", "--"])
        .args(usual.flat_map(|(name, value)| [name, value]))
        .args(given)
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot start cargo: {error}");
            ExitCode::FAILURE
        }
    }
}
