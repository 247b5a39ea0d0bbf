//! BIP-446, `OP_TEMPLATEHASH`: the hash of the transaction that a tapscript may hold its spender to.

use crate::{
    ctv::{hash_of_each, put_output, put_sequence, space_for},
    tagged::tagged,
};
use bitcoin::{
    Transaction,
    consensus::Encodable as _,
    hashes::{Hash as _, HashEngine as _, sha256},
};

/// The hash that `OP_TEMPLATEHASH` pushes when the input at `input_index` is spent.
///
/// - `annex`: the annex of that input's witness, with its first byte, where it has one.
///
/// # Source
/// BIP 446, "Specification".
pub fn template_hash(tx: &Transaction, input_index: u32, annex: Option<&[u8]>) -> [u8; 32] {
    let mut engine = tagged(b"TemplateHash");
    engine.input(&tx.version.0.to_le_bytes());
    engine.input(&tx.lock_time.to_consensus_u32().to_le_bytes());
    let space = &mut space_for(tx);
    engine.input(&hash_of_each(&tx.input, space, put_sequence));
    engine.input(&hash_of_each(&tx.output, space, put_output));
    engine.input(&[u8::from(annex.is_some())]);
    engine.input(&input_index.to_le_bytes());
    if let Some(annex) = annex {
        engine.input(&hash_of_each(&[annex.to_vec()], space, |annex, space| {
            let _ = annex.consensus_encode(space);
        }));
    }
    sha256::Hash::from_engine(engine).to_byte_array()
}
