//! Facts that a condition may look at in place of arguments: who calls, which tool, when.
//!
//! It never reads a clock or a list: facts come with the call, and one that did not come is unknown.

use jiff::tz::TimeZone;

use super::operand::Operand;
use super::operator::Operator;
use super::path::Step;
use super::{Call, Facts};
use crate::json::Kind;

/// What a path may begin with besides `args`.
pub(super) const ROOTS: &[&str] = &["grant", "tool", "time", "client"];

const HOURS: [&str; 24] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23",
];
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Where a path leads that does not begin with `args`.
#[derive(Debug, Clone)]
pub(super) enum Fact {
    /// `grant.label`
    GrantLabel,
    /// `grant.tags.<key>`
    GrantTag(Box<str>),
    /// `tool.name`
    ToolName,
    /// `tool.annotations.<hint>`
    ToolHint(Box<str>),
    /// `client.name`
    ClientName,
    /// `time.hour`: a number from 0 to 23.
    Hour(TimeZone),
    /// `time.weekday`: `"monday"` to `"sunday"`.
    Weekday(TimeZone),
    /// `time.date`: such as `"2026-11-24"`.
    Date(TimeZone),
}

/// What a fact turned out to be.
#[derive(Debug)]
pub(super) enum Reading<'a> {
    Known(Operand<'a>),
    /// It is known that there is none.
    Missing,
    /// Nobody has found out.
    Unknown,
}

impl Fact {
    /// The fact at the end of a path; an error says what is wrong with the path.
    pub(super) fn parse(root: &str, steps: &[Step], zone: &TimeZone) -> Result<Fact, String> {
        let keys: Option<Vec<&str>> = steps.iter().map(key).collect();
        let zone = || zone.clone();
        Ok(match (root, keys.as_deref().unwrap_or_default()) {
            ("grant", ["label"]) => Fact::GrantLabel,
            ("grant", ["tags", tag]) => Fact::GrantTag((*tag).into()),
            ("tool", ["name"]) => Fact::ToolName,
            ("tool", ["annotations", hint]) => Fact::ToolHint((*hint).into()),
            ("tool", ["risk"]) => return Err("\"tool.risk\" is not built yet".into()),
            ("client", ["name"]) => Fact::ClientName,
            ("time", ["hour"]) => Fact::Hour(zone()),
            ("time", ["weekday"]) => Fact::Weekday(zone()),
            ("time", ["date"]) => Fact::Date(zone()),
            ("grant", _) => return Err("of a grant there are label and tags.<key>".into()),
            ("tool", _) => return Err("of a tool there are name and annotations.<hint>".into()),
            ("client", _) => return Err("of a client there is name".into()),
            _ => return Err("of the time there are hour, weekday and date".into()),
        })
    }

