//! Looks for inputs that break the harness of the same name in mesh-payment.
#![no_main]

#[path = "../../../crates/mesh-payment/tests/harness/covenant.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::run(data));
