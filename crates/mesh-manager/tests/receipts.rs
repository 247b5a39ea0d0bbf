//! A receipt is the destination's, for that packet, once: nobody on the way can make, repeat or change one.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::{RefusalReason, SendOptions, TriedEnd};
use mesh_protocol::{ControlMessage, MacKey, PacketView, emit, emit_authenticated};
use mesh_types::*;
use std::time::Duration;
use support::*;

const SOURCE: u8 = 1;
const RELAY: u8 = 2;
const DESTINATION: u8 = 3;

fn options() -> SendOptions {
    SendOptions {
        timeout: Duration::from_secs(30),
        ..SendOptions::default()
    }
}

/// The key with which `by` authenticates to the source.
fn key_of(by: u8) -> MacKey {
    identity(by).pair_with(&id(SOURCE)).unwrap().outgoing_mac
}

/// A receipt for the packet `about`, as its destination makes it; with the MAC of the node `by`.
fn receipt(about: u64, way: &[u8], sequence: u64, by: u8, now: UnixTime) -> Vec<u8> {
    let message = ControlMessage::Delivered { sequence: about };
    let packet = MeshPacket {
        kind: PacketKind::Control,
        sealed: false,
        receipt: false,
        route: route(way),
        sequence,
        copy_of: None,
        timestamp: now.to_secs(),
        fee_msat: 0,
        proof: None,
        payload: message.encode().unwrap(),
        macs: Vec::new(),
    };
    let relays = way.len() - 1;
    emit_authenticated(&packet, &vec![key_of(by); relays]).unwrap()
}

/// What came from the destination to the relay: its receipts.
fn receipts(chain: &Chain) -> Vec<Vec<u8>> {
    let log = chain.wires.log.lock().unwrap();
    let from_destination = log.iter().filter(|(from, ..)| *from == id(DESTINATION));
    let all = from_destination.map(|(.., bytes)| bytes.clone());
    all.filter(|bytes| {
        let packet = PacketView::parse(bytes).unwrap();
        let message = ControlMessage::decode(packet.payload());
        matches!(message, Ok(ControlMessage::Delivered { .. }))
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn a_relay_cannot_forge_repeat_swap_or_change_a_receipt() {
    let chain = Chain::of(vec![open(), open(), open()]).await;
    let source = chain.mesh(0);
    let send = || source.send(id(DESTINATION), b"x".to_vec(), options());
    send().await.unwrap();
    let genuine = receipts(&chain).pop().unwrap();
    // From here on the relay drops what it is to carry, and would like to be thought honest.
    chain
        .wires
        .obey(|from, packet| match packet.kind() == PacketKind::Data {
            true if from == id(RELAY) => Passage::Lost,
            _ => Passage::Free,
        });
    let (sender, started) = (source.clone(), chain.wires.sequences_from(id(SOURCE)).len());
    let sending =
        tokio::spawn(async move { sender.send(id(DESTINATION), b"y".to_vec(), options()).await });
    let about = loop {
        let sequences = chain.wires.sequences_from(id(SOURCE));
        if let Some(about) = sequences.get(started) {
            break *about;
        }
        tokio::task::yield_now().await;
    };
    let now = chain.clock.now();
    let later = about + 1_000;
    let as_destination = [DESTINATION, RELAY, SOURCE];
    let mut changed = PacketView::parse(&genuine).unwrap().to_packet().unwrap();
    changed.payload = ControlMessage::Delivered { sequence: about }
        .encode()
        .unwrap();
    let mut renumbered = PacketView::parse(&genuine).unwrap().to_packet().unwrap();
    renumbered.sequence = later + 7;
    for (bytes, expected) in [
        // In its own name: only the destination can say that it has the packet.
        (
            receipt(about, &[RELAY, SOURCE], later, RELAY, now),
            RefusalReason::Unasked,
        ),
        // In the destination's name, with the only keys that it has.
        (
            receipt(about, &as_destination, later, RELAY, now),
            RefusalReason::NotAuthentic,
        ),
        // The receipt for an earlier packet once more, and under another number.
        (genuine, RefusalReason::Duplicate),
        (emit(&renumbered).unwrap(), RefusalReason::NotAuthentic),
        // That receipt, changed to be about this packet.
        (
            emit(&MeshPacket {
                sequence: later + 9,
                ..changed.clone()
            })
            .unwrap(),
            RefusalReason::NotAuthentic,
        ),
        // The destination's own, about a packet that nobody waits for.
        (
            receipt(about - 1, &as_destination, later + 1, DESTINATION, now),
            RefusalReason::Unasked,
        ),
    ] {
        let refused = source.receive(id(RELAY), bytes).await.unwrap_err();
        assert_eq!(refused.reason(), expected);
    }
    assert!(!sending.is_finished());
    let error = sending.await.unwrap().unwrap_err();
    let ends: Vec<_> = error.tries.iter().map(|it| it.end.clone()).collect();
    assert_eq!(ends, [TriedEnd::Silence]);
}

#[tokio::test(start_paused = true)]
async fn the_destination_of_another_packet_cannot_confirm_this_one() {
    let chain = Chain::of(vec![open(), open(), open()]).await;
    let source = chain.mesh(0);
    chain.wires.drop_to("node-3");
    let sender = source.clone();
    let sending =
        tokio::spawn(async move { sender.send(id(DESTINATION), b"x".to_vec(), options()).await });
    let about = loop {
        if let [about, ..] = chain.wires.sequences_from(id(SOURCE)).as_slice() {
            break *about;
        }
        tokio::task::yield_now().await;
    };
    // Authentic, and of a node that the packet was not for.
    let now = chain.clock.now();
    let other = receipt(about, &[9, RELAY, SOURCE], about, 9, now);
    let refused = source.receive(id(RELAY), other).await.unwrap_err();
    assert_eq!(refused.reason(), RefusalReason::Unasked);
    assert!(sending.await.unwrap().is_err());
}
