//! Random histories of amounts, values and scopes against naive logs: one for each counter that there should be.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const WINDOW: u64 = 60_000_000_000;

#[derive(Debug, Clone)]
enum Step {
    Call(Call),
    /// So much time passes.
    Pass(u64),
    /// The call admitted so many calls ago is given back, unless it was already.
    Refund(usize),
    /// The maxima are edited.
    Edit([u64; 3]),
    /// Counters are swept.
    Sweep,
}

/// One of two grants takes an amount for one of three values, at the clock's time minus a little.
#[derive(Debug, Clone, Copy)]
struct Call {
    grant: usize,
    subject: u128,
    millionths: u64,
    early: u64,
}

fn call() -> impl Strategy<Value = Step> {
    let millionths = prop_oneof![Just(0), 1..3_000_000_u64, 1..20_000_000_u64];
    let early = prop_oneof![3 => Just(0), 1 => 0..5_000_u64];
    (0_usize..2, 1_u128..4, millionths, early).prop_map(|(grant, subject, millionths, early)| {
        Step::Call(Call {
            grant,
            subject,
            millionths,
            early,
        })
    })
}

fn step() -> impl Strategy<Value = Step> {
    let pass = prop_oneof![
        0..1_000_u64,
        0..20_000_000_000_u64,
        Just(WINDOW),
        Just(WINDOW - 1)
    ];
    prop_oneof![
        10 => call(),
        3 => pass.prop_map(Step::Pass),
        2 => (0_usize..20).prop_map(Step::Refund),
        1 => prop::array::uniform3(1_u64..30).prop_map(Step::Edit),
        1 => Just(Step::Sweep),
    ]
}

/// Amounts of each grant, calls of all grants at the server, amounts for each value at the server.
fn limits(max: [u64; 3]) -> Vec<Limit> {
    let [own, calls, each] = max;
    limits_of(&[
        &format!(r#"{{"counter":"own","window":"minute","max":{own},"increment_from":"args.n"}}"#),
        &format!(r#"{{"counter":"calls","window":"minute","max":{calls},"scope":"server"}}"#),
        &format!(
            r#"{{"counter":"each","window":"minute","max":{each},"scope":"server","by":["args.to"],"increment_from":"args.n"}}"#
        ),
    ])
}

/// Which counter that should be, in the model's own words: the limit, the grant if it matters, the value if it does.
type Name = (usize, Option<usize>, Option<u128>);

fn names(call: Call) -> [Name; 3] {
    [
        (0, Some(call.grant), None),
        (1, None, None),
        (2, None, Some(call.subject)),
    ]
}

#[derive(Default)]
struct World {
    /// When, how much, by which call.
    logs: HashMap<Name, Vec<(u64, u64, usize)>>,
    calls: Vec<Option<Taken>>,
}

impl World {
    /// What the window that ends at `at` holds.
    fn held(&self, name: Name, at: u64) -> u64 {
        let log = self.logs.get(&name).into_iter().flatten();
        let held = log.filter(|(time, _, call)| time + WINDOW > at && self.calls[*call].is_some());
        held.map(|(_, millionths, _)| millionths).sum()
    }

    fn call(
        &mut self,
        counters: &Counters,
        clock: u64,
        (call, max): (Call, [u64; 3]),
    ) -> Result<(), TestCaseError> {
        let limits = limits(max);
        let grant = ["a", "b"][call.grant];
        let account = account_of(counters, grant, &limits);
        // More than a limit holds is refused before it comes here.
        let least = max[0].min(max[2]) * 1_000_000;
        let millionths = call.millionths.min(least);
        let amounts = [millionths, 1_000_000, millionths];
        let amount = Amount::from_millionths(millionths);
        let charges = [
            of(&limits[0], millionths),
            whole(&limits[1]),
            Charge {
                amount,
                ..on(&limits[2], call.subject)
            },
        ];
        let now = Timestamp::from_nanos(clock - call.early);
        match counters.admit(&charges, &account, now) {
            Ok(admitted) => {
                let parts: Vec<_> = admitted.taken().parts().collect();
                prop_assert_eq!(parts.len(), 3);
                for (at, name) in names(call).into_iter().enumerate() {
                    let key = key_of(&charges[at], grant);
                    let part = parts.iter().find(|(own, _)| *own == key);
                    let time = part
                        .expect("the counter is the one it should be")
                        .1
                        .at()
                        .nanos();
                    let held = self.held(name, time) + amounts[at];
                    prop_assert!(
                        amounts[at] == 0 || held <= max[at] * 1_000_000,
                        "{name:?} holds {held}"
                    );
                    let log = self.logs.entry(name).or_default();
                    log.push((time, amounts[at], self.calls.len()));
                }
                self.calls.push(Some(admitted.into_taken()));
            }
            Err(Denial::LimitReached(full)) => {
                let at = full.limit.index;
                let wanted = |time: u64| self.held(names(call)[at], time) + amounts[at];
                let most = max[at] * 1_000_000;
                prop_assert!(wanted(now.nanos()) > most, "refused too much");
                prop_assert!(full.left.millionths() < amounts[at]);
                let opens = now.plus(full.retry_after).nanos();
                prop_assert!(wanted(opens) <= most, "told too short a wait");
            }
            Err(other) => prop_assert!(false, "{other:?}"),
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_window_of_any_counter_holds_more_than_max_and_nothing_that_fits_is_refused(
        first in prop::array::uniform3(1_u64..30),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let counters = many();
        let mut world = World::default();
        let (mut clock, mut max) = (START.nanos(), first);
        for step in steps {
            match step {
                Step::Call(call) => world.call(&counters, clock, (call, max))?,
                Step::Pass(nanos) => clock += nanos,
                Step::Edit(edited) => max = edited,
                Step::Sweep => counters.sweep(Timestamp::from_nanos(clock)),
                Step::Refund(ago) => {
                    let index = world.calls.len().checked_sub(ago + 1);
                    if let Some(taken) = index.and_then(|index| world.calls[index].take()) {
                        counters.refund(taken);
                    }
                }
            }
        }
    }
}
