use crate::{
    BookError, LightningModule,
    api::{MAX_CALLS, MeshApi},
    calls::answer_calls,
    chain_facts::ChainFacts,
    events::{Publisher, listen, tell},
    ipc::{Heard, IpcLink, IpcState, NodeSocket},
    node_source::NodeSource,
    outbox::MOST_WAITING,
    process_config::ProcessConfig,
    rpc_server::{RpcBindError, RpcServer},
};
use blvm_mesh::{ChainNode, MeshManager};
use blvm_mesh_node::{
    Brought, LockError, ReloadError, Reloaded, Service, ServiceError, StartError,
};
use std::{fmt, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::sleep,
};

/// How long the one that ran here before has to end: a node that was killed and starts again starts its modules again, and
/// the old ones learn of it a second later and have something to book.
const PREDECESSOR: Duration = Duration::from_secs(30);

/// How often is looked whether it has.
const LOOK: Duration = Duration::from_millis(500);

/// A mesh in a process of its own, as a module of a node.
pub struct MeshBeside {
    service: Service,
    started_with: ProcessConfig,
    state: watch::Receiver<IpcState>,
    /// The connection to the node, and what passes over it; ends with this.
    _tasks: JoinSet<()>,
}

/// Why a mesh did not start.
#[derive(Debug, Error)]
pub enum MeshBesideError {
    /// The mesh itself did not start.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// What the node's Lightning module has issued cannot be noted.
    #[error("[lightning] {0}")]
    Lightning(#[from] BookError),
    /// Its JSON-RPC cannot be served.
    #[error(transparent)]
    Rpc(#[from] RpcBindError),
}

impl MeshBesideError {
    /// Whether it is so because another program runs in the same folder.
    fn is_held(&self) -> bool {
        match self {
            Self::Service(ServiceError::Start(StartError::Locked(LockError::Held { .. }))) => true,
            Self::Lightning(error) => error.is_held(),
            Self::Service(_) | Self::Rpc(_) => false,
        }
    }
}

impl MeshBeside {
    /// Starts a mesh, whether its node is there or not; the node is connected to as soon as it is.
    ///
    /// # Errors
    /// [`MeshBesideError`] says what to do about it; nothing keeps running then.
    pub async fn start(
        config: &ProcessConfig,
        socket: NodeSocket,
    ) -> Result<Self, MeshBesideError> {
        let folder = &config.mesh.node.data_dir;
        let (events, hearing) = mpsc::channel(MOST_WAITING);
        let (calls, called) = mpsc::channel(MAX_CALLS);
        let (link, keep) = IpcLink::to(socket, Heard { events, calls });
        let state = link.state();
        let source = Arc::new(NodeSource::Beside(link.clone()));
        let network = config.mesh.mesh.network;
        let facts = Arc::new(ChainFacts::new(Arc::clone(&source), network));
        // Where a node is named that answers JSON-RPC, that one is asked: it tells more, and is always served.
        let chain = match config.mesh.chain {
            Some(_) => None,
            None => Some(Arc::clone(&facts) as Arc<dyn ChainNode>),
        };
        let watcher = Arc::new(Publisher::default());
        let asks_ipc = chain.is_some();
        let service = start(config, &watcher, &chain, &source).await?;
        let api = Arc::new(MeshApi::new(service.node(), config.callers));
        let server = match RpcServer::bind(config.rpc_addr, folder).await {
            Ok(server) => server,
            Err(error) => {
                service.stop().await;
                return Err(error.into());
            }
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(keep);
        let (manager, tally) = (service.node().manager().clone(), &watcher.tally);
        tasks.spawn(listen(manager, hearing, Arc::clone(tally)));
        let outbox = Arc::clone(&watcher.outbox);
        tasks.spawn(tell(Arc::clone(&source), outbox, Arc::clone(tally)));
        tasks.spawn(answer_calls(link, called, Arc::clone(&api)));
        let serving = server.run(Arc::clone(&api) as _);
        tasks.spawn(async { match serving.await {} });
        let report = Report {
            source,
            facts: asks_ipc.then_some(facts),
            api,
        };
        tasks.spawn(report.of(state.clone()));
        Ok(Self {
            service,
            started_with: config.clone(),
            state,
            _tasks: tasks,
        })
    }

    /// The mesh.
    pub fn manager(&self) -> &MeshManager {
        self.service.node().manager()
    }

    /// How it stands with the connection to the node.
    pub fn state(&self) -> watch::Receiver<IpcState> {
        self.state.clone()
    }

    /// Takes what of changed settings can change while it runs: [`Service::reload`].
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub fn reload(&self, config: &ProcessConfig) -> Result<Reloaded, ReloadError> {
        let mut done = self.service.reload(&config.mesh)?;
        let before = &self.started_with;
        for (is_same, name) in [
            (config.callers == before.callers, "module_api"),
            (config.rpc_addr == before.rpc_addr, "rpc_addr"),
        ] {
            if !is_same {
                done.kept.push(name.to_owned());
            }
        }
        Ok(done)
    }

    /// Sends what is queued, books what was earned, and ends.
    pub async fn stop(self) {
        self.service.stop().await;
    }
}

impl fmt::Debug for MeshBeside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshBeside")
            .field("service", &self.service)
            .field("node", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}

/// Starts the mesh, once nobody else runs in its data folder.
async fn start(
    config: &ProcessConfig,
    watcher: &Arc<Publisher>,
    chain: &Option<Arc<dyn ChainNode>>,
    source: &Arc<NodeSource>,
) -> Result<Service, MeshBesideError> {
    let start = async || {
        let brought = Brought {
            chain: chain.clone(),
            lightning: LightningModule::chosen(source, &config.mesh)?,
        };
        let started = Service::start(&config.mesh, Arc::clone(watcher) as _, brought).await;
        started.map_err(MeshBesideError::from)
    };
    let mut waited = Duration::ZERO;
    loop {
        match start().await {
            Err(error) if error.is_held() && waited < PREDECESSOR => {
                if waited.is_zero() {
                    tracing::warn!(%error, "another blvm-mesh runs here: waiting for its end");
                }
                sleep(LOOK).await;
                waited += LOOK;
            }
            outcome => return outcome,
        }
    }
}

/// What is done, and said in the log, when it stands otherwise with the node.
struct Report {
    source: Arc<NodeSource>,
    /// What is read ahead when the node answers, where it is asked about the chain over IPC.
    facts: Option<Arc<ChainFacts>>,
    api: Arc<MeshApi>,
}

impl Report {
    async fn of(self, mut state: watch::Receiver<IpcState>) {
        let mut may_register = true;
        while state.changed().await.is_ok() {
            let now = state.borrow_and_update().clone();
            for line in now.missing(self.facts.is_some()) {
                tracing::warn!("{line}");
            }
            if let IpcState::Served {
                node_version,
                as_manifest,
            } = now
            {
                tracing::info!(%node_version, "the node serves this module");
                self.catch_up().await;
                if as_manifest && may_register {
                    // A node that does not take it ends the connection, and would again.
                    may_register = self.register().await;
                }
            }
        }
    }

    async fn catch_up(&self) {
        let Some(facts) = &self.facts else {
            return;
        };
        match facts.catch_up().await {
            Ok(height) => tracing::info!(height, "the newest blocks are known"),
            Err(error) => tracing::warn!(%error, "the newest blocks are not known yet"),
        }
    }

    async fn register(&self) -> bool {
        let registered = self.source.register(Arc::clone(&self.api)).await;
        match &registered {
            Ok(()) => tracing::info!("other modules can call the mesh"),
            Err(error) => tracing::warn!(
                %error,
                "other modules cannot call the mesh, until this module is started again"
            ),
        }
        registered.is_ok()
    }
}
