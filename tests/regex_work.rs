//! The `regex` operator takes work in proportion to its input, whatever the pattern: no agent can make a rule think for ever.
//!
//! Work is the processor's time of this thread alone, the best of several runs, and is only compared with itself: an input a
//! thousand times as long may take a hundred times more than a thousand times as much. An engine whose work grew with the
//! square of the input would take a thousand times more than that, and one that backtracks would never come back.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use toolgate::json::{Duplicates, Reader};
use toolgate::policy::{Call, Decision, Facts, Policy};

/// Patterns that take for ever in an engine that tries one way after another, and what to repeat to make them do so.
const EXPLOSIVE: [(&str, &str); 8] = [
    ("(a+)+$", "a"),
    ("^(a+)+$", "a"),
    ("(a|aa)+$", "a"),
    ("^(a|a?)+$", "a"),
    ("(x+x+)+y", "x"),
    ("(.*)*=$", "b"),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a"),
    (r"^(\\w+\\s?)*$", "word "),
];

/// How much longer the long input is than the short one.
const LONGER: u32 = 1_000;

/// How far from proportion the work may be.
const MARGIN: u32 = 100;

/// Bytes of the short input: enough to take longer than reading a clock.
const SHORT: usize = 1_000;

/// A policy with one rule in each section that has the pattern.
fn policy(pattern: &str) -> Result<Policy, String> {
    let entry =
        format!(r#"[{{"conditions":[{{"path":"args.a","op":"regex","value":"{pattern}"}}]}}]"#);
    let source =
        format!(r#"{{"version":"1","default":"deny","tools":{{"t":{{"deny_if":{entry}}}}}}}"#);
    Policy::compile(source.as_bytes()).map_err(|mistakes| mistakes[0].to_string())
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).expect("less than a second");
    Duration::new(
        u64::try_from(time.tv_sec).expect("not negative"),
        nanoseconds,
    )
}

/// The least time that judging this argument takes; the call is allowed.
fn work(policy: &Policy, text: &str) -> Duration {
    let arguments = format!(r#"{{"a":"{text}"}}"#);
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader.read(arguments.as_bytes()).expect("JSON");
    let call = Call {
        tool: "t",
        arguments: Some(document.root()),
    };
    let judge = |_| {
        let before = processor_time();
        let decision = policy.decide(&call, &Facts::NONE).decision;
        let took = processor_time() - before;
        assert!(matches!(decision, Decision::Allow(_)), "{decision:?}");
        took
    };
    (0..5).map(judge).min().expect("it was judged")
}

#[test]
fn a_pattern_that_explodes_elsewhere_takes_work_in_proportion_to_its_input() {
    for (pattern, piece) in EXPLOSIVE {
        let policy = policy(pattern).expect("the pattern is no mistake");
        let text = |length: usize| format!("{}!", piece.repeat(length / piece.len()));
        let short = work(&policy, &text(SHORT)).max(Duration::from_nanos(1));
        let long = work(&policy, &text(SHORT * LONGER as usize));
        assert!(
            long < short * LONGER * MARGIN,
            "{pattern}: {short:?} for {SHORT} bytes, {long:?} for {LONGER} times as many"
        );
    }
}

#[test]
fn a_pattern_that_would_take_more_memory_than_a_rule_is_worth_does_not_load() {
    for pattern in [
        "((a{100}){100}){100}",
        r"\\w{10000}",
        "(((((x{30}){30}){30}){30}){30})",
        r"(\\pL{1,1000}){50}",
    ] {
        let told = policy(pattern).expect_err("it is too large");
        assert!(
            told.contains("the regex takes more than"),
            "{pattern}: {told}"
        );
    }
}
