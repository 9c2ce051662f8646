//! Limits as written and as told.

use std::time::Duration;

use super::*;

fn limit(text: &str) -> Limit {
    let policy = with_tool(&format!(r#"{{"limits":[{text}]}}"#));
    policy.limits()[0].clone()
}

#[test]
fn a_window_is_a_name_or_seconds_or_a_number_with_a_unit() {
    for (window, seconds) in [
        ("\"second\"", 1),
        ("\"minute\"", 60),
        ("\"hour\"", 3_600),
        ("\"day\"", 86_400),
        ("\"week\"", 604_800),
        ("90", 90),
        ("\"90s\"", 90),
        ("\"15m\"", 900),
        ("\"6h\"", 21_600),
        ("\"30d\"", 2_592_000),
        ("\"31d\"", 2_678_400),
    ] {
        let limit = limit(&format!(r#"{{"counter":"c","window":{window},"max":3}}"#));
        assert_eq!(
            limit.window.length(),
            Duration::from_secs(seconds),
            "{window}"
        );
    }
}

#[test]
fn a_limit_keeps_all_that_was_written() {
    let limit = limit(
        r#"{"counter":"a/b","window":"hour","max":60,"burst":59,"scope":"grant","align":"rolling","on_deny":"Slow down"}"#,
    );
    assert_eq!(&*limit.rule, "/tools/t/limits/a~1b");
    assert_eq!(&*limit.pointer, "/tools/t/limits/0");
    assert_eq!(limit.max.get(), 60);
    assert_eq!(limit.burst.map(std::num::NonZeroU32::get), Some(59));
    assert_eq!(limit.on_deny.as_deref(), Some("Slow down"));
}

#[test]
fn both_spellings_of_a_rate_limit_are_one_limit() {
    for (rate, max, seconds) in [
        (r#"{"max":10,"window":60}"#, 10, 60),
        ("\"10/minute\"", 10, 60),
        ("\"5/hour\"", 5, 3_600),
        ("\"7/90s\"", 7, 90),
    ] {
        let policy = with_tool(&format!(r#"{{"rate_limit":{rate}}}"#));
        let limit = &policy.limits()[0];
        assert_eq!(&*limit.rule, "/tools/t/limits/rate_limit", "{rate}");
        assert_eq!(&*limit.pointer, "/tools/t/rate_limit", "{rate}");
        assert_eq!(
            (limit.max.get(), limit.window.length().as_secs()),
            (max, seconds),
            "{rate}"
        );
    }
}

#[test]
fn a_rate_that_could_be_read_in_two_ways_is_refused() {
    for rate in [
        "05/minute",
        "5/010m",
        "+5/minute",
        "5/minute/hour",
        "/minute",
        "5/",
        "5/m",
        "5 /minute",
    ] {
        let source = format!(
            r#"{{"version":"1","default":"deny","tools":{{"t":{{"rate_limit":"{rate}"}}}}}}"#
        );
        assert!(
            Policy::compile(source.as_bytes()).is_err(),
            "{rate} was read"
        );
    }
}

#[test]
fn all_tools_of_a_glob_take_from_one_counter() {
    let policy =
        compiled(r#"{"version":"1","default":"deny","tools":{"get_*":{"rate_limit":"5/hour"}}}"#);
    let index = |tool| {
        decide(
            &policy,
            (tool, "{}"),
            Listing::Unknown,
            |decision| match decision {
                Decision::Allow(permit) => permit.charges()[0].limit.index,
                other => panic!("{other:?}"),
            },
        )
    };
    assert_eq!(index("get_a"), index("get_b"));
    assert_eq!(&*policy.limits()[0].rule, "/tools/get_*/limits/rate_limit");
}

#[test]
fn a_full_limit_says_how_many_how_long_and_when() {
    let sentence = |text: &str, retry_after: u64| {
        let limit = limit(text);
        let retry_after = Duration::from_millis(retry_after);
        Denial::LimitReached(Full {
            limit: &limit,
            retry_after,
            left: Amount::NOTHING,
        })
        .sentence("start_dicom_import_job")
    };
    assert_eq!(
        sentence(r#"{"counter":"c","window":"minute","max":10}"#, 40_312),
        "start_dicom_import_job: at most 10 calls per minute for this grant. The call was not run; the next one is possible in 41 s, not earlier."
    );
    assert_eq!(
        sentence(
            r#"{"counter":"c","window":"90s","max":1,"on_deny":"Slow down"}"#,
            1
        ),
        "start_dicom_import_job: Slow down. At most 1 call in any 90 s for this grant. The call was not run; the next one is possible in 1 s, not earlier."
    );
    assert_eq!(
        sentence(
            r#"{"counter":"c","window":"minute","max":60,"burst":10,"on_deny":""}"#,
            1_000
        ),
        "start_dicom_import_job: at most 60 calls per minute for this grant, 10 of them back to back. The call was not run; the next one is possible in 1 s, not earlier."
    );
}

#[test]
fn a_guard_says_that_it_is_no_rule_of_the_policy() {
    let denial = Denial::Guard {
        retry_after: Duration::from_millis(2_000),
    };
    assert_eq!(
        (denial.kind(), denial.rule(), denial.pointer()),
        ("guard", None, None)
    );
    assert_eq!(
        denial.sentence("t"),
        "t: too many calls at once from this grant. The call was not run; the next one is possible in 2 s, not earlier."
    );
}

#[test]
fn a_window_is_the_calendars_where_that_is_said_and_a_month_always() {
    for (text, align, per) in [
        (r#""window":"day""#, Align::Rolling, "per day"),
        (
            r#""window":"day","align":"rolling""#,
            Align::Rolling,
            "per day",
        ),
        (
            r#""window":"day","align":"calendar""#,
            Align::Calendar,
            "per day of UTC",
        ),
        (
            r#""window":60,"align":"calendar""#,
            Align::Calendar,
            "per minute of UTC",
        ),
        (r#""window":"month""#, Align::Calendar, "per month of UTC"),
        (r#""window":"31d""#, Align::Rolling, "in any 2678400 s"),
    ] {
        let limit = limit(&format!(r#"{{"counter":"c","max":3,{text}}}"#));
        assert_eq!(limit.align, align, "{limit:?}");
        let words = format!("at most 3 calls {per} for this grant");
        assert_eq!(limit.allowance(), words);
    }
    let policy = with_tool(r#"{"rate_limit":"5/month"}"#);
    assert_eq!(policy.limits()[0].align, Align::Calendar);
}

#[test]
fn a_limit_of_calls_in_flight_has_no_window_and_says_so() {
    let limit = limit(
        r#"{"counter":"c","concurrent":3,"scope":"server","by":["args.to"],"on_deny":"Busy"}"#,
    );
    assert!(limit.is_concurrent());
    assert_eq!((limit.max.get(), limit.window), (3, Window::IN_FLIGHT));
    assert_eq!(
        limit.meaning(),
        "at most 3 calls at a time for all grants of the server together and each args.to"
    );
    let full = Full {
        limit: &limit,
        retry_after: Duration::from_secs(9),
        left: Amount::NOTHING,
    };
    assert_eq!(
        Denial::LimitReached(full).sentence("t"),
        "t: Busy. At most 3 calls at a time for all agents of this server and each args.to. The call was not run; it is possible once one of those in flight has ended."
    );
}

#[test]
fn a_limit_keeps_which_failures_give_a_charge_back() {
    let limit = limit(
        r#"{"counter":"c","window":"hour","max":1000,"refund_on":["error_result","rpc_error","rpc_error"]}"#,
    );
    let asked = Failure::ALL.map(|failure| limit.refund_on.has(failure));
    assert_eq!(asked, [true, false, true]);
    assert_eq!(
        limit.meaning(),
        "at most 1,000 calls in any 60 minutes for each grant; 24,000 a day; given back on rpc_error or error_result, at most 1,000 in a window"
    );
}

#[test]
fn a_test_of_a_policy_finds_no_call_in_flight() {
    let source = r#"{"version":"1","default":"deny","tools":{"t":{"limits":[{"counter":"c","concurrent":1}]}},
        "tests":[{"call":{"tool":"t"},"times":9,"expect":"allow"}]}"#;
    assert!(Policy::compile(source.as_bytes()).is_ok());
}
