//! What has to hold for any bytes that claim to be a packet or a proof.

use mesh_protocol::{
    HEADER_LEN, MAX_PAYLOAD_LEN, MAX_PROOF_LEN, MAX_SEQUENCE, MacKey, PacketError, PacketView,
    SealContext, SealKey, decode_proof, emit, encode_proof,
};
use mesh_types::PacketKind;

/// Parses `data` as a packet and as a proof; panics when a property of the format is broken.
pub(crate) fn run(data: &[u8]) {
    if let Ok(view) = PacketView::parse(data) {
        parts_are_the_whole(&view, data);
        fields_are_in_bounds(&view);
        nothing_foreign_is_authentic(&view);
        emits_the_same_bytes(&view, data);
    }
    if let Ok(proof) = decode_proof(data) {
        assert_eq!(encode_proof(&proof).as_deref(), Ok(data));
    }
}

fn parts_are_the_whole(view: &PacketView<'_>, data: &[u8]) {
    let macs = (1..view.route().len()).filter_map(|position| view.mac(position));
    let macs: Vec<u8> = macs.flatten().copied().collect();
    assert_eq!(macs.len(), 16 * (view.route().len() - 1));
    assert_eq!([view.authenticated(), &macs, view.body()].concat(), data);
    let original = view.copy_of().map(u64::to_be_bytes);
    let original = original.as_ref().map_or(&[][..], |number| number);
    let proof = view.proof().map_or(&[][..], |(_, proof)| proof);
    assert_eq!([original, proof, view.payload()].concat(), view.body());
    assert_eq!(
        view.authenticated().len(),
        HEADER_LEN + 32 * view.route().len()
    );
    assert_eq!(view.as_bytes(), data);
}

fn fields_are_in_bounds(view: &PacketView<'_>) {
    let nodes = view.route().len();
    assert!((2..=16).contains(&nodes));
    assert!(view.sequence() <= MAX_SEQUENCE);
    assert!(view.copy_of().is_none_or(|it| it < view.sequence()));
    assert!(view.payload().len() <= MAX_PAYLOAD_LEN);
    if let Some((hop, proof)) = view.proof() {
        assert!((1..nodes).contains(&usize::from(hop)));
        assert!((1..=MAX_PROOF_LEN).contains(&proof.len()));
    }
    if view.kind() == PacketKind::Control {
        assert!(!view.is_sealed() && !view.wants_receipt());
    }
    for position in 0..nodes {
        let node = view.node(position);
        assert_eq!(node.and_then(|node| view.position(&node)), Some(position));
    }
    assert_eq!(view.position(&view.source()), Some(0));
    assert_eq!(view.position(&view.destination()), Some(nodes - 1));
    assert_eq!(view.node(nodes), None);
    assert!(!format!("{view:?}").is_empty());
}

fn nothing_foreign_is_authentic(view: &PacketView<'_>) {
    let mac_key = MacKey::from_bytes(&[0x42; 32]);
    for position in 0..=view.route().len() {
        assert!(mac_key.verify(view, position).is_err());
    }
    let seal_key = SealKey::from_bytes(&[0x42; 32]);
    assert!(
        seal_key
            .open(view.payload(), &SealContext::from(view))
            .is_err()
    );
}

fn emits_the_same_bytes(view: &PacketView<'_>, data: &[u8]) {
    match view.to_packet() {
        Ok(packet) => {
            assert_eq!(emit(&packet).as_deref(), Ok(data));
            assert_eq!(SealContext::from(&packet), SealContext::from(view));
        }
        Err(error) => {
            let proof = view.proof().map(|(_, proof)| decode_proof(proof));
            let expected = proof.and_then(Result::err).map(PacketError::Proof);
            assert_eq!(Some(error), expected);
        }
    }
}
