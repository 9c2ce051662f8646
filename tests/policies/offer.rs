//! What a server offers: the names of its tools, and which arguments each takes.
//!
//! It knows no policy. It reads the fixtures (`fixtures/tools`), and makes the same facts of a list as the server gave it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// Schemas that refer to themselves are followed so far: deeper than any argument that a policy names.
const DEPTH_MAX: usize = 12;

/// Path of an argument, such as `edits[*].oldText`, → the JSON types it may have, such as `null|string`.
pub(crate) type Arguments = BTreeMap<String, String>;

/// One tool.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    pub(crate) required: BTreeSet<String>,
    pub(crate) arguments: Arguments,
}

/// All tools of one server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) server: String,
    pub(crate) tools: BTreeMap<String, Tool>,
}

impl Offer {
    /// Reads a fixture.
    pub(crate) fn read(file: &Path) -> Offer {
        let text = std::fs::read_to_string(file).expect("the fixture is there");
        let value: Value = serde_json::from_str(&text).expect("a fixture is JSON");
        let tool = |tool: &Value| Tool {
            required: texts(&tool["required"]),
            arguments: members(&tool["arguments"], |types| {
                types.as_str().expect("types").to_owned()
            }),
        };
        Offer {
            server: value["server"].as_str().expect("a name").to_owned(),
            tools: members(&value["tools"], tool),
        }
    }

    /// The same facts, from the answer of a live server to `tools/list`.
    pub(crate) fn of_live(file: &Path) -> Offer {
        let text = std::fs::read_to_string(file).expect("the list is there");
        let value: Value = serde_json::from_str(&text).expect("a list is JSON");
        let tools = value["tools"].as_array().expect("tools").iter();
        Offer {
            server: value["server"].as_str().expect("a name").to_owned(),
            tools: tools
                .map(|tool| {
                    let name = tool["name"].as_str().expect("a tool has a name");
                    (name.to_owned(), Tool::of_schema(&tool["inputSchema"]))
                })
                .collect(),
        }
    }
}

impl Tool {
    fn of_schema(schema: &Value) -> Tool {
        let mut found = BTreeMap::new();
        walk((schema, schema), "", &mut found, DEPTH_MAX);
        let joined = |types: BTreeSet<String>| match types.is_empty() {
            true => "any".to_owned(),
            false => types.into_iter().collect::<Vec<_>>().join("|"),
        };
        Tool {
            required: texts(&schema["required"]),
            arguments: found
                .into_iter()
                .map(|(path, types)| (path, joined(types)))
                .collect(),
        }
    }

    /// The types that stand at a path; `None` if the schema has no such path. What an open object holds is not known: `any`.
    pub(crate) fn types_at(&self, path: &str) -> Option<&str> {
        let mut above = path;
        loop {
            if let Some(types) = self.arguments.get(above) {
                let is_described = |other: &String| {
                    other.len() > above.len()
                        && other.starts_with(above)
                        && other[above.len()..].starts_with(['.', '['])
                };
                return match () {
                    () if above == path => Some(types),
                    () if self.arguments.keys().any(is_described) => None,
                    () => types.contains("object").then_some("any"),
                };
            }
            above = &above[..above.rfind(['.', '['])?];
        }
    }
}

/// Collects the types of everything that a schema describes.
fn walk(
    (schema, root): (&Value, &Value),
    path: &str,
    found: &mut BTreeMap<String, BTreeSet<String>>,
    depth: usize,
) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        let target = root
            .pointer(pointer)
            .expect("a schema refers to its own parts");
        return walk((target, root), path, found, depth);
    }
    if !path.is_empty() {
        let types = found.entry(path.to_owned()).or_default();
        types.extend(schema["type"].as_str().map(str::to_owned));
        types.extend(texts(&schema["type"]));
    }
    for word in ["anyOf", "oneOf"] {
        for inside in schema[word].as_array().into_iter().flatten() {
            walk((inside, root), path, found, depth);
        }
    }
    for (name, inside) in schema["properties"].as_object().into_iter().flatten() {
        let dot = if path.is_empty() { "" } else { "." };
        walk((inside, root), &format!("{path}{dot}{name}"), found, depth);
    }
    if schema["items"].is_object() {
        walk(
            (&schema["items"], root),
            &format!("{path}[*]"),
            found,
            depth,
        );
    }
}

fn texts(value: &Value) -> BTreeSet<String> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(|text| Some(text.as_str()?.to_owned()))
        .collect()
}

fn members<T>(value: &Value, read: impl Fn(&Value) -> T) -> BTreeMap<String, T> {
    let all = value.as_object().into_iter().flatten();
    all.map(|(name, value)| (name.clone(), read(value)))
        .collect()
}
