use super::{ChannelPlan, Desk, NetworkError};
use crate::RpcAccess;
use bitcoin::{Network, ScriptBuf, secp256k1::PublicKey};
use ldk_node::{
    Builder, Node,
    lightning::{ln::msgs::SocketAddress, routing::gossip::NodeAlias},
};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{runtime::Runtime, sync::Notify};

/// Threads of a node's runtime: its networking and its chain polling have to run next to each other.
const THREADS: usize = 2;

/// How long tasks of a node that was stopped may go on.
const LINGER: Duration = Duration::from_secs(2);

/// The file with the invoices of a node's fronts.
const BOOK: &str = "desk.json";

/// What a node is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PeerConfig {
    /// Its name, of 32 bytes at most, which it also tells the network.
    pub name: String,
    /// Where it keeps everything.
    pub folder: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The chain.
    pub rpc: RpcAccess,
}

impl PeerConfig {
    /// A node that listens on a port of this machine that is free now.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(name: &str, folder: PathBuf, rpc: RpcAccess) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self {
            name: name.to_owned(),
            folder,
            listen: listener.local_addr()?,
            rpc,
        })
    }
}

/// An LDK node that can be stopped, and started again from its folder.
///
/// It takes care of the node's events. Payments of invoices that its fronts issued are claimed as soon as they arrive,
/// unless [`Peer::hold`] says otherwise.
pub struct Peer {
    config: PeerConfig,
    node_id: PublicKey,
    holds: Arc<AtomicBool>,
    running: RwLock<Option<Running>>,
}

struct Running {
    node: Arc<Node>,
    desk: Arc<Desk>,
    stop: Arc<Notify>,
    pump: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl Peer {
    /// Makes a node, or finds the one that its folder has, and starts it.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn start(config: PeerConfig) -> Result<Self, NetworkError> {
        let holds = Arc::new(AtomicBool::new(false));
        let running = Running::start(&config, &holds)?;
        Ok(Self {
            node_id: running.node.node_id(),
            config,
            holds,
            running: RwLock::new(Some(running)),
        })
    }

    /// Starts it again after [`Peer::stop`].
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn start_again(&self) -> Result<(), NetworkError> {
        let mut running = self.running.write();
        if running.is_none() {
            *running = Some(Running::start(&self.config, &self.holds)?);
        }
        Ok(())
    }

    /// Stops it, if it runs. What others still hold of the node does nothing any more.
    pub fn stop(&self) {
        let running = self.running.write().take();
        drop(running);
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.running.read().is_some()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Where it keeps everything.
    pub fn config(&self) -> &PeerConfig {
        &self.config
    }

    /// The public key that it is known by, and that signs its invoices.
    pub fn node_id(&self) -> PublicKey {
        self.node_id
    }

    /// The node itself. Its events are taken already; do not take them.
    ///
    /// # Errors
    /// [`NetworkError::NotRunning`]
    pub fn node(&self) -> Result<Arc<Node>, NetworkError> {
        Ok(self.both()?.0)
    }

    /// Lets payments of its fronts' invoices wait from now on, instead of claiming them.
    pub fn hold(&self, holds: bool) {
        self.holds.store(holds, Ordering::SeqCst);
    }

    /// The payment hashes of what is held.
    ///
    /// # Errors
    /// [`NetworkError::NotRunning`]
    pub fn held(&self) -> Result<Vec<[u8; 32]>, NetworkError> {
        Ok(self.both()?.1.held())
    }

    /// Claims a payment that is held.
    ///
    /// # Errors
    /// [`NetworkError::NotHeld`]
    pub fn claim(&self, payment_hash: [u8; 32]) -> Result<(), NetworkError> {
        let (node, desk) = self.both()?;
        desk.claim(&node, payment_hash)
    }

    /// Gives a payment that is held back.
    ///
    /// # Errors
    /// [`NetworkError::NotHeld`]
    pub fn cancel(&self, payment_hash: [u8; 32]) -> Result<(), NetworkError> {
        let (node, desk) = self.both()?;
        desk.cancel(&node, payment_hash)
    }

    /// Waits until it has seen the newest block.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn sync(&self) -> Result<(), NetworkError> {
        let node = self.node()?;
        apart(|| Ok(node.sync_wallets()?))
    }

