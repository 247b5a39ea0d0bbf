use mesh_protocol::{MAX_SEQUENCE, PacketView, decode_proof, emit, encode_proof};
use mesh_types::{MeshPacket, NodeId, PacketKind, PaymentProof, ProofForHop, Route};
use proptest::{collection::vec, option, prelude::*};

fn any_proof() -> impl Strategy<Value = PaymentProof> {
    let lightning = ("[ -~]{1,400}", any::<([u8; 32], u64, u64, u64)>()).prop_map(
        |(invoice, (preimage, amount_msats, timestamp, expires_at))| PaymentProof::Lightning {
            invoice,
            preimage,
            amount_msats,
            timestamp,
            expires_at,
        },
    );
    let on_chain = ("\\PC{1,16}", any::<([u8; 32], u64, u64)>()).prop_map(
        |(payment_request_id, (tx_hash, amount_sats, timestamp))| PaymentProof::OnChainSettlement {
            payment_request_id,
            tx_hash,
            amount_sats,
            timestamp,
        },
    );
    let instant = (
        vec(any::<u8>(), 1..300),
        vec(any::<[u8; 32]>(), 0..=32),
        any::<(u32, u64, u64)>(),
    )
        .prop_map(
            |(covenant_proof, merkle_proof, (output_index, amount_sats, timestamp))| {
                PaymentProof::InstantSettlement {
                    covenant_proof,
                    output_index,
                    merkle_proof,
                    amount_sats,
                    timestamp,
                }
            },
        );
    prop_oneof![lightning, on_chain, instant]
}

prop_compose! {
    fn any_packet()(
        route in vec(any::<[u8; 32]>(), 2..=16).prop_filter_map("a node twice", |nodes| {
            Route::new(nodes.into_iter().map(NodeId::from_bytes).collect()).ok()
        }),
        control in any::<bool>(),
        (sealed, receipt) in any::<(bool, bool)>(),
        sequence in 0..=MAX_SEQUENCE,
        copy_of in option::of(0..=MAX_SEQUENCE),
        (timestamp, fee_msat) in any::<(u64, u64)>(),
        proof in option::of(any_proof()),
        hop in any::<prop::sample::Index>(),
        payload in vec(any::<u8>(), 0..600),
        mac in any::<[u8; 16]>(),
    ) -> MeshPacket {
        let hops = route.len() - 1;
        let hop = u8::try_from(1 + hop.index(hops)).unwrap_or(1);
        MeshPacket {
            kind: if control { PacketKind::Control } else { PacketKind::Data },
            sealed: sealed && !control,
            receipt: receipt && !control,
            route,
            sequence,
            copy_of: copy_of.filter(|original| *original < sequence && !control),
            timestamp,
            fee_msat,
            proof: proof.map(|proof| ProofForHop { hop, proof }),
            payload,
            macs: vec![mac; hops],
        }
    }
}

proptest! {
    #[test]
    fn what_is_emitted_parses_to_the_same_packet(packet in any_packet()) {
        let bytes = emit(&packet).unwrap();
        let view = PacketView::parse(&bytes).unwrap();
        prop_assert_eq!(view.to_packet().unwrap(), packet);
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same_proof(proof in any_proof()) {
        let bytes = encode_proof(&proof).unwrap();
        prop_assert_eq!(decode_proof(&bytes).unwrap(), proof);
    }

    #[test]
    fn two_different_packets_have_two_different_encodings(a in any_packet(), b in any_packet()) {
        prop_assume!(a != b);
        prop_assert_ne!(emit(&a).unwrap(), emit(&b).unwrap());
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_packet(
        packet in any_packet(),
        at in any::<prop::sample::Index>(),
        change in 1..=u8::MAX,
    ) {
        let mut bytes = emit(&packet).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        if let Ok(other) = PacketView::parse(&bytes).and_then(|view| view.to_packet()) {
            prop_assert_ne!(&other, &packet);
            prop_assert_eq!(emit(&other).unwrap(), bytes);
        }
    }
}
