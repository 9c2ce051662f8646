//! `methods`, `resources` and `prompts`: what of a server a grant may use besides its tools.
//!
//! It never cleans a URI up to judge it: one that two readers could take for two places is refused.

use std::collections::HashSet;

use super::document::Fallback;
use super::slash_glob::SlashGlob;

/// The longest URI or prompt name that is compared with globs, which takes the product of both lengths. Browsers and
/// servers stop at about as much; an agent could send four megabytes.
const NAME_BYTES_MAX: usize = 2_048;

/// What a grant may use besides tools.
#[derive(Debug, Clone)]
pub(super) struct Surface {
    /// `methods`; `None` leaves all of the specification's.
    pub(super) methods: Option<HashSet<Box<str>>>,
    pub(super) resources: Collection,
    pub(super) prompts: Collection,
}

impl Surface {
    /// Whether nothing is kept from the grant.
    pub(super) fn is_open(&self) -> bool {
        self.methods.is_none() && self.resources.is_open() && self.prompts.is_open()
    }
}

/// `resources` or `prompts`.
#[derive(Debug, Clone)]
pub(super) struct Collection {
    /// What happens to a name that nothing below matches.
    pub(super) default: Fallback,
    pub(super) allow: Vec<SlashGlob>,
    /// Stands above `allow`.
    pub(super) hide: Vec<SlashGlob>,
}

impl Collection {
    /// Whether a name is there for the grant. One that is too long never is, unless nothing is kept from the grant.
    pub(super) fn has(&self, name: &str) -> bool {
        if self.is_open() {
            return true;
        }
        let matches = |globs: &[SlashGlob]| globs.iter().any(|glob| glob.matches(name));
        name.len() <= NAME_BYTES_MAX
            && !matches(&self.hide)
            && (self.default == Fallback::Allow || matches(&self.allow))
    }

    /// Whether a resource is there for the grant. A URI that is not in its plain form never is, unless nothing is kept
    /// from the grant at all.
    pub(super) fn has_uri(&self, uri: &str) -> bool {
        self.is_open() || is_plain(uri) && self.has(uri)
    }

    /// Whether nothing is kept from the grant.
    pub(super) fn is_open(&self) -> bool {
        self.default == Fallback::Allow && self.hide.is_empty()
    }

    /// Whether a template (RFC 6570) is there for the grant: judged as the URI in which `x` stands for each expression.
    pub(super) fn has_template(&self, template: &str) -> bool {
        expanded(template).is_some_and(|uri| self.has_uri(&uri))
    }
}

/// Whether a URI (RFC 3986) is spelled in the one way that all readers take for the same place: no `.` or `..` segment,
/// no empty one, no escape of what needs none or of a separator, no user, no capitals in scheme and host.
fn is_plain(uri: &str) -> bool {
    let is_odd = |c: char| c == '\\' || c.is_whitespace() || c.is_control();
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())),
        None => ("", rest),
    };
    let path = &path[..path.find(['?', '#']).unwrap_or(path.len())];
    !uri.contains(is_odd)
        && is_plain_scheme(scheme)
        && !authority.contains(|c: char| c == '@' || c.is_ascii_uppercase())
        && is_plain_path(path)
        && escapes_are_needed(uri)
}

fn is_plain_scheme(scheme: &str) -> bool {
    let is_fit =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    !scheme.is_empty() && scheme.bytes().all(is_fit)
}

/// Only the last segment may be empty: a slash at the end.
fn is_plain_path(path: &str) -> bool {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let is_odd = |segment: &str| matches!(segment, "" | "." | "..");
    path.is_empty() || !path.split('/').any(is_odd)
}

/// Whether every `%` begins an escape of a byte that must be escaped: no letter, digit, `-._~`, `/` or `\`.
fn escapes_are_needed(uri: &str) -> bool {
    uri.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2).unwrap_or_default();
        let is_hex = digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        let byte = u8::from_str_radix(digits, 16).unwrap_or(b'/');
        is_hex && !byte.is_ascii_alphanumeric() && !b"-._~/\\%".contains(&byte) && byte != 0
    })
}

/// The template with `x` in place of each expression; `None` if a brace has no other.
fn expanded(template: &str) -> Option<String> {
    let mut uri = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (_, after) = after.split_once('}')?;
        uri.push_str(before);
        uri.push('x');
        rest = after;
    }
    (!rest.contains('}')).then(|| uri + rest)
}
