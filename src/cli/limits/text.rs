//! A grant's limits for people: one row a limit, and under it what it means.
//!
//! Its colours are for terminals alone: whoever prints it takes them out elsewhere.

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Effects, Style};

use super::call::Charged;
use crate::grants::{Grant, LimitView, Stand};
use crate::policy::{Limit, Scope};

const RED: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
const YELLOW: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);
const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().effects(Effects::BOLD);
const FAINT: Style = Style::new().effects(Effects::DIMMED);

/// From here on a limit is shown as nearly used up: an operator who looks now can still do something.
const NEARLY_USED_UP: f64 = 0.8;

const HEADS: [&str; 5] = ["server", "left", "room", "all free", "limit"];

/// All of it, with line ends and colours.
pub(super) fn shown(
    (grant, views): (&Grant, &[LimitView<'_>]),
    charged: Option<&Charged<'_>>,
) -> String {
    let mut text = format!("grant {BOLD}{}{BOLD:#}  {}\n", grant.name, grant.id);
    if let Some(charged) = charged {
        text.push_str(&verdict(charged));
    }
    let needs_call = views.iter().any(|view| view.stand.is_none());
    match (views, charged.map(|charged| charged.verdict)) {
        ([], None) => text.push_str("\nno policy of it has a limit\n"),
        ([], Some("allow")) => text.push_str("it takes from no limit\n"),
        ([], Some(_)) => text.push_str("it takes nothing\n"),
        (views, _) => rows(&mut text, views),
    }
    if needs_call {
        text.push_str(
            "\nby call: a counter for each session or value; --call shows the one of a call\n",
        );
    }
    text
}

fn verdict(charged: &Charged<'_>) -> String {
    let what = match charged.verdict {
        "allow" => "is allowed if all its limits have room",
        "approve" => "waits for a person",
        _ => "is denied",
    };
    let rule = charged.rule.as_ref();
    let rule = rule.map_or_else(String::new, |rule| format!(" by {rule}"));
    format!("a call of {:?} {what}{rule}\n", charged.tool)
}

fn rows(text: &mut String, views: &[LimitView<'_>]) {
    let cells: Vec<[String; 4]> = views.iter().map(cells).collect();
    let width = |column: usize| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.chain([HEADS[column].len()]).max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    let heads = HEADS.map(str::to_owned);
    let [server, left, room, free, limit] = heads;
    let head = padded(&[server, left, room, free], (widths, PLAIN));
    say(text, format_args!("\n{FAINT}{head}{limit}{FAINT:#}\n"));
    for (view, cells) in views.iter().zip(&cells) {
        let row = padded(cells, (widths, colour(view)));
        let limit = view.limit;
        say(text, format_args!("{row}{}{}\n", limit.rule, whose(limit)));
        let inset = widths.iter().map(|width| width + 2).sum::<usize>();
        let meaning = limit.meaning();
        say(
            text,
            format_args!("{:inset$}{FAINT}{meaning}{FAINT:#}\n", ""),
        );
    }
}

fn cells(view: &LimitView<'_>) -> [String; 4] {
    let server = view.server.to_owned();
    let Some(Stand { opens, holds, .. }) = view.stand else {
        return [server, "by call".into(), "".into(), "".into()];
    };
    let left = format!("{} of {}", holds.left, view.limit.at_once());
    let room = match view.limit.is_concurrent() && !opens.is_zero() {
        true => "when one ends".into(),
        false => within(opens),
    };
    [server, left, room, within(holds.clears)]
}

/// The cells in columns, the second in a colour.
fn padded(cells: &[String; 4], (widths, style): ([usize; 4], Style)) -> String {
    let [server, left, room, free] = cells;
    let [first, second, third, fourth] = widths;
    format!("{server:<first$}  {style}{left:<second$}{style:#}  {room:<third$}  {free:<fourth$}  ")
}

fn colour(view: &LimitView<'_>) -> Style {
    match (view.stand, view.used_ratio()) {
        (Some(stand), _) if !stand.opens.is_zero() => RED,
        (_, Some(used)) if used >= NEARLY_USED_UP => YELLOW,
        _ => PLAIN,
    }
}

fn whose(limit: &Limit) -> &'static str {
    match limit.scope {
        Scope::Grant | Scope::Session => "",
        Scope::Server => "  (shared by all grants of the server)",
        Scope::Organisation => "  (shared by all grants)",
    }
}

/// `now`, or the two largest units that count, rounded up.
fn within(wait: Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let (minutes, hours) = (seconds.div_ceil(60), seconds.div_ceil(3_600));
    match seconds {
        0 => "now".into(),
        1..60 => format!("{seconds} s"),
        60..3_600 => two((seconds / 60, "min"), (seconds % 60, "s")),
        3_600..86_400 => two((minutes / 60, "h"), (minutes % 60, "min")),
        _ => two((hours / 24, "d"), (hours % 24, "h")),
    }
}

fn two(large: (u64, &str), small: (u64, &str)) -> String {
    match small.0 {
        0 => format!("{} {}", large.0, large.1),
        rest => format!("{} {} {rest} {}", large.0, large.1, small.1),
    }
}

fn say(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words).expect("memory takes all text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_two_units_and_never_too_short() {
        for (millis, words) in [
            (0, "now"),
            (1, "1 s"),
            (59_001, "1 min"),
            (61_000, "1 min 1 s"),
            (3_599_001, "1 h"),
            (5_401_000, "1 h 31 min"),
            (86_399_000, "24 h"),
            (86_400_000, "1 d"),
            (176_401_000, "2 d 2 h"),
        ] {
            assert_eq!(within(Duration::from_millis(millis)), words, "{millis} ms");
        }
    }
}
