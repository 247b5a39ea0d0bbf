#![expect(
    clippy::unwrap_used,
    reason = "a sample that cannot be made fails the test"
)]

use mesh_protocol::{IdentityKey, MacKey, PairKeys};
use mesh_types::{MeshPacket, NodeId, PacketKind, PaymentProof, ProofForHop, Route};

pub(crate) fn identity(index: u8) -> IdentityKey {
    IdentityKey::from_secret_bytes([index + 1; 32]).unwrap()
}

pub(crate) fn node(index: u8) -> NodeId {
    identity(index).node_id()
}

pub(crate) fn pair(ours: u8, peer: u8) -> PairKeys {
    identity(ours).pair_with(&node(peer)).unwrap()
}

pub(crate) fn route(nodes: impl IntoIterator<Item = u8>) -> Route {
    Route::new(nodes.into_iter().map(node).collect()).unwrap()
}

/// The keys with which node `source` authenticates to each of `hops`.
pub(crate) fn mac_keys(source: u8, hops: impl IntoIterator<Item = u8>) -> Vec<MacKey> {
    let key = |hop| pair(source, hop).outgoing_mac;
    hops.into_iter().map(key).collect()
}

pub(crate) fn lightning() -> PaymentProof {
    PaymentProof::Lightning {
        invoice: "lnbcrt1u1sample".to_owned(),
        preimage: [7; 32],
        amount_msats: 100_000,
        timestamp: 1_795_000_000,
        expires_at: 1_795_000_600,
    }
}

/// An unpaid data packet from node 0 over node 1 to node 2.
pub(crate) fn packet() -> MeshPacket {
    MeshPacket {
        kind: PacketKind::Data,
        sealed: false,
        receipt: false,
        route: route([0, 1, 2]),
        sequence: 1_795_000_000_000_000,
        copy_of: None,
        timestamp: 1_795_000_000,
        fee_msat: 400,
        proof: None,
        payload: b"hello, mesh".to_vec(),
        macs: vec![[0xa1; 16], [0xa2; 16]],
    }
}

/// The same packet with a proof for node 1.
pub(crate) fn paid_packet() -> MeshPacket {
    MeshPacket {
        proof: Some(ProofForHop {
            hop: 1,
            proof: lightning(),
        }),
        ..packet()
    }
}

/// The same packet once more, over another relay.
pub(crate) fn copied_packet() -> MeshPacket {
    MeshPacket {
        route: route([0, 3, 2]),
        sequence: packet().sequence + 5,
        copy_of: Some(packet().sequence),
        ..packet()
    }
}
