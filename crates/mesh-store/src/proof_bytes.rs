use mesh_types::{PaymentProof, StoreError};
use thiserror::Error;

/// The version of the encoding: one byte, then JSON.
const VERSION: u8 = 1;

/// The longest encoded proof that is kept, bytes.
///
/// 64 KiB, because the longest proof that a packet carries has 8 KiB, and JSON writes a byte in at most four characters.
pub(crate) const MAX_PROOF_BYTES: usize = 64 * 1_024;

/// Why bytes are no proof.
#[derive(Debug, Error)]
pub(crate) enum ProofBytesError {
    #[error("a kept proof is empty")]
    Empty,
    #[error("a kept proof is encoded in version {found}, and this program knows version {VERSION}")]
    Version { found: u8 },
    #[error("a kept proof is not understood: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Writes a proof as bytes; equal proofs are equal bytes.
pub(crate) fn encode(proof: &PaymentProof) -> Result<Vec<u8>, StoreError> {
    let refused = |reason: String| StoreError::Unavailable(reason);
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, proof).map_err(|error| refused(error.to_string()))?;
    if bytes.len() > MAX_PROOF_BYTES {
        let (found, most) = (bytes.len(), MAX_PROOF_BYTES);
        return Err(refused(format!(
            "a proof of {found} bytes is longer than {most}"
        )));
    }
    Ok(bytes)
}

/// Reads what [`encode`] has written, and nothing else.
pub(crate) fn decode(bytes: &[u8]) -> Result<PaymentProof, ProofBytesError> {
    match bytes.split_first() {
        None => Err(ProofBytesError::Empty),
        Some((&VERSION, json)) => Ok(serde_json::from_slice(json)?),
        Some((&found, _)) => Err(ProofBytesError::Version { found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_read_as_it_was_written_and_other_versions_are_refused() {
        let proof = PaymentProof::InstantSettlement {
            covenant_proof: vec![0, 255],
            output_index: 7,
            merkle_proof: vec![[9; 32]],
            amount_sats: u64::MAX,
            timestamp: 1,
        };
        let mut bytes = encode(&proof).unwrap();
        assert_eq!(decode(&bytes).unwrap(), proof);
        bytes.push(b' ');
        bytes.push(b'1');
        assert!(matches!(decode(&bytes), Err(ProofBytesError::Malformed(_))));
        bytes[0] = 2;
        assert!(matches!(
            decode(&bytes),
            Err(ProofBytesError::Version { found: 2 })
        ));
        assert!(matches!(decode(&[]), Err(ProofBytesError::Empty)));
    }

    #[test]
    fn a_proof_longer_than_any_packet_carries_is_not_kept() {
        let proof = PaymentProof::Lightning {
            invoice: "a".repeat(MAX_PROOF_BYTES),
            preimage: [0; 32],
            amount_msats: 0,
            timestamp: 0,
            expires_at: 0,
        };
        assert!(matches!(encode(&proof), Err(StoreError::Unavailable(_))));
    }
}
