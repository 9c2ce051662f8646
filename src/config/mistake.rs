//! What is wrong with a configuration: file, line, column, what, and what to do.
//!
//! It never quotes the file's values, which may be credentials; it quotes names.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::json::Position;
use crate::policy::Mistake;

/// A configuration that cannot be used; holds at least one mistake.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    /// All that was found, in the order of the files.
    pub mistakes: Vec<ConfigMistake>,
}

impl ConfigError {
    pub(super) fn one(mistake: ConfigMistake) -> ConfigError {
        ConfigError {
            mistakes: vec![mistake],
        }
    }

    /// No configuration was named, and none is where one is looked for.
    pub fn missing(path: &Path) -> ConfigError {
        let what = "there is no such file, and no --config was given";
        let remedy = "try `--demo` for embedded defaults, or see `toolgate serve --help` for an example of the file";
        ConfigError::one(ConfigMistake::about(path, what).remedy(remedy))
    }

    pub(super) fn unreadable(path: &Path, source: std::io::Error) -> ConfigError {
        let mistake = ConfigMistake::about(path, format!("cannot read this file: {source}"));
        ConfigError::one(mistake.remedy("check the path, or start with `toolgate serve --demo`"))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.mistakes.iter().enumerate() {
            write!(f, "{}{mistake}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMistake {
    /// The file it is in.
    pub file: PathBuf,
    /// Where in it, if it is at one place.
    pub position: Option<Position>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl ConfigMistake {
    pub(super) fn about(file: &Path, what: impl Into<String>) -> ConfigMistake {
        ConfigMistake {
            file: file.to_owned(),
            position: None,
            what: what.into(),
            remedy: None,
        }
    }

    pub(super) fn of_policy(file: &Path, mistake: &Mistake) -> ConfigMistake {
        let place = if mistake.pointer.is_empty() {
            String::new()
        } else {
            format!("{}: ", mistake.pointer)
        };
        ConfigMistake {
            file: file.to_owned(),
            position: Some(mistake.position),
            what: format!("{place}{}", mistake.what),
            remedy: mistake.remedy.clone(),
        }
    }

    pub(super) fn at(mut self, position: Position) -> ConfigMistake {
        self.position = Some(position);
        self
    }

    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> ConfigMistake {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(Position { line, column }) = self.position {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {}", self.what)?;
        self.remedy
            .iter()
            .try_for_each(|remedy| write!(f, "\n    {remedy}"))
    }
}
