//! The little of a configuration that the `grant` commands need: where the data is, and which grants it names.
//!
//! It never asks for more to be right: a grant can be revoked while a policy is broken or a credential is not at hand.

use std::path::{Path, PathBuf};

use super::{ConfigError, ConfigMistake, DATA_DEFAULT, ONLY_GRANT};
use crate::json::Position;

/// Where a gateway's data is, and the names of its grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The data folder.
    pub data: PathBuf,
    /// The names under `[grants]`.
    pub grants: Vec<Box<str>>,
}

impl Outline {
    /// The outline of the embedded defaults.
    pub fn demo() -> Outline {
        Outline {
            data: DATA_DEFAULT.into(),
            grants: vec![ONLY_GRANT.into()],
        }
    }

    /// The outline of a configuration file, which needs to be well-formed and no more.
    pub fn read(path: &Path) -> Result<Outline, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::unreadable(path, source))?;
        let beside = |data: &str| path.parent().unwrap_or(Path::new(".")).join(data);
        if text.trim_start().starts_with('{') {
            let demo = Outline::demo();
            return Ok(Outline {
                data: beside(DATA_DEFAULT),
                ..demo
            });
        }
        let table: toml::Table = toml::from_str(&text).map_err(|error: toml::de::Error| {
            let offset = error.span().map_or(0, |span| span.start);
            let position = Position::of(text.as_bytes(), offset);
            let mistake = ConfigMistake::about(path, error.message()).at(position);
            ConfigError::one(mistake.remedy("mend the file, or name the folder with --data"))
        })?;
        let data = table.get("data").and_then(toml::Value::as_str);
        let grants = table.get("grants").and_then(toml::Value::as_table);
        let names = grants.into_iter().flat_map(|grants| grants.keys());
        Ok(Outline {
            data: beside(data.unwrap_or(DATA_DEFAULT)),
            grants: names.map(|name| name.as_str().into()).collect(),
        })
    }
}
