//! The command line: one file for each subcommand.
//!
//! Commands print results to standard output and everything else to standard error, so that scripts can use both.
#![allow(clippy::print_stdout)] // the one room that speaks to the terminal

mod check;
mod convert;
mod definitions;
mod demo_server;
mod diff;
mod excerpt;
mod explain;
mod grant;
mod ledger;
mod limits;
mod schema;
mod serve;
mod terminal;
mod welcome;
mod wrap;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::RangedU64ValueParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub use terminal::CliError;

use crate::counters::CALL_MAX_DEFAULT;
use crate::policy::Window;
use crate::record::Durability;

const EXIT_CODES: &str = "Exit codes:
  0  done; for `check`: every policy is valid
  1  the command ran and failed; for `check`: a policy has mistakes
  2  the command line, the configuration or a file it names cannot be used";

const SERVE_HELP: &str = r#"A configuration file, toolgate.toml:

  listen = "127.0.0.1:7080"         # agents connect here
  admin  = "127.0.0.1:7081"         # /metrics, /healthz, /readyz, and /api for operators

  [servers.files]                   # a stdio server, started by toolgate
  command = "npx"
  args = ["-y", "@modelcontextprotocol/server-filesystem", "/srv/files"]

  [servers.github]                  # a streamable HTTP server
  url = "https://mcp.example.com/mcp"
  headers = { Authorization = "Bearer ${GITHUB_TOKEN}" }   # from the environment

  [policies]
  careful = "policies/careful.json" # paths start at this file's folder

  [grants.support]                  # `toolgate grant new support` prints a token for it
  servers = { files = "careful", github = "careful" }
  # quota = true                    # results tell in `_meta` what is left of the limits

Further settings, with their defaults:

  data = "toolgate-data"            # store and journal; beside this file
  workers = 2                       # data-path threads; one for each core
  hosts = []                        # `Host` values served besides loopback names and the listen address
  origins = []                      # `Origin` values served besides the same host's
  body_max_bytes = 4194304          # the longest request
  bodies_max_bytes = 536870912      # all requests that are held at a time
  body_timeout_seconds = 30         # how long it may take to arrive
  drain_seconds = 10                # how long calls in flight may go on after SIGTERM
  sse_keep_alive_seconds = 15       # a comment on quiet event streams
  connections_max = 10000           # from agents, at a time
  counters_max = 1000000            # of all limits; beyond it new ones are refused, none is ever forgotten
  counters_per_grant_max = 10000    # of those that one grant opens by values of `by` and by sessions
  durability = "write"              # "fsync": limits hold over a power cut too; each call waits for the disk
  audit = "required"                # "best_effort": calls run even unrecorded, and a crash may forget what they took
  guard = { per_second = 1000, burst = 2000 }   # tool calls of one grant, whatever its policy says
  # and for each server:
  connect_timeout_seconds = 10
  first_byte_timeout_seconds = 120
  call_timeout_seconds = 3600       # a tool call in all; so long it counts as in flight where nobody saw its end

The API for operators, at the admin address, in JSON:

  GET  /api/limits?grant=GRANT&server=NAME   where a grant's limits stand now; the keys are those of `limits show`
  POST /api/limits/reset                     {"grant": …, "server": …, "limit": …}: they begin anew within half a second

`server` and `limit` (a rule id) may be left out: then all are meant. It asks for `Authorization: Bearer` with the token in
the file admin-token of the data folder, which the first start makes, readable by its owner only: agents must not run as
that user. The `Host` must be localhost, a loopback address or the admin address.

A file in the mcpServers shape of MCP clients is accepted too, together with --policy.
Edits of the file and of policies apply to the next call; SIGHUP applies them at once; SIGTERM drains and stops."#;

