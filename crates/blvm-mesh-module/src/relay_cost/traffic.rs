use super::RelayCostError;
use crate::regtest::{DEADLINE, RealHome, linked_with};
use blvm_mesh::{MeshConfig, MeshMode, Msat, NodeId, SendOptions, SpendingConfig};
use blvm_mesh_node::{Node, config::LightningSection};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

/// Paid packets that are sent over the nodes.
pub(super) const PACKETS_A_SECOND: u64 = 100;

/// Settings of `[mesh]` of a node that carries them.
pub(super) const PRICES: &str = "price_per_packet_msat = 1000\nprice_per_kib_msat = 0";

/// How many bytes each brings.
const PAYLOAD_LEN: usize = 1_000;

/// How many may be on their way at one time.
const AT_ONCE: usize = 64;

/// How often is looked whether there is a way.
const LOOK: Duration = Duration::from_millis(200);

/// Two nodes of the mesh in this process, at both ends of a way over two real nodes.
pub(super) struct Traffic {
    source: Arc<Node>,
    destination: Arc<Node>,
}

/// Packets that are being sent.
pub(super) struct Flow {
    tasks: JoinSet<()>,
    began: Instant,
    delivered: Arc<AtomicU64>,
}

impl Traffic {
    /// Starts both, and sends a packet, which pays for many.
    pub(super) async fn between(
        root: &Path,
        near: &RealHome,
        far: &RealHome,
    ) -> Result<Self, RelayCostError> {
        let source = end(root, "source", near).await?;
        let destination = end(root, "destination", far).await?;
        let traffic = Self {
            source: Arc::new(source),
            destination: Arc::new(destination),
        };
        let until = Instant::now() + DEADLINE;
        loop {
            match send(&traffic.source, traffic.destination()).await {
                Ok(()) => return Ok(traffic),
                Err(why) if Instant::now() > until => return Err(RelayCostError::Traffic(why)),
                Err(_) => sleep(LOOK).await,
            }
        }
    }

    fn destination(&self) -> NodeId {
        self.destination.manager().node_id()
    }

    /// Begins to send.
    pub(super) fn flow(&self) -> Flow {
        let delivered = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        let arrived = self.destination.manager().clone();
        tasks.spawn(async move {
            loop {
                arrived.next_delivery().await;
            }
        });
        let (source, destination) = (Arc::clone(&self.source), self.destination());
        let count = Arc::clone(&delivered);
        tasks.spawn(async move {
            let mut due = interval(Duration::from_secs(1).div_f64(PACKETS_A_SECOND as f64));
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let places = Arc::new(Semaphore::new(AT_ONCE));
            let mut under_way = JoinSet::new();
            loop {
                due.tick().await;
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    return;
                };
                let (source, count) = (Arc::clone(&source), Arc::clone(&count));
                under_way.spawn(async move {
                    if send(&source, destination).await.is_ok() {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    drop(place);
                });
                while under_way.try_join_next().is_some() {}
            }
        });
        Flow {
            tasks,
            began: Instant::now(),
            delivered,
        }
    }
}

impl Flow {
    /// Ends it, and says how many packets were delivered in a second.
    pub(super) async fn stop(mut self) -> f64 {
        let took = self.began.elapsed().as_secs_f64();
        self.tasks.shutdown().await;
        self.delivered.load(Ordering::Relaxed) as f64 / took
    }
}

/// Starts a node in this process that is linked with a real one.
async fn end(root: &Path, name: &str, linked: &RealHome) -> Result<Node, RelayCostError> {
    let mesh = MeshConfig {
        mode: MeshMode::Open,
        spending: SpendingConfig {
            per_route_msat: u64::MAX,
            per_peer_per_day_msat: u64::MAX,
            per_day_msat: u64::MAX,
            fee_share_permille: 1_000,
            ..SpendingConfig::default()
        },
        ..MeshConfig::default()
    };
    let sandbox = LightningSection::Sandbox {
        path: root.join("sandbox"),
    };
    let node = linked_with(linked, &root.join(name), sandbox, mesh).await;
    node.map_err(|error| RelayCostError::Traffic(error.to_string()))
}

async fn send(source: &Node, destination: NodeId) -> Result<(), String> {
    let options = SendOptions {
        limit: Msat::from_msat(100_000_000),
        packets_ahead: 1_000,
        ..SendOptions::default()
    };
    let sent = source
        .manager()
        .send(destination, vec![7; PAYLOAD_LEN], options);
    sent.await.map(drop).map_err(|error| error.to_string())
}
