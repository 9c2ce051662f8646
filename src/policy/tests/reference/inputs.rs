//! Random policies, close enough to each other that rules often meet what they are about.
//!
//! Each can be written down as a document; those whose globs tie cannot be loaded, and are meant not to.

use proptest::prelude::*;

use super::condition::{Cond, Entry, Place, Step};
use super::inputs_around::flat;
use super::inputs_json::{KEYS, TEXTS, number, scalar};
use super::json::Json;
use super::whole::{Schema, Tool, Whole};

const PATTERNS: &[&str] = &["a", "^a$", "^$", "[0-9]", "é", "(a+)+$", "."];

fn path() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::sample::select(KEYS).prop_map(Step::Key),
        1 => (0..3_usize).prop_map(Step::Index),
        2 => Just(Step::Each),
    ];
    let first = prop_oneof![
        20 => prop::sample::select(KEYS).prop_map(Step::Key),
        1 => Just(Step::Each),
    ];
    (first, prop::collection::vec(step, 0..3)).prop_map(|(first, rest)| {
        let mut path = vec![first];
        path.extend(rest);
        path
    })
}

/// An operator with a constant that it can compare.
fn asked() -> impl Strategy<Value = (&'static str, Json)> {
    let text = |text: &str| Json::Text(text.into());
    let one_of = |names: &'static [&'static str]| prop::sample::select(names);
    prop_oneof![
        (one_of(&["eq", "neq", "contains"]), scalar()),
        (
            one_of(&["starts_with", "ends_with"]),
            prop::sample::select(&TEXTS[1..]).prop_map(text)
        ),
        (
            Just("glob"),
            "[a5*?]{1,3}|\\[a5\\]\\*?".prop_map(Json::Text)
        ),
        (
            Just("is"),
            one_of(&["boolean", "number", "string", "array", "object"]).prop_map(text)
        ),
        (
            one_of(&["length_lt", "length_lte", "length_gt", "length_gte"]),
            (0..4_u8).prop_map(|length| Json::Number(length.to_string()))
        ),
        (
            one_of(&["in", "not_in"]),
            prop::collection::vec(scalar(), 1..4).prop_map(Json::List)
        ),
        (one_of(&["lt", "lte", "gt", "gte"]), number()),
        (Just("exists"), any::<bool>().prop_map(Json::Bool)),
        (Just("regex"), prop::sample::select(PATTERNS).prop_map(text)),
    ]
}

/// A fact, with what can be asked of it.
fn fact(section: &'static str) -> impl Strategy<Value = Cond> {
    let text = |text: &str| Json::Text(text.into());
    let texts = move |paths: &'static [&'static str], values: &'static [&'static str]| {
        let op = prop::sample::select(&["eq", "neq", "starts_with", "glob", "contains"][..]);
        (
            prop::sample::select(paths),
            op,
            prop::sample::select(values).prop_map(text),
        )
    };
    let who: &[&str] = match section {
        // What an agent says of itself shows nothing: it cannot be required.
        "require" => &[
            "grant.label",
            "grant.tags.env",
            "grant.tags.team",
            "tool.name",
        ],
        _ => &[
            "grant.label",
            "grant.tags.env",
            "grant.tags.team",
            "tool.name",
            "client.name",
        ],
    };
    let hints: &[&str] = &[
        "tool.annotations.readOnlyHint",
        "tool.annotations.destructiveHint",
    ];
    let flags = &["eq", "neq", "exists"][..];
    let orders = &["eq", "neq", "lt", "lte", "gt", "gte"][..];
    let days = &["monday", "thursday", "friday", "tuesday"][..];
    let dates = &[
        "1970-01-01",
        "1970-01-02",
        "2000-02-29",
        "2000-03-01",
        "2026-11-24",
        "2100-03-01",
    ][..];
    let equal = &["eq", "neq"][..];
    prop_oneof![
        3 => texts(who, &["a", "ab", "prod", "t", "é"]),
        1 => (prop::sample::select(who), Just("exists"), any::<bool>().prop_map(Json::Bool)),
        2 => (prop::sample::select(hints), prop::sample::select(flags), any::<bool>().prop_map(Json::Bool)),
        2 => (Just("time.hour"), prop::sample::select(orders), (0..24_u8).prop_map(|hour| Json::Number(hour.to_string()))),
        1 => (Just("time.weekday"), prop::sample::select(equal), prop::sample::select(days).prop_map(text)),
        1 => (Just("time.date"), prop::sample::select(equal), prop::sample::select(dates).prop_map(text)),
    ]
    .prop_map(|(path, op, value)| Cond::Test {
        place: Place::Fact(path),
        op,
        value,
    })
}

fn cond(section: &'static str) -> impl Strategy<Value = Cond> {
    let of_arguments = (path(), asked()).prop_map(|(path, (op, value))| Cond::Test {
        place: Place::Arguments(path),
        op,
        value,
    });
    let test = prop_oneof![4 => of_arguments, 1 => fact(section)];
    test.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Cond::Any),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Cond::All),
            inner.prop_map(|cond| Cond::Not(Box::new(cond))),
        ]
    })
}

