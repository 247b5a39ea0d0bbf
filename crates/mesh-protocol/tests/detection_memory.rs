//! How much memory a verdict takes, counted.

mod messages;

use allocation_counter::measure;
use bitcoin::p2p::message::NetworkMessage;
use mesh_protocol::{BitcoinFrame, BitcoinHeader, detect};
use mesh_types::DetectedProtocol;
use messages::{frame, inventory, wire};
use std::hint::black_box;

#[test]
fn headers_and_frames_are_judged_without_allocation() {
    let messages: Vec<_> = messages::bitcoin().into_iter().map(wire).collect();
    let info = measure(|| {
        for message in &messages {
            let head = message.first_chunk().unwrap();
            black_box(BitcoinHeader::parse(head)).unwrap();
            black_box(BitcoinFrame::parse(message)).unwrap();
        }
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn governance_stratum_and_unknown_bytes_are_judged_without_allocation() {
    let share = [&[0, 0x80, 0x1a, 24, 0, 0][..], &[7; 24]].concat();
    let veto = frame("econveto", b"veto");
    let junk = frame("tx", &[0x55; 1_200]);
    let info = measure(|| {
        assert_eq!(detect(&share), DetectedProtocol::StratumV2);
        assert_eq!(detect(&veto), DetectedProtocol::CommonsGovernance);
        assert_eq!(detect(&junk), DetectedProtocol::Unknown);
        assert_eq!(detect(&[0x99; 1_200]), DetectedProtocol::Unknown);
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn a_lying_count_reserves_nothing() {
    let header = [9; 80];
    let million = [0xfe, 0x00, 0x09, 0x3d, 0x00];
    let input = [&[7; 36][..], &[0], &[0xff; 4]].concat();
    let tx = [&[2, 0, 0, 0, 0, 1, 1], &input[..], &[1], &[0; 9]].concat();
    let lies = [
        frame("inv", &[&[0xfd, 0x50, 0xc3][..], &[0; 36]].concat()),
        frame(
            "tx",
            &[&tx[..], &million, &[0xfe, 0x00, 0x00, 0x38, 0x00], &[0; 64]].concat(),
        ),
        frame("block", &[&header[..], &million, &[0; 80]].concat()),
        frame(
            "merkleblock",
            &[&header[..], &[1, 0, 0, 0, 1], &[7; 32], &million].concat(),
        ),
        frame("headers", &[&[0xfd, 0xd0, 0x07][..], &[0; 81]].concat()),
        frame(
            "getblocktxn",
            &[&[0; 32][..], &[0xfd, 0xff, 0xff], &[0; 16]].concat(),
        ),
    ];
    let info = measure(|| {
        for lie in &lies {
            assert_eq!(detect(lie), DetectedProtocol::Unknown);
        }
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn decoding_takes_a_few_times_the_message_and_gives_it_back() {
    let mut messages = messages::bitcoin();
    messages.push(NetworkMessage::Inv(inventory(50_000)));
    for message in messages.into_iter().map(wire) {
        let info = measure(|| {
            black_box(detect(&message));
        });
        let most = 16 * u64::try_from(message.len()).unwrap() + 1_024;
        assert!(
            info.bytes_max <= most,
            "{info:?} for {} bytes",
            message.len()
        );
        assert_eq!(info.bytes_current, 0);
    }
}
