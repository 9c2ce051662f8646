//! A broken policy does not load, and says all that is wrong with it, where, and what to do.
//!
//! Each file of `fixtures/policy/bad` stands beside the messages it must give, one a line.

#[path = "broken_policies/limits.rs"]
mod limits;

use std::path::{Path, PathBuf};

use toolgate::policy::Policy;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/policy/bad")
}

/// Compiles `<name>.json` and compares its mistakes with `<name>.txt`.
fn refused(name: &str) {
    let file = folder().join(name);
    let source = std::fs::read(file.with_extension("json")).expect("the policy is there");
    let expected =
        std::fs::read_to_string(file.with_extension("txt")).expect("so are its messages");
    let mistakes = Policy::compile(&source).expect_err("a broken policy does not load");
    let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(told, expected.lines().collect::<Vec<_>>(), "{name}");
}

#[test]
fn every_broken_policy_has_a_test_and_a_message() {
    let this = [
        include_str!("broken_policies.rs"),
        include_str!("broken_policies/limits.rs"),
    ]
    .concat();
    for entry in std::fs::read_dir(folder()).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        assert!(
            this.contains(&format!("refused(\"{name}\")")),
            "{name} has no test"
        );
        let messages = std::fs::read_to_string(path.with_extension("txt")).expect("messages");
        assert!(!messages.trim().is_empty(), "{name} has no message");
    }
}

#[test]
fn any_with_other_keys() {
    refused("any_with_other_keys");
}

#[test]
fn bad_regex() {
    refused("bad_regex");
}

#[test]
fn broken_all_tools() {
    refused("broken_all_tools");
}

#[test]
fn broken_constants() {
    refused("broken_constants");
}

#[test]
fn broken_counter() {
    refused("broken_counter");
}

#[test]
fn broken_facts() {
    refused("broken_facts");
}

#[test]
fn broken_glob() {
    refused("broken_glob");
}

#[test]
fn broken_path() {
    refused("broken_path");
}

#[test]
fn broken_schema() {
    refused("broken_schema");
}

#[test]
fn broken_surface() {
    refused("broken_surface");
}

#[test]
fn broken_tests() {
    refused("broken_tests");
}

#[test]
fn burst_not_below_max() {
    refused("burst_not_below_max");
}

#[test]
fn byte_order_mark() {
    refused("byte_order_mark");
}

#[test]
fn condition_is_a_string() {
    refused("condition_is_a_string");
}

#[test]
fn constant_that_does_not_fit() {
    refused("constant_that_does_not_fit");
}

#[test]
fn cut_short() {
    refused("cut_short");
}

#[test]
fn default_of_wrong_type() {
    refused("default_of_wrong_type");
}

#[test]
fn duplicate_key() {
    refused("duplicate_key");
}

#[test]
fn duplicate_key_inside_a_constant() {
    refused("duplicate_key_inside_a_constant");
}

#[test]
fn duplicate_tool() {
    refused("duplicate_tool");
}

#[test]
fn empty_file() {
    refused("empty_file");
}

#[test]
fn empty_hide_entry() {
    refused("empty_hide_entry");
}

#[test]
fn entry_is_no_list() {
    refused("entry_is_no_list");
}

#[test]
fn equal_to_null() {
    refused("equal_to_null");
}

#[test]
fn everything_at_once() {
    refused("everything_at_once");
}

#[test]
fn exists_of_wrong_type() {
    refused("exists_of_wrong_type");
}

#[test]
fn exponent_that_does_not_fit() {
    refused("exponent_that_does_not_fit");
}

#[test]
fn fractional_max() {
    refused("fractional_max");
}

#[test]
fn hide_of_wrong_type() {
    refused("hide_of_wrong_type");
}

#[test]
fn in_without_a_list() {
    refused("in_without_a_list");
}

#[test]
fn limit_without_max() {
    refused("limit_without_max");
}

#[test]
fn max_of_wrong_type() {
    refused("max_of_wrong_type");
}

#[test]
fn max_of_zero() {
    refused("max_of_zero");
}

#[test]
fn missing_conditions() {
    refused("missing_conditions");
}

#[test]
fn missing_default() {
    refused("missing_default");
}

#[test]
fn missing_value() {
    refused("missing_value");
}

#[test]
fn missing_version() {
    refused("missing_version");
}

#[test]
fn negative_max() {
    refused("negative_max");
}

#[test]
fn nested_too_deep() {
    refused("nested_too_deep");
}

#[test]
fn not_an_object() {
    refused("not_an_object");
}

#[test]
fn not_built_yet() {
    refused("not_built_yet");
}

#[test]
fn not_json() {
    refused("not_json");
}

#[test]
fn order_against_a_string() {
    refused("order_against_a_string");
}

#[test]
fn rate_limit_without_window() {
    refused("rate_limit_without_window");
}

#[test]
fn rate_that_cannot_be_read() {
    refused("rate_that_cannot_be_read");
}

#[test]
fn reason_without_action() {
    refused("reason_without_action");
}

#[test]
fn regex_too_large() {
    refused("regex_too_large");
}

#[test]
fn same_counter_twice() {
    refused("same_counter_twice");
}

#[test]
fn several_mistakes() {
    refused("several_mistakes");
}

#[test]
fn tests_beside_mistakes() {
    refused("tests_beside_mistakes");
}

#[test]
fn tests_that_fail() {
    refused("tests_that_fail");
}

#[test]
fn tie_between_globs() {
    refused("tie_between_globs");
}

#[test]
fn unknown_action() {
    refused("unknown_action");
}

#[test]
fn unknown_counter() {
    refused("unknown_counter");
}

#[test]
fn unknown_default() {
    refused("unknown_default");
}

#[test]
fn unknown_key() {
    refused("unknown_key");
}

#[test]
fn unknown_key_at_the_top() {
    refused("unknown_key_at_the_top");
}

#[test]
fn unknown_operator() {
    refused("unknown_operator");
}

#[test]
fn unknown_version() {
    refused("unknown_version");
}

#[test]
fn unknown_window() {
    refused("unknown_window");
}

#[test]
fn version_is_a_number() {
    refused("version_is_a_number");
}
