//! A checked policy for people: each mistake under the line it is in, and what each limit means.
//!
//! Its colours are for terminals alone: whoever prints it takes them out elsewhere.

use std::fmt::Write;

use anstyle::{AnsiColor, Effects, Style};

use super::{Checked, Compared};
use crate::cli::excerpt::{Weight, pointed};
use crate::policy::Unmatched;

const RED: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
const GREEN: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);

/// All that is to be said, with line ends and colours.
pub(super) fn shown(checked: &Checked<'_>, compared: Option<&Compared>) -> String {
    let mut text = String::new();
    let review = &checked.review;
    let place = (checked.file, &checked.source[..]);
    for warning in &review.warnings {
        text.push_str(&pointed(Weight::Warning, warning, place));
    }
    if let Err(mistakes) = &review.policy {
        for mistake in mistakes {
            text.push_str(&pointed(Weight::Error, mistake, place));
        }
    }
    text.push_str(&summary(checked));
    limits(&mut text, checked);
    if let (Some(compared), Some(unmatched)) = (compared, &review.unmatched) {
        text.push_str(&server(compared, unmatched));
    }
    text
}

fn summary(checked: &Checked<'_>) -> String {
    let review = &checked.review;
    let file = checked.file.display();
    let tests = match (review.tests.passed, review.tests.failed) {
        (0, 0) => String::new(),
        (passed, 0) => format!(", {} passed", counted(passed, "test")),
        (passed, failed) => format!(", {failed} of {} failed", counted(passed + failed, "test")),
    };
    let warnings = match review.warnings.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "warning")),
    };
    match &review.policy {
        Ok(policy) => format!(
            "{file}: {GREEN}valid{GREEN:#} ({}{tests}{warnings}, hash {})\n",
            counted(policy.limits().len(), "limit"),
            policy.hash()
        ),
        Err(mistakes) => format!(
            "{file}: {RED}not valid{RED:#} ({}{tests}{warnings})\n",
            counted(mistakes.len(), "mistake")
        ),
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn limits(text: &mut String, checked: &Checked<'_>) {
    let Ok(policy) = &checked.review.policy else {
        return;
    };
    let limits = policy.limits();
    let places = checked
        .text()
        .positions(limits.iter().map(|limit| &*limit.pointer));
    for (limit, position) in limits.iter().zip(places) {
        let line = position.map_or_else(String::new, |place| format!(" (line {})", place.line));
        let _ = writeln!(text, "  {}{line}: {}", limit.rule, limit.meaning());
    }
}

fn server(compared: &Compared, unmatched: &Unmatched) -> String {
    let Compared { name, offer } = compared;
    let tools = counted(offer.count(), "tool");
    match unmatched.tools.len() {
        0 => format!("  {name}: {tools}, each with an entry or hidden\n"),
        count => format!(
            "  {name}: {tools}, {count} without an entry: {}\n    {}\n",
            unmatched.fate,
            unmatched.tools.join(", ")
        ),
    }
}
