//! Finds argument keys that a server could take for a key that a rule judges.
//!
//! It never matches a key by looks: a look-alike is refused, not judged.

use super::path::{self, Step};
use crate::json::{Kind, Value, fold};

/// The keys that the paths of a tool's rules name, depth by depth.
/// What each stands for is `R`: a rule, or nothing where one rule stands behind all of them.
#[derive(Debug, Clone)]
pub(super) struct Protected<R> {
    keys: Vec<Key<R>>,
    elements: Option<Box<Protected<R>>>,
}

/// One key that a path names.
#[derive(Debug, Clone)]
pub(super) struct Key<R> {
    name: Box<str>,
    folded: Box<str>,
    below: Protected<R>,
    /// The first rule that names it.
    pub(super) rule: R,
    /// What the agent is told of a look-alike; its own spelling is not repeated.
    pub(super) words: Box<str>,
}

impl<R> Default for Protected<R> {
    fn default() -> Protected<R> {
        Protected {
            keys: Vec::new(),
            elements: None,
        }
    }
}

impl<R: Clone> Protected<R> {
    /// Adds the keys of a path.
    pub(super) fn add(&mut self, steps: &[Step], rule: &R) {
        let mut here = self;
        for (depth, step) in steps.iter().enumerate() {
            here = match step {
                Step::Key(name) => {
                    let at = here.keys.iter().position(|key| key.name == *name);
                    let at = at.unwrap_or_else(|| {
                        here.keys
                            .push(Key::new(name, rule, &path::shown(&steps[..depth])));
                        here.keys.len() - 1
                    });
                    &mut here.keys[at].below
                }
                Step::Index(_) | Step::Each => here.elements.get_or_insert_default(),
            };
        }
    }

    /// The first key of the value, at any depth that a path reaches, that looks like a protected one without being one.
    pub(super) fn look_alike(&self, value: Value<'_>) -> Option<&Key<R>> {
        match value.kind() {
            Kind::Object if !self.keys.is_empty() => value
                .members()
                .find_map(|(key, value)| self.key_like(key.as_str()?, value)),
            Kind::Array => {
                let below = self.elements.as_deref()?;
                value
                    .elements()
                    .find_map(|element| below.look_alike(element))
            }
            _ => None,
        }
    }

    fn key_like(&self, name: &str, value: Value<'_>) -> Option<&Key<R>> {
        if let Some(key) = self.keys.iter().find(|key| *key.name == *name) {
            return key.below.look_alike(value);
        }
        // Most keys are plain ASCII, which folds to lower case: comparing so takes no memory.
        if name.bytes().all(|byte| byte.is_ascii_graphic()) {
            let looks_like = |key: &&Key<R>| key.folded.eq_ignore_ascii_case(name);
            return self.keys.iter().find(looks_like);
        }
        let folded = fold(name);
        self.keys.iter().find(|key| *key.folded == *folded)
    }
}

impl<R: Clone> Key<R> {
    fn new(name: &str, rule: &R, parent: &str) -> Key<R> {
        Key {
            name: name.into(),
            folded: fold(name).into(),
            below: Protected::default(),
            rule: rule.clone(),
            words: format!("{parent} must not have a key that only looks like {name:?}").into(),
        }
    }
}
