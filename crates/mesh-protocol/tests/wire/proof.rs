use crate::sample::lightning;
use mesh_protocol::{
    MAX_COVENANT_PROOF_LEN, MAX_INVOICE_LEN, MAX_MERKLE_NODES, MAX_REQUEST_ID_LEN, ProofError,
    decode_proof, encode_proof,
};
use mesh_types::PaymentProof;

fn with_invoice(invoice: String) -> PaymentProof {
    PaymentProof::Lightning {
        invoice,
        preimage: [7; 32],
        amount_msats: 100_000,
        timestamp: 1_795_000_000,
        expires_at: 1_795_000_600,
    }
}

fn on_chain(payment_request_id: String) -> PaymentProof {
    PaymentProof::OnChainSettlement {
        payment_request_id,
        tx_hash: [3; 32],
        amount_sats: 546,
        timestamp: 1_795_000_000,
    }
}

fn instant(merkle_nodes: usize, covenant_len: usize) -> PaymentProof {
    PaymentProof::InstantSettlement {
        covenant_proof: vec![4; covenant_len],
        output_index: 1,
        merkle_proof: vec![[5; 32]; merkle_nodes],
        amount_sats: 546,
        timestamp: 1_795_000_000,
    }
}

#[test]
fn proofs_at_their_bounds_come_back_as_they_went_in() {
    let proofs = [
        with_invoice("l".to_owned()),
        with_invoice("l".repeat(MAX_INVOICE_LEN)),
        on_chain("r".to_owned()),
        on_chain("r".repeat(MAX_REQUEST_ID_LEN)),
        instant(0, 1),
        instant(MAX_MERKLE_NODES, MAX_COVENANT_PROOF_LEN),
    ];
    for proof in proofs {
        let bytes = encode_proof(&proof).unwrap();
        assert_eq!(bytes.len(), bytes.capacity());
        assert_eq!(decode_proof(&bytes), Ok(proof));
    }
}

#[test]
fn proofs_beyond_their_bounds_are_not_encoded() {
    let errors = [
        (
            with_invoice(String::new()),
            ProofError::InvoiceLength { found: 0 },
        ),
        (
            with_invoice("l".repeat(MAX_INVOICE_LEN + 1)),
            ProofError::InvoiceLength { found: 7_090 },
        ),
        (with_invoice("lnbcä".to_owned()), ProofError::InvoiceText),
        (
            on_chain(String::new()),
            ProofError::RequestIdLength { found: 0 },
        ),
        (
            on_chain("r".repeat(MAX_REQUEST_ID_LEN + 1)),
            ProofError::RequestIdLength { found: 257 },
        ),
        (instant(0, 0), ProofError::CovenantLength { found: 0 }),
        (
            instant(0, MAX_COVENANT_PROOF_LEN + 1),
            ProofError::CovenantLength { found: 4_097 },
        ),
        (
            instant(MAX_MERKLE_NODES + 1, 1),
            ProofError::MerkleCount { found: 33 },
        ),
        (instant(256, 1), ProofError::MerkleCount { found: 256 }),
    ];
    for (proof, error) in errors {
        assert_eq!(encode_proof(&proof), Err(error));
    }
}

#[test]
fn attack_17_no_truncation_of_a_fixed_part_decodes() {
    for (proof, fixed_len) in [(lightning(), 57), (on_chain("r".to_owned()), 49)] {
        let bytes = encode_proof(&proof).unwrap();
        for len in 0..fixed_len {
            assert_eq!(decode_proof(&bytes[..len]), Err(ProofError::Truncated));
        }
        assert!(decode_proof(&bytes[..fixed_len]).is_err());
    }
    let bytes = encode_proof(&instant(2, 1)).unwrap();
    for len in 0..22 + 2 * 32 {
        assert_eq!(decode_proof(&bytes[..len]), Err(ProofError::Truncated));
    }
}

#[test]
fn attack_6_one_run_of_bytes_is_one_kind_of_proof() {
    let bytes = encode_proof(&lightning()).unwrap();
    for found in 3..=u8::MAX {
        let mut bytes = bytes.clone();
        bytes[0] = found;
        assert_eq!(decode_proof(&bytes), Err(ProofError::Tag { found }));
    }
}
