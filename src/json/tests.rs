//! What the reader promises, in tables and against serde_json as an independent reader.

use proptest::prelude::*;

use super::*;

fn read_with<T>(source: &[u8], then: impl FnOnce(Result<Document<'_>, Flaw>) -> T) -> T {
    then(Reader::new(Duplicates::Refused).read(source))
}

fn flaw_of(source: &[u8]) -> Option<FlawKind> {
    read_with(source, |read| read.err().map(|flaw| flaw.kind))
}

#[test]
fn every_value_knows_its_own_bytes() {
    let source =
        br#" { "a\u0062c" : [ 1 , -2.50e+1 , "x\ny" , "", {} , [] ] , "t" : true,"n":null } "#;
    read_with(source, |read| {
        let document = read.expect("this is JSON");
        let root = document.root();
        let list = root
            .member("abc")
            .expect("an escaped key is found by what it says");
        let raws: Vec<_> = list.elements().map(Value::raw).collect();
        assert_eq!(raws, ["1", "-2.50e+1", r#""x\ny""#, r#""""#, "{}", "[]"]);
        assert_eq!(list.elements().nth(2).and_then(Value::as_str), Some("x\ny"));
        assert_eq!(list.elements().nth(3).and_then(Value::as_str), Some(""));
        assert_eq!(list.raw(), r#"[ 1 , -2.50e+1 , "x\ny" , "", {} , [] ]"#);
        assert_eq!(root.member("t").and_then(Value::as_bool), Some(true));
        assert_eq!(root.member("n").map(Value::kind), Some(Kind::Null));
        assert_eq!(
            root.raw(),
            std::str::from_utf8(source).expect("ASCII").trim()
        );
    });
}

#[test]
fn what_is_not_strict_json_is_refused_with_its_reason() {
    let deep = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
    let cases: &[(&[u8], FlawKind)] = &[
        (b"", FlawKind::Empty),
        (b" \n", FlawKind::Empty),
        (b"\xef\xbb\xbf{}", FlawKind::ByteOrderMark),
        (b"\"\xff\"", FlawKind::Utf8),
        (b"{\"a\":1,\"a\":2}", FlawKind::DuplicateKey),
        (b"{\"a\":1,\"\\u0061\":2}", FlawKind::DuplicateKey),
        (b"[{\"x\":{\"k\":1,\"k\":1}}]", FlawKind::DuplicateKey),
        (b"{} {}", FlawKind::Syntax),
        (b"{},", FlawKind::Syntax),
        (b"[1,]", FlawKind::Syntax),
        (b"{\"a\":1,}", FlawKind::Syntax),
        (b"NaN", FlawKind::Syntax),
        (b"'a'", FlawKind::Syntax),
        (b"// x\n1", FlawKind::Syntax),
        (b"\"\\ud800\"", FlawKind::Syntax),
        (b"\"\\udc00x\"", FlawKind::Syntax),
        (b"\"\\ud800\\u0041\"", FlawKind::Syntax),
        (b"\"a\nb\"", FlawKind::Syntax),
        (b"01", FlawKind::Number),
        (b"18446744073709551616", FlawKind::Number),
        (b"-9223372036854775809", FlawKind::Number),
        (&deep(65), FlawKind::Depth),
        (&deep(100_000), FlawKind::Depth),
    ];
    for (source, expected) in cases {
        let shown = String::from_utf8_lossy(&source[..source.len().min(40)]).into_owned();
        let found = flaw_of(source).unwrap_or_else(|| panic!("{shown} was read"));
        let same = found == *expected
            || (matches!(expected, FlawKind::Syntax | FlawKind::Number)
                && matches!(found, FlawKind::Syntax | FlawKind::Number | FlawKind::Utf8));
        assert!(same, "{shown}: {found:?}, expected {expected:?}");
    }
    assert_eq!(flaw_of(&deep(64)), None, "64 levels are allowed");
}

#[test]
fn duplicates_are_found_in_objects_of_any_size() {
    for size in [4, 12, 13, 33, 40, 500] {
        let keys = |repeat: usize| {
            let members: Vec<_> = (0..size)
                .map(|at| format!("\"k{}\":0", if at == size - 1 { repeat } else { at }))
                .collect();
            format!("{{{}}}", members.join(","))
        };
        assert_eq!(
            flaw_of(keys(size - 1).as_bytes()),
            None,
            "{size} distinct keys"
        );
        for repeat in [0, size / 2, size - 2] {
            assert_eq!(
                flaw_of(keys(repeat).as_bytes()),
                Some(FlawKind::DuplicateKey),
                "{size} keys, k{repeat} twice"
            );
        }
    }
}

#[test]
fn duplicates_can_be_kept_and_are_then_listed() {
    let mut reader = Reader::new(Duplicates::Kept);
    let document = reader
        .read(br#"{"a":1,"b":{"c":1,"c":2},"a":3}"#)
        .expect("duplicates are kept");
    let keys: Vec<_> = document.duplicates().filter_map(Value::as_str).collect();
    assert_eq!(keys, ["a", "c"]);
}

#[test]
fn a_reader_forgets_the_document_before() {
    let mut reader = Reader::new(Duplicates::Refused);
    assert!(reader.read(br#"{"secret":"a\nb"}"#).is_ok());
    assert!(reader.read(b"{\"broken\":").is_err());
    let document = reader.read(b"[7]").expect("this is JSON");
    assert_eq!(
        document
            .root()
            .elements()
            .map(Value::raw)
            .collect::<Vec<_>>(),
        ["7"]
    );
    assert_eq!(document.unescaped(), "");
}

#[test]
fn keys_that_only_look_alike_are_told_apart_from_the_key_itself() {
    for key in [
        "Name",
        "NAME",
        " name",
        "name\u{0}",
        "na\u{200b}me",
        "ｎame",
        "name\u{fe0f}",
        "n\tame",
    ] {
        assert!(folds_to(key, "name"), "{key:?} folds to name");
    }
    for key in ["name", "names", "nam", "nаme"] {
        assert!(!folds_to(key, "name"), "{key:?} does not fold to name");
    }
    assert!(
        folds_to("path", "Path") && folds_to("Straße", "STRASSE") == folds_to("straße", "strasse")
    );
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 60, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Into::into),
            prop::collection::btree_map(".{0,6}", inner, 0..20)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Rebuilds a document from what the reader says of it.
fn rebuilt(value: Value<'_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool => value.as_bool().into(),
        Kind::Number => serde_json::from_str(value.raw()).expect("a number's text is a number"),
        Kind::String => value.as_str().into(),
        Kind::Array => value.elements().map(rebuilt).collect(),
        Kind::Object => serde_json::Value::Object(
            value
                .members()
                .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), rebuilt(value)))
                .collect(),
        ),
    }
}

proptest! {
    #[test]
    fn what_is_read_is_what_serde_json_reads(json in any_json(), pretty in any::<bool>()) {
        let source = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }.expect("writes");
        read_with(source.as_bytes(), |read| {
            let document = read.map_err(|flaw| TestCaseError::fail(format!("{flaw} in {source}")))?;
            let expected: serde_json::Value = serde_json::from_str(&source).expect("reads");
            prop_assert_eq!(rebuilt(document.root()), expected);
            Ok(())
        })?;
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_never_more_leniently_than_by_serde_json(source in prop::collection::vec(prop_oneof![
        any::<u8>(), prop::sample::select(br#"{}[]:,"\0123456789eE+-.truefalsn u"#.to_vec())], 0..40)) {
        read_with(&source, |read| {
            if read.is_ok() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&source).is_ok(), "{:?}", String::from_utf8_lossy(&source));
            }
            Ok(())
        })?;
    }
}

#[test]
fn a_string_is_known_by_what_it_says_and_by_nothing_else() {
    let mut reader = Reader::new(Duplicates::Refused);
    let source = r#"["a","\u0061","","é","\u00e9",1,null,["a"],"ab"]"#;
    let document = reader.read(source.as_bytes()).expect("JSON");
    let elements: Vec<_> = document.root().elements().collect();
    let known = |text: &str| -> Vec<usize> {
        let all = elements.iter().enumerate();
        all.filter(|(_, element)| element.is_text(text))
            .map(|(at, _)| at)
            .collect()
    };
    assert_eq!(known("a"), [0, 1]);
    assert_eq!(known(""), [2]);
    assert_eq!(known("é"), [3, 4]);
    assert!(known("1").is_empty() && known("\"a\"").is_empty());
}
