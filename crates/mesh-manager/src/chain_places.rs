use mesh_types::NodeId;
use parking_lot::Mutex;
use std::collections::HashMap;

/// The most packets that wait for the chain at one time.
///
/// 64, because a node that is slow to answer must not be asked more, and payments on the chain are few.
const MAX_WAITING: usize = 64;

/// The most of them that one neighbour has handed on: a quarter, because who mints sources stands behind some neighbour, and
/// payers behind the others shall be heard.
const MAX_OF_ONE: usize = MAX_WAITING / 4;

/// Where packets wait for the chain, by the neighbour that handed them on.
#[derive(Debug, Default)]
pub(crate) struct ChainPlaces(Mutex<HashMap<NodeId, usize>>);

/// One place; free again when dropped.
#[derive(Debug)]
pub(crate) struct ChainPlace<'a> {
    places: &'a ChainPlaces,
    neighbour: NodeId,
}

impl ChainPlaces {
    /// `None` when there is no place for what this neighbour hands on.
    pub(crate) fn take(&self, neighbour: NodeId) -> Option<ChainPlace<'_>> {
        let mut taken = self.0.lock();
        let all: usize = taken.values().sum();
        let own = taken.get(&neighbour).copied().unwrap_or_default();
        if all >= MAX_WAITING || own >= MAX_OF_ONE {
            return None;
        }
        taken.insert(neighbour, own + 1);
        let places = self;
        Some(ChainPlace { places, neighbour })
    }
}

impl Drop for ChainPlace<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock();
        if let Some(own) = taken.get_mut(&self.neighbour) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.neighbour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_mints_sources_behind_one_neighbour_leaves_places_for_the_others() {
        let places = ChainPlaces::default();
        let node = |number| NodeId::from_bytes([number; 32]);
        let mut held: Vec<_> = (0..MAX_WAITING)
            .map_while(|_| places.take(node(1)))
            .collect();
        assert_eq!(held.len(), MAX_OF_ONE);
        for other in 2..=4 {
            held.extend((0..MAX_OF_ONE).map(|_| places.take(node(other)).expect("a place")));
        }
        assert!(places.take(node(5)).is_none(), "all are taken");
        held.pop();
        assert!(places.take(node(5)).is_some());
        held.clear();
        assert!(
            places.0.lock().is_empty(),
            "nothing is kept of who has left"
        );
    }
}
