//! A good proof with something changed: it is refused, or it means the same.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

mod issuer;
#[path = "harness/proof.rs"]
mod proof;

use issuer::Node;
use mesh_types::{Claim, PaymentProof};
use proptest::prelude::*;
use std::sync::LazyLock;

const CHARSET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// A proof by derived preimage and one by signature alone, with what they claim.
static GOOD: LazyLock<[(PaymentProof, Claim); 2]> = LazyLock::new(|| {
    let node = Node::ours();
    let by_signature = node.draft_with_foreign_preimage(&node.quote()).proof();
    [node.paid(), by_signature].map(|proof| {
        let claim = proof::judge(&proof).unwrap();
        (proof, claim)
    })
});

fn parts(proof: &PaymentProof) -> (&str, [u8; 32]) {
    match proof {
        PaymentProof::Lightning {
            invoice, preimage, ..
        } => (invoice, *preimage),
        other => panic!("{other:?}"),
    }
}

fn with_invoice(proof: &PaymentProof, text: String) -> PaymentProof {
    let mut proof = proof.clone();
    if let PaymentProof::Lightning { invoice, .. } = &mut proof {
        *invoice = text;
    }
    proof
}

fn replaced(text: &str, at: usize, byte: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = byte;
    String::from_utf8(bytes).unwrap()
}

/// Another character of the bech32 alphabet, one bit away.
fn neighbour(byte: u8, at: usize) -> u8 {
    let old = CHARSET.iter().position(|other| *other == byte).unwrap();
    CHARSET[old ^ (1 << (at % 5))]
}

#[test]
fn no_one_character_of_an_invoice_can_be_another() {
    let (good, _) = &GOOD[0];
    let (text, _) = parts(good);
    for (at, byte) in text.bytes().enumerate() {
        let others = [CHARSET[at * 7 % 32], byte.to_ascii_uppercase(), b'1', b' '];
        for other in others.into_iter().filter(|other| *other != byte) {
            let changed = with_invoice(good, replaced(text, at, other));
            assert_eq!(
                proof::judge(&changed),
                None,
                "{} at {at}",
                char::from(other)
            );
        }
    }
}

#[test]
fn a_change_behind_a_right_checksum_is_refused_or_means_the_same() {
    let accepted = GOOD.each_ref().map(|(good, claim)| {
        let (text, preimage) = parts(good);
        let body = &text[..text.len() - 6];
        let data_at = body.rfind('1').unwrap() + 1;
        let meant_the_same = |at: &usize| {
            let other = neighbour(body.as_bytes()[*at], *at);
            let changed = proof::with_checksum(&replaced(body, *at, other)).unwrap();
            // The fields follow the invoice, so that no disagreement between them refuses the proof.
            let agreeing = proof::agreeing(changed, preimage);
            let verdict = agreeing.as_ref().and_then(proof::judge);
            assert!(verdict.is_none_or(|got| got == *claim), "at {at}");
            verdict.is_some()
        };
        (data_at..body.len()).filter(meant_the_same).count()
    });
    // A derived preimage holds whatever the signature is; a signature bears no change but of its recovery id.
    assert!(accepted[0] > 104 - 8, "{accepted:?}");
    assert!(accepted[1] <= 2, "{accepted:?}");
}

#[test]
fn a_recovery_id_that_cannot_be_is_no_invoice() {
    let (text, preimage) = parts(&GOOD[0].0);
    let body = &text[..text.len() - 6];
    let last = body.len() - 1;
    for (id, character) in CHARSET.iter().enumerate() {
        let changed = proof::with_checksum(&replaced(body, last, *character)).unwrap();
        let is_read = proof::agreeing(changed, preimage).is_some();
        assert_eq!(is_read, id <= 1, "{id}");
    }
}

proptest! {
    #[test]
    fn a_proof_with_anything_changed_is_refused_or_means_the_same(
        which in 0..2usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        swap in any::<Option<(prop::sample::Index, prop::sample::Index)>>(),
        add_checksum: bool,
        agree: bool,
    ) {
        let (good, claim) = &GOOD[which];
        let flags = u8::from(add_checksum) * proof::ADD_CHECKSUM + u8::from(agree) * proof::AGREE;
        let mut bytes = proof::write(flags, good);
        if add_checksum {
            bytes.truncate(bytes.len() - 6);
        }
        for (index, value) in flips {
            let at = 1 + index.index(bytes.len() - 1);
            bytes[at] = if at < proof::TEXT_AT {
                value
            } else {
                CHARSET[usize::from(value) % 32]
            };
        }
        if let Some((one, other)) = swap {
            let text_len = bytes.len() - proof::TEXT_AT;
            bytes.swap(
                proof::TEXT_AT + one.index(text_len),
                proof::TEXT_AT + other.index(text_len),
            );
        }
        if let Some(got) = proof::read(&bytes).as_ref().and_then(proof::judge) {
            prop_assert_eq!(got, *claim);
        }
    }
}
