//! `"schema": "closed"`: keys of the arguments that the tool's own schema does not name.
//!
//! It never guesses: where a schema is put together of parts, only its outermost keys are held against it.

use super::path::{self, Step};
use crate::json::{Kind, Value};

/// Words of a schema after which other keys than those of `properties` may be meant.
const OPENING: &[&str] = &[
    "additionalProperties",
    "patternProperties",
    "unevaluatedProperties",
    "$ref",
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "dependentSchemas",
];

/// What a schema names at one place of the arguments.
#[derive(Debug, Default)]
pub(super) struct NamedKeys {
    keys: Vec<(Box<str>, NamedKeys)>,
    elements: Option<Box<NamedKeys>>,
    /// Whether an object here may have other keys.
    is_open: bool,
}

impl NamedKeys {
    /// What a tool's `inputSchema` names. The outermost object is closed whatever else the schema says.
    pub(super) fn of_arguments(schema: &serde_json::Value) -> NamedKeys {
        NamedKeys {
            is_open: false,
            ..NamedKeys::of(schema)
        }
    }

    fn of(schema: &serde_json::Value) -> NamedKeys {
        let properties = schema.get("properties").and_then(|all| all.as_object());
        let keys = properties.into_iter().flatten();
        let keys = keys.map(|(name, inside)| (name.as_str().into(), NamedKeys::of(inside)));
        NamedKeys {
            keys: keys.collect(),
            elements: schema
                .get("items")
                .map(|items| Box::new(NamedKeys::of(items))),
            is_open: properties.is_none() || OPENING.iter().any(|word| schema.get(word).is_some()),
        }
    }

    /// Says where there is a key that is not named, if there is one. The key itself, which the agent chose, is not told.
    pub(super) fn stray(&self, value: Value<'_>) -> Option<String> {
        self.stray_below(value, &mut Vec::new())
    }

    fn stray_below(&self, value: Value<'_>, here: &mut Vec<Step>) -> Option<String> {
        match value.kind() {
            Kind::Object => value.members().find_map(|(key, value)| {
                let name = key.as_str()?;
                match self.keys.iter().find(|(own, _)| **own == *name) {
                    Some((own, below)) => {
                        here.push(Step::Key(own.clone()));
                        let found = below.stray_below(value, here);
                        here.pop();
                        found
                    }
                    None if self.is_open => None,
                    None => Some(format!(
                        "{} must have no key that the tool's schema does not name",
                        path::shown(here)
                    )),
                }
            }),
            Kind::Array => {
                let below = self.elements.as_deref()?;
                here.push(Step::Each);
                let found = value
                    .elements()
                    .find_map(|element| below.stray_below(element, here));
                here.pop();
                found
            }
            _ => None,
        }
    }
}
