//! Times `Policy::decide`: what a call costs before it is counted and forwarded.
//!
//! It never times reading JSON: the arguments are read once, before the clock starts.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use toolgate::json::{Duplicates, Reader};
use toolgate::policy::{Call, Decision, Facts, Policy};

const FACTS: Facts<'static> = Facts::NONE;

/// About 300 bytes, as an agent would send them.
const ARGUMENTS: &str = r#"{"datastore_id":"0f3f1c6ad1b94f2c9e1f2a7c5d8e6b41","data_access_role_arn":"arn:aws:iam::123456789012:role/imports","input_s3_uri":"s3://bucket/input/","output_s3_uri":"s3://bucket/output/","amount":250.75,"currency":"usd","recipients":["a@example.org","b@example.org"],"options":{"dry_run":false,"priority":3}}"#;

const CONDITIONS: [&str; 10] = [
    r#"{"path":"args.datastore_id","op":"neq","value":"production"}"#,
    r#"{"path":"args.data_access_role_arn","op":"regex","value":"^arn:aws:iam::123456789012:role/"}"#,
    r#"{"path":"args.input_s3_uri","op":"contains","value":"bucket"}"#,
    r#"{"path":"args.output_s3_uri","op":"exists","value":true}"#,
    r#"{"path":"args.amount","op":"lte","value":10000}"#,
    r#"{"path":"args.amount","op":"gt","value":0}"#,
    r#"{"path":"args.currency","op":"in","value":["usd","eur","gbp"]}"#,
    r#"{"path":"args.recipients[*]","op":"neq","value":"all@example.org"}"#,
    r#"{"path":"args.options.dry_run","op":"eq","value":false}"#,
    r#"{"path":"args.options.priority","op":"lt","value":5}"#,
];

fn policy(tools: &str) -> Policy {
    let source = format!(r#"{{"version":"1","default":"deny","tools":{{{tools}}}}}"#);
    Policy::compile(source.as_bytes()).expect("the policy is good")
}

/// So many tools, each with five rules of two conditions.
fn many(count: usize) -> Policy {
    let entries: Vec<_> = CONDITIONS
        .chunks(2)
        .map(|pair| format!(r#"{{"conditions":[{}]}}"#, pair.join(",")))
        .collect();
    let tools: Vec<_> = (0..count)
        .map(|at| format!(r#""tool_{at}":{{"require":[{}]}}"#, entries.join(",")))
        .collect();
    policy(&tools.join(","))
}

fn time(criterion: &mut Criterion, name: &str, (policy, tool): (&Policy, &str)) {
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader
        .read(ARGUMENTS.as_bytes())
        .expect("arguments are JSON");
    let call = Call {
        tool,
        arguments: Some(document.root()),
    };
    let decision = policy.decide(&call, &FACTS).decision;
    assert!(
        matches!(decision, Decision::Allow(_)),
        "{name}: {decision:?}"
    );
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| black_box(policy.decide(black_box(&call), &FACTS)));
    });
}

fn decide(criterion: &mut Criterion) {
    let plain = policy(r#""t":{}"#);
    time(criterion, "decide/no_rules", (&plain, "t"));
    let conditions = CONDITIONS.join(",");
    let ten = policy(&format!(
        r#""t":{{"require":[{{"conditions":[{conditions}]}}]}}"#
    ));
    time(criterion, "decide/ten_conditions", (&ten, "t"));
    for count in [10, 1_000] {
        let many = many(count);
        let name = format!("decide/tools_{count}");
        time(criterion, &name, (&many, "tool_7"));
    }
}

fn compile(criterion: &mut Criterion) {
    criterion.bench_function("compile/100_tools_of_5_rules", |bencher| {
        bencher.iter(|| many(black_box(100)));
    });
}

criterion_group!(benches, decide, compile);
criterion_main!(benches);
