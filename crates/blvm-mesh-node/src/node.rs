use crate::{
    config::{Backend, LightningSection, NodeConfig},
    embedded::Embedded,
    file_lock::{FileLock, LockError},
    node_api::LinkedNode,
    peer_book::PeerBook,
    pump::Pump,
    sandbox::{SandboxError, SandboxLightning},
    surroundings::within_reach,
    watcher::Watcher,
};
use blvm_mesh::{
    ChainNode, IdentityError, LightningNode, MeshError, MeshManager, Network, NodeAPI, PeerAddress,
    Store, SystemClock, identity_in, load_or_create_identity,
};
use mesh_chain::BitcoinRpc;
use mesh_link::{DialError, LinkConfig, LinkError, Links};
use mesh_store::{MeshStore, OpenError, StoreLocation};
use parking_lot::Mutex;
use std::{
    fmt, fs::DirBuilder, io, net::SocketAddr, os::unix::fs::DirBuilderExt, path::PathBuf,
    sync::Arc, time::Duration,
};
use thiserror::Error;
use tokio::{task::JoinHandle, time::timeout};

/// One running node: identity, links, mesh, wallet.
pub struct Node {
    links: Links,
    manager: MeshManager,
    home: Home,
    store: Option<MeshStore>,
    sandbox: Option<Arc<SandboxLightning>>,
    lightning: Option<Arc<dyn LightningNode>>,
    embedded: Embedded,
    network: Network,
    backend: Backend,
    /// `None` once shut down.
    pump: Mutex<Option<JoinHandle<()>>>,
    _lock: FileLock,
}

/// Where a node keeps its money.
#[derive(Debug, Clone)]
pub enum Home {
    /// Nowhere: what it takes and owes is forgotten when it stops. For demonstrations and tests.
    Forgetful,
    /// In a store.
    Durable(StoreLocation),
}

/// What the program that a node is part of brings to it.
#[derive(Clone, Default)]
pub struct Brought {
    /// The block chain to ask about payments, in place of the configured one.
    pub chain: Option<Arc<dyn ChainNode>>,
    /// The wallet that `backend = "blvm-lightning"` chooses.
    pub lightning: Option<Arc<dyn LightningNode>>,
}

