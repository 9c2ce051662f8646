//! A grant's limits as JSON, the same for the API and for `toolgate limits show --format json`.
//!
//! The keys are a promise: they are added to, never renamed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::grants::{Grant, LimitView};
use crate::policy::Amount;

/// `{"grant": {"id", "name"}, "limits": […]}`
pub fn limits(grant: &Grant, views: &[LimitView<'_>]) -> Value {
    json!({
        "grant": { "id": &*grant.id, "name": grant.name },
        "limits": views.iter().map(one).collect::<Value>(),
    })
}

fn one(view: &LimitView<'_>) -> Value {
    let LimitView {
        server,
        limit,
        stand,
    } = view;
    // When a call in flight ends, nobody knows.
    let opens = stand.filter(|stand| stand.opens.is_zero() || !limit.is_concurrent());
    json!({
        "server": server,
        "rule": limit.rule,
        "meaning": limit.meaning(),
        "scope": limit.scope.name(),
        "by": limit.by.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "window": limit.window.name(),
        "max": limit.max,
        "burst": limit.burst,
        "shadow": limit.is_shadow,
        "can_be_reset": !limit.scope.is_shared(),
        "takes": stand.map(|stand| number(stand.takes)),
        "left": stand.map(|stand| number(stand.holds.left)),
        "opens_ms": opens.map(|stand| millis_up(stand.opens)),
        "clears_ms": stand.map(|stand| millis_up(stand.holds.clears)),
    })
}

/// A whole number where it is one.
fn number(amount: Amount) -> Value {
    serde_json::from_str(&amount.to_string()).expect("a decimal is JSON")
}

/// Whole milliseconds, rounded up: whoever waits so long does not come too early.
fn millis_up(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
