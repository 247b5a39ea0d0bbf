use crate::graph::{Graph, LOCAL, Node};
use crate::least_total::least_total_for;
use crate::split;
use mesh_types::{MAX_ROUTE_NODES, Msat, NodeId};

/// How many relays a route has at most.
const MAX_RELAYS: usize = MAX_ROUTE_NODES - 2;

/// The price that stands for "not reached"; nobody can be paid that much, as relays get three tenths of a total.
const UNREACHED: u64 = u64::MAX;

/// Finds the cheapest route for a packet with `payload_bytes`.
///
/// What a route costs depends on the destination, the number of its relays and the dearest of them. A route that has
/// no fewer relays than another and no cheaper dearest one is out; of the others the one with the least total is taken,
/// then the one with the fewest relays, then the one whose ids come first in order. Left to the totals alone, a relay
/// more could win by the few millisatoshi of a remainder.
pub(crate) fn cheapest_route(
    graph: &Graph,
    destination: u32,
    payload_bytes: usize,
) -> Option<Vec<NodeId>> {
    let search = Search {
        graph,
        destination,
        payload_bytes,
    };
    let node = graph.node(destination)?;
    let price = node.price.of(payload_bytes)?;
    if destination == LOCAL {
        return None;
    }
    if node.address.is_some() {
        // No route with relays is cheaper: they would only take from what the destination gets.
        least_total_for(price, 0, Msat::ZERO)?;
        return Some(vec![graph.node(LOCAL)?.id, node.id]);
    }
    let (layers, best) = search.reach_back(price)?;
    search.first_in_order(&layers, best)
}

struct Search<'a> {
    graph: &'a Graph,
    destination: u32,
    payload_bytes: usize,
}

/// A way from `node` to the destination, as long as its layer says.
#[derive(Debug, Clone, Copy)]
struct Label {
    node: u32,
    /// The dearest price among the relays behind `node`, in millisatoshi.
    dearest: u64,
}

/// How a complete route would be.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    relays: usize,
    dearest: u64,
    total: Msat,
}

impl Search<'_> {
    /// Goes back from the destination, one hop for each layer, and gives the layers and the best candidate.
    ///
    /// Layer `n` (from 1) has the nodes that get a cheaper dearest relay with `n` hops than with fewer, so a node has at
    /// most one label in each. Labels that cannot beat what was found are left out.
    fn reach_back(&self, destination_price: Msat) -> Option<(Vec<Vec<Label>>, Candidate)> {
        let mut cheapest = vec![UNREACHED; self.graph.index_count()];
        let mut layers = vec![self.neighbours_of_destination(&mut cheapest)];
        let mut best: Option<Candidate> = None;
        // The dearest relay that a route may still have: less than that of every shorter one.
        let mut below = UNREACHED;
        for relays in 1..=MAX_RELAYS {
            let most_total = best.map_or(Some(Msat::MAX), |best| {
                best.total.checked_sub(Msat::from_msat(1))
            });
            let Some(most_total) = most_total else { break };
            let most = split(most_total, relays).per_relay.to_msat();
            let Some(layer) = layers.last().filter(|layer| !layer.is_empty()) else {
                break;
            };
            let (next, found) = self.expand(layer, most, below, &mut cheapest);
            if let Some(dearest) = found {
                below = dearest;
                let total = least_total_for(destination_price, relays, Msat::from_msat(dearest));
                if let Some(total) = total.filter(|total| *total <= most_total) {
                    best = Some(Candidate {
                        relays,
                        dearest,
                        total,
                    });
                }
            }
            layers.push(next);
        }
        Some((layers, best?))
    }

    fn neighbours_of_destination(&self, cheapest: &mut [u64]) -> Vec<Label> {
        let mut layer = Vec::new();
        for link in self.links(self.destination) {
            if let Some(known) = cheapest.get_mut(link as usize) {
                *known = 0;
                layer.push(Label {
                    node: link,
                    dearest: 0,
                });
            }
        }
        layer
    }

    /// Makes each label's node a relay: gives the labels one hop further out, and the dearest relay of the best way
    /// that a connected peer of ours completes.
    fn expand(
        &self,
        layer: &[Label],
        most: u64,
        below: u64,
        cheapest: &mut [u64],
    ) -> (Vec<Label>, Option<u64>) {
        let (mut next, mut found) = (Vec::new(), None);
        for label in layer {
            let Some((relay, price)) = self.relay(label.node) else {
                continue;
            };
            let dearest = label.dearest.max(price);
            if dearest > most || dearest >= found.unwrap_or(below) {
                continue;
            }
            if relay.address.is_some() {
                found = Some(dearest);
                continue;
            }
            for link in relay.links.iter().copied() {
                if link == self.destination {
                    continue;
                }
                if let Some(known) = cheapest.get_mut(link as usize)
                    && dearest < *known
                {
                    *known = dearest;
                    next.push(Label {
                        node: link,
                        dearest,
                    });
                }
            }
        }
        let is_least = |label: &Label| cheapest.get(label.node as usize) == Some(&label.dearest);
        next.retain(is_least);
        (next, found)
    }

    /// The route that comes first in the order of ids, among those with the candidate's relays and dearest price.
    ///
    /// No shorter way has relays that cheap. So on such a route each relay stands in the layer of its distance.
    fn first_in_order(&self, layers: &[Vec<Label>], best: Candidate) -> Option<Vec<NodeId>> {
        let mut distance = vec![0_u8; self.graph.index_count()];
        for (hops, layer) in (1..).zip(layers.iter().take(best.relays)) {
            for label in layer.iter().filter(|label| label.dearest <= best.dearest) {
                if let Some(known) = distance.get_mut(label.node as usize)
                    && *known == 0
                {
                    *known = hops;
                }
            }
        }
        let stands = |index: u32, hops: usize| {
            let far = distance.get(index as usize).copied().map(usize::from);
            let (node, price) = self.relay(index)?;
            (far == Some(hops) && price <= best.dearest).then_some((node.id, index))
        };
        let peers = (0..).take(distance.len()).filter(|index| {
            let node = self.graph.node(*index);
            node.is_some_and(|node| node.address.is_some())
        });
        let first = peers.filter_map(|index| stands(index, best.relays)).min()?;
        let mut route = vec![self.graph.node(LOCAL)?.id, first.0];
        let mut at = first.1;
        for hops in (1..best.relays).rev() {
            let links = self.links(at);
            let (id, index) = links.filter_map(|index| stands(index, hops)).min()?;
            route.push(id);
            at = index;
        }
        route.push(self.graph.node(self.destination)?.id);
        Some(route)
    }

    fn links(&self, index: u32) -> impl Iterator<Item = u32> {
        let links = self.graph.node(index).map(|node| node.links.as_slice());
        links.unwrap_or_default().iter().copied()
    }

    /// A node and its price for this packet, when that is an amount.
    fn relay(&self, index: u32) -> Option<(&Node, u64)> {
        let node = self.graph.node(index)?;
        Some((node, node.price.of(self.payload_bytes)?.to_msat()))
    }
}
