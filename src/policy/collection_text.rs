//! Reads `methods`, `resources` and `prompts`.
//!
//! It never takes a name for a method that no revision has: such an entry would allow nothing, and look as if it did.

use super::collection::{Collection, Surface};
use super::document::Fallback;
use super::fields::{Fields, Keys, Text, nearest, word};
use super::mistake::Mistakes;
use super::slash_glob::SlashGlob;

pub(super) const COLLECTION: Keys = Keys {
    built: &["default", "allow", "hide"],
    not_built: &["limits"],
};
const FALLBACKS: &[(&str, Fallback)] = &[("allow", Fallback::Allow), ("deny", Fallback::Deny)];

/// All that a client may ask for in some revision of MCP. What opens and keeps a session (`initialize`,
/// `server/discover`, `ping`, notifications) is always allowed: it may be named, and need not be.
pub(super) const METHODS: &[&str] = &[
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
    "tools/call",
    "tools/list",
];

/// Reads the three keys of a document whose `default` is `fallback`.
pub(super) fn surface(fields: &Fields<'_>, fallback: Fallback, mistakes: &mut Mistakes) -> Surface {
    let methods = fields.optional("methods").map(|_| {
        let names = fields.list("methods", mistakes, Text::read);
        names.iter().for_each(|name| check_method(name, mistakes));
        names.iter().map(|name| name.text.into()).collect()
    });
    Surface {
        methods,
        resources: collection(fields, ("resources", fallback), mistakes),
        prompts: collection(fields, ("prompts", fallback), mistakes),
    }
}

fn check_method(name: &Text<'_>, mistakes: &mut Mistakes) {
    if METHODS.contains(&name.text) {
        return;
    }
    let remedy = match nearest(name.text, METHODS.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("the methods are {}", METHODS.join(", ")),
    };
    let what = format!("no revision of MCP lets a client call {:?}", name.text);
    mistakes.advise(&name.place, what, remedy);
}

fn collection(
    fields: &Fields<'_>,
    (key, fallback): (&str, Fallback),
    mistakes: &mut Mistakes,
) -> Collection {
    let place = fields.optional(key);
    let fields = place.and_then(|place| Fields::read(&place, COLLECTION, mistakes));
    let Some(fields) = fields else {
        return Collection {
            default: fallback,
            allow: Vec::new(),
            hide: Vec::new(),
        };
    };
    let default = fields.optional("default");
    let default = default.and_then(|place| word(&place, FALLBACKS, mistakes));
    let mut globs = |key| {
        let texts = fields.list(key, mistakes, Text::read);
        let glob = |text: Text<'_>| match SlashGlob::parse(text.text) {
            Ok(glob) => Some(glob),
            Err(what) => {
                mistakes.add(&text.place, format!("the glob {:?}: {what}", text.text));
                None
            }
        };
        texts.into_iter().filter_map(glob).collect()
    };
    Collection {
        allow: globs("allow"),
        hide: globs("hide"),
        default: default.unwrap_or(fallback),
    }
}
