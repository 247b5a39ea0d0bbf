use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};

/// Begins a hash that no other tag's can be.
///
/// # Source
/// BIP 340, "Tagged Hashes".
pub(crate) fn tagged(tag: &[u8]) -> sha256::HashEngine {
    let tag = sha256::Hash::hash(tag);
    let mut engine = sha256::HashEngine::default();
    engine.input(tag.as_byte_array());
    engine.input(tag.as_byte_array());
    engine
}