/// Why a node did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration turns the mesh off.
    #[error("[mesh] enabled = false: set it to true to run this node")]
    Disabled,
    /// The data folder cannot be made.
    #[error("cannot make the data folder {path}: {source}; set [node] data_dir to another")]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process uses the data folder, or it cannot be locked.
    #[error("the data folder is not free: {0}")]
    Locked(#[from] LockError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// There is no identity key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The system gives no random bytes.
    #[error("no randomness: {0}")]
    Randomness(String),
    /// The links cannot be started.
    #[error("{0}; choose another address with [mesh] listen_addr, or stop what uses this one")]
    Listen(LinkError),
    /// The links cannot be started for another reason.
    #[error(transparent)]
    Links(LinkError),
    /// A peer of the configuration cannot be dialled.
    #[error("[mesh] peers: {peer}: {source}")]
    Peer {
        /// The entry.
        peer: String,
        /// What is wrong with it.
        source: DialError,
    },
    /// The back end is a part of another program.
    #[error(
        "[lightning] backend = \"blvm-lightning\" is a module of a blvm-node, and this program is none: choose another, or run \
         blvm-mesh-full-node"
    )]
    NoModule,
    /// The Lightning back end cannot be used with these settings.
    #[error("[lightning] {0}")]
    Lightning(#[from] mesh_lightning::OpenError),
    /// The Bitcoin node cannot be used with these settings.
    #[error("[chain] {0}")]
    Chain(#[from] mesh_chain::OpenError),
    /// The sandbox wallet cannot be opened.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The mesh does not take its settings.
    #[error(transparent)]
    Mesh(#[from] MeshError),
}

impl StartError {
    pub(crate) fn peer(peer: &PeerAddress, source: DialError) -> Self {
        Self::Peer {
            peer: peer.to_string(),
            source,
        }
    }
}

/// How long packets that wait for a wallet or a store may hold up the end of a node.
///
/// Five seconds, because a payment may be among them that is claimed in far less, and a dead wallet answers never.
const LAST_DECISIONS: Duration = Duration::from_secs(5);

/// How long payments under way and the last booking may hold up the end of a node: the ten seconds of the payments, and
/// five more.
const LAST_BOOKING: Duration = Duration::from_secs(15);

/// The file in the data folder that a running node holds locked.
const LOCK_FILE: &str = "node.lock";

/// The file in the data folder with the key of the sandbox wallet.
const SANDBOX_KEY_FILE: &str = "sandbox-wallet.key";

impl Node {
    /// Starts a node: opens its store, makes its identity key at the first start, listens, and dials its peers.
    ///
    /// # Errors
    /// [`StartError`] says what to do about it; nothing keeps running then.
    pub async fn start(
        config: &NodeConfig,
        home: Home,
        watcher: Arc<dyn Watcher>,
    ) -> Result<Self, StartError> {
        Self::start_in(config, home, watcher, Brought::default()).await
    }

    /// The same for a node that is part of a program which brings some of what it needs.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_in(
        config: &NodeConfig,
        home: Home,
        watcher: Arc<dyn Watcher>,
        brought: Brought,
    ) -> Result<Self, StartError> {
        if !config.mesh.enabled {
            return Err(StartError::Disabled);
        }
        if config.lightning == LightningSection::Module && brought.lightning.is_none() {
            return Err(StartError::NoModule);
        }
        let data_dir = &config.node.data_dir;
        let mut folder = DirBuilder::new();
        folder.recursive(true).mode(0o700);
        folder
            .create(data_dir)
            .map_err(|source| StartError::DataDir {
                path: data_dir.clone(),
                source,
            })?;
        let lock = FileLock::take(&data_dir.join(LOCK_FILE))?;
        let store = match &home {
            Home::Forgetful => None,
            Home::Durable(location) => Some(MeshStore::open(location).await?),
        };
        let identity = match &store {
            Some(store) => identity_in(store, &config.identity_path()).await?,
            None => load_or_create_identity(&config.identity_path())?,
        };
        let sandbox = open_sandbox(config)?;
        let mut embedded = Embedded::default();
        let lightning = match &config.lightning {
            LightningSection::Node(wallet) => {
                let opened = mesh_lightning::open(wallet, config.mesh.network).await?;
                embedded = Embedded::of(&opened);
                Some(opened.node)
            }
            LightningSection::Module => brought.lightning,
            LightningSection::None | LightningSection::Sandbox { .. } => sandbox
                .clone()
                .map(|wallet| wallet as Arc<dyn LightningNode>),
        };
        let chain = match brought.chain {
            Some(chain) => Some(chain),
            None => open_chain(config).await?,
        };
        let link_config = LinkConfig {
            jitter_seed: seed()?,
            ..LinkConfig::default()
        };
        let listen_addr = config.mesh.listen_addr;
        let (links, events) =
            Links::start(*identity.secret_bytes(), Some(listen_addr), link_config)
                .await
                .map_err(|error| match error {
                    LinkError::Listen { .. } => StartError::Listen(error),
                    other => StartError::Links(other),
                })?;
        let peers = Arc::new(PeerBook::default());
        let node_api: Arc<dyn NodeAPI> = Arc::new(LinkedNode {
            links: links.clone(),
            peers: Arc::clone(&peers),
            lightning: lightning.clone(),
            chain,
            store: store.clone().map(|store| Arc::new(store) as Arc<dyn Store>),
            watcher: Arc::clone(&watcher),
        });
        let manager = MeshManager::start(config.mesh.clone(), identity, node_api).await?;
        dial(&links, config)?;
        let pump = Pump {
            manager: manager.clone(),
            peers,
            watcher,
        };
        Ok(Self {
            links,
            manager,
            home,
            store,
            sandbox,
            lightning,
            embedded,
            network: config.mesh.network,
            backend: config.lightning.backend(),
            pump: Mutex::new(Some(tokio::spawn(pump.run(events)))),
            _lock: lock,
        })
    }

    /// The node's mesh.
    pub const fn manager(&self) -> &MeshManager {
        &self.manager
    }

    /// To how many other nodes a way is known. In a large mesh it takes its time: not to be asked between packets.
    pub fn nodes_within_reach(&self) -> usize {
        within_reach(self.manager.engine().routes())
    }

    /// The node's links.
    pub const fn links(&self) -> &Links {
        &self.links
    }

    /// Where the node keeps its money.
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// The node's store, where it has one.
    pub const fn store(&self) -> Option<&MeshStore> {
        self.store.as_ref()
    }

    /// The node's sandbox wallet, where it has one.
    pub const fn sandbox(&self) -> Option<&Arc<SandboxLightning>> {
        self.sandbox.as_ref()
    }

    /// The node's wallet, whichever kind it is.
    pub(crate) const fn lightning(&self) -> Option<&Arc<dyn LightningNode>> {
        self.lightning.as_ref()
    }

    /// The Lightning node inside this one, where there is one.
    pub(crate) const fn embedded(&self) -> &Embedded {
        &self.embedded
    }

    /// The Bitcoin network whose invoices count.
    pub const fn network(&self) -> Network {
        self.network
    }

    /// Which kind of wallet quotes and pays.
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// Where other nodes may connect.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.links.local_addr()
    }

    /// Sends what is queued, closes the links, books what was earned, and waits until everything has come to rest.
    pub async fn shutdown(&self) {
        self.links.shutdown().await;
        let pump = self.pump.lock().take();
        if let Some(mut pump) = pump
            && timeout(LAST_DECISIONS, &mut pump).await.is_err()
        {
            tracing::warn!("packets that wait for a wallet or a store are dropped");
            pump.abort();
        }
        let answers = self.store.as_ref().is_none_or(MeshStore::is_reachable);
        let wait = if answers {
            LAST_BOOKING
        } else {
            LAST_DECISIONS
        };
        if timeout(wait, self.manager.close()).await.is_err() {
            tracing::error!("the store did not answer: what was earned last is not booked");
        }
        if timeout(LAST_DECISIONS, self.embedded.close())
            .await
            .is_err()
        {
            tracing::warn!(
                "the Lightning node is still stopping: what is cut off now, it finds again"
            );
        }
        if let Some(store) = &self.store
            && timeout(LAST_DECISIONS, store.close()).await.is_err()
        {
            tracing::error!("the store did not close");
        }
    }
}

