//! What the fast path allocates: nothing.
//!
//! A file of its own, because the counting allocator is the whole program's.
#![expect(
    clippy::unwrap_used,
    reason = "a sample that cannot be made fails the test"
)]

use allocation_counter::measure;
use mesh_protocol::{IdentityKey, PacketView, emit, emit_authenticated};
use mesh_types::{MeshPacket, NodeId, PacketKind, PaymentProof, ProofForHop, Route};
use std::hint::black_box;

/// A paid packet of three nodes with 1,200 bytes of payload, authenticated by the node with secret 1.
fn paid_bytes() -> Vec<u8> {
    let identity = |byte| IdentityKey::from_secret_bytes([byte; 32]).unwrap();
    let nodes: Vec<NodeId> = (1..=3).map(|byte| identity(byte).node_id()).collect();
    let pair = |node| identity(1).pair_with(node).unwrap().outgoing_mac;
    let keys: Vec<_> = nodes.iter().skip(1).map(pair).collect();
    let proof = PaymentProof::Lightning {
        invoice: "l".repeat(350),
        preimage: [1; 32],
        amount_msats: 2,
        timestamp: 3,
        expires_at: 4,
    };
    let packet = MeshPacket {
        kind: PacketKind::Data,
        sealed: true,
        receipt: true,
        route: Route::new(nodes).unwrap(),
        sequence: 5,
        copy_of: None,
        timestamp: 6,
        fee_msat: 7,
        proof: Some(ProofForHop { hop: 1, proof }),
        payload: vec![8; 1_200],
        macs: Vec::new(),
    };
    emit_authenticated(&packet, &keys).unwrap()
}

#[test]
fn parsing_reading_and_verifying_a_packet_allocates_nothing() {
    let bytes = paid_bytes();
    let relay = IdentityKey::from_secret_bytes([2; 32]).unwrap();
    let source = IdentityKey::from_secret_bytes([1; 32]).unwrap().node_id();
    let key = relay.pair_with(&source).unwrap().incoming_mac;
    let allocated = measure(|| {
        let view = PacketView::parse(black_box(&bytes)).unwrap();
        let position = view.position(&relay.node_id()).unwrap();
        key.verify(&view, position).unwrap();
        black_box((view.kind(), view.is_sealed(), view.wants_receipt()));
        black_box((view.sequence(), view.timestamp(), view.fee_msat()));
        black_box((view.source(), view.destination(), view.node(position)));
        black_box((view.proof(), view.payload(), view.mac(position)));
    });
    assert_eq!(allocated.count_total, 0);
}

#[test]
fn refusing_any_truncation_allocates_nothing() {
    let bytes = paid_bytes();
    let allocated = measure(|| {
        for len in 0..bytes.len() {
            black_box(PacketView::parse(black_box(&bytes[..len])).is_err());
        }
    });
    assert_eq!(allocated.count_total, 0);
}

#[test]
fn emitting_a_packet_allocates_its_bytes_once() {
    let bytes = paid_bytes();
    let packet = PacketView::parse(&bytes).unwrap().to_packet().unwrap();
    let allocated = measure(|| {
        black_box(emit(black_box(&packet)).unwrap());
    });
    assert_eq!(allocated.count_total, 1);
    assert_eq!(allocated.bytes_total, u64::try_from(bytes.len()).unwrap());
}
