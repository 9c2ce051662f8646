//! Runs the tests that a policy has of itself: one whose own tests fail does not load.
//!
//! It never waits: the n-th call is judged as if all n came at once, which is when limits are tightest.

use super::document::quoted;
use super::fields::{Fields, Keys, Text, wrong_type};
use super::limit::Charge;
use super::limit_numbers::whole;
use super::mistake::{Mistakes, Place, unescaped};
use super::name::Glob;
use super::{Call, Decision, Definition, Facts, Moment, Policy};
use crate::json::{Kind, Value};

pub(super) const TEST: Keys = Keys {
    built: &["call", "expect", "rule", "times", "at"],
    not_built: &[],
};
pub(super) const CALL: Keys = Keys {
    built: &["tool", "args"],
    not_built: &[],
};
const EXPECTATIONS: [&str; 3] = ["allow", "deny", "approve"];

/// When a call comes that does not say: noon of a Monday, 2024-01-01, in UTC.
const AT_DEFAULT: Moment = Moment {
    seconds: 1_704_110_400,
};

/// One element of `tests`.
#[derive(Debug)]
pub(super) struct OwnTest<'a> {
    place: Place<'a>,
    tool: &'a str,
    arguments: Option<Value<'a>>,
    /// One of [`EXPECTATIONS`].
    expected: &'a str,
    rule: Option<&'a str>,
    /// The call is the n-th of its kind.
    times: u64,
    at: Moment,
}

/// How a policy's own tests went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// How many were as expected.
    pub passed: usize,
    /// How many were not.
    pub failed: usize,
}

impl Ran {
    pub(super) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed => self.failed += 1,
        }
    }
}

/// Whether one was as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
}

/// What came out of a test.
struct Found {
    outcome: &'static str,
    /// The ids of the rules that could be told; several limits can be full at once.
    rules: Vec<String>,
}

impl<'a> OwnTest<'a> {
    /// Reads one element of `tests`.
    pub(super) fn read(place: &Place<'a>, mistakes: &mut Mistakes) -> Option<OwnTest<'a>> {
        let fields = Fields::read(place, TEST, mistakes)?;
        let call = fields
            .required("call", mistakes)
            .and_then(|place| Fields::read(&place, CALL, mistakes));
        let tool = call
            .as_ref()
            .and_then(|call| call.required_text("tool", mistakes));
        let arguments = call.as_ref().and_then(|call| call.optional("args"));
        if let Some(place) = &arguments
            && place.value.kind() != Kind::Object
        {
            wrong_type(place, "an object", mistakes);
        }
        let expected = fields.required_text("expect", mistakes);
        if let Some(text) = &expected
            && !EXPECTATIONS.contains(&text.text)
        {
            let remedy = format!("write {}", quoted(EXPECTATIONS.into_iter(), " or "));
            let what = format!("{:?} is not known here", text.text);
            mistakes.advise(&text.place, what, remedy);
        }
        let rule = fields.text("rule", mistakes);
        let times = times(&fields, mistakes);
        let at = at(&fields, mistakes);
        Some(OwnTest {
            place: place.clone(),
            tool: tool?.text,
            arguments: arguments.map(|place| place.value),
            expected: expected?.text,
            rule: rule.map(|rule: Text<'a>| rule.text),
            times: times?,
            at: at?,
        })
    }

    /// Whether what stands at a pointer of the document has a say in this test.
    pub(super) fn is_judged_by(&self, pointer: &str) -> bool {
        let mut names = pointer.split('/').skip(1);
        match (names.next(), names.next()) {
            (Some("tools"), name) => name.is_none_or(|name| self.is_about(&unescaped(name))),
            (Some("tests"), Some(index)) => self.place.pointer.ends_with(&format!("/{index}")),
            (Some("all_tools" | "counters" | "default") | None, _) => true,
            _ => false,
        }
    }

    /// Whether the test's tool is the one of an entry, or could be: of a glob that cannot be read nobody knows.
    fn is_about(&self, entry: &str) -> bool {
        match Glob::is_glob(entry) {
            true => !Glob::parse(entry).is_ok_and(|glob| !glob.matches(self.tool)),
            false => entry == self.tool,
        }
    }

    /// Judges the call and compares.
    pub(super) fn run(&self, policy: &Policy, mistakes: &mut Mistakes) -> Outcome {
        let call = Call {
            tool: self.tool,
            arguments: self.arguments,
        };
        // What the server says of its tools is not known where a policy is written: any arguments are taken to fit.
        let definition = Definition::without_bounds();
        let facts = Facts {
            definition: Some(&definition),
            time: self.at,
            ..Facts::NONE
        };
        let found = found(policy.decide(&call, &facts).decision, self.times);
        let is_as_expected = found.outcome == self.expected
            && self
                .rule
                .is_none_or(|rule| found.rules.iter().any(|found| found == rule));
        if is_as_expected {
            return Outcome::Passed;
        }
        let by = |rules: &[String]| match rules.first() {
            Some(rule) => format!(" by {rule}"),
            None => String::new(),
        };
        let expected: Vec<_> = self.rule.iter().map(ToString::to_string).collect();
        let what = format!(
            "this test fails: expected {}{}, found {}{}",
            self.expected,
            by(&expected),
            found.outcome,
            by(&found.rules)
        );
        mistakes.add(&self.place, what);
        Outcome::Failed
    }
}

/// When the call comes: RFC 3339, with an offset or `Z`.
fn at(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Option<Moment> {
    let Some(place) = fields.optional("at") else {
        return Some(AT_DEFAULT);
    };
    let text = place.value.as_str();
    let time = text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    if time.is_none() {
        let remedy = "write such as \"2026-11-24T18:30:00Z\"";
        mistakes.advise(&place, "must be a time with its offset from UTC", remedy);
    }
    Some(Moment {
        seconds: time?.as_second(),
    })
}

fn times(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Option<u64> {
    let Some(place) = fields.optional("times") else {
        return Some(1);
    };
    let times = place.value.as_number().and_then(whole);
    let times = times.filter(|times| *times > 0);
    if times.is_none() {
        mistakes.add(&place, "must be a whole number from 1");
    }
    times
}

fn found(decision: Decision<'_>, times: u64) -> Found {
    let found = |outcome, rules| Found { outcome, rules };
    match decision {
        Decision::Hold(held) => found("approve", vec![held.rule.id.to_string()]),
        Decision::Deny(denial) => {
            let rule = match &denial {
                super::Denial::Unavailable(reason) => Some(reason.reason()),
                denial => denial.rule(),
            };
            found("deny", rule.into_iter().map(Into::into).collect())
        }
        Decision::Allow(permit) => {
            let is_full = |charge: &&Charge<'_>| is_full_after(times, charge);
            let full = permit.charges().iter().filter(is_full);
            let mut full: Vec<_> = full.map(|charge| charge.limit.rule.to_string()).collect();
            full.dedup();
            match full.is_empty() {
                true => found("allow", full),
                false => found("deny", full),
            }
        }
    }
}

/// Whether the last of so many such calls is refused.
fn is_full_after(times: u64, charge: &Charge<'_>) -> bool {
    let taken = u128::from(charge.amount.millionths()) * u128::from(times);
    let room = charge.limit.at_once().millionths();
    // The calls before it have ended.
    let is_counted = !charge.limit.is_shadow && !charge.limit.is_concurrent();
    is_counted && !charge.amount.is_nothing() && taken > u128::from(room)
}
