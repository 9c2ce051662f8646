//! What is known around a random call: who calls, how the server describes the tool, when.
//!
//! It never asks a calendar: hours, days and dates are counted from 1970 on, one by one.

use super::condition::Found;
use super::json::{Json, quoted};
use crate::json::{Duplicates, Reader};
use crate::policy::{Caller, Definition, Facts, Listing, Moment};

const DAY: i64 = 86_400;

/// All facts of one call.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    pub(crate) listing: Listing,
    pub(crate) described: Option<Described>,
    pub(crate) label: &'static str,
    pub(crate) tags: Vec<(&'static str, &'static str)>,
    pub(crate) client: Option<&'static str>,
    pub(crate) seconds: i64,
}

/// A tool, as its server describes it.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) schema: Flat,
    pub(crate) hints: Vec<(&'static str, bool)>,
}

/// A schema of one level.
#[derive(Debug, Clone)]
pub(crate) struct Flat {
    pub(crate) properties: Vec<(&'static str, &'static str)>,
    pub(crate) required: Vec<&'static str>,
}

impl Flat {
    pub(crate) fn write(&self) -> String {
        let properties: Vec<_> = self
            .properties
            .iter()
            .map(|(key, kind)| format!(r#""{key}":{{"type":"{kind}"}}"#))
            .collect();
        let required: Vec<_> = self.required.iter().map(|key| quoted(key)).collect();
        format!(
            r#"{{"type":"object","properties":{{{}}},"required":[{}]}}"#,
            properties.join(","),
            required.join(",")
        )
    }

    pub(crate) fn fits(&self, args: &[(String, Json)]) -> bool {
        let value = |key: &str| args.iter().find(|(name, _)| name == key);
        let mut properties = self.properties.iter();
        self.required.iter().all(|key| value(key).is_some())
            && properties
                .all(|(key, kind)| value(key).is_none_or(|(_, value)| value.type_name() == *kind))
    }

    pub(crate) fn names(&self, key: &str) -> bool {
        self.properties.iter().any(|(name, _)| *name == key)
    }
}

impl Around {
    /// Hands them on as they come with a call.
    pub(crate) fn with_facts<T>(&self, then: impl FnOnce(&Facts<'_>) -> T) -> T {
        let tags: Vec<_> = self
            .tags
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect();
        let definition = self.described.as_ref().map(|described| {
            let hints: Vec<_> = described
                .hints
                .iter()
                .map(|(hint, value)| format!("{}:{value}", quoted(hint)))
                .collect();
            let tool = format!(
                r#"{{"annotations":{{{}}},"inputSchema":{}}}"#,
                hints.join(","),
                described.schema.write()
            );
            let mut reader = Reader::new(Duplicates::Refused);
            Definition::of(reader.read(tool.as_bytes()).expect("JSON").root())
        });
        then(&Facts {
            listing: self.listing,
            definition: definition.as_ref(),
            caller: Caller {
                label: self.label,
                tags: &tags,
                client: self.client,
            },
            session: None,
            time: Moment {
                seconds: self.seconds,
            },
        })
    }

    /// What stands at a path that does not begin with `args`; times are told so many seconds east of UTC.
    pub(crate) fn find(&self, path: &str, tool: &str, offset: i64) -> Found {
        let text = |text: &str| Found::Is(Json::Text(text.into()));
        let or_missing = |found: Option<&str>| found.map_or(Found::Missing, text);
        let local = self.seconds + offset;
        match path.split_once('.').expect("a path has a root") {
            ("grant", "label") => text(self.label),
            ("grant", tag) => {
                let key = tag.trim_start_matches("tags.");
                let found = self.tags.iter().find(|(own, _)| *own == key);
                or_missing(found.map(|(_, value)| *value))
            }
            ("tool", "name") => text(tool),
            ("tool", hint) => match &self.described {
                None => Found::Stuck,
                Some(described) => {
                    let hint = hint.trim_start_matches("annotations.");
                    let found = described.hints.iter().find(|(own, _)| *own == hint);
                    found.map_or(Found::Missing, |(_, value)| Found::Is(Json::Bool(*value)))
                }
            },
            ("client", _) => or_missing(self.client),
            (_, "hour") => Found::Is(Json::Number((local.rem_euclid(DAY) / 3_600).to_string())),
            (_, "weekday") => text(weekday(local.div_euclid(DAY))),
            _ => text(&date(local.div_euclid(DAY))),
        }
    }
}

fn weekday(days: i64) -> &'static str {
    // The first of January 1970 was a Thursday.
    let names = [
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
    ];
    names[usize::try_from(days.rem_euclid(7)).expect("one of seven")]
}

fn date(mut days: i64) -> String {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", days + 1)
}
