//! Arguments against a JSON Schema, the author's or the tool's own.
//!
//! It never fetches what a schema refers to, and never repeats an argument's value.

use jsonschema::{Draft, PatternOptions, Validator};

use super::path::Step;
use super::words::cut;
use crate::json::{Kind, Value};

/// A compiled pattern may take so many bytes, as in conditions.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A compiled schema.
#[derive(Debug)]
pub(super) struct InputSchema {
    validator: Validator,
    paths: Vec<Vec<Step>>,
}

impl InputSchema {
    /// Compiles a schema. It is read as 2020-12 unless its `$schema` names another draft; an error says what is wrong.
    pub(super) fn compile(schema: &serde_json::Value) -> Result<InputSchema, String> {
        // The other engine backtracks: a pattern could take for ever.
        let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES_MAX);
        let draft = Draft::Draft202012.detect(schema);
        let validator = jsonschema::options()
            .with_draft(draft)
            .with_pattern_options(patterns)
            .build(schema)
            .map_err(|error| format!("this is no schema that can be used: {error}"))?;
        let mut paths = Vec::new();
        named_keys(schema, &mut Vec::new(), &mut paths);
        Ok(InputSchema { validator, paths })
    }

    /// The ways to all keys that `properties` name.
    pub(super) fn paths(&self) -> &[Vec<Step>] {
        &self.paths
    }

    /// What is wrong with arguments that do not fit; none at all are like `{}`.
    pub(super) fn misfit(&self, arguments: Option<Value<'_>>) -> Option<String> {
        let arguments = arguments.map_or_else(|| serde_json::json!({}), plain);
        if self.validator.is_valid(&arguments) {
            return None;
        }
        let mut errors = self.validator.iter_errors(&arguments);
        let words = match errors.next() {
            Some(error) => {
                let at = dotted(error.instance_path().as_str());
                // Masked: without the value. What remains are the schema's words and the arguments' keys.
                format!("{at} does not fit the schema: {}", error.masked())
            }
            None => "args does not fit the schema".to_owned(),
        };
        let safe = words.replace(|c: char| c.is_control(), "\u{fffd}");
        Some(cut(&safe))
    }
}

/// Adds the ways to the keys that `properties` name, at any depth that `properties` and `items` lead to.
fn named_keys(schema: &serde_json::Value, here: &mut Vec<Step>, paths: &mut Vec<Vec<Step>>) {
    let properties = schema.get("properties").and_then(|all| all.as_object());
    for (name, inside) in properties.into_iter().flatten() {
        here.push(Step::Key(name.as_str().into()));
        paths.push(here.clone());
        named_keys(inside, here, paths);
        here.pop();
    }
    if let Some(items) = schema.get("items") {
        here.push(Step::Each);
        named_keys(items, here, paths);
        here.pop();
    }
}

/// A JSON Pointer into the arguments, spelled as paths are.
fn dotted(pointer: &str) -> String {
    let mut path = String::from("args");
    for name in pointer.split('/').skip(1) {
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{name}]"));
        } else {
            path.push('.');
            path.push_str(&name.replace("~1", "/").replace("~0", "~"));
        }
    }
    path
}

/// The value as the validator wants it. Its depth is bounded by the reader's.
fn plain(value: Value<'_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool => value.as_bool().into(),
        Kind::Number => number(value.raw()),
        Kind::String => value.as_str().into(),
        Kind::Array => value.elements().map(plain).collect(),
        Kind::Object => value
            .members()
            .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), plain(value)))
            .collect(),
    }
}

/// An integer of 64 bits as it is, all else as the nearest double.
fn number(text: &str) -> serde_json::Value {
    let integer = text.parse::<i64>().map(Into::into);
    integer
        .or_else(|_| text.parse::<u64>().map(Into::into))
        .or_else(|_| text.parse::<f64>().map(Into::into))
        .unwrap_or_default()
}
