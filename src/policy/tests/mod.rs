//! What the policy promises.

mod calls;
mod charges;
mod collections;
mod definitions;
mod explain;
mod facts;
mod hard;
mod limits;
mod numbers;
mod offer;
mod operators;
mod reference;
mod review;
mod review_limits;
mod schemas;
mod subjects;
mod wide;

use super::*;
use crate::json::{Duplicates, Reader};

fn compiled(source: &str) -> Policy {
    Policy::compile(source.as_bytes()).unwrap_or_else(|mistakes| {
        let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        panic!("{}\nin {source}", told.join("\n"))
    })
}

/// A policy with one tool, `t`.
fn with_tool(rules: &str) -> Policy {
    compiled(&format!(
        r#"{{"version":"1","default":"deny","tools":{{"t":{rules}}}}}"#
    ))
}

fn decide<T>(
    policy: &Policy,
    (tool, arguments): (&str, &str),
    listing: Listing,
    then: impl FnOnce(Decision<'_>) -> T,
) -> T {
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader
        .read(arguments.as_bytes())
        .expect("arguments are JSON");
    let call = Call {
        tool,
        arguments: Some(document.root()),
    };
    let facts = Facts {
        listing,
        ..Facts::NONE
    };
    then(policy.decide(&call, &facts).decision)
}

/// The decision in one line: `allow`, or the kind of refusal, its rule and the sentence.
fn told(policy: &Policy, tool: &str, arguments: &str) -> String {
    decide(
        policy,
        (tool, arguments),
        Listing::Unknown,
        |decision| match decision {
            Decision::Allow(_) => "allow".into(),
            Decision::Hold(held) => format!("hold {} {}", held.rule.id, held.sentence(tool)),
            Decision::Deny(denial) => format!(
                "{} {} {}",
                denial.kind(),
                denial.rule().unwrap_or("-"),
                denial.sentence(tool)
            ),
        },
    )
}

/// `allow`, `hold`, or the kind of refusal.
fn outcome(policy: &Policy, tool: &str, arguments: &str) -> String {
    let told = told(policy, tool, arguments);
    told.split(' ').next().unwrap_or_default().to_owned()
}
