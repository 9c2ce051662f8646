//! One list of Intercept's `rules` → `require`, `deny_if` and `limits`.
//!
//! It never leaves a condition out: what is no limit of a counter is required.

use super::Findings;
use super::go_regex;
use super::intercept::{Fields, member, text};
use super::node::{Data, Member, Node, Origin};
use crate::policy::limit_numbers::whole;
use crate::policy::path;

const RULE: &[&str] = &[
    "name",
    "action",
    "rate_limit",
    "conditions",
    "on_deny",
    "state",
];
const CONDITION: &[&str] = &["path", "op", "value"];
const STATE: &[&str] = &["counter", "window", "increment", "increment_from"];
/// Operators by which Intercept compares the texts of values whose types differ.
const COMPARES_TEXTS: &[&str] = &["eq", "neq", "in", "not_in", "contains"];
/// Intercept keeps one counter for all agents that share its state.
const SCOPE: &str = "server";

/// The rules of one tool in our words.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) require: Vec<Node>,
    pub(super) deny_if: Vec<Node>,
    pub(super) limits: Vec<Node>,
}

/// One rule as it was written.
pub(super) struct Rule<'n> {
    pub(super) origin: &'n Origin,
    pub(super) fields: Fields<'n>,
    pub(super) state: Option<State<'n>>,
}

/// Which counter a rule counts in.
pub(super) struct State<'n> {
    pub(super) origin: &'n Origin,
    pub(super) counter: &'n str,
    pub(super) fields: Fields<'n>,
}

/// Translates all rules of a tool, whose counters are called `state.<scope>.<counter>`.
pub(super) fn translated(list: &Node, scope: &str, findings: &mut Findings) -> Rules {
    if !matches!(list.data, Data::List(_)) {
        let what = format!("must be an array, not {}", list.data.kind());
        findings.refuse(&list.origin, what, "");
    }
    let elements = list.elements().iter();
    let rules: Vec<Rule<'_>> = elements.map(|node| Rule::read(node, findings)).collect();
    let mut translation = Translation {
        scope,
        rules: &rules,
        limited: Vec::new(),
        out: Rules::default(),
        findings,
    };
    rules.iter().for_each(|rule| translation.rule(rule));
    translation.check_counters();
    translation.out
}

impl<'n> Rule<'n> {
    fn read(node: &'n Node, findings: &mut Findings) -> Rule<'n> {
        let fields = Fields::read(node, RULE, findings);
        let state = fields.get("state").map(|state| {
            let fields = Fields::read(&state.value, STATE, findings);
            let counter = fields
                .get("counter")
                .and_then(|counter| counter.value.text());
            if counter.is_none_or(str::is_empty) {
                findings.refuse(
                    &state.origin,
                    "the counter has no name",
                    "write \"counter\" with a name",
                );
            }
            State {
                origin: &state.origin,
                counter: counter.unwrap_or_default(),
                fields,
            }
        });
        Rule {
            origin: &node.origin,
            fields,
            state,
        }
    }

    fn conditions(&self) -> &'n [Node] {
        let member = self.fields.get("conditions");
        member.map_or(&[], |member| member.value.elements())
    }
}

/// One tool's rules on their way into our words.
pub(super) struct Translation<'n, 'f> {
    pub(super) scope: &'f str,
    pub(super) rules: &'f [Rule<'n>],
    /// Counters that have their limit.
    pub(super) limited: Vec<&'n str>,
    out: Rules,
    pub(super) findings: &'f mut Findings,
}

