#!/usr/bin/env bash
# The test command: installs what the machine lacks, then runs everything but the long suites (those are in long.sh).
# Works from any folder, on a bare Debian 12 with Rust. CI=true: nothing may be missing and nothing is skipped.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/suites.sh"

need compiler prepare_compiler
need curl prepare_curl
need rust has_rust
need python prepare_python
need node prepare_node

suite fmt rust cargo fmt --all --check
suite clippy rust cargo clippy --locked --workspace --all-targets -- -D warnings
suite test rust cargo test --locked --workspace --no-fail-fast
suite build rust cargo build --locked --workspace
suite healthimaging python target/venv/bin/python tests/interop/healthimaging.py
suite everything-direct node "${NODE:-node}" tests/interop/everything.mjs --direct
suite everything node "${NODE:-node}" tests/interop/everything.mjs
suite crash python target/venv/bin/python tests/interop/crash.py
if [ -e ../shared/tools/run_cases.py ]; then
    suite cases python target/venv/bin/python tests/interop/cases.py ../shared/tools/run_cases.py
else
    say "not run: the outside corpus of raw requests (../shared/tools/run_cases.py is not here)"
fi
close
