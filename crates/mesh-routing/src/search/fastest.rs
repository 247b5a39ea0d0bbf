use super::{Found, MAX_RELAYS, Search};
use crate::graph::LOCAL;
use crate::link::Link;
use mesh_types::NodeId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// A way from a node back to the destination that no other way from there outdoes.
#[derive(Debug, Clone, Copy)]
struct Label {
    latency_ms: u32,
    hops: u32,
    /// How many relays a route over this way may have, the price being what it is.
    most_relays: u32,
    /// The next label of the same node, plus one; 0 for none.
    next: u32,
}

/// The labels of all nodes.
#[derive(Debug)]
struct Labels {
    all: Vec<Label>,
    /// For each index its first label, plus one; 0 for none.
    first: Vec<u32>,
}

/// A label that waits for its turn, packed so that the order of numbers is that of preference.
///
/// From the top: the latency of any route that this becomes, its hops, the relays that it may not have, the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting(u64);

impl Waiting {
    fn new(at_least_ms: u32, hops: u32, most_relays: u32, node: u32) -> Self {
        let spent = (MAX_RELAYS as u32).saturating_sub(most_relays);
        let low = (u64::from(hops) << 28) | (u64::from(spent) << 24) | u64::from(node);
        Self((u64::from(at_least_ms) << 32) | low)
    }

    const fn at_least_ms(self) -> u32 {
        (self.0 >> 32) as u32
    }

    const fn hops(self) -> u32 {
        ((self.0 >> 28) & 15) as u32
    }

    const fn most_relays(self) -> u32 {
        MAX_RELAYS as u32 - ((self.0 >> 24) & 15) as u32
    }

    const fn node(self) -> u32 {
        (self.0 & 0xff_ffff) as u32
    }
}

/// What is under way in one search.
#[derive(Debug)]
struct Ways<'a> {
    search: &'a Search<'a>,
    /// What the relays may get together.
    for_relays: u64,
    labels: Labels,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// The latency of the fastest route so far.
    best_ms: u32,
    /// For each index how many relays a route over that node may have; [`UNASKED`] until it is worked out.
    most_relays: Vec<u8>,
}

/// Stands for a number of relays that was not worked out yet.
const UNASKED: u8 = u8::MAX;

impl Search<'_> {
    /// The fastest route of those where the relays' number times the dearest's price is at most `for_relays`; of equally
    /// fast ones that with the fewest hops, then the first in the order of ids. `None` for `for_relays` allows no relay.
    ///
    /// It goes back from the destination and takes up the ways in the order of the latency that a whole route over them has
    /// at least, then of hops. A way is left out when another one from the same node, taken up before and so no slower, has
    /// no more hops and leaves as many relays. A node thus keeps at most one way for each pair of hops and relays, 105 in
    /// all, and hardly ever more than three. The first way to arrive is the best.
    ///
    /// All ways that are as fast and as short as the best can be read off the labels: the rest of such a way, from any of its
    /// nodes, can only be outdone by one of the same latency and hops, or the best would not be the best. None visits a node
    /// twice, as it would be shorter without the loop.
    pub(super) fn fastest(
        &self,
        price: u64,
        for_relays: Option<u64>,
        is_direct_in: bool,
    ) -> Option<Found> {
        let mut ways = Ways {
            search: self,
            for_relays: for_relays.unwrap_or(0),
            labels: Labels::new(self.graph.index_count()),
            waiting: BinaryHeap::new(),
            best_ms: u32::MAX,
            most_relays: vec![UNASKED; self.graph.index_count()],
        };
        let start = Label {
            latency_ms: 0,
            hops: 0,
            most_relays: MAX_RELAYS as u32,
            next: 0,
        };
        if is_direct_in {
            ways.arrive(self.destination, start);
        }
        if for_relays.is_some() {
            ways.extend(self.destination, start);
        }
        let (latency_ms, hops) = ways.run()?;
        let nodes = ways.first_in_order(latency_ms, hops)?;
        Some(Found {
            price,
            latency_ms,
            hops,
            nodes,
        })
    }
}

