use crate::alternatives::{alternatives, last_resort};
use crate::cache::{Answer, Question, RouteCache};
use crate::effect::{Effect, Place};
use crate::graph::Graph;
use crate::learning::Learned;
use crate::least_total::least_total;
use crate::link::{Link, Room};
use crate::{
    DEFAULT_LINK_LATENCY_MS, FeeDistribution, FoundRoute, MAX_ALTERNATIVES, RouteQuote,
    RoutingError, split,
};
use mesh_types::{Msat, NodeId, Price, Route};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What this node knows of the mesh, and the ways through it.
///
/// A route starts with a connected peer; further on it follows the links that were added. A node is remembered while it
/// is connected, linked or priced. Routes that were found are remembered until a change could make them others.
#[derive(Debug)]
pub struct RoutingTable {
    local: NodeId,
    graph: RwLock<Graph>,
    /// Locked after the graph, never before it.
    cache: RwLock<RouteCache>,
    /// Locked before the graph, never after it.
    pub(crate) learned: Mutex<Learned>,
    refused_peers: AtomicU64,
    searches: AtomicU64,
    changes: AtomicU64,
}

impl RoutingTable {
    /// Makes a table that knows nobody but the local node.
    pub fn new(local: NodeId) -> Self {
        Self {
            local,
            graph: RwLock::new(Graph::new(local)),
            cache: RwLock::default(),
            learned: Mutex::default(),
            refused_peers: AtomicU64::new(0),
            searches: AtomicU64::new(0),
            changes: AtomicU64::new(0),
        }
    }

