use super::ask::print;
use crate::{StartError, command_error::CommandError, config::NodeConfig};
use async_trait::async_trait;
use blvm_mesh::{
    Clock, IdentityKey, LightningNode, MeshConfig, MeshError, MeshEvent, MeshManager, NodeAPI,
    NodeId, SystemClock, UnixTime,
};
use std::{path::Path, sync::Arc};

/// Checks a configuration and prints it as it is in force; makes no file and opens no socket.
pub(crate) async fn check(config: &NodeConfig, path: &Path) -> Result<(), CommandError> {
    try_on_nobody(&config.mesh).await?;
    let text = config.to_toml()?;
    print(&format!(
        "# {} is valid. In force:\n\n{text}",
        path.display()
    ))
}

/// Has a mesh without links take the settings: what they may be, the mesh alone knows.
async fn try_on_nobody(mesh: &MeshConfig) -> Result<(), StartError> {
    let identity = IdentityKey::from_secret_bytes([1; 32]);
    let identity = identity.map_err(|error| MeshError::ConfigError(error.to_string()))?;
    let nobody = Arc::new(Nobody(identity.node_id()));
    let mesh = MeshConfig {
        enabled: true,
        ..mesh.clone()
    };
    MeshManager::start(mesh, identity, nobody).await?;
    Ok(())
}

/// A node without links.
struct Nobody(NodeId);

#[async_trait]
impl NodeAPI for Nobody {
    fn get_node_id(&self) -> NodeId {
        self.0
    }

    async fn send_mesh_packet_to_peer(
        &self,
        peer_addr: String,
        _: Vec<u8>,
    ) -> Result<(), MeshError> {
        Err(MeshError::NetworkError(format!("no link with {peer_addr}")))
    }

    async fn publish_event(&self, _: MeshEvent) -> Result<(), MeshError> {
        Ok(())
    }

    fn lightning(&self) -> Option<Arc<dyn LightningNode>> {
        None
    }
}

impl Clock for Nobody {
    fn now(&self) -> UnixTime {
        SystemClock.now()
    }
}
