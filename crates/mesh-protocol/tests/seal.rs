//! Sealed payloads: who can open them, and in which packet.

use mesh_protocol::{
    IdentityKey, MAX_PAYLOAD_LEN, OpenError, PacketView, SEAL_NONCE_LEN, SEAL_OVERHEAD,
    SealContext, SealKey, emit,
};
use mesh_types::{MeshPacket, NodeId, PacketKind, Route};
use proptest::{collection::vec, prelude::*};

const NONCE: [u8; SEAL_NONCE_LEN] = [5; SEAL_NONCE_LEN];

fn key() -> SealKey {
    SealKey::from_bytes(&[7; 32])
}

fn context() -> SealContext {
    SealContext {
        kind: PacketKind::Data,
        source: NodeId::from_bytes([1; 32]),
        destination: NodeId::from_bytes([2; 32]),
        sequence: 1_795_000_000_000_000,
        timestamp: 1_795_000_000,
    }
}

#[test]
fn the_destination_opens_what_the_source_sealed_and_a_relay_does_not() {
    let identity = |byte| IdentityKey::from_secret_bytes([byte; 32]).unwrap();
    let (alice, relay, bob) = (identity(1), identity(2), identity(3));
    let mut packet = MeshPacket {
        kind: PacketKind::Data,
        sealed: true,
        receipt: false,
        route: Route::new(vec![alice.node_id(), relay.node_id(), bob.node_id()]).unwrap(),
        sequence: 1,
        copy_of: None,
        timestamp: 2,
        fee_msat: 3,
        proof: None,
        payload: Vec::new(),
        macs: vec![[0; 16]; 2],
    };
    let to_bob = alice.pair_with(&bob.node_id()).unwrap().outgoing_seal;
    packet.payload = to_bob
        .seal(b"for bob", &SealContext::from(&packet), NONCE)
        .unwrap();
    let bytes = emit(&packet).unwrap();

    let view = PacketView::parse(&bytes).unwrap();
    assert!(view.is_sealed());
    let context = SealContext::from(&view);
    let open = |own: &IdentityKey, peer: &IdentityKey| {
        let keys = own.pair_with(&peer.node_id()).unwrap();
        keys.incoming_seal.open(view.payload(), &context)
    };
    assert_eq!(open(&bob, &alice), Ok(b"for bob".to_vec()));
    assert_eq!(open(&relay, &alice), Err(OpenError::NotAuthentic));
    assert_eq!(open(&relay, &bob), Err(OpenError::NotAuthentic));
    assert_eq!(
        open(&alice, &bob),
        Err(OpenError::NotAuthentic),
        "the direction counts"
    );
}

#[test]
fn a_sealed_payload_does_not_show_the_plain_one() {
    let plain = [0x61; 64];
    let sealed = key().seal(&plain, &context(), NONCE).unwrap();
    assert_eq!(sealed.len(), plain.len() + SEAL_OVERHEAD);
    assert_eq!(sealed.capacity(), sealed.len());
    assert_eq!(&sealed[..SEAL_NONCE_LEN], NONCE);
    assert!(!sealed.windows(4).any(|run| run == [0x61; 4]));
}

#[test]
fn a_sealed_payload_opens_in_no_other_packet() {
    let sealed = key().seal(b"text", &context(), NONCE).unwrap();
    let good = context();
    let others = [
        SealContext {
            kind: PacketKind::Control,
            ..good
        },
        SealContext {
            source: good.destination,
            ..good
        },
        SealContext {
            destination: good.source,
            ..good
        },
        SealContext {
            sequence: good.sequence + 1,
            ..good
        },
        SealContext {
            timestamp: good.timestamp + 1,
            ..good
        },
    ];
    assert_eq!(key().open(&sealed, &good), Ok(b"text".to_vec()));
    for other in others {
        assert_eq!(key().open(&sealed, &other), Err(OpenError::NotAuthentic));
    }
}

#[test]
fn a_sealed_payload_opens_with_no_other_key() {
    let sealed = key().seal(b"text", &context(), NONCE).unwrap();
    let other = SealKey::from_bytes(&[8; 32]);
    assert_eq!(
        other.open(&sealed, &context()),
        Err(OpenError::NotAuthentic)
    );
}

#[test]
fn any_flipped_bit_keeps_a_sealed_payload_shut() {
    let sealed = key().seal(b"text of a payload", &context(), NONCE).unwrap();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            assert_eq!(
                key().open(&changed, &context()),
                Err(OpenError::NotAuthentic)
            );
        }
    }
}

#[test]
fn attack_17_no_truncation_of_a_sealed_payload_opens() {
    let sealed = key().seal(b"text", &context(), NONCE).unwrap();
    for found in 0..sealed.len() {
        let error = key().open(&sealed[..found], &context()).unwrap_err();
        if found < SEAL_OVERHEAD {
            assert_eq!(error, OpenError::TooShort { found });
        } else {
            assert_eq!(error, OpenError::NotAuthentic);
        }
    }
}

#[test]
fn two_nonces_make_two_sealed_payloads_that_both_open() {
    // A source whose clock was set back may use one sequence number twice; the nonce keeps the two apart.
    let first = key().seal(b"same", &context(), [1; 24]).unwrap();
    let second = key().seal(b"same", &context(), [2; 24]).unwrap();
    assert_ne!(first[SEAL_NONCE_LEN..], second[SEAL_NONCE_LEN..]);
    for sealed in [first, second] {
        assert_eq!(key().open(&sealed, &context()), Ok(b"same".to_vec()));
    }
}

#[test]
fn the_longest_payload_that_is_to_be_sealed_fits_a_packet() {
    let plain = vec![1; MAX_PAYLOAD_LEN - SEAL_OVERHEAD];
    let sealed = key().seal(&plain, &context(), NONCE).unwrap();
    assert_eq!(sealed.len(), MAX_PAYLOAD_LEN);
    assert_eq!(key().open(&sealed, &context()), Ok(plain));
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens(plain in vec(any::<u8>(), 0..300), nonce in any::<[u8; 24]>()) {
        let sealed = key().seal(&plain, &context(), nonce).unwrap();
        prop_assert_eq!(key().open(&sealed, &context()).unwrap(), plain);
    }

    #[test]
    fn arbitrary_bytes_do_not_open(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(key().open(&bytes, &context()).is_err());
    }
}
