//! The detector against any bytes: it holds its promises, whatever comes.

#![expect(
    clippy::indexing_slicing,
    reason = "a harness stops where something is not as it expects"
)]

use bitcoin::consensus::deserialize;
use bitcoin::p2p::message::RawNetworkMessage;
use mesh_protocol::{BitcoinFrame, Detection, detect, detect_prefix};
use mesh_types::DetectedProtocol;

/// Panics when a promise of the detector does not hold for `data`.
pub(crate) fn run(data: &[u8]) {
    let verdict = detect(data);
    every_front_agrees(data, verdict);
    framing_agrees(data, verdict);
}

fn every_front_agrees(data: &[u8], verdict: DetectedProtocol) {
    let mut not_before = 0;
    let mut decided = false;
    for seen in 0..=data.len() {
        match detect_prefix(data.len(), &data[..seen]) {
            Detection::Decided(early) => {
                assert_eq!(early, verdict, "after {seen} bytes");
                assert!(seen >= not_before, "asked for more bytes than it takes");
                decided = true;
            }
            Detection::NeedMore(more) => {
                assert!(!decided, "took its verdict back after {seen} bytes");
                assert!(more >= 1 && seen + more <= data.len());
                not_before = seen + more;
            }
        }
    }
    assert!(decided, "no verdict on all bytes");
}

fn framing_agrees(data: &[u8], verdict: DetectedProtocol) {
    let framed = BitcoinFrame::parse(data);
    let protocol = framed.map(|frame| frame.protocol());
    match verdict {
        DetectedProtocol::BitcoinP2P => {
            assert_eq!(protocol, Ok(Ok(verdict)));
            assert!(deserialize::<RawNetworkMessage>(data).is_ok());
        }
        DetectedProtocol::CommonsGovernance => assert_eq!(protocol, Ok(Ok(verdict))),
        _ => assert!(!matches!(protocol, Ok(Ok(_)))),
    }
}