/// An MCP gateway: every tool call an agent makes passes a policy, is counted and is recorded.
#[derive(Debug, Parser)]
#[command(name = "toolgate", version, after_help = EXIT_CODES, max_term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    #[command(after_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Run one stdio server behind a policy, in place of the server's own command in a client's configuration
    Wrap(WrapArgs),
    /// Check policies and say every mistake at once
    #[command(after_help = check::HELP)]
    Check(check::CheckArgs),
    /// Explain what a policy decides of a call, step by step
    #[command(after_help = explain::HELP)]
    Explain(explain::ExplainArgs),
    /// Say what an edit of a policy changes: what became looser, what tighter, and the worst case before and after
    #[command(after_help = diff::HELP)]
    Diff(diff::DiffArgs),
    /// Bring a policy into its canonical form: JSON, from JSON, YAML or Intercept's dialect
    #[command(after_help = convert::HELP)]
    Convert(convert::ConvertArgs),
    /// Print the JSON Schema (2020-12) of policies or of the configuration, for editors
    #[command(after_help = schema::HELP)]
    Schema(schema::SchemaArgs),
    /// Make, list and revoke grants
    #[command(subcommand)]
    Grant(GrantCommand),
    /// Show where a grant's limits stand, or let them begin anew
    #[command(subcommand, after_help = limits::HELP)]
    Limits(limits::LimitsCommand),
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    #[command(hide = true)]
    DemoServer,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    place: Place,
    /// Where agents connect; overrides the file
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Where operators connect; overrides the file
    #[arg(long, value_name = "ADDR:PORT")]
    admin: Option<SocketAddr>,
}

/// Which configuration and which data folder; the same for `serve` and `grant`.
#[derive(Debug, Args)]
struct Place {
    /// The configuration file [default: ./toolgate.toml]
    #[arg(long, short, value_name = "FILE", conflicts_with = "demo")]
    config: Option<PathBuf>,
    /// Use embedded defaults: a sample server behind a policy of ten imports a minute
    #[arg(long)]
    demo: bool,
    /// The policy for all servers of a file in the mcpServers shape
    #[arg(long, value_name = "FILE", requires = "config")]
    policy: Option<PathBuf>,
    /// The folder of the store and the journal [default: toolgate-data beside the configuration]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct WrapArgs {
    /// The policy that every call must pass
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The folder of the store and the journal [default: a folder for this policy and command under the user's state folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The server's name in the journal
    #[arg(long, default_value = "wrapped")]
    name: String,
    /// When a call's line counts as written: `write`: limits hold over any end of this process; `fsync`: over a power cut too
    #[arg(long, value_enum, default_value = "write")]
    durability: DurabilityName,
    /// How long a call may take in all; so long it counts as in flight where nobody saw its end
    #[arg(long, value_name = "SECONDS", default_value_t = CALL_MAX_DEFAULT.as_secs(), value_parser = call_seconds())]
    call_timeout: u64,
    /// Tell the agent in each result what is left of the limits that its call was charged to
    #[arg(long)]
    quota: bool,
    /// The server's command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// The words for [`Durability`] on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum DurabilityName {
    Write,
    Fsync,
}

impl From<DurabilityName> for Durability {
    fn from(name: DurabilityName) -> Durability {
        match name {
            DurabilityName::Write => Durability::Write,
            DurabilityName::Fsync => Durability::Fsync,
        }
    }
}

/// As in the configuration: a call in flight is counted for no longer than the longest window.
fn call_seconds() -> RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=Window::MAX.length().as_secs())
}

#[derive(Debug, Subcommand)]
enum GrantCommand {
    /// Make a grant and print its token, once
    New {
        /// The entry of [grants] in the configuration that it is made for
        #[arg(default_value = crate::config::ONLY_GRANT)]
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// List all grants
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Revoke a grant; a running gateway refuses its token within a second
    Revoke {
        /// The grant's id, as `grant list` shows it
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Runs one command.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Wrap(args) => wrap::run(args),
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Grant(command) => grant::run(command),
        Command::Limits(command) => limits::run(&command),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Cli::command(),
                "toolgate",
                &mut std::io::stdout(),
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::DemoServer => demo_server::run()
            .map(|()| ExitCode::SUCCESS)
            .map_err(CliError::failed),
    };
    done.unwrap_or_else(|error| error.report())
}
