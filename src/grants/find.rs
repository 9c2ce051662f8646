//! Finds a grant by what an operator calls it: its id, or its name where only one has that.
//!
//! It never guesses between two: a wrong guess would reset or show another agent's limits.

use std::fmt;
use std::sync::Arc;

use super::{Grant, Grants};

/// There is not one grant that is meant.
#[derive(Debug, PartialEq, Eq)]
pub struct NotFound {
    named: Box<str>,
    /// Name and id of each grant that may have been meant, sorted.
    candidates: Vec<(Box<str>, Arc<str>)>,
    is_ambiguous: bool,
}

/// So many candidates are told: a gateway may have thousands.
const CANDIDATES_MAX: usize = 20;

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotFound {
            named,
            candidates,
            is_ambiguous,
        } = self;
        match is_ambiguous {
            true => write!(
                f,
                "more than one grant has the name {named:?}; name one by its id:"
            )?,
            false if candidates.is_empty() => {
                return write!(
                    f,
                    "there is no grant {named:?}, and no other that is in force; `toolgate grant new` makes one"
                );
            }
            false => write!(
                f,
                "there is no grant {named:?} that is in force; there are:"
            )?,
        }
        for (name, id) in candidates.iter().take(CANDIDATES_MAX) {
            write!(f, "\n    {id}  {name}")?;
        }
        match candidates.len().checked_sub(CANDIDATES_MAX) {
            Some(more @ 1..) => write!(f, "\n    and {more} more; see `toolgate grant list`"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for NotFound {}

impl Grants {
    /// The grant with this id, or the only one with this name. It looks at all of them.
    pub fn find(&self, named: &str) -> Result<Arc<Grant>, NotFound> {
        if let Some(grant) = self.with_id(named) {
            return Ok(grant);
        }
        let same = || self.all().filter(|grant| &*grant.name == named);
        match (same().next(), same().count()) {
            (Some(only), 1) => Ok(only.clone()),
            (None, _) => Err(NotFound::among(self.all(), named)),
            (Some(_), _) => Err(NotFound {
                is_ambiguous: true,
                ..NotFound::among(same(), named)
            }),
        }
    }
}

impl NotFound {
    fn among<'g>(grants: impl Iterator<Item = &'g Arc<Grant>>, named: &str) -> NotFound {
        let mut candidates: Vec<_> = grants
            .map(|grant| (grant.name.clone(), grant.id.clone()))
            .collect();
        candidates.sort_unstable();
        NotFound {
            named: named.into(),
            candidates,
            is_ambiguous: false,
        }
    }
}
