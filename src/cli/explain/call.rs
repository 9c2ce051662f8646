//! Reads the call that is to be explained.
//!
//! It never guesses at what is broken: a gateway would not either.

use std::io::Read;

use crate::cli::terminal::CliError;
use crate::json::{Duplicates, Kind, Reader, Value};
use crate::policy::{Call, Definition};

/// The call's text: what was given, or for `-` all of standard input.
pub(in crate::cli) fn text(given: &str) -> Result<String, CliError> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| CliError::unusable(format!("the call cannot be read: {error}")))?;
    Ok(text)
}

/// A call of `{"tool", "args"}`, of a request's `params`, or of the whole request.
pub(in crate::cli) fn read(root: Value<'_>) -> Result<Call<'_>, CliError> {
    let inside = root.member("params").unwrap_or(root);
    let unusable = |what: &str| Err(CliError::unusable(format!("the call: {what}")));
    let tool = inside.member("tool").or_else(|| inside.member("name"));
    let Some(tool) = tool.and_then(Value::as_str) else {
        return unusable("it names no tool; write {\"tool\": \"NAME\", \"args\": {…}}");
    };
    let arguments = inside.member("args").or_else(|| inside.member("arguments"));
    if arguments.is_some_and(|arguments| arguments.kind() != Kind::Object) {
        return unusable("its arguments must be an object");
    }
    let known = ["tool", "args", "name", "arguments", "_meta"];
    let mut keys = inside.members().filter_map(|(key, _)| key.as_str());
    match keys.find(|key| !known.contains(key)) {
        Some(key) => unusable(&format!(
            "it has the unknown key {key:?}; a call has \"tool\" and \"args\""
        )),
        None => Ok(Call { tool, arguments }),
    }
}

/// The definition of the tool, if it is among these.
pub(super) fn defined(definitions: &[Box<str>], tool: &str) -> Option<Definition> {
    let mut reader = Reader::new(Duplicates::Refused);
    definitions.iter().find_map(|text| {
        let document = reader.read(text.as_bytes()).ok()?;
        let name = document.root().member("name").and_then(Value::as_str);
        (name == Some(tool)).then(|| Definition::of(document.root()))
    })
}
