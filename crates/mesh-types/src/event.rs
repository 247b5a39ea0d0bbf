use crate::{Msat, NodeId};

/// What the node around the mesh tells it.
///
/// Hints, never evidence: events get lost and any module can forge them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeEvent {
    /// A peer's link is up; its id is there when the link has proven it.
    PeerConnected {
        /// Where the peer is reached.
        peer_addr: String,
        /// Who it is, when proven.
        peer_node_id: Option<NodeId>,
    },
    /// A peer's link is down.
    PeerDisconnected {
        /// Where the peer was reached.
        peer_addr: String,
        /// Why the link ended.
        reason: String,
    },
    /// The node received a message that is not the mesh's.
    MessageReceived {
        /// Who sent it.
        peer_addr: String,
        /// The message's command.
        message_type: String,
        /// Bytes.
        message_size: usize,
    },
    /// Another module says that a payment was verified.
    PaymentVerified {
        /// The other module's name for it.
        payment_id: String,
        /// The amount it says.
        amount_msats: u64,
    },
}

/// What the mesh tells the node around it, on change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MeshEvent {
    /// A destination has a route now, or another one than before.
    RouteDiscovered {
        /// Where it leads.
        destination: NodeId,
        /// The nodes, source first.
        route_path: Vec<NodeId>,
        /// The least total for which every party's share covers its price, for a packet without payload.
        route_cost: Msat,
    },
    /// A destination that had a route, or was asked for, has none.
    RouteFailed {
        /// Where it should have led.
        destination: NodeId,
        /// Why there is none.
        reason: String,
    },
    /// A payment to this node was verified, claimed and credited.
    PaymentVerified {
        /// The claim's key, in hex.
        payment_id: String,
        /// Whose credit it became.
        payer: NodeId,
        /// How much.
        amount: Msat,
    },
}
