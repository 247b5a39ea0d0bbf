//! BIP-119, `OP_CHECKTEMPLATEVERIFY`: the hash by which an output says how alone it may be spent.

use bitcoin::{
    Transaction,
    consensus::Encodable,
    hashes::{Hash as _, HashEngine as _, sha256},
};
use std::fmt;

/// The hash that BIP-119 calls `DefaultCheckTemplateVerifyHash`, for the input at `input_index`.
///
/// The index is hashed and nothing else: it may lie beyond the transaction's inputs, and there is a hash for it.
/// Whoever needs more than one index of a transaction keeps a [`Template`].
///
/// # Source
/// BIP 119, "Detailed Specification".
pub fn template_hash(tx: &Transaction, input_index: u32) -> [u8; 32] {
    Template::of(tx).hash(input_index)
}

/// What the hashes of one transaction have in common, hashed once.
#[derive(Clone)]
pub struct Template {
    so_far: sha256::HashEngine,
}

impl Template {
    /// Hashes everything but the index.
    pub fn of(tx: &Transaction) -> Self {
        let mut so_far = sha256::HashEngine::default();
        so_far.input(&tx.version.0.to_le_bytes());
        so_far.input(&tx.lock_time.to_consensus_u32().to_le_bytes());
        let mut inputs = tx.input.iter();
        if inputs.any(|input| !input.script_sig.is_empty()) {
            so_far.input(&hash_of_each(&tx.input, |input| &input.script_sig));
        }
        so_far.input(&count(tx.input.len()));
        so_far.input(&hash_of_each(&tx.input, |input| &input.sequence));
        so_far.input(&count(tx.output.len()));
        so_far.input(&hash_of_each(&tx.output, |output| output));
        Self { so_far }
    }

    /// The hash for the input at `input_index`.
    pub fn hash(&self, input_index: u32) -> [u8; 32] {
        let mut engine = self.so_far.clone();
        engine.input(&input_index.to_le_bytes());
        sha256::Hash::from_engine(engine).to_byte_array()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

/// One SHA-256 over a part of each item, as consensus serializes it.
pub(crate) fn hash_of_each<T, P: Encodable>(items: &[T], part: impl Fn(&T) -> &P) -> [u8; 32] {
    let mut engine = sha256::HashEngine::default();
    for item in items {
        // A hash engine takes whatever it is given.
        let _ = part(item).consensus_encode(&mut engine);
    }
    sha256::Hash::from_engine(engine).to_byte_array()
}

/// A list's length, as the template has it; no transaction that consensus can serialize has more items.
fn count(items: usize) -> [u8; 4] {
    u32::try_from(items).unwrap_or(u32::MAX).to_le_bytes()
}