/// Zones that have kept the same distance from UTC since 1970.
const ZONES: &[(&str, i64)] = &[
    ("UTC", 0),
    ("Asia/Tokyo", 9 * 3_600),
    ("Asia/Kolkata", 19_800),
    ("America/Phoenix", -7 * 3_600),
];

fn entry(section: &'static str) -> impl Strategy<Value = Entry> {
    let conds = prop::collection::vec(cond(section), 1..3);
    let conds = prop_oneof![8 => conds, 1 => Just(Vec::new())];
    let zone = prop::option::of(prop::sample::select(ZONES));
    (conds, any::<bool>(), prop::bool::weighted(0.2), zone).prop_map(
        |(conds, deny_if_missing, shadow, zone)| {
            // A zone that nothing is told in is a mistake.
            let is_time =
                |place: &&Place| matches!(place, Place::Fact(path) if path.starts_with("time."));
            let tells_time = conds
                .iter()
                .flat_map(Cond::places)
                .any(|place| is_time(&place));
            Entry {
                conds,
                deny_if_missing,
                shadow,
                zone: zone.filter(|_| tells_time),
            }
        },
    )
}

fn rules() -> impl Strategy<Value = Tool> {
    let entries = |section| prop::collection::vec(entry(section), 0..2);
    (
        entries("require"),
        entries("deny_if"),
        entries("approve_if"),
    )
        .prop_map(|(require, deny_if, approve_if)| Tool {
            require,
            deny_if,
            approve_if,
            ..Tool::default()
        })
}

fn tool() -> impl Strategy<Value = Tool> {
    let schema = prop_oneof![
        1 => Just(Schema::OfTool),
        1 => Just(Schema::Closed),
        2 => flat().prop_map(Schema::Written),
    ];
    let action = prop::sample::select(&["allow", "deny", "require_approval"][..]);
    (
        rules(),
        prop::option::weighted(0.15, schema),
        prop::option::weighted(0.15, action),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(rules, schema, action, shadow)| Tool {
            schema,
            action,
            shadow,
            ..rules
        })
}

/// A policy with one rule, for all tools.
pub(crate) fn one_rule() -> impl Strategy<Value = Whole> {
    prop_oneof![
        in_section("require", entry("require")),
        in_section("deny_if", entry("deny_if")),
        in_section("approve_if", entry("approve_if")),
    ]
}

/// A policy with one rule about numbers.
pub(crate) fn number_rule() -> impl Strategy<Value = Whole> {
    let orders = &["eq", "neq", "lt", "lte", "gt", "gte", "contains"][..];
    let lists = &["in", "not_in"][..];
    let asked = prop_oneof![
        4 => (prop::sample::select(orders), number()),
        1 => (
            prop::sample::select(lists),
            prop::collection::vec(number(), 1..4).prop_map(Json::List)
        ),
    ];
    let cond = (any::<bool>(), asked).prop_map(|(of_each, (op, value))| Cond::Test {
        place: Place::Arguments(match of_each {
            true => vec![Step::Key("a"), Step::Each],
            false => vec![Step::Key("a")],
        }),
        op,
        value,
    });
    let entry = (cond, prop::bool::weighted(0.2)).prop_map(|(cond, shadow)| Entry {
        conds: vec![cond],
        shadow,
        ..Entry::default()
    });
    prop_oneof![
        in_section("require", entry.clone()),
        in_section("deny_if", entry.clone()),
        in_section("approve_if", entry),
    ]
}

fn in_section(
    section: &'static str,
    entry: impl Strategy<Value = Entry>,
) -> impl Strategy<Value = Whole> {
    entry.prop_map(move |entry| {
        let mut tool = Tool::default();
        match section {
            "require" => tool.require.push(entry),
            "deny_if" => tool.deny_if.push(entry),
            _ => tool.approve_if.push(entry),
        }
        Whole {
            allows: false,
            hide: vec![],
            all_tools: Tool::default(),
            tools: vec![("*", tool)],
        }
    })
}

pub(crate) fn whole() -> impl Strategy<Value = Whole> {
    const NAMES: &[&str] = &[
        "t", "ta", "tab", "t*", "ta*", "*", "ta?", "t[ab]", "?a*", "*b",
    ];
    const HIDE: &[&str] = &["ta", "x*", "tab*", "*", "[tx]", "?b"];
    let hide = prop::collection::vec(prop::sample::select(HIDE), 0..2);
    let one = |rare: bool| prop::option::weighted(if rare { 0.12 } else { 0.4 }, tool());
    // Of the globs that tie with another one few are there at once.
    let tools: Vec<_> = (0..NAMES.len()).map(|at| one(at >= 6)).collect();
    let all_tools = prop_oneof![2 => Just(Tool::default()), 1 => rules()];
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
