use crate::{
    config::Backend,
    node::{Home, Node},
};
use blvm_mesh::{LearningStatus, MeshMode, Msat, Network, NodeId, Status};
use mesh_link::{DialInfo, LinkInfo, Links};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr};

/// The most credits that a status lists; the rest is in the sums.
///
/// 1,000, because a person reads fewer, and a million of them would not fit in a line.
pub const MAX_LISTED_CREDITS: usize = 1_000;

/// How a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusReport {
    /// The node.
    pub node_id: NodeId,
    /// What passes here, and what has to pay.
    pub mode: MeshMode,
    /// The Bitcoin network.
    pub network: Network,
    /// Where links are accepted.
    pub listen_addr: Option<SocketAddr>,
    /// Which kind of wallet quotes and pays.
    pub lightning: Backend,
    /// What a packet costs here.
    pub price: PriceReport,
    /// The links that are up.
    pub peers: Vec<PeerReport>,
    /// The nodes that are dialled and not linked.
    pub dialling: Vec<DialReport>,
    /// What each payer has not spent here, frozen or not, up to [`MAX_LISTED_CREDITS`] of them.
    pub credits: Vec<CreditReport>,
    /// Where the node keeps its money; nothing when it forgets it.
    pub store: Option<StoreReport>,
    /// Why the books cannot be read; the sums are all nothing then.
    pub store_error: Option<String>,
    /// Sums over all payers, and what this node has paid.
    pub money: MoneyReport,
    /// Packets.
    pub traffic: TrafficReport,
    /// Refused packets by reason.
    pub refusals: BTreeMap<String, u64>,
    /// What is known by announcements; nothing in a mode in which nothing is learned.
    pub learning: Option<LearningReport>,
}

/// What is known by announcements, and what became of those that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearningReport {
    /// Nodes that are known by their announcements, this one included.
    pub known_nodes: usize,
    /// Announcements that were taken.
    pub taken: u64,
    /// Whose signature did not hold.
    pub forged: u64,
    /// That were dropped for another reason: old, too many, without a place.
    pub dropped: u64,
    /// Messages of peers that were not looked at, because they were too many.
    pub unheard: u64,
    /// Messages to peers that were lost, because their links were full or gone.
    pub lost: u64,
}

/// A store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreReport {
    /// Where it is, as a configuration says it, without a password.
    pub place: String,
    /// Whether it answered when it was last asked. When it does not, paid packets are refused and free ones are carried.
    pub reachable: bool,
}

/// What a packet costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceReport {
    /// For each packet.
    pub per_packet_msat: u64,
    /// For each KiB of payload on top.
    pub per_kib_msat: u64,
}

/// A link that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerReport {
    /// The peer.
    pub node_id: NodeId,
    /// The other end of the connection.
    pub address: SocketAddr,
    /// Whether this node dialled.
    pub outbound: bool,
    /// Packets that came.
    pub packets_in: u64,
    /// Packets that went.
    pub packets_out: u64,
    /// Packets not taken because the link's queue was full.
    pub dropped: u64,
}

/// A node that is dialled and not linked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialReport {
    /// The node.
    pub node_id: NodeId,
    /// Where.
    pub address: String,
    /// Attempts that failed since the last link.
    pub failures: u32,
    /// Why the last of them failed.
    pub last_error: Option<String>,
}

/// What a payer has not spent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditReport {
    /// Whose credit it is.
    pub payer: NodeId,
    /// How much.
    pub credit_msat: u64,
}

/// Money: deposited = credit + reserved + earned + refunded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoneyReport {
    /// What payers have deposited here.
    pub deposited_msat: u64,
    /// What they have not spent, frozen or not.
    pub credit_msat: u64,
    /// What is set aside for packets on their way out.
    pub reserved_msat: u64,
    /// What this node has earned by carrying.
    pub earned_msat: u64,
    /// What was given back to payers, or may be by refunds under way, with what routing cost.
    pub refunded_msat: u64,
    /// The part of what was earned which is not booked yet: what a crash would forget.
    pub unbooked_msat: u64,
    /// What cannot be spent, because transactions that paid for it are not in the chain.
    pub frozen_msat: u64,
    /// Payments on the chain that a change of it can still undo.
    pub watched: u64,
    /// What this node has paid to others since it started.
    pub spent_msat: u64,
    /// What it has paid to others today, UTC, or still may by payments under way, Lightning fees included; none while the
    /// store does not answer.
    pub spent_today_msat: Option<u64>,
    /// The most that it pays to others on one day.
    pub day_limit_msat: u64,
    /// Payments on the chain that this node shows to those who were paid, and that are not credited yet.
    pub uncredited: u64,
    /// Payers that have ever deposited.
    pub accounts: u64,
}

