use crate::MeshManager;
use mesh_routing::Standing;
use mesh_types::{Msat, NodeId, Price};
use std::sync::Arc;

/// A node that a link is up with, as this node sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Peer {
    /// The node.
    pub node_id: NodeId,
    /// The other end of the link.
    pub address: Arc<str>,
    /// Where it says that it accepts links.
    pub announced: Vec<String>,
    /// How long a packet takes there and back, smoothed; `None` before the first measurement.
    pub latency_ms: Option<u32>,
    /// What it asks for carrying a packet, as far as is known.
    pub price: Price,
    /// What it has not spent here; `None` while the store does not answer.
    pub credit: Option<Msat>,
    /// What is known of it from packets that it was to carry.
    pub standing: Standing,
    /// Whether the link with it is not announced: it owes, or sends and does not pay.
    pub is_withheld: bool,
    /// Whether it handed on so much that nobody had signed that nothing about announcements is heard of it for a while.
    pub is_muted: bool,
}

impl MeshManager {
    /// The nodes that links are up with, in the order of their ids.
    pub async fn peers(&self) -> Vec<Peer> {
        let routes = self.engine().routes();
        let now = self.shared.node_api.now();
        let mut peers = Vec::new();
        for (node_id, address) in routes.direct_peers() {
            let learning = self.shared.learning();
            let neighbour = learning.map(|it| it.neighbour(&node_id, now));
            let neighbour = neighbour.unwrap_or_default();
            peers.push(Peer {
                node_id,
                address,
                announced: neighbour.addresses,
                latency_ms: neighbour.latency_ms,
                price: routes.price(&node_id).unwrap_or(Price::FREE),
                credit: self.credit_of(node_id).await.ok(),
                standing: routes.standing(&node_id, now),
                is_withheld: neighbour.is_withheld,
                is_muted: neighbour.is_muted,
            });
        }
        peers
    }
}
