//! Random policies and calls, close enough to each other that rules often meet what they are about.

use proptest::prelude::*;

use super::model::{Cond, Entry, Json, Step};
use super::reference::{Tool, Whole};

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
    "100",
    "1e2",
    "0.000001",
    "123456789.987654321",
];
const TEXTS: &[&str] = &[
    "", "a", "A", "ab", "b", "5", "true", "1", "é", "e\u{301}", "😀", "a\u{0}", "null", "args",
];
const PATTERNS: &[&str] = &["a", "^a$", "^$", "[0-9]", "é", "(a+)+$", "."];
const KEYS: &[&str] = &["a", "b", "c"];

pub(super) fn number() -> impl Strategy<Value = Json> {
    prop_oneof![
        prop::sample::select(NUMBERS).prop_map(str::to_owned),
        (-5..5_i64).prop_map(|number| number.to_string()),
    ]
    .prop_map(Json::Number)
}

pub(super) fn text() -> impl Strategy<Value = Json> {
    prop::sample::select(TEXTS).prop_map(|text| Json::Text(text.into()))
}

pub(super) fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![number(), text(), any::<bool>().prop_map(Json::Bool)]
}

pub(super) fn members(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    let values = prop::collection::vec(prop::option::of(value), KEYS.len());
    values.prop_map(|values| {
        let members = KEYS.iter().zip(values);
        Json::Members(
            members
                .filter_map(|(key, value)| Some(((*key).to_owned(), value?)))
                .collect(),
        )
    })
}

pub(super) fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![4 => scalar(), 1 => Just(Json::Null)];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::List),
            members(inner),
        ]
    })
}

pub(super) fn path() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::sample::select(KEYS).prop_map(Step::Key),
        1 => (0..3_usize).prop_map(Step::Index),
        2 => Just(Step::Each),
    ];
    (
        prop::sample::select(KEYS),
        prop::collection::vec(step, 0..3),
    )
        .prop_map(|(first, rest)| {
            let mut path = vec![Step::Key(first)];
            path.extend(rest);
            path
        })
}

pub(super) fn cond() -> impl Strategy<Value = Cond> {
    let asked = prop_oneof![
        (
            prop::sample::select(&["eq", "neq", "contains"][..]),
            scalar()
        ),
        (
            prop::sample::select(&["starts_with", "ends_with"][..]),
            prop::sample::select(&TEXTS[1..]).prop_map(|text| Json::Text(text.into()))
        ),
        (Just("glob"), "[a5*?]{1,3}".prop_map(Json::Text)),
        (
            Just("is"),
            prop::sample::select(&["boolean", "number", "string", "array", "object"][..])
                .prop_map(|name| Json::Text(name.into()))
        ),
        (
            prop::sample::select(&["length_lt", "length_lte", "length_gt", "length_gte"][..]),
            (0..4_u8).prop_map(|length| Json::Number(length.to_string()))
        ),
        (
            prop::sample::select(&["in", "not_in"][..]),
            prop::collection::vec(scalar(), 1..4).prop_map(Json::List)
        ),
        (
            prop::sample::select(&["lt", "lte", "gt", "gte"][..]),
            number()
        ),
        (Just("exists"), any::<bool>().prop_map(Json::Bool)),
        (
            Just("regex"),
            prop::sample::select(PATTERNS).prop_map(|text| Json::Text(text.into()))
        ),
    ];
    let test = (path(), asked).prop_map(|(path, (op, value))| Cond::Test { path, op, value });
    test.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Cond::Any),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Cond::All),
            inner.prop_map(|cond| Cond::Not(Box::new(cond))),
        ]
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let conds = prop_oneof![8 => prop::collection::vec(cond(), 1..3), 1 => Just(Vec::new())];
    (conds, any::<bool>()).prop_map(|(conds, deny_if_missing)| Entry {
        conds,
        deny_if_missing,
    })
}

fn tool() -> impl Strategy<Value = Tool> {
    let entries = || prop::collection::vec(entry(), 0..2);
    (entries(), entries(), entries()).prop_map(|(require, deny_if, approve_if)| Tool {
        require,
        deny_if,
        approve_if,
    })
}

pub(super) fn whole() -> impl Strategy<Value = Whole> {
    const NAMES: &[&str] = &["t", "ta", "tab", "t*", "ta*", "*"];
    let hide = prop::collection::vec(prop::sample::select(&["ta", "x*", "tab*", "*"][..]), 0..2);
    let tools = prop::collection::vec(prop::option::of(tool()), NAMES.len());
    let all_tools = prop_oneof![2 => Just(Tool::default()), 1 => tool()];
    (
        any::<bool>(),
        prop_oneof![3 => Just(Vec::new()), 1 => hide],
        all_tools,
        tools,
    )
        .prop_map(|(allows, hide, all_tools, tools)| {
            let tools = NAMES.iter().zip(tools);
            Whole {
                allows,
                hide,
                all_tools,
                tools: tools
                    .filter_map(|(name, tool)| Some((*name, tool?)))
                    .collect(),
            }
        })
}
