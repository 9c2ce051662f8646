//! Puts limits into words: for the agent that met one, and for whoever writes one.
//!
//! It never sees a call: the words are the policy's alone.

use super::failure::Failure;
use super::limit::{Align, Increment, Limit, Scope, Window};
use super::words::in_groups;

const DAY_SECONDS: u64 = 86_400;
const NANOS: u64 = 1_000_000_000;

impl Limit {
    /// What it means, in plain words: `at most 10 calls in any 60 seconds for each grant; 14,400 a day`.
    pub fn meaning(&self) -> String {
        let whose = match self.scope {
            Scope::Grant => "for each grant",
            Scope::Session => "for each session (for each grant where there are no sessions)",
            Scope::Server => "for all grants of the server together",
            Scope::Organisation => "for all grants and all servers together",
        };
        let span = match self.align {
            Align::Rolling => format!("in any {}", span(self.window.length().as_secs())),
            Align::Calendar => format!("in each {} of UTC", self.window.name()),
            Align::InFlight => "at a time".into(),
        };
        let mut text = format!("at most {} {span} {whose}", self.counted(in_groups));
        for source in &self.by {
            text.push_str(&format!(" and each {source}"));
        }
        if let Some(burst) = self.burst {
            text.push_str(&format!(
                ", {} of them back to back",
                in_groups(burst.get().into())
            ));
        }
        if let Some(day) = self.in_a_day() {
            text.push_str(&format!("; {} a day", in_groups(day)));
        }
        if self.align == Align::Calendar {
            let (twice, name) = (in_groups(self.max.get() * 2), self.window.name());
            let meet = format!("; up to {twice} where one {name} ends and the next begins");
            text.push_str(&meet);
        }
        let mut failures = Failure::ALL
            .into_iter()
            .filter(|failure| self.refund_on.has(*failure));
        if let Some(first) = failures.next() {
            let more: String = failures
                .map(|failure| format!(" or {}", failure.name()))
                .collect();
            text.push_str(&format!(
                "; given back on {}{more}, at most {} in a window",
                first.name(),
                in_groups(self.max.get())
            ));
        }
        if self.is_shadow {
            text.push_str("; in shadow: counted and told, never enforced");
        }
        text
    }

    /// What it allows, for the agent: `at most 10 calls per minute for this grant`.
    pub(super) fn allowance(&self) -> String {
        let span = match self.window {
            window if self.align == Align::Calendar => format!("per {} of UTC", window.name()),
            Window::IN_FLIGHT => "at a time".into(),
            Window::SECOND | Window::MINUTE | Window::HOUR | Window::DAY | Window::WEEK => {
                format!("per {}", self.window.name())
            }
            window => format!("in any {} s", window.length().as_secs()),
        };
        let whose = match self.scope {
            Scope::Grant => "this grant",
            Scope::Session => "this session",
            Scope::Server => "all agents of this server",
            Scope::Organisation => "all agents of this organisation",
        };
        let each: String = self
            .by
            .iter()
            .map(|source| format!(" and each {source}"))
            .collect();
        let burst = match self.burst {
            Some(burst) => format!(", {burst} of them back to back"),
            None => String::new(),
        };
        let counted = self.counted(|number| number.to_string());
        format!("at most {counted} {span} for {whose}{each}{burst}")
    }

    /// `10 calls`, or how much of what.
    fn counted(&self, shown: impl Fn(u64) -> String) -> String {
        let max = self.max.get();
        let number = shown(max);
        match &self.increment {
            Increment::Constant(one) if *one == super::Amount::ONE => {
                format!("{number} {}", if max == 1 { "call" } else { "calls" })
            }
            Increment::Constant(amount) => format!("{number} ({amount} for each call)"),
            Increment::From(argument) => format!("{number} in the sum of {}", argument.text()),
        }
    }

    /// The most that a day can hold, for a window that is shorter.
    fn in_a_day(&self) -> Option<u64> {
        let window = self.window.length().as_secs();
        if window >= DAY_SECONDS {
            return None;
        }
        let max = self.max.get();
        let windows = DAY_SECONDS.div_ceil(window).saturating_mul(max);
        Some(match self.burst {
            Some(burst) => {
                let burst = u64::from(burst.get());
                let refill = (window * NANOS).div_ceil(max.saturating_sub(burst).max(1));
                windows.min(burst + DAY_SECONDS * NANOS / refill)
            }
            None => windows,
        })
    }
}

/// `60 seconds`, `15 minutes`, `24 hours`, `7 days`
fn span(seconds: u64) -> String {
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let fits = |(length, _): &&(u64, &str)| seconds.is_multiple_of(*length) && seconds > *length;
    match units.iter().find(fits) {
        Some((length, unit)) => format!("{} {unit}", seconds / length),
        None if seconds == 1 => "second".into(),
        None => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Policy;

    fn meaning(limit: &str) -> String {
        let source =
            format!(r#"{{"version":"1","default":"allow","all_tools":{{"limits":[{limit}]}}}}"#);
        let policy = Policy::compile(source.as_bytes()).expect("the policy is good");
        policy.limits()[0].meaning()
    }

    #[test]
    fn a_limit_says_what_it_means() {
        for (limit, words) in [
            (
                r#""window":"minute","max":10"#,
                "at most 10 calls in any 60 seconds for each grant; 14,400 a day",
            ),
            (
                r#""window":"hour","max":1"#,
                "at most 1 call in any 60 minutes for each grant; 24 a day",
            ),
            (
                r#""window":"7h","max":1"#,
                "at most 1 call in any 7 hours for each grant; 4 a day",
            ),
            (
                r#""window":"second","max":1000"#,
                "at most 1,000 calls in any second for each grant; 86,400,000 a day",
            ),
            (
                r#""window":"day","max":10000,"increment_from":"args.amount","scope":"organisation""#,
                "at most 10,000 in the sum of args.amount in any 24 hours for all grants and all servers together",
            ),
            (
                r#""window":"week","max":5,"increment":0.5,"scope":"server","by":["tool","args.to"]"#,
                "at most 5 (0.5 for each call) in any 7 days for all grants of the server together and each args.to and each tool.name",
            ),
            (
                r#""window":"month","max":1000"#,
                "at most 1,000 calls in each month of UTC for each grant; up to 2,000 where one month ends and the next begins",
            ),
            (
                r#""window":"hour","max":5,"align":"calendar""#,
                "at most 5 calls in each hour of UTC for each grant; 120 a day; up to 10 where one hour ends and the next begins",
            ),
            (
                r#""window":"minute","max":60,"burst":10,"scope":"session","shadow":true"#,
                "at most 60 calls in any 60 seconds for each session (for each grant where there are no sessions), 10 of them back to back; 72,010 a day; in shadow: counted and told, never enforced",
            ),
        ] {
            assert_eq!(
                meaning(&format!(r#"{{"counter":"c",{limit}}}"#)),
                words,
                "{limit}"
            );
        }
    }
}
