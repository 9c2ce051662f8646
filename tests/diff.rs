//! README: `toolgate diff` says what an edit of a policy changes, and with its exit code whether anything became looser.

mod support;

use serde_json::{Value, json};

use support::{Folder, Upstream};

const OLD: &str = r#"{
  "version": "1", "default": "deny", "hide": ["delete_*"],
  "all_tools": { "limits": [{ "counter": "all", "window": "minute", "max": 60 }] },
  "tools": {
    "list_*": {},
    "pay": {
      "deny_if": [{ "conditions": [{ "path": "args.amount", "op": "gt", "value": 500 }] }],
      "limits": [{ "counter": "rate", "window": "minute", "max": 10 }]
    },
    "refund": { "action": "deny" }
  }
}"#;

const NEW: &str = "version: \"1\"
default: deny
hide: [delete_*, refund]
all_tools: { limits: [{ counter: all, window: minute, max: 30 }] }
tools:
  list_*: {}
  pay:
    deny_if: [{ conditions: [{ path: args.amount, op: gt, value: 900 }] }]
    limits: [{ counter: rate, window: hour, max: 10 }]
  refund: { action: deny }
  void: {}
";

/// Compares two policies with more arguments: exit code, standard output, standard error.
fn diff(old: (&str, &str), new: (&str, &str), more: &[&str]) -> (Option<i32>, String, String) {
    let folder = Folder::new();
    folder.write(old.0, old.1);
    folder.write(new.0, new.1);
    folder.write(
        "tools.json",
        r#"{"result":{"tools":[{"name":"pay"},{"name":"list_all"},{"name":"delete_all"}]}}"#,
    );
    folder.write("two.json", r#"[{"name":"void"},{"name":"other"}]"#);
    folder.write("no.json", r#"{"tools": 5}"#);
    let mut arguments = vec!["diff", old.0, new.0];
    arguments.extend(more);
    let output = folder.run(&arguments);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn an_edit_is_told_entry_by_entry_with_the_worst_case() {
    let (code, told, errors) = diff(("old.json", OLD), ("new.yaml", NEW), &[]);
    assert_eq!(
        told,
        "every tool
  tighter  limit         all_tools all: window minute, max 60 → all_tools all: window minute, max 30
pay
  looser   rule changed  deny_if args.amount gt 500 → deny_if args.amount gt 900
  tighter  limit         rate: window minute, max 10 → rate: window hour, max 10
refund
  tighter  hidden        tools/list no longer has it
void
  looser   listed        tools/list has it now
  looser   callable      it was not: no entry, and the default is deny

calls at worst  an hour        a day
pay             600 → 10       14,400 → 240
void            0 → 1,800      0 → 43,200
list_*          3,600 → 1,800  86,400 → 43,200
in total        3,600 → 1,800  86,400 → 43,200

3 looser, 3 tighter
"
    );
    assert_eq!((code, errors.as_str()), (Some(1), ""));
}

#[test]
fn nothing_looser_is_code_0() {
    for (old, new) in [
        (OLD, OLD.to_owned()),
        (OLD, OLD.replace("\"max\": 10", "\"max\": 9")),
    ] {
        let (code, told, _) = diff(("old.json", old), ("new.json", &new), &[]);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("\n0 looser, "), "{told}");
    }
    let (_, told, _) = diff(("old.json", OLD), ("new.json", OLD), &[]);
    assert!(told.starts_with("nothing changed\n"), "{told}");
}

#[test]
fn the_tools_of_a_server_are_told_one_by_one() {
    let (code, told, _) = diff(
        ("old.json", OLD),
        ("new.yaml", NEW),
        &["--tools", "tools.json"],
    );
    assert_eq!(code, Some(1));
    assert!(
        !told.contains("void"),
        "the server has no such tool: {told}"
    );
    assert!(told.contains("\nlist_all   "), "{told}");
    let (_, told, _) = diff(
        ("old.json", OLD),
        ("new.yaml", NEW),
        &["--tools", "two.json"],
    );
    assert!(told.starts_with("void\n  looser   listed"), "{told}");
}

#[test]
fn programs_read_the_same_as_json() {
    let arguments = ["--format", "json", "--tools", "two.json"];
    let (code, told, _) = diff(("old.json", OLD), ("new.yaml", NEW), &arguments);
    assert_eq!(code, Some(1));
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let none = json!({ "hour": 0, "day": 0 });
    let some = json!({ "hour": 1_800, "day": 43_200 });
    assert_eq!(
        told,
        json!({
            "looser": true,
            "changes": [{ "subject": "void", "effects": [
                { "direction": "looser", "kind": "listed", "what": "tools/list has it now" },
                { "direction": "looser", "kind": "callable", "what": "it was not: no entry, and the default is deny" }
            ] }],
            "worst_cases": [{ "subject": "void", "before": none, "after": some }],
            "total": { "subject": "in total", "before": none, "after": some }
        })
    );
    let unlimited = OLD.replace("\"all_tools\": { \"limits\": [{ \"counter\": \"all\", \"window\": \"minute\", \"max\": 60 }] },", "");
    let (_, told, _) = diff(
        ("old.json", OLD),
        ("new.json", &unlimited),
        &["--format", "json"],
    );
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["total"]["after"], json!({ "hour": null, "day": null }));
    assert_eq!(told["changes"][0]["effects"][0]["direction"], "looser");
}

#[test]
fn a_policy_or_a_list_that_cannot_be_used_is_code_2() {
    let broken = NEW.replace("default: deny", "default: dney");
    for (new, more, says) in [
        (
            broken.as_str(),
            &[][..],
            "error: \"dney\" is not known here\n --> new.yaml:2:10 /default\n",
        ),
        (
            NEW,
            &["--tools", "none.json"],
            "none.json: cannot read this list of tools",
        ),
        (
            NEW,
            &["--tools", "no.json"],
            "no.json: this is no list of tools",
        ),
        (
            NEW,
            &["--tools", "new.yaml"],
            "new.yaml: this is no list of tools",
        ),
    ] {
        let (code, told, errors) = diff(("old.json", OLD), ("new.yaml", new), more);
        assert_eq!((code, told.as_str()), (Some(2), ""), "{errors}");
        assert!(errors.contains(says), "{errors}");
    }
}

#[test]
fn a_server_of_the_configuration_is_asked_for_its_tools() {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), OLD);
    folder.write("new.yaml", &NEW.replace("void", "work"));
    let arguments = [
        "diff",
        "policy.json",
        "new.yaml",
        "--server",
        "s",
        "--config",
        "toolgate.toml",
    ];
    let output = folder.run(&arguments);
    let told = String::from_utf8(output.stdout).expect("text");
    assert!(told.starts_with("work\n  looser   listed"), "{told}");
    assert!(!told.contains("pay"), "the server has no such tool: {told}");
    assert_eq!(upstream.calls(), 0, "none is called");
}
