mod latency;
mod signer;
mod unpaid;
mod withheld;
mod words;

use crate::{
    Draft, MeshManager, Refusal, Refused, conditions::Conditions, manager::Shared,
    setup::wrong_setting,
};
use latency::Latencies;
use mesh_protocol::{ControlMessage, IdentityKey};
use mesh_routing::{
    DEFAULT_LINK_LATENCY_MS, Gossip, GossipCounts, GossipSetup, GraphChange, RoutingTable,
};
use mesh_types::{
    GossipMessage, KnownNode, MeshConfig, MeshError, Msat, NodeId, Price, Route, UnixTime,
};
use parking_lot::Mutex;
use signer::Signer;
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, watch};
use unpaid::Unpaid;
use words::{words, wrong_address};

/// How many messages wait to be sent to neighbours.
///
/// 1,024, because the longest take 45 MB, and because they wait only while the node takes no packets; what is beyond that is
/// lost, and found again by comparing.
const MAX_TO_SEND: usize = 1_024;

/// How many messages of neighbours wait for each other.
///
/// 64, because the longest take some 6 MB, and a node that is further behind should not hear more.
const MAX_TO_HEAR: usize = 64;

/// How long the task that drives it sleeps at most: a clock that was set is noticed then.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// How long it sleeps at least: a clock that stands still must not keep a core busy.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// What the mesh tells this node and this node tells the mesh: a [`Gossip`], driven by the node's clock and links.
pub(crate) struct Learning {
    state: Mutex<State>,
    settled: Settled,
    /// A place for each message that is being heard, or waits for that.
    hearing: Semaphore,
    /// Messages are heard one after the other, without a thread that waits.
    turn: AsyncMutex<()>,
    /// Locked after the state, never before it.
    unpaid: Mutex<Unpaid>,
    /// There is something to send, or something is due earlier.
    work: Arc<Notify>,
    /// Counts the times that the graph changed.
    news: watch::Sender<u64>,
}

/// Locked before the routing table, never after it.
struct State {
    gossip: Gossip<Signer>,
    to_send: VecDeque<(NodeId, GossipMessage)>,
    lost: u64,
    latencies: Latencies,
    /// Whether the node tells and hears; where it does not, it has no neighbours here.
    is_on: bool,
    /// Whose payments the chain has undone, linked now or not.
    suspended: HashSet<NodeId>,
}

/// What the settings say of nodes further away, which no announcement changes.
#[derive(Debug, Default)]
struct Settled {
    priced: HashSet<NodeId>,
    linked: HashSet<(NodeId, NodeId)>,
}

/// How much is known by announcements, and what became of those that came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LearningStatus {
    /// Nodes that are known by their announcements, this one included.
    pub known_nodes: usize,
    /// Announcements by what became of them.
    pub counts: GossipCounts,
    /// Messages that wait to be sent to neighbours.
    pub waiting: usize,
    /// Messages to neighbours that were lost, because their links were full or gone.
    pub lost: u64,
}

impl Learning {
    /// Starts without neighbours.
    ///
    /// # Errors
    /// [`MeshError::ConfigError`] when an address that is to be announced is none.
    pub(crate) fn start(
        config: &MeshConfig,
        identity: &IdentityKey,
        seed: [u8; 16],
        now: UnixTime,
    ) -> Result<Self, MeshError> {
        let setup = GossipSetup {
            local: identity.node_id(),
            words: words(config)?,
            signatures: Signer::of(identity).map_err(wrong_setting)?,
            seed,
        };
        let gossip = Gossip::new(setup, now).map_err(wrong_address)?;
        Ok(Self {
            state: Mutex::new(State {
                is_on: Conditions::of(config).learns(),
                gossip,
                to_send: VecDeque::new(),
                lost: 0,
                latencies: Latencies::default(),
                suspended: HashSet::new(),
            }),
            settled: Settled::of(&config.known_nodes),
            hearing: Semaphore::new(MAX_TO_HEAR),
            turn: AsyncMutex::default(),
            unpaid: Mutex::default(),
            work: Arc::default(),
            news: watch::Sender::default(),
        })
    }

    pub(crate) fn peer_up(&self, peer: NodeId, routes: &RoutingTable, now: UnixTime) {
        self.with(routes, |state| {
            if state.is_on {
                self.enter(state, peer, now);
            }
        });
    }

