#!/usr/bin/env bash
# The long suites: the same promises as run.sh with far more repetitions and random inputs, and what each real server does by itself.
# Each number can be set from outside: PROPTEST_CASES, TOOLGATE_PAIRS, TOOLGATE_HISTORIES, TOOLGATE_SCHEDULES, TOOLGATE_STEADY,
# TOOLGATE_CRASHES, TOOLGATE_REPETITIONS, TOOLGATE_FUZZ_SECONDS.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/suites.sh"
export PROPTEST_CASES=${PROPTEST_CASES:-20000}
# Pairs of random policy and call that each test of the reference evaluator judges both ways.
export TOOLGATE_PAIRS=${TOOLGATE_PAIRS:-250000}
# Random histories of everything that happens to counters, against a naive log.
export TOOLGATE_HISTORIES=${TOOLGATE_HISTORIES:-100000}
# Random orders in which four threads charge, give back and sweep.
export TOOLGATE_SCHEDULES=${TOOLGATE_SCHEDULES:-1000000}
# How often 64 connections hammer one limit, and how often the gateway is killed under that load.
export TOOLGATE_STEADY=${TOOLGATE_STEADY:-100}
export TOOLGATE_CRASHES=${TOOLGATE_CRASHES:-100}
# How often the clients talk to real servers.
export TOOLGATE_REPETITIONS=${TOOLGATE_REPETITIONS:-20}
# How long each fuzz target looks for inputs that break a promise.
export TOOLGATE_FUZZ_SECONDS=${TOOLGATE_FUZZ_SECONDS:-300}

need compiler prepare_compiler
need rust has_rust
need python prepare_python
need node prepare_node
need c++ prepare_cxx

times() { for _ in $(seq "$1"); do "${@:2}"; done; }

# Optimised: the race that a limit must survive is the one of the binary that people run.
suite test-long rust cargo test --locked --profile long --workspace --no-fail-fast
suite build-release rust cargo build --locked --release --workspace
export TOOLGATE=$PWD/target/release/toolgate
suite crash-release python target/venv/bin/python tests/interop/crash.py
suite healthimaging-direct python target/venv/bin/python tests/interop/healthimaging.py --direct
suite healthimaging-release python target/venv/bin/python tests/interop/healthimaging.py
suite everything-release node times "$TOOLGATE_REPETITIONS" "${NODE:-node}" tests/interop/everything.mjs
suite fuzz-policy c++ tests/support/fuzz.sh policy "$TOOLGATE_FUZZ_SECONDS"
suite fuzz-json c++ tests/support/fuzz.sh json "$TOOLGATE_FUZZ_SECONDS"
suite fuzz-yaml c++ tests/support/fuzz.sh yaml "$TOOLGATE_FUZZ_SECONDS"
close
