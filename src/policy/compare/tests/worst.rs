//! The worst cases: how many calls of a tool, and of all tools together.

use super::*;

/// The worst cases of a policy: subject, calls an hour, calls a day.
fn worst(rest: &str, tools: Option<&[&str]>) -> Vec<(String, Option<u64>, Option<u64>)> {
    let tools: Option<Vec<String>> =
        tools.map(|tools| tools.iter().map(ToString::to_string).collect());
    let edition = Edition::of(&parsed(rest));
    let Comparison {
        worst_cases, total, ..
    } = Comparison::of(&edition, &edition, tools.as_deref());
    let cases = worst_cases.into_iter().chain([total]);
    cases
        .map(|case| (case.subject, case.after.hour, case.after.day))
        .collect()
}

#[test]
fn the_worst_case_counts_every_counter_once() {
    let limit = |counter: &str, window: &str, max: u32, rest: &str| {
        format!(r#"{{"counter":"{counter}","window":"{window}","max":{max}{rest}}}"#)
    };
    let policy = |all: &str, tools: &str| {
        format!(
            r#""default":"deny","counters":{{"both":{{"window":"hour","max":100}}}},"all_tools":{{"limits":[{all}]}},"tools":{{{tools}}}"#
        )
    };
    let tools = format!(
        r#""a":{{"limits":[{},"both"]}},"b":{{"limits":["both"]}},"get_*":{{"limits":[{}]}}"#,
        limit("c", "minute", 1, ""),
        limit("d", "day", 5, ""),
    );
    let case = |subject: &str, hour, day| (subject.to_owned(), hour, day);
    assert_eq!(
        worst(&policy("", &tools), None),
        [
            case("a", Some(60), Some(1_440)),
            case("b", Some(100), Some(2_400)),
            case("get_*", Some(5), Some(5)),
            case("in total", Some(105), Some(2_405))
        ]
    );
    assert_eq!(
        worst(&policy("", &tools), Some(&["a", "get_x", "get_y", "z"])),
        [
            case("a", Some(60), Some(1_440)),
            case("get_x", Some(5), Some(5)),
            case("get_y", Some(5), Some(5)),
            case("in total", Some(65), Some(1_445))
        ],
        "one counter for all tools of a glob"
    );
    let all = limit("all", "hour", 70, "");
    assert_eq!(
        worst(&policy(&all, &tools), None)[3],
        case("in total", Some(70), Some(1_680))
    );
    assert_eq!(
        worst(&policy("", &format!("{tools},\"x\":{{}}")), None)[4],
        case("in total", None, None)
    );
}

#[test]
fn a_month_is_one_of_the_calendar_wherever_it_is_written() {
    for limit in [
        r#""rate_limit":"7/month""#,
        r#""rate_limit":{"max":7,"window":"month"}"#,
        r#""limits":[{"counter":"c","window":"month","max":7}]"#,
    ] {
        let policy = format!(r#""default":"deny","tools":{{"x":{{{limit}}}}}"#);
        let told = worst(&policy, None);
        assert_eq!(
            told[0],
            ("x".to_owned(), Some(14), Some(14)),
            "{limit}: across a midnight two months meet"
        );
    }
}

#[test]
fn a_limit_that_counts_apart_bounds_nothing() {
    let policy = |rest: &str, tools: &str| {
        format!(
            r#""default":"deny","all_tools":{{"limits":[{{"counter":"c","window":"hour","max":70{rest}}}]}},"tools":{{{tools}}}"#
        )
    };
    let total = |rest: &str, tools: &str| {
        worst(&policy(rest, tools), None)
            .pop()
            .map(|(_, hour, _)| hour)
    };
    for (rest, hour) in [
        (",\"increment\":10", Some(7)),
        (",\"increment_from\":\"args.n\"", None),
        (",\"scope\":\"session\"", None),
        (",\"scope\":\"server\"", Some(70)),
        (",\"by\":[\"args.n\"]", None),
        (",\"by\":[\"grant.tags.team\"]", Some(70)),
        (",\"shadow\":true", None),
        (",\"refund_on\":[\"rpc_error\"]", Some(140)),
    ] {
        assert_eq!(total(rest, "\"x\":{}"), Some(hour), "{rest}");
    }
    let by_tool = ",\"by\":[\"tool\"]";
    assert_eq!(total(by_tool, "\"x\":{},\"y\":{}"), Some(Some(140)));
    assert_eq!(
        total(by_tool, "\"x*\":{}"),
        Some(None),
        "nobody knows how many tools there are"
    );
}
