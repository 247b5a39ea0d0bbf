use super::PriceReport;
use blvm_mesh::{NodeId, Price};
use serde::{Deserialize, Serialize};

/// The most routes that one call lists.
///
/// 256, because each may need a search of two milliseconds, and a person reads fewer.
pub const MAX_LISTED_ROUTES: usize = 256;

/// The most links that a topology lists.
///
/// 200,000, because the report then fits in one line, and because that is four times what a mesh of 10,000 nodes has.
pub const MAX_LISTED_LINKS: usize = 200_000;

/// Routes to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutesCall {
    /// Where to; the best route to each of the nearest where that is not said.
    pub destination: Option<NodeId>,
    /// For a payload of how many bytes.
    pub payload_bytes: u32,
}

/// A node that a link is up with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighbourReport {
    /// The node.
    pub node_id: NodeId,
    /// The other end of the connection.
    pub address: String,
    /// Where it says that it accepts links.
    pub announced: Vec<String>,
    /// How long a packet takes there and back, smoothed; nothing before it is measured.
    pub latency_ms: Option<u32>,
    /// What it asks for a packet.
    pub price: PriceReport,
    /// What it has not spent here; nothing while the store does not answer.
    pub credit_msat: Option<u64>,
    /// What is known of it as a relay.
    pub standing: StandingReport,
    /// Whether the link with it is not announced: it owes, or sends and does not pay.
    pub withheld: bool,
    /// Whether it is not heard about announcements any more: it handed on forgeries.
    pub muted: bool,
}

/// What is known of a node from packets that it was to carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingReport {
    /// How likely it carries the next packet, as far as is proved, in thousandths; 1,000 where nothing is known.
    pub score_permille: u16,
    /// Whether routes leave it out.
    pub left_out: bool,
    /// What spoke against it: the latest few, the newest last.
    pub reasons: Vec<FaultReport>,
}

/// What spoke against a node, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultReport {
    /// What.
    pub fault: FaultWord,
    /// When, Unix seconds.
    pub at: u64,
}

/// The faults of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultWord {
    /// A packet over it was not answered.
    Silence,
    /// A packet over it was answered late.
    Late,
    /// It refused for want of a link that it had announced.
    NoLink,
    /// It refused because it is busy.
    Busy,
    /// It asked more than it had announced.
    Dearer,
    /// It refused for another reason.
    Other,
}

/// Routes, the best first where they lead to one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutesReport {
    /// For a payload of how many bytes.
    pub payload_bytes: u32,
    /// The routes.
    pub routes: Vec<RouteReport>,
    /// Known nodes to which no route was looked for, because there are too many.
    pub unlisted: usize,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteReport {
    /// What a packet costs over it, by the prices that are known here.
    pub price_msat: u64,
    /// How long a packet takes over it, one way.
    pub latency_ms: u32,
    /// The nodes behind this one, the destination last.
    pub hops: Vec<HopReport>,
}

/// One node of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HopReport {
    /// The node.
    pub node_id: NodeId,
    /// What it asks for a packet.
    pub price: PriceReport,
    /// What is known of it as a relay.
    pub standing: StandingReport,
}

/// The graph that routes are searched in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopologyReport {
    /// The node that was asked.
    pub node_id: NodeId,
    /// The nodes that it knows, itself included, in the order of their ids.
    pub nodes: Vec<PlaceReport>,
    /// Links, each once.
    pub links: Vec<LinkReport>,
    /// Links that are not listed, because there are too many.
    pub unlisted_links: usize,
}

/// One node of a topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceReport {
    /// The node.
    pub node_id: NodeId,
    /// What it asks for a packet.
    pub price: PriceReport,
    /// Whether routes leave it out now.
    pub left_out: bool,
}

/// One link of a topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkReport {
    /// Where among the nodes one end stands, from 0 on.
    pub a: usize,
    /// Where the other stands.
    pub b: usize,
    /// How long a packet takes over it, one way.
    pub latency_ms: u32,
    /// Whether routes leave it out now.
    pub left_out: bool,
}

impl From<Price> for PriceReport {
    fn from(price: Price) -> Self {
        Self {
            per_packet_msat: price.per_packet.to_msat(),
            per_kib_msat: price.per_kib.to_msat(),
        }
    }
}
