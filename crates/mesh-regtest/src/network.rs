mod book;
mod desk;
mod error;
mod peer;
mod plan;
mod wait;

use crate::Regtest;
use bitcoin::Amount;
pub use book::MAX_INVOICES;
pub(crate) use book::{Book, Invoice, State};
pub(crate) use desk::{Desk, DeskError, Outgoing, Wanted};
pub use error::NetworkError;
use ldk_node::payment::{PaymentDirection, PaymentKind, PaymentStatus};
pub use peer::{Peer, PeerConfig};
pub use plan::{ChannelPlan, Plan};
use std::time::Duration;
use std::{fmt, sync::Arc};
use tempfile::TempDir;
use wait::comes_true;
pub use wait::{PATIENCE, wait_until};

/// Blocks after which a channel is ready, and told to the network.
const CONFIRMATIONS: u32 = 6;

/// What a node keeps on the chain to be able to close its channels.
const RESERVE: Amount = Amount::from_sat(200_000);

/// How long gossip takes when nothing of it is lost, and more.
const GOSSIP_PATIENCE: Duration = Duration::from_secs(3);

/// How often nodes connect anew to hear of channels.
const GOSSIP_ROUNDS: u32 = 5;

/// LDK nodes in this process, with channels between them, on a chain of their own: the one of [`Regtest::start`].
///
/// Its functions wait for what they do, for [`PATIENCE`] at most. When it is dropped, its nodes stop and their folders are
/// removed.
pub struct LightningNetwork {
    peers: Vec<Arc<Peer>>,
    channels: Vec<(usize, usize)>,
    chain: Regtest,
    _folder: TempDir,
}

