use super::{
    error::Cause,
    witness::{Seen, Witness},
};
use crate::{
    Home, Node,
    config::{LightningSection, NodeConfig, NodeSection},
};
use blvm_mesh::{
    KnownNode, MeshConfig, MeshError, MeshEvent, MeshManager, MeshMode, Msat, Network, NodeId,
    PeerAddress, RefusalReason, SpendingConfig,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};

/// What the relay asks for a packet. The two prices make a fee of which 60, 30 and 10 percent are whole satoshi.
pub(super) const RELAY_PRICE: Msat = Msat::from_msat(3_000);
/// What the destination asks for a packet.
pub(super) const DESTINATION_PRICE: Msat = Msat::from_msat(6_000);

/// How long one thing may take to happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What the nodes of the story pay with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Money {
    /// Play money.
    Sandbox,
    /// Channels of LDK nodes, on a chain of the demo's own.
    #[cfg_attr(
        not(feature = "ldk"),
        expect(dead_code, reason = "there are no LDK nodes then")
    )]
    Lightning,
}

/// The three nodes of the story.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) money: Money,
    pub(super) source: Actor,
    pub(super) relay: Actor,
    pub(super) destination: Actor,
    _folder: TempDir,
}

/// A node of the story, and what has been seen on it.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) name: &'static str,
    pub(super) node: Node,
    seen: mpsc::Receiver<Seen>,
    /// Claims that nobody has waited for yet.
    claims: Vec<Seen>,
    /// What it has paid in the story: each amount, and its payment hash.
    pub(super) payments: Vec<(Msat, [u8; 32])>,
}

/// What a node of the story has taken and earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Books {
    pub(super) deposited: Msat,
    pub(super) credit: Msat,
    pub(super) earned: Msat,
}

impl Stage {
    /// Starts the three nodes and waits until they are linked: source, relay, destination, in a line.
    ///
    /// - `wallet`: the wallet of a node, by the folder of all and its name.
    pub(super) async fn set(
        relay_mode: MeshMode,
        money: Money,
        wallet: impl Fn(&Path, &str) -> LightningSection,
    ) -> Result<Self, Cause> {
        let folder = tempfile::tempdir()?;
        let wallet = |name: &str| wallet(folder.path(), name);
        let relay_mesh = MeshConfig {
            mode: relay_mode,
            ..priced(RELAY_PRICE)
        };
        let mut relay = Actor::start("relay", folder.path(), relay_mesh, wallet("relay")).await?;
        let destination_mesh = MeshConfig {
            peers: vec![relay.address()?],
            ..priced(DESTINATION_PRICE)
        };
        let place = folder.path();
        let purse = wallet("destination");
        let mut destination = Actor::start("destination", place, destination_mesh, purse).await?;
        let source_mesh = MeshConfig {
            mode: MeshMode::Open,
            peers: vec![relay.address()?],
            known_nodes: vec![
                known(relay.id(), RELAY_PRICE, vec![destination.id()]),
                known(destination.id(), DESTINATION_PRICE, vec![relay.id()]),
            ],
            ..priced(Msat::ZERO)
        };
        let mut source = Actor::start("source", place, source_mesh, wallet("source")).await?;
        for actor in [&mut source, &mut destination] {
            actor.expect_link().await?;
        }
        relay.expect_link().await?;
        relay.expect_link().await?;
        Ok(Self {
            money,
            source,
            relay,
            destination,
            _folder: folder,
        })
    }

    /// Stops the three nodes.
    pub(super) async fn leave(self) {
        for actor in [&self.source, &self.destination, &self.relay] {
            actor.node.shutdown().await;
        }
    }

    /// The books of the two nodes that are paid.
    pub(super) async fn books(&self) -> Result<[Books; 2], Cause> {
        Ok([self.relay.books().await?, self.destination.books().await?])
    }

    /// Forgets what has been seen so far, so that the next thing seen is of the next step.
    pub(super) fn forget(&mut self) {
        for actor in [&mut self.source, &mut self.relay, &mut self.destination] {
            while let Ok(seen) = actor.seen.try_recv() {
                actor.pass(seen);
            }
        }
    }
}

