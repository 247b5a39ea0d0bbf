#![expect(
    clippy::unwrap_used,
    reason = "a sample that cannot be made fails the test"
)]

use crate::sample::{identity, lightning, mac_keys, node, packet, paid_packet, pair, route};
use mesh_protocol::{
    EmitError, HEADER_LEN, NotAuthentic, PacketView, emit, emit_authenticated, encode_proof,
};
use mesh_types::MeshPacket;
use sha2::{Digest, Sha256};

/// The packet from node 0 over node 1 to node 2, paid and authenticated.
fn authentic() -> Vec<u8> {
    emit_authenticated(&paid_packet(), &mac_keys(0, [1, 2])).unwrap()
}

/// Whether the node at `hop` takes the bytes for a packet of node 0.
fn holds(bytes: &[u8], hop: u8) -> Result<(), NotAuthentic> {
    let view = PacketView::parse(bytes).unwrap();
    pair(hop, 0).incoming_mac.verify(&view, usize::from(hop))
}

#[test]
fn every_hop_recognises_the_source() {
    let bytes = authentic();
    assert_eq!(holds(&bytes, 1), Ok(()));
    assert_eq!(holds(&bytes, 2), Ok(()));
}

#[test]
fn macs_that_the_packet_brings_are_replaced() {
    let packet = MeshPacket {
        macs: Vec::new(),
        ..paid_packet()
    };
    assert_eq!(
        emit_authenticated(&packet, &mac_keys(0, [1, 2])).unwrap(),
        authentic()
    );
}

#[test]
fn authenticated_bytes_are_emitted_again_as_they_are() {
    let bytes = authentic();
    let packet = PacketView::parse(&bytes).unwrap().to_packet().unwrap();
    assert_eq!(emit(&packet).unwrap(), bytes);
}

#[test]
fn attack_19_a_packet_that_claims_another_source_is_not_authentic() {
    // Node 3 writes node 0 into the route, and has only its own keys with nodes 1 and 2.
    let forged = emit_authenticated(&paid_packet(), &mac_keys(3, [1, 2])).unwrap();
    assert_eq!(holds(&forged, 1), Err(NotAuthentic));
    assert_eq!(holds(&forged, 2), Err(NotAuthentic));
}

#[test]
fn attack_19_a_relay_cannot_write_in_the_name_of_the_source_to_the_next_hop() {
    // Node 1 saw an authentic packet, changes the payload, and replaces the mac that it can compute: its own.
    let packet = MeshPacket {
        payload: b"hello, thief".to_vec(),
        ..paid_packet()
    };
    let own = pair(1, 0).incoming_mac;
    let next = pair(1, 2).outgoing_mac;
    let forged = emit_authenticated(&packet, &[own, next]).unwrap();
    assert_eq!(holds(&forged, 2), Err(NotAuthentic));
}

#[test]
fn attack_19_a_packet_sent_back_is_not_a_packet_of_its_receiver() {
    // Node 1 reflects: the route reversed, the mac that node 0 made for it in the place for node 0.
    let there = MeshPacket {
        route: route([0, 1]),
        ..packet()
    };
    let bytes = emit_authenticated(&there, &mac_keys(0, [1])).unwrap();
    let mac = *PacketView::parse(&bytes).unwrap().mac(1).unwrap();
    let back = MeshPacket {
        route: route([1, 0]),
        macs: vec![mac],
        ..packet()
    };
    let bytes = emit(&back).unwrap();
    let view = PacketView::parse(&bytes).unwrap();
    assert_eq!(pair(0, 1).incoming_mac.verify(&view, 1), Err(NotAuthentic));

    // The same with a mac over the reversed bytes, made with the key of the wrong direction.
    let bytes = emit_authenticated(&back, &[pair(1, 0).incoming_mac]).unwrap();
    let view = PacketView::parse(&bytes).unwrap();
    assert_eq!(pair(0, 1).incoming_mac.verify(&view, 1), Err(NotAuthentic));
}

#[test]
fn the_mac_of_another_hop_does_not_count() {
    let bytes = authentic();
    let view = PacketView::parse(&bytes).unwrap();
    let key = pair(1, 0).incoming_mac;
    assert_eq!(key.verify(&view, 1), Ok(()));
    for position in [0, 2, 3, usize::MAX] {
        assert_eq!(key.verify(&view, position), Err(NotAuthentic));
    }
}

#[test]
fn any_flipped_bit_but_those_of_other_macs_breaks_the_mac() {
    let bytes = authentic();
    let macs_at = HEADER_LEN + 3 * 32;
    for hop in [1, 2] {
        let key = pair(hop, 0).incoming_mac;
        let position = usize::from(hop);
        let own_mac = macs_at + 16 * (position - 1)..macs_at + 16 * position;
        for at in 0..bytes.len() {
            let of_another = (macs_at..macs_at + 32).contains(&at) && !own_mac.contains(&at);
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let verdict = match PacketView::parse(&changed) {
                    Ok(view) => key.verify(&view, position).is_ok(),
                    Err(_) => false,
                };
                assert_eq!(verdict, of_another, "byte {at}, bit {bit}, hop {hop}");
            }
        }
    }
}

#[test]
fn the_border_between_proof_and_payload_cannot_be_moved() {
    // Proof and payload are hashed as one run of bytes; the lengths in the header say where it is cut.
    let proof = encode_proof(&lightning()).unwrap();
    let mut bytes = authentic();
    let shorter = u16::try_from(proof.len() - 1).unwrap();
    let longer = u32::try_from(b"hello, mesh".len() + 1).unwrap();
    bytes[36..38].copy_from_slice(&shorter.to_be_bytes());
    bytes[32..36].copy_from_slice(&longer.to_be_bytes());
    let view = PacketView::parse(&bytes).unwrap();
    assert_eq!(view.payload().len(), 12);
    assert_eq!(pair(1, 0).incoming_mac.verify(&view, 1), Err(NotAuthentic));
}

#[test]
fn a_packet_is_not_emitted_with_a_key_too_few_or_too_many() {
    for hops in [vec![], vec![1], vec![1, 2, 3]] {
        let found = hops.len();
        let error = EmitError::MacCount { expected: 2, found };
        assert_eq!(
            emit_authenticated(&packet(), &mac_keys(0, hops)),
            Err(error)
        );
    }
}

#[test]
fn the_body_digest_is_the_sha_256_of_proof_and_payload() {
    let bytes = authentic();
    let view = PacketView::parse(&bytes).unwrap();
    let proof = encode_proof(&lightning()).unwrap();
    let digest: [u8; 32] = Sha256::digest([proof.as_slice(), b"hello, mesh"].concat()).into();
    assert_eq!(view.body_digest(), digest);
}

#[test]
fn the_node_ids_of_the_samples_are_all_different() {
    for index in 1..16 {
        assert_ne!(node(0), identity(index).node_id());
    }
}
