use crate::{
    BookError, FullNodeConfig, LightningModule,
    api::MeshApi,
    chain_facts::ChainFacts,
    events::{MOST_WAITING, Publisher, listen, tell, wanted},
    node_source::NodeSource,
    register::register,
};
use blvm_mesh::{ChainNode, LightningNode, MeshManager};
use blvm_mesh_node::{Brought, NodeConfig, Service, ServiceError, config::LightningSection};
use blvm_node::{module::manager::ModuleManager, node::Node, utils::create_shutdown_receiver};
use std::{fmt, sync::Arc};
use thiserror::Error;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

/// The name under which the node knows the mesh.
const MODULE_ID: &str = "blvm-mesh";

/// A mesh inside a running blvm-node.
pub struct MeshInside {
    service: Service,
    api: Arc<MeshApi>,
    /// What passes between the two; ends with this.
    _events: JoinSet<()>,
}

/// Why a mesh did not start.
#[derive(Debug, Error)]
pub enum InsideError {
    /// The node's module system is off, and everything that a node tells passes through it.
    #[error("[modules] enabled = false: the mesh cannot ask its node anything; set it to true")]
    NoModules,
    /// The node does not tell what happens.
    #[error("the node does not tell its events: {0}")]
    Events(String),
    /// What the node's Lightning module has issued cannot be noted.
    #[error("[lightning] {0}")]
    Lightning(#[from] BookError),
    /// The mesh itself did not start.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl MeshInside {
    /// Starts a mesh in a node that has its configuration and has not been started yet.
    ///
    /// Packets travel on the mesh's own links, and the node tells it what is on the chain. Until the node has started, it
    /// says that it is starting. When it has, the node's other modules can call the mesh, where the node lets them.
    ///
    /// # Errors
    /// [`InsideError`] says what to do about it; nothing keeps running then.
    pub async fn start(node: &Node, config: &FullNodeConfig) -> Result<Self, InsideError> {
        // The node listens for the signal to stop only when it has started; until then it would end without a word.
        drop(create_shutdown_receiver());
        let modules = node.module_manager().ok_or(InsideError::NoModules)?;
        let (heard, hearing) = mpsc::channel(MOST_WAITING);
        let node_events = Arc::clone(modules.lock().await.event_manager());
        node_events
            .subscribe_module(MODULE_ID.to_owned(), wanted(), heard)
            .await
            .map_err(|error| InsideError::Events(error.to_string()))?;
        let source = Arc::new(NodeSource::inside(Arc::clone(&modules)));
        let chain: Arc<dyn ChainNode> = Arc::new(ChainFacts::new(Arc::clone(&source)));
        let brought = Brought {
            chain: Some(chain),
            lightning: wallet(&modules, &config.mesh)?,
        };
        let (published, publishing) = mpsc::channel(MOST_WAITING);
        let watcher = Arc::new(Publisher::new(published));
        let service = Service::start(&config.mesh, watcher, brought).await?;
        let api = Arc::new(MeshApi::new(service.node(), config.callers));
        let mut events = JoinSet::new();
        events.spawn(listen(service.node().manager().clone(), hearing));
        events.spawn(register(Arc::clone(&source), Arc::clone(&api)));
        events.spawn(tell(source, publishing));
        Ok(Self {
            service,
            api,
            _events: events,
        })
    }

    /// The mesh.
    pub fn manager(&self) -> &MeshManager {
        self.service.node().manager()
    }

    /// Its links, its wallet and its store.
    pub fn node(&self) -> &blvm_mesh_node::Node {
        self.service.node()
    }

    /// What other modules and RPC callers ask: for whoever serves them.
    pub const fn api(&self) -> &Arc<MeshApi> {
        &self.api
    }

    /// Sends what is queued, books what was earned, and ends: to be called when the node has stopped.
    pub async fn stop(self) {
        self.service.stop().await;
    }
}

/// The wallet that another module of the node is, where it is chosen.
fn wallet(
    modules: &Arc<Mutex<ModuleManager>>,
    config: &NodeConfig,
) -> Result<Option<Arc<dyn LightningNode>>, BookError> {
    if config.lightning != LightningSection::Module {
        return Ok(None);
    }
    tracing::warn!(
        "the Lightning back end is the node's module blvm-lightning: this mesh is paid with it, and can pay nobody"
    );
    let modules = Arc::clone(modules);
    let wallet = LightningModule::open(modules, &config.node.data_dir, config.mesh.network)?;
    Ok(Some(Arc::new(wallet)))
}

impl fmt::Debug for MeshInside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshInside")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
