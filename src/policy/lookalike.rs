//! Finds argument keys that a server could take for a key that a rule judges.
//!
//! It never matches a key by looks: a look-alike is refused, not judged.

use super::decision::Rule;
use super::path::{self, Step};
use crate::json::{Kind, Value, fold};

/// The keys that the paths of a tool's rules name, depth by depth.
#[derive(Debug, Clone, Default)]
pub(super) struct Protected {
    keys: Vec<Key>,
    elements: Option<Box<Protected>>,
}

/// One key that a path names.
#[derive(Debug, Clone)]
pub(super) struct Key {
    name: Box<str>,
    folded: Box<str>,
    below: Protected,
    /// The first rule that names it.
    pub(super) rule: Rule,
    /// What the agent is told of a look-alike; its own spelling is not repeated.
    pub(super) words: Box<str>,
}

impl Protected {
    /// Adds the keys of a path.
    pub(super) fn add(&mut self, steps: &[Step], rule: &Rule) {
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
    pub(super) fn look_alike(&self, value: Value<'_>) -> Option<&Key> {
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

    fn key_like(&self, name: &str, value: Value<'_>) -> Option<&Key> {
        if let Some(key) = self.keys.iter().find(|key| *key.name == *name) {
            return key.below.look_alike(value);
        }
        // Most keys are plain ASCII, which folds to lower case: comparing so takes no memory.
        if name.bytes().all(|byte| byte.is_ascii_graphic()) {
            let looks_like = |key: &&Key| key.folded.eq_ignore_ascii_case(name);
            return self.keys.iter().find(looks_like);
        }
        let folded = fold(name);
        self.keys.iter().find(|key| *key.folded == *folded)
    }
}

impl Key {
    fn new(name: &str, rule: &Rule, parent: &str) -> Key {
        Key {
            name: name.into(),
            folded: fold(name).into(),
            below: Protected::default(),
            rule: rule.clone(),
            words: format!("{parent} must not have a key that only looks like {name:?}").into(),
        }
    }
}
