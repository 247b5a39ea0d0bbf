use super::{
    GraphChange,
    allowance::Allowance,
    limits::{ITEMS_OF_ORIGIN, LIFETIME, LINKS_PER_PLACE},
};
use mesh_types::{Announcement, Held, NodeId, Price, SignedAnnouncement, UnixTime};
use std::{
    collections::BTreeMap,
    collections::btree_map::{Entry, Range},
    sync::Arc,
};

/// The newest verified announcement of each node, in the order of their ids.
#[derive(Debug)]
pub(crate) struct Shelf {
    local: NodeId,
    kept: BTreeMap<NodeId, Kept>,
    places: usize,
    arrivals: u64,
}

/// One node's newest announcement.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) item: Arc<SignedAnnouncement>,
    /// Which of the nodes it was to become known, counted from the start.
    pub(crate) arrival: u64,
    /// What is left of how many may be taken of this origin.
    pub(crate) allowance: Allowance,
}

impl Kept {
    pub(crate) fn said(&self) -> &Announcement {
        &self.item.announcement
    }

    pub(crate) fn is_alive_at(&self, now: UnixTime) -> bool {
        ends_at(self.said()).is_alive_at(now)
    }
}

/// When an announcement ends to count.
pub(crate) fn ends_at(said: &Announcement) -> UnixTime {
    UnixTime::from_secs(said.made_at).plus(LIFETIME)
}

/// How many places an announcement takes.
pub(crate) fn places_of(said: &Announcement) -> usize {
    1 + said.links.len() / LINKS_PER_PLACE
}

impl Shelf {
    pub(crate) fn new(local: NodeId) -> Self {
        Self {
            local,
            kept: BTreeMap::new(),
            places: 0,
            arrivals: 0,
        }
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<&Kept> {
        self.kept.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Kept> {
        self.kept.get_mut(id)
    }

    pub(crate) fn sequence_of(&self, id: &NodeId) -> Option<u64> {
        Some(self.get(id)?.said().sequence)
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(crate) fn places(&self) -> usize {
        self.places
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Kept)> {
        self.kept.iter()
    }

    /// What is held from `first` to `last`, both included.
    pub(crate) fn held_in(&self, first: &NodeId, last: &NodeId) -> HeldIn<'_> {
        // A range that ends before it begins is empty, where BTreeMap would panic.
        let last = last.max(first);
        HeldIn(self.kept.range(*first..=*last))
    }

    /// Whether both ends announce the link, and the larger of the latencies that they say.
    pub(crate) fn link(&self, a: &NodeId, b: &NodeId) -> Option<u32> {
        let one = self.get(a)?.said().link_with(b)?.latency_ms;
        let other = self.get(b)?.said().link_with(a)?.latency_ms;
        Some(one.max(other))
    }

    /// The nodes whose links with `id` both ends announce.
    pub(crate) fn neighbours<'a>(&'a self, id: &'a NodeId) -> impl Iterator<Item = &'a NodeId> {
        let links = self.get(id).map(|kept| kept.said().links.as_slice());
        let ends = links.unwrap_or_default().iter().map(|link| &link.node_id);
        ends.filter(move |end| self.link(end, id).is_some())
    }

    /// Puts an announcement in the place of the one before, and tells what that changes.
    pub(crate) fn put(
        &mut self,
        item: Arc<SignedAnnouncement>,
        changes: &mut Vec<GraphChange>,
        now: UnixTime,
    ) {
        let id = item.announcement.node_id;
        let new = Arc::clone(&item);
        self.places += places_of(&item.announcement);
        let before = match self.kept.entry(id) {
            Entry::Vacant(place) => {
                self.arrivals += 1;
                place.insert(Kept {
                    item,
                    arrival: self.arrivals,
                    allowance: Allowance::full(ITEMS_OF_ORIGIN, now),
                });
                None
            }
            Entry::Occupied(mut place) => Some(std::mem::replace(&mut place.get_mut().item, item)),
        };
        let before = before.as_ref().map(|item| &item.announcement);
        self.places -= before.map_or(0, places_of);
        let price = before.map_or(Price::FREE, |before| before.price);
        if id == self.local {
            return;
        }
        if new.announcement.price != price {
            changes.push(GraphChange::Price {
                node: id,
                price: new.announcement.price,
            });
        }
        let room = before.map_or(0, |before| before.limits.max_payload_bytes);
        let max_payload_bytes = new.announcement.limits.max_payload_bytes;
        if max_payload_bytes != room {
            changes.push(GraphChange::Room {
                node: id,
                max_payload_bytes,
            });
        }
        self.tell_links(before, &new.announcement, changes);
    }

    /// Takes an announcement away, and tells what that changes.
    pub(crate) fn remove(&mut self, id: &NodeId, changes: &mut Vec<GraphChange>) -> bool {
        let Some(kept) = self.kept.remove(id) else {
            return false;
        };
        let said = kept.said();
        self.places -= places_of(said);
        for link in &said.links {
            if self.gives_its_word(&link.node_id, id) {
                changes.push(unlink(*id, link.node_id));
            }
        }
        if said.price != Price::FREE && *id != self.local {
            changes.push(GraphChange::Price {
                node: *id,
                price: Price::FREE,
            });
        }
        if said.limits.max_payload_bytes != 0 && *id != self.local {
            changes.push(GraphChange::Room {
                node: *id,
                max_payload_bytes: 0,
            });
        }
        true
    }

    /// Tells which links came and went with a newer announcement.
    fn tell_links(
        &self,
        before: Option<&Announcement>,
        new: &Announcement,
        changes: &mut Vec<GraphChange>,
    ) {
        let id = new.node_id;
        for link in before.map_or(&[][..], |before| &before.links) {
            let is_gone = new.link_with(&link.node_id).is_none();
            if is_gone && self.gives_its_word(&link.node_id, &id) {
                changes.push(unlink(id, link.node_id));
            }
        }
        for link in &new.links {
            let other = link.node_id;
            let Some(theirs) = self.word_of(&other, &id) else {
                continue;
            };
            let latency_ms = link.latency_ms.max(theirs);
            let was = before.and_then(|before| before.link_with(&other));
            if was.map(|was| was.latency_ms.max(theirs)) != Some(latency_ms) {
                let (a, b) = (id.min(other), id.max(other));
                changes.push(GraphChange::Link { a, b, latency_ms });
            }
        }
    }

    fn gives_its_word(&self, node: &NodeId, other: &NodeId) -> bool {
        self.word_of(node, other).is_some()
    }

    /// What `node` says of its link with `other`. The local node's links are its connections, whatever it announces.
    fn word_of(&self, node: &NodeId, other: &NodeId) -> Option<u32> {
        if *node == self.local || *other == self.local {
            return None;
        }
        Some(self.get(node)?.said().link_with(other)?.latency_ms)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let of = |kept: &Kept| {
            let said = kept.said();
            let addresses = said.addresses.iter().map(String::capacity);
            said.links.capacity() * size_of::<mesh_types::AnnouncedLink>()
                + said.addresses.capacity() * size_of::<String>()
                + addresses.sum::<usize>()
                + size_of::<SignedAnnouncement>()
                + 2 * size_of::<usize>()
        };
        // The nodes of a B-tree are two thirds full.
        self.kept.len() * (size_of::<NodeId>() + size_of::<Kept>()) * 3 / 2
            + self.kept.values().map(of).sum::<usize>()
    }
}

fn unlink(a: NodeId, b: NodeId) -> GraphChange {
    GraphChange::Unlink {
        a: a.min(b),
        b: a.max(b),
    }
}

/// What is held in a range, in ascending order.
#[derive(Debug, Clone)]
pub(crate) struct HeldIn<'a>(Range<'a, NodeId, Kept>);

impl Iterator for HeldIn<'_> {
    type Item = Held;

