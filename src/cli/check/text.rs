//! A checked policy for people: each mistake under the line it is in, and what each limit means.
//!
//! Its colours are for terminals alone: whoever prints it takes them out elsewhere.

use std::fmt::Write;

use anstyle::{AnsiColor, Effects, Style};

use super::{Checked, Compared};
use crate::json::Position;
use crate::policy::{Limit, Mistake, Unmatched, in_groups, positions};

/// As much of a line is shown, around the place that is meant: what a terminal of usual width holds.
const LINE_CHARS_MAX: usize = 100;
/// So much of it before the place.
const BEFORE_CHARS_MAX: usize = 60;

const RED: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
const YELLOW: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);
const GREEN: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
const BLUE: Style = AnsiColor::Blue.on_default().effects(Effects::BOLD);

/// All that is to be said, with line ends and colours.
pub(super) fn shown(checked: &Checked<'_>, compared: Option<&Compared>) -> String {
    let mut text = String::new();
    let review = &checked.review;
    for warning in &review.warnings {
        point_at(&mut text, ("warning", YELLOW), (checked, warning));
    }
    if let Err(mistakes) = &review.policy {
        for mistake in mistakes {
            point_at(&mut text, ("error", RED), (checked, mistake));
        }
    }
    text.push_str(&summary(checked));
    limits(&mut text, checked);
    if let (Some(compared), Some(unmatched)) = (compared, &review.unmatched) {
        text.push_str(&server(compared, unmatched));
    }
    text
}

/// One mistake: what, where, the line itself with a caret, and what to do.
fn point_at(
    text: &mut String,
    (word, style): (&str, Style),
    (checked, mistake): (&Checked<'_>, &Mistake),
) {
    let Position { line, column } = mistake.position;
    let margin = " ".repeat(line.to_string().len());
    let (shown, caret) = excerpt(&checked.source, mistake.position);
    let blank = " ".repeat(caret);
    let bar = format!("{BLUE}{margin} |{BLUE:#}");
    let file = checked.file.display();
    let mut told = format!("{style}{word}{style:#}: {}\n", mistake.what);
    let _ = writeln!(
        told,
        "{margin}{BLUE}-->{BLUE:#} {file}:{line}:{column} {}",
        mistake.pointer
    );
    let _ = writeln!(
        told,
        "{bar}\n{BLUE}{line} |{BLUE:#} {shown}\n{bar} {blank}{style}^{style:#}"
    );
    if let Some(remedy) = &mistake.remedy {
        let _ = writeln!(told, "{margin} {BLUE}={BLUE:#} {remedy}");
    }
    // A pointer to the whole document is empty: no blank stays behind.
    let lines = told.lines().map(str::trim_end);
    text.extend(lines.flat_map(|line| [line, "\n"]));
    text.push('\n');
}

/// The line, or the part of it around the place, and how many characters of that stand before the place.
fn excerpt(source: &[u8], position: Position) -> (String, usize) {
    let line = source
        .split(|&byte| byte == b'\n')
        .nth(position.line - 1)
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let line: Vec<char> = line
        .trim_end()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let at = (position.column - 1).min(line.len());
    if line.len() <= LINE_CHARS_MAX {
        return (line.iter().collect(), at);
    }
    let start = at.saturating_sub(BEFORE_CHARS_MAX);
    let end = (start + LINE_CHARS_MAX).min(line.len());
    let mut shown: String = line[start..end].iter().collect();
    if end < line.len() {
        shown.push('…');
    }
    match start {
        0 => (shown, at),
        _ => (format!("…{shown}"), at - start + 1),
    }
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
    let places = positions(&checked.source, limits.iter().map(|limit| &*limit.pointer));
    for (limit, position) in limits.iter().zip(places) {
        let line = position.map_or_else(String::new, |place| format!(" (line {})", place.line));
        let _ = writeln!(text, "  {}{line}: {}", limit.rule, meaning(limit));
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

/// What a limit means, in plain words.
pub(super) fn meaning(limit: &Limit) -> String {
    let (max, window) = (limit.max.get(), limit.window.length().as_secs());
    let calls = if max == 1 { "call" } else { "calls" };
    let burst = limit
        .burst
        .map_or_else(String::new, |burst| format!(", {burst} of them at once"));
    let a_day = match window {
        1..DAY => format!(
            "; {} a day",
            in_groups(max.saturating_mul(DAY.div_ceil(window)))
        ),
        _ => String::new(),
    };
    let (max, window) = (in_groups(max), in_groups(window));
    format!("at most {max} {calls} in any {window} seconds for each grant{burst}{a_day}")
}

/// In seconds.
const DAY: u64 = 86_400;
