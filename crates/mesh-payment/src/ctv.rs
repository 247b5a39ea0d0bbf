//! BIP-119, `OP_CHECKTEMPLATEVERIFY`: the hash by which an output says how alone it may be spent.

use bitcoin::{Transaction, TxIn, TxOut, consensus::Encodable as _};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Bytes of a taproot output, the longest that wallets usually make.
const USUAL_OUTPUT_LEN: usize = 43;

/// The hash that BIP-119 calls `DefaultCheckTemplateVerifyHash`, for the input at `input_index`.
///
/// The index is hashed and nothing else: it may lie beyond the transaction's inputs, and there is a hash for it.
/// Whoever needs more than one index of a transaction keeps a [`Template`].
///
/// # Source
/// BIP 119, "Detailed Specification".
pub fn template_hash(tx: &Transaction, input_index: u32) -> [u8; 32] {
    finish(begin(tx), input_index)
}

/// What the hashes of one transaction have in common, hashed once.
#[derive(Clone)]
pub struct Template {
    so_far: Sha256,
}

impl Template {
    /// Hashes everything but the index.
    pub fn of(tx: &Transaction) -> Self {
        Self { so_far: begin(tx) }
    }

    /// The hash for the input at `input_index`.
    pub fn hash(&self, input_index: u32) -> [u8; 32] {
        finish(self.so_far.clone(), input_index)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

fn begin(tx: &Transaction) -> Sha256 {
    let mut so_far = Sha256::new();
    let space = &mut space_for(tx);
    so_far.update(tx.version.0.to_le_bytes());
    so_far.update(tx.lock_time.to_consensus_u32().to_le_bytes());
    let mut inputs = tx.input.iter();
    if inputs.any(|input| !input.script_sig.is_empty()) {
        so_far.update(hash_of_each(&tx.input, space, put_script_sig));
    }
    so_far.update(count(tx.input.len()));
    so_far.update(hash_of_each(&tx.input, space, put_sequence));
    so_far.update(count(tx.output.len()));
    so_far.update(hash_of_each(&tx.output, space, put_output));
    so_far
}

fn finish(mut so_far: Sha256, input_index: u32) -> [u8; 32] {
    so_far.update(input_index.to_le_bytes());
    so_far.finalize().into()
}

/// Space in which any list of `tx` can be laid out, usually without growing.
pub(crate) fn space_for(tx: &Transaction) -> Vec<u8> {
    Vec::with_capacity(tx.output.len().saturating_mul(USUAL_OUTPUT_LEN))
}

/// One SHA-256 over all items, each as consensus serializes it.
///
/// They are laid out in `space` and hashed in one piece: many small pieces take a hash half as long again.
pub(crate) fn hash_of_each<T>(
    items: &[T],
    space: &mut Vec<u8>,
    put: impl Fn(&T, &mut Vec<u8>),
) -> [u8; 32] {
    space.clear();
    for item in items {
        put(item, space);
    }
    Sha256::digest(&*space).into()
}

fn put_script_sig(input: &TxIn, space: &mut Vec<u8>) {
    // A vector takes whatever it is given.
    let _ = input.script_sig.consensus_encode(space);
}

pub(crate) fn put_sequence(input: &TxIn, space: &mut Vec<u8>) {
    space.extend_from_slice(&input.sequence.to_consensus_u32().to_le_bytes());
}

pub(crate) fn put_output(output: &TxOut, space: &mut Vec<u8>) {
    let script = output.script_pubkey.as_bytes();
    match u8::try_from(script.len()) {
        // Where the length is one byte, as it nearly always is, value and length are one piece.
        Ok(len @ ..0xfd) => {
            let [a, b, c, d, e, f, g, h] = output.value.to_sat().to_le_bytes();
            space.extend_from_slice(&[a, b, c, d, e, f, g, h, len]);
            // Lengths that are known when this is compiled are copied without a call: P2WPKH, P2WSH and P2TR.
            if let Ok(script) = <&[u8; 22]>::try_from(script) {
                space.extend_from_slice(script);
            } else if let Ok(script) = <&[u8; 34]>::try_from(script) {
                space.extend_from_slice(script);
            } else {
                space.extend_from_slice(script);
            }
        }
        _ => {
            let _ = output.consensus_encode(space);
        }
    }
}

/// A list's length, as the template has it; no transaction that consensus can serialize has more items.
fn count(items: usize) -> [u8; 4] {
    u32::try_from(items).unwrap_or(u32::MAX).to_le_bytes()
}