impl LightningNetwork {
    /// Starts nodes and opens their channels, and comes back when payments can go over them.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn start(plan: &Plan) -> Result<Self, NetworkError> {
        let folder = tempfile::tempdir()?;
        let chain = Regtest::start()?;
        let rpc = chain.access();
        let peers = plan.nodes.iter().map(|name| {
            let config = PeerConfig::new(name, folder.path().join(name), rpc.clone())?;
            Ok(Arc::new(Peer::start(config)?))
        });
        let peers = peers.collect::<Result<Vec<_>, NetworkError>>()?;
        let network = Self {
            peers,
            channels: plan.ends()?,
            chain,
            _folder: folder,
        };
        network.fund(plan)?;
        network.open(plan)?;
        Ok(network)
    }

    /// Starts three nodes in a line, `a`, `b` and `c`, with enough on both sides of each channel.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn line() -> Result<Self, NetworkError> {
        Self::start(&Plan::line(&["a", "b", "c"]))
    }

    /// The chain that the nodes follow.
    pub fn chain(&self) -> &Regtest {
        &self.chain
    }

    /// The node of a name.
    ///
    /// # Errors
    /// [`NetworkError::NoPeer`]
    pub fn peer(&self, name: &str) -> Result<&Arc<Peer>, NetworkError> {
        let peer = self.peers.iter().find(|peer| peer.name() == name);
        peer.ok_or_else(|| NetworkError::NoPeer(name.to_owned()))
    }

    /// What `payer` has paid and `payee` has received over channels, in millisatoshi, where nobody else pays or is paid; `None`
    /// while something is on its way.
    ///
    /// # Errors
    /// [`NetworkError::NoPeer`], and when one of them does not run.
    pub fn moved_msat(&self, payer: &str, payee: &str) -> Result<Option<u64>, NetworkError> {
        let sum = |name, direction, status| {
            let node = self.peer(name)?.node()?;
            let found = node.list_payments_with_filter(|payment| {
                let is_on_chain = matches!(payment.kind, PaymentKind::Onchain { .. });
                payment.direction == direction && payment.status == status && !is_on_chain
            });
            let amounts = found.iter().filter_map(|payment| payment.amount_msat);
            Ok::<u64, NetworkError>(amounts.sum())
        };
        let on_its_way = sum(payer, PaymentDirection::Outbound, PaymentStatus::Pending)?;
        let sent = sum(payer, PaymentDirection::Outbound, PaymentStatus::Succeeded)?;
        let received = sum(payee, PaymentDirection::Inbound, PaymentStatus::Succeeded)?;
        Ok((on_its_way == 0 && sent == received).then_some(sent))
    }

    /// Mines blocks, and waits until every node that runs has seen them.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn mine(&self, blocks: u32) -> Result<(), NetworkError> {
        self.chain.mine(blocks)?;
        self.sync()
    }

    /// Waits until every node that runs has seen the newest block.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn sync(&self) -> Result<(), NetworkError> {
        let running = self.peers.iter().filter(|peer| peer.is_running());
        running.into_iter().try_for_each(|peer| peer.sync())
    }

    /// Stops a node, starts it again from its folder, and waits until its channels to nodes that run can be used.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn restart(&self, name: &str) -> Result<(), NetworkError> {
        let peer = self.peer(name)?;
        peer.stop();
        peer.start_again()?;
        self.reconnect(name)
    }

    /// Connects a node with its neighbours that run, and waits until the channels between them can be used.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn reconnect(&self, name: &str) -> Result<(), NetworkError> {
        let peer = self.peer(name)?;
        for other in self.neighbours(peer).filter(|other| other.is_running()) {
            join(peer, other)?;
        }
        Ok(())
    }

    fn neighbours<'a>(&'a self, peer: &'a Peer) -> impl Iterator<Item = &'a Arc<Peer>> {
        let is_peer = |at: usize| {
            self.peers
                .get(at)
                .is_some_and(|at| at.name() == peer.name())
        };
        self.channels.iter().filter_map(move |(from, to)| {
            let other = match () {
                () if is_peer(*from) => to,
                () if is_peer(*to) => from,
                () => return None,
            };
            self.peers.get(*other)
        })
    }

    /// Gives each node its reserve, and what its channels take.
    fn fund(&self, plan: &Plan) -> Result<(), NetworkError> {
        for peer in &self.peers {
            let own = plan
                .channels
                .iter()
                .filter(|channel| channel.from == peer.name());
            for channel in own {
                let amount = channel.capacity.checked_add(RESERVE).unwrap_or(RESERVE);
                self.chain.fund(peer.new_script()?, amount)?;
            }
            self.chain.fund(peer.new_script()?, RESERVE)?;
        }
        self.mine(1)
    }

    fn open(&self, plan: &Plan) -> Result<(), NetworkError> {
        for (count, channel) in (1..).zip(&plan.channels) {
            let (from, to) = (self.peer(&channel.from)?, self.peer(&channel.to)?);
            from.open_channel(to, channel)?;
            wait_until("the transaction that funds a channel", || {
                Ok(self.chain.mempool()?.len() >= count)
            })?;
        }
        // Not one block more: an invoice names the way to its node only while its channels are this young.
        self.mine(CONFIRMATIONS)?;
        for (from, to) in self.channel_ends() {
            join(from, to)?;
        }
        self.spread(plan.channels.len())
    }

    fn channel_ends(&self) -> impl Iterator<Item = (&Peer, &Peer)> {
        let ends = self.channels.iter();
        ends.filter_map(|(from, to)| Some((&**self.peers.get(*from)?, &**self.peers.get(*to)?)))
    }

    /// Waits until every node knows every channel: later blocks take the way out of the invoices.
    ///
    /// A node tells of a channel once, and whoever cannot check it just then forgets it, until it connects anew and asks.
    fn spread(&self, channels: usize) -> Result<(), NetworkError> {
        for _ in 0..GOSSIP_ROUNDS {
            let all_know = || {
                let mut all = self.peers.iter();
                all.try_fold(true, |all, peer| Ok(all && peer.knows_channels(channels)?))
            };
            if comes_true(GOSSIP_PATIENCE, all_know)? {
                return Ok(());
            }
            for (from, to) in self.channel_ends() {
                from.disconnect(to)?;
                wait_until("two nodes to part", || {
                    Ok(!from.is_connected_with(to)? && !to.is_connected_with(from)?)
                })?;
                join(from, to)?;
            }
        }
        let what = "all nodes to know all channels".to_owned();
        Err(NetworkError::TimedOut(what))
    }
}

impl Drop for LightningNetwork {
    fn drop(&mut self) {
        // A front may keep a node, which must not go on when its folder is gone.
        for peer in &self.peers {
            peer.stop();
        }
    }
}

/// Connects two nodes, if they are not, and waits until the channel between them can be used.
fn join(from: &Peer, to: &Peer) -> Result<(), NetworkError> {
    wait_until("a channel to be usable", || {
        if !from.is_connected_with(to)? {
            // Refused while the other end has not seen yet that the last connection has ended: the next look tries again.
            let _ = from.connect(to);
        }
        Ok(from.has_channel_with(to)? && to.has_channel_with(from)?)
    })
}

impl fmt::Debug for LightningNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LightningNetwork")
            .field("peers", &self.peers)
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}
