use crate::{peer_book::PeerBook, watcher::Watcher};
use async_trait::async_trait;
use blvm_mesh::{
    ChainNode, Clock, LightningNode, MeshError, MeshEvent, NodeAPI, NodeId, Store, SystemClock,
    UnixTime,
};
use mesh_link::{Links, SendError};
use std::sync::Arc;

/// The node that a stand-alone mesh has round it: links of its own, a wallet perhaps, the system's clock.
pub(crate) struct LinkedNode {
    pub(crate) links: Links,
    pub(crate) peers: Arc<PeerBook>,
    pub(crate) lightning: Option<Arc<dyn LightningNode>>,
    pub(crate) chain: Option<Arc<dyn ChainNode>>,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) watcher: Arc<dyn Watcher>,
}

#[async_trait]
impl NodeAPI for LinkedNode {
    fn get_node_id(&self) -> NodeId {
        self.links.node_id()
    }

    async fn send_mesh_packet_to_peer(
        &self,
        peer_addr: String,
        packet_data: Vec<u8>,
    ) -> Result<(), MeshError> {
        let node_id = self.peers.at(&peer_addr).ok_or_else(|| {
            MeshError::NetworkError(format!("no link with a node at {peer_addr}"))
        })?;
        self.links
            .try_send(&node_id, packet_data)
            .map_err(|error| said(error, &peer_addr))
    }

    async fn publish_event(&self, event: MeshEvent) -> Result<(), MeshError> {
        self.watcher.published(&event);
        Ok(())
    }

    fn lightning(&self) -> Option<Arc<dyn LightningNode>> {
        self.lightning.clone()
    }

    fn chain(&self) -> Option<Arc<dyn ChainNode>> {
        self.chain.clone()
    }

    fn store(&self) -> Option<Arc<dyn Store>> {
        self.store.clone()
    }
}

impl Clock for LinkedNode {
    fn now(&self) -> UnixTime {
        SystemClock.now()
    }
}

/// What a link's answer means to the mesh.
fn said(error: SendError, peer_addr: &str) -> MeshError {
    let text = format!("{peer_addr}: {error}");
    match error {
        SendError::QueueFull => MeshError::Busy(text),
        SendError::NotConnected | SendError::Closed => MeshError::NetworkError(text),
        SendError::TooLong { .. } | SendError::Empty => MeshError::InvalidPacket(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_busy_and_a_missing_link_is_a_network_error() {
        let peer = "127.0.0.1:1";
        assert!(matches!(
            said(SendError::QueueFull, peer),
            MeshError::Busy(_)
        ));
        assert!(matches!(
            said(SendError::NotConnected, peer),
            MeshError::NetworkError(_)
        ));
        assert!(matches!(
            said(SendError::Closed, peer),
            MeshError::NetworkError(_)
        ));
        assert!(matches!(
            said(SendError::Empty, peer),
            MeshError::InvalidPacket(_)
        ));
    }
}
