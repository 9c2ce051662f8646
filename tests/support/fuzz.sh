#!/usr/bin/env bash
# fuzz.sh TARGET SECONDS: builds one target of fuzz/ with coverage counters and lets it look for inputs that break a promise.
# Works on stable Rust: the counters are a pass of LLVM, and no sanitizer is needed where there is no unsafe code to watch.
# New inputs and crashes stay under target/fuzz; an input worth keeping is copied to fuzz/corpus by hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
name=$1 seconds=$2
host=$(rustc -vV | sed -n 's/^host: //p')

# What cargo-fuzz passes for `-s none`.
llvm=(-sanitizer-coverage-level=4 -sanitizer-coverage-inline-8bit-counters -sanitizer-coverage-pc-table
    -sanitizer-coverage-trace-compares -simplifycfg-branch-fold-threshold=0)
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 ${llvm[*]/#/-Cllvm-args=}"
# With --target the flags are for the fuzzer alone, not for build scripts, which nothing is linked to that counts.
cp Cargo.lock fuzz/Cargo.lock # the very versions that are shipped; what only the fuzzer needs is added to them
cargo build --release --manifest-path fuzz/Cargo.toml --target "$host" --target-dir target/fuzz --bin "$name"

mkdir -p "target/fuzz/corpus/$name" target/fuzz/artifacts
seeds=("fuzz/corpus/$name" policies)
[ "$name" = policy ] && seeds+=(tests/fixtures/policy/bad)
[ "$name" = yaml ] && seeds+=(tests/fixtures/import)
# 16 KiB are a long policy; a second of wall time is far more than any of them takes, and a loaded machine needs some.
"target/fuzz/$host/release/$name" "target/fuzz/corpus/$name" "${seeds[@]}" -max_total_time="$seconds" -max_len=16384 \
    -timeout=20 -rss_limit_mb=2048 -artifact_prefix=target/fuzz/artifacts/ -print_final_stats=1 -verbosity=1 2>&1 |
    grep -v -E '^#[0-9]+.(NEW|REDUCE)'
