//! Where a condition looks: `args.a.b`, `args.items[0].x`, `args.items[*].x`, `args["odd.key"]`.
//!
//! It never matches a key by anything but its exact, unescaped text.

use jiff::tz::TimeZone;

use super::fact::{self, Fact};

/// Steps of a path; deeper than a call's JSON may nest is never found.
const STEPS_MAX: usize = 64;

/// A compiled path: from the arguments of a call to one value, or with `[*]` to many; or to a fact.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// As the author wrote it.
    pub(super) text: Box<str>,
    /// What it looks at in place of arguments.
    pub(super) fact: Option<Fact>,
    /// The way down from the arguments; none for a fact.
    pub(super) steps: Box<[Step]>,
}

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Into an object.
    Key(Box<str>),
    /// Into an array, from 0.
    Index(usize),
    /// Into all elements of an array.
    Each,
}

impl Path {
    /// Reads a path; an error says what is wrong with it. Facts of time are told in `zone`.
    pub(super) fn parse(text: &str, zone: &TimeZone) -> Result<Path, String> {
        let root_end = text.find(['.', '[']).unwrap_or(text.len());
        let (root, mut rest) = text.split_at(root_end);
        if root != "args" && !fact::ROOTS.contains(&root) {
            let roots = fact::ROOTS.join(", ");
            return Err(format!(
                "the path {text:?} must begin with args, or one of {roots}"
            ));
        }
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or_else(|| {
                let at = text[..text.len() - rest.len()].chars().count() + 1;
                format!("the path {text:?} cannot be read from character {at} on")
            })?;
            steps.push(step);
            rest = after;
        }
        if steps.len() > STEPS_MAX {
            return Err(format!("the path has more than {STEPS_MAX} steps"));
        }
        let fact = match root {
            "args" => None,
            root => Some(Fact::parse(root, &steps, zone)?),
        };
        if fact.is_some() {
            steps.clear();
        }
        Ok(Path {
            text: text.into(),
            fact,
            steps: steps.into(),
        })
    }
}

/// Whether a sentence begins with a path.
pub(super) fn begins(sentence: &str) -> bool {
    let root = sentence.split(['.', '[', ' ']).next().unwrap_or_default();
    let is_path = sentence[root.len()..].starts_with(['.', '[']);
    root == "args" || is_path && fact::ROOTS.contains(&root)
}

/// Steps, as an author would write them.
pub(super) fn shown(steps: &[Step]) -> String {
    let mut text = String::from("args");
    for step in steps {
        match step {
            Step::Key(key) if is_plain(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Key(key) => text.push_str(&format!("[{key:?}]")),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Each => text.push_str("[*]"),
        }
    }
    text
}

/// The first step of `rest`, and what comes after it.
fn step(rest: &str) -> Option<(Step, &str)> {
    if let Some(rest) = rest.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        return is_plain(key).then(|| (Step::Key(key.into()), after));
    }
    let inside = rest.strip_prefix('[')?;
    if let Some(after) = inside.strip_prefix("*]") {
        return Some((Step::Each, after));
    }
    if inside.starts_with('"') {
        let end = quoted_end(inside)?;
        let key: String = serde_json::from_str(&inside[..end]).ok()?;
        return Some((Step::Key(key.into()), inside[end..].strip_prefix(']')?));
    }
    let (index, after) = inside.split_once(']')?;
    let is_index = index.bytes().all(|byte| byte.is_ascii_digit());
    let has_no_leading_zero = index == "0" || !index.starts_with('0');
    if !is_index || !has_no_leading_zero {
        return None;
    }
    Some((Step::Index(index.parse().ok()?), after))
}

/// Whether a key may stand after a dot; all others are written `["…"]`.
fn is_plain(key: &str) -> bool {
    let is_odd =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '.' | '[' | ']' | '"' | '*');
    !key.is_empty() && !key.contains(is_odd)
}

/// One past the closing quote of a JSON string that begins at 0.
fn quoted_end(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Step {
        Step::Key(text.into())
    }

    #[test]
    fn a_path_is_read_step_by_step() {
        let cases = [
            ("args", vec![]),
            ("args.a.b", vec![key("a"), key("b")]),
            (
                "args.items[0].x",
                vec![key("items"), Step::Index(0), key("x")],
            ),
            ("args.items[*].x", vec![key("items"), Step::Each, key("x")]),
            (r#"args["odd.key"]"#, vec![key("odd.key")]),
            (r#"args["a\"]\u0062"].c"#, vec![key("a\"]b"), key("c")]),
            ("args.a-b.ü$", vec![key("a-b"), key("ü$")]),
            (r#"args[""]"#, vec![key("")]),
        ];
        for (text, steps) in cases {
            let path =
                Path::parse(text, &TimeZone::UTC).unwrap_or_else(|what| panic!("{text}: {what}"));
            assert_eq!(*path.steps, *steps, "{text}");
        }
    }

    #[test]
    fn a_broken_path_is_refused() {
        for text in [
            "",
            "arg.a",
            "args.",
            "args..a",
            "args.a.",
            "args[",
            "args[]",
            "args[-1]",
            "args[01]",
            "args[1",
            "args['a']",
            "args[\"a]",
            "args[\"a\"",
            "args.a b",
            "args.*",
            "argsa",
            "args[1]x",
            "args.a]",
            "Args.a",
            " args",
            "args[**]",
            "args[99999999999999999999999]",
            "grant",
            "grant.name",
            "grant.label.x",
            "grant.tags",
            "grant.tags.a.b",
            "grant.tags[0]",
            "tool.risk",
            "tool.annotations",
            "time.minute",
            "client",
            "risk.x",
        ] {
            assert!(
                Path::parse(text, &TimeZone::UTC).is_err(),
                "{text:?} was read"
            );
        }
    }

    #[test]
    fn a_part_of_a_path_is_shown_as_it_would_be_written() {
        let path = Path::parse(r#"args.a[3][*]["x y"].b"#, &TimeZone::UTC).expect("a path");
        assert_eq!(shown(&path.steps), r#"args.a[3][*]["x y"].b"#);
        assert_eq!(shown(&path.steps[..2]), "args.a[3]");
        assert_eq!(shown(&[]), "args");
    }
}