    /// Hands the fact on as it is for this call.
    pub(super) fn read<T>(
        &self,
        call: &Call<'_>,
        facts: &Facts<'_>,
        then: impl FnOnce(Reading<'_>) -> T,
    ) -> T {
        match self {
            Fact::GrantLabel => then(text(Some(facts.caller.label))),
            Fact::GrantTag(key) => then(text(facts.caller.tag(key))),
            Fact::ToolName => then(text(Some(call.tool))),
            Fact::ToolHint(hint) => then(match facts.definition.map(|tool| tool.hint(hint)) {
                None => Reading::Unknown,
                Some(None) => Reading::Missing,
                Some(Some(flag)) => Reading::Known(Operand::Flag(flag)),
            }),
            Fact::ClientName => then(text(facts.caller.client)),
            Fact::Hour(zone) | Fact::Weekday(zone) | Fact::Date(zone) => {
                match jiff::Timestamp::from_second(facts.time.seconds) {
                    Ok(time) => self.read_time(zone.to_datetime(time), then),
                    Err(_) => then(Reading::Unknown),
                }
            }
        }
    }

    fn read_time<T>(&self, time: jiff::civil::DateTime, then: impl FnOnce(Reading<'_>) -> T) -> T {
        let index = |number: i8| usize::try_from(number).unwrap_or_default();
        match self {
            Fact::Hour(_) => then(Reading::Known(Operand::Number(HOURS[index(time.hour())]))),
            Fact::Weekday(_) => {
                let day = index(time.weekday().to_monday_zero_offset());
                then(Reading::Known(Operand::Text(WEEKDAYS[day])))
            }
            _ => {
                let mut buffer = [0; 10];
                then(match date(time.date(), &mut buffer) {
                    Some(text) => Reading::Known(Operand::Text(text)),
                    None => Reading::Unknown,
                })
            }
        }
    }

    /// Whether it hangs on the entry's `zone`.
    pub(super) fn is_time(&self) -> bool {
        matches!(self, Fact::Hour(_) | Fact::Weekday(_) | Fact::Date(_))
    }

    /// Whether it comes from the tool's definition.
    pub(super) fn is_defined_by_server(&self) -> bool {
        matches!(self, Fact::ToolHint(_))
    }

    /// Whether it is the client's own claim.
    pub(super) fn is_claimed_by_client(&self) -> bool {
        matches!(self, Fact::ClientName)
    }

    /// Why there is no telling, put after the path.
    pub(super) fn why_unknown(&self) -> &'static str {
        match self {
            Fact::ToolHint(_) => "is not known, because the server's tools could not be listed",
            _ => "is not known here",
        }
    }

    /// Whether the operator can ever judge the fact; an error says why it cannot. What an argument's type is, only a
    /// call shows: of a fact it is known when the policy is loaded.
    pub(super) fn check(&self, operator: &Operator) -> Result<(), String> {
        let kind = self.kind();
        if !operator.judges(kind) {
            let is = kind.name();
            return Err(format!(
                "is a {is}, and is compared with something else here"
            ));
        }
        let Operator::Among { constants, .. } = operator else {
            return Ok(());
        };
        let odd_text = constants.strings.iter().find(|text| !self.can_be(text));
        if let (Some(text), true) = (odd_text, kind == Kind::String) {
            return Err(format!("is never {text:?}: {}", self.values()));
        }
        let is_hour = |number: &super::number::Number<'_>| {
            let hours = HOURS
                .iter()
                .filter_map(|hour| super::number::Number::parse(hour));
            hours.into_iter().any(|hour| number.exactly(&hour).is_eq())
        };
        match kind == Kind::Number && !constants.numbers.iter().all(is_hour) {
            true => Err(format!("is never this: {}", self.values())),
            false => Ok(()),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Fact::Hour(_) => Kind::Number,
            Fact::ToolHint(_) => Kind::Bool,
            _ => Kind::String,
        }
    }

    /// Whether the fact could ever be this text.
    fn can_be(&self, text: &str) -> bool {
        match self {
            Fact::Weekday(_) => WEEKDAYS.contains(&text),
            Fact::Date(_) => {
                let mut buffer = [0; 10];
                let parsed = text.parse::<jiff::civil::Date>().ok();
                parsed.and_then(|day| date(day, &mut buffer)) == Some(text)
            }
            _ => true,
        }
    }

    fn values(&self) -> &'static str {
        match self {
            Fact::Hour(_) => "an hour is a whole number from 0 to 23",
            Fact::Weekday(_) => "the days are \"monday\" to \"sunday\"",
            Fact::Date(_) => "a date is written such as \"2026-11-24\"",
            _ => "it can be any text",
        }
    }
}

fn text(text: Option<&str>) -> Reading<'_> {
    match text {
        Some(text) => Reading::Known(Operand::Text(text)),
        None => Reading::Missing,
    }
}

fn key(step: &Step) -> Option<&str> {
    match step {
        Step::Key(key) => Some(key),
        Step::Index(_) | Step::Each => None,
    }
}

/// A date as RFC 3339 writes it; `None` outside the years that have four digits.
fn date(date: jiff::civil::Date, buffer: &mut [u8; 10]) -> Option<&str> {
    let year = u16::try_from(date.year()).ok()?;
    let parts = [
        (0, year / 100),
        (2, year % 100),
        (5, u16::try_from(date.month()).ok()?),
        (8, u16::try_from(date.day()).ok()?),
    ];
    *buffer = *b"0000-00-00";
    for (at, number) in parts {
        buffer[at] += u8::try_from(number / 10).ok()?;
        buffer[at + 1] += u8::try_from(number % 10).ok()?;
    }
    std::str::from_utf8(buffer).ok()
}
