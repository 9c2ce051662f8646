//! What commands share: finding the configuration, the log, and how an error is told.
//!
//! It never prints a backtrace or a bare error code: an error says what, where and what to do.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::Place;
use crate::clock::{Anchor, Clock, Timestamp};
use crate::config::{Config, ConfigError, DATA_DEFAULT, Outline};
use crate::record::chain;

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub struct CliError {
    what: String,
    code: u8,
}

impl CliError {
    /// The command ran and failed: exit code 1. The error's sources are told with it.
    pub(super) fn failed(error: impl Error) -> CliError {
        CliError {
            what: chain(&error),
            code: 1,
        }
    }

    /// The command could not begin: exit code 2.
    pub(super) fn unusable(what: impl Into<String>) -> CliError {
        CliError {
            what: what.into(),
            code: 2,
        }
    }

    /// Prints the error and gives the exit code.
    pub(super) fn report(&self) -> ExitCode {
        eprintln!("error: {}", self.what);
        ExitCode::from(self.code)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> CliError {
        CliError::unusable(error.to_string())
    }
}

/// The file that is used when no other is named.
pub(super) const CONFIG_DEFAULT: &str = "toolgate.toml";

impl Place {
    /// The configuration that the flags name: a file, `./toolgate.toml`, or the embedded defaults.
    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        let mut config = match (&self.config, self.demo) {
            (Some(path), _) => Config::load(path, self.policy.as_deref())?,
            (None, true) => Config::demo(this_program()),
            (None, false) if Path::new(CONFIG_DEFAULT).exists() => {
                Config::load(Path::new(CONFIG_DEFAULT), None)?
            }
            (None, false) => return Err(ConfigError::missing(Path::new(CONFIG_DEFAULT))),
        };
        if let Some(data) = &self.data {
            config.data = data.clone();
        }
        Ok(config)
    }

    /// The same for a command that contacts no server, and needs no credential for one. Works in a folder where the demo
    /// has run, too.
    pub(super) fn quiet_config(&self) -> Result<Config, ConfigError> {
        let data = self.data.as_deref().unwrap_or(Path::new(DATA_DEFAULT));
        let default = Path::new(CONFIG_DEFAULT);
        let mut config = match (&self.config, self.demo) {
            (Some(path), _) => Config::load_without_environment(path, self.policy.as_deref())?,
            (None, true) => Config::demo(this_program()),
            (None, false) if default.exists() => Config::load_without_environment(default, None)?,
            (None, false) if data.exists() => Config::demo(this_program()),
            (None, false) => return Err(ConfigError::missing(default)),
        };
        if let Some(data) = &self.data {
            config.data = data.clone();
        }
        Ok(config)
    }

    /// What `grant` needs of it. Works in a folder where the demo has run, too.
    pub(super) fn outline(&self) -> Result<Outline, ConfigError> {
        let data = self.data.clone();
        let has_data = data.as_deref().unwrap_or(Path::new(DATA_DEFAULT)).exists();
        let outline = match (&self.config, self.demo) {
            (Some(path), _) => Outline::read(path)?,
            (None, true) => Outline::demo(),
            (None, false) if Path::new(CONFIG_DEFAULT).exists() => {
                Outline::read(Path::new(CONFIG_DEFAULT))?
            }
            (None, false) if has_data => Outline::demo(),
            (None, false) => return Err(ConfigError::missing(Path::new(CONFIG_DEFAULT))),
        };
        Ok(Outline {
            data: data.unwrap_or(outline.data),
            ..outline
        })
    }
}

/// Prints a result, with colours where it goes to a terminal. Whoever closed the pipe has read enough.
pub(super) fn print(text: &str) {
    let mut stdout = anstream::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    let _ = written.and_then(|()| stdout.flush());
}

/// What time it is, for a command that keeps no timeline of its own.
pub(super) fn now() -> Timestamp {
    Clock::machine(&Anchor::place(None, Timestamp::default())).now()
}

/// The demo's server is this program itself, wherever it was started from.
fn this_program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "toolgate".into())
}

/// Log lines go to standard error; `TOOLGATE_LOG` sets what is logged (`info` unless it says otherwise), and
/// `TOOLGATE_LOG_FORMAT=json` how.
pub(super) fn start_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("TOOLGATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // A line that cannot be written is lost. To complain of it on the same stream would panic in whoever logs, such
        // as the journal's writer when a disk is full that holds both.
        .log_internal_errors(false)
        .with_target(false);
    match std::env::var("TOOLGATE_LOG_FORMAT").as_deref() {
        Ok("json") => log.json().init(),
        _ => log.init(),
    }
}
