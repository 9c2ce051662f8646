//! Intercept's counters → limits: a rule's `state` says what is counted, a condition on it how far it may go.
//!
//! It never splits a counter from its limit: a counter that nothing limits, and a limit of another tool's counter, are
//! mistakes.

use super::intercept::{member, text};
use super::intercept_rule::{Rule, State, Translation, number};
use super::node::{Member, Node};
use crate::policy::limit_numbers::whole;

impl<'n> Translation<'n, '_> {
    /// A condition on a counter: how far it may go.
    pub(super) fn counter(&mut self, rule: &Rule<'n>, condition: &'n Node, path: &'n str) {
        let own = path
            .strip_prefix(self.scope)
            .and_then(|rest| rest.strip_prefix('.'));
        let states = self.rules.iter().filter_map(|rule| rule.state.as_ref());
        let state = states.into_iter().find(|state| own == Some(state.counter));
        let Some(state) = state else {
            let what = format!("no rule of this tool counts in \"state.{path}\"");
            let remedy = "add the state to a rule of the same tool; another tool's counter cannot be asked without being charged";
            self.findings.refuse(&condition.origin, what, remedy);
            return;
        };
        if self.limited.contains(&state.counter) {
            let what = format!("the counter {:?} is limited twice", state.counter);
            self.findings
                .refuse(&condition.origin, what, "keep the lower limit");
            return;
        }
        self.limited.push(state.counter);
        let Some(max) = self.max(condition) else {
            return;
        };
        let mut limit = vec![member("counter", text(state.origin, state.counter))];
        limit.extend(state.fields.get("window").cloned());
        limit.push(member("max", max));
        limit.extend(self.increment(state));
        self.limit(rule, limit);
    }

    fn max(&mut self, condition: &Node) -> Option<Node> {
        let origin = &condition.origin;
        let value = condition.member("value");
        let bound = value.and_then(Node::number).and_then(whole);
        let max = match (condition.member("op").and_then(Node::text), bound) {
            (Some("lte"), max) => max,
            (Some("lt"), Some(bound)) => {
                let what = "a count below N, checked before the call is counted, is at most N − 1";
                self.findings.note(origin, what);
                bound.checked_sub(1)
            }
            (Some("lt"), None) => None,
            _ => {
                let what = "a counter can only be compared by \"lte\" or \"lt\"";
                self.findings.refuse(origin, what, "");
                return None;
            }
        };
        if max.is_none_or(|max| max == 0) {
            let what = "this limit must be a whole number that admits at least one call";
            let remedy = "to refuse every call write action: deny";
            self.findings
                .refuse(value.map_or(origin, |value| &value.origin), what, remedy);
        }
        Some(number(origin, &max?.to_string()))
    }

    /// What a call adds: an argument's value, or a number; Intercept's 0 means 1.
    fn increment(&mut self, state: &State<'n>) -> Option<Member> {
        let by_argument = state
            .fields
            .get("increment_from")
            .filter(|from| from.value.text() != Some(""));
        let constant = state
            .fields
            .get("increment")
            .filter(|by| !matches!(by.value.number(), Some("0" | "1")));
        if let Some(from) = by_argument {
            if let Some(constant) = constant {
                let what = "the constant increment is not used where there is increment_from";
                self.findings.note(&constant.origin, what);
            }
            let value = match from.value.text() {
                Some(path) => self.path(path, &from.value.origin),
                None => from.value.clone(),
            };
            return Some(Member {
                value,
                ..from.clone()
            });
        }
        constant.cloned()
    }

    /// Every counter has one rule that counts in it, and a limit.
    pub(super) fn check_counters(&mut self) {
        let mut seen: Vec<&str> = Vec::new();
        for state in self.rules.iter().filter_map(|rule| rule.state.as_ref()) {
            let counter = state.counter;
            if seen.contains(&counter) {
                let what = format!("two rules of this tool count in {counter:?}");
                self.findings
                    .refuse(state.origin, what, "use another name, or one rule");
            } else if !self.limited.contains(&counter) {
                let what = format!("nothing limits the counter {counter:?}");
                let remedy = format!(
                    "add a condition on state.{}.{counter} with op lte",
                    self.scope
                );
                self.findings.refuse(state.origin, what, &remedy);
            }
            seen.push(counter);
        }
    }
}
