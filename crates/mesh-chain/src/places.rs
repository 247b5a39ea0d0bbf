use bitcoin::BlockHash;
use mesh_types::TxHash;
use std::collections::{BTreeMap, btree_map::Entry};

/// The most transactions whose blocks are remembered: as many payments as a mesh watches, in about eight megabytes.
pub const MAX_PLACES: usize = 65_536;

/// In which blocks transactions were seen, for a node that has no index of them.
#[derive(Debug, Default)]
pub(crate) struct Places(BTreeMap<TxHash, Place>);

/// A block, and where in the chain it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) height: u32,
    pub(crate) block: BlockHash,
}

impl Places {
    pub(crate) fn of(&self, tx_hash: &TxHash) -> Option<Place> {
        self.0.get(tx_hash).copied()
    }

    /// Notes where a transaction is now. When there are too many, any other is forgotten: it is found again by its outputs.
    pub(crate) fn note(&mut self, tx_hash: TxHash, place: Place) {
        let is_full = self.0.len() >= MAX_PLACES;
        match self.0.entry(tx_hash) {
            Entry::Occupied(mut entry) => drop(entry.insert(place)),
            Entry::Vacant(entry) => {
                entry.insert(place);
                if is_full {
                    self.forget_another(&tx_hash);
                }
            }
        }
    }

    fn forget_another(&mut self, than: &TxHash) {
        let another = self.0.keys().find(|key| *key != than).copied();
        if let Some(another) = another {
            self.0.remove(&another);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash as _;

    fn hash(number: usize) -> TxHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        TxHash::from_bytes(bytes)
    }

    fn place(height: u32) -> Place {
        let block = BlockHash::all_zeros();
        Place { height, block }
    }

    #[test]
    fn no_more_than_the_most_are_remembered_and_the_newest_is() {
        let mut places = Places::default();
        for number in (0..MAX_PLACES + 10).rev() {
            places.note(hash(number), place(0));
            assert!(places.of(&hash(number)).is_some());
        }
        assert_eq!(places.0.len(), MAX_PLACES);
        places.note(hash(0), place(1));
        assert_eq!(places.of(&hash(0)), Some(place(1)));
        assert_eq!(places.0.len(), MAX_PLACES);
    }
}
