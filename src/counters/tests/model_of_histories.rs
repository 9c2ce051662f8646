//! Random histories of everything at once, against a naive log of the calls that were admitted.
//!
//! It never counts what it did not see happen: at the end the histories tell how often each thing happened in them.

mod journal;
mod log;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::policy::Failure;
use log::{Kind, WINDOW};
use world::World;

#[derive(Debug, Clone)]
enum Step {
    Call(Call),
    /// Who was just refused comes again when it was told to.
    AsTold,
    /// A call that leaves and fails at once is tried so many times.
    Retry(Call, usize),
    /// So much time passes.
    Pass(u64),
    /// The call so many calls ago, which has not left, never will.
    Unsent(usize),
    /// The call so many calls ago, which has left, ends.
    End(usize, End),
    /// The policy is edited, or just loaded again.
    Reload(Policed),
    Sweep,
    /// A snapshot is made.
    Compact,
    /// The gateway is stopped, and begins so long after the newest time that is kept.
    Restart(u64),
    /// It is killed, and each worker's journal loses so many lines, if no call has left on them.
    Crash([usize; 2], u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Well,
    Failed,
}

/// One of two grants calls a tool that is charged by some of the limits, by a clock that was read a little earlier.
#[derive(Debug, Clone, Copy)]
struct Call {
    grant: usize,
    tool: u8,
    subject: u128,
    millionths: u64,
    early: u64,
    leaves: bool,
}

/// A policy: some of the kinds of limits, each with a number that makes its `max`.
#[derive(Debug, Clone)]
struct Policed {
    kinds: Vec<Kind>,
    limits: Vec<Limit>,
}

impl Policed {
    fn of((which, numbers): (u8, [u32; 7])) -> Policed {
        let all = Kind::ALL.into_iter().zip(numbers).enumerate();
        let some = all.filter(|(bit, _)| which >> bit & 1 == 1);
        let (kinds, numbers): (Vec<Kind>, Vec<u32>) = some.map(|(_, one)| one).unzip();
        let limits = kinds.iter().zip(numbers).enumerate();
        let limits = limits.map(|(index, (kind, number))| limit_of(*kind, index, number));
        Policed {
            limits: limits.collect(),
            kinds,
        }
    }

    /// What a call of a tool is charged. Of slices a call takes hundreds, as if it were so many calls.
    fn charges(&self, call: Call) -> Vec<Charge<'_>> {
        let charged = |limit: &&Limit| {
            let at = Kind::ALL.iter().position(|k| *k == self.kinds[limit.index]);
            call.tool >> at.unwrap_or(0) & 1 == 1
        };
        let limits = self.limits.iter().filter(charged);
        limits.map(|limit| self.charge(limit, call)).collect()
    }

    fn charge<'p>(&self, limit: &'p Limit, call: Call) -> Charge<'p> {
        match self.kinds[limit.index] {
            Kind::Sliced => of(limit, 200_000_000 + call.millionths * 100),
            Kind::Each => {
                let most = limit.capacity().millionths();
                Charge {
                    amount: Amount::from_millionths(call.millionths.min(most)),
                    ..on(limit, call.subject)
                }
            }
            _ => whole(limit),
        }
    }
}

/// The limit of a kind with a number from 1 to 8.
fn limit_of(kind: Kind, index: usize, number: u32) -> Limit {
    static WRITTEN: OnceLock<Vec<Limit>> = OnceLock::new();
    let written = WRITTEN.get_or_init(|| {
        limits_of(&[
            r#"{"counter":"exact","window":"minute","max":1,"refund_on":["error_result"]}"#,
            r#"{"counter":"sliced","window":"minute","max":1,"scope":"server","refund_on":["error_result"]}"#,
            r#"{"counter":"burst","window":"minute","max":1}"#,
            r#"{"counter":"calendar","window":"minute","max":1,"scope":"server","align":"calendar","refund_on":["error_result"]}"#,
            r#"{"counter":"flight","concurrent":1,"scope":"server"}"#,
            r#"{"counter":"each","window":"minute","max":1,"scope":"server","by":["args.to"],"increment_from":"args.n","refund_on":["error_result"]}"#,
            r#"{"counter":"tried","window":"minute","max":1,"shadow":true}"#,
        ])
    });
    let place = Kind::ALL.iter().position(|one| *one == kind);
    let written = written[place.expect("all kinds are among all")].clone();
    let max = u64::from(match kind {
        Kind::Sliced => 1_100 + number * 100,
        Kind::Burst => number + 2,
        Kind::InFlight => number.div_ceil(2),
        Kind::Each => number * 3,
        Kind::Exact | Kind::Calendar | Kind::Tried => number,
    });
    let max = NonZeroU64::new(max).unwrap();
    let limit = Limit {
        index,
        max,
        ..written
    };
    match kind {
        // The largest number has no burst: an edit takes it away and brings it back.
        Kind::Burst if number < 8 => with_burst(limit, 1 + number / 2),
        // Only that it is tried out tells its counter from the first kind's.
        Kind::Tried => Limit {
            rule: limit_of(Kind::Exact, 0, 1).rule,
            ..limit
        },
        _ => limit,
    }
}

