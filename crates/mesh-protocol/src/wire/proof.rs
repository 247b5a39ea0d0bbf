use super::Reader;
use mesh_types::PaymentProof;
use thiserror::Error;

/// The most bytes of one encoded proof.
///
/// 8 KiB, because the longest invoice and the longest covenant proof then both fit with room for their fields.
pub const MAX_PROOF_LEN: usize = 8_192;

/// The most characters of an invoice.
///
/// 7,089, because that is what the largest QR code holds, and wallets pass invoices on as QR codes.
pub const MAX_INVOICE_LEN: usize = 7_089;

/// The most bytes of a payment request's id.
///
/// 256, because a request is named by the text of its quote, which has 245.
pub const MAX_REQUEST_ID_LEN: usize = 256;

/// The most nodes of a merkle path.
///
/// 32, because a block would need 2^32 transactions for a longer one.
pub const MAX_MERKLE_NODES: usize = 32;

/// The most bytes of a covenant proof's own encoding.
///
/// 4 KiB, because a template with a hundred outputs is still below it, and the merkle path still fits beside it.
pub const MAX_COVENANT_PROOF_LEN: usize = 4_096;

const LIGHTNING: u8 = 0;
const ON_CHAIN: u8 = 1;
const INSTANT: u8 = 2;

const LIGHTNING_FIXED: usize = 1 + 32 + 8 + 8 + 8;
const ON_CHAIN_FIXED: usize = 1 + 32 + 8 + 8;
const INSTANT_FIXED: usize = 1 + 4 + 8 + 8 + 1;

const _: () = assert!(LIGHTNING_FIXED + MAX_INVOICE_LEN <= MAX_PROOF_LEN);
const _: () =
    assert!(INSTANT_FIXED + 32 * MAX_MERKLE_NODES + MAX_COVENANT_PROOF_LEN <= MAX_PROOF_LEN);

/// Why a proof cannot be decoded or encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The bytes end before the last field does.
    #[error("the proof ends early")]
    Truncated,
    /// The proof is longer than [`MAX_PROOF_LEN`].
    #[error("a proof has at most {MAX_PROOF_LEN} bytes, not {found}")]
    Length {
        /// Its length.
        found: usize,
    },
    /// The first byte names no kind of proof.
    #[error("unknown kind of proof {found}")]
    Tag {
        /// The byte.
        found: u8,
    },
    /// The invoice is empty or longer than [`MAX_INVOICE_LEN`].
    #[error("an invoice has 1 to {MAX_INVOICE_LEN} characters, not {found}")]
    InvoiceLength {
        /// Its length.
        found: usize,
    },
    /// The invoice is not ASCII.
    #[error("the invoice is not ASCII")]
    InvoiceText,
    /// The payment request's id is empty or longer than [`MAX_REQUEST_ID_LEN`].
    #[error("a payment request id has 1 to {MAX_REQUEST_ID_LEN} bytes, not {found}")]
    RequestIdLength {
        /// Its length.
        found: usize,
    },
    /// The payment request's id is not UTF-8.
    #[error("the payment request id is not UTF-8")]
    RequestIdText,
    /// The merkle path is longer than [`MAX_MERKLE_NODES`].
    #[error("a merkle path has at most {MAX_MERKLE_NODES} nodes, not {found}")]
    MerkleCount {
        /// Its nodes.
        found: usize,
    },
    /// The covenant's encoding is empty or longer than [`MAX_COVENANT_PROOF_LEN`].
    #[error("a covenant proof has 1 to {MAX_COVENANT_PROOF_LEN} bytes, not {found}")]
    CovenantLength {
        /// Its length.
        found: usize,
    },
}

/// Decodes a proof from its one encoding.
///
/// Decoding proves nothing: `mesh-payment` decides what a proof is worth.
///
/// # Errors
/// [`ProofError`] names what is wrong.
///
/// # Source
/// docs/wire-format.md, "Proof".
pub fn decode_proof(bytes: &[u8]) -> Result<PaymentProof, ProofError> {
    let found = bytes.len();
    if found > MAX_PROOF_LEN {
        return Err(ProofError::Length { found });
    }
    let mut reader = Reader::new(bytes);
    let tag = reader.u8().ok_or(ProofError::Truncated)?;
    match tag {
        LIGHTNING => decode_lightning(reader),
        ON_CHAIN => decode_on_chain(reader),
        INSTANT => decode_instant(reader),
        found => Err(ProofError::Tag { found }),
    }
}

/// Encodes a proof.
///
/// # Errors
/// [`ProofError`] when a field of it is empty, too long or not the text it has to be.
pub fn encode_proof(proof: &PaymentProof) -> Result<Vec<u8>, ProofError> {
    let mut bytes = Vec::with_capacity(usize::from(encoded_len(proof)?));
    write_proof(proof, &mut bytes)?;
    Ok(bytes)
}

fn decode_lightning(mut reader: Reader<'_>) -> Result<PaymentProof, ProofError> {
    let preimage = reader.array().ok_or(ProofError::Truncated)?;
    let amount_msats = reader.u64().ok_or(ProofError::Truncated)?;
    let timestamp = reader.u64().ok_or(ProofError::Truncated)?;
    let expires_at = reader.u64().ok_or(ProofError::Truncated)?;
    Ok(PaymentProof::Lightning {
        invoice: decode_invoice(reader.take_rest())?,
        preimage,
        amount_msats,
        timestamp,
        expires_at,
    })
}