impl Ways<'_> {
    /// The latency and the hops of the best route.
    fn run(&mut self) -> Option<(u32, u32)> {
        while let Some(Reverse(next)) = self.waiting.pop() {
            let (node, hops, most_relays) = (next.node(), next.hops(), next.most_relays());
            if node == LOCAL {
                return Some((next.at_least_ms(), hops));
            }
            if self.labels.outdo(node, hops, most_relays) {
                continue;
            }
            let label = Label {
                latency_ms: next
                    .at_least_ms()
                    .saturating_sub(self.search.graph.near(node)),
                hops,
                most_relays,
                next: 0,
            };
            self.labels.add(node, label);
            self.arrive(node, label);
            self.extend(node, label);
        }
        None
    }

    /// Completes a way, where its node is a connected peer.
    fn arrive(&mut self, node: u32, label: Label) {
        if let Some(link) = self.search.peer_link(node) {
            let latency_ms = label.latency_ms.saturating_add(link.latency_ms());
            self.best_ms = self.best_ms.min(latency_ms);
            let whole = Waiting::new(latency_ms, label.hops.saturating_add(1), 0, LOCAL);
            self.waiting.push(Reverse(whole));
        }
    }

    /// Goes one hop further out, over links to nodes that relay for what there is.
    fn extend(&mut self, node: u32, label: Label) {
        let hops = label.hops.saturating_add(1);
        for link in self.search.links(node) {
            let to = link.to();
            let most_relays = self.most_relays(to).min(label.most_relays);
            let before = self.search.graph.near_hops(to).saturating_sub(1);
            if hops.saturating_add(before) > most_relays {
                continue;
            }
            let latency_ms = label.latency_ms.saturating_add(link.latency_ms());
            let at_least_ms = latency_ms.saturating_add(self.search.graph.near(to));
            if at_least_ms <= self.best_ms && !self.labels.outdo(to, hops, most_relays) {
                let waiting = Waiting::new(at_least_ms, hops, most_relays, to);
                self.waiting.push(Reverse(waiting));
            }
        }
    }

    /// How many relays a route over this node may have: none when it does not relay.
    fn most_relays(&mut self, node: u32) -> u32 {
        let Some(known) = self.most_relays.get_mut(node as usize) else {
            return 0;
        };
        if *known == UNASKED {
            let most = MAX_RELAYS as u64;
            let price = self.search.relay_price(node);
            let relays = price.map_or(0, |price| {
                self.for_relays.checked_div(price).unwrap_or(most)
            });
            *known = relays.min(most) as u8;
        }
        u32::from(*known)
    }

    fn first_in_order(&self, latency_ms: u32, hops: u32) -> Option<Arc<[NodeId]>> {
        let graph = self.search.graph;
        let relays = hops.checked_sub(1)?;
        let mut nodes = vec![graph.node(LOCAL)?.id];
        let (mut rest_ms, mut at) = (latency_ms, LOCAL);
        for hops in (1..=relays).rev() {
            let stands = |node: u32, link: &Link| {
                let rest_ms = rest_ms.checked_sub(link.latency_ms())?;
                let is_on_one = self.labels.of(node).any(|label| {
                    (label.latency_ms, label.hops) == (rest_ms, hops) && label.most_relays >= relays
                });
                is_on_one.then_some((graph.node(node)?.id, node, rest_ms))
            };
            let (id, node, rest) = if at == LOCAL {
                let peers = graph.peer_indices();
                peers
                    .filter_map(|peer| stands(peer, self.search.peer_link(peer)?))
                    .min()?
            } else {
                let links = self.search.links(at);
                links.filter_map(|link| stands(link.to(), link)).min()?
            };
            nodes.push(id);
            (at, rest_ms) = (node, rest);
        }
        nodes.push(graph.node(self.search.destination)?.id);
        Some(nodes.into())
    }
}

impl Labels {
    fn new(indices: usize) -> Self {
        Self {
            all: Vec::new(),
            first: vec![0; indices],
        }
    }

    fn add(&mut self, node: u32, label: Label) {
        if let Some(first) = self.first.get_mut(node as usize) {
            let next = std::mem::replace(first, self.all.len() as u32 + 1);
            self.all.push(Label { next, ..label });
        }
    }

    fn of(&self, node: u32) -> impl Iterator<Item = &Label> {
        let mut next = self.first.get(node as usize).copied().unwrap_or(0);
        std::iter::from_fn(move || {
            let label = self.all.get(next.checked_sub(1)? as usize)?;
            next = label.next;
            Some(label)
        })
    }

    /// Says whether a way is left out, for one that was taken up before.
    fn outdo(&self, node: u32, hops: u32, most_relays: u32) -> bool {
        let mut labels = self.of(node);
        labels.any(|label| label.hops <= hops && label.most_relays >= most_relays)
    }
}
