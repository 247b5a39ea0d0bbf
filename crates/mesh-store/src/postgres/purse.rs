use mesh_types::NodeId;
use std::collections::HashMap;

/// What this process has drawn: as it was committed, and as the transaction under way will leave it.
#[derive(Debug, Default)]
pub(super) struct Purse {
    held: HashMap<NodeId, u64>,
    changed: HashMap<NodeId, u64>,
}

impl Purse {
    /// How much of `payer`'s credit is drawn.
    pub(super) fn of(&self, payer: &NodeId) -> u64 {
        let held = || self.held.get(payer);
        self.changed
            .get(payer)
            .or_else(held)
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn set(&mut self, payer: NodeId, amount: u64) {
        self.changed.insert(payer, amount);
    }

    /// The transaction under way gives everything back.
    pub(super) fn give_all_back(&mut self) {
        let nothing = self.held.keys().map(|payer| (*payer, 0));
        self.changed.extend(nothing);
    }

    /// What the transaction under way changes, in the order of payers.
    pub(super) fn changes(&self) -> Vec<(NodeId, u64)> {
        let mut changes: Vec<_> = self
            .changed
            .iter()
            .map(|(who, held)| (*who, *held))
            .collect();
        changes.sort_unstable();
        changes
    }

    /// The transaction was committed.
    pub(super) fn keep(&mut self) {
        for (payer, amount) in self.changed.drain() {
            if amount == 0 {
                self.held.remove(&payer);
            } else {
                self.held.insert(payer, amount);
            }
        }
    }

    /// The transaction was undone.
    pub(super) fn undo(&mut self) {
        self.changed.clear();
    }

    /// Everything was given back.
    pub(super) fn empty(&mut self) {
        *self = Self::default();
    }
}
