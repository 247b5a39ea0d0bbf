use crate::RefusalReason;
use mesh_payment::Totals;
use mesh_types::{MeshMode, Msat, NodeId, Price};
use std::{collections::BTreeMap, sync::Arc};

/// What an operator wants to see at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub node_id: NodeId,
    /// What passes here, and what has to pay.
    pub mode: MeshMode,
    /// What a packet costs here.
    pub price: Price,
    /// The nodes with a link, and where they are.
    pub peers: Vec<(NodeId, Arc<str>)>,
    /// What each payer can spend here.
    pub credits: Vec<(NodeId, Msat)>,
    /// Sums over all payers.
    pub totals: Totals,
    /// What this node has paid to others.
    pub spent: Msat,
    /// Packets forwarded or delivered.
    pub carried: u64,
    /// Packets delivered here.
    pub delivered: u64,
    /// Payments claimed.
    pub claimed: u64,
    /// Refused packets by reason.
    pub refusals: BTreeMap<RefusalReason, u64>,
}
