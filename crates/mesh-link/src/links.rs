use crate::{
    DialError, DialInfo, LinkConfig, LinkError, LinkEvent, LinkInfo, LinkTotals, SendError,
};
use mesh_types::{NodeId, PeerAddress};
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// All links of one node; cheap to clone. When the last clone is dropped, every link ends at once.
#[derive(Debug, Clone)]
pub struct Links {
    node_id: NodeId,
}

impl Links {
    /// Starts with no link; inside a tokio runtime.
    ///
    /// - `listen`: where other nodes may connect; port 0 lets the system choose. `None`: this node only dials.
    ///
    /// # Errors
    /// [`LinkError`] when the key is none, the address is taken, or a bound of `config` leaves no room.
    pub async fn start(
        secret_key: [u8; 32],
        listen: Option<SocketAddr>,
        config: LinkConfig,
    ) -> Result<(Self, mpsc::Receiver<LinkEvent>), LinkError> {
        config.check()?;
        let _ = (secret_key, listen);
        Err(LinkError::SecretKey)
    }

    /// This node's id.
    pub fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// Where other nodes may connect.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Keeps a link with `peer` from now on: dials, and after a pause dials again, until [`Links::forget`].
    ///
    /// # Errors
    /// [`DialError`] when the id is our own, the list is full, or the links are shut down.
    pub fn dial(&self, peer: PeerAddress) -> Result<(), DialError> {
        let _ = peer;
        Err(DialError::Closed)
    }

    /// Stops dialling the node; a link that is up stays. Answers whether it was dialled.
    pub fn forget(&self, node_id: &NodeId) -> bool {
        let _ = node_id;
        false
    }

    /// Hands a packet of 1 to [`crate::MAX_FRAME_LEN`] bytes to the link with `to`; never waits.
    ///
    /// # Errors
    /// [`SendError`]; the packet was not taken.
    pub fn try_send(&self, to: &NodeId, packet: Vec<u8>) -> Result<(), SendError> {
        let _ = (to, packet);
        Err(SendError::NotConnected)
    }

    /// Closes the link with the node without sending what is queued; a dialled node is dialled again after a pause.
    /// Answers whether there was a link.
    pub fn disconnect(&self, node_id: &NodeId) -> bool {
        let _ = node_id;
        false
    }

    /// The links, in the order of their node ids.
    pub fn peers(&self) -> Vec<LinkInfo> {
        Vec::new()
    }

    /// The nodes that are dialled, in the order of their ids.
    pub fn dialled(&self) -> Vec<DialInfo> {
        Vec::new()
    }

    /// What was counted since the start.
    pub fn totals(&self) -> LinkTotals {
        LinkTotals::default()
    }

    /// Ends everything: takes no more packets, sends what is queued for at most
    /// [`LinkConfig::shutdown_timeout`], closes every link, and waits until no task is left.
    pub async fn shutdown(&self) {}
}
