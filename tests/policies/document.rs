//! A ready-made policy, as its author wrote it.
//!
//! It never judges a call: it finds names, conditions and tests in the document.

use std::path::Path;

use serde_json::Value;

/// The JSON of one policy.
pub(crate) struct Document(Value);

/// One condition, and the entry it stands in: a key of `tools`, or `None` for `all_tools`.
pub(crate) struct Condition<'d> {
    pub(crate) entry: Option<&'d str>,
    pub(crate) path: &'d str,
    pub(crate) operator: &'d str,
    pub(crate) value: &'d Value,
}

impl Document {
    pub(crate) fn read(file: &Path) -> Document {
        let text = std::fs::read_to_string(file).expect("the policy is there");
        Document(serde_json::from_str(&text).expect("a policy is JSON"))
    }

    pub(crate) fn member(&self, key: &str) -> &Value {
        &self.0[key]
    }

    /// The keys of an object at the top.
    pub(crate) fn names(&self, key: &str) -> Vec<&str> {
        let members = self.0[key].as_object().into_iter().flatten();
        members.map(|(name, _)| name.as_str()).collect()
    }

    pub(crate) fn hidden(&self) -> Vec<&str> {
        let all = self.0["hide"].as_array().into_iter().flatten();
        all.map(|name| name.as_str().expect("a name")).collect()
    }

    pub(crate) fn tests(&self) -> impl Iterator<Item = &Value> {
        self.0["tests"].as_array().into_iter().flatten()
    }

    /// All conditions, however deep they nest.
    pub(crate) fn conditions(&self) -> Vec<Condition<'_>> {
        let mut found = Vec::new();
        collect(&self.0["all_tools"], None, &mut found);
        for (name, rules) in self.0["tools"].as_object().into_iter().flatten() {
            collect(rules, Some(name), &mut found);
        }
        found
    }
}

fn collect<'d>(value: &'d Value, entry: Option<&'d str>, found: &mut Vec<Condition<'d>>) {
    if let (Some(path), Some(operator)) = (value["path"].as_str(), value["op"].as_str()) {
        found.push(Condition {
            entry,
            path,
            operator,
            value: &value["value"],
        });
    }
    let members = value.as_object().into_iter().flatten();
    let elements = value.as_array().into_iter().flatten();
    for inside in members.map(|(_, inside)| inside).chain(elements) {
        collect(inside, entry, found);
    }
}

impl Condition<'_> {
    /// The JSON types of which one must be possible for the argument, or the condition can never be judged.
    pub(crate) fn judges(&self) -> Vec<&'static str> {
        let of = |value: &Value| match value {
            Value::Bool(_) => vec!["boolean"],
            Value::Number(_) => vec!["number", "integer"],
            _ => vec!["string"],
        };
        match (self.operator, self.value) {
            ("exists" | "is", _) => vec![],
            ("eq" | "neq", value) => of(value),
            ("in" | "not_in", value) => value
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(of)
                .collect(),
            ("lt" | "lte" | "gt" | "gte", _) => vec!["number", "integer"],
            ("contains", _) => vec!["string", "array"],
            (operator, _) if operator.starts_with("length") => vec!["string", "array"],
            _ => vec!["string"],
        }
    }
}

/// The obvious matcher, for the one sign that ready-made policies use.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|left| {
            let ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
            ends.into_iter().any(|at| matches(rest, &left[at..]))
        }),
    }
}
