mod cheapest;
mod fastest;

use crate::even_total::{even_total, relays_share};
use crate::graph::{Graph, LOCAL};
use crate::least_total::least_total_for;
use crate::link::{Closed, Link, Room};
use crate::near::FAR;
use mesh_types::{MAX_ROUTE_NODES, Msat, NodeId};
use std::sync::Arc;

/// How many relays a route has at most.
pub(crate) const MAX_RELAYS: usize = MAX_ROUTE_NODES - 2;

/// A search for the best route for a packet.
///
/// Best is what has the least [`even_total`], then the least latency, then the fewest hops, then what comes first in the
/// order of ids. The first pass finds the least price, which depends on the number of relays and the dearest of them only;
/// the second finds the fastest of all ways that cost so little.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    graph: &'a Graph,
    destination: u32,
    payload: Room,
    payload_bytes: usize,
    avoid: &'a Avoid,
}

/// What a search leaves out besides what the graph closes.
#[derive(Debug, Clone)]
pub(crate) struct Avoid {
    /// A bit for each index that shall not relay.
    relays: Vec<u64>,
    /// The way without relays.
    pub(crate) direct: bool,
    /// What costs more, in millisatoshi.
    pub(crate) dearer_than: u64,
    /// Only relays that have fallen: what is without room for a while and what is in doubt serves, too.
    pub(crate) only_fallen: bool,
}

/// A route that was found; the order is that of preference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    /// What routes are compared by, in millisatoshi.
    pub(crate) price: u64,
    pub(crate) latency_ms: u32,
    pub(crate) hops: u32,
    pub(crate) nodes: Arc<[NodeId]>,
}

impl<'a> Search<'a> {
    pub(crate) const fn new(
        graph: &'a Graph,
        destination: u32,
        payload: Room,
        payload_bytes: usize,
        avoid: &'a Avoid,
    ) -> Self {
        Self {
            graph,
            destination,
            payload,
            payload_bytes,
            avoid,
        }
    }

    pub(crate) fn best(&self) -> Option<Found> {
        let node = self.graph.node(self.destination)?;
        let is_reached = self.graph.near(self.destination) != FAR;
        let is_full = node.closed.has(Closed::FULL) && !self.avoid.only_fallen;
        let has_room = node.room.holds(self.payload) && !is_full;
        if self.destination == LOCAL || !is_reached || !has_room {
            return None;
        }
        let asked = node.price.of(self.payload_bytes)?.to_msat();
        let direct = self
            .peer_link(self.destination)
            .filter(|_| !self.avoid.direct);
        let direct = direct.and_then(|_| least_total_for(Msat::from_msat(asked), 0, Msat::ZERO));
        // Where nobody between asks, that is the price: no relay makes it less.
        let with_free_relays = even_total(asked, 0);
        let price = match (direct.map(Msat::to_msat), with_free_relays) {
            (Some(direct), Some(free)) if direct >= free => free,
            (Some(direct), _) => direct,
            (None, None) => return None,
            (None, Some(free)) => even_total(
                asked,
                self.least_for_relays(relays_share(free), relays_share(self.avoid.dearer_than))?,
            )?,
        };
        let is_direct_in = direct.is_some_and(|direct| direct.to_msat() <= price);
        let are_relays_in = with_free_relays.is_some_and(|free| free <= price);
        let for_relays = are_relays_in.then(|| relays_share(price));
        self.fastest(price, for_relays, is_direct_in)
    }

    fn peer_link(&self, index: u32) -> Option<&Link> {
        let link = &self.graph.node(index)?.peer.as_ref()?.link;
        self.takes(link).then_some(link)
    }

    fn takes(&self, link: &Link) -> bool {
        let is_open = link.closed.is_open() || self.avoid.only_fallen;
        is_open && link.room.holds(self.payload)
    }

    /// The open links of a node that are wide enough, without those to the destination, where a way back ends.
    fn links(&self, index: u32) -> impl Iterator<Item = &Link> {
        let links = self.graph.node(index).map(|node| node.links.as_slice());
        let links = links.unwrap_or_default().iter();
        links.filter(|link| self.takes(link) && link.to() != self.destination)
    }

    /// What a node asks for relaying this packet; `None` when it does not relay it.
    fn relay_price(&self, index: u32) -> Option<u64> {
        let node = self.graph.node(index)?;
        let is_open = if self.avoid.only_fallen {
            !node.closed.has(Closed::FALLEN)
        } else {
            node.closed.is_open()
        };
        let relays = is_open && node.room.holds(self.payload);
        if !relays || index == LOCAL || self.graph.near(index) == FAR || self.avoid.has(index) {
            return None;
        }
        Some(node.price.of(self.payload_bytes)?.to_msat())
    }
}

impl Avoid {
    pub(crate) const fn dearer_than(price: u64) -> Self {
        Self {
            relays: Vec::new(),
            direct: false,
            dearer_than: price,
            only_fallen: false,
        }
    }

    pub(crate) fn relay(&mut self, index: u32) {
        let place = index as usize / 64;
        if place >= self.relays.len() {
            self.relays.resize(place + 1, 0);
        }
        if let Some(bits) = self.relays.get_mut(place) {
            *bits |= 1 << (index % 64);
        }
    }

    fn has(&self, index: u32) -> bool {
        let bits = self.relays.get(index as usize / 64);
        bits.is_some_and(|bits| bits & (1 << (index % 64)) != 0)
    }
}
