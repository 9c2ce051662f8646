//! The command line.
//!
//! It never starts anything: what it accepts is within bounds that the rest relies on.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::call::Script;
use crate::client::{Pace, Plan};
use crate::workers::cores;

/// Measures what toolgate costs: load on a stub MCP server, directly, through a bare reverse proxy, and through toolgate.
///
/// Everything runs on 127.0.0.1, each part in a process of its own, and is started and ended by this program. The targets
/// are measured in turns, round after round, because machines are noisy; medians and spreads are told. Every reply is
/// verified byte for byte, and a reply also proves that its request arrived unchanged. Exit status: 0 all calls rightly
/// answered, 1 not so or not run, 2 wrong usage.
///
/// Compare CPU-µs a call. Calls a second are what client, target and stub reach together on the cores that they share, so
/// they say little about a target alone, and latencies under `--rate max` are those of a saturated machine: measure
/// latency with a `--rate` well below the maximum.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  loadtest --rate max                       CPU-µs a call and calls a second
  loadtest --rate 2000 --seconds 30         latencies, in an open loop
  loadtest --targets direct,proxy           without a gateway
  loadtest --targets toolgate,fsync         what it costs to wait for the disk before each call
  loadtest --rate 1000 --targets toolgate,flooded   what others notice of one grant's flood; see its p99
  loadtest --sessions 2000 --seconds 1      memory for each idle connection

The gateway's data folder is made in the system's temporary folder (TMPDIR); its journal grows by some hundred bytes a
call. Limits: one machine, HTTP/1.1, one grant, one tool, JSON replies; CPU time is counted in steps of 10 ms.")]
pub(crate) struct CommandLine {
    /// What to be, if not the load test itself.
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
    /// The load test's options.
    #[command(flatten)]
    pub(crate) options: Options,
}

/// What this program can be.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Measure (the default)
    Run(Options),
    /// Be the stub MCP server: print the address, serve until standard input closes
    Stub,
    /// Be the bare reverse proxy: print the address, serve until standard input closes
    Proxy {
        /// Where to forward to
        #[arg(long, value_name = "ADDRESS:PORT")]
        upstream: SocketAddr,
    },
}

/// What is measured, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// How long each target is measured in each round
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Load before that, not measured
    #[arg(long, default_value_t = 2, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=600))]
    warm_up: u32,
    /// How often all targets are measured in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// `max`: each connection sends when it has its reply (closed loop). N: so many calls a second over all connections,
    /// latencies counted from the instant at which a call was due (open loop)
    #[arg(long = "rate", default_value = "max", value_name = "N|max", value_parser = parse_pace)]
    pub(crate) pace: Pace,
    /// Keep-alive connections that carry the load
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Threads of the client [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    client_threads: Option<u32>,
    /// Size of a call's body; at least what the fixed arguments need
    #[arg(long, default_value_t = 300, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    body_bytes: u32,
    /// Also open so many idle keep-alive connections to each target first, and tell its memory for each of them
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=15_000))]
    pub(crate) sessions: u32,
    /// What to measure. Only if they are named: `fsync`, the gateway with `durability = "fsync"`; `flooded`, the gateway while
    /// another grant sends it 1,000 calls a second, each with a new value that its limit is by
    #[arg(long, value_delimiter = ',', default_values_t = TargetName::USUAL, value_name = "LIST")]
    targets: Vec<TargetName>,
    /// The gateway's binary [default: `toolgate` beside this program]
    #[arg(long, value_name = "PATH")]
    toolgate: Option<PathBuf>,
    /// Also write everything, each round by itself, to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TargetName {
    /// The stub, without anything in between
    Direct,
    /// The bare reverse proxy
    Proxy,
    /// The gateway
    Toolgate,
    /// The gateway with `durability = "fsync"`
    Fsync,
    /// The gateway while another grant floods it with new values
    Flooded,
}

impl TargetName {
    /// All of them, in the order in which they are measured.
    const ALL: [TargetName; 5] = [
        TargetName::Direct,
        TargetName::Proxy,
        TargetName::Toolgate,
        TargetName::Fsync,
        TargetName::Flooded,
    ];

    /// Those that are measured unless others are named: what a sync costs is the disk's affair, and said on request.
    const USUAL: [TargetName; 3] = [TargetName::Direct, TargetName::Proxy, TargetName::Toolgate];

