//! `check --watch`: checks again whenever a file changes.
//!
//! It never clears what it has said, and never ends because a file is gone for a while.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use super::{CheckArgs, Compared, Tally, check, compared};
use crate::cli::terminal::{CliError, Format, now};

/// How often files are looked at: an answer within half a second, for next to no work.
const EVERY: Duration = Duration::from_millis(250);

/// Which file stands under each name, when it was changed last and how long it is; `None` where none does. Editors put
/// another file in place of the old one, and two edits may be closer than the times that a file system tells apart.
type Stamps = Vec<Option<(u64, SystemTime, u64)>>;

/// Runs until the process is told to end. A server is asked once, a saved list is read again when it changes.
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let mut seen = stamps(args);
    let mut server = compared(args)?;
    loop {
        let tally = check(args, server.as_ref());
        say(args, tally);
        seen = changed(args, seen);
        if args.tools.tools.is_some() {
            server = reread(args, server);
        }
    }
}

/// Waits until something differs from what was seen.
fn changed(args: &CheckArgs, seen: Stamps) -> Stamps {
    loop {
        std::thread::sleep(EVERY);
        let now = stamps(args);
        if now != seen {
            return now;
        }
    }
}

/// A list that is being written cannot be read: the one before it stays.
fn reread(args: &CheckArgs, before: Option<Compared>) -> Option<Compared> {
    match compared(args) {
        Ok(now) => now,
        Err(error) => {
            error.report();
            before
        }
    }
}

fn stamps(args: &CheckArgs) -> Stamps {
    let stamp = |file: &Path| {
        let meta = std::fs::metadata(file).ok()?;
        Some((meta.ino(), meta.modified().ok()?, meta.len()))
    };
    let files = args.files.iter().chain(&args.tools.tools);
    files.map(|file| stamp(file)).collect()
}

/// A line between two runs; programs read the objects and nothing else.
fn say(args: &CheckArgs, tally: Tally) {
    if args.format == Format::Json {
        return;
    }
    let Tally {
        valid,
        broken,
        unreadable,
        warnings,
    } = tally;
    let mut told = format!("{valid} valid");
    for (count, what) in [
        (broken, "not valid"),
        (unreadable, "not readable"),
        (warnings, "warned of"),
    ] {
        if count > 0 {
            told.push_str(&format!(", {count} {what}"));
        }
    }
    let time = now().date().strftime("%H:%M:%S UTC");
    println!("{time}: {told}; waiting for changes");
}
