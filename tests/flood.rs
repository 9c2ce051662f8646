//! README: a grant that brings a new value with every call opens so many counters and no more, and others notice nothing.
//!
//! How long the others wait meanwhile is measured, not tested: `loadtest --targets toolgate,flooded`.

mod support;

use std::fs;
use std::thread;

use support::{Agent, Folder, Gateway, Upstream, Wire, tools_call};

const BOUND: usize = 500;
/// Four connections bring as many each.
const VALUES_EACH: usize = 1_000;

/// What a gateway may grow by: allocators keep some of what requests needed. 3,500 counters too many are less than this,
/// and are seen in their number.
const GROWTH_MAX_KIB: u64 = 32 << 10;

fn pay(wire: &mut Wire, agent: &Agent, to: &str) -> String {
    let body = tools_call("1", "pay", &format!(r#"{{"to":"{to}"}}"#));
    wire.send(agent.request("", &body));
    wire.reply().kind()
}

fn kinds(agent: &Agent, to: &str, calls: usize) -> Vec<String> {
    let mut wire = Wire::to(agent.address);
    (0..calls).map(|_| pay(&mut wire, agent, to)).collect()
}

/// Resident memory of the gateway.
fn resident_kib(gateway: &Gateway) -> u64 {
    let path = format!("/proc/{}/status", gateway.pid().as_raw_nonzero());
    let status = fs::read_to_string(path).expect("the gateway runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    number.expect("a process has memory")
}

#[test]
fn a_flood_of_values_from_one_grant_stays_within_its_bound_and_takes_nothing_from_another() {
    let policy = r#"{"version":"1","default":"deny","tools":{"pay":{"limits":[{"counter":"c","window":"hour","max":2,"by":["args.to"]}]}}}"#;
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), policy);
    // The guard is opened wide: it is not what is to stop this flood.
    let guard = "guard = { per_second = 1000000, burst = 1000000 }";
    let settings = format!("counters_per_grant_max = {BOUND}\n{guard}");
    folder.configure(&upstream.url(), &settings);
    let (flooding, other) = (folder.grant("g"), folder.grant("g"));
    let gateway = folder.serve();
    let (flooding, other) = (gateway.agent(&flooding), gateway.agent(&other));
    assert_eq!(kinds(&flooding, "first", 3), ["ran", "ran", "limit"]);
    assert_eq!(kinds(&other, "first", 1), ["ran"]);
    let before = resident_kib(&gateway);

    let ran: usize = thread::scope(|scope| {
        let flood = |connection: usize| {
            let mut wire = Wire::to(flooding.address);
            let values = 0..VALUES_EACH;
            let kinds =
                values.map(|value| pay(&mut wire, &flooding, &format!("{connection}-{value}")));
            kinds.filter(|kind| kind == "ran").count()
        };
        let floods: Vec<_> = (0..4)
            .map(|number| scope.spawn(move || flood(number)))
            .collect();
        // Meanwhile the other grant has all that it had.
        assert_eq!(kinds(&other, "first", 2), ["ran", "limit"]);
        for value in 0..100 {
            let kinds = kinds(&other, &format!("other-{value}"), 3);
            assert_eq!(kinds, ["ran", "ran", "limit"], "value {value}");
        }
        floods
            .into_iter()
            .map(|flood| flood.join().expect("no flood panicked"))
            .sum()
    });

    assert_eq!(ran, BOUND - 1, "one counter was there before");
    assert_eq!(
        gateway.metric("toolgate_counter_keys"),
        (BOUND + 101) as f64
    );
    let full = r#"toolgate_decisions_total{server="s",decision="deny",kind="counters_full"}"#;
    assert_eq!(gateway.metric(full), (4 * VALUES_EACH - ran) as f64);
    assert_eq!(
        kinds(&flooding, "first", 1),
        ["limit"],
        "no fresh allowance"
    );
    let grown = resident_kib(&gateway).saturating_sub(before);
    assert!(
        grown <= GROWTH_MAX_KIB,
        "{grown} KiB more than before the flood"
    );
}
