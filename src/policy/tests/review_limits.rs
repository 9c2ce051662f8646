//! What a review warns of in limits.

use super::review::{expect, tools, warned};

#[test]
fn a_limit_that_another_one_always_bites_before_is_warned_of() {
    let limits = |limits: &str| tools(&format!(r#""t":{{"limits":[{limits}]}}"#));
    let limit = |name: &str, max: u32, window: &str| {
        format!(r#"{{"counter":"{name}","max":{max},"window":"{window}"}}"#)
    };
    let pair = |one: (u32, &str), two: (u32, &str)| {
        limits(&format!(
            "{},{}",
            limit("a", one.0, one.1),
            limit("b", two.0, two.1)
        ))
    };
    let second = "/tools/t/limits/1";
    expect(
        &pair((10, "minute"), (100_000, "day")),
        Some((
            second,
            "this limit of 100,000 in any day can never be reached: /tools/t/limits/a admits 10 in any minute, which makes at most 14,400",
        )),
    );
    expect(
        &pair((10, "minute"), (14_400, "day")),
        Some((second, "at most 14,400")),
    );
    expect(&pair((10, "minute"), (14_399, "day")), None);
    expect(
        &pair((50, "day"), (50, "minute")),
        Some((second, "at most 50")),
    );
    expect(&pair((10, "90s"), (20, "100s")), Some((second, "most 20")));
    expect(&pair((10, "90s"), (19, "100s")), None);
    let all_tools = |own: &str, all: &str| {
        format!(
            r#"{{"version":"1","default":"allow","all_tools":{{"limits":[{all}]}},"tools":{{"t":{{"limits":[{own}]}}}}}}"#
        )
    };
    let (narrow, wide) = (limit("n", 5, "hour"), limit("w", 50, "hour"));
    expect(
        &all_tools(&wide, &narrow),
        Some(("/tools/t/limits/0", "at most 5")),
    );
    // What all tools share may be full though this one has been quiet.
    expect(&all_tools(&narrow, &wide), None);
    let shared = |max: u32| {
        format!(
            r#"{{"version":"1","default":"deny","counters":{{"s":{{"max":{max},"window":"day"}}}},"tools":{{"t":{{"limits":["s",{}]}}}}}}"#,
            limit("own", 20, "minute")
        )
    };
    expect(&shared(1_000_000), None);
    expect(
        &shared(10),
        Some(("/tools/t/limits/1", "/counters/s admits 10")),
    );
}

/// A tool with these limits, each for a day.
fn daily(limits: &[&str]) -> String {
    let limits: Vec<_> = limits
        .iter()
        .enumerate()
        .map(|(at, more)| format!(r#"{{"counter":"c{at}","window":"day",{more}}}"#))
        .collect();
    tools(&format!(r#""t":{{"limits":[{}]}}"#, limits.join(",")))
}

#[test]
fn limits_that_are_not_counted_alike_are_not_compared() {
    let place = "/tools/t/limits/1";
    let never = "can never be reached";
    let few = r#""max":10"#;
    expect(&daily(&[few, r#""max":100"#]), Some((place, never)));
    for other in [
        r#""max":100,"increment":5"#,
        r#""max":100,"increment_from":"args.n""#,
        r#""max":100,"scope":"server""#,
        r#""max":100,"shadow":true"#,
    ] {
        expect(&daily(&[few, other]), None);
    }
    expect(
        &daily(&[r#""max":10,"scope":"server""#, r#""max":100"#]),
        Some((place, never)),
    );
    expect(
        &daily(&[few, r#""max":100,"by":["args.to"]"#]),
        Some((place, never)),
    );
    expect(
        &daily(&[r#""max":10,"by":["args.to"]"#, r#""max":100"#]),
        None,
    );
    expect(&daily(&[r#""max":10,"shadow":true"#, r#""max":100"#]), None);
}

#[test]
fn limits_that_leave_the_whole_open_are_warned_of() {
    let place = "/tools/t/limits/0";
    let whole = "nothing limits all of them together";
    let by = r#""max":10,"by":["args.to"]"#;
    expect(&daily(&[by]), Some((place, whole)));
    expect(&daily(&[by, r#""max":100"#]), None);
    expect(
        &daily(&[by, r#""max":100,"scope":"session""#]),
        Some((place, whole)),
    );
    expect(
        &daily(&[by, r#""max":100,"shadow":true"#]),
        Some((place, whole)),
    );
    let free = "sessions are free to open";
    let session = r#""max":10,"scope":"session""#;
    expect(&daily(&[session]), Some((place, free)));
    expect(&daily(&[session, r#""max":100"#]), None);
    expect(
        &format!(
            r#"{{"version":"1","default":"allow","all_tools":{{"rate_limit":"9/day"}},"tools":{{"t":{{"limits":[{{"counter":"c","window":"hour",{session}}}]}}}}}}"#
        )
        .replace(r#""rate_limit":"9/day""#, r#""limits":[{"counter":"a","window":"day","max":99}]"#),
        None,
    );
}

#[test]
fn two_periods_that_meet_are_warned_of_unless_a_rolling_limit_parts_them() {
    let place = "/tools/t/limits/0";
    let meet = "across the end of one day two periods meet: up to 2,000 may pass in a short time";
    let calendar = r#"{"counter":"d","window":"day","max":1000,"align":"calendar"}"#;
    let with = |more: &str| tools(&format!(r#""t":{{"limits":[{calendar}{more}]}}"#));
    expect(&with(""), Some((place, meet)));
    let hourly = |max: u32, scope: &str| {
        with(&format!(
            r#",{{"counter":"r","window":"hour","max":{max},"scope":"{scope}"}}"#
        ))
    };
    // 1,680 and 2,016 a day.
    expect(&hourly(70, "grant"), None);
    expect(&hourly(84, "grant"), Some((place, meet)));
    expect(&hourly(70, "session"), Some((place, meet)));
    let month = tools(r#""t":{"limits":[{"counter":"m","window":"month","max":5}]}"#);
    expect(&month, Some((place, "across the end of one month")));
}

#[test]
fn a_calendar_limit_lets_one_period_more_into_a_stretch_of_time() {
    let pair = |max: u32| {
        tools(&format!(
            r#""t":{{"limits":[{{"counter":"h","window":"hour","max":10,"align":"calendar"}},{{"counter":"r","window":"hour","max":19}},{{"counter":"d","window":"day","max":{max}}}]}}"#
        ))
    };
    // 24 hours touch 25 of them.
    expect(&pair(249), None);
    expect(
        &pair(250),
        Some(("/tools/t/limits/2", "which makes at most 250")),
    );
    // The 31 days from the end of January touch three months.
    let never_reached = |max: u32| {
        let document = tools(&format!(
            r#""t":{{"limits":[{{"counter":"m","window":"month","max":10}},{{"counter":"d","window":"31d","max":{max}}}]}}"#
        ));
        let mut told = warned(&document).into_iter();
        told.any(|(_, what)| what.contains("which makes at most 30"))
    };
    assert!(!never_reached(29) && never_reached(30));
}
