//! Conditions, judged slowly and obviously, as the description of the language says.
//!
//! It never uses what it is compared with: not its numbers, its globs or its logic.

use std::cmp::Ordering;

/// JSON with the numbers' own text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Members(Vec<(String, Json)>),
}

impl Json {
    pub(super) fn write(&self) -> String {
        let quoted = |text: &str| serde_json::to_string(text).expect("writes");
        match self {
            Json::Null => "null".into(),
            Json::Bool(value) => value.to_string(),
            Json::Number(text) => text.clone(),
            Json::Text(text) => quoted(text),
            Json::List(items) => {
                let items: Vec<_> = items.iter().map(Json::write).collect();
                format!("[{}]", items.join(","))
            }
            Json::Members(members) => {
                let one =
                    |(key, value): &(String, Json)| format!("{}:{}", quoted(key), value.write());
                let members: Vec<_> = members.iter().map(one).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::Text(_) => "string",
            Json::List(_) => "array",
            Json::Members(_) => "object",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Key(&'static str),
    Index(usize),
    Each,
}

#[derive(Debug, Clone)]
pub(super) enum Cond {
    Test {
        path: Vec<Step>,
        op: &'static str,
        value: Json,
    },
    Any(Vec<Cond>),
    All(Vec<Cond>),
    Not(Box<Cond>),
}

impl Cond {
    pub(super) fn write(&self) -> String {
        let list = |inside: &[Cond]| inside.iter().map(Cond::write).collect::<Vec<_>>().join(",");
        match self {
            Cond::Test { path, op, value } => {
                let mut text = "args".to_owned();
                for step in path {
                    text += &match step {
                        Step::Key(key) => format!(".{key}"),
                        Step::Index(index) => format!("[{index}]"),
                        Step::Each => "[*]".into(),
                    };
                }
                format!(
                    r#"{{"path":"{text}","op":"{op}","value":{}}}"#,
                    value.write()
                )
            }
            Cond::Any(inside) => format!(r#"{{"any":[{}]}}"#, list(inside)),
            Cond::All(inside) => format!(r#"{{"all":[{}]}}"#, list(inside)),
            Cond::Not(inside) => format!(r#"{{"not":{}}}"#, inside.write()),
        }
    }
}

/// What stands at the end of a path, once for each element that `[*]` reaches.
#[derive(Debug, Clone)]
enum Found {
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
pub(super) type Kleene = Option<bool>;

pub(super) fn all_hold(truths: &[Kleene]) -> Kleene {
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

pub(super) fn judge(cond: &Cond, entry: &Entry, args: &Json, require: bool) -> Kleene {
    let each = |inside: &[Cond]| -> Vec<Kleene> {
        inside
            .iter()
            .map(|cond| judge(cond, entry, args, require))
            .collect()
    };
    match cond {
        Cond::Any(inside) => one_holds(&each(inside)),
        Cond::All(inside) => all_hold(&each(inside)),
        Cond::Not(inside) => judge(inside, entry, args, !require).map(|t| !t),
        Cond::Test { path, op, value } => {
            let found = find(Some(args), path);
            let truths: Vec<_> = found
                .iter()
                .map(|found| match found {
                    Found::Missing if entry.deny_if_missing && *op != "exists" => None,
                    found => test(op, value, found, require),
                })
                .collect();
            if require {
                all_hold(&truths)
            } else {
                one_holds(&truths)
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
            let holds = |order: Ordering| match op {
                "lt" => order.is_lt(),
                "lte" => order.is_le(),
                "gt" => order.is_gt(),
                _ => order.is_ge(),
            };
            let exact = holds(as_decimals(number, bound));
            let double = holds(as_doubles(number, bound));
            Some(if require {
                exact && double
            } else {
                exact || double
            })
        }
        ("regex", Json::Text(pattern), Json::Text(text)) => Some(
            regex::Regex::new(pattern)
                .expect("a pattern")
                .is_match(text),
        ),
        ("starts_with", Json::Text(part), Json::Text(text)) => {
            Some(text.starts_with(part.as_str()))
        }
        ("ends_with", Json::Text(part), Json::Text(text)) => Some(text.ends_with(part.as_str())),
        ("glob", Json::Text(pattern), Json::Text(text)) => {
            Some(glob(pattern.as_bytes(), text.as_bytes()))
        }
        ("is", Json::Text(name), here) => Some(here.type_name() == name),
        (_, Json::Number(bound), Json::Text(text)) if op.starts_with("length") => {
            Some(length(op, text.chars().count(), bound))
        }
        (_, Json::Number(bound), Json::List(items)) if op.starts_with("length") => {
            Some(length(op, items.len(), bound))
        }
        ("contains", Json::Text(part), Json::Text(text)) => Some(text.contains(part.as_str())),
        ("contains", _, Json::List(items)) => {
            let there = items.iter().filter(|item| **item != Json::Null);
            let truths: Vec<_> = there
                .map(|item| one_of(std::slice::from_ref(value), item, require))
                .collect();
            one_holds(&truths)
        }
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

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((b'*', rest)), _) => (0..=text.len()).any(|taken| glob(rest, &text[taken..])),
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
    Some(values.iter().any(|value| match (value, here) {
        (Json::Number(value), Json::Number(here)) => {
            let exact = as_decimals(value, here).is_eq();
            let double = as_doubles(value, here).is_eq();
            if require {
                exact && double
            } else {
                exact || double
            }
        }
        (value, here) => value == here,
    }))
}

fn as_doubles(left: &str, right: &str) -> Ordering {
    let [left, right]: [f64; 2] = [left, right].map(|text| text.parse().expect("a number"));
    left.partial_cmp(&right).expect("not NaN")
}

/// Both numbers written out, with 400 digits on each side of the point, and compared as text.
fn as_decimals(left: &str, right: &str) -> Ordering {
    let [left, right] = [left, right].map(written_out);
    match (left.0, right.0) {
        (false, false) => left.1.cmp(&right.1),
        (true, true) => right.1.cmp(&left.1),
        (left_negative, _) => {
            if left_negative {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
    }
}

/// Whether it is below zero, and its digits.
fn written_out(text: &str) -> (bool, String) {
    const SIDE: i64 = 400;
    let unsigned = text.trim_start_matches('-').to_lowercase();
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((&unsigned, "0"));
    let exponent: i64 = exponent.parse().expect("an exponent");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    // The point stands so many digits from the left.
    let point = whole.len() as i64 + exponent;
    let mut out = String::new();
    for place in -SIDE..SIDE {
        let at = place + point;
        let digit = usize::try_from(at)
            .ok()
            .and_then(|at| digits.chars().nth(at));
        out.push(digit.unwrap_or('0'));
    }
    let is_negative = text.starts_with('-') && out.contains(|c| c != '0');
    (is_negative, out)
}

/// One entry of `require` or `deny_if`.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub(super) conds: Vec<Cond>,
    pub(super) deny_if_missing: bool,
}
