//! The reader of control calls against any bytes: what it reads, it writes, and reads back the same.

#![expect(
    clippy::expect_used,
    reason = "a test stops where something is not as it expects"
)]

use blvm_mesh_node::control::{
    Call, LedgerCall, Lines, MAX_LEDGER_LINES, MAX_TAKEN, PROTOCOL_VERSION, Request,
};

/// Panics when a promise of the reader does not hold for `data`.
pub(crate) fn run(data: &[u8]) {
    match Call::from_line(data) {
        Ok(call) => {
            assert_eq!(call.version, PROTOCOL_VERSION);
            match &call.request {
                Request::Receive { max, .. } => assert!((1..=MAX_TAKEN).contains(max)),
                Request::Ledger(LedgerCall::Deposits(
                    Lines::First { most } | Lines::After { most, .. },
                )) => assert!((1..=MAX_LEDGER_LINES).contains(most)),
                Request::Routes(call) => {
                    assert!(call.payload_bytes as usize <= blvm_mesh::MAX_PAYLOAD_LEN);
                }
                _ => {}
            }
            let line = call.to_line().expect("it was read");
            let (end, text) = line.split_last().expect("a line ends");
            assert_eq!(*end, b'\n');
            assert!(!text.contains(&b'\n'));
            assert_eq!(Call::from_line(text).expect("it was written"), call);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
