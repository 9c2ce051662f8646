//! An explanation for people: numbered steps, each condition with what it saw, then the decision.
//!
//! Its colours are for terminals alone: whoever prints it takes them out elsewhere.

use std::fmt::Write;

use anstyle::{AnsiColor, Effects, Style};

use crate::policy::{Explanation, Look, Spot, Step, Taken};

const RED: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
const YELLOW: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);
const GREEN: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
const FAINT: Style = Style::new().effects(Effects::DIMMED);

/// The whole explanation, with line ends and colours.
pub(super) fn shown(explanation: &Explanation, tool: &str) -> String {
    let mut text = format!("a call of {tool:?}\n\n");
    for (at, step) in explanation.steps.iter().enumerate() {
        self::step(&mut text, (at + 1, step));
    }
    let colour = match explanation.verdict {
        "allow" => GREEN,
        "approve" => YELLOW,
        _ => RED,
    };
    let _ = write!(
        text,
        "\ndecision: {colour}{}{colour:#}",
        explanation.verdict
    );
    if let Some(rule) = &explanation.rule {
        let _ = write!(text, " by {rule}{}", place(explanation.spot.as_ref()));
    }
    text.push('\n');
    if let Some(sentence) = &explanation.sentence {
        let _ = writeln!(text, "the agent reads: {sentence}");
    }
    for shadowed in &explanation.shadowed {
        let _ = writeln!(text, "in shadow: {shadowed}");
    }
    if !explanation.charges.is_empty() {
        text.push_str("it takes, if all of them have room:\n");
    }
    explanation
        .charges
        .iter()
        .for_each(|taken| charge(&mut text, taken));
    text
}

fn step(text: &mut String, (number, step): (usize, &Step)) {
    let Step {
        section,
        rule,
        follows,
        spot,
        ..
    } = step;
    let place = match rule {
        Some(rule) => format!("{rule}{}", line(spot.as_ref())),
        None => spot.as_ref().map_or_else(String::new, |spot| {
            format!("{}{}", spot.pointer, line(Some(spot)))
        }),
    };
    let _ = writeln!(text, "{number:>2}. {section:<10} {follows}");
    if !place.is_empty() {
        let _ = writeln!(text, "    {FAINT}{place}{FAINT:#}");
    }
    step.looks.iter().for_each(|look| self::look(text, look));
}

fn look(text: &mut String, look: &Look) {
    let inside = "  ".repeat(look.depth);
    let saw = look
        .saw
        .as_ref()
        .map_or_else(String::new, |saw| format!(" saw {saw}"));
    let why = look
        .why
        .as_ref()
        .map_or_else(String::new, |why| format!(": {why}"));
    let _ = writeln!(
        text,
        "      {inside}{}{saw} → {}{why}",
        look.test, look.truth
    );
}

fn charge(text: &mut String, taken: &Taken) {
    let Taken {
        limit,
        spot,
        amount,
    } = taken;
    let place = line(Some(spot));
    let _ = writeln!(
        text,
        "  {amount} from {}{place}: {}",
        limit.rule,
        limit.meaning()
    );
}

fn place(spot: Option<&Spot>) -> String {
    match spot {
        Some(Spot {
            pointer,
            position: Some(place),
        }) => format!(" ({pointer}, line {})", place.line),
        _ => String::new(),
    }
}

fn line(spot: Option<&Spot>) -> String {
    let position = spot.and_then(|spot| spot.position);
    position.map_or_else(String::new, |place| format!(" (line {})", place.line))
}