impl Actor {
    pub(super) async fn start(
        name: &'static str,
        folder: &Path,
        mesh: MeshConfig,
        lightning: LightningSection,
    ) -> Result<Self, Cause> {
        let data_dir = folder.join(name);
        let config = NodeConfig {
            mesh,
            node: NodeSection {
                control_socket: data_dir.join("control.sock"),
                ..NodeSection::in_folder(data_dir)
            },
            lightning,
            chain: None,
        };
        let (witness, seen) = Witness::new();
        let node = Node::start(&config, Home::Forgetful, Arc::new(witness)).await;
        let node = node.map_err(|source| Cause::Start { who: name, source })?;
        Ok(Self {
            name,
            node,
            seen,
            claims: Vec::new(),
            payments: Vec::new(),
        })
    }

    pub(super) fn id(&self) -> NodeId {
        self.node.manager().node_id()
    }

    pub(super) fn mesh(&self) -> &MeshManager {
        self.node.manager()
    }

    /// Where the node listens.
    pub(super) fn listens_at(&self) -> Result<SocketAddr, Cause> {
        self.node.local_addr().ok_or(Cause::Unseen {
            who: self.name,
            what: "an address to listen on",
            within: Duration::ZERO,
        })
    }

    pub(super) async fn books(&self) -> Result<Books, Cause> {
        let money = self.mesh().status().await.money;
        let money = money.map_err(|error| Cause::Mesh {
            doing: "reading the books",
            source: MeshError::Busy(error.to_string()),
        })?;
        Ok(Books {
            deposited: money.deposited,
            credit: money.credit,
            earned: money.earned,
        })
    }

    /// How often the node has refused for this reason.
    pub(super) fn refusals(&self, reason: RefusalReason) -> u64 {
        let refusals = self.mesh().engine().refusals();
        refusals.get(&reason).copied().unwrap_or(0)
    }

    /// Waits until something is seen on the node that `pick` picks.
    pub(super) async fn expect<T>(
        &mut self,
        what: &'static str,
        mut pick: impl FnMut(&Seen) -> Option<T>,
    ) -> Result<T, Cause> {
        let mut found = None;
        self.claims.retain(|seen| {
            if found.is_none() {
                found = pick(seen);
                return found.is_none();
            }
            true
        });
        if let Some(found) = found {
            return Ok(found);
        }
        let wait = async {
            while let Some(seen) = self.seen.recv().await {
                if let Some(picked) = pick(&seen) {
                    return Some(picked);
                }
                self.pass(seen);
            }
            None
        };
        let found = timeout(PATIENCE, wait).await.ok().flatten();
        found.ok_or(Cause::Unseen {
            who: self.name,
            what,
            within: PATIENCE,
        })
    }

    /// Lets a thing go by that nobody waits for now. A payment may be told of by the wallet before its packet comes.
    fn pass(&mut self, seen: Seen) {
        if let Seen::Published(MeshEvent::PaymentVerified { .. }) = seen {
            self.claims.push(seen);
        }
    }

    /// Waits until the node knows of another link.
    pub(super) async fn expect_link(&mut self) -> Result<(), Cause> {
        let linked = |seen: &Seen| matches!(seen, Seen::Linked).then_some(());
        self.expect("a link with its peer", linked).await
    }

    pub(super) fn address(&self) -> Result<PeerAddress, Cause> {
        Ok(PeerAddress {
            node_id: self.id(),
            address: self.listens_at()?.to_string(),
        })
    }
}

pub(super) fn priced(price: Msat) -> MeshConfig {
    MeshConfig {
        listen_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        network: Network::Regtest,
        price_per_packet_msat: price.to_msat(),
        price_per_kib_msat: 0,
        // The sums of the story are so small that routing one of them costs more than a fiftieth.
        spending: SpendingConfig {
            fee_share_permille: 1_000,
            ..SpendingConfig::default()
        },
        ..MeshConfig::default()
    }
}

fn known(node_id: NodeId, price: Msat, linked_with: Vec<NodeId>) -> KnownNode {
    KnownNode {
        node_id,
        price_per_packet_msat: price.to_msat(),
        price_per_kib_msat: 0,
        linked_with,
    }
}