    fn enter(&self, state: &mut State, peer: NodeId, now: UnixTime) {
        // Until it is measured.
        let latency_ms = 2 * DEFAULT_LINK_LATENCY_MS;
        if let Err(error) = state.gossip.peer_up(peer, latency_ms, now) {
            tracing::debug!(%peer, %error, "a link that is not announced");
            return;
        }
        state.latencies.begin(peer, latency_ms, now);
        self.withhold(state, peer, now);
    }

    pub(crate) fn peer_down(&self, peer: &NodeId, routes: &RoutingTable, now: UnixTime) {
        self.with(routes, |state| state.strike(peer, now));
    }

    /// Takes how long a question to a neighbour and its answer took.
    fn measured(&self, peer: NodeId, took: Duration, routes: &RoutingTable, now: UnixTime) {
        self.with(routes, |state| {
            if let Some(latency_ms) = state.latencies.measured(&peer, took) {
                state.gossip.peer_latency(&peer, latency_ms, now);
                routes.set_link_latency(&routes.local(), &peer, latency_ms.div_ceil(2));
            }
        });
    }

    /// Asks neighbours for a node, unless it was asked for lately or has links; says whether waiting for news of it may help.
    pub(crate) fn find(&self, target: NodeId, routes: &RoutingTable, now: UnixTime) -> bool {
        self.with(routes, |state| {
            let is_linked = state.gossip.announcement(&target).is_some_and(|item| {
                let links = item.announcement.links.iter();
                links
                    .map(|link| link.node_id)
                    .any(|end| state.gives_its_word(&end, &target))
            });
            state.gossip.find(target, now);
            !is_linked
        })
    }

    /// Tells of changes of the graph, from now on.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(crate) fn status(&self) -> LearningStatus {
        let state = self.state.lock();
        LearningStatus {
            known_nodes: state.gossip.known_nodes(),
            counts: state.gossip.counts(),
            waiting: state.to_send.len(),
            lost: state.lost,
        }
    }

    /// What is known of a neighbour beside what the table has: where it is reached by its own word, how long a packet takes
    /// there and back, and whether its link is not announced, or it is not heard.
    pub(crate) fn neighbour(&self, peer: &NodeId, now: UnixTime) -> Neighbour {
        let state = self.state.lock();
        let said = state.gossip.announcement(peer);
        Neighbour {
            addresses: said.map_or_else(Vec::new, |item| item.announcement.addresses.clone()),
            latency_ms: state.latencies.of(peer),
            is_withheld: self.is_withheld(&state, peer),
            is_muted: state.gossip.is_muted(peer, now),
        }
    }

    /// What a node asks by its own signed word.
    pub(crate) fn announced_price(&self, node: &NodeId) -> Option<Price> {
        let state = self.state.lock();
        let said = state.gossip.announcement(node)?;
        Some(said.announcement.price)
    }

    /// Does what is due, and says whom to measure and until when there is nothing to do.
    fn tick(&self, routes: &RoutingTable, now: UnixTime) -> (Vec<NodeId>, Duration) {
        self.with(routes, |state| {
            let over = self.unpaid.lock().take_over(now);
            for peer in over {
                self.withhold(state, peer, now);
            }
            if state.gossip.wake_at() <= now {
                state.gossip.tick(now);
            }
            let sleep = state.gossip.wake_at().since(now);
            (state.latencies.due(now), sleep)
        })
    }

    fn next_to_send(&self) -> Option<(NodeId, GossipMessage)> {
        self.state.lock().to_send.pop_front()
    }

    /// Lets the gossip do something, then makes its changes in the table, in order, and takes what it has to say.
    fn with<T>(&self, routes: &RoutingTable, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let done = act(&mut state);
        let changes = state.gossip.take_changes();
        for change in &changes {
            self.settled.apply(*change, routes);
        }
        let messages = state.gossip.take_messages();
        let is_to_send = !messages.is_empty();
        for message in messages {
            if state.to_send.len() >= MAX_TO_SEND {
                state.lost = state.lost.saturating_add(1);
            } else {
                state.to_send.push_back(message);
            }
        }
        drop(state);
        if is_to_send {
            self.work.notify_one();
        }
        if !changes.is_empty() {
            self.news
                .send_modify(|count| *count = count.wrapping_add(1));
        }
        done
    }
}

impl State {
    fn strike(&mut self, peer: &NodeId, now: UnixTime) {
        self.gossip.peer_down(peer, now);
        self.latencies.end(peer);
        self.to_send.retain(|(to, _)| to != peer);
    }

