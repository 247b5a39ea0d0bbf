use crate::cache::{Question, RouteCache};
use crate::graph::Graph;
use crate::least_total::least_total;
use crate::search::cheapest_route;
use crate::{FeeDistribution, RouteQuote, RoutingError, split};
use mesh_types::{NodeId, Price, Route};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What this node knows of the mesh, and the ways through it.
///
/// A route starts with a connected peer; further on it follows the links that were added. A node is remembered while it
/// is connected, linked or priced. Routes that were found are remembered until something changes.
#[derive(Debug)]
pub struct RoutingTable {
    local: NodeId,
    graph: RwLock<Graph>,
    /// Rises with each change of the graph, under its lock.
    generation: AtomicU64,
    cache: RwLock<RouteCache>,
    refused_peers: AtomicU64,
}

impl RoutingTable {
    /// Makes a table that knows nobody but the local node.
    pub fn new(local: NodeId) -> Self {
        Self {
            local,
            graph: RwLock::new(Graph::new(local)),
            generation: AtomicU64::new(0),
            cache: RwLock::default(),
            refused_peers: AtomicU64::new(0),
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
    }

    /// Forgets that a peer is connected; says whether it was. Its links and its price stay known.
    pub fn remove_direct_peer(&self, node_id: &NodeId) -> bool {
        self.change_known(|graph| graph.disconnect(node_id))
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
    }

    /// Takes a link between two nodes, for both directions.
    ///
    /// A link with the local node is not taken: the local node's links are its connected peers.
    ///
    /// # Errors
    /// [`RoutingError`] when both ends are one node or a bound is reached; the table is then as it was.
    pub fn add_link(&self, a: NodeId, b: NodeId) -> Result<(), RoutingError> {
        self.change(|graph| graph.link(a, b))
    }

    /// Forgets a link, for both directions; says whether it was known.
    pub fn remove_link(&self, a: &NodeId, b: &NodeId) -> bool {
        self.change_known(|graph| graph.unlink(a, b))
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
    /// Cheapest is what has the least total that covers every party's price, then the fewest relays, then what comes
    /// first in the order of ids; and a route with more relays is only taken when its dearest relay asks less.
    pub fn find_route_for(
        &self,
        destination: &NodeId,
        payload_bytes: usize,
    ) -> Option<Vec<NodeId>> {
        let question = Question::new(*destination, payload_bytes);
        let generation = self.generation.load(Ordering::Acquire);
        if let Some(answer) = self.cache.read().answer(&question, generation) {
            return answer.as_deref().map(<[NodeId]>::to_vec);
        }
        let graph = self.graph.read();
        // Only the known are remembered, so that made-up destinations push nobody out.
        let index = graph.index(destination)?;
        let generation = self.generation.load(Ordering::Acquire);
        let route = cheapest_route(&graph, index, question.payload_bytes());
        drop(graph);
        let answer = route.as_deref().map(Arc::from);
        self.cache.write().remember(question, answer, generation);
        route
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

    /// How many bytes of the heap the graph has.
    pub fn memory_bytes(&self) -> usize {
        self.graph.read().memory_bytes()
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Graph) -> Result<bool, RoutingError>,
    ) -> Result<(), RoutingError> {
        let mut graph = self.graph.write();
        if change(&mut graph)? {
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }

    fn change_known(&self, change: impl FnOnce(&mut Graph) -> bool) -> bool {
        let mut graph = self.graph.write();
        let changed = change(&mut graph);
        if changed {
            self.generation.fetch_add(1, Ordering::Release);
        }
        changed
    }
}
