use crate::{
    BookError, FullNodeConfig, LightningModule, MODULE_NAME,
    api::MeshApi,
    chain_facts::ChainFacts,
    events::{EventCounts, Publisher, Tally, listen, tell, wanted},
    node_source::NodeSource,
    outbox::MOST_WAITING,
    register::register,
};
use blvm_mesh::{ChainNode, MeshManager};
use blvm_mesh_node::{Brought, ReloadError, Reloaded, Service, ServiceError};
use blvm_node::{node::Node, utils::create_shutdown_receiver};
use std::{fmt, sync::Arc};
use thiserror::Error;
use tokio::{sync::mpsc, task::JoinSet};

/// A mesh inside a running blvm-node.
pub struct MeshInside {
    service: Service,
    started_with: FullNodeConfig,
    api: Arc<MeshApi>,
    tally: Arc<Tally>,
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
            .subscribe_module(MODULE_NAME.to_owned(), wanted(), heard)
            .await
            .map_err(|error| InsideError::Events(error.to_string()))?;
        let source = Arc::new(NodeSource::inside(modules));
        let network = config.mesh.mesh.network;
        let chain: Arc<dyn ChainNode> = Arc::new(ChainFacts::new(Arc::clone(&source), network));
        let brought = Brought {
            chain: Some(chain),
            lightning: LightningModule::chosen(&source, &config.mesh)?,
        };
        let publisher = Arc::new(Publisher::default());
        let (outbox, tally) = (Arc::clone(&publisher.outbox), Arc::clone(&publisher.tally));
        let service = Service::start(&config.mesh, publisher, brought).await?;
        let api = Arc::new(MeshApi::new(service.node(), config.callers));
        let mut events = JoinSet::new();
        let manager = service.node().manager().clone();
        events.spawn(listen(manager, hearing, Arc::clone(&tally)));
        events.spawn(register(Arc::clone(&source), Arc::clone(&api)));
        events.spawn(tell(source, outbox, Arc::clone(&tally)));
        Ok(Self {
            service,
            started_with: config.clone(),
            api,
            tally,
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

    /// Takes what of a changed configuration can change while both run, which is nothing of what the node itself reads:
    /// [`Service::reload`].
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub fn reload(&self, config: &FullNodeConfig) -> Result<Reloaded, ReloadError> {
        let mut done = self.service.reload(&config.mesh)?;
        let before = &self.started_with;
        let node = |config: &FullNodeConfig| serde_json::to_value(&config.node).ok();
        for (is_same, name) in [
            (config.callers == before.callers, "mesh.module_api"),
            (node(config) == node(before), "those of the node itself"),
        ] {
            if !is_same {
                done.kept.push(name.to_owned());
            }
        }
        Ok(done)
    }

    /// What has passed between it and the node.
    pub fn events(&self) -> EventCounts {
        self.tally.counts()
    }

    /// Sends what is queued, books what was earned, and ends: to be called when the node has stopped.
    pub async fn stop(self) {
        self.service.stop().await;
    }
}

impl fmt::Debug for MeshInside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshInside")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
