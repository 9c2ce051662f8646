//! A slow, obvious evaluator, written from the description of the language, against `decide`.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;

/// JSON with the numbers' own text.
#[derive(Debug, Clone, PartialEq)]
enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Members(Vec<(String, Json)>),
}

impl Json {
    fn write(&self) -> String {
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
enum Step {
    Key(&'static str),
    Index(usize),
    Each,
}

#[derive(Debug, Clone)]
enum Cond {
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
    fn write(&self) -> String {
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
type Kleene = Option<bool>;

fn all_hold(truths: &[Kleene]) -> Kleene {
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

fn judge(cond: &Cond, args: &Json, require: bool) -> Kleene {
    let each = |inside: &[Cond]| -> Vec<Kleene> {
        inside
            .iter()
            .map(|cond| judge(cond, args, require))
            .collect()
    };
    match cond {
        Cond::Any(inside) => one_holds(&each(inside)),
        Cond::All(inside) => all_hold(&each(inside)),
        Cond::Not(inside) => judge(inside, args, !require).map(|t| !t),
        Cond::Test { path, op, value } => {
            let found = find(Some(args), path);
            let truths: Vec<_> = found
                .iter()
                .map(|found| test(op, value, found, require))
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

/// The entries of one tool, each a list of conditions.
#[derive(Debug, Clone)]
struct Tool {
    require: Vec<Vec<Cond>>,
    deny_if: Vec<Vec<Cond>>,
}

impl Tool {
    fn write(&self) -> String {
        let section = |entries: &[Vec<Cond>]| {
            let entry = |conds: &Vec<Cond>| {
                let conds: Vec<_> = conds.iter().map(Cond::write).collect();
                format!(r#"{{"conditions":[{}]}}"#, conds.join(","))
            };
            entries.iter().map(entry).collect::<Vec<_>>().join(",")
        };
        format!(
            r#"{{"require":[{}],"deny_if":[{}]}}"#,
            section(&self.require),
            section(&self.deny_if)
        )
    }

    /// The kind of refusal and the pointer of its entry.
    fn refusal(&self, args: &Json, base: &str) -> Option<(&'static str, String)> {
        for (section, entries, require) in [
            ("require", &self.require, true),
            ("deny_if", &self.deny_if, false),
        ] {
            for (at, conds) in entries.iter().enumerate() {
                let truths: Vec<_> = conds
                    .iter()
                    .map(|cond| judge(cond, args, require))
                    .collect();
                let truth = all_hold(&truths);
                let pointer = || format!("{base}/{section}/{at}");
                if truth.is_none() {
                    return Some(("argument", pointer()));
                }
                if truth != Some(require) {
                    return Some(("rule", pointer()));
                }
            }
        }
        None
    }
}

#[derive(Debug, Clone)]
struct Whole {
    allows: bool,
    hide: Vec<&'static str>,
    tools: Vec<(&'static str, Tool)>,
}

impl Whole {
    fn write(&self) -> String {
        let tools: Vec<_> = self
            .tools
            .iter()
            .map(|(name, tool)| format!(r#""{name}":{}"#, tool.write()))
            .collect();
        let hide: Vec<_> = self
            .hide
            .iter()
            .map(|name| format!(r#""{name}""#))
            .collect();
        let default = if self.allows { "allow" } else { "deny" };
        format!(
            r#"{{"version":"1","default":"{default}","hide":[{}],"tools":{{{}}}}}"#,
            hide.join(","),
            tools.join(",")
        )
    }

    fn refusal(&self, name: &str, args: &Json) -> Option<(&'static str, String)> {
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        if self.hide.iter().any(|pattern| matches(pattern)) {
            return Some(("unavailable", String::new()));
        }
        let mut matching: Vec<_> = self
            .tools
            .iter()
            .filter(|(pattern, _)| matches(pattern))
            .collect();
        // Exact first, then by the length of what stands before the star.
        matching
            .sort_by_key(|(pattern, _)| (pattern.ends_with('*'), std::cmp::Reverse(pattern.len())));
        let Some((pattern, tool)) = matching.first() else {
            return (!self.allows).then(|| ("unavailable", String::new()));
        };
        let own = tool.refusal(args, &format!("/tools/{pattern}"));
        own.or_else(|| {
            matching.iter().find_map(|(pattern, tool)| {
                let at = tool.deny_if.iter().position(Vec::is_empty)?;
                Some(("rule", format!("/tools/{pattern}/deny_if/{at}")))
            })
        })
    }
}

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "1e0",
    "10e-1",
    "2",
    "3",
    "-1",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9007199254740994",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "0.1",
    "0.3",
    "0.30000000000000004",
    "0.30000000000000001",
    "0.2",
    "1e300",
    "1e308",
    "1.7976931348623157e308",
    "1e-300",
    "5e-324",
    "1e-330",
    "-1e-330",
    "100",
    "1e2",
    "0.000001",
    "123456789.987654321",
];
const TEXTS: &[&str] = &[
    "", "a", "A", "ab", "b", "5", "true", "1", "é", "e\u{301}", "😀", "a\u{0}", "null", "args",
];
const PATTERNS: &[&str] = &["a", "^a$", "^$", "[0-9]", "é", "(a+)+$", "."];
const KEYS: &[&str] = &["a", "b", "c"];

fn number() -> impl Strategy<Value = Json> {
    prop_oneof![
        prop::sample::select(NUMBERS).prop_map(str::to_owned),
        (-5..5_i64).prop_map(|number| number.to_string()),
    ]
    .prop_map(Json::Number)
}

fn text() -> impl Strategy<Value = Json> {
    prop::sample::select(TEXTS).prop_map(|text| Json::Text(text.into()))
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![number(), text(), any::<bool>().prop_map(Json::Bool)]
}

fn members(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    let values = prop::collection::vec(prop::option::of(value), KEYS.len());
    values.prop_map(|values| {
        let members = KEYS.iter().zip(values);
        Json::Members(
            members
                .filter_map(|(key, value)| Some(((*key).to_owned(), value?)))
                .collect(),
        )
    })
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![4 => scalar(), 1 => Just(Json::Null)];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::List),
            members(inner),
        ]
    })
}

fn path() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::sample::select(KEYS).prop_map(Step::Key),
        1 => (0..3_usize).prop_map(Step::Index),
        2 => Just(Step::Each),
    ];
    (
        prop::sample::select(KEYS),
        prop::collection::vec(step, 0..3),
    )
        .prop_map(|(first, rest)| {
            let mut path = vec![Step::Key(first)];
            path.extend(rest);
            path
        })
}

fn cond() -> impl Strategy<Value = Cond> {
    let asked = prop_oneof![
        (
            prop::sample::select(&["eq", "neq", "contains"][..]),
            scalar()
        ),
        (
            prop::sample::select(&["in", "not_in"][..]),
            prop::collection::vec(scalar(), 1..4).prop_map(Json::List)
        ),
        (
            prop::sample::select(&["lt", "lte", "gt", "gte"][..]),
            number()
        ),
        (Just("exists"), any::<bool>().prop_map(Json::Bool)),
        (
            Just("regex"),
            prop::sample::select(PATTERNS).prop_map(|text| Json::Text(text.into()))
        ),
    ];
    let test = (path(), asked).prop_map(|(path, (op, value))| Cond::Test { path, op, value });
    test.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Cond::Any),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Cond::All),
            inner.prop_map(|cond| Cond::Not(Box::new(cond))),
        ]
    })
}

fn tool() -> impl Strategy<Value = Tool> {
    let conds = || prop_oneof![8 => prop::collection::vec(cond(), 1..3), 1 => Just(Vec::new())];
    let entries = move || prop::collection::vec(conds(), 0..2);
    (entries(), entries()).prop_map(|(require, deny_if)| Tool { require, deny_if })
}

fn whole() -> impl Strategy<Value = Whole> {
    const NAMES: &[&str] = &["t", "ta", "tab", "t*", "ta*", "*"];
    let hide = prop::collection::vec(prop::sample::select(&["ta", "x*", "tab*", "*"][..]), 0..2);
    let tools = prop::collection::vec(prop::option::of(tool()), NAMES.len());
    (
        any::<bool>(),
        prop_oneof![3 => Just(Vec::new()), 1 => hide],
        tools,
    )
        .prop_map(|(allows, hide, tools)| {
            let tools = NAMES.iter().zip(tools);
            Whole {
                allows,
                hide,
                tools: tools
                    .filter_map(|(name, tool)| Some((*name, tool?)))
                    .collect(),
            }
        })
}

fn agree(whole: &Whole, name: &str, args: &Json) -> Result<(), TestCaseError> {
    let policy = compiled(&whole.write());
    let arguments = args.write();
    let found = decide(
        &policy,
        (name, &arguments),
        Listing::Unknown,
        |decision| match decision {
            Decision::Deny(denial) => Some((
                denial.kind(),
                denial.pointer().unwrap_or_default().to_owned(),
            )),
            _ => None,
        },
    );
    prop_assert_eq!(
        found,
        whole.refusal(name, args),
        "{}({}) under {}",
        name,
        arguments,
        whole.write()
    );
    Ok(())
}

/// At least 2,000 cases, more by `PROPTEST_CASES`.
fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.max(2_000),
        ..config
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn one_rule_is_judged_as_the_reference_judges_it(cond in cond(), is_require in any::<bool>(), args in members(json())) {
        let entries = vec![vec![cond]];
        let (require, deny_if) = if is_require { (entries, vec![]) } else { (vec![], entries) };
        let whole = Whole { allows: false, hide: vec![], tools: vec![("t", Tool { require, deny_if })] };
        agree(&whole, "t", &args)?;
    }

    #[test]
    fn whole_policies_decide_as_the_reference_does(whole in whole(), name in prop::sample::select(&["t", "ta", "tab", "x"][..]), args in members(json())) {
        agree(&whole, name, &args)?;
    }
}