    fn gives_its_word(&self, node: &NodeId, other: &NodeId) -> bool {
        let said = self.gossip.announcement(node);
        said.is_some_and(|item| item.announcement.link_with(other).is_some())
    }
}

/// What is known of a neighbour beside what the routing table has.
#[derive(Debug, Default)]
pub(crate) struct Neighbour {
    pub(crate) addresses: Vec<String>,
    pub(crate) latency_ms: Option<u32>,
    pub(crate) is_withheld: bool,
    pub(crate) is_muted: bool,
}

impl Settled {
    fn of(nodes: &[KnownNode]) -> Self {
        let mut settled = Self::default();
        for node in nodes {
            if price_of(node) != Price::FREE {
                settled.priced.insert(node.node_id);
            }
            let links = node.linked_with.iter();
            settled
                .linked
                .extend(links.map(|other| in_order(node.node_id, *other)));
        }
        settled
    }

    /// Makes a change in the table, unless the settings say otherwise. A change for which there is no room is not made.
    fn apply(&self, change: GraphChange, routes: &RoutingTable) {
        let is_settled = match change {
            GraphChange::Unlink { a, b } => self.linked.contains(&in_order(a, b)),
            GraphChange::Price { node, .. } => self.priced.contains(&node),
            GraphChange::Link { .. } | GraphChange::Room { .. } => false,
        };
        if !is_settled && let Err(error) = change.apply_to(routes) {
            tracing::debug!(?change, %error, "news for which there is no room");
        }
    }
}

impl MeshManager {
    /// Hears what a neighbour says about announcements.
    ///
    /// Signatures and comparisons take their time, so it is heard beside other packets and not before them.
    pub(crate) async fn learn(&self, from: NodeId, message: GossipMessage) -> Result<(), Refused> {
        let busy = |reason: &str| {
            let refusal = Refusal::Busy(reason.to_owned());
            self.engine().refuse(refusal, None)
        };
        let Some(learning) = self.shared.learning() else {
            return Err(busy("nothing is learned in this mode"));
        };
        let Ok(_place) = learning.hearing.try_acquire() else {
            return Err(busy("too much is said about announcements"));
        };
        tokio::task::yield_now().await;
        let _turn = learning.turn.lock().await;
        let now = self.shared.node_api.now();
        learning.with(self.engine().routes(), |state| {
            state.gossip.message(from, message, now);
        });
        // What is due by it may be earlier than what the task waits for.
        learning.work.notify_one();
        Ok(())
    }

    /// The packet that carries a message to a neighbour, and no further.
    fn to_neighbour(&self, peer: NodeId, message: &ControlMessage) -> Result<Draft, MeshError> {
        let route = Route::new(vec![self.node_id(), peer]);
        let route = route.map_err(|error| MeshError::RoutingError(error.to_string()))?;
        Draft::control(route, message, None)
    }

    /// Sends what waits for neighbours. What a link does not take is lost: it is found again by comparing.
    async fn send_gossip(&self, learning: &Learning) {
        while let Some((to, message)) = learning.next_to_send() {
            let sent = async {
                let draft = self.to_neighbour(to, &ControlMessage::Gossip(message))?;
                let composed = self.compose(draft).await?;
                self.transmit(composed.next, composed.bytes).await
            };
            if let Err(error) = sent.await {
                tracing::debug!(%to, %error, "news were not sent");
                let mut state = learning.state.lock();
                state.lost = state.lost.saturating_add(1);
            }
        }
    }
}

/// Drives the learning of a mesh until the mesh is gone.
pub(crate) async fn keep_learning(mesh: Weak<Shared>) {
    loop {
        let Some(shared) = mesh.upgrade() else { return };
        let manager = MeshManager { shared };
        let learning = &manager.shared.learning;
        let now = manager.shared.node_api.now();
        let (to_measure, sleep) = learning.tick(manager.engine().routes(), now);
        for peer in to_measure {
            tokio::spawn(latency::measure(manager.clone(), peer));
        }
        manager.send_gossip(learning).await;
        let work = Arc::clone(&learning.work);
        drop(manager);
        let sleep = sleep.clamp(SHORTEST_SLEEP, LONGEST_SLEEP);
        let _ = tokio::time::timeout(sleep, work.notified()).await;
    }
}

/// What a configured node asks.
pub(crate) fn price_of(node: &KnownNode) -> Price {
    Price {
        per_packet: Msat::from_msat(node.price_per_packet_msat),
        per_kib: Msat::from_msat(node.price_per_kib_msat),
    }
}

fn in_order(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}
