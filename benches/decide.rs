//! Times `Policy::decide`: what a call costs before it is counted and forwarded.
//!
//! Reading JSON is no part of it, and is timed beside it on the same bytes: what a decision costs is best told as a part
//! of what reading its call costs anyway.

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
fn source_of_many(count: usize) -> String {
    let entries: Vec<_> = CONDITIONS
        .chunks(2)
        .map(|pair| format!(r#"{{"conditions":[{}]}}"#, pair.join(",")))
        .collect();
    let tools: Vec<_> = (0..count)
        .map(|at| format!(r#""tool_{at}":{{"require":[{}]}}"#, entries.join(",")))
        .collect();
    tools.join(",")
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

/// The measure of the others: reading the same arguments.
fn read(criterion: &mut Criterion) {
    let mut reader = Reader::new(Duplicates::Refused);
    criterion.bench_function("baseline/read_300_bytes", |bencher| {
        bencher.iter(|| {
            let document = reader.read(black_box(ARGUMENTS.as_bytes()));
            black_box(document.expect("arguments are JSON").root().span())
        });
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
        let many = policy(&source_of_many(count));
        let name = format!("decide/one_of_{count}_tools_of_5_rules");
        time(criterion, &name, (&many, "tool_7"));
    }
}

fn load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    // A load takes tens of milliseconds: ten samples are enough to see the slope.
    group.sample_size(10);
    for count in [10, 1_000] {
        let tools = source_of_many(count);
        group.bench_function(format!("{count}_tools_of_5_rules"), |bencher| {
            bencher.iter(|| policy(black_box(&tools)));
        });
    }
    group.finish();
}

criterion_group!(benches, read, decide, load);
criterion_main!(benches);
