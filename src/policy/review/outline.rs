//! Finds the way around a document that is known to be valid: its lists of rules, their entries, their tests.
//!
//! It never finds mistakes: what is not as it should be does not come here.

use super::super::mistake::Place;
use super::super::name::Glob;

/// The sections of a list of rules, in the order in which they are judged.
pub(super) const SECTIONS: [Section; 3] = [Section::Require, Section::DenyIf, Section::ApproveIf];

/// `require`, `deny_if` or `approve_if`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Require,
    DenyIf,
    ApproveIf,
}

impl Section {
    pub(super) fn name(self) -> &'static str {
        match self {
            Section::Require => "require",
            Section::DenyIf => "deny_if",
            Section::ApproveIf => "approve_if",
        }
    }
}

/// An entry of `tools`, or `all_tools`.
#[derive(Debug, Clone)]
pub(super) struct Rules<'a> {
    /// The key under `tools`; `None` for `all_tools`.
    pub(super) name: Option<&'a str>,
    /// What the key means, if it is a glob.
    pub(super) glob: Option<Glob>,
    pub(super) place: Place<'a>,
}

impl<'a> Rules<'a> {
    pub(super) fn entries(&self, section: Section) -> Vec<Place<'a>> {
        elements(&self.place, section.name())
    }

    /// The entry that denies whatever the arguments are.
    pub(super) fn unconditional_denial(&self) -> Option<Place<'a>> {
        if is_shadow(&self.place) {
            return None;
        }
        let action = under(&self.place, "action");
        let by_action = action.filter(|action| action.value.as_str() == Some("deny"));
        by_action.or_else(|| {
            let mut entries = self.entries(Section::DenyIf).into_iter();
            entries.find(|entry| !is_shadow(entry) && elements(entry, "conditions").is_empty())
        })
    }
}

/// `all_tools`, if it is there, and all entries of `tools`.
pub(super) fn all_rules<'a>(root: &Place<'a>) -> Vec<Rules<'a>> {
    let all_tools = under(root, "all_tools").map(|place| Rules {
        name: None,
        glob: None,
        place,
    });
    all_tools.into_iter().chain(tools(root)).collect()
}

/// The entries of `tools`.
pub(super) fn tools<'a>(root: &Place<'a>) -> Vec<Rules<'a>> {
    let tools = under(root, "tools");
    let entries = tools.iter().flat_map(members);
    entries
        .map(|(name, place)| Rules {
            name: Some(name),
            glob: Glob::parse(name).ok().filter(|_| Glob::is_glob(name)),
            place,
        })
        .collect()
}

/// The member of an object under a key.
pub(super) fn under<'a>(place: &Place<'a>, key: &str) -> Option<Place<'a>> {
    let found = members(place).find(|(name, _)| *name == key)?;
    Some(found.1)
}

/// The elements of the array under a key.
pub(super) fn elements<'a>(place: &Place<'a>, key: &str) -> Vec<Place<'a>> {
    let list = under(place, key);
    list.iter().flat_map(Place::elements).collect()
}

/// The members of an object with their keys.
pub(super) fn members<'a>(place: &Place<'a>) -> impl Iterator<Item = (&'a str, Place<'a>)> {
    place
        .value
        .members()
        .filter_map(|(key, value)| Some((key.as_str()?, place.member(key, value))))
}

/// Whether it is judged and recorded only.
pub(super) fn is_shadow(place: &Place<'_>) -> bool {
    under(place, "shadow").is_some_and(|flag| flag.value.as_bool() == Some(true))
}

/// A test, and how it stands in its entry.
pub(super) struct TestAt<'a> {
    pub(super) place: Place<'a>,
    /// Whether it stands under an odd number of `not`s.
    pub(super) is_flipped: bool,
    /// Whether the entry cannot hold unless this test does.
    pub(super) is_joint: bool,
}

/// All tests of an entry, whatever they stand under.
pub(super) fn all_tests<'a>(entry: &Place<'a>) -> Vec<TestAt<'a>> {
    let mut found = Vec::new();
    let clauses = elements(entry, "conditions").into_iter();
    let mut left: Vec<_> = clauses.map(|clause| (clause, false, true)).collect();
    while let Some((place, is_flipped, is_joint)) = left.pop() {
        let inside = |key, is_joint| {
            let clauses = elements(&place, key).into_iter();
            clauses.map(move |clause| (clause, is_flipped, is_joint))
        };
        left.extend(inside("any", false));
        left.extend(inside("all", is_joint));
        left.extend(under(&place, "not").map(|clause| (clause, !is_flipped, false)));
        if under(&place, "path").is_some() {
            found.push(TestAt {
                place,
                is_flipped,
                is_joint,
            });
        }
    }
    found
}

/// The tests that must all hold for these clauses to hold.
pub(super) fn joint_tests<'a>(clauses: Vec<Place<'a>>) -> Vec<Place<'a>> {
    let mut found = Vec::new();
    for clause in clauses {
        match under(&clause, "path") {
            Some(_) => found.push(clause),
            None => found.extend(joint_tests(elements(&clause, "all"))),
        }
    }
    found
}

/// A text that is there in any valid document.
pub(super) fn text<'a>(place: &Place<'a>, key: &str) -> &'a str {
    let text = under(place, key).and_then(|place| place.value.as_str());
    text.unwrap_or_default()
}
