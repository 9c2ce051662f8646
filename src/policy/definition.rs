//! A tool as its server defines it, as far as rules ask for it: its schema of arguments and its annotations.
//!
//! It never trusts a definition to be well-formed: what cannot be read of it is missing, and a rule that needs it denies.

/// One element of a `tools/list` reply, compiled once.
#[derive(Debug, Default)]
pub struct Definition {
    /// `annotations`, the hints that are `true` or `false`, by name.
    annotations: Vec<(Box<str>, bool)>,
}

impl Definition {
    /// `tool.annotations.<hint>`; `None` where the server does not say.
    pub fn hint(&self, name: &str) -> Option<bool> {
        let found = self.annotations.iter().find(|(own, _)| **own == *name)?;
        Some(found.1)
    }
}
