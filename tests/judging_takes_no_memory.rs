//! A call that may run is judged without taking anything from the heap.

use toolgate::json::{Duplicates, Reader};
use toolgate::policy::{Call, Decision, Facts, Listing, Policy};

const POLICY: &str = r#"{"version":"1","default":"deny","hide":["delete_*","secret"],
  "all_tools":{"deny_if":[{"conditions":[{"path":"args.dryRun","op":"eq","value":"no"}]}],
               "limits":[{"counter":"calls","window":"minute","max":60}]},
  "tools":{
    "plain":{},
    "get_*":{"rate_limit":"5/minute"},
    "t":{"limits":[{"counter":"c","window":"minute","max":60}],
      "require":[{"conditions":[
        {"path":"args.id","op":"neq","value":"production"},
        {"path":"args.amount","op":"lte","value":10000.5},
        {"path":"args.kind","op":"in","value":["a","b",3]},
        {"path":"args.to[*].name","op":"starts_with","value":"x"},
        {"path":"args.text","op":"regex","value":"^[a-z\\n ]+$"},
        {"path":"args.text","op":"length_lt","value":50},
        {"path":"args.file","op":"path_within","value":"/data"},
        {"path":"args.url","op":"url_host","value":"example.org"},
        {"path":"args.ip","op":"cidr","value":"10.0.0.0/8"}]}],
      "deny_if":[{"conditions":[{"any":[
        {"not":{"path":"args.options.level","op":"gte","value":1}},
        {"path":"args.tags","op":"contains","value":"bad"}]}]}]}}}"#;

const ARGUMENTS: &str = r#"{"id":"x","amount":9999.999999999999999999,"kind":"b","to":[{"name":"x1"},{"name":"x2"}],
  "text":"several\nwords","file":"/data/a/b.txt","url":"https://example.org/x","ip":"10.1.2.3",
  "options":{"level":2,"someOtherKey":null},"tags":["good"],"anotherKey":1}"#;

#[test]
fn a_call_that_may_run_is_judged_without_the_heap() {
    let policy = Policy::compile(POLICY.as_bytes()).expect("the policy is good");
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader
        .read(ARGUMENTS.as_bytes())
        .expect("arguments are JSON");
    let facts = Facts {
        listing: Listing::Listed,
        ..Facts::NONE
    };
    for tool in ["plain", "get_it", "t"] {
        let call = Call {
            tool,
            arguments: Some(document.root()),
        };
        let judge = || {
            let decision = policy.decide(&call, &facts).decision;
            assert!(
                matches!(decision, Decision::Allow(_)),
                "{tool}: {decision:?}"
            );
        };
        // The first match of a regex on a thread makes its cache, once.
        judge();
        let taken = allocation_counter::measure(judge);
        assert_eq!(taken.count_total, 0, "allocations for {tool}");
    }
}
