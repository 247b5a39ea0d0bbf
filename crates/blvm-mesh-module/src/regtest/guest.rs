use super::RealHome;
use blvm_mesh::{MeshConfig, Network, PeerAddress};
use blvm_mesh_node::{
    Home, Node, NodeConfig, StartError, Unwatched,
    config::{LightningSection, NodeSection},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

/// Starts a mesh node in this process, at home in `folder`, that links itself with a real node.
///
/// - `mesh`: what it is told besides its network, where it listens, and its peer.
///
/// # Errors
/// When it does not start.
pub async fn linked_with(
    home: &RealHome,
    folder: &Path,
    lightning: LightningSection,
    mesh: MeshConfig,
) -> Result<Node, StartError> {
    let peer = PeerAddress {
        node_id: home.id(),
        address: home.mesh.to_string(),
    };
    let config = NodeConfig {
        mesh: MeshConfig {
            network: Network::Regtest,
            listen_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            peers: vec![peer],
            ..mesh
        },
        node: NodeSection::in_folder(folder.to_owned()),
        lightning,
        chain: None,
    };
    Node::start(&config, Home::Forgetful, Arc::new(Unwatched)).await
}
