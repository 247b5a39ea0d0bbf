use crate::{ChainNode, LightningNode, MeshError, MeshEvent, NodeId, Store, UnixTime};
use async_trait::async_trait;
use std::sync::Arc;

/// The part of a node that a mesh needs, with blvm-node's own method names where it has them.
///
/// It is a [`Clock`] too: the mesh reads no other.
#[async_trait]
pub trait NodeAPI: Clock {
    /// The id that this node's links prove.
    fn get_node_id(&self) -> NodeId;

    /// Hands `packet_data` to the link of the peer at `peer_addr`.
    ///
    /// # Errors
    /// [`MeshError::NetworkError`] when there is no such link, [`MeshError::Busy`] when its queue is full. `Ok` means
    /// that the link has taken the packet, and only that counts as carried.
    async fn send_mesh_packet_to_peer(
        &self,
        peer_addr: String,
        packet_data: Vec<u8>,
    ) -> Result<(), MeshError>;

    /// Tells the node's other modules.
    ///
    /// # Errors
    /// When the node cannot take the event.
    async fn publish_event(&self, event: MeshEvent) -> Result<(), MeshError>;

    /// The node's Lightning wallet; without one it can neither quote nor pay.
    fn lightning(&self) -> Option<Arc<dyn LightningNode>>;

    /// The block chain as the node sees it; without it no payment on the chain can be verified.
    fn chain(&self) -> Option<Arc<dyn ChainNode>> {
        None
    }

    /// Where the node keeps its money; without one, credit and claims are in memory and a restart forgets them.
    fn store(&self) -> Option<Arc<dyn Store>> {
        None
    }
}

/// Tells the time. A program has one, read in one file; tests and simulations bring their own.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> UnixTime;
}
