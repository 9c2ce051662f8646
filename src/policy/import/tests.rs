//! Tests of the import: what YAML may say, and where mistakes are told.

mod rules;

use proptest::prelude::*;

use super::*;

/// The canonical text of YAML, or its mistakes as they are told.
fn yaml(text: &str) -> Result<Canonical, Vec<String>> {
    let told = |mistakes: Vec<Mistake>| mistakes.iter().map(ToString::to_string).collect();
    canonical(text.as_bytes(), Format::Yaml).map_err(told)
}

fn text(source: &str) -> String {
    yaml(source)
        .unwrap_or_else(|mistakes| panic!("{source}\n{mistakes:#?}"))
        .text
}

/// The one mistake of a source.
fn refused(source: &str) -> String {
    let mistakes = yaml(source).expect_err(source);
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    mistakes.into_iter().next().expect("there is one")
}

/// A policy of our own shape in which `value` is what an argument is compared with.
fn with_value(value: &str) -> String {
    format!(
        "version: \"1\"\ndefault: deny\ntools:\n  t:\n    deny_if:\n      - conditions:\n          - path: args.x\n            op: eq\n            value: {value}\n"
    )
}

#[test]
fn yaml_of_our_own_shape_is_the_same_document() {
    let ours = "tools:\n  list_*: {}\n  pay:\n    limits: [{max: 10, counter: rate, window: minute}]\n    deny_if:\n      - on_deny: Too much.\n        conditions: [{path: args.amount, op: gt, value: 10000}]\ndefault: deny\nversion: \"1\"\n";
    let json = r#"{"version":"1","default":"deny","tools":{"list_*":{},"pay":{"deny_if":[{"conditions":[{"path":"args.amount","op":"gt","value":10000}],"on_deny":"Too much."}],"limits":[{"counter":"rate","window":"minute","max":10}]}}}"#;
    let from_json = canonical(json.as_bytes(), Format::Json).expect("a valid policy");
    assert_eq!(text(ours), from_json.text);
}

#[test]
fn numbers_reach_the_canonical_document_with_their_own_text() {
    for number in ["9007199254740993", "0.1", "-0", "1e3", "10.50"] {
        let found = text(&with_value(number));
        assert!(
            found.contains(&format!("\"value\": {number} }}")),
            "{number} became {found}"
        );
    }
}

#[test]
fn yaml_that_says_more_than_it_shows_is_refused_with_its_line() {
    for (value, told) in [
        (
            "&a 1",
            "line 9, column 20, /tools/t/deny_if/0/conditions/0/value: anchors are not accepted",
        ),
        (
            "!!str 1",
            "line 9, column 20, /tools/t/deny_if/0/conditions/0/value: tags are not accepted",
        ),
        (
            "yes",
            "line 9, column 20, /tools/t/deny_if/0/conditions/0/value: yes without quotes is a boolean to some readers of YAML",
        ),
        (
            "0x1F",
            "line 9, column 20, /tools/t/deny_if/0/conditions/0/value: 0x1F without quotes is not a number to all readers",
        ),
        (
            ".inf",
            "line 9, column 20, /tools/t/deny_if/0/conditions/0/value: .inf is no number that can be compared exactly",
        ),
        (
            "1e400",
            "line 9, column 20: this is not a policy: a number that does not fit",
        ),
        (
            "1\n---\nversion: \"1\"",
            "line 10, column 1: a second YAML document begins here",
        ),
        (
            "{1: 2}",
            "line 9, column 21, /tools/t/deny_if/0/conditions/0/value/1: the key 1 is not text",
        ),
        (
            "{null: 2}",
            "line 9, column 21, /tools/t/deny_if/0/conditions/0/value/null: the key null is not text",
        ),
        (
            "{<<: 2}",
            "line 9, column 21, /tools/t/deny_if/0/conditions/0/value/<<: merge keys are not accepted",
        ),
        (
            "{a: 1, a: 2}",
            "line 9, column 27, /tools/t/deny_if/0/conditions/0/value/a: the key \"a\" is here twice",
        ),
        (
            "{[a]: 1}",
            "line 9, column 21, /tools/t/deny_if/0/conditions/0/value: a key must be text",
        ),
        ("[1", "line 10, column 1: this cannot be read as YAML: "),
    ] {
        let found = refused(&with_value(value));
        assert!(found.starts_with(told), "{value}: {found}");
    }
}

#[test]
fn aliases_are_refused_before_they_can_explode() {
    let mut source = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        source.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let mistakes = yaml(&source).expect_err("a bomb");
    assert_eq!(mistakes.len(), 101, "the first hundred are told");
    assert!(
        mistakes[1].contains("anchors are not accepted"),
        "{}",
        mistakes[1]
    );
    assert!(
        mistakes[2].contains("aliases are not accepted"),
        "{}",
        mistakes[2]
    );
}