    /// Connects it with another, to which it connects by itself after it was started again.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn connect(&self, other: &Self) -> Result<(), NetworkError> {
        let node = self.node()?;
        apart(|| Ok(node.connect(other.node_id, other.address(), true)?))
    }

    pub(super) fn disconnect(&self, other: &Self) -> Result<(), NetworkError> {
        Ok(self.node()?.disconnect(other.node_id)?)
    }

    pub(super) fn is_connected_with(&self, other: &Self) -> Result<bool, NetworkError> {
        let peers = self.node()?.list_peers();
        let mut connected = peers.iter().filter(|peer| peer.is_connected);
        Ok(connected.any(|peer| peer.node_id == other.node_id))
    }

    /// Where others connect to it.
    pub fn address(&self) -> SocketAddress {
        self.config.listen.into()
    }

    pub(crate) fn both(&self) -> Result<(Arc<Node>, Arc<Desk>), NetworkError> {
        let running = self.running.read();
        let running = running.as_ref();
        let running = running.ok_or_else(|| NetworkError::NotRunning(self.name().to_owned()))?;
        Ok((Arc::clone(&running.node), Arc::clone(&running.desk)))
    }

    pub(super) fn new_script(&self) -> Result<ScriptBuf, NetworkError> {
        Ok(self
            .node()?
            .onchain_payment()
            .new_address()?
            .script_pubkey())
    }

    pub(super) fn open_channel(
        &self,
        other: &Self,
        plan: &ChannelPlan,
    ) -> Result<(), NetworkError> {
        let node = self.node()?;
        let pushed = plan.pushed.to_sat().saturating_mul(1_000);
        apart(|| {
            let (id, address) = (other.node_id, other.address());
            let sats = plan.capacity.to_sat();
            node.open_announced_channel(id, address, sats, Some(pushed), None)?;
            Ok(())
        })
    }

    pub(super) fn has_channel_with(&self, other: &Self) -> Result<bool, NetworkError> {
        let channels = self.node()?.list_channels();
        let mut with_other = channels
            .iter()
            .filter(|channel| channel.counterparty_node_id == other.node_id);
        Ok(with_other.any(|channel| channel.is_usable))
    }

    /// Whether gossip has told it of that many channels, with the fees of both directions.
    pub(super) fn knows_channels(&self, count: usize) -> Result<bool, NetworkError> {
        let graph = self.node()?.network_graph();
        let channels = graph.list_channels();
        let complete = channels.into_iter().filter_map(|id| graph.channel(id));
        let complete =
            complete.filter(|info| info.one_to_two.is_some() && info.two_to_one.is_some());
        Ok(complete.count() >= count)
    }
}

impl Running {
    fn start(config: &PeerConfig, holds: &Arc<AtomicBool>) -> Result<Self, NetworkError> {
        std::fs::create_dir_all(&config.folder)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()?;
        let mut builder = Builder::new();
        let mut alias = [0; 32];
        for (to, from) in alias.iter_mut().zip(config.name.bytes()) {
            *to = from;
        }
        let folder = config.folder.to_string_lossy().into_owned();
        builder
            .set_runtime(runtime.handle().clone())
            .set_network(Network::Regtest)
            .set_storage_dir_path(folder)
            .set_listening_addresses(vec![config.listen.into()])?
            .set_node_alias(NodeAlias(alias).to_string())?
            .set_chain_source_bitcoind_rpc(
                config.rpc.address.ip().to_string(),
                config.rpc.address.port(),
                config.rpc.user.clone(),
                config.rpc.password.clone(),
            );
        let desk = Arc::new(Desk::open(config.folder.join(BOOK), Arc::clone(holds))?);
        let node = apart(|| {
            let node = builder.build()?;
            node.start()?;
            Ok(Arc::new(node))
        })?;
        desk.resume(&node)?;
        let stop = Arc::new(Notify::new());
        let pump = {
            let (node, desk, stop) = (Arc::clone(&node), Arc::clone(&desk), Arc::clone(&stop));
            let handle = runtime.handle().clone();
            let thread = thread::Builder::new().name(format!("events of {}", config.name));
            thread.spawn(move || {
                let next = || {
                    handle.block_on(async {
                        tokio::select! {
                            event = node.next_event_async() => Some(event),
                            () = stop.notified() => None,
                        }
                    })
                };
                while let Some(event) = next() {
                    // What cannot be written down comes again when the node is started again.
                    if desk.take(&node, &event).is_err() || node.event_handled().is_err() {
                        return;
                    }
                }
            })?
        };
        Ok(Self {
            node,
            desk,
            stop,
            pump: Some(pump),
            runtime: Some(runtime),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(pump) = self.pump.take() {
            // A thread that panicked has said so.
            let _ = pump.join();
        }
        let runtime = self.runtime.take();
        let node = &self.node;
        // A node that does not stop has said why in its log, and its runtime ends all the same.
        let _ = apart(|| {
            let _ = node.stop();
            if let Some(runtime) = runtime {
                runtime.shutdown_timeout(LINGER);
            }
            Ok(())
        });
    }
}

/// Does something on a thread of its own, where a node may block, whatever runtime the caller is in.
fn apart<T: Send>(
    work: impl FnOnce() -> Result<T, NetworkError> + Send,
) -> Result<T, NetworkError> {
    let done = thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|_| Err(io::Error::other("a thread panicked").into()))
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("name", &self.config.name)
            .field("node_id", &self.node_id)
            .field("is_running", &self.is_running())
            .finish_non_exhaustive()
    }
}
