//! What breaks each rule of the house, and what only looks as if it did.
//!
//! Never touches the real tree: every text is small and stands here.

use crate::Rule;
use crate::rules::*;
use crate::source::Source;

/// The lines on which a rule finds something in a text.
fn lines(rule: Rule, path: &str, text: &str) -> Vec<usize> {
    rule(&Source::new(path, text))
        .into_iter()
        .map(|(line, _)| line)
        .collect()
}

#[test]
fn a_forbidden_import_is_found_in_every_spelling() {
    for (path, text, found) in [
        ("src/policy/name.rs", "use crate::json::Value;", 0),
        ("src/policy/name.rs", "use crate::mcp::Call;", 1),
        ("src/mcp/mod.rs", "fn f() { crate::policy::decide() }", 1),
        ("src/json/mod.rs", "use crate::policy::Policy;", 1),
        ("src/json/mod.rs", "use crate::clock::Timestamp;", 1),
        (
            "src/sessions/mod.rs",
            "use crate::{clock, store::Store};",
            0,
        ),
        (
            "src/sessions/mod.rs",
            "use crate::{\n    clock,\n    counters::{Counters, Window},\n    record,\n};",
            2,
        ),
        ("src/record/mod.rs", "use crate::counters::Counters;", 0),
        ("src/record/mod.rs", "use crate::upstream::Pool;", 1),
        (
            "src/gateway/routes.rs",
            "use crate::upstream::Pool;\nuse crate::admin::Page;",
            1,
        ),
        ("src/gateway/routes.rs", "use super::super::cli;", 1),
        ("src/gateway/mod.rs", "use super::cli;", 1),
        (
            "src/gateway/deep/inner.rs",
            "use super::super::super::{cli, json};",
            1,
        ),
        ("src/gateway/deep/inner.rs", "use super::super::cli;", 0),
        ("src/gateway/routes.rs", "pub use crate::*;", 1),
        ("src/gateway/routes.rs", "use crate as all;", 1),
        (
            "src/policy/name.rs",
            "// crate::mcp\nconst A: &str = \"crate::mcp\"; /* crate::mcp */",
            0,
        ),
        (
            "src/policy/name.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::mcp::Call;\n}",
            0,
        ),
        (
            "src/policy/name.rs",
            "#[cfg(test)]\nmod tests;\nuse crate::mcp::Call;",
            1,
        ),
        ("src/policy/tests.rs", "use crate::mcp::Call;", 0),
        ("src/cellar/mod.rs", "//! What is this?", 1),
        ("tests/wire.rs", "use crate::whatever;", 0),
    ] {
        assert_eq!(
            lines(rooms_stand_on_their_floors, path, text).len(),
            found,
            "{path}: {text}"
        );
    }
}

#[test]
fn a_clock_read_is_found_outside_the_clock() {
    for (path, text, found) in [
        ("src/clock.rs", "fn now() { Instant::now() }", 0),
        (
            "src/gateway/mod.rs",
            "fn f() { std::time::Instant::now(); SystemTime::now(); }",
            2,
        ),
        ("src/gateway/mod.rs", "fn f() { started.elapsed() }", 1),
        (
            "src/store/mod.rs",
            "fn f() { rustix::time::clock_gettime(id) }",
            1,
        ),
        ("loadtest/src/main.rs", "fn f() { Instant::now() }", 0),
        (
            "src/store/mod.rs",
            "// Instant::now\nfn f() { clock.now() }",
            0,
        ),
        (
            "src/store/mod.rs",
            "#[cfg(test)]\nmod tests { fn f() { Instant::now() } }",
            0,
        ),
    ] {
        assert_eq!(
            lines(only_the_clock_reads_the_time, path, text).len(),
            found,
            "{path}: {text}"
        );
    }
}

#[test]
fn impurity_is_found_on_the_lowest_floor_only() {
    for text in [
        "async fn f() {}",
        "fn f() { g().await }",
        "use tokio::sync::Notify;",
        "use std::{fs, collections::HashMap};",
        "use std::net::TcpStream as Stream;",
        "fn f() { std::fs::read(p) }",
        "use std::sync::{Arc, Mutex};",
        "fn f() { metrics::counter!(\"a\") }",
        "fn f() { tracing::info!(\"a\") }",
    ] {
        assert_ne!(
            lines(the_lowest_floor_is_pure, "src/policy/mod.rs", text),
            [],
            "{text}"
        );
        assert_eq!(
            lines(the_lowest_floor_is_pure, "src/upstream/mod.rs", text),
            [],
            "{text}"
        );
    }
    let pure = "use std::sync::Arc;\n/// Not async, no Mutex.\nfn f(asynchronous: u8) -> &'static str { \"tokio std::fs\" }";
    assert_eq!(
        lines(the_lowest_floor_is_pure, "src/policy/mod.rs", pure),
        []
    );
}

#[test]
fn missing_docs_and_long_files_are_found() {
    let lines_of = |count: usize| "\n".repeat(count);
    for (rule, path, text, found) in [
        (
            a_file_says_what_it_is_for as Rule,
            "src/a.rs",
            "use a;".to_owned(),
            vec![1],
        ),
        (
            a_file_says_what_it_is_for,
            "src/a.rs",
            "//!".to_owned(),
            vec![1],
        ),
        (
            a_file_says_what_it_is_for,
            "src/a.rs",
            "//! Does it.".to_owned(),
            vec![],
        ),
        (a_file_fits_in_the_head, "src/a.rs", lines_of(400), vec![]),
        (
            a_file_fits_in_the_head,
            "src/a.rs",
            lines_of(401),
            vec![401],
        ),
        (
            a_file_fits_in_the_head,
            "src/main.rs",
            lines_of(61),
            vec![61],
        ),
    ] {
        assert_eq!(
            lines(rule, path, &text),
            found,
            "{path}: {} lines",
            text.lines().count()
        );
    }
}

