//! The rules of the house, held against the source itself.
//!
//! Each rule is a function over text (`house/rules.rs`). Here they meet the real tree; in `house/examples.rs` each meets small
//! texts that break it and some that do not, so that a rule that cannot fail is noticed. Never looks into `target`.

#[path = "house/examples.rs"]
mod examples;
#[path = "house/rules.rs"]
mod rules;
#[path = "house/source.rs"]
mod source;

use std::fs;
use std::path::Path;

use rules::Finding;
use source::Source;

type Rule = fn(&Source) -> Vec<Finding>;

/// Finds nothing in any Rust file of the repository, or says where.
fn holds(rule: Rule) {
    let sources = sources();
    assert!(
        sources.iter().any(|source| source.path == "src/lib.rs"),
        "the tree was not found"
    );
    let found: Vec<String> = sources
        .iter()
        .flat_map(|source| {
            rule(source)
                .into_iter()
                .map(|(line, what)| format!("{}:{line}: {what}", source.path))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<_> = [
        "src",
        "tests",
        "benches",
        "loadtest",
        "fuzz/src",
        "fuzz/fuzz_targets",
    ]
    .iter()
    .map(|folder| root.join(folder))
    .filter(|folder| folder.is_dir())
    .collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the repository is readable") {
            let path = entry
                .expect("a folder of the repository is readable")
                .path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("source is UTF-8");
                let inside = path
                    .strip_prefix(root)
                    .expect("it was found under the root");
                found.push(Source::new(
                    &inside.to_string_lossy().replace('\\', "/"),
                    &text,
                ));
            }
        }
    }
    found
}

#[test]
fn every_room_uses_only_the_rooms_below_it() {
    holds(rules::rooms_stand_on_their_floors);
}

#[test]
fn only_the_clock_reads_the_time() {
    holds(rules::only_the_clock_reads_the_time);
}

#[test]
fn the_lowest_floor_is_pure() {
    holds(rules::the_lowest_floor_is_pure);
}

#[test]
fn every_file_says_what_it_is_for() {
    holds(rules::a_file_says_what_it_is_for);
}

#[test]
fn every_file_fits_in_the_head() {
    holds(rules::a_file_fits_in_the_head);
}

#[test]
fn every_function_fits_on_a_screen() {
    holds(rules::a_function_fits_on_a_screen);
}

#[test]
fn every_name_says_something() {
    holds(rules::names_say_something);
}

#[test]
fn nothing_is_unwrapped_or_left_undone() {
    holds(rules::nothing_is_unwrapped_or_left_undone);
}

#[test]
fn no_public_signature_can_be_mixed_up() {
    holds(rules::signatures_cannot_be_mixed_up);
}

#[test]
fn every_test_runs_and_none_sleeps() {
    holds(rules::tests_all_run_and_none_sleeps);
}
