//! Tests of the schema for editors: it names the keys that a document may have, and no others.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::policy::fields::Keys;
use crate::policy::import::order::{self, Shape};
use crate::policy::{collection_text, document, entry_text, limit_text, own_tests};

/// The keys that the schema has for one kind of object; for the document itself the name is empty.
fn described(name: &str) -> BTreeSet<String> {
    let schema = json_schema().to_value();
    let object = match name {
        "" => &schema,
        name => &schema["$defs"][name],
    };
    assert_eq!(object["additionalProperties"], Value::Bool(false), "{name}");
    let keys = object["properties"].as_object();
    let keys = keys.unwrap_or_else(|| panic!("{name} is described"));
    keys.keys().cloned().collect()
}

fn read(keys: &[Keys]) -> BTreeSet<String> {
    let keys = keys
        .iter()
        .flat_map(|keys| keys.built.iter().chain(keys.not_built));
    keys.map(ToString::to_string).collect()
}

fn ordered(shape: &Shape) -> BTreeSet<String> {
    shape
        .keys
        .iter()
        .map(|(key, _)| (*key).to_owned())
        .collect()
}

#[test]
fn the_schema_and_the_canonical_order_have_the_keys_that_documents_are_read_by() {
    let conditions = [entry_text::TEST, entry_text::JUNCTION];
    for (names, keys, shape) in [
        (&[""][..], &[document::DOCUMENT][..], &order::DOCUMENT),
        (&["Tool"], &[document::TOOL], &order::TOOL),
        (&["AllTools"], &[document::ALL_TOOLS], &order::ALL_TOOLS),
        (&["Entry"], &[entry_text::ENTRY], &order::ENTRY),
        (
            &["ApproveEntry"],
            &[entry_text::ASKING_ENTRY],
            &order::APPROVE_ENTRY,
        ),
        (
            &["Test", "Any", "All", "Not"],
            &conditions,
            &order::CONDITION,
        ),
        (&["Limit"], &[limit_text::LIMIT], &order::LIMIT),
        (&["SharedLimit"], &[limit_text::COUNTER], &order::COUNTER),
        (
            &["LongRateLimit"],
            &[limit_text::RATE_LIMIT],
            &order::RATE_LIMIT,
        ),
        (
            &["Surface"],
            &[collection_text::COLLECTION],
            &order::SURFACE,
        ),
        (&["OwnTest"], &[own_tests::TEST], &order::TEST),
        (&["TestCall"], &[own_tests::CALL], &order::CALL),
    ] {
        let described: BTreeSet<String> = names.iter().flat_map(|name| described(name)).collect();
        assert_eq!(described, read(keys), "described as {names:?}, and read");
        assert_eq!(ordered(shape), read(keys), "ordered as {names:?}, and read");
    }
}

#[test]
fn every_key_is_described_in_words() {
    let schema = json_schema().to_value();
    let objects = schema["$defs"].as_object().expect("there are objects");
    for (name, object) in objects.iter().chain([(&String::new(), &schema)]) {
        // The words under `any`, `all` and `not` say it all.
        if ["Any", "All", "Not"].contains(&name.as_str()) {
            continue;
        }
        for (key, inside) in object["properties"].as_object().into_iter().flatten() {
            let words = inside["description"].as_str().unwrap_or_default();
            assert!(words.len() > 10, "{name}.{key} is not described");
        }
    }
}
