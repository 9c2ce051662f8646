//! What stands where a condition looks, in words for whoever wrote the rule.
//!
//! It never judges. What it tells is for the author's eyes: it has arguments' values, and never goes to an agent.

use super::super::condition::{Condition, Scene};
use super::super::fact::Reading;
use super::super::operand::Operand;
use super::super::path::Step;
use super::super::words::cut;
use crate::json::{Kind, Value};

/// So many elements are told one by one.
const TOLD_MAX: usize = 5;

/// All that the condition's path leads to.
pub(super) fn seen(condition: &Condition, scene: Scene<'_, '_>) -> String {
    if let Some(fact) = &condition.path.fact {
        return fact.read(&scene.call, scene.facts, |reading| match reading {
            Reading::Known(operand) => shown(operand),
            Reading::Missing => "nothing".to_owned(),
            Reading::Unknown => "what is not known".to_owned(),
        });
    }
    let mut found = Vec::new();
    gather(scene.call.arguments, &condition.path.steps, &mut found);
    let more = found.len().saturating_sub(TOLD_MAX);
    found.truncate(TOLD_MAX);
    let told = found.join(", ");
    match more {
        0 => told,
        _ => format!("{told}, …"),
    }
}

/// Adds what stands at the end of the way; one more than is told, so that it is known that there is more.
fn gather(at: Option<Value<'_>>, steps: &[Step], found: &mut Vec<String>) {
    if found.len() > TOLD_MAX {
        return;
    }
    let Some(value) = at else {
        return found.push("nothing".to_owned());
    };
    let (Some((step, rest)), false) = (steps.split_first(), value.kind() == Kind::Null) else {
        return found.push(cut(value.raw()));
    };
    match (step, value.kind()) {
        (Step::Key(key), Kind::Object) => gather(value.member(key), rest, found),
        (Step::Index(index), Kind::Array) => gather(value.elements().nth(*index), rest, found),
        (Step::Each, Kind::Array) => {
            let mut elements = value.elements().peekable();
            if elements.peek().is_none() {
                found.push("nothing in []".to_owned());
            }
            elements.for_each(|element| gather(Some(element), rest, found));
        }
        _ => found.push(format!("{} on the way", cut(value.raw()))),
    }
}

fn shown(operand: Operand<'_>) -> String {
    match operand {
        Operand::Argument(value) => cut(value.raw()),
        Operand::Text(text) => cut(&format!("{text:?}")),
        Operand::Number(number) => number.to_owned(),
        Operand::Flag(flag) => flag.to_string(),
    }
}
