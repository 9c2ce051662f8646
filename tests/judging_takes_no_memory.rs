//! A call that may run is judged without taking anything from the heap.
//!
//! Refusals may: they are told in words. So may a rule in shadow that has something to tell.

use toolgate::json::{Duplicates, Reader};
use toolgate::policy::{Call, Caller, Decision, Definition, Facts, Listing, Moment, Policy};

const POLICY: &str = r#"{"version":"1","default":"deny","hide":["delete_*","secret"],
  "all_tools":{"deny_if":[{"conditions":[{"path":"args.dryRun","op":"eq","value":"no"}]}],
               "require":[{"conditions":[{"not":{"path":"args.anotherKey","op":"gt","value":5}}]}],
               "limits":[{"counter":"calls","window":"minute","max":60}]},
  "tools":{
    "plain":{},
    "get_*":{"rate_limit":"5/minute"},
    "get_all_*":{"deny_if":[{"conditions":[{"path":"args.id","op":"eq","value":"y"}]}]},
    "operators":{"limits":[{"counter":"c","window":"minute","max":60}],
      "require":[{"conditions":[
        {"path":"args.id","op":"neq","value":"production"},
        {"path":"args.amount","op":"lte","value":10000.5},
        {"path":"args.kind","op":"in","value":["a","b",3]},
        {"path":"args.to[*].name","op":"starts_with","value":"x"},
        {"path":"args.text","op":"regex","value":"^[a-z\\n ]+$"},
        {"path":"args.text","op":"length_lt","value":50},
        {"path":"args.text","op":"glob","value":"sev*words"},
        {"path":"args.file","op":"path_within","value":"/data"},
        {"path":"args.url","op":"url_host","value":"example.org"},
        {"path":"args.ip","op":"cidr","value":"10.0.0.0/8"}]}]},
    "nested":{
      "deny_if":[{"conditions":[{"any":[
        {"not":{"path":"args.options.level","op":"gte","value":1}},
        {"all":[{"path":"args.to[0].name","op":"is","value":"string"},{"not":{"path":"args.to[1]","op":"exists","value":true}}]},
        {"path":"args.tags","op":"contains","value":"bad"}]}]}],
      "approve_if":[{"conditions":[{"path":"args.amount","op":"gt","value":10000}]}]},
    "facts":{
      "require":[{"zone":"Asia/Tokyo","conditions":[
        {"path":"grant.label","op":"eq","value":"support"},
        {"path":"grant.tags.team","op":"in","value":["pay","ops"]},
        {"path":"tool.name","op":"starts_with","value":"f"},
        {"path":"tool.annotations.readOnlyHint","op":"eq","value":true},
        {"path":"time.hour","op":"gte","value":9},
        {"path":"time.weekday","op":"in","value":["thursday","friday"]},
        {"path":"time.date","op":"neq","value":"2026-12-24"}]}],
      "deny_if":[{"conditions":[{"path":"client.name","op":"eq","value":"other"}]}]},
    "shadow":{"shadow":true,
      "require":[{"conditions":[{"path":"args.id","op":"eq","value":"x"}]}],
      "deny_if":[{"conditions":[{"path":"args.amount","op":"gt","value":10000}]}]},
    "shadow_entry":{
      "require":[{"shadow":true,"conditions":[{"path":"args.id","op":"eq","value":"x"}]}]}}}"#;

/// Every tool of the policy that may be called, with a name for the glob.
const TOOLS: [&str; 8] = [
    "plain",
    "get_it",
    "get_all_of_it",
    "operators",
    "nested",
    "facts",
    "shadow",
    "shadow_entry",
];

const ARGUMENTS: &str = r#"{"id":"x","amount":9999.999999999999999999,"kind":"b","to":[{"name":"x1"},{"name":"x2"}],
  "text":"several\nwords","file":"/data/a/b.txt","url":"https://example.org/x","ip":"10.1.2.3",
  "options":{"level":2,"someOtherKey":null},"tags":["good"],"anotherKey":1}"#;

const DEFINITION: &str = r#"{"annotations":{"readOnlyHint":true},"inputSchema":{}}"#;

#[test]
fn a_call_that_may_run_is_judged_without_the_heap() {
    let policy = Policy::compile(POLICY.as_bytes()).expect("the policy is good");
    let (mut arguments, mut defined) = [(); 2].map(|()| Reader::new(Duplicates::Refused)).into();
    let arguments = arguments.read(ARGUMENTS.as_bytes()).expect("JSON");
    let defined = defined.read(DEFINITION.as_bytes()).expect("JSON");
    let definition = Definition::of(defined.root());
    let tags = [("team".into(), "pay".into())];
    let facts = Facts {
        listing: Listing::Listed,
        definition: Some(&definition),
        caller: Caller {
            label: "support",
            tags: &tags,
            client: Some("agent"),
        },
        // 1970-01-01T00:00:00Z was nine o'clock on a Thursday in Tokyo.
        session: None,
        time: Moment { seconds: 0 },
    };
    for tool in TOOLS {
        let call = Call {
            tool,
            arguments: Some(arguments.root()),
        };
        let judge = || {
            let judgement = policy.decide(&call, &facts);
            let is_allowed = matches!(judgement.decision, Decision::Allow(_));
            assert!(is_allowed, "{tool}: {judgement:?}");
            assert!(judgement.shadowed.is_empty(), "{tool}: {judgement:?}");
        };
        // The first match of a regex on a thread makes its cache, once.
        judge();
        let taken = allocation_counter::measure(judge);
        assert_eq!(taken.count_total, 0, "allocations for {tool}");
    }
}
