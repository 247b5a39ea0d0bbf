//! Looks for inputs that break the harness of the same name in mesh-link.
#![no_main]

#[path = "../../../crates/mesh-link/tests/harness/hello.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::run(data));
