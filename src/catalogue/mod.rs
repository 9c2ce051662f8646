//! Knows what each server offers: the tools that its lists have named, as they were defined.
//!
//! It never asks a server: it hears what passes. It never forgets a name while the gateway runs, so that a server which
//! lists different tools to different sessions has none of them refused.

mod known;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

use crate::clock::Timestamp;
use crate::json::Value;
use crate::policy::{Definition, Hints, Listing};

pub use known::Known;

/// More names than this of one server are not kept, and nothing is then called unknown: far above any server seen
/// (hundreds), far below what would be felt in memory.
const NAMES_MAX: usize = 10_000;
/// Bytes of definitions that are kept of one server: a hundred times the longest list of a real server. What is beyond
/// is not known, and rules that need it deny.
const DEFINITIONS_MAX: usize = 16 << 20;
/// How long a list is good for rules that need a tool's definition. Clients list servers more often than this; where
/// none does, one more request in ten minutes is not felt.
const LIST_AGE_MAX: Duration = Duration::from_secs(600);

/// What the servers have listed, shared by all workers.
#[derive(Debug, Default)]
pub struct Catalogue {
    servers: RwLock<HashMap<Box<str>, Offer>>,
}

#[derive(Debug, Default)]
struct Offer {
    tools: BTreeMap<Box<str>, Entry>,
    has_first_page: bool,
    has_last_page: bool,
    /// When a list last came to its end.
    listed_at: Option<Timestamp>,
    /// Bytes of all definitions.
    size: usize,
}

#[derive(Debug, Default)]
struct Entry {
    /// As they were seen first: a server that changes its mind is not believed.
    hints: Hints,
    /// As it was seen last in this run.
    definition: Option<Arc<Definition>>,
}

/// One tool of a list.
#[derive(Debug)]
pub struct Tool {
    name: Box<str>,
    definition: Definition,
}

impl Tool {
    /// Reads one element of `tools`; `None` if it has no name.
    pub fn read(value: Value<'_>) -> Option<Tool> {
        Some(Tool {
            name: value.member("name")?.as_str()?.into(),
            definition: Definition::of(value),
        })
    }
}

/// Which page of a list was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The request had no cursor.
    pub is_first: bool,
    /// The reply had none.
    pub is_last: bool,
    /// When it came.
    pub at: Timestamp,
}

impl Catalogue {
    /// A catalogue that remembers what an earlier run saw. Its lists count as incomplete until they are seen again: the
    /// server may be another version by now.
    pub fn restored(lists: impl IntoIterator<Item = (Box<str>, Vec<Known>)>) -> Catalogue {
        let entry = |known: Known| {
            let entry = Entry {
                hints: known.hints,
                definition: None,
            };
            (known.name, entry)
        };
        let offer = |tools: Vec<Known>| Offer {
            tools: tools.into_iter().map(entry).collect(),
            ..Offer::default()
        };
        let servers = lists
            .into_iter()
            .map(|(server, tools)| (server, offer(tools)))
            .collect();
        Catalogue {
            servers: RwLock::new(servers),
        }
    }

    /// Forgets a server that is gone, or another one now under the same name.
    pub fn forget(&self, server: &str) {
        self.servers.write().remove(server);
    }

    /// Takes note of one page of a server's list. Returns all tools if the list is complete and this page changed what
    /// is to be kept for the next start.
    pub fn saw(&self, server: &str, tools: Vec<Tool>, page: Page) -> Option<Vec<Known>> {
        let mut servers = self.servers.write();
        let offer = servers.entry(server.into()).or_default();
        let was_complete = offer.is_complete();
        offer.has_first_page |= page.is_first;
        offer.has_last_page |= page.is_last;
        if page.is_last && offer.is_complete() {
            offer.listed_at = Some(page.at);
        }
        let mut has_new = false;
        for tool in tools {
            has_new |= offer.take(tool);
        }
        let is_changed = has_new || !was_complete;
        (offer.is_complete() && is_changed).then(|| offer.known().collect())
    }

    /// Whether a server lists a tool, as far as is known.
    pub fn listing(&self, server: &str, tool: &str) -> Listing {
        match self.servers.read().get(server) {
            Some(offer) if offer.tools.contains_key(tool) => Listing::Listed,
            Some(offer) if offer.is_complete() && offer.tools.len() < NAMES_MAX => {
                Listing::NotListed
            }
            _ => Listing::Unknown,
        }
    }

    /// A tool as its server defined it last in this run.
    pub fn definition(&self, server: &str, tool: &str) -> Option<Arc<Definition>> {
        let servers = self.servers.read();
        servers.get(server)?.tools.get(tool)?.definition.clone()
    }

    /// Whether the server should be listed before a rule asks for one of its definitions.
    pub fn is_due(&self, server: &str, now: Timestamp) -> bool {
        let servers = self.servers.read();
        let listed_at = servers.get(server).and_then(|offer| offer.listed_at);
        listed_at.is_none_or(|at| now.since(at) > LIST_AGE_MAX)
    }
}

impl Offer {
    fn is_complete(&self) -> bool {
        self.has_first_page && self.has_last_page
    }

    /// Takes note of a tool; whether its name is new.
    fn take(&mut self, tool: Tool) -> bool {
        let is_new = !self.tools.contains_key(&tool.name);
        if is_new && self.tools.len() >= NAMES_MAX {
            return false;
        }
        let entry = self.tools.entry(tool.name).or_default();
        let definition = match is_new {
            true => {
                entry.hints = tool.definition.hints().to_vec();
                tool.definition
            }
            false => tool.definition.with_hints(entry.hints.clone()),
        };
        let before = entry.definition.as_ref();
        // One that did not change stays as it is, with its schema compiled.
        if before.is_none_or(|before| !before.is_same(&definition)) {
            self.size -= before.map_or(0, |before| before.size());
            let size = definition.size();
            let fits = self.size + size <= DEFINITIONS_MAX;
            entry.definition = fits.then(|| Arc::new(definition));
            self.size += if fits { size } else { 0 };
        }
        is_new
    }

    fn known(&self) -> impl Iterator<Item = Known> {
        self.tools.iter().map(|(name, entry)| Known {
            name: name.clone(),
            hints: entry.hints.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
