use crate::NodeId;
use std::ops::Deref;
use thiserror::Error;

/// The most nodes that a route may have, ends included.
///
/// Sixteen, because fourteen relays cross any mesh that still answers within a second, and because the route and
/// its MACs then stay below 1 KiB of a packet.
pub const MAX_ROUTE_NODES: usize = 16;

/// The way of a packet: `[source, relay…, destination]`, two to [`MAX_ROUTE_NODES`] nodes, none of them twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route(Vec<NodeId>);

/// Why a list of nodes is not a [`Route`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RouteError {
    /// Too few or too many nodes.
    #[error("a route has 2 to {MAX_ROUTE_NODES} nodes, not {found}")]
    Length {
        /// Nodes found.
        found: usize,
    },
    /// One node stands in the list twice.
    #[error("node {node} stands twice in the route")]
    Repeated {
        /// The node.
        node: NodeId,
    },
}

impl Route {
    /// Checks the length and that no node repeats.
    ///
    /// # Errors
    /// [`RouteError`] says which of the two is wrong.
    pub fn new(nodes: Vec<NodeId>) -> Result<Self, RouteError> {
        Self::check(&nodes)?;
        Ok(Self(nodes))
    }

    /// Checks a borrowed list by the same rule, without taking it.
    ///
    /// # Errors
    /// As [`Route::new`].
    pub fn check(nodes: &[NodeId]) -> Result<(), RouteError> {
        if !(2..=MAX_ROUTE_NODES).contains(&nodes.len()) {
            return Err(RouteError::Length { found: nodes.len() });
        }
        let mut rest = nodes;
        while let Some((node, after)) = rest.split_first() {
            if after.contains(node) {
                return Err(RouteError::Repeated { node: *node });
            }
            rest = after;
        }
        Ok(())
    }

    /// The node that sends, and pays.
    pub fn source(&self) -> NodeId {
        self.0
            .first()
            .copied()
            .unwrap_or(NodeId::from_bytes([0; 32]))
    }

    /// The node that receives.
    pub fn destination(&self) -> NodeId {
        self.0
            .last()
            .copied()
            .unwrap_or(NodeId::from_bytes([0; 32]))
    }

    /// How many nodes carry between the two ends.
    pub fn relay_count(&self) -> usize {
        self.0.len().saturating_sub(2)
    }

    /// Where `node` stands, source being 0.
    pub fn position(&self, node: &NodeId) -> Option<usize> {
        self.0.iter().position(|hop| hop == node)
    }

    /// The way back.
    pub fn reversed(&self) -> Self {
        Self(self.0.iter().rev().copied().collect())
    }

    /// The first `count` nodes as a route of their own; `None` when fewer than two would be left.
    pub fn prefix(&self, count: usize) -> Option<Self> {
        self.0
            .get(..count)
            .filter(|nodes| nodes.len() >= 2)
            .map(|nodes| Self(nodes.to_vec()))
    }
}

impl Deref for Route {
    type Target = [NodeId];

    fn deref(&self) -> &[NodeId] {
        &self.0
    }
}
