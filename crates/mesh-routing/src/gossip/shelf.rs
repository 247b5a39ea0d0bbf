use super::{
    GraphChange,
    allowance::OriginAllowance,
    kept::Kept,
    limits::{LIFETIME, LINKS_PER_PLACE},
    start_hash::StartHash,
};
use mesh_types::{Announcement, NodeId, Price, SignedAnnouncement, UnixTime};
use std::{collections::HashSet, sync::Arc};

/// The newest verified announcement of each node.
///
/// Most of what a node hears is about nodes that it knows, and most of the time for that goes into finding them: so they are
/// hashed, and put in order when somebody asks for that.
#[derive(Debug)]
pub(crate) struct Shelf {
    local: NodeId,
    kept: HashSet<Kept, StartHash>,
    /// Whether anybody wants to know what changes of the graph.
    tells_changes: bool,
    places: usize,
    arrivals: u64,
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
    pub(crate) fn new(local: NodeId, key: u64) -> Self {
        Self {
            local,
            kept: HashSet::with_hasher(StartHash::new(key)),
            tells_changes: true,
            places: 0,
            arrivals: 0,
        }
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<&Kept> {
        self.kept.get(id)
    }

    /// Counts an announcement of a node against what may be taken of it.
    pub(crate) fn count(&mut self, id: &NodeId, now: UnixTime) {
        if let Some(mut kept) = self.get(id).cloned() {
            kept.allowance.take_one(now);
            self.kept.replace(kept);
        }
    }

    pub(crate) fn tell_no_changes(&mut self) {
        self.tells_changes = false;
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

    /// All, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter()
    }

    /// All, in the order of their ids.
    pub(crate) fn in_order(&self) -> Vec<&Kept> {
        // Most ids are told apart by how they begin, and to look at that in an announcement takes longer than to compare it.
        let mut kept = Vec::with_capacity(self.kept.len());
        kept.extend(self.iter().map(|kept| (kept.id().start(), kept)));
        kept.sort_unstable_by(|(start, kept), (other_start, other)| {
            let starts = start.cmp(other_start);
            starts.then_with(|| kept.id().cmp(other.id()))
        });
        kept.into_iter().map(|(_, kept)| kept).collect()
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
        let kept = match self.get(&id) {
            Some(kept) => Kept {
                item,
                arrival: kept.arrival,
                allowance: kept.allowance,
            },
            None => {
                self.arrivals += 1;
                Kept {
                    item,
                    arrival: self.arrivals,
                    allowance: OriginAllowance::full(now),
                }
            }
        };
        let before = self.kept.replace(kept).map(|kept| kept.item);
        let before = before.as_ref().map(|item| &item.announcement);
        self.places -= before.map_or(0, places_of);
        if id == self.local || !self.tells_changes {
            return;
        }
        let price = before.map_or(Price::FREE, |before| before.price);
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
        let Some(kept) = self.kept.take(id) else {
            return false;
        };
        let said = kept.said();
        self.places -= places_of(said);
        if !self.tells_changes {
            return true;
        }
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
            let was = before.and_then(|before| before.link_with(&other));
            if was == Some(*link) {
                // Most announcements say the same again, and looking up the other end costs more than all else here.
                continue;
            }
            let Some(theirs) = self.word_of(&other, &id) else {
                continue;
            };
            let latency_ms = link.latency_ms.max(theirs);
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
        // A table is seven eighths full at most, and has one byte more for each place.
        self.kept.capacity() * 8 / 7 * (size_of::<Kept>() + 1) + self.iter().map(of).sum::<usize>()
    }
}

fn unlink(a: NodeId, b: NodeId) -> GraphChange {
    GraphChange::Unlink {
        a: a.min(b),
        b: a.max(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_types::{AnnouncedLink, CarryLimits, Msat};
    use proptest::{collection::vec, prelude::*};
    use std::collections::BTreeMap;

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
        let others = || shelf.iter().filter(|kept| *kept.id() != id(LOCAL));
        for kept in others() {
            let (a, price) = (kept.id(), kept.said().price);
            if price != Price::FREE {
                prices.insert(*a, price);
            }
            for b in others().map(Kept::id).filter(|b| a < *b) {
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
            let mut shelf = Shelf::new(id(LOCAL), 1);
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
                let places: usize = shelf.iter().map(|kept| places_of(kept.said())).sum();
                prop_assert_eq!(shelf.places(), places);
            }
        }
    }
}
