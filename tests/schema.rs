//! README: `toolgate schema` prints what editors need to help with policies and the configuration, and it fits both.

mod support;

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;

use support::Folder;

/// Broken policies whose shape is right, each with the reason why only `check` can tell.
const ONLY_FOR_CHECK: &[(&str, &str)] = &[
    (
        "not_built_yet",
        "the schema has the whole language; which parts a program has is its own to say",
    ),
    (
        "by_twice",
        "two paths can name one place in different words",
    ),
    (
        "increment_above_burst",
        "two numbers of one object are compared",
    ),
    (
        "constant_that_does_not_fit",
        "a schema does not say how many digits a number may have",
    ),
    (
        "duplicate_key",
        "readers of JSON keep one of two equal keys before a schema sees them",
    ),
    (
        "duplicate_tool",
        "readers of JSON keep one of two equal keys before a schema sees them",
    ),
    ("exponent_that_does_not_fit", "a schema knows no exponents"),
    (
        "nested_too_deep",
        "a schema that refers to itself does not count",
    ),
    (
        "regex_too_large",
        "the size of a compiled regex is not in its text",
    ),
    (
        "same_counter_twice",
        "elements of a list are compared by one of their keys",
    ),
    ("tests_that_fail", "the policy has to be run"),
    ("tie_between_globs", "globs are compared with each other"),
];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What `toolgate schema` prints, ready to judge.
fn schema(language: &str) -> (Value, Validator) {
    let output = Folder::new().run(&["schema", language]);
    assert_eq!(output.status.code(), Some(0));
    let schema: Value = serde_json::from_slice(&output.stdout).expect("a schema is JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("it is a schema of 2020-12");
    (schema, validator)
}

fn fits(validator: &Validator, name: &str, value: &Value) {
    let told: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(told.is_empty(), "{name}: {told:#?}");
}

/// All files in a folder with one extension.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root(folder)).expect("the folder is there");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .collect();
    assert!(!found.is_empty(), "{folder} has no .{extension}");
    found.sort();
    found
}

/// The fenced blocks of the README in one language.
fn blocks(language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(root("README.md")).expect("there is a README");
    let fence = format!("```{language}\n");
    let blocks = readme.split(&fence).skip(1);
    let blocks: Vec<String> = blocks
        .filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()))
        .collect();
    assert!(!blocks.is_empty(), "the README has no {language}");
    blocks
}

#[test]
fn every_policy_that_is_shown_or_tested_fits_the_schema() {
    let (_, validator) = schema("policy");
    for file in ["policies", "tests/fixtures/import"]
        .iter()
        .flat_map(|folder| files(folder, "json"))
    {
        let text = std::fs::read(&file).expect("it can be read");
        let value = serde_json::from_slice(&text).expect("a policy is JSON");
        fits(&validator, &file.display().to_string(), &value);
    }
    let mut shown = 0;
    for block in blocks("json") {
        let value: Value = serde_json::from_str(&block).expect("a block of JSON is JSON");
        if value.get("version").is_some() {
            fits(&validator, &block, &value);
            shown += 1;
        }
    }
    assert!(shown > 0, "the README shows no policy");
}

#[test]
fn every_broken_policy_is_refused_or_is_for_check_alone() {
    let (_, validator) = schema("policy");
    let mut surprises = Vec::new();
    for file in files("tests/fixtures/policy/bad", "json") {
        let name = file
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read(&file).expect("it can be read");
        // What is no JSON is told by the editor itself.
        let Ok(value) = serde_json::from_slice::<Value>(&text) else {
            continue;
        };
        let is_for_check = ONLY_FOR_CHECK.iter().any(|(listed, _)| *listed == name);
        let verdict = validator
            .validate(&value)
            .map_err(|error| error.to_string());
        if verdict.is_ok() != is_for_check {
            surprises.push(format!("{name}: {verdict:?}"));
        }
    }
    assert!(
        surprises.is_empty(),
        "a fault of shape must be refused; one of meaning stands in ONLY_FOR_CHECK with its reason: {surprises:#?}"
    );
    for (name, _) in ONLY_FOR_CHECK {
        let file = root("tests/fixtures/policy/bad").join(format!("{name}.json"));
        assert!(file.exists(), "{name} is listed and not there");
    }
}

#[test]
fn the_whole_language_of_policies_fits_the_schema() {
    let (_, validator) = schema("policy");
    let text = std::fs::read(root("tests/fixtures/schema/whole.json")).expect("it can be read");
    let whole: Value = serde_json::from_slice(&text).expect("JSON");
    fits(&validator, "whole.json", &whole);
}

#[test]
fn configurations_that_are_shown_fit_the_schema_of_the_configuration() {
    let (_, validator) = schema("config");
    let folder = Folder::new();
    let mut program = folder.program();
    // As wide as the help may be, so that no comment is wrapped.
    let help = program
        .args(["serve", "--help"])
        .env("COLUMNS", "120")
        .output();
    let help = String::from_utf8(help.expect("the program runs").stdout).expect("text");
    let start = help
        .find("  listen = ")
        .expect("the help shows a configuration");
    let end = help.find("Further settings").expect("and more settings");
    let more = help[end..]
        .find("  data = ")
        .expect("which begin with data")
        + end;
    let last = help
        .find("A file in the mcpServers")
        .expect("and end there");
    let shown = format!(
        "{}\n{}",
        &help[more..last]
            .split("# and for each")
            .next()
            .expect("a part"),
        &help[start..end]
    );
    for text in blocks("toml").into_iter().chain([shown]) {
        let table: toml::Table =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let value = serde_json::to_value(table).expect("TOML has no more than JSON");
        fits(&validator, &text, &value);
    }
    for broken in [
        "lisen = \"x\"",
        "workers = 0",
        "guard = { per_second = 1 }",
        "[servers.s]",
        "[servers.s]\nurl = \"x\"\ncommand = \"y\"",
        "[servers.s]\nurl = \"x\"\nargs = []",
        "[grants.g]",
    ] {
        let table: toml::Table = toml::from_str(broken).expect("TOML");
        let value = serde_json::to_value(table).expect("TOML has no more than JSON");
        assert!(!validator.is_valid(&value), "{broken}");
    }
}

#[test]
fn no_key_is_described_as_one_that_may_be_null() {
    for language in ["policy", "config"] {
        let (schema, _) = schema(language);
        assert!(!schema.to_string().contains("\"null\""), "{language}");
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
    }
}
