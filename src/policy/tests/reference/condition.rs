//! Conditions, judged slowly and obviously, as the description of the language says.
//!
//! It never uses what it is compared with: not its numbers, its globs or its logic.

use super::around::Around;
use super::decimal;
use super::json::Json;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Key(&'static str),
    Index(usize),
    Each,
}

/// Where a condition looks.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Arguments(Vec<Step>),
    Fact(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) enum Cond {
    Test {
        place: Place,
        op: &'static str,
        value: Json,
    },
    Any(Vec<Cond>),
    All(Vec<Cond>),
    Not(Box<Cond>),
}

impl Cond {
    pub(crate) fn write(&self) -> String {
        let list = |inside: &[Cond]| inside.iter().map(Cond::write).collect::<Vec<_>>().join(",");
        match self {
            Cond::Test { place, op, value } => {
                format!(
                    r#"{{"path":"{}","op":"{op}","value":{}}}"#,
                    place.write(),
                    value.write()
                )
            }
            Cond::Any(inside) => format!(r#"{{"any":[{}]}}"#, list(inside)),
            Cond::All(inside) => format!(r#"{{"all":[{}]}}"#, list(inside)),
            Cond::Not(inside) => format!(r#"{{"not":{}}}"#, inside.write()),
        }
    }

    /// Where all its tests look, in the order of the document.
    pub(crate) fn places(&self) -> Vec<&Place> {
        match self {
            Cond::Test { place, .. } => vec![place],
            Cond::Any(inside) | Cond::All(inside) => inside.iter().flat_map(Cond::places).collect(),
            Cond::Not(inside) => inside.places(),
        }
    }
}

impl Place {
    fn write(&self) -> String {
        let steps = match self {
            Place::Fact(path) => return (*path).into(),
            Place::Arguments(steps) => steps,
        };
        let mut text = "args".to_owned();
        for step in steps {
            text += &match step {
                Step::Key(key) => format!(".{key}"),
                Step::Index(index) => format!("[{index}]"),
                Step::Each => "[*]".into(),
            };
        }
        text
    }
}

/// One entry of `require`, `deny_if` or `approve_if`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) conds: Vec<Cond>,
    pub(crate) deny_if_missing: bool,
    pub(crate) shadow: bool,
    /// A zone's name, and its seconds east of UTC.
    pub(crate) zone: Option<(&'static str, i64)>,
}

/// The call being judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight<'c> {
    pub(crate) tool: &'c str,
    pub(crate) args: &'c Json,
    pub(crate) around: &'c Around,
}

/// What stands at the end of a path, once for each element that `[*]` reaches.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    Missing,
    Stuck,
    Is(Json),
}

fn find(at: Option<&Json>, path: &[Step]) -> Vec<Found> {
    let Some(value) = at.filter(|value| **value != Json::Null) else {
        return vec![Found::Missing];
    };
    let Some((step, rest)) = path.split_first() else {
        return vec![Found::Is(value.clone())];
    };
    match (step, value) {
        (Step::Key(key), Json::Members(members)) => {
            let member = members.iter().find(|(name, _)| name == key);
            find(member.map(|(_, value)| value), rest)
        }
        (Step::Index(index), Json::List(items)) => find(items.get(*index), rest),
        (Step::Each, Json::List(items)) if items.is_empty() => vec![Found::Missing],
        (Step::Each, Json::List(items)) => items
            .iter()
            .flat_map(|item| find(Some(item), rest))
            .collect(),
        _ => vec![Found::Stuck],
    }
}

/// Unknown is `None`.
pub(crate) type Kleene = Option<bool>;

pub(crate) fn all_hold(truths: &[Kleene]) -> Kleene {
    if truths.contains(&Some(false)) {
        Some(false)
    } else if truths.contains(&None) {
        None
    } else {
        Some(true)
    }
}

fn one_holds(truths: &[Kleene]) -> Kleene {
    let turned: Vec<_> = truths.iter().map(|truth| truth.map(|t| !t)).collect();
    all_hold(&turned).map(|t| !t)
}

pub(crate) fn judge(cond: &Cond, entry: &Entry, sight: Sight<'_>, require: bool) -> Kleene {
    let each = |inside: &[Cond]| -> Vec<Kleene> {
        inside
            .iter()
            .map(|cond| judge(cond, entry, sight, require))
            .collect()
    };
    match cond {
        Cond::Any(inside) => one_holds(&each(inside)),
        Cond::All(inside) => all_hold(&each(inside)),
        Cond::Not(inside) => judge(inside, entry, sight, !require).map(|t| !t),
        Cond::Test { place, op, value } => {
            let found = match place {
                Place::Arguments(path) => find(Some(sight.args), path),
                Place::Fact(path) => {
                    let offset = entry.zone.map_or(0, |(_, offset)| offset);
                    vec![sight.around.find(path, sight.tool, offset)]
                }
            };
            let truths: Vec<_> = found
                .iter()
                .map(|found| match found {
                    Found::Missing if entry.deny_if_missing && *op != "exists" => None,
                    found => test(op, value, found, require),
                })
                .collect();
            match require {
                true => all_hold(&truths),
                false => one_holds(&truths),
            }
        }
    }
}

fn test(op: &str, value: &Json, found: &Found, require: bool) -> Kleene {
    let here = match found {
        Found::Stuck => return None,
        Found::Missing if op == "exists" => return Some(*value == Json::Bool(false)),
        Found::Missing => return Some(!require && matches!(op, "neq" | "not_in")),
        Found::Is(here) => here,
    };
    match (op, value, here) {
        ("exists", _, _) => Some(*value == Json::Bool(true)),
        ("eq", _, _) => one_of(std::slice::from_ref(value), here, require),
        ("neq", _, _) => one_of(std::slice::from_ref(value), here, !require).map(|t| !t),
        ("in", Json::List(values), _) => one_of(values, here, require),
        ("not_in", Json::List(values), _) => one_of(values, here, !require).map(|t| !t),
        ("lt" | "lte" | "gt" | "gte", Json::Number(bound), Json::Number(number)) => {
            let holds = |order: std::cmp::Ordering| match op {
                "lt" => order.is_lt(),
                "lte" => order.is_le(),
                "gt" => order.is_gt(),
                _ => order.is_ge(),
            };
            let readings = decimal::readings((number, bound), holds)?;
            Some(stricter(readings, require))
        }
        ("is", Json::Text(name), here) => Some(here.type_name() == name),
        ("contains", _, Json::List(items)) => {
            let there = items.iter().filter(|item| **item != Json::Null);
            let truths: Vec<_> = there
                .map(|item| one_of(std::slice::from_ref(value), item, require))
                .collect();
            one_holds(&truths)
        }
        (_, Json::Number(bound), Json::Text(text)) if op.starts_with("length") => {
            Some(length(op, text.chars().count(), bound))
        }
        (_, Json::Number(bound), Json::List(items)) if op.starts_with("length") => {
            Some(length(op, items.len(), bound))
        }
        (_, Json::Text(part), Json::Text(text)) => text_test(op, part, text),
        _ => None,
    }
}

fn text_test(op: &str, part: &str, text: &str) -> Kleene {
    match op {
        "regex" => Some(regex::Regex::new(part).expect("a pattern").is_match(text)),
        "starts_with" => Some(text.starts_with(part)),
        "ends_with" => Some(text.ends_with(part)),
        "contains" => Some(text.contains(part)),
        "glob" => Some(glob(part.as_bytes(), text.as_bytes())),
        _ => None,
    }
}

fn length(op: &str, length: usize, bound: &str) -> bool {
    let bound: usize = bound.parse().expect("a length");
    match op {
        "length_lt" => length < bound,
        "length_lte" => length <= bound,
        "length_gt" => length > bound,
        _ => length >= bound,
    }
}

/// The obvious matcher. Sets are lists of single bytes: `[ab]`.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((b'*', rest)), _) => (0..=text.len()).any(|taken| glob(rest, &text[taken..])),
        (Some((b'[', rest)), Some((byte, text))) => {
            let end = rest.iter().position(|sign| *sign == b']').expect("closed");
            rest[..end].contains(byte) && glob(&rest[end + 1..], text)
        }
        (Some((sign, rest)), Some((byte, text))) => {
            (*sign == b'?' || sign == byte) && glob(rest, text)
        }
        (Some(_), None) => false,
    }
}

fn one_of(values: &[Json], here: &Json, require: bool) -> Kleene {
    if !values
        .iter()
        .any(|value| value.type_name() == here.type_name())
    {
        return None;
    }
    let mut is_one = false;
    for value in values {
        is_one |= match (value, here) {
            (Json::Number(value), Json::Number(here)) => stricter(
                decimal::readings((here, value), |order| order.is_eq())?,
                require,
            ),
            (value, here) => value == here,
        };
    }
    Some(is_one)
}

fn stricter(readings: [bool; 2], require: bool) -> bool {
    match require {
        true => readings == [true, true],
        false => readings != [false, false],
    }
}