fn decode_on_chain(mut reader: Reader<'_>) -> Result<PaymentProof, ProofError> {
    let tx_hash = reader.array().ok_or(ProofError::Truncated)?;
    let amount_sats = reader.u64().ok_or(ProofError::Truncated)?;
    let timestamp = reader.u64().ok_or(ProofError::Truncated)?;
    let id = reader.take_rest();
    check_request_id(id)?;
    let id = str::from_utf8(id).map_err(|_| ProofError::RequestIdText)?;
    Ok(PaymentProof::OnChainSettlement {
        payment_request_id: id.to_owned(),
        tx_hash,
        amount_sats,
        timestamp,
    })
}

fn decode_instant(mut reader: Reader<'_>) -> Result<PaymentProof, ProofError> {
    let output_index = reader.u32().ok_or(ProofError::Truncated)?;
    let amount_sats = reader.u64().ok_or(ProofError::Truncated)?;
    let timestamp = reader.u64().ok_or(ProofError::Truncated)?;
    let merkle_count = usize::from(reader.u8().ok_or(ProofError::Truncated)?);
    check_merkle_count(merkle_count)?;
    let merkle_proof = reader.arrays(merkle_count).ok_or(ProofError::Truncated)?;
    let covenant_proof = reader.take_rest();
    check_covenant(covenant_proof)?;
    Ok(PaymentProof::InstantSettlement {
        covenant_proof: covenant_proof.to_vec(),
        output_index,
        merkle_proof: merkle_proof.to_vec(),
        amount_sats,
        timestamp,
    })
}

/// How many bytes the proof becomes; the one place where the emitter checks its fields.
pub(super) fn encoded_len(proof: &PaymentProof) -> Result<u16, ProofError> {
    let len = match proof {
        PaymentProof::Lightning { invoice, .. } => {
            check_invoice(invoice.as_bytes())?;
            LIGHTNING_FIXED + invoice.len()
        }
        PaymentProof::OnChainSettlement {
            payment_request_id, ..
        } => {
            check_request_id(payment_request_id.as_bytes())?;
            ON_CHAIN_FIXED + payment_request_id.len()
        }
        PaymentProof::InstantSettlement {
            covenant_proof,
            merkle_proof,
            ..
        } => {
            check_merkle_count(merkle_proof.len())?;
            check_covenant(covenant_proof)?;
            INSTANT_FIXED + 32 * merkle_proof.len() + covenant_proof.len()
        }
    };
    u16::try_from(len).map_err(|_| ProofError::Length { found: len })
}

/// Appends a proof whose length is known to fit.
pub(super) fn write_proof(proof: &PaymentProof, bytes: &mut Vec<u8>) -> Result<(), ProofError> {
    match proof {
        PaymentProof::Lightning {
            invoice,
            preimage,
            amount_msats,
            timestamp,
            expires_at,
        } => {
            bytes.push(LIGHTNING);
            bytes.extend_from_slice(preimage);
            bytes.extend_from_slice(&amount_msats.to_be_bytes());
            bytes.extend_from_slice(&timestamp.to_be_bytes());
            bytes.extend_from_slice(&expires_at.to_be_bytes());
            bytes.extend_from_slice(invoice.as_bytes());
        }
        PaymentProof::OnChainSettlement {
            payment_request_id,
            tx_hash,
            amount_sats,
            timestamp,
        } => {
            bytes.push(ON_CHAIN);
            bytes.extend_from_slice(tx_hash);
            bytes.extend_from_slice(&amount_sats.to_be_bytes());
            bytes.extend_from_slice(&timestamp.to_be_bytes());
            bytes.extend_from_slice(payment_request_id.as_bytes());
        }
        PaymentProof::InstantSettlement {
            covenant_proof,
            output_index,
            merkle_proof,
            amount_sats,
            timestamp,
        } => {
            let found = merkle_proof.len();
            let count = u8::try_from(found).map_err(|_| ProofError::MerkleCount { found })?;
            bytes.push(INSTANT);
            bytes.extend_from_slice(&output_index.to_be_bytes());
            bytes.extend_from_slice(&amount_sats.to_be_bytes());
            bytes.extend_from_slice(&timestamp.to_be_bytes());
            bytes.push(count);
            bytes.extend_from_slice(merkle_proof.as_flattened());
            bytes.extend_from_slice(covenant_proof);
        }
    }
    Ok(())
}

fn decode_invoice(bytes: &[u8]) -> Result<String, ProofError> {
    check_invoice(bytes)?;
    let invoice = str::from_utf8(bytes).map_err(|_| ProofError::InvoiceText)?;
    Ok(invoice.to_owned())
}

fn check_invoice(invoice: &[u8]) -> Result<(), ProofError> {
    let found = invoice.len();
    if !(1..=MAX_INVOICE_LEN).contains(&found) {
        return Err(ProofError::InvoiceLength { found });
    }
    if !invoice.is_ascii() {
        return Err(ProofError::InvoiceText);
    }
    Ok(())
}

fn check_request_id(id: &[u8]) -> Result<(), ProofError> {
    let found = id.len();
    if !(1..=MAX_REQUEST_ID_LEN).contains(&found) {
        return Err(ProofError::RequestIdLength { found });
    }
    Ok(())
}

fn check_merkle_count(found: usize) -> Result<(), ProofError> {
    if found > MAX_MERKLE_NODES {
        return Err(ProofError::MerkleCount { found });
    }
    Ok(())
}

fn check_covenant(covenant: &[u8]) -> Result<(), ProofError> {
    let found = covenant.len();
    if !(1..=MAX_COVENANT_PROOF_LEN).contains(&found) {
        return Err(ProofError::CovenantLength { found });
    }
    Ok(())
}
