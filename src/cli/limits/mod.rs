//! `toolgate limits`: where a grant's limits stand, and letting them begin anew.
//!
//! `show` only reads: it keeps nothing and asks no running gateway. `reset` keeps a row, and touches no counter.

mod call;
mod kept;
mod reset;
mod show;
mod text;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Place;
use super::terminal::{CliError, Format};

pub(super) const HELP: &str = "Both work while a gateway runs on the same folder and while none does. A grant is named by its id, or by its name where \
only one grant in force has it.";

pub(super) const SHOW_HELP: &str = r#"Examples:
  toolgate limits show --grant support
  toolgate limits show --grant support --server files --format json
  toolgate limits show --grant support --server files --call '{"tool":"send","args":{"to":"alice@example.com"}}'

A limit of scope session, or with `by`, has a counter for each session or value, and what is kept names none of them:
--call tells which one is meant. The call is not run and not counted.

It tells what is in the journal: a gateway writes there before a call leaves. A running gateway's own word, to the
moment, is GET /api/limits at its admin address; see `toolgate serve --help`.

With --format json it is one line, an object with these keys:
  grant        {id, name}
  limits       array of {server, rule, meaning, scope, by, window, max, burst, shadow, can_be_reset, takes, left, opens_ms,
               clears_ms}: what a call takes (of an amount the least that there is), what is left, how long until there is
               room for that and until nothing is held any more. The last four are null where only a call tells which
               counter is meant, and opens_ms where a call in flight must end first
  call         with --call: {tool, verdict, rule}; a call that is denied or held takes nothing, and has no limits here"#;

pub(super) const RESET_HELP: &str = r#"Examples:
  toolgate limits reset --grant support
  toolgate limits reset --grant support --server files --limit /tools/send/limits/rate

The limits that are meant begin anew, with all their counters: those of each session and each value of `by` too. A running
gateway follows within half a second. It is kept before the command ends, and holds after a restart or a power cut too.
Within one window an agent may then have used up to twice a limit's max, and calls in flight do not count among the new.
Limits of scope server or organisation are shared with other grants, and stay as they are."#;

#[derive(Debug, Subcommand)]
pub(super) enum LimitsCommand {
    /// Show where each limit of a grant stands
    #[command(after_help = SHOW_HELP)]
    Show(ShowArgs),
    /// Let limits of a grant begin anew
    #[command(after_help = RESET_HELP)]
    Reset(ResetArgs),
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The grant: its id, or its name where only one grant in force has it
    #[arg(long, value_name = "GRANT")]
    grant: String,
    /// Only at this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only the counters that this call would be charged to, {"tool": …, "args": {…}}, or `-` to read it from standard input
    #[arg(long, value_name = "JSON")]
    call: Option<String>,
    /// The session that the call comes in, as its client names it
    #[arg(long, value_name = "ID", requires = "call")]
    session: Option<String>,
    /// What the call's client calls itself
    #[arg(long, value_name = "NAME", requires = "call")]
    client: Option<String>,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct ResetArgs {
    /// The grant: its id, or its name where only one grant in force has it
    #[arg(long, value_name = "GRANT")]
    grant: String,
    /// Only at this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only the limit with this rule id, as `limits show` names it
    #[arg(long, value_name = "RULE")]
    limit: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Runs one of the two.
pub(super) fn run(command: &LimitsCommand) -> Result<ExitCode, CliError> {
    match command {
        LimitsCommand::Show(args) => show::run(args),
        LimitsCommand::Reset(args) => reset::run(args),
    }
}
