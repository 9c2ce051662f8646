//! A slow, obvious evaluator, written from the description of the language, against `decide`.
//!
//! Nothing here is shared with what it is compared with: not the order of refusals, not the numbers, not the globs.

mod around;
mod condition;
mod decimal;
pub(crate) mod inputs;
pub(crate) mod inputs_around;
pub(crate) mod inputs_json;
pub(crate) mod json;
pub(crate) mod whole;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use super::*;
use crate::policy::Shadowed;
use around::Around;
use condition::Sight;
use json::Json;
use whole::{Said, Verdict, Whole};

/// Pairs of policy and call that each test judges at least, unless `TOOLGATE_PAIRS` says how many.
const PAIRS: u32 = 20_000;

/// Calls that each random policy judges: enough that making the policy is not what the test does most of the time.
const CALLS_EACH: usize = 8;

/// One random call.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) tool: &'static str,
    pub(crate) args: Json,
    pub(crate) around: Around,
}

fn pairs() -> u32 {
    let wanted = std::env::var("TOOLGATE_PAIRS").ok();
    wanted.map_or(PAIRS, |text| {
        text.parse().expect("TOOLGATE_PAIRS is a number of pairs")
    })
}

/// What `decide` says of the call.
fn decided(policy: &Policy, ask: &Ask) -> Verdict {
    let arguments = ask.args.write();
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader.read(arguments.as_bytes()).expect("JSON");
    let call = Call {
        tool: ask.tool,
        arguments: Some(document.root()),
    };
    let denied = |denial: &Denial<'_>| -> Said {
        let pointer = denial.pointer().unwrap_or_default();
        (denial.kind(), pointer.to_owned())
    };
    ask.around.with_facts(|facts| {
        let judged = policy.decide(&call, facts);
        let decision = match &judged.decision {
            Decision::Deny(denial) => Some(denied(denial)),
            Decision::Hold(held) => Some(("hold", held.rule.pointer.to_string())),
            Decision::Allow(_) => None,
        };
        let shadowed = judged.shadowed.iter().map(|shadowed| match shadowed {
            Shadowed::Denied(denial) => denied(denial),
            Shadowed::Held(rule) => ("hold", rule.pointer.to_string()),
        });
        (decision, shadowed.collect())
    })
}

/// How many pairs were judged, and how many of them came to each end.
#[derive(Default)]
struct Tally {
    judged: Cell<u32>,
    ends: RefCell<BTreeMap<&'static str, u32>>,
}

impl Tally {
    fn add(&self, (decision, shadowed): &Verdict) {
        let decision = decision.as_ref().map_or("allow", |(kind, _)| kind);
        let shadowed = (!shadowed.is_empty()).then_some("shadow");
        self.judged.set(self.judged.get() + 1);
        for end in [decision].into_iter().chain(shadowed) {
            *self.ends.borrow_mut().entry(end).or_default() += 1;
        }
    }

    /// Inputs that never come to one of the ends would prove nothing about it.
    fn tell(&self) {
        let (judged, ends) = (self.judged.get(), self.ends.borrow());
        eprintln!("judged {judged} pairs of policy and call both ways: {ends:?}");
        for end in ["allow", "rule", "argument", "hold", "unavailable", "shadow"] {
            let count = ends.get(end).copied().unwrap_or_default();
            assert!(
                count >= judged / 100,
                "only {count} of {judged} came to {end}"
            );
        }
    }
}

/// Judges all the calls both ways.
fn agree(whole: &Whole, asks: &[Ask], tally: &Tally) -> Result<(), TestCaseError> {
    let source = whole.write();
    if whole.has_tie() {
        let mistakes = Policy::compile(source.as_bytes()).expect_err("two globs tie");
        let tells = mistakes
            .iter()
            .any(|one| one.what.contains("neither comes first"));
        return tells
            .then_some(())
            .ok_or_else(|| TestCaseError::fail(format!("{source}: {mistakes:?}")));
    }
    let policy = compiled(&source);
    for ask in asks {
        let sight = Sight {
            tool: ask.tool,
            args: &ask.args,
            around: &ask.around,
        };
        let (found, expected) = (decided(&policy, ask), whole.verdict(sight));
        if found != expected {
            let call = format!("{}({})", ask.tool, ask.args.write());
            return Err(TestCaseError::fail(format!(
                "found {found:?}, expected {expected:?}\nfor {call} with {:?}\nunder {source}",
                ask.around
            )));
        }
        tally.add(&expected);
    }
    Ok(())
}

/// Makes random policies, each with its calls, until enough pairs have been judged.
fn agrees_on(whole: impl Strategy<Value = Whole>, args: impl Strategy<Value = Json>) {
    let tally = Tally::default();
    let asks = proptest::collection::vec(inputs_around::ask(args), CALLS_EACH);
    let strategy = (whole, asks);
    // Policies that do not load, because globs tie, judge nothing: others are made in their place.
    while tally.judged.get() < pairs() {
        let left = (pairs() - tally.judged.get()).div_ceil(CALLS_EACH as u32);
        let mut runner = TestRunner::new(Config {
            cases: left,
            failure_persistence: None,
            ..Config::default()
        });
        let result = runner.run(&strategy, |(whole, asks)| agree(&whole, &asks, &tally));
        if let Err(TestError::Fail(why, _)) = result {
            panic!("{why}");
        }
        result.expect("no policy was rejected");
    }
    tally.tell();
}

#[test]
fn one_rule_is_judged_as_the_reference_judges_it() {
    agrees_on(inputs::one_rule(), inputs_json::arguments());
}

#[test]
fn numbers_at_the_edges_are_judged_as_the_reference_judges_them() {
    agrees_on(inputs::number_rule(), inputs_json::number_arguments());
}

#[test]
fn whole_policies_decide_as_the_reference_does() {
    agrees_on(inputs::whole(), inputs_json::arguments());
}
