use mesh_types::{Clock, MeshError, NodeId, PaymentProof};
use std::sync::Arc;

/// How many claims [`ReplayPrevention`] remembers.
///
/// 1,048,576, because they take at most 64 MiB.
pub const MAX_CLAIMS: usize = 1 << 20;

/// Claims of proofs and sequence windows, decided together.
pub struct ReplayPrevention {}

impl std::fmt::Debug for ReplayPrevention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplayPrevention").finish_non_exhaustive()
    }
}

impl ReplayPrevention {
    /// Starts with nothing remembered.
    pub fn new(_clock: Arc<dyn Clock>) -> Self {
        todo!()
    }

    /// Claims a verified proof and marks the packet that brought it, both or neither.
    ///
    /// # Errors
    /// [`MeshError::ReplayDetected`] and its kin; nothing has changed then.
    pub fn check_replay(
        &self,
        _proof: &PaymentProof,
        _source: &NodeId,
        _sequence: u64,
    ) -> Result<(), MeshError> {
        todo!()
    }

    /// Forgets what has expired and gives how many claims that were.
    pub fn cleanup_expired(&self) -> usize {
        todo!()
    }
}
