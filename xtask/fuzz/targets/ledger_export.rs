//! Looks for inputs that break the harness of the same name in mesh-store.
#![no_main]

#[path = "../../../crates/mesh-store/tests/harness/ledger_export.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::run(data));
