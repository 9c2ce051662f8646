//! Feeds arbitrary policies and calls to the compiler of policies and to `decide`.
//!
//! What must hold stands in `src/lib.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| toolgate_fuzz::policy(data));
