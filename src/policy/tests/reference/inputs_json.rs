//! Random values, and the arguments that are made of them.
//!
//! They stand at edges: of doubles, of integers, of Unicode, of emptiness.

use proptest::prelude::*;

use super::json::Json;

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "1e0",
    "10e-1",
    "2",
    "3",
    "-1",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9007199254740994",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "0.1",
    "0.3",
    "0.30000000000000004",
    "0.30000000000000001",
    "0.2",
    "1e300",
    "1e308",
    "1.7976931348623157e308",
    "1e-300",
    "5e-324",
    "1e-330",
    "-1e-330",
    "1e-999",
    "-1e-999",
    "0e999999999999",
    "4503599627370496.5",
    "9007199254740992.000",
    "100",
    "1e2",
    "0.000001",
    "123456789.987654321",
];
pub(crate) const TEXTS: &[&str] = &[
    "", "a", "A", "ab", "b", "5", "true", "1", "é", "e\u{301}", "😀", "a\u{0}", "null", "args",
];
pub(crate) const KEYS: &[&str] = &["a", "b", "c"];

/// Numbers that are one as doubles and several as decimals, or the other way round.
const TWINS: &[&str] = &[
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9007199254740992.000",
    "9007199254740992.5",
    "0.3",
    "0.30000000000000001",
    "0.30000000000000004",
    "3e-1",
    "9223372036854775807",
    "9223372036854775808",
    "0",
    "-0.0",
    "1e-999",
];

pub(crate) fn number() -> impl Strategy<Value = Json> {
    prop_oneof![
        prop::sample::select(NUMBERS).prop_map(str::to_owned),
        prop::sample::select(TWINS).prop_map(str::to_owned),
        (-5..5_i64).prop_map(|number| number.to_string()),
    ]
    .prop_map(Json::Number)
}

pub(crate) fn text() -> impl Strategy<Value = Json> {
    prop::sample::select(TEXTS).prop_map(|text| Json::Text(text.into()))
}

pub(crate) fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![number(), text(), any::<bool>().prop_map(Json::Bool)]
}

/// An object, now and then with a key that no rule knows or that only looks like one that rules know.
pub(crate) fn members(
    value: impl Strategy<Value = Json> + Clone + 'static,
) -> impl Strategy<Value = Json> {
    let odd = prop::sample::select(&["A", "ａ", "d"][..]);
    let odd = prop::option::weighted(0.05, (odd, value.clone()));
    let values = prop::collection::vec(prop::option::of(value), KEYS.len());
    (values, odd).prop_map(|(values, odd)| {
        let known = KEYS.iter().zip(values);
        let known = known.filter_map(|(key, value)| Some(((*key).to_owned(), value?)));
        let odd = odd.map(|(key, value)| (key.to_owned(), value));
        Json::Members(known.chain(odd).collect())
    })
}

pub(crate) fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![4 => scalar(), 1 => Just(Json::Null)];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::List),
            members(inner),
        ]
    })
}

/// The arguments of a call.
pub(crate) fn arguments() -> impl Strategy<Value = Json> {
    members(argument().boxed())
}

/// A value, or a number whose exponent nobody can compare.
fn argument() -> impl Strategy<Value = Json> {
    prop_oneof![
        20 => json(),
        1 => Just(Json::Number("1e-99999999999999999999".into())),
    ]
}

/// Arguments of which one is a number, or several.
pub(crate) fn number_arguments() -> impl Strategy<Value = Json> {
    let several = prop::collection::vec(number(), 0..3).prop_map(Json::List);
    let value = prop_oneof![4 => number(), 2 => several, 1 => argument()];
    value.prop_map(|value| Json::Members(vec![("a".to_owned(), value)]))
}
