//! Reads one object or list of a policy: known keys, keys that are not built yet, and the nearest spelling of all others.
//!
//! It never skips anything silently: what is not read is a mistake.

use std::collections::HashSet;

use super::document::quoted;
use super::mistake::{Mistakes, Place};
use crate::json::{Kind, Value};

/// The keys that an object may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    pub(super) built: &'static [&'static str],
    /// Keys of the language that would be ignored if they were accepted.
    pub(super) not_built: &'static [&'static str],
}

/// The members of one object of the document.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    place: Place<'a>,
    members: Vec<(&'a str, Place<'a>)>,
}

impl<'a> Fields<'a> {
    /// Reads an object with these keys; `None`, and a mistake, for anything else.
    pub(super) fn read(
        place: &Place<'a>,
        keys: Keys,
        mistakes: &mut Mistakes,
    ) -> Option<Fields<'a>> {
        let mut fields = Fields {
            place: place.clone(),
            members: Vec::new(),
        };
        for (name, member) in members(place, mistakes)? {
            if keys.built.contains(&name) {
                fields.members.push((name, member));
            } else if keys.not_built.contains(&name) {
                not_built(&member.key(), name, mistakes);
            } else {
                unknown_key(&member.key(), (name, keys), mistakes);
            }
        }
        Some(fields)
    }

    /// The member under a key, if it is there. Duplicates are reported elsewhere; the first one is read.
    pub(super) fn optional(&self, name: &str) -> Option<Place<'a>> {
        self.members
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, member)| member.clone())
    }

    /// The member under a key that must be there.
    pub(super) fn required(&self, name: &str, mistakes: &mut Mistakes) -> Option<Place<'a>> {
        let found = self.optional(name);
        if found.is_none() {
            mistakes.add(&self.place, format!("the key {name:?} is missing"));
        }
        found
    }

    /// A free text that may be missing; an empty one is like none.
    pub(super) fn text(&self, name: &str, mistakes: &mut Mistakes) -> Option<Text<'a>> {
        let place = self.optional(name)?;
        if place.value.as_str() == Some("") {
            return None;
        }
        Text::read(&place, mistakes)
    }

    /// `true` or `false`, which may be missing.
    pub(super) fn flag(&self, name: &str, mistakes: &mut Mistakes) -> Option<bool> {
        let place = self.optional(name)?;
        let value = place.value.as_bool();
        if value.is_none() {
            wrong_type(&place, "true or false", mistakes);
        }
        value
    }

    /// A string that must be there.
    pub(super) fn required_text(&self, name: &str, mistakes: &mut Mistakes) -> Option<Text<'a>> {
        Text::read(&self.required(name, mistakes)?, mistakes)
    }

    /// What stands in the array under a key, read one by one; nothing if it is missing.
    pub(super) fn list<T>(
        &self,
        name: &str,
        mistakes: &mut Mistakes,
        read: impl Fn(&Place<'a>, &mut Mistakes) -> Option<T>,
    ) -> Vec<T> {
        match self.optional(name) {
            Some(place) => list(&place, mistakes, read),
            None => Vec::new(),
        }
    }

    /// What stands in the object under a key, read name by name; nothing if it is missing.
    pub(super) fn named<T>(
        &self,
        name: &str,
        mistakes: &mut Mistakes,
        read: impl Fn(&'a str, &Place<'a>, &mut Mistakes) -> Option<T>,
    ) -> Vec<T> {
        let place = self.optional(name);
        let members = place.and_then(|place| members(&place, mistakes));
        members
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, member)| read(name, &member, mistakes))
            .collect()
    }
}

/// A string of the document.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    pub(super) place: Place<'a>,
    pub(super) text: &'a str,
}

