//! An explanation as one line of JSON, for programs.
//!
//! The keys are a promise: they are added to, never renamed.

use serde_json::{Map, Value, json};

use crate::policy::{Explanation, Look, Spot, Step, Taken};

/// One object and a line end.
pub(super) fn line(explanation: &Explanation) -> String {
    let told = with_spot(
        explanation.spot.as_ref(),
        json!({
            "verdict": explanation.verdict,
            "rule": explanation.rule,
            "sentence": explanation.sentence,
            "steps": explanation.steps.iter().map(step).collect::<Value>(),
            "shadowed": explanation.shadowed,
            "charges": explanation.charges.iter().map(charge).collect::<Value>(),
        }),
    );
    format!("{told}\n")
}

fn step(step: &Step) -> Value {
    with_spot(
        step.spot.as_ref(),
        json!({
            "section": step.section,
            "rule": step.rule,
            "truth": step.truth,
            "follows": step.follows,
            "conditions": step.looks.iter().map(look).collect::<Value>(),
        }),
    )
}

fn look(look: &Look) -> Value {
    with_spot(
        Some(&look.spot),
        json!({
            "depth": look.depth,
            "test": look.test,
            "saw": look.saw,
            "truth": look.truth,
            "why": look.why,
        }),
    )
}

fn charge(taken: &Taken) -> Value {
    with_spot(
        Some(&taken.spot),
        json!({
            "rule": taken.limit.rule,
            "amount": taken.amount,
            "meaning": taken.limit.meaning(),
        }),
    )
}

/// The object with `pointer`, `line` and `column`; null where there is no place.
fn with_spot(spot: Option<&Spot>, mut told: Value) -> Value {
    let position = spot.and_then(|spot| spot.position);
    let place = [
        ("pointer", json!(spot.map(|spot| &spot.pointer))),
        ("line", json!(position.map(|place| place.line))),
        ("column", json!(position.map(|place| place.column))),
    ];
    let object: Option<&mut Map<String, Value>> = told.as_object_mut();
    if let Some(object) = object {
        object.extend(place.map(|(key, value)| (key.to_owned(), value)));
    }
    told
}