/// Packets, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrafficReport {
    /// Forwarded or delivered.
    pub carried: u64,
    /// Delivered here.
    pub delivered: u64,
    /// Payments claimed.
    pub claimed: u64,
    /// Taken by a link and lost with it.
    pub lost: u64,
}

impl StatusReport {
    /// Looks at a running node.
    pub(crate) async fn of(node: &Node) -> Self {
        let Status {
            node_id,
            mode,
            price,
            money,
            spent,
            spent_today,
            day_limit,
            uncredited,
            carried,
            delivered,
            claimed,
            refusals,
            peers,
            learning,
        } = node.manager().status().await;
        let links = node.links();
        let store_error = money.as_ref().err().map(ToString::to_string);
        let money = money.unwrap_or_default();
        Self {
            node_id,
            mode,
            network: node.network(),
            listen_addr: links.local_addr(),
            lightning: node.backend(),
            price: price.into(),
            // A link that has just come up is none that the mesh sends to yet.
            peers: links
                .peers()
                .into_iter()
                .filter(|link| peers.iter().any(|(node_id, _)| *node_id == link.node_id))
                .map(PeerReport::from)
                .collect(),
            dialling: dialling(links),
            credits: listed(money.credits),
            store: store(node),
            store_error,
            money: MoneyReport {
                deposited_msat: money.deposited.to_msat(),
                credit_msat: money.credit.to_msat(),
                reserved_msat: money.reserved.to_msat(),
                earned_msat: money.earned.to_msat(),
                refunded_msat: money.refunded.to_msat(),
                unbooked_msat: money.unbooked.to_msat(),
                frozen_msat: money.frozen.to_msat(),
                watched: money.watched,
                spent_msat: spent.to_msat(),
                spent_today_msat: spent_today.map(blvm_mesh::Msat::to_msat),
                day_limit_msat: day_limit.to_msat(),
                uncredited: u64::try_from(uncredited).unwrap_or(u64::MAX),
                accounts: money.accounts,
            },
            traffic: TrafficReport {
                carried,
                delivered,
                claimed,
                lost: links.totals().packets_lost,
            },
            refusals: refusals
                .into_iter()
                .map(|(reason, count)| (reason.to_string(), count))
                .collect(),
            learning: learning.map(LearningReport::from),
        }
    }
}

impl From<LearningStatus> for LearningReport {
    fn from(status: LearningStatus) -> Self {
        let counts = status.counts;
        let dropped = [
            counts.unasked,
            counts.old,
            counts.out_of_time,
            counts.too_many_of_origin,
            counts.without_place,
        ];
        Self {
            known_nodes: status.known_nodes,
            taken: counts.taken,
            forged: counts.forged,
            dropped: dropped.into_iter().fold(0, u64::saturating_add),
            unheard: counts.unheard,
            lost: status.lost,
        }
    }
}

impl From<LinkInfo> for PeerReport {
    fn from(link: LinkInfo) -> Self {
        Self {
            node_id: link.node_id,
            address: link.address,
            outbound: link.outbound,
            packets_in: link.packets_in,
            packets_out: link.packets_out,
            dropped: link.dropped,
        }
    }
}

impl From<DialInfo> for DialReport {
    fn from(dial: DialInfo) -> Self {
        Self {
            node_id: dial.node_id,
            address: dial.address,
            failures: dial.failures,
            last_error: dial.last_error.map(|error| error.to_string()),
        }
    }
}

fn store(node: &Node) -> Option<StoreReport> {
    match (node.home(), node.store()) {
        (Home::Durable(location), Some(store)) => Some(StoreReport {
            place: location.to_string(),
            reachable: store.is_reachable(),
        }),
        _ => None,
    }
}

fn dialling(links: &Links) -> Vec<DialReport> {
    let linked = links.peers();
    let is_linked = |dial: &DialInfo| linked.iter().any(|link| link.node_id == dial.node_id);
    let dialled = links.dialled().into_iter().filter(|dial| !is_linked(dial));
    dialled.map(DialReport::from).collect()
}

/// The largest credits first.
fn listed(mut credits: Vec<(NodeId, Msat)>) -> Vec<CreditReport> {
    credits.sort_unstable_by(|(a, more), (b, less)| less.cmp(more).then(a.cmp(b)));
    credits.truncate(MAX_LISTED_CREDITS);
    let report = |(payer, credit): (NodeId, Msat)| CreditReport {
        payer,
        credit_msat: credit.to_msat(),
    };
    credits.into_iter().map(report).collect()
}
