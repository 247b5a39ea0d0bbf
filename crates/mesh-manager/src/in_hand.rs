use mesh_types::NodeId;
use parking_lot::{Mutex, MutexGuard};

/// The messages whose delivery here is decided and not carried out: the inbox may still be full.
///
/// Until then nobody may say of a copy that its message has arrived. A vector, because there are as many as threads that
/// deliver.
#[derive(Debug, Default)]
pub(crate) struct InHand(Mutex<Vec<(NodeId, u64)>>);

/// The messages in hand, while none is added and none taken out.
pub(crate) struct Held<'h>(MutexGuard<'h, Vec<(NodeId, u64)>>);

impl InHand {
    pub(crate) fn hold(&self) -> Held<'_> {
        Held(self.0.lock())
    }
}

impl Held<'_> {
    pub(crate) fn has(&self, source: &NodeId, message: u64) -> bool {
        self.0.contains(&(*source, message))
    }

    pub(crate) fn add(&mut self, source: NodeId, message: u64) {
        self.0.push((source, message));
    }

    pub(crate) fn remove(&mut self, source: &NodeId, message: u64) {
        self.0.retain(|held| *held != (*source, message));
    }
}