    /// Takes a connected peer, or its new address.
    ///
    /// Where [`RoutingTable::try_add_direct_peer`] would say why not, the table stays as it is and
    /// [`RoutingTable::refused_peers`] counts.
    pub fn add_direct_peer(&self, node_id: NodeId, address: String) {
        if self.try_add_direct_peer(node_id, &address).is_err() {
            self.refused_peers.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a connected peer, or its new address.
    ///
    /// # Errors
    /// [`RoutingError`] for the local node, a bound that is reached or an address that is too long; the table is then as
    /// it was.
    pub fn try_add_direct_peer(&self, node_id: NodeId, address: &str) -> Result<(), RoutingError> {
        self.change(|graph| graph.connect(node_id, address))
            .map(drop)
    }

    /// Forgets that a peer is connected; says whether it was. Its links and its price stay known.
    pub fn remove_direct_peer(&self, node_id: &NodeId) -> bool {
        self.change_known(|graph| graph.disconnect(node_id).map(Some))
    }

    /// Where a connected peer is reached.
    pub fn peer_address(&self, node_id: &NodeId) -> Option<Arc<str>> {
        self.graph.read().address(node_id).cloned()
    }

    /// The connected peers and where they are reached, in the order of their ids.
    pub fn direct_peers(&self) -> Vec<(NodeId, Arc<str>)> {
        let graph = self.graph.read();
        let peers = graph.direct_peers();
        let mut peers: Vec<_> = peers
            .map(|(id, address)| (id, Arc::clone(address)))
            .collect();
        peers.sort_unstable_by_key(|(id, _)| *id);
        peers
    }

    /// How many peers [`RoutingTable::add_direct_peer`] did not take.
    pub fn refused_peers(&self) -> u64 {
        self.refused_peers.load(Ordering::Relaxed)
    }

    /// Sets what a node asks for a packet; until then it asks nothing.
    ///
    /// # Errors
    /// [`RoutingError::NodesFull`]; the table is then as it was.
    pub fn set_price(&self, node_id: NodeId, price: Price) -> Result<(), RoutingError> {
        self.change(|graph| graph.set_price(node_id, price))
            .map(drop)
    }

    /// What a node asks for a packet, as far as is known; nothing where nobody has said. `None` for a node that is not known.
    pub fn price(&self, node_id: &NodeId) -> Option<Price> {
        self.graph.read().price(node_id)
    }

    /// Takes a link between two nodes, for both directions.
    ///
    /// A link with the local node is not taken: the local node's links are its connected peers.
    ///
    /// # Errors
    /// [`RoutingError`] when both ends are one node or a bound is reached; the table is then as it was.
    pub fn add_link(&self, a: NodeId, b: NodeId) -> Result<(), RoutingError> {
        let learned = self.learned.lock();
        if self.change(|graph| graph.link(a, b))? {
            let places = [Place::Node(a), Place::Node(b), Place::Link(a, b)];
            self.distrust_again(&learned, places);
        }
        Ok(())
    }

    /// Forgets a link, for both directions; says whether it was known.
    pub fn remove_link(&self, a: &NodeId, b: &NodeId) -> bool {
        self.change_known(|graph| graph.unlink(a, b).map(Some))
    }

    /// Sets how long a packet takes over a link, or over the connection with a peer when one end is the local node; says
    /// whether there is one. Until then it is [`DEFAULT_LINK_LATENCY_MS`](crate::DEFAULT_LINK_LATENCY_MS).
    ///
    /// Whoever measures does the smoothing: each change counts, and can move routes.
    pub fn set_link_latency(&self, a: &NodeId, b: &NodeId, latency_ms: u32) -> bool {
        self.change_known(|graph| graph.set_latency(a, b, latency_ms))
    }

    /// Sets the largest payload that a link takes, rounded down to a [`PAYLOAD_STEP`](crate::PAYLOAD_STEP), or a connection
    /// when one end is the local node; says whether there is one. Until then it takes any.
    pub fn set_link_room(&self, a: &NodeId, b: &NodeId, max_payload_bytes: usize) -> bool {
        self.change_known(|graph| graph.set_link_room(a, b, Room::up_to(max_payload_bytes)))
    }

    /// Sets the largest payload that a node takes, rounded down to a [`PAYLOAD_STEP`](crate::PAYLOAD_STEP), as a relay and
    /// as a destination. Until then it takes any.
    ///
    /// # Errors
    /// [`RoutingError::NodesFull`]; the table is then as it was.
    pub fn set_node_room(
        &self,
        node_id: NodeId,
        max_payload_bytes: usize,
    ) -> Result<(), RoutingError> {
        self.change(|graph| graph.set_node_room(node_id, Room::up_to(max_payload_bytes)))
            .map(drop)
    }

    /// Finds the cheapest way for a packet without payload: `[local, relay…, destination]`.
    ///
    /// `None` when the destination is the local node, unknown, or out of reach of
    /// [`MAX_ROUTE_NODES`](mesh_types::MAX_ROUTE_NODES).
    pub fn find_route(&self, destination: &NodeId) -> Option<Vec<NodeId>> {
        self.find_route_for(destination, 0)
    }

    /// Finds the cheapest way for a packet with `payload_bytes`, rounded up to a [`PAYLOAD_STEP`](crate::PAYLOAD_STEP).
    ///
    /// Cheapest is what has the least total that pays every party without counting on remainders, then the least latency,
    /// then the fewest hops, then what comes first in the order of ids. Links and nodes without room for the packet are left
    /// out, and relays whose score has fallen.
    pub fn find_route_for(
        &self,
        destination: &NodeId,
        payload_bytes: usize,
    ) -> Option<Vec<NodeId>> {
        let first = |answer: &Answer| answer.routes.first().map(|route| route.nodes.to_vec());
        let question = Question::new(*destination, payload_bytes, 1);
        if let Some(answer) = self.cache.read().answer(&question) {
            return first(answer);
        }
        first(&self.search(question)?)
    }

    /// Finds up to `count` ways, at most [`MAX_ALTERNATIVES`], the cheapest first: for retries and for spreading load.
    ///
    /// They share no relay as far as there are such ways; beyond that, each does without one relay of the cheapest. None
    /// costs more than [`MAX_TIMES_DEARER`](crate::MAX_TIMES_DEARER) times the cheapest, or a satoshi where that is more.
    pub fn find_routes(
        &self,
        destination: &NodeId,
        payload_bytes: usize,
        count: usize,
    ) -> Vec<FoundRoute> {
        let question = Question::new(*destination, payload_bytes, count.min(MAX_ALTERNATIVES));
        if count == 0 {
            return Vec::new();
        }
        let known = self.cache.read().answer(&question).cloned();
        let Some(answer) = known.or_else(|| self.search(question)) else {
            return Vec::new();
        };
        let routes = answer.routes.iter().map(|route| FoundRoute {
            nodes: route.nodes.to_vec(),
            price: Msat::from_msat(route.price),
            latency_ms: route.latency_ms,
        });
        routes.collect()
    }

    /// Finds the cheapest way that may lead over links in doubt and over what is without room for a while, though never over
    /// relays that have fallen: for whoever has found no other.
    ///
    /// A destination that was away for a minute would else be out of reach for ten, where one link leads to it. What is
    /// found is not remembered.
    pub fn find_last_resort(
        &self,
        destination: &NodeId,
        payload_bytes: usize,
    ) -> Option<FoundRoute> {
        let question = Question::new(*destination, payload_bytes, 1);
        let graph = self.graph.read();
        let index = graph.index(destination)?;
        let (payload, payload_bytes) = (question.payload(), question.payload_bytes());
        self.searches.fetch_add(1, Ordering::Relaxed);
        let found = last_resort(&graph, index, payload, payload_bytes)?;
        Some(FoundRoute {
            nodes: found.nodes.to_vec(),
            price: Msat::from_msat(found.price),
            latency_ms: found.latency_ms,
        })
    }

    /// Splits `amount_sats` over a route: 60 % for the destination, 30 % for the relays, 10 % for the source.
    ///
    /// What does not divide goes to the destination. A route that leads nowhere, of one node or none, pays nobody: all
    /// stays with the source.
    pub fn calculate_fee(&self, route: &[NodeId], amount_sats: u64) -> FeeDistribution {
        FeeDistribution::over(route.len(), amount_sats)
    }

    /// What a packet with `payload_bytes` costs over a route, by the prices that are known here.
    ///
    /// `None` when the list is no [`Route`], one of its nodes is unknown, or no amount covers the prices.
    pub fn quote_route(&self, route: &[NodeId], payload_bytes: usize) -> Option<RouteQuote> {
        Route::check(route).ok()?;
        let graph = self.graph.read();
        let price = |node: &NodeId| graph.price(node)?.of(payload_bytes);
        let (source, rest) = route.split_first()?;
        let (destination, relays) = rest.split_last()?;
        graph.index(source)?;
        let relay_prices = relays.iter().map(price).collect::<Option<Vec<_>>>()?;
        let total = least_total(price(destination)?, &relay_prices)?;
        Some(RouteQuote {
            total,
            split: split(total, relays.len()),
        })
    }

    /// The node that routes start from.
    pub const fn local(&self) -> NodeId {
        self.local
    }

    /// How many questions for routes were searched for, and not answered from memory.
    pub fn searches(&self) -> u64 {
        self.searches.load(Ordering::Relaxed)
    }

    /// How many searches are remembered.
    pub fn remembered_searches(&self) -> usize {
        self.cache.read().len()
    }

    /// How many changes there were that may make a route another one: while it stays, so do all routes.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// How many bytes of the heap the graph has.
    pub fn memory_bytes(&self) -> usize {
        self.graph.read().memory_bytes()
    }

    /// What is known, while it cannot change.
    pub(crate) fn graph(&self) -> RwLockReadGuard<'_, Graph> {
        self.graph.read()
    }

    /// How long it takes to hear from the end of a route, by the latencies that are known here.
    pub(crate) fn round_trip(&self, route: &[NodeId]) -> Duration {
        let graph = self.graph.read();
        let links = route.iter().zip(route.iter().skip(1));
        let latency_ms = links.map(|(a, b)| {
            let link = graph.link_between(a, b);
            link.map_or(DEFAULT_LINK_LATENCY_MS, Link::latency_ms)
        });
        Duration::from_millis(latency_ms.map(u64::from).sum::<u64>().saturating_mul(2))
    }

    /// Searches, and remembers the answer while the graph cannot change. `None` when the destination is not known: only the
    /// known are remembered, so that made-up destinations push nobody out.
    fn search(&self, question: Question) -> Option<Answer> {
        let graph = self.graph.read();
        let index = graph.index(&question.destination)?;
        let (payload, payload_bytes) = (question.payload(), question.payload_bytes());
        self.searches.fetch_add(1, Ordering::Relaxed);
        let routes = alternatives(&graph, index, payload, payload_bytes, question.count);
        let price = graph.price(&question.destination)?;
        let answer = Answer::new(routes, price.of(payload_bytes).map(Msat::to_msat));
        self.cache.write().remember(question, answer.clone());
        Some(answer)
    }

    /// Changes the graph, and forgets the answers that the change could make others before anyone can see it.
    fn change(
        &self,
        change: impl FnOnce(&mut Graph) -> Result<Option<Effect>, RoutingError>,
    ) -> Result<bool, RoutingError> {
        let mut graph = self.graph.write();
        let effect = change(&mut graph)?;
        if let Some(effect) = &effect {
            self.forget(effect);
        }
        Ok(effect.is_some())
    }

    /// As `change`, for what is `None` when it is not known; says whether it was.
    pub(crate) fn change_known(
        &self,
        change: impl FnOnce(&mut Graph) -> Option<Option<Effect>>,
    ) -> bool {
        let mut graph = self.graph.write();
        let known = change(&mut graph);
        if let Some(Some(effect)) = &known {
            self.forget(effect);
        }
        known.is_some()
    }

    fn forget(&self, effect: &Effect) {
        self.cache.write().forget(effect);
        self.changes.fetch_add(1, Ordering::Release);
    }
}
