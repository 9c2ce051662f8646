//! `toolgate schema`: the JSON Schema of a language, for editors.
//!
//! It never says that a document is right: a schema knows shapes, `toolgate check` knows meanings.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::terminal::{CliError, print};
use crate::{config, policy};

/// How to use it.
pub(super) const HELP: &str = "Save it and tell your editor, for instance in VS Code's settings:

  \"json.schemas\": [{ \"fileMatch\": [\"policies/*.json\"], \"url\": \"./policy.schema.json\" }]
  \"yaml.schemas\": { \"./policy.schema.json\": \"policies/*.yaml\" }
  \"evenBetterToml.schema.associations\": { \"toolgate.toml\": \"./config.schema.json\" }

The schema knows the shape of what may be written; what it means is judged by `toolgate check`.";

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Of what
    language: Language,
}

/// What has a JSON Schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    /// Policy documents, in JSON or YAML
    Policy,
    /// The configuration, toolgate.toml
    Config,
}

/// Prints the schema.
pub(super) fn run(args: &SchemaArgs) -> Result<ExitCode, CliError> {
    let schema = match args.language {
        Language::Policy => policy::json_schema(),
        Language::Config => config::json_schema(),
    };
    let schema = without_null(schema.to_value());
    print(&format!("{schema:#}\n"));
    Ok(ExitCode::SUCCESS)
}

/// A key that may be missing is described as one that may be null; neither of our languages has null.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(members) => object(members),
        Value::Array(elements) => Value::Array(elements.into_iter().map(without_null).collect()),
        scalar => scalar,
    }
}

fn object(members: Map<String, Value>) -> Value {
    let null = Value::from("null");
    let mut kept = Map::new();
    for (key, value) in members {
        match (key.as_str(), value) {
            ("type", Value::Array(mut types)) => {
                types.retain(|name| *name != null);
                let only = (types.len() == 1).then(|| types[0].clone());
                kept.insert(key, only.unwrap_or(Value::Array(types)));
            }
            ("anyOf", Value::Array(mut choices)) => {
                choices.retain(|choice| choice.get("type") != Some(&null));
                kept.extend(one_or_all(choices.into_iter().map(without_null).collect()));
            }
            ("default", Value::Null) => {}
            ("enum", Value::Array(mut values)) => {
                values.retain(|value| !value.is_null());
                kept.insert(key, Value::Array(values));
            }
            (_, value) => {
                kept.insert(key, without_null(value));
            }
        }
    }
    Value::Object(kept)
}

/// A choice of one is that one.
fn one_or_all(mut choices: Vec<Value>) -> Map<String, Value> {
    match (choices.pop(), choices.is_empty()) {
        (Some(Value::Object(only)), true) => only,
        (last, _) => {
            choices.extend(last);
            [("anyOf".to_owned(), Value::Array(choices))]
                .into_iter()
                .collect()
        }
    }
}
