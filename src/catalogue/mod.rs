//! Knows what each server offers: the tools that its lists have named.
//!
//! It never asks a server: it hears what passes. It never forgets a name while the gateway runs, so that a server which
//! lists different tools to different sessions has none of them refused.

use std::collections::{BTreeSet, HashMap};

use parking_lot::RwLock;

use crate::policy::Listing;

/// More names than this of one server are not kept, and nothing is then called unknown: far above any server seen
/// (hundreds), far below what would be felt in memory.
const NAMES_MAX: usize = 10_000;

/// What the servers have listed, shared by all workers.
#[derive(Debug, Default)]
pub struct Catalogue {
    servers: RwLock<HashMap<Box<str>, Offer>>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Offer {
    tools: BTreeSet<Box<str>>,
    has_first_page: bool,
    has_last_page: bool,
}

/// Which page of a list was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The request had no cursor.
    pub is_first: bool,
    /// The reply had none.
    pub is_last: bool,
}

impl Catalogue {
    /// A catalogue that remembers the names an earlier run saw. Their lists count as incomplete until they are seen
    /// again: the server may be another version by now.
    pub fn restored(lists: impl IntoIterator<Item = (Box<str>, Vec<Box<str>>)>) -> Catalogue {
        let offer = |tools: Vec<_>| Offer {
            tools: tools.into_iter().collect(),
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

    /// Takes note of one page of a server's list. Returns all names if the list is complete and this page changed it:
    /// then it should be kept for the next start.
    pub fn saw(&self, server: &str, tools: &[Box<str>], page: Page) -> Option<Vec<Box<str>>> {
        let mut servers = self.servers.write();
        let offer = servers.entry(server.into()).or_default();
        let before = offer.clone();
        offer.has_first_page |= page.is_first;
        offer.has_last_page |= page.is_last;
        let room = NAMES_MAX.saturating_sub(offer.tools.len());
        offer.tools.extend(
            tools
                .iter()
                .filter(|tool| !before.tools.contains(*tool))
                .take(room)
                .cloned(),
        );
        (offer.is_complete() && *offer != before).then(|| offer.tools.iter().cloned().collect())
    }

    /// Whether a server lists a tool, as far as is known.
    pub fn listing(&self, server: &str, tool: &str) -> Listing {
        match self.servers.read().get(server) {
            Some(offer) if offer.tools.contains(tool) => Listing::Listed,
            Some(offer) if offer.is_complete() && offer.tools.len() < NAMES_MAX => {
                Listing::NotListed
            }
            _ => Listing::Unknown,
        }
    }
}

impl Offer {
    fn is_complete(&self) -> bool {
        self.has_first_page && self.has_last_page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Box<str>> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn a_tool_is_unknown_only_when_the_whole_list_was_seen() {
        let catalogue = Catalogue::default();
        let first = Page {
            is_first: true,
            is_last: false,
        };
        let last = Page {
            is_first: false,
            is_last: true,
        };
        assert_eq!(catalogue.listing("s", "a"), Listing::Unknown);
        assert_eq!(catalogue.saw("s", &names(&["a"]), first), None);
        assert_eq!(catalogue.listing("s", "b"), Listing::Unknown);
        assert_eq!(
            catalogue.saw("s", &names(&["b"]), last),
            Some(names(&["a", "b"]))
        );
        assert_eq!(catalogue.listing("s", "b"), Listing::Listed);
        assert_eq!(catalogue.listing("s", "c"), Listing::NotListed);
        assert_eq!(catalogue.listing("other", "c"), Listing::Unknown);
        assert_eq!(
            catalogue.saw("s", &names(&["b"]), last),
            None,
            "nothing new"
        );
    }

    #[test]
    fn a_server_with_more_tools_than_are_kept_has_none_refused() {
        let catalogue = Catalogue::default();
        let many: Vec<Box<str>> = (0..NAMES_MAX + 1).map(|at| at.to_string().into()).collect();
        catalogue.saw(
            "s",
            &many,
            Page {
                is_first: true,
                is_last: true,
            },
        );
        assert_eq!(catalogue.listing("s", "another"), Listing::Unknown);
    }

    #[test]
    fn what_an_earlier_run_saw_is_remembered_but_refuses_nothing() {
        let catalogue = Catalogue::restored([("s".into(), names(&["a"]))]);
        assert_eq!(catalogue.listing("s", "a"), Listing::Listed);
        assert_eq!(catalogue.listing("s", "b"), Listing::Unknown);
    }

    #[test]
    fn another_server_under_the_same_name_is_not_judged_by_the_list_of_the_first() {
        let catalogue = Catalogue::default();
        let whole = Page {
            is_first: true,
            is_last: true,
        };
        catalogue.saw("s", &names(&["a"]), whole);
        catalogue.forget("s");
        assert_eq!(catalogue.listing("s", "b"), Listing::Unknown);
    }
}
