//! What the catalogue promises.

use super::*;
use crate::json::{Duplicates, Reader};

/// A tool as a server would list it, with `more` after its name.
fn tool(name: &str, more: &str) -> Tool {
    let mut reader = Reader::new(Duplicates::Refused);
    let text = format!(r#"{{"name":"{name}"{more}}}"#);
    let document = reader.read(text.as_bytes()).expect("JSON");
    Tool::read(document.root()).expect("it has a name")
}

fn named(names: &[&str]) -> Vec<Tool> {
    names.iter().map(|name| tool(name, "")).collect()
}

fn known(names: &[&str]) -> Vec<Known> {
    let known = |name: &&str| Known {
        name: (*name).into(),
        hints: Hints::new(),
    };
    names.iter().map(known).collect()
}

const FIRST: Page = Page {
    is_first: true,
    is_last: false,
    at: Timestamp::from_nanos(5),
};
const LAST: Page = Page {
    is_first: false,
    is_last: true,
    ..FIRST
};
const WHOLE: Page = Page {
    is_first: true,
    ..LAST
};

#[test]
fn a_tool_is_unknown_only_when_the_whole_list_was_seen() {
    let catalogue = Catalogue::default();
    assert_eq!(catalogue.listing("s", "a"), Listing::Unknown);
    assert_eq!(catalogue.saw("s", named(&["a"]), FIRST), None);
    assert_eq!(catalogue.listing("s", "b"), Listing::Unknown);
    assert_eq!(
        catalogue.saw("s", named(&["b"]), LAST),
        Some(known(&["a", "b"]))
    );
    assert_eq!(catalogue.listing("s", "b"), Listing::Listed);
    assert_eq!(catalogue.listing("s", "c"), Listing::NotListed);
    assert_eq!(catalogue.listing("other", "c"), Listing::Unknown);
    let again = catalogue.saw("s", named(&["b"]), LAST);
    assert_eq!(again, None, "nothing new");
}

#[test]
fn a_server_with_more_tools_than_are_kept_has_none_refused() {
    let catalogue = Catalogue::default();
    let many = (0..NAMES_MAX + 1).map(|at| tool(&at.to_string(), ""));
    catalogue.saw("s", many.collect(), WHOLE);
    assert_eq!(catalogue.listing("s", "another"), Listing::Unknown);
}

#[test]
fn what_an_earlier_run_saw_is_remembered_but_refuses_nothing() {
    let catalogue = Catalogue::restored([("s".into(), known(&["a"]))]);
    assert_eq!(catalogue.listing("s", "a"), Listing::Listed);
    assert_eq!(catalogue.listing("s", "b"), Listing::Unknown);
    assert!(catalogue.definition("s", "a").is_none());
    assert!(catalogue.is_due("s", Timestamp::from_nanos(5)));
}

#[test]
fn another_server_under_the_same_name_is_not_judged_by_the_list_of_the_first() {
    let catalogue = Catalogue::default();
    catalogue.saw("s", named(&["a"]), WHOLE);
    catalogue.forget("s");
    assert_eq!(catalogue.listing("s", "b"), Listing::Unknown);
    assert!(catalogue.definition("s", "a").is_none());
}

#[test]
fn a_list_is_due_until_it_was_seen_whole_and_again_when_it_is_old() {
    let catalogue = Catalogue::default();
    let at = WHOLE.at;
    assert!(catalogue.is_due("s", at));
    catalogue.saw("s", named(&["a"]), FIRST);
    assert!(catalogue.is_due("s", at));
    catalogue.saw("s", named(&["b"]), LAST);
    assert!(!catalogue.is_due("s", at.plus(LIST_AGE_MAX)));
    let later = at.plus(LIST_AGE_MAX).plus(Duration::from_nanos(1));
    assert!(catalogue.is_due("s", later));
}

#[test]
fn the_hints_that_were_seen_first_stand_across_lists_and_runs() {
    let destructive = r#","annotations":{"destructiveHint":true,"title":"x"}"#;
    let harmless = r#","annotations":{"destructiveHint":false},"inputSchema":{"type":"object"}"#;
    let catalogue = Catalogue::default();
    let kept = catalogue.saw("s", vec![tool("a", destructive)], WHOLE);
    catalogue.saw("s", vec![tool("a", harmless)], WHOLE);
    let hint = |catalogue: &Catalogue| {
        let definition = catalogue.definition("s", "a").expect("it was listed");
        definition.hint("destructiveHint")
    };
    assert_eq!(hint(&catalogue), Some(true));
    let text = Known::write(&kept.expect("a list to keep"));
    let next = Catalogue::restored([("s".into(), Known::read(&text).expect("what was written"))]);
    next.saw("s", vec![tool("a", harmless)], WHOLE);
    assert_eq!(hint(&next), Some(true));
}

#[test]
fn names_that_were_kept_before_hints_were_are_still_read() {
    assert_eq!(Known::read(r#"["a","b"]"#), Some(known(&["a", "b"])));
    assert_eq!(Known::read("[7]"), None);
}

#[test]
fn a_definition_that_did_not_change_is_kept_and_a_new_one_takes_its_place() {
    let schema = r#","inputSchema":{"type":"object"}"#;
    let catalogue = Catalogue::default();
    let listed = |more: &str| {
        catalogue.saw("s", vec![tool("a", more)], WHOLE);
        catalogue.definition("s", "a").expect("it was listed")
    };
    let first = listed(schema);
    assert!(Arc::ptr_eq(&first, &listed(schema)));
    assert!(!Arc::ptr_eq(
        &first,
        &listed(r#","inputSchema":{"type":"array"}"#)
    ));
}

#[test]
fn definitions_beyond_the_bound_are_not_known() {
    let catalogue = Catalogue::default();
    let long = format!(
        r#","inputSchema":{{"title":"{}"}}"#,
        "x".repeat(DEFINITIONS_MAX / 2)
    );
    let tools = ["a", "b", "c"].map(|name| tool(name, &long));
    catalogue.saw("s", tools.into(), WHOLE);
    assert!(catalogue.definition("s", "a").is_some());
    assert!(catalogue.definition("s", "c").is_none());
    assert_eq!(catalogue.listing("s", "c"), Listing::Listed);
}
