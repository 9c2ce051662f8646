//! README: `toolgate convert` brings a policy of any accepted form into the canonical document, and says where it became
//! stricter.

mod support;

use std::path::Path;
use std::process::Output;

use support::Folder;

fn fixture(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/import")
        .join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn convert(name: &str, policy: &str) -> Output {
    let folder = Folder::new();
    folder.write(name, policy);
    folder.run(&["convert", name])
}

/// What is printed for a policy that can be converted.
fn converted(name: &str, policy: &str) -> String {
    let output = convert(name, policy);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn policies_of_other_forms_become_canonical_documents_with_notes() {
    for name in ["payments", "readers"] {
        let output = convert("p.yaml", &fixture(&format!("{name}.yaml")));
        assert_eq!(
            text(&output.stdout),
            fixture(&format!("{name}.json")),
            "{name}"
        );
        let notes = fixture(&format!("{name}.notes"));
        let expected: String = notes
            .lines()
            .map(|note| format!("p.yaml:{note}\n"))
            .collect();
        assert_eq!(text(&output.stderr), expected, "{name}");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn what_is_canonical_comes_out_unchanged() {
    let demo = include_str!("../policies/demo.json");
    for policy in [&*fixture("payments.json"), &fixture("readers.json"), demo] {
        let once = converted("p.json", policy);
        assert_eq!(converted("p.json", &once), once);
        assert_eq!(converted("p.yaml", &once), once, "JSON is YAML");
    }
    assert_eq!(
        converted("p.json", &fixture("readers.json")),
        fixture("readers.json")
    );
}

#[test]
fn a_converted_policy_passes_check_and_decides_the_same() {
    let folder = Folder::new();
    folder.write("p.yaml", &fixture("payments.yaml"));
    let output = folder.run(&["convert", "p.yaml", "--output", "out.json"]);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), String::new())
    );
    assert_eq!(folder.run(&["check", "out.json"]).status.code(), Some(0));
    assert_eq!(
        std::fs::read_to_string(folder.path("out.json")).expect("it was written"),
        fixture("payments.json")
    );
}

#[test]
fn keys_come_in_the_order_of_the_reference_and_numbers_keep_their_text() {
    let policy = r#"{"tools":{"b":{"limits":[{"max":3,"burst":2,"window":"hour","counter":"c"}],
        "require":[{"on_deny":"x","conditions":[{"value":9007199254740993.10,"op":"lte","path":"args.n"}]}]},"a":{}},
        "default":"deny","version":"1"}"#;
    assert_eq!(
        converted("p.json", policy),
        r#"{
  "version": "1",
  "default": "deny",
  "tools": {
    "b": {
      "require": [
        {
          "conditions": [
            { "path": "args.n", "op": "lte", "value": 9007199254740993.10 }
          ],
          "on_deny": "x"
        }
      ],
      "limits": [
        { "counter": "c", "window": "hour", "max": 3, "burst": 2 }
      ]
    },
    "a": {}
  }
}
"#
    );
}

#[test]
fn a_document_of_policylayer_is_told_where_it_became_stricter() {
    let policy = "{\"version\":\"1\",\"default\":\"deny\",\"tools\":{\"t\":{\n\"deny_if\":[{\"conditions\":[{\"path\":\"args.x\",\"op\":\"eq\",\"value\":1}]}],\n\"limits\":[{\"counter\":\"c\",\"window\":\"hour\",\"max\":3}]}}}";
    let told = text(&convert("p.json", policy).stderr);
    assert_eq!(
        told,
        "p.json:2:12: /tools/t/deny_if/0: from PolicyLayer: a value of another JSON type than it is compared with is refused\n\
         p.json:3:11: /tools/t/limits/0: from PolicyLayer: counts in any stretch of time as long as the window, wherever it begins\n"
    );
}

#[test]
fn nothing_is_written_of_a_policy_with_mistakes() {
    let folder = Folder::new();
    folder.write("p.json", r#"{"version":"1","default":"dney"}"#);
    let output = folder.run(&["convert", "p.json", "--output", "out.json"]);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(1), String::new())
    );
    assert_eq!(
        text(&output.stderr),
        "error: \"dney\" is not known here\n --> p.json:1:26 /default\n  |\n1 | {\"version\":\"1\",\"default\":\"dney\"}\n  |                          ^\n  = did you mean \"deny\"?\n\n"
    );
    assert!(!folder.path("out.json").exists());
}

#[test]
fn a_key_that_is_there_twice_is_never_converted() {
    let output = convert(
        "p.json",
        "{\"version\":\"1\",\"default\":\"allow\",\n\"default\":\"deny\"}",
    );
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.starts_with("error: the key \"default\" is here twice\n --> p.json:2:1 /default\n"),
        "{told}"
    );
}

#[test]
fn a_file_that_cannot_be_read_or_written_is_code_2() {
    let folder = Folder::new();
    folder.write("p.json", r#"{"version":"1","default":"deny"}"#);
    for arguments in [
        &["convert", "none.json"][..],
        &["convert", "p.json", "--output", "no/such/folder.json"],
    ] {
        let output = folder.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(arguments[arguments.len() - 1]));
    }
}