#[test]
fn long_functions_are_found_wherever_they_are() {
    let function = |body: usize| {
        let head = "impl A {\n    pub fn f(a: [u8; 2]) -> B\n    where\n        C: D,\n    {\n";
        format!("{head}{}    }}\n}}\n", "        g('{');\n".repeat(body))
    };
    for (path, body, found) in [
        ("src/a.rs", 55, vec![]),
        ("src/a.rs", 56, vec![2]),
        ("tests/a.rs", 56, vec![2]),
    ] {
        assert_eq!(
            lines(a_function_fits_on_a_screen, path, &function(body)),
            found,
            "{path}: {body}"
        );
    }
}

#[test]
fn empty_names_are_found() {
    for (path, text, found) in [
        ("src/gateway/utils.rs", "//! A.", 1),
        ("src/common/mod.rs", "//! A.", 1),
        ("src/gateway/mod.rs", "mod helpers;\npub mod types { }", 2),
        (
            "src/gateway/mod.rs",
            "fn get_it() {}\npub fn handle_call() {}\nfn decide_impl() {}",
            3,
        ),
        (
            "src/gateway/mod.rs",
            "mod manage;\nfn target_of() {}\nfn done() {}",
            0,
        ),
        ("tests/support/mod.rs", "//! A.", 0),
    ] {
        assert_eq!(
            lines(names_say_something, path, text).len(),
            found,
            "{path}: {text}"
        );
    }
}

#[test]
fn unwraps_and_stubs_are_found_outside_tests() {
    for (path, text, found) in [
        ("src/a.rs", "fn f() { a.unwrap() }", 1),
        (
            "src/a.rs",
            "fn f() { a.unwrap_or(b).expect(\".unwrap()\") }",
            0,
        ),
        (
            "src/a.rs",
            "fn f() { todo!() }\nmacro_rules! m {}\nunsafe fn g() {}",
            3,
        ),
        (
            "src/a.rs",
            "#[cfg(test)]\nmod tests { fn f() { a.unwrap() } }\nfn g() { b.unwrap() }",
            1,
        ),
        ("src/a/tests.rs", "fn f() { a.unwrap() }", 0),
        ("tests/a.rs", "fn f() { a.unwrap() }", 0),
        ("loadtest/src/main.rs", "fn f() { a.unwrap() }", 1),
    ] {
        assert_eq!(
            lines(nothing_is_unwrapped_or_left_undone, path, text).len(),
            found,
            "{path}: {text}"
        );
    }
}

#[test]
fn signatures_that_can_be_mixed_up_are_found() {
    for (text, found) in [
        ("pub fn f(a: A, b: B, c: C, d: D) {}", 0),
        ("pub fn f(&mut self, a: A, b: B, c: C, d: D) {}", 0),
        ("pub fn f(a: A, b: B, c: C, d: D, e: E) {}", 1),
        (
            "pub fn f(\n    a: HashMap<A, B>,\n    b: impl Fn(A, B) -> C,\n    c: (A, B),\n    d: [A; 2],\n) {}",
            0,
        ),
        ("pub async fn f<F: Fn(A) -> B>(a: A, flag: bool) {}", 1),
        ("pub(crate) fn f(flag: Option<bool>) {}", 1),
        ("pub const fn f(a: impl Fn() -> bool) -> bool {}", 0),
        ("fn f(flag: bool, a: A, b: B, c: C, d: D) {}", 0),
        ("pub fn f(from: u64, to: u64) {}", 1),
        ("pub fn f(from: u64, to: u32) {}", 0),
    ] {
        assert_eq!(
            lines(signatures_cannot_be_mixed_up, "src/a.rs", text).len(),
            found,
            "{text}"
        );
    }
}

#[test]
fn sleeping_and_ignored_tests_are_found() {
    for (path, text, found) in [
        (
            "tests/a.rs",
            "#[test]\n#[ignore]\nfn f() { std::thread::sleep(a); }",
            2,
        ),
        (
            "tests/a.rs",
            "#[ignore = \"slow\"]\nfn f() { tokio::time::sleep_until(a); }",
            2,
        ),
        ("src/a.rs", "fn f() { tokio::time::sleep(a) }", 0),
        (
            "src/a.rs",
            "#[cfg(test)]\nmod tests { fn f() { tokio::time::sleep(a) } }",
            1,
        ),
        ("src/a/tests.rs", "fn f() { sleep(a) }", 1),
        (
            "tests/a.rs",
            "// sleep(1)\nfn ignore() { asleep(a); \"sleep(a)\"; }",
            0,
        ),
    ] {
        assert_eq!(
            lines(tests_all_run_and_none_sleeps, path, text).len(),
            found,
            "{path}: {text}"
        );
    }
}

#[test]
fn literals_and_comments_are_no_code() {
    for (text, code) in [
        ("a /* b /* c */ d */ e", "a e"),
        ("r#\"x\"y\"# z", "z"),
        ("'\\'' '\"' b'{' 'a: &'a str", "b 'a: &'a str"),
        ("\"\\\"\" x // y", "x"),
    ] {
        let left = Source::new("src/a.rs", text).code;
        assert_eq!(
            left.split_whitespace().collect::<Vec<_>>().join(" "),
            code,
            "{text}"
        );
        assert_eq!(left.len(), text.len(), "nothing moves: {text}");
    }
}
