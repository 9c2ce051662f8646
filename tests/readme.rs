//! The README's page of promises names the tests that show each of them: they must be there.
//!
//! It never asks whether they pass: that is their own affair.

use std::path::{Path, PathBuf};

const PAGE: &str = "## What a limit promises";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of the page, up to the next one.
fn page() -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let start = readme.find(PAGE).expect("the README has the page") + PAGE.len();
    let rest = &readme[start..];
    rest[..rest.find("\n## ").unwrap_or(rest.len())].to_owned()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// A name is a sentence of four words or more.
fn is_test(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.chars().all(is_word) && text.matches('_').count() >= 3
}

#[test]
fn every_test_that_the_page_of_promises_names_is_there() {
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        sources(&root().join(folder), &mut files);
    }
    let text: String = files
        .iter()
        .map(|file| std::fs::read_to_string(file).expect("a source is text"))
        .collect();
    let page = page();
    // Settings and metrics look like names of tests.
    let others = [
        "counters_per_grant_max",
        "toolgate_journal_lost_lines_total",
    ];
    let named: Vec<_> = quoted(&page)
        .filter(|name| is_test(name) && !others.contains(name))
        .collect();
    assert!(named.len() > 25, "the page names {} tests", named.len());
    let is_gone = |name: &&&str| !text.contains(&format!("fn {name}("));
    let gone: Vec<_> = named.iter().filter(is_gone).collect();
    assert!(gone.is_empty(), "{gone:#?}");
    let files = quoted(&page).filter(|name| name.starts_with("tests/"));
    let gone: Vec<_> = files.filter(|file| !root().join(file).exists()).collect();
    assert!(gone.is_empty(), "{gone:#?}");
}

#[test]
fn every_promise_has_something_that_shows_it() {
    let page = page();
    let promises = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    let bare: Vec<_> = promises
        .filter(|line| {
            let shown = line.trim_end_matches(" |").rsplit(" | ").next();
            !shown.is_some_and(|shown| quoted(shown).any(|name| !name.is_empty()))
        })
        .collect();
    assert!(bare.is_empty(), "{bare:#?}");
}
