//! What a tool's JSON Schema says of the argument at a path: whether it has one, of which types, with which values.
//!
//! It never takes a schema for stricter than it is: what is not understood of it allows anything.

use serde_json::Value;

use super::super::path::Step;
use crate::json::Kind;

/// References lead so far, and schemas nest so deep in one another, before nothing more is understood of them.
const DEPTH_MAX: usize = 16;

/// What stands at a path.
pub(super) enum Found<'s> {
    /// Nothing: the schema names other keys, and not this one. These are the names there.
    Absent(Vec<&'s str>),
    /// The schema does not say.
    Anything,
    /// An argument that the schema describes.
    Known(Argument<'s>),
}

/// An argument as its schema describes it.
pub(super) struct Argument<'s> {
    /// It is one of these.
    schemas: Vec<&'s Value>,
    /// Whether a call may leave it out.
    pub(super) is_optional: bool,
    /// What the server takes where a call leaves it out, if the schema says.
    pub(super) default: Option<&'s Value>,
}

/// Looks along a path into the arguments.
pub(super) fn find<'s>(root: &'s Value, steps: &[Step]) -> Found<'s> {
    let mut here = alternatives(root, (root, 0));
    let mut is_optional = false;
    let mut default = None;
    for step in steps {
        let mut next = Vec::new();
        default = None;
        for schema in &here {
            match below(schema, step) {
                Below::Schema(inside, presence) => {
                    is_optional |= presence == Presence::Optional;
                    default = default.or(inside.get("default"));
                    next.extend(alternatives(root, (inside, 0)));
                }
                Below::Anything => return Found::Anything,
                Below::Nothing => {}
            }
        }
        if next.is_empty() {
            let names = here.iter().filter_map(|schema| properties(schema));
            return Found::Absent(
                names
                    .flat_map(|all| all.keys().map(String::as_str))
                    .collect(),
            );
        }
        here = next;
    }
    let inside = || here.iter().find_map(|schema| schema.get("default"));
    Found::Known(Argument {
        default: default.or_else(inside),
        schemas: here,
        is_optional,
    })
}

impl<'s> Argument<'s> {
    /// The types that it may have; `None` if the schema does not say.
    pub(super) fn kinds(&self) -> Option<Vec<Kind>> {
        let mut kinds = Vec::new();
        for schema in &self.schemas {
            kinds.extend(kinds_of(schema)?);
        }
        kinds.sort_by_key(|kind| kind.name());
        kinds.dedup();
        Some(kinds)
    }

    /// All values that it may have, if they are told.
    pub(super) fn values(&self) -> Option<Vec<&'s Value>> {
        let mut values = Vec::new();
        for schema in &self.schemas {
            match (schema.get("enum"), schema.get("const")) {
                (Some(Value::Array(all)), _) => values.extend(all),
                (_, Some(one)) => values.push(one),
                _ if kinds_of(schema).is_some_and(|kinds| kinds.is_empty()) => {}
                _ => return None,
            }
        }
        Some(values)
    }
}

/// The types that one schema allows; null is like nothing.
fn kinds_of(schema: &Value) -> Option<Vec<Kind>> {
    let of_name = |name: &Value| match name.as_str()? {
        "integer" | "number" => Some(Kind::Number),
        "string" => Some(Kind::String),
        "boolean" => Some(Kind::Bool),
        "array" => Some(Kind::Array),
        "object" => Some(Kind::Object),
        _ => None,
    };
    let of_value = |value: &Value| match value {
        Value::Null => None,
        Value::Bool(_) => Some(Kind::Bool),
        Value::Number(_) => Some(Kind::Number),
        Value::String(_) => Some(Kind::String),
        Value::Array(_) => Some(Kind::Array),
        Value::Object(_) => Some(Kind::Object),
    };
    match (schema.get("type"), schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(names)), ..) => Some(names.iter().filter_map(of_name).collect()),
        (Some(name), ..) => Some(of_name(name).into_iter().collect()),
        (_, Some(Value::Array(values)), _) => Some(values.iter().filter_map(of_value).collect()),
        (_, _, Some(value)) => Some(of_value(value).into_iter().collect()),
        _ => None,
    }
}

/// A schema, or what stands for it by reference or in its place.
fn alternatives<'s>(root: &'s Value, (schema, depth): (&'s Value, usize)) -> Vec<&'s Value> {
    if depth > DEPTH_MAX {
        return vec![&Value::Bool(true)];
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = reference
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer));
        return match target {
            Some(target) => alternatives(root, (target, depth + 1)),
            None => vec![&Value::Bool(true)],
        };
    }
    let groups = ["anyOf", "oneOf", "allOf"].map(|key| schema.get(key).and_then(Value::as_array));
    let inside: Vec<&Value> = groups.into_iter().flatten().flatten().collect();
    let says_more = ["type", "properties", "items", "enum", "const"]
        .iter()
        .any(|key| schema.get(key).is_some());
    let mut found: Vec<_> = inside
        .iter()
        .flat_map(|inside| alternatives(root, (inside, depth + 1)))
        .collect();
    if inside.is_empty() || says_more {
        found.push(schema);
    }
    found
}

enum Below<'s> {
    Schema(&'s Value, Presence),
    Anything,
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Required,
    Optional,
}

/// What one schema says of one step down.
fn below<'s>(schema: &'s Value, step: &Step) -> Below<'s> {
    let kinds = kinds_of(schema);
    let may_be = |kind| kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind));
    match step {
        _ if schema.as_bool() == Some(true) => Below::Anything,
        Step::Key(_) if !may_be(Kind::Object) => Below::Nothing,
        Step::Key(name) => match properties(schema).map(|all| all.get(&**name)) {
            Some(Some(inside)) => Below::Schema(inside, presence(schema, name)),
            // `additionalProperties` is true where it is missing; an author who names keys seldom means that.
            Some(None) if !takes_any_key(schema) => Below::Nothing,
            _ => Below::Anything,
        },
        Step::Index(_) | Step::Each if !may_be(Kind::Array) => Below::Nothing,
        Step::Index(_) | Step::Each => match (schema.get("items"), schema.get("prefixItems")) {
            (Some(items), None) => Below::Schema(items, Presence::Required),
            _ => Below::Anything,
        },
    }
}

fn properties(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    schema.get("properties")?.as_object()
}

fn takes_any_key(schema: &Value) -> bool {
    let others = schema.get("additionalProperties");
    let others = others.is_some_and(|others| *others != Value::Bool(false));
    others || schema.get("patternProperties").is_some()
}

fn presence(schema: &Value, name: &str) -> Presence {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = required.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)));
    match is_required {
        true => Presence::Required,
        false => Presence::Optional,
    }
}