    /// Whether it is a gateway.
    pub(crate) fn is_gateway(self) -> bool {
        matches!(
            self,
            TargetName::Toolgate | TargetName::Fsync | TargetName::Flooded
        )
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            TargetName::Direct => "direct",
            TargetName::Proxy => "proxy",
            TargetName::Toolgate => "toolgate",
            TargetName::Fsync => "fsync",
            TargetName::Flooded => "flooded",
        }
    }
}

impl std::fmt::Display for TargetName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Options {
    /// What is measured, each once and in the usual order.
    pub(crate) fn targets(&self) -> Vec<TargetName> {
        let is_asked = |target: &TargetName| self.targets.contains(target);
        TargetName::ALL.into_iter().filter(is_asked).collect()
    }

    /// The load of each round.
    pub(crate) fn plan(&self) -> Plan {
        let cores = NonZeroU32::try_from(cores()).unwrap_or(NonZeroU32::MIN);
        let connections = NonZeroU32::new(self.connections).unwrap_or(NonZeroU32::MIN);
        let threads = self
            .client_threads
            .and_then(NonZeroU32::new)
            .unwrap_or(cores);
        Plan {
            pace: self.pace,
            connections: NonZeroUsize::try_from(connections).unwrap_or(NonZeroUsize::MIN),
            threads: threads.min(connections),
            script: Script::new(self.body_bytes as usize),
            warm_up: Duration::from_secs(self.warm_up.into()),
            measured: Duration::from_secs(self.seconds.into()),
        }
    }

    /// The gateway's binary.
    pub(crate) fn toolgate(&self) -> PathBuf {
        let beside = || {
            std::env::current_exe()
                .unwrap_or_default()
                .with_file_name("toolgate")
        };
        self.toolgate.clone().unwrap_or_else(beside)
    }
}

fn parse_pace(text: &str) -> Result<Pace, String> {
    const RATE_MAX: u32 = 1_000_000;
    if text == "max" {
        return Ok(Pace::Max);
    }
    match NonZeroU32::from_str(text) {
        Ok(rate) if rate.get() <= RATE_MAX => Ok(Pace::Rate(rate)),
        _ => Err(format!(
            "expected `max` or a number of calls a second, 1 to {RATE_MAX}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn options(arguments: &[&str]) -> Result<Options, clap::Error> {
        let all = ["loadtest"].iter().chain(arguments);
        CommandLine::try_parse_from(all).map(|line| match line.role {
            Some(Role::Run(options)) => options,
            _ => line.options,
        })
    }

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn run_may_be_said_or_left_out() {
        for arguments in [&["--rate", "500"][..], &["run", "--rate", "500"]] {
            let pace = options(arguments).expect("valid").pace;
            assert_eq!(pace, Pace::Rate(NonZeroU32::new(500).expect("not zero")));
        }
        assert_eq!(options(&[]).expect("valid").pace, Pace::Max);
    }

    #[test]
    fn a_rate_is_max_or_a_number_within_bounds() {
        for rate in ["0", "-1", "fast", "1000001", "1.5", ""] {
            assert!(options(&["--rate", rate]).is_err(), "accepted {rate}");
        }
    }

    #[test]
    fn targets_are_measured_once_each_in_the_usual_order() {
        use TargetName::{Direct, Fsync, Proxy, Toolgate};
        for (asked, measured) in [
            ("toolgate,direct", vec![Direct, Toolgate]),
            ("proxy,proxy", vec![Proxy]),
            ("fsync,toolgate", vec![Toolgate, Fsync]),
            ("direct,proxy,toolgate", vec![Direct, Proxy, Toolgate]),
        ] {
            let options = options(&["--targets", asked]).expect("valid");
            assert_eq!(options.targets(), measured, "{asked}");
        }
        let usual = options(&[]).expect("valid").targets();
        assert_eq!(usual, [Direct, Proxy, Toolgate]);
        assert!(options(&["--targets", "nothing"]).is_err());
    }

    #[test]
    fn there_are_never_more_threads_than_connections() {
        let options = options(&["--client-threads", "9", "--connections", "2"]).expect("valid");
        assert_eq!(options.plan().threads.get(), 2);
    }
}