    fn next(&mut self) -> Option<Held> {
        let (node_id, kept) = self.0.next()?;
        Some(Held {
            node_id: *node_id,
            sequence: kept.said().sequence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_types::{AnnouncedLink, CarryLimits, Msat};
    use proptest::{collection::vec, prelude::*};

    const LOCAL: u8 = 0;

    fn id(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    fn item(node: u8, links: &[(u8, u32)], price: u64) -> Arc<SignedAnnouncement> {
        let mut links: Vec<_> = links
            .iter()
            .filter(|(other, _)| *other != node)
            .map(|(other, latency_ms)| AnnouncedLink {
                node_id: id(*other),
                latency_ms: *latency_ms,
            })
            .collect();
        links.sort_by_key(|link| link.node_id);
        links.dedup_by_key(|link| link.node_id);
        Arc::new(SignedAnnouncement {
            announcement: Announcement {
                node_id: id(node),
                sequence: 1,
                made_at: 1,
                price: Price {
                    per_packet: Msat::from_msat(price),
                    per_kib: Msat::ZERO,
                },
                limits: CarryLimits::default(),
                addresses: Vec::new(),
                links,
            },
            signature: [0; 64],
        })
    }

    /// What the graph has to be, worked out anew.
    fn oracle(shelf: &Shelf) -> (BTreeMap<(NodeId, NodeId), u32>, BTreeMap<NodeId, Price>) {
        let (mut links, mut prices) = (BTreeMap::new(), BTreeMap::new());
        for (a, kept) in shelf.iter().filter(|(a, _)| **a != id(LOCAL)) {
            if kept.said().price != Price::FREE {
                prices.insert(*a, kept.said().price);
            }
            for (b, _) in shelf.iter().filter(|(b, _)| **b != id(LOCAL) && a < b) {
                if let Some(latency_ms) = shelf.link(a, b) {
                    links.insert((*a, *b), latency_ms);
                }
            }
        }
        (links, prices)
    }

    proptest! {
        #[test]
        fn the_changes_make_the_graph_that_the_announcements_describe(
            steps in vec((0_u8..7, vec((0_u8..7, 1_u32..4), 0..7), 0_u64..3, any::<bool>()), 1..80),
        ) {
            let mut shelf = Shelf::new(id(LOCAL));
            let (mut links, mut prices) = (BTreeMap::new(), BTreeMap::new());
            for (node, linked, price, is_removed) in steps {
                let mut changes = Vec::new();
                if is_removed {
                    shelf.remove(&id(node), &mut changes);
                } else {
                    let now = UnixTime::from_secs(1);
                    shelf.put(item(node, &linked, price), &mut changes, now);
                }
                for change in changes {
                    match change {
                        GraphChange::Link { a, b, latency_ms } => {
                            prop_assert_ne!(links.insert((a, b), latency_ms), Some(latency_ms));
                        }
                        GraphChange::Unlink { a, b } => {
                            prop_assert!(links.remove(&(a, b)).is_some());
                        }
                        GraphChange::Price { node, price: Price::FREE } => {
                            prop_assert!(prices.remove(&node).is_some());
                        }
                        GraphChange::Price { node, price } => {
                            prices.insert(node, price);
                        }
                        GraphChange::Room { .. } => prop_assert!(false, "nobody has said"),
                    }
                }
                prop_assert_eq!((links.clone(), prices.clone()), oracle(&shelf));
                let places: usize = shelf.iter().map(|(_, kept)| places_of(kept.said())).sum();
                prop_assert_eq!(shelf.places(), places);
            }
        }
    }
}