fn open_sandbox(config: &NodeConfig) -> Result<Option<Arc<SandboxLightning>>, StartError> {
    let LightningSection::Sandbox { path: folder } = &config.lightning else {
        return Ok(None);
    };
    let key = load_or_create_identity(&config.node.data_dir.join(SANDBOX_KEY_FILE))?;
    let wallet = SandboxLightning::open(
        folder,
        &key.secret_bytes(),
        config.mesh.network,
        Arc::new(SystemClock),
    )?;
    Ok(Some(Arc::new(wallet)))
}

async fn open_chain(config: &NodeConfig) -> Result<Option<Arc<dyn ChainNode>>, StartError> {
    let Some(chain) = &config.chain else {
        return Ok(None);
    };
    let (node, warnings) = BitcoinRpc::open(chain, config.mesh.network).await?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(Some(Arc::new(node)))
}

fn dial(links: &Links, config: &NodeConfig) -> Result<(), StartError> {
    for peer in &config.mesh.peers {
        links
            .dial(peer.clone())
            .map_err(|source| StartError::peer(peer, source))?;
    }
    Ok(())
}

fn seed() -> Result<u64, StartError> {
    getrandom::u64().map_err(|error| StartError::Randomness(error.to_string()))
}

impl fmt::Debug for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brought")
            .field("chain", &self.chain.is_some())
            .field("lightning", &self.lightning.is_some())
            .finish()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}