impl<'a> Text<'a> {
    /// Reads a string that says something.
    pub(super) fn read(place: &Place<'a>, mistakes: &mut Mistakes) -> Option<Text<'a>> {
        let text = place.value.as_str();
        match text {
            None => wrong_type(place, "a string", mistakes),
            Some("") => mistakes.add(place, "must not be empty"),
            Some(_) => {}
        }
        Some(Text {
            place: place.clone(),
            text: text.filter(|text| !text.is_empty())?,
        })
    }
}

/// The longest key: as long as the longest name of a tool that is ever compared. All that stands under a key repeats it
/// in its pointer, so that a longer one would cost its length for each.
const KEY_BYTES_MAX: usize = super::NAME_BYTES_MAX;

/// All members of an object with their keys, each key once; `None`, and a mistake, for another type.
pub(super) fn members<'a>(
    place: &Place<'a>,
    mistakes: &mut Mistakes,
) -> Option<Vec<(&'a str, Place<'a>)>> {
    if place.value.kind() != Kind::Object {
        wrong_type(place, "an object", mistakes);
        return None;
    }
    let mut seen = HashSet::new();
    let named = |(key, value): (Value<'a>, Value<'a>)| {
        let name = key.as_str()?;
        if name.len() > KEY_BYTES_MAX {
            let what = format!("a key in here has more than {KEY_BYTES_MAX} bytes");
            mistakes.add(place, what);
            return None;
        }
        seen.insert(name).then(|| (name, place.member(key, value)))
    };
    Some(place.value.members().filter_map(named).collect())
}

/// What stands in an array, read one by one; elements with mistakes are left out.
pub(super) fn list<'a, T>(
    place: &Place<'a>,
    mistakes: &mut Mistakes,
    read: impl Fn(&Place<'a>, &mut Mistakes) -> Option<T>,
) -> Vec<T> {
    if place.value.kind() != Kind::Array {
        wrong_type(place, "an array", mistakes);
    }
    place
        .elements()
        .filter_map(|element| read(&element, mistakes))
        .collect()
}

/// Reads a string that is one of a few words.
pub(super) fn word<T: Copy>(
    place: &Place<'_>,
    words: &[(&str, T)],
    mistakes: &mut Mistakes,
) -> Option<T> {
    if place.value.kind() != Kind::String {
        wrong_type(place, "a string", mistakes);
        return None;
    }
    let text = place.value.as_str()?;
    let found = words.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let known = || words.iter().map(|(word, _)| *word);
        let remedy = match nearest(text, known()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("write {}", quoted(known(), " or ")),
        };
        mistakes.advise(place, format!("{text:?} is not known here"), remedy);
    }
    found.map(|(_, meaning)| *meaning)
}

/// Reports a value of another JSON type than `wanted`.
pub(super) fn wrong_type(place: &Place<'_>, wanted: &str, mistakes: &mut Mistakes) {
    let article = match place.value.kind() {
        Kind::Null => "null".to_owned(),
        kind @ (Kind::Array | Kind::Object) => format!("an {}", kind.name()),
        kind => format!("a {}", kind.name()),
    };
    mistakes.add(place, format!("must be {wanted}, not {article}"));
}

/// Reports a part of the language that this version does not have.
pub(super) fn not_built(place: &Place<'_>, name: &str, mistakes: &mut Mistakes) {
    mistakes.advise(
        place,
        format!("{name:?} is not built yet"),
        "remove it: what cannot be enforced is never ignored",
    );
}

/// Reports a key that the language does not have, with the nearest that it has.
fn unknown_key(place: &Place<'_>, (name, keys): (&str, Keys), mistakes: &mut Mistakes) {
    let known = keys.built.iter().chain(keys.not_built).copied();
    let remedy = match nearest(name, known) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("the keys here are {}", keys.built.join(", ")),
    };
    mistakes.advise(place, format!("unknown key {name:?}"), remedy);
}

/// The most similar of the words, if it could have been meant.
pub(super) fn nearest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    /// A word this long is no slip of any key, and comparing takes the product of the lengths.
    const WORD_BYTES_MAX: usize = 40;
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    words
        .map(|known| (strsim::damerau_levenshtein(&lower, known), known))
        .filter(|(slips, known)| *slips <= (known.len().max(3)) / 3)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, known)| known)
}
