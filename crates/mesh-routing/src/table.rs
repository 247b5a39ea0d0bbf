use crate::{FeeDistribution, RouteQuote, RoutingError};
use mesh_types::{NodeId, Price};
use std::sync::Arc;

/// How many nodes the table knows.
pub const MAX_NODES: usize = 16_384;
/// How many links one node has.
pub const MAX_LINKS_PER_NODE: usize = 256;
/// How many peers are connected.
pub const MAX_DIRECT_PEERS: usize = 256;
/// How long a peer's address is.
pub const MAX_ADDRESS_BYTES: usize = 259;

/// What this node knows of the mesh.
#[derive(Debug)]
pub struct RoutingTable {}

impl RoutingTable {
    /// Makes a table that knows nobody but the local node.
    pub fn new(_local: NodeId) -> Self {
        todo!()
    }

    /// Takes a connected peer; at a bound the table stays as it is and [`RoutingTable::refused_peers`] counts it.
    pub fn add_direct_peer(&self, _node_id: NodeId, _address: String) {
        todo!()
    }

    /// Takes a connected peer, or says why not.
    ///
    /// # Errors
    /// [`RoutingError`]; the table is then as it was.
    pub fn try_add_direct_peer(
        &self,
        _node_id: NodeId,
        _address: &str,
    ) -> Result<(), RoutingError> {
        todo!()
    }

    /// Forgets that a peer is connected; says whether it was.
    pub fn remove_direct_peer(&self, _node_id: &NodeId) -> bool {
        todo!()
    }

    /// Where a connected peer is reached.
    pub fn peer_address(&self, _node_id: &NodeId) -> Option<Arc<str>> {
        todo!()
    }

    /// The connected peers, in the order of their ids.
    pub fn direct_peers(&self) -> Vec<(NodeId, Arc<str>)> {
        todo!()
    }

    /// How many peers [`RoutingTable::add_direct_peer`] had no room for.
    pub fn refused_peers(&self) -> u64 {
        todo!()
    }

    /// Sets what a node asks; a node that nobody priced asks nothing.
    ///
    /// # Errors
    /// [`RoutingError`]; the table is then as it was.
    pub fn set_price(&self, _node_id: NodeId, _price: Price) -> Result<(), RoutingError> {
        todo!()
    }

    /// Takes a link between two nodes, for both directions.
    ///
    /// # Errors
    /// [`RoutingError`]; the table is then as it was.
    pub fn add_link(&self, _a: NodeId, _b: NodeId) -> Result<(), RoutingError> {
        todo!()
    }

    /// Forgets a link; says whether it was known.
    pub fn remove_link(&self, _a: &NodeId, _b: &NodeId) -> bool {
        todo!()
    }

    /// Finds the cheapest way for a packet without payload: `[local, relay…, destination]`.
    pub fn find_route(&self, destination: &NodeId) -> Option<Vec<NodeId>> {
        self.find_route_for(destination, 0)
    }

    /// Finds the cheapest way for a packet with `payload_bytes`.
    pub fn find_route_for(
        &self,
        _destination: &NodeId,
        _payload_bytes: usize,
    ) -> Option<Vec<NodeId>> {
        todo!()
    }

    /// Splits `amount_sats` over a route.
    pub fn calculate_fee(&self, _route: &[NodeId], _amount_sats: u64) -> FeeDistribution {
        todo!()
    }

    /// What a packet with `payload_bytes` costs over a route.
    ///
    /// `None` when the list is no route, one of its nodes is unknown, or no amount covers the prices.
    pub fn quote_route(&self, _route: &[NodeId], _payload_bytes: usize) -> Option<RouteQuote> {
        todo!()
    }
}
