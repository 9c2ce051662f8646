//! Shows what is wrong with a file: the line it is in, a caret under the place, and what to do.
//!
//! Its colours are for terminals alone: whoever prints it takes them out elsewhere.

use std::fmt::Write;
use std::path::Path;

use anstyle::{AnsiColor, Effects, Style};

use crate::json::Position;
use crate::policy::Mistake;

/// As much of a line is shown, around the place that is meant: what a terminal of usual width holds.
const LINE_CHARS_MAX: usize = 100;
/// So much of it before the place.
const BEFORE_CHARS_MAX: usize = 60;

const RED: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
const YELLOW: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);
const BLUE: Style = AnsiColor::Blue.on_default().effects(Effects::BOLD);

/// Whether it keeps a policy from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Error,
    Warning,
}

/// One mistake: what, where, the line itself with a caret, and what to do.
pub(super) fn pointed(weight: Weight, mistake: &Mistake, (file, source): (&Path, &[u8])) -> String {
    let (word, style) = match weight {
        Weight::Error => ("error", RED),
        Weight::Warning => ("warning", YELLOW),
    };
    let Position { line, column } = mistake.position;
    let margin = " ".repeat(line.to_string().len());
    let (shown, caret) = excerpt(source, mistake.position);
    let blank = " ".repeat(caret);
    let bar = format!("{BLUE}{margin} |{BLUE:#}");
    let file = file.display();
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
    lines.flat_map(|line| [line, "\n"]).chain(["\n"]).collect()
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
