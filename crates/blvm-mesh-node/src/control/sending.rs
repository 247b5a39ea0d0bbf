use super::Failure;
use blvm_mesh::{NodeId, NodePrice, RoutePrice, Tried, TriedEnd};
use serde::{Deserialize, Serialize};

/// A way that was tried for a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriedReport {
    /// The way, source first.
    pub route: Vec<NodeId>,
    /// What was offered on it, at last.
    pub fee_msat: u64,
    /// What it has cost, or may have.
    pub cost_msat: u64,
    /// What was deposited with its nodes meanwhile.
    pub deposited_msat: u64,
    /// How long it took.
    pub took_ms: u64,
    /// How it ended.
    pub end: TriedWord,
    /// The node that ended it, where it was one.
    pub by: Option<NodeId>,
    /// How it ended, for people.
    pub said: String,
}

/// How a try ended, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "each is documented at the variant of `TriedEnd` that it names"
)]
pub enum TriedWord {
    Delivered,
    DeliveredBefore,
    Refused,
    StillAsking,
    Silence,
    Unanswered,
    Dearer,
    Unpaid,
    Unsent,
    GivenUp,
}

impl From<&Tried> for TriedReport {
    fn from(tried: &Tried) -> Self {
        let (end, by) = match &tried.end {
            TriedEnd::Delivered => (TriedWord::Delivered, None),
            TriedEnd::DeliveredBefore => (TriedWord::DeliveredBefore, None),
            TriedEnd::Refused { by, .. } => (TriedWord::Refused, Some(*by)),
            TriedEnd::StillAsking { by } => (TriedWord::StillAsking, Some(*by)),
            TriedEnd::Silence => (TriedWord::Silence, None),
            TriedEnd::Unanswered { node } => (TriedWord::Unanswered, Some(*node)),
            TriedEnd::Dearer { by } => (TriedWord::Dearer, Some(*by)),
            TriedEnd::Unpaid { node } => (TriedWord::Unpaid, Some(*node)),
            TriedEnd::Unsent => (TriedWord::Unsent, None),
            TriedEnd::GivenUp => (TriedWord::GivenUp, None),
        };
        Self {
            route: tried.route.to_vec(),
            fee_msat: tried.fee.to_msat(),
            cost_msat: tried.cost.to_msat(),
            deposited_msat: tried.deposited.to_msat(),
            took_ms: u64::try_from(tried.took.as_millis()).unwrap_or(u64::MAX),
            end,
            by,
            said: tried.end.to_string(),
        }
    }
}

/// A packet that its destination has not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotSentReport {
    /// Why.
    pub failure: Failure,
    /// Whether it may have been delivered all the same, or still be.
    pub may_have_arrived: bool,
    /// The ways that were tried, in order.
    pub tries: Vec<TriedReport>,
}

/// A question for what sending costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceCall {
    /// Where to.
    pub destination: NodeId,
    /// Bytes of payload, before it is sealed.
    pub bytes: u32,
    /// How long to wait for each answer.
    pub timeout_secs: u32,
    /// Not to seal the payload.
    pub in_clear: bool,
}

/// What sending a packet costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutePriceReport {
    /// The way, source first.
    pub route: Vec<NodeId>,
    /// Bytes of payload in the packet, sealed where it is.
    pub packet_bytes: u64,
    /// What a packet has to offer.
    pub total_msat: u64,
    /// What of that its source keeps.
    pub source_msat: u64,
    /// The nodes behind the source, in the order of the route.
    pub nodes: Vec<NodePriceReport>,
}

/// What a node of a route asks, and gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePriceReport {
    /// The node.
    pub node: NodeId,
    /// What it asks for the packet.
    pub asks_msat: u64,
    /// What it gets of the total.
    pub share_msat: u64,
    /// What can already be spent there.
    pub credit_msat: u64,
}

impl From<RoutePrice> for RoutePriceReport {
    fn from(price: RoutePrice) -> Self {
        let node = |node: &NodePrice| NodePriceReport {
            node: node.node,
            asks_msat: node.asks.to_msat(),
            share_msat: node.share.to_msat(),
            credit_msat: node.credit.to_msat(),
        };
        Self {
            route: price.route.to_vec(),
            packet_bytes: u64::try_from(price.packet_bytes).unwrap_or(u64::MAX),
            total_msat: price.total.to_msat(),
            source_msat: price.source_share.to_msat(),
            nodes: price.nodes.iter().map(node).collect(),
        }
    }
}
