//! A good proof of a payment on the chain with something changed: it is refused, or it means the same.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod chain;
mod issuer;

use chain::{Covenant, FORMS, OnChain, WrittenChain, verifier};
use issuer::NOW;
use mesh_types::{Claim, PaymentProof};
use proptest::prelude::*;
use std::sync::LazyLock;

/// A proof of each form, what it claims, and a chain that has all of their payments.
static GOOD: LazyLock<(Vec<(PaymentProof, Claim)>, WrittenChain)> = LazyLock::new(|| {
    let on_chain = OnChain::good();
    let mut chain = WrittenChain::default();
    let mut proofs = vec![on_chain.proof()];
    for (form, seed) in FORMS.into_iter().zip(0..) {
        let mut covenant = Covenant::good(form);
        covenant.template.input = vec![chain::input(40 + seed)];
        let written = WrittenChain::with(&covenant, &on_chain, 1);
        chain.outputs.extend(written.outputs);
        chain.transactions.extend(written.transactions);
        proofs.push(covenant.proof());
    }
    let judged = proofs.into_iter().map(|proof| {
        let payment = chain.judge(&verifier(), &proof, NOW).unwrap();
        (proof, payment.claim())
    });
    (judged.collect(), chain.clone())
});

/// What a changed proof claims; `None` when it is refused.
fn claim(proof: &PaymentProof) -> Option<Claim> {
    let verdict = GOOD.1.judge(&verifier(), proof, NOW);
    verdict.ok().map(|payment| payment.claim())
}

#[test]
fn no_byte_of_a_covenant_can_be_another() {
    for (good, _) in &GOOD.0 {
        let PaymentProof::InstantSettlement { covenant_proof, .. } = good else {
            continue;
        };
        for at in 0..covenant_proof.len() {
            for flip in [1, 0x80, 0xff] {
                let mut changed = good.clone();
                if let PaymentProof::InstantSettlement { covenant_proof, .. } = &mut changed {
                    covenant_proof[at] ^= flip;
                }
                assert_eq!(claim(&changed), None, "byte {at} ^ {flip:#x}");
            }
        }
    }
}

#[test]
fn no_character_of_a_request_and_no_bit_of_a_transaction_can_be_another() {
    let (good, _) = &GOOD.0[0];
    for at in 0..245 {
        for other in ['0', 'f', 'F', ' ', ':'] {
            let mut changed = good.clone();
            if let PaymentProof::OnChainSettlement {
                payment_request_id, ..
            } = &mut changed
            {
                payment_request_id.replace_range(at..=at, &other.to_string());
            }
            assert!(changed == *good || claim(&changed).is_none(), "{at}");
        }
    }
    for bit in 0..256 {
        let mut changed = good.clone();
        if let PaymentProof::OnChainSettlement { tx_hash, .. } = &mut changed {
            tx_hash[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(claim(&changed), None, "{bit}");
    }
}

/// Another value of one field of `proof`.
fn changed(
    proof: &PaymentProof,
    field: usize,
    at: prop::sample::Index,
    value: u64,
) -> PaymentProof {
    let mut proof = proof.clone();
    match &mut proof {
        PaymentProof::OnChainSettlement {
            payment_request_id,
            tx_hash,
            amount_sats,
            timestamp,
        } => match field {
            0 => {
                let at = at.index(payment_request_id.len());
                let other = char::from(value.to_be_bytes()[7] & 0x7f);
                payment_request_id.replace_range(at..=at, &other.to_string());
            }
            1 => tx_hash[at.index(32)] = value.to_be_bytes()[7],
            2 => *amount_sats = value,
            3 => *timestamp = value,
            _ => payment_request_id.truncate(at.index(245)),
        },
        PaymentProof::InstantSettlement {
            covenant_proof,
            output_index,
            merkle_proof,
            amount_sats,
            timestamp,
        } => match field {
            0 => {
                let at = at.index(covenant_proof.len());
                covenant_proof[at] = value.to_be_bytes()[7];
            }
            1 => *output_index = value as u32,
            2 => *amount_sats = value,
            3 => *timestamp = value,
            4 => merkle_proof.push([value.to_be_bytes()[7]; 32]),
            _ => covenant_proof.truncate(at.index(covenant_proof.len())),
        },
        PaymentProof::Lightning { .. } => {}
    }
    proof
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_proof_with_one_field_changed_is_refused(
        which in 0..5_usize,
        field in 0..6_usize,
        at: prop::sample::Index,
        value in prop_oneof![any::<u64>(), 0..8_u64, 4_990..5_010_u64],
    ) {
        let (good, expected) = &GOOD.0[which];
        let changed = changed(good, field, at, value);
        match claim(&changed) {
            // Nothing in these proofs can be written in two ways.
            Some(got) => {
                prop_assert_eq!(&changed, good);
                prop_assert_eq!(got, *expected);
            }
            None => prop_assert_ne!(&changed, good),
        }
    }

    #[test]
    fn a_proof_with_parts_of_another_is_refused_or_means_what_it_says(
        one in 1..5_usize,
        other in 1..5_usize,
        cut: prop::sample::Index,
    ) {
        let bytes = |which: usize| match &GOOD.0[which].0 {
            PaymentProof::InstantSettlement { covenant_proof, .. } => covenant_proof.clone(),
            _ => Vec::new(),
        };
        let (head, tail) = (bytes(one), bytes(other));
        let cut = cut.index(head.len().min(tail.len()));
        let mut mixed = GOOD.0[one].0.clone();
        if let PaymentProof::InstantSettlement { covenant_proof, .. } = &mut mixed {
            *covenant_proof = [&head[..cut], &tail[cut..]].concat();
        }
        if let Some(got) = claim(&mixed) {
            let known: Vec<_> = GOOD.0.iter().map(|(_, claim)| *claim).collect();
            prop_assert!(known.contains(&got));
        }
    }
}
