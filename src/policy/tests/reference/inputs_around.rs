//! Random calls, and what is known around them.
//!
//! The values are few and close to what random policies ask for, so that rules often hold and often nearly hold.

use proptest::prelude::*;

use super::Ask;
use super::around::{Around, Described, Flat};
use super::inputs_json::KEYS;
use super::json::Json;
use crate::policy::Listing;

/// Names of tools that the globs of random policies match, nearly match and do not match.
const NAMES: &[&str] = &["t", "ta", "tab", "tb", "x", "xab", "", "T", "té"];

/// Times at the edges of hours, days, months and leap days, in seconds since 1970.
const TIMES: &[i64] = &[
    0,
    3_599,
    86_399,
    86_400,
    // 2000-02-28T23:59:59Z, and the leap day after it.
    951_782_399,
    951_782_400,
    951_868_800,
    // 2026-11-24T12:34:56Z
    1_795_523_696,
    // 2100-03-01T00:00:00Z: the year 2100 has no leap day.
    4_107_542_400,
];

pub(crate) fn ask(args: impl Strategy<Value = Json>) -> impl Strategy<Value = Ask> {
    (prop::sample::select(NAMES), args, around()).prop_map(|(tool, args, around)| Ask {
        tool,
        args,
        around,
    })
}

pub(crate) fn flat() -> impl Strategy<Value = Flat> {
    let kind = prop::sample::select(&["string", "number", "boolean", "array", "object"][..]);
    let properties = prop::collection::vec(prop::option::of(kind), KEYS.len());
    (properties, prop::collection::vec(any::<bool>(), KEYS.len())).prop_map(|(kinds, required)| {
        let properties: Vec<_> = KEYS
            .iter()
            .zip(kinds)
            .filter_map(|(key, kind)| Some((*key, kind?)))
            .collect();
        let required = KEYS.iter().zip(required);
        Flat {
            required: required
                .filter(|(_, is_required)| *is_required)
                .map(|(key, _)| *key)
                .take(1)
                .collect(),
            properties,
        }
    })
}

fn around() -> impl Strategy<Value = Around> {
    let listing = prop_oneof![
        6 => Just(Listing::Listed),
        3 => Just(Listing::Unknown),
        1 => Just(Listing::NotListed),
    ];
    let hint = prop::sample::subsequence(
        vec![("readOnlyHint", true), ("destructiveHint", false)],
        0..=2,
    );
    let described = (flat(), hint).prop_map(|(schema, hints)| Described { schema, hints });
    let tags = vec![("env", "prod"), ("team", "a")];
    (
        listing,
        prop::option::weighted(0.7, described),
        prop::sample::select(&["a", "ab", ""][..]),
        prop::sample::subsequence(tags, 0..=2),
        prop::option::of(prop::sample::select(&["a", "é"][..])),
        prop_oneof![3 => prop::sample::select(TIMES), 1 => 0..4_102_444_800_i64],
    )
        .prop_map(
            |(listing, described, label, tags, client, seconds)| Around {
                listing,
                described,
                label,
                tags,
                client,
                seconds,
            },
        )
}
