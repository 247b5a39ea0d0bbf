use mesh_types::{Msat, NodeId};
use parking_lot::Mutex;
use std::collections::HashMap;

/// The most nodes of which credit is known; each takes some hundred bytes. Of others it is asked anew.
const MAX_KNOWN: usize = 16_384;

/// What this node is known to have on deposit with others: what they have said last, less what was spent since.
///
/// It decides when to ask, and never what is paid: the node itself is asked before.
#[derive(Debug, Default)]
pub(crate) struct KnownCredits(Mutex<HashMap<NodeId, Known>>);

/// What is known of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It carries for nothing.
    Free,
    /// It has so much for this node.
    Credit(Msat),
}

impl KnownCredits {
    /// Takes down what a node has said.
    pub(crate) fn told(&self, node: NodeId, known: Known) {
        let mut all = self.0.lock();
        if all.len() < MAX_KNOWN || all.contains_key(&node) {
            all.insert(node, known);
        }
    }

    /// Takes down that a packet has cost `share` there, and answers with what is left; `None` when nothing is known.
    pub(crate) fn spend(&self, node: &NodeId, share: Msat) -> Option<Known> {
        let mut all = self.0.lock();
        let known = all.get_mut(node)?;
        if let Known::Credit(credit) = known {
            *credit = credit.saturating_sub(share);
        }
        Some(*known)
    }
}
