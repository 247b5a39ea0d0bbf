use super::ask::print;
use crate::{
    StartError,
    command_error::CommandError,
    config::{LightningSection, NodeConfig},
};
use async_trait::async_trait;
use blvm_mesh::{
    ChainNode, Clock, ForgetfulStore, IdentityKey, LightningNode, MeshConfig, MeshError, MeshEvent,
    MeshManager, NodeAPI, NodeId, Store, SystemClock, UnixTime,
};
use mesh_chain::BitcoinRpc;
use std::{path::Path, sync::Arc};

/// Checks a configuration and prints it as it is in force; makes no file and opens no socket.
pub(crate) async fn check(config: &NodeConfig, path: &Path) -> Result<(), CommandError> {
    try_on_nobody(config).await?;
    let text = config.to_toml()?;
    print(&format!(
        "# {} is valid. In force:\n\n{text}",
        path.display()
    ))
}

/// Has a mesh without links take the settings: what they may be, the mesh alone knows.
async fn try_on_nobody(config: &NodeConfig) -> Result<(), StartError> {
    if config.lightning == LightningSection::Module {
        return Err(StartError::NoModule);
    }
    let identity = IdentityKey::from_secret_bytes([1; 32]);
    let identity = identity.map_err(|error| MeshError::ConfigError(error.to_string()))?;
    let chain = config.chain.as_ref();
    let chain = chain.map(|chain| BitcoinRpc::new(chain, config.mesh.network));
    let nobody = Arc::new(Nobody {
        id: identity.node_id(),
        chain: chain.transpose()?.map(Arc::new),
    });
    let mesh = MeshConfig {
        enabled: true,
        ..config.mesh.clone()
    };
    MeshManager::start(mesh, identity, nobody).await?;
    Ok(())
}

/// A node without links. Its chain is never asked, and its store, without which no payment on the chain is taken, forgets.
struct Nobody {
    id: NodeId,
    chain: Option<Arc<BitcoinRpc>>,
}

#[async_trait]
impl NodeAPI for Nobody {
    fn get_node_id(&self) -> NodeId {
        self.id
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

    fn chain(&self) -> Option<Arc<dyn ChainNode>> {
        let chain = self.chain.clone();
        chain.map(|chain| chain as Arc<dyn ChainNode>)
    }

    fn store(&self) -> Option<Arc<dyn Store>> {
        let store = self.chain.as_ref().map(|_| ForgetfulStore::default());
        store.map(|store| Arc::new(store) as Arc<dyn Store>)
    }
}

impl Clock for Nobody {
    fn now(&self) -> UnixTime {
        SystemClock.now()
    }
}