fn call() -> impl Strategy<Value = Call> {
    let millionths = prop_oneof![1 => Just(0), 8 => 1..4_000_000_u64];
    let early = prop_oneof![3 => Just(0), 1 => 0..5_000_u64];
    // Most calls are charged by few limits, else one small limit would keep the others empty.
    let tool = prop_oneof![
        any::<u8>(),
        (0_u8..7).prop_map(|bit| 1 << bit),
        Just(u8::MAX)
    ];
    let call = (
        0_usize..2,
        tool,
        1_u128..3,
        millionths,
        early,
        any::<bool>(),
    );
    call.prop_map(|(grant, tool, subject, millionths, early, leaves)| Call {
        grant,
        tool,
        subject,
        millionths,
        early,
        leaves,
    })
}

fn policy() -> impl Strategy<Value = Policed> {
    let number = prop_oneof![2 => 1_u32..4, 3 => 1_u32..9];
    (1_u8..128, prop::array::uniform7(number)).prop_map(Policed::of)
}

fn step() -> impl Strategy<Value = Step> {
    let pass = prop_oneof![
        0..1_000_u64,
        0..20_000_000_000_u64,
        Just(WINDOW),
        Just(WINDOW - 1)
    ];
    let later = || prop_oneof![3 => 0..2_u64, 1 => 0..2 * WINDOW];
    let end = prop_oneof![1 => Just(End::Well), 2 => Just(End::Failed)];
    let lost = prop::array::uniform2(0_usize..4);
    prop_oneof![
        24 => call().prop_map(Step::Call),
        4 => Just(Step::AsTold),
        3 => (call(), 2_usize..8).prop_map(|(call, times)| Step::Retry(call, times)),
        3 => pass.prop_map(Step::Pass),
        2 => (0_usize..6).prop_map(Step::Unsent),
        5 => (0_usize..6, end).prop_map(|(ago, end)| Step::End(ago, end)),
        2 => policy().prop_map(Step::Reload),
        1 => Just(Step::Sweep),
        1 => Just(Step::Compact),
        1 => later().prop_map(Step::Restart),
        1 => (lost, later()).prop_map(|(lost, later)| Step::Crash(lost, later)),
    ]
}

/// How many histories: few enough for every push unless the environment says otherwise.
fn histories() -> u32 {
    let told = std::env::var("TOOLGATE_HISTORIES").ok();
    let told = told.map(|told| told.parse().expect("TOOLGATE_HISTORIES is a number"));
    told.unwrap_or(5_000)
}

#[test]
fn whatever_happens_no_window_holds_more_than_max_and_nothing_that_fits_is_refused() {
    let cases = histories();
    // `PROPTEST_CASES` does not count here: each of these is a whole history.
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let met: RefCell<BTreeMap<&str, u32>> = RefCell::default();
    let history = (policy(), prop::collection::vec(step(), 20..60));
    let ran = runner.run(&history, |(policy, steps)| {
        let mut world = World::new(policy);
        for step in steps {
            world.step(step)?;
        }
        let mut met = met.borrow_mut();
        for what in world.met {
            *met.entry(what).or_default() += 1;
        }
        Ok(())
    });
    if let Err(error) = ran {
        panic!("{error}");
    }
    let met = met.into_inner();
    eprintln!("in how many of {cases} histories: {met:?}");
    for what in MET {
        let times = met.get(what).copied().unwrap_or_default();
        assert!(
            times > cases / 20,
            "{what}: in {times} of {cases} histories"
        );
    }
}

/// What at least one history in twenty must have seen, else nothing was tested.
const MET: [&str; 12] = [
    "a refusal",
    "a wait as told",
    "a refusal in shadow",
    "a slice",
    "a burst",
    "two periods that meet",
    "a call that was not sent",
    "a refund for a failure",
    "a refund over the cap",
    "an end in flight",
    "a decision lost in a crash",
    "an outcome lost in a crash",
];
