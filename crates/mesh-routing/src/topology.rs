use crate::RoutingTable;
use crate::graph::LOCAL;
use mesh_types::{NodeId, Price};

/// All that routes are searched in, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The nodes in the order of their ids, the local one included.
    pub nodes: Vec<TopologyNode>,
    /// The links and the connections of the local node, each once, in the order of their ends.
    pub links: Vec<TopologyLink>,
}

/// One node of a [`Topology`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopologyNode {
    /// The node.
    pub node_id: NodeId,
    /// What it asks for carrying a packet, as far as is known.
    pub price: Price,
    /// Whether it carries nothing for this node now: its score has fallen, or it has no room.
    pub is_closed: bool,
}

/// One link of a [`Topology`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopologyLink {
    /// Where in [`Topology::nodes`] one end stands.
    pub a: usize,
    /// Where the other stands; behind the first.
    pub b: usize,
    /// How long a packet takes over it, one way, milliseconds.
    pub latency_ms: u32,
    /// Whether it carries nothing for this node now: it is in doubt, or has no room.
    pub is_closed: bool,
}

impl RoutingTable {
    /// All that routes are searched in, in an order that depends on nothing else.
    pub fn topology(&self) -> Topology {
        let graph = self.graph();
        let mut indices: Vec<u32> = graph.indices().collect();
        indices.sort_unstable_by_key(|index| graph.node(*index).map(|node| node.id));
        let mut places = vec![usize::MAX; graph.index_count()];
        for (place, index) in indices.iter().enumerate() {
            if let Some(slot) = places.get_mut(*index as usize) {
                *slot = place;
            }
        }
        let (mut nodes, mut links) = (Vec::with_capacity(indices.len()), Vec::new());
        for (place, index) in indices.iter().enumerate() {
            let Some(node) = graph.node(*index) else {
                continue;
            };
            nodes.push(TopologyNode {
                node_id: node.id,
                price: node.price,
                is_closed: !node.closed.is_open(),
            });
            let connection = node.peer.as_ref().map(|peer| (LOCAL, &peer.link));
            let others = node.links.iter().map(|link| (link.to(), link));
            for (to, link) in connection.into_iter().chain(others) {
                let other = places.get(to as usize).copied().unwrap_or(usize::MAX);
                // Links have two ends, and connections one: those of the peers.
                if to == LOCAL || place < other {
                    links.push(TopologyLink {
                        a: place.min(other),
                        b: place.max(other),
                        latency_ms: link.latency_ms(),
                        is_closed: !link.closed.is_open(),
                    });
                }
            }
        }
        links.sort_unstable_by_key(|link| (link.a, link.b));
        Topology { nodes, links }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_types::{Msat, UnixTime};

    fn id(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 32])
    }

    #[test]
    fn each_node_and_each_link_is_there_once_in_order() {
        let table = RoutingTable::new(id(5));
        table.add_direct_peer(id(9), "a:1".to_owned());
        table.add_direct_peer(id(2), "b:1".to_owned());
        table.add_link(id(9), id(3)).unwrap();
        table.add_link(id(2), id(9)).unwrap();
        table.add_link(id(7), id(3)).unwrap();
        table.remove_link(&id(7), &id(3));
        table.set_link_latency(&id(3), &id(9), 7);
        let price = Price {
            per_packet: Msat::from_msat(4),
            ..Price::FREE
        };
        table.set_price(id(3), price).unwrap();
        table.mark_full(crate::Place::Node(id(9)), UnixTime::from_secs(1));

        let Topology { nodes, links } = table.topology();
        let seen: Vec<_> = nodes
            .iter()
            .map(|node| (node.node_id, node.price, node.is_closed))
            .collect();
        let expected = [
            (id(2), Price::FREE, false),
            (id(3), price, false),
            (id(5), Price::FREE, false),
            (id(9), Price::FREE, true),
        ];
        assert_eq!(seen, expected);
        let seen: Vec<_> = links
            .iter()
            .map(|link| (link.a, link.b, link.latency_ms))
            .collect();
        assert_eq!(seen, [(0, 2, 50), (0, 3, 50), (1, 3, 7), (2, 3, 50)]);
    }
}
