//! Looks for inputs that break the harness of the same name in mesh-protocol.
#![no_main]

#[path = "../../../crates/mesh-protocol/tests/harness/announcement.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::run(data));
