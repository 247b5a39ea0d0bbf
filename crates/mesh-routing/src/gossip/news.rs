use super::{limits::MAX_NEWS, neighbour::Neighbour};
use crate::MAX_DIRECT_PEERS;
use mesh_types::NodeId;
use std::collections::BTreeMap;

/// What peers are to be told of: each node once, with all whom it is to be told to.
#[derive(Debug, Default)]
pub(crate) struct News(BTreeMap<NodeId, Seats>);

/// A set of peers, by their seats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seats([u64; MAX_DIRECT_PEERS / 64]);

// A seat is eight bits.
const _: () = assert!(MAX_DIRECT_PEERS == 1 << u8::BITS);

impl Seats {
    pub(crate) fn has(&self, seat: u8) -> bool {
        let word = self.0.get(usize::from(seat / 64));
        word.is_some_and(|word| word >> (seat % 64) & 1 == 1)
    }

    pub(crate) fn put(&mut self, seat: u8, is_in: bool) {
        if let Some(word) = self.0.get_mut(usize::from(seat / 64)) {
            let bit = 1 << (seat % 64);
            *word = if is_in { *word | bit } else { *word & !bit };
        }
    }

    /// A seat that nobody has.
    pub(crate) fn free(&self) -> Option<u8> {
        (0..=u8::MAX).find(|seat| !self.has(*seat))
    }
}

impl News {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes what a peer is to be told of; what does not fit is found again by comparing.
    pub(crate) fn tell<'a>(&mut self, id: NodeId, peers: impl Iterator<Item = &'a mut Neighbour>) {
        let mut seats = self.0.get(&id).copied().unwrap_or_default();
        let before = seats;
        for peer in peers.filter(|peer| !before.has(peer.seat)) {
            if peer.news >= MAX_NEWS {
                peer.has_more = true;
            } else {
                peer.news += 1;
                seats.put(peer.seat, true);
            }
        }
        if seats != before {
            self.0.insert(id, seats);
        }
    }

    /// Notes that a peer knows it.
    pub(crate) fn is_known(&mut self, id: &NodeId, peer: &mut Neighbour) {
        let Some(seats) = self.0.get_mut(id).filter(|seats| seats.has(peer.seat)) else {
            return;
        };
        peer.news = peer.news.saturating_sub(1);
        seats.put(peer.seat, false);
        if *seats == Seats::default() {
            self.0.remove(id);
        }
    }

    /// Forgets a peer that is gone.
    pub(crate) fn forget(&mut self, seat: u8) {
        self.0.retain(|_, seats| {
            seats.put(seat, false);
            *seats != Seats::default()
        });
    }

    /// All there is, in the order of ids, to be told now.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (NodeId, Seats)> {
        std::mem::take(&mut self.0).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::conduct::Departed;
    use mesh_types::UnixTime;
    use proptest::{collection::vec, prelude::*};
    use std::collections::BTreeSet;

    fn id(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    fn peer(seat: u8) -> Neighbour {
        let now = UnixTime::default();
        let conduct = Departed::default().take(&id(seat), now);
        Neighbour::new(seat, 10, conduct, now)
    }

    proptest! {
        #[test]
        fn each_peer_is_told_what_a_set_of_its_own_would_hold(
            steps in vec((0_u8..4, 0_u8..4, 0_u8..8), 0..60),
        ) {
            // The first and the last of each word.
            let mut peers = [0, 63, 64, 255].map(peer);
            let (mut news, mut sets) = (News::default(), [const { BTreeSet::new() }; 4]);
            for (number, at, step) in steps {
                let at = usize::from(at);
                match step {
                    0 => {
                        news.forget(peers[at].seat);
                        peers[at].news = 0;
                        sets[at].clear();
                    }
                    1..3 => {
                        news.is_known(&id(number), &mut peers[at]);
                        sets[at].remove(&id(number));
                    }
                    3..5 => {
                        news.tell(id(number), peers.iter_mut());
                        sets.iter_mut().for_each(|set| _ = set.insert(id(number)));
                    }
                    _ => {
                        news.tell(id(number), std::iter::once(&mut peers[at]));
                        sets[at].insert(id(number));
                    }
                }
                prop_assert_eq!(news.is_empty(), sets.iter().all(BTreeSet::is_empty));
                prop_assert!(peers.iter().map(|peer| peer.news).eq(sets.iter().map(BTreeSet::len)));
            }
            let all: Vec<(NodeId, Seats)> = news.take().collect();
            for (peer, set) in peers.iter().zip(sets) {
                let told = all.iter().filter(|(_, seats)| seats.has(peer.seat));
                prop_assert!(told.map(|(id, _)| *id).eq(set));
            }
        }
    }
}
