use mesh_types::{Msat, NodeId};

/// A route, with what it costs and how long it takes as far as that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRoute {
    /// `[local, relay…, destination]`.
    pub nodes: Vec<NodeId>,
    /// The price that routes are compared by: what pays everybody when nobody counts on remainders. A quote is the same, or
    /// less by at most [`MAX_CRUMBS_MSAT`](crate::MAX_CRUMBS_MSAT).
    pub price: Msat,
    /// The latencies of its links together, one way.
    pub latency_ms: u32,
}
