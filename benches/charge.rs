//! What counting one call costs: judged and charged beside judged only, hot and over many grants.
//!
//! Run with `cargo bench --bench charge`. A permit can only come from `Policy::decide`, so that each figure includes a
//! decision; the `decide only` line of the same run is the baseline to subtract.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use toolgate::clock::{Clock, Timestamp};
use toolgate::counters::{Account, Bounds, Counters, Guard, GuardSettings, Holder, Secret};
use toolgate::policy::{Call, Decision, Facts, Listing, Policy};

/// Limits that never fill within a run: the cost is that of admitting.
fn policy(limits: usize, burst: &str) -> Policy {
    let limit = |at| {
        format!(
            r#"{{"counter":"c{at}","window":"second","max":1000000000,"scope":"grant"{burst}}}"#
        )
    };
    let limits: Vec<_> = (0..limits).map(limit).collect();
    let limits = limits.join(",");
    let text =
        format!(r#"{{"version":"1","default":"deny","tools":{{"t":{{"limits":[{limits}]}}}}}}"#);
    Policy::compile(text.as_bytes()).expect("the bench's policy is valid")
}

fn guard() -> Arc<Guard> {
    let much = std::num::NonZeroU32::MAX;
    Arc::new(Guard::new(GuardSettings {
        per_second: much,
        burst: much,
    }))
}

fn accounts(counters: &Counters, policy: &Policy, grants: usize) -> Vec<Account> {
    let account = |at: usize| {
        let grant = at.to_string();
        let holder = Holder {
            grant: &grant,
            server: "s",
        };
        counters.account(holder, policy.limits(), guard())
    };
    (0..grants).map(account).collect()
}

fn charge(bench: &mut Criterion) {
    let call = Call {
        tool: "t",
        arguments: None,
    };
    let facts = Facts {
        listing: Listing::Unknown,
        ..Facts::NONE
    };
    let (clock, hands) = Clock::manual(Timestamp::from_nanos(1_000_000_000_000));
    let cases = [
        ("1 rolling limit", 1, "", 1),
        ("3 rolling limits", 3, "", 1),
        ("8 rolling limits", 8, "", 1),
        ("1 burst limit", 1, r#","burst":999999999"#, 1),
        ("1 rolling limit, 10,000 grants", 1, "", 10_000),
        ("1 rolling limit, 100,000 grants", 1, "", 100_000),
    ];
    let only = policy(1, "");
    bench.bench_function("decide only", |run| {
        run.iter(|| black_box(only.decide(black_box(&call), &facts)));
    });
    for (name, limits, burst, grants) in cases {
        let policy = policy(limits, burst);
        let counters = Counters::new(Bounds::default(), Secret::from_bytes([7; 32]));
        let accounts = accounts(&counters, &policy, grants);
        let mut next = 0;
        bench.bench_function(name, |run| {
            run.iter(|| {
                // A step that shares no factor with the number of grants visits all of them in no order.
                next = (next + 7_919) % accounts.len();
                hands.advance(Duration::from_nanos(50));
                let Decision::Allow(permit) = policy.decide(black_box(&call), &facts).decision
                else {
                    panic!("the policy allows this call");
                };
                black_box(
                    counters
                        .charge(permit, &accounts[next], clock.now())
                        .is_ok(),
                )
            });
        });
    }
}

criterion_group!(benches, charge);
criterion_main!(benches);
