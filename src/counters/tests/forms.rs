//! What the small forms of a counter promise: they answer as the large one does, and they are small.

use proptest::prelude::*;

use super::*;
use crate::counters::counter::{Counter, When};
use crate::counters::held::Held;
use crate::counters::open::Kept;

#[test]
fn a_counter_with_its_name_fits_into_seventy_two_bytes_with_its_count_of_handles() {
    assert_eq!(size_of::<Held>(), 24);
    assert_eq!(size_of::<Kept>() + size_of::<usize>(), 72);
}

/// What is done to a counter.
#[derive(Debug, Clone)]
enum Step {
    /// So many calls at once, of so many millionths each, under the limit with this number.
    Calls(usize, u64, usize),
    Pass(u64),
    /// What was charged so many charges ago is given back, unless it was already.
    TakeBack(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let millionths = prop_oneof![
        6 => Just(1_000_000_u64),
        1 => Just(0),
        1 => 1..3_000_000_u64
    ];
    let pass = prop_oneof![
        0..3_u64,
        0..1_000_000_000_u64,
        0..30_000_000_000_u64,
        Just(60_000_000_000)
    ];
    prop_oneof![
        6 => (0..30_usize, millionths, 0..6_usize).prop_map(|(times, millionths, limit)| {
            Step::Calls(times, millionths, limit)
        }),
        4 => pass.prop_map(Step::Pass),
        3 => (0..60_usize).prop_map(Step::TakeBack),
    ]
}

/// The same limit as it may be edited.
fn editions(align: &str) -> Vec<Limit> {
    let limit = |numbers: &str| format!(r#"{{"counter":"c","window":"minute"{align},{numbers}}}"#);
    let mut numbers = vec![
        r#""max":10"#,
        r#""max":4"#,
        r#""max":1030"#,
        r#""max":20,"increment":2"#,
    ];
    match align {
        "" => numbers.extend([r#""max":12,"burst":5"#, r#""max":30,"burst":7"#]),
        _ => numbers.extend([r#""max":12"#, r#""max":30"#]),
    }
    let limits = numbers
        .into_iter()
        .map(|numbers| limits_of(&[&limit(numbers)]).remove(0));
    limits.collect()
}

fn run(align: &str, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let limits = editions(align);
    let (mut small, mut large) = (Counter::new(START), Counter::new(START));
    let mut charges = Vec::new();
    let mut now = START;
    for step in steps {
        large.held.spread();
        match step {
            Step::Pass(nanos) => now = now.plus(Duration::from_nanos(nanos)),
            Step::TakeBack(ago) => {
                if let Some(index) = charges.len().checked_sub(ago + 1) {
                    small.take_back(charges[index]);
                    large.take_back(charges.remove(index));
                }
            }
            Step::Calls(times, millionths, edition) => {
                let limit = &limits[edition];
                let when = When {
                    now,
                    call_max: SECOND,
                };
                for _ in 0..times {
                    let charge = of(limit, millionths);
                    let staged = small.stage(&charge, when);
                    prop_assert_eq!(staged, large.stage(&charge, when));
                    let Ok(charged) = staged else { break };
                    small.commit(charged, limit);
                    large.commit(charged, limit);
                    charges.push(charged);
                }
            }
        }
        let later = now.plus(SECOND);
        prop_assert_eq!(small.is_idle(later), large.is_idle(later));
        for limit in &limits {
            prop_assert_eq!(small.standing(limit, now), large.standing(limit, now));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_small_form_answers_as_the_large_one(
        is_calendar in prop::bool::ANY,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let align = [r#""#, r#","align":"calendar""#][usize::from(is_calendar)];
        run(align, steps)?;
    }
}