#[test]
fn depth_bytes_and_emptiness_are_refused() {
    let deep = format!("a: {}", "[".repeat(100_000));
    assert!(refused(&deep).contains("recursion limit exceeded"));
    let deep = format!("{}a", "- ".repeat(65));
    assert!(refused(&deep).contains("nesting deeper than 64 levels"));
    assert_eq!(
        refused(""),
        "line 1, column 1: this is not a policy: no YAML document"
    );
    assert_eq!(
        refused("# nothing\n"),
        "line 1, column 1: this is not a policy: no YAML document"
    );
    assert!(refused("\u{feff}version: \"1\"\n").contains("a byte order mark"));
    let told = canonical(b"a: \xff", Format::Yaml).expect_err("no text");
    assert_eq!(
        told[0].to_string(),
        "line 1, column 4: this is not a policy: invalid UTF-8"
    );
}

#[test]
fn mistakes_are_told_where_the_yaml_has_them() {
    let source = "version: \"1\"\ndefault: deny\nhide: delete_*\ntools:\n  pay:\n    deny_iff: []\n    limits:\n      - counter: c\n        window: minite\n        max: 0\n";
    assert_eq!(
        yaml(source).expect_err("broken"),
        [
            "line 3, column 7, /hide: must be an array, not a string",
            "line 6, column 5, /tools/pay/deny_iff: unknown key \"deny_iff\", did you mean \"deny_if\"?",
            "line 9, column 17, /tools/pay/limits/0/window: the window \"minite\" cannot be read, did you mean \"minute\"?",
            "line 10, column 14, /tools/pay/limits/0/max: max must be a whole number from 1, not 0, to refuse every call write \"action\": \"deny\"",
        ]
    );
}

#[test]
fn the_hash_of_a_policy_is_that_of_its_file() {
    let source = with_value("1");
    let policy = compile(source.as_bytes(), Format::Yaml).expect("a valid policy");
    assert_eq!(policy.hash(), &*compile::hash(source.as_bytes()));
}

/// The text with a character of its own in place of each that YAML does not allow even in quotes: some controls, and
/// what is no character.
fn allowed(text: &str) -> String {
    let is_refused = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{feff}');
    let private = |c: char| char::from_u32(0xe000 + u32::from(c) % 0x1000);
    let replaced = |c: char| match is_refused(c) {
        true => private(c).expect("these are for private use"),
        false => c,
    };
    text.chars().map(replaced).collect()
}

/// Any data that JSON can have.
fn data() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".*".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inside| {
        prop_oneof![
            prop::collection::vec(inside.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map(".{0,8}", inside, 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_says_the_same_and_knows_where_it_came_from(data in data()) {
        let source = data.to_string();
        let mut reader = Reader::new(Duplicates::Refused);
        let document = reader.read(source.as_bytes()).expect("it is JSON");
        let tree = Node::of_json(&document);
        let written = write::written(&tree);
        let again: serde_json::Value = serde_json::from_str(&written.text).expect("it is JSON");
        prop_assert_eq!(&again, &data);
        let mut second = Reader::new(Duplicates::Refused);
        let ours = second.read(written.text.as_bytes()).expect("it is JSON");
        prop_assert_eq!(write::written(&Node::of_json(&ours)).text, written.text.clone());
        same_origins(document.root(), ours.root(), &written)?;
    }

    #[test]
    fn json_read_as_yaml_is_the_same(data in data()) {
        let source = allowed(&serde_json::json!([data]).to_string());
        let data: serde_json::Value = serde_json::from_str(&source).expect("it is JSON");
        let tree = yaml::read(source.as_bytes());
        let tree = tree.map_err(|mistakes| TestCaseError::fail(format!("{source}: {mistakes:?}")))?;
        let again: serde_json::Value = serde_json::from_str(&write::line(&tree)).expect("it is JSON");
        prop_assert_eq!(again, data);
    }

    #[test]
    fn no_text_makes_the_reader_of_yaml_panic(text in "[\\-\\[\\]{}:,&*!|>'\"#%@?~<a1 \\n\\t]{0,60}") {
        drop(yaml(&text));
    }
}

/// Every value of the text leads back to the value it was written from.
fn same_origins(
    from: crate::json::Value<'_>,
    to: crate::json::Value<'_>,
    written: &Written,
) -> Result<(), TestCaseError> {
    let origin = written
        .origin(to.position())
        .expect("every value has an origin");
    prop_assert_eq!(origin.position, from.position());
    for ((key, value), (ours, inside)) in from.members().zip(to.members()) {
        let origin = written
            .origin(ours.position())
            .expect("every key has an origin");
        prop_assert_eq!(origin.position, key.position());
        same_origins(value, inside, written)?;
    }
    for (element, inside) in from.elements().zip(to.elements()) {
        same_origins(element, inside, written)?;
    }
    Ok(())
}
