use crate::{MAX_ADDRESS_BYTES, MAX_DIRECT_PEERS, MAX_LINKS_PER_NODE, MAX_NODES};
use mesh_types::{MeshError, NodeId};
use thiserror::Error;

/// Why the table did not take something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RoutingError {
    /// The local node is no peer of itself.
    #[error("the local node cannot be a peer of itself")]
    Local,
    /// Both ends of the link are one node.
    #[error("node {node} cannot be linked with itself")]
    SelfLink {
        /// The node.
        node: NodeId,
    },
    /// The table knows [`MAX_NODES`] nodes.
    #[error("the table knows {MAX_NODES} nodes and takes no more")]
    NodesFull,
    /// The node has [`MAX_LINKS_PER_NODE`] links.
    #[error("node {node} has {MAX_LINKS_PER_NODE} links and takes no more")]
    LinksFull {
        /// The node.
        node: NodeId,
    },
    /// There are [`MAX_DIRECT_PEERS`] direct peers.
    #[error("there are {MAX_DIRECT_PEERS} direct peers and no room for more")]
    PeersFull,
    /// The address has more than [`MAX_ADDRESS_BYTES`].
    #[error("the address has {bytes} bytes, more than {MAX_ADDRESS_BYTES}")]
    AddressTooLong {
        /// Its length.
        bytes: usize,
    },
}

impl From<RoutingError> for MeshError {
    fn from(error: RoutingError) -> Self {
        Self::RoutingError(error.to_string())
    }
}