impl<'n> Translation<'n, '_> {
    fn rule(&mut self, rule: &Rule<'n>) {
        let action = rule
            .fields
            .get("action")
            .filter(|action| action.value.text() != Some(""));
        let rate_limit = rule
            .fields
            .get("rate_limit")
            .filter(|rate| rate.value.text() != Some(""));
        if let Some(conditions) = rule.fields.get("conditions")
            && !matches!(conditions.value.data, Data::List(_))
        {
            let what = format!("must be an array, not {}", conditions.value.data.kind());
            self.findings.refuse(&conditions.value.origin, what, "");
        }
        match (action.map(|action| action.value.text()), rate_limit) {
            (Some(Some("deny")), rate_limit) => self.denial(rule, rate_limit),
            (None | Some(Some("evaluate")), Some(rate_limit)) => self.rate_limit(rule, rate_limit),
            (None | Some(Some("evaluate")), None) => self.evaluation(rule),
            (Some(_), _) => {
                let origin = action.map_or(rule.origin, |action| &action.value.origin);
                let remedy = "write \"evaluate\" or \"deny\"";
                self.findings
                    .refuse(origin, "this action is not known here", remedy);
            }
        }
    }

    /// `action: deny`
    fn denial(&mut self, rule: &Rule<'n>, rate_limit: Option<&Member>) {
        if !rule.conditions().is_empty() || rule.state.is_some() || rate_limit.is_some() {
            let what = "a rule that denies always has neither conditions, state nor rate_limit";
            let remedy = "leave out the action, or the others";
            self.findings.refuse(rule.origin, what, remedy);
        }
        let conditions = Node {
            origin: rule.origin.clone(),
            data: Data::List(Vec::new()),
        };
        let entry = self.entry(rule, conditions);
        self.out.deny_if.push(entry);
    }

    /// `rate_limit: 5/hour`
    fn rate_limit(&mut self, rule: &Rule<'n>, rate: &Member) {
        if !rule.conditions().is_empty() || rule.state.is_some() {
            let what = "next to \"rate_limit\" there must be neither conditions nor state";
            self.findings.refuse(&rate.origin, what, "write two rules");
        }
        let origin = &rate.value.origin;
        let parts = rate.value.text().and_then(|text| text.split_once('/'));
        let Some((max, window)) = parts.filter(|(max, _)| whole(max).is_some()) else {
            let remedy = "write a number, a slash and a span, such as 5/hour";
            self.findings
                .refuse(origin, "this rate cannot be read", remedy);
            return;
        };
        let counter = text(origin, &format!("_rate_{window}"));
        let max = number(origin, max);
        let limit = vec![
            member("counter", counter),
            member("window", text(origin, window)),
            member("max", max),
        ];
        self.limit(rule, limit);
    }

    /// Conditions: those on counters are limits, all others are required.
    fn evaluation(&mut self, rule: &Rule<'n>) {
        if rule.conditions().is_empty() {
            let what = "this rule neither denies nor asks anything";
            let remedy = "give it conditions, a rate_limit, or action: deny";
            self.findings.refuse(rule.origin, what, remedy);
        }
        let mut required = Vec::new();
        for condition in rule.conditions() {
            let fields = Fields::read(condition, CONDITION, self.findings);
            let path = fields.get("path").and_then(|path| path.value.text());
            match path.and_then(|path| path.strip_prefix("state.")) {
                Some(counter) => self.counter(rule, condition, counter),
                None => required.push(self.condition(&fields, condition)),
            }
        }
        if required.is_empty() {
            return;
        }
        let compares_texts = |condition: &Node| {
            let operator = condition.member("op").and_then(Node::text);
            operator.is_some_and(|operator| COMPARES_TEXTS.contains(&operator))
        };
        if required.iter().any(compares_texts) {
            let what = "a value of another JSON type than it is compared with, and null, are refused; Intercept compares their texts";
            self.findings.note(rule.origin, what);
        }
        let conditions = Node {
            origin: required[0].origin.clone(),
            data: Data::List(required),
        };
        let entry = self.entry(rule, conditions);
        self.out.require.push(entry);
    }

    /// One condition on an argument.
    fn condition(&mut self, fields: &Fields<'n>, condition: &Node) -> Node {
        let mut members = Vec::new();
        for key in CONDITION {
            let Some(written) = fields.get(key) else {
                continue;
            };
            let mut member = written.clone();
            match (*key, written.value.text()) {
                ("path", Some(path)) => member.value = self.path(path, &written.value.origin),
                ("value", Some(pattern)) if is_regex(fields) => {
                    member.value = self.pattern(pattern, &written.value.origin);
                }
                _ => {}
            }
            members.push(member);
        }
        Node {
            origin: condition.origin.clone(),
            data: Data::Object(members),
        }
    }

    /// `args.a.b`, each step one key whatever signs it has.
    pub(super) fn path(&mut self, path: &str, origin: &Origin) -> Node {
        let Some(steps) = path.strip_prefix("args.") else {
            let what = format!("the path {path:?} must begin with \"args.\" or \"state.\"");
            self.findings.refuse(origin, what, "");
            return text(origin, path);
        };
        let steps: Vec<_> = steps
            .split('.')
            .map(|key| path::Step::Key(key.into()))
            .collect();
        let ours = path::shown(&steps);
        if ours != path {
            self.findings
                .note(origin, format!("{path} is written {ours}"));
        }
        text(origin, &ours)
    }

    fn pattern(&mut self, pattern: &str, origin: &Origin) -> Node {
        let ours = go_regex::carried_over(pattern).unwrap_or_else(|what| {
            self.findings.refuse(origin, what, "");
            pattern.to_owned()
        });
        if ours != pattern {
            let what =
                format!("the regex {pattern:?} is written {ours:?}, so that it matches the same");
            self.findings.note(origin, what);
        }
        text(origin, &ours)
    }

    /// Adds a limit that counts for all who use the server.
    pub(super) fn limit(&mut self, rule: &Rule<'n>, mut limit: Vec<Member>) {
        let what = "counts for all grants of the server together, in any stretch of time as long as the window, wherever it begins; a call that the server fails stays counted";
        self.findings.note(rule.origin, what);
        limit.push(member("scope", text(rule.origin, SCOPE)));
        limit.extend(on_deny(rule).cloned());
        self.out.limits.push(Node {
            origin: limit[0].origin.clone(),
            data: Data::Object(limit),
        });
    }

    fn entry(&self, rule: &Rule<'n>, conditions: Node) -> Node {
        let mut members = vec![member("conditions", conditions)];
        let name = rule.fields.get("name").and_then(|name| name.value.text());
        let words = name.map(|name| {
            // What Intercept tells an agent when the author wrote no text.
            let words = format!("Denied by rule {name:?}.");
            member("on_deny", text(rule.origin, &words))
        });
        members.extend(on_deny(rule).cloned().or(words));
        Node {
            origin: rule.origin.clone(),
            data: Data::Object(members),
        }
    }
}

fn on_deny<'n>(rule: &Rule<'n>) -> Option<&'n Member> {
    let words = rule.fields.get("on_deny")?;
    (words.value.text() != Some("")).then_some(words)
}

fn is_regex(fields: &Fields<'_>) -> bool {
    let operator = fields.get("op").and_then(|operator| operator.value.text());
    operator == Some("regex")
}

/// A number that stands for something at a place.
pub(super) fn number(origin: &Origin, digits: &str) -> Node {
    Node {
        origin: origin.clone(),
        data: Data::Number(digits.into()),
    }
}
