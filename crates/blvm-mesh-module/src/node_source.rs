use blvm_mesh::ChainError;
use blvm_node::module::{manager::ModuleManager, traits::NodeAPI};
use std::{fmt, sync::Arc};
use tokio::sync::{Mutex, OnceCell};

/// What a node lets its modules ask.
pub(crate) type NodeApi = Arc<dyn NodeAPI + Send + Sync>;

/// Where the node's answers come from. A node answers only some time after its start.
pub(crate) struct NodeSource {
    manager: Arc<Mutex<ModuleManager>>,
    api: OnceCell<NodeApi>,
}

impl NodeSource {
    /// Takes the module manager of a node that has this mesh inside.
    pub(crate) fn inside(manager: Arc<Mutex<ModuleManager>>) -> Self {
        Self {
            manager,
            api: OnceCell::new(),
        }
    }

    /// # Errors
    /// While the node is starting.
    pub(crate) async fn api(&self) -> Result<NodeApi, ChainError> {
        let starting = || ChainError("the node is still starting".to_owned());
        let api = self.api.get_or_try_init(async || {
            let hub = self.manager.lock().await.api_hub_arc();
            let hub = hub.ok_or_else(starting)?;
            Ok(hub.lock().await.node_api())
        });
        api.await.cloned()
    }
}

impl fmt::Debug for NodeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeSource")
            .field("answers", &self.api.initialized())
            .finish_non_exhaustive()
    }
}
