//! `methods`, `resources` and `prompts`.

use super::*;

fn with(keys: &str) -> Policy {
    compiled(&format!(r#"{{"version":"1","default":"deny",{keys}}}"#))
}

#[test]
fn what_is_not_named_follows_the_documents_default() {
    let closed = compiled(r#"{"version":"1","default":"deny"}"#);
    let open = compiled(r#"{"version":"1","default":"allow"}"#);
    assert!(!closed.has_resource("file:///a") && !closed.has_prompt("p"));
    assert!(open.has_resource("file:///a") && open.has_prompt("p"));
    assert!(open.leaves_all_but_tools() && !closed.leaves_all_but_tools());
    let turned = compiled(
        r#"{"version":"1","default":"allow","resources":{"default":"deny"},"prompts":{"default":"allow"}}"#,
    );
    assert!(!turned.has_resource("file:///a") && turned.has_prompt("p"));
}

#[test]
fn hide_stands_above_allow() {
    let policy = with(
        r#""resources":{"allow":["file:///data/**"],"hide":["file:///data/secret/**","**/*.key"]},
           "prompts":{"allow":["code_*"],"hide":["code_evil"]}"#,
    );
    for (uri, is_there) in [
        ("file:///data/a", true),
        ("file:///data/a/b", true),
        ("file:///data/secret/x", false),
        ("file:///data/a.key", false),
        ("file:///other", false),
        ("file:///database", false),
    ] {
        assert_eq!(policy.has_resource(uri), is_there, "{uri}");
    }
    for (name, is_there) in [("code_review", true), ("code_evil", false), ("else", false)] {
        assert_eq!(policy.has_prompt(name), is_there, "{name}");
    }
}

/// Other spellings of `file:///data/secret/x`, or of places outside `file:///data`.
const ODD: &[&str] = &[
    "file:///data/../etc/passwd",
    "file:///data/./secret/x",
    "file:///data/%2e%2e/etc/passwd",
    "file:///data/.%2E/etc",
    "file:///data/%2Fetc",
    "file:///data/a%5c..%5cb",
    "file:///data\\..\\etc",
    "file:///data//secret/x",
    "file:///data/%73ecret/x",
    "FILE:///data/secret/x",
    "File:///data/a",
    "file://user@host/data/a",
    "file://HOST/data/a",
    "file:///data/a b",
    "file:///data/a\n",
    "file:///data/%00",
    "file:///data/%",
    "file:///data/%zz",
    "data/a",
    "",
];

#[test]
fn a_uri_in_another_spelling_is_never_there_where_anything_is_kept_back() {
    let allowing = with(r#""resources":{"allow":["**"]}"#);
    let hiding = with(r#""resources":{"default":"allow","hide":["file:///data/secret/**"]}"#);
    for uri in ODD {
        assert!(!allowing.has_resource(uri), "{uri}");
        assert!(!hiding.has_resource(uri), "{uri}");
    }
    for plain in [
        "file:///data/a%20b",
        "file:///data/%C3%BC",
        "file:///data/ü/",
        "memo:note",
        "https://example.org:8080/a?b=../c#d",
        "test://static-text",
    ] {
        assert!(
            allowing.has_resource(plain) && hiding.has_resource(plain),
            "{plain}"
        );
    }
    let open = compiled(r#"{"version":"1","default":"allow"}"#);
    assert!(
        ODD.iter().all(|uri| open.has_resource(uri)),
        "nothing is kept back"
    );
}

// A URI of four megabytes once was compared with every glob, byte by part: seconds for one request.
#[test]
fn a_name_that_is_too_long_is_not_there_where_anything_is_kept_back() {
    let uri = |length: usize| format!("file:///{}", "a".repeat(length - 8));
    let allowing = with(r#""resources":{"allow":["**"]},"prompts":{"allow":["**"]}"#);
    let hiding = with(r#""resources":{"default":"allow","hide":["x:y"]}"#);
    assert!(allowing.has_resource(&uri(2_048)) && hiding.has_resource(&uri(2_048)));
    assert!(!allowing.has_resource(&uri(2_049)) && !hiding.has_resource(&uri(2_049)));
    assert!(allowing.has_prompt(&"p".repeat(2_048)) && !allowing.has_prompt(&"p".repeat(2_049)));
    let open = compiled(r#"{"version":"1","default":"allow"}"#);
    assert!(open.has_resource(&uri(4_000_000)) && open.has_prompt(&"p".repeat(4_000_000)));
}

#[test]
fn a_template_is_judged_with_its_expressions_filled_in() {
    let policy = with(r#""resources":{"allow":["test://template/*/data"]}"#);
    for (template, is_there) in [
        ("test://template/{id}/data", true),
        ("test://template/5/data", true),
        ("test://template/{id}/{more}", false),
        ("test://{host}/a/data", false),
        ("test://template/{id/data", false),
        ("test://template/id}/data", false),
    ] {
        assert_eq!(policy.has_template(template), is_there, "{template}");
    }
}

#[test]
fn only_the_methods_that_are_named_may_be_used() {
    let policy = with(r#""methods":["tools/list","resources/read"],"tools":{"t":{}}"#);
    assert!(policy.allows_method("tools/list") && policy.allows_method("resources/read"));
    assert!(!policy.allows_method("prompts/get"));
    assert_eq!(
        outcome(&policy, "t", "{}"),
        "unavailable",
        "tools/call is not named"
    );
    let calling = with(r#""methods":["tools/call"],"tools":{"t":{}}"#);
    assert_eq!(outcome(&calling, "t", "{}"), "allow");
    assert!(!with(r#""methods":[]"#).allows_method("tools/list"));
}
