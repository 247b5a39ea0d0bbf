//! Looks for inputs that break the harness of the same name in blvm-mesh-node.
#![no_main]

#[path = "../../../crates/blvm-mesh-node/tests/harness/control_call.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::run(data));
