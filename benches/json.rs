//! Times reading JSON: our reader, and beside it what it replaces, in one run on the same bytes.
//!
//! It never times a reader that refuses: each document is read once before, and must be accepted by both.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use toolgate::json::{Duplicates, Reader};

fn read(criterion: &mut Criterion) {
    let documents = [
        ("tools-call-300B", tools_call(300)),
        ("tools-call-4KiB", tools_call(4 << 10)),
        ("tools-list-200KiB", tools_list(200 << 10)),
    ];
    let mut group = criterion.benchmark_group("json");
    for (name, document) in &documents {
        let bytes = document.as_bytes();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let mut reader = Reader::new(Duplicates::Refused);
        assert!(reader.read(bytes).is_ok(), "{name} is not accepted");
        group.bench_with_input(BenchmarkId::new("reader", name), bytes, |bencher, bytes| {
            bencher.iter(|| black_box(reader.read(black_box(bytes))).is_ok());
        });
        assert!(
            generic(bytes).is_ok(),
            "{name} is not accepted by serde_json"
        );
        group.bench_with_input(
            BenchmarkId::new("serde_json", name),
            bytes,
            |bencher, bytes| {
                bencher.iter(|| black_box(generic(black_box(bytes))).is_ok());
            },
        );
    }
    group.finish();
}

fn generic(bytes: &[u8]) -> serde_json::Result<serde_json::Value> {
    serde_json::from_slice(bytes)
}

/// A call of exactly `bytes` bytes: a few scalars, and items like those of a bulk tool for the rest.
fn tools_call(bytes: usize) -> String {
    const HEAD: &str = r#"{"jsonrpc":"2.0","id":1000000001,"method":"tools/call","params":{"name":"create_invoice","arguments":{"customer":"cus_0042","amount":250.75,"draft":true,"reason":"said \"urgent\"","items":["#;
    const ITEM: &str = r#"{"sku":"A-1001","quantity":3,"price":19.99},"#;
    const LAST: &str = r#"{"sku":"A-1001","note":""#;
    const TAIL: &str = r#""}]}}}"#;
    let room = bytes - HEAD.len() - LAST.len() - TAIL.len();
    let items = ITEM.repeat(room / ITEM.len());
    let note = "x".repeat(room % ITEM.len());
    format!("{HEAD}{items}{LAST}{note}{TAIL}")
}

/// A list of at least `bytes` bytes, of tools as servers describe them.
fn tools_list(bytes: usize) -> String {
    let mut list = String::from(r#"{"jsonrpc":"2.0","id":2,"result":{"tools":["#);
    let mut number = 0;
    while list.len() < bytes {
        let comma = if number == 0 { "" } else { "," };
        list.push_str(comma);
        list.push_str(&tool(number));
        number += 1;
    }
    list.push_str("]}}");
    list
}

fn tool(number: usize) -> String {
    format!(
        r#"{{"name":"tool_{number}","description":"Creates record {number} in the \"main\" register.\nReturns its id; fails where the owner is unknown.","inputSchema":{{"type":"object","properties":{{"owner":{{"type":"string","description":"who it belongs to","minLength":1}},"amount":{{"type":"number","minimum":0,"maximum":1000000}},"tags":{{"type":"array","items":{{"type":"string"}},"maxItems":16}}}},"required":["owner","amount"],"additionalProperties":false}},"annotations":{{"readOnlyHint":false,"destructiveHint":false}}}}"#
    )
}

criterion_group!(benches, read);
criterion_main!(benches);
