//! Random histories against a naive log of the calls that were admitted.

use proptest::prelude::*;

use super::*;

const WINDOW: u64 = 60_000_000_000;

#[derive(Debug, Clone)]
enum Step {
    /// So many calls, at the clock's time minus this much (a thread that looked early).
    Calls(u8, u64),
    /// So much time passes.
    Pass(u64),
    /// The call admitted so many calls ago is given back, unless it was already.
    Refund(usize),
    /// `max` is edited.
    Edit(u64),
    /// Counters are swept.
    Sweep,
}

fn step(max: impl Strategy<Value = u64> + 'static) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u8..20, prop_oneof![3 => Just(0), 1 => 0..5_000_u64]).prop_map(|(calls, late)| Step::Calls(calls, late)),
        4 => prop_oneof![0..1_000_u64, 0..20_000_000_000_u64, Just(WINDOW), Just(WINDOW - 1)].prop_map(Step::Pass),
        2 => (0_usize..40).prop_map(Step::Refund),
        1 => max.prop_map(Step::Edit),
        1 => Just(Step::Sweep),
    ]
}

/// A log that forgets nothing.
#[derive(Default)]
struct Log {
    calls: Vec<(u64, Option<Taken>)>,
}

impl Log {
    /// Calls counted at `at`: those of the last `window` that were not given back.
    fn held(&self, at: u64, window: u64) -> u64 {
        let held = self.calls.iter().rev();
        let held = held.take_while(|(call, _)| call + window > at);
        held.filter(|(_, taken)| taken.is_some()).count() as u64
    }
}

fn run(steps: Vec<Step>, first_max: u64, late: u64) -> Result<(), TestCaseError> {
    let counters = many();
    let mut log = Log::default();
    let (mut clock, mut newest, mut max) = (START.nanos(), 0, first_max);
    for step in steps {
        match step {
            Step::Pass(nanos) => clock += nanos,
            Step::Edit(edited) => max = edited,
            Step::Sweep => {
                counters.sweep(Timestamp::from_nanos(clock));
                if counters.is_empty() {
                    newest = newest.max(clock);
                }
            }
            Step::Refund(ago) => {
                let index = log.calls.len().checked_sub(ago + 1);
                if let Some(taken) = index.and_then(|index| log.calls[index].1.take()) {
                    counters.refund(taken);
                }
            }
            Step::Calls(calls, early) => {
                let limits = [limit(0, max, Window::MINUTE)];
                let account = account(&counters, &limits);
                for _ in 0..calls {
                    let now = Timestamp::from_nanos(clock - early);
                    let counted = now.nanos().max(newest + 1);
                    newest = newest.max(now.nanos());
                    match counters.admit(&charges(&limits), &account, now) {
                        Ok(admitted) => {
                            let at = admitted.taken.parts[0].charged.at().nanos();
                            prop_assert!(at == counted, "counted at another time");
                            newest = at;
                            prop_assert!(log.held(at, WINDOW) < max, "more than {max} in a window");
                            log.calls.push((at, Some(admitted.into_taken())));
                        }
                        Err(Denial::LimitReached(full)) => {
                            prop_assert!(
                                log.held(counted, WINDOW + late) >= max,
                                "refused too much"
                            );
                            let opens = now.plus(full.retry_after).nanos();
                            prop_assert!(full.retry_after > Duration::ZERO);
                            prop_assert!(log.held(opens, WINDOW) < max, "told too short a wait");
                        }
                        Err(other) => prop_assert!(false, "{other:?}"),
                    }
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_exact_window_holds_max_and_refuses_nothing_that_fits(
        max in 1_u64..40,
        steps in prop::collection::vec(step(1_u64..40), 1..120),
    ) {
        run(steps, max, 0)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_sliced_window_holds_max_and_is_late_by_a_sixty_fourth_at_most(
        steps in prop::collection::vec(step(1_025_u64..1_200), 1..50),
    ) {
        // Many calls at each step, so that the limit is reached.
        let steps = steps.into_iter().flat_map(|step| match step {
            Step::Calls(_, late) => vec![Step::Calls(250, late)],
            Step::Pass(nanos) => vec![Step::Pass(nanos / 4)],
            other => vec![other],
        });
        run(steps.collect(), 1_100, WINDOW / 64)?;
    }

    #[test]
    fn a_window_whose_max_crosses_the_border_of_exactness_holds_max(
        steps in prop::collection::vec(step(1_000_u64..1_050), 1..50),
    ) {
        let steps = steps.into_iter().flat_map(|step| match step {
            Step::Calls(_, late) => vec![Step::Calls(250, late)],
            other => vec![other],
        });
        run(steps.collect(), 1_000, WINDOW / 64)?;
    }
}
