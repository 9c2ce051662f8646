//! A checked policy as one line of JSON, for programs.
//!
//! The keys are a promise: they are added to, never renamed.

use serde_json::{Value, json};

use super::{Checked, Compared};
use crate::json::Position;
use crate::policy::Mistake;

/// One object and a line end.
pub(super) fn line(checked: &Checked<'_>, compared: Option<&Compared>) -> String {
    let review = &checked.review;
    let policy = review.policy.as_ref();
    let mistakes = policy.err().map_or(&[][..], Vec::as_slice);
    let told = json!({
        "file": checked.file.display().to_string(),
        "valid": policy.is_ok(),
        "hash": policy.ok().map(|policy| policy.hash()),
        "mistakes": mistakes.iter().map(mistake).collect::<Value>(),
        "warnings": review.warnings.iter().map(mistake).collect::<Value>(),
        "limits": limits(checked),
        "tests": { "passed": review.tests.passed, "failed": review.tests.failed },
        "server": compared.map(|compared| server(checked, compared)),
    });
    format!("{told}\n")
}

fn mistake(mistake: &Mistake) -> Value {
    json!({
        "line": mistake.position.line,
        "column": mistake.position.column,
        "pointer": mistake.pointer,
        "what": mistake.what,
        "remedy": mistake.remedy,
    })
}

fn limits(checked: &Checked<'_>) -> Value {
    let Ok(policy) = &checked.review.policy else {
        return json!([]);
    };
    let limits = policy.limits();
    let places = checked
        .text()
        .positions(limits.iter().map(|limit| &*limit.pointer));
    let told = limits.iter().zip(places).map(|(limit, position)| {
        let Position { line, column } = position.unwrap_or(Position { line: 1, column: 1 });
        json!({
            "rule": limit.rule,
            "pointer": limit.pointer,
            "line": line,
            "column": column,
            "meaning": limit.meaning(),
        })
    });
    told.collect()
}

fn server(checked: &Checked<'_>, compared: &Compared) -> Value {
    let unmatched = checked.review.unmatched.as_ref();
    json!({
        "name": compared.name,
        "tools": compared.offer.count(),
        "unmatched": unmatched.map(|unmatched| json!({
            "tools": unmatched.tools,
            "fate": unmatched.fate,
        })),
    })
}
