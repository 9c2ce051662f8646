//! Feeds arbitrary bytes to the reader of policies in YAML.
//!
//! What must hold stands in `src/lib.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| toolgate_fuzz::yaml(data));
