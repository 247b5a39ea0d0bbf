use super::codec::unreserved;
use blvm_mesh::PaymentProof;
use serde::{Deserialize, Serialize};

/// Asks to send a packet: the request of `send_packet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendPacketRequest {
    /// The node that shall have it.
    pub destination: [u8; 32],
    /// What to carry.
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
    /// A payment that the caller has made for this node.
    pub payment_proof: Option<Proof>,
    /// Which application it is for.
    pub protocol_id: Option<String>,
    /// How long to try, in seconds.
    pub ttl: Option<u64>,
}

/// What has become of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendPacketResponse {
    /// Whether its destination has confirmed it.
    pub success: bool,
    /// What it is called, by [`packet_id`](super::packet_id); zeros where it was not confirmed.
    pub packet_id: [u8; 32],
    /// How many nodes its route has, both ends included.
    pub route_length: u64,
    /// What was offered for it, in satoshi, rounded up.
    pub estimated_cost_sats: u64,
    /// Why it was not confirmed.
    pub error: Option<String>,
}

/// A proof of payment, as callers encode it.
///
/// The variants and fields are those of [`PaymentProof`], in the same order; no length in it makes this node reserve memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each is documented at the variant and field of `PaymentProof` that it becomes"
)]
pub enum Proof {
    Lightning {
        invoice: String,
        preimage: [u8; 32],
        amount_msats: u64,
        timestamp: u64,
        expires_at: u64,
    },
    OnChainSettlement {
        payment_request_id: String,
        tx_hash: [u8; 32],
        amount_sats: u64,
        timestamp: u64,
    },
    InstantSettlement {
        #[serde(with = "serde_bytes")]
        covenant_proof: Vec<u8>,
        output_index: u32,
        #[serde(deserialize_with = "unreserved")]
        merkle_proof: Vec<[u8; 32]>,
        amount_sats: u64,
        timestamp: u64,
    },
}

/// Asks for a route: the request of `discover_route`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoverRouteRequest {
    /// Where it shall lead.
    pub destination: [u8; 32],
    /// The most links that it may have.
    pub max_hops: Option<u8>,
    /// How long to look.
    pub timeout_seconds: Option<u64>,
}

/// A route, where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoverRouteResponse {
    /// Its nodes, this one first.
    pub route: Option<NodeList>,
    /// What a packet of [`QUOTED_BYTES`](super::QUOTED_BYTES) costs over it by announced prices, in satoshi, rounded up.
    pub route_cost_sats: u64,
    /// How long it was looked for.
    pub discovery_time_ms: u64,
}

/// Ids of nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeList(#[serde(deserialize_with = "unreserved")] pub Vec<[u8; 32]>);

/// How the mesh is: the answer of `get_routing_stats` and of `get_network_stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkStats {
    /// Whether the mesh runs.
    pub enabled: bool,
    /// 0 `bitcoin_only`, 1 `payment_gated`, 2 `open`.
    pub mode: u32,
    /// Ways to other nodes.
    pub routing: RouteStats,
    /// What is remembered against replays.
    pub replay: ReplayStats,
}

/// Ways to other nodes: the answer of `get_route_stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStats {
    /// Nodes to which a way is known.
    pub total_routes: u64,
    /// Nodes with a link to this one.
    pub direct_peers: u64,
    /// Searches whose answers are remembered.
    pub cached_routes: u64,
    /// How long an announcement counts that is not repeated.
    pub route_expiry_seconds: u64,
}

/// What is remembered against replays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayStats {
    /// Payments that were claimed lately; the store has them all.
    pub active_hashes: u64,
    /// Sources whose packet numbers are remembered.
    pub tracked_peers: u64,
    /// How old a packet may be.
    pub expiry_seconds: u64,
}

/// A node with a link to this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerEntry {
    /// Its id, in hex.
    pub node_id_hex: String,
    /// The other end of the link.
    pub address: String,
}

/// The nodes with a link to this one: the answer of `get_peer_list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerList(#[serde(deserialize_with = "unreserved")] pub Vec<PeerEntry>);

/// Bytes that a Bitcoin node has received: the request of `handle_mesh_packet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandleMeshPacketRequest(
    /// The bytes.
    #[serde(with = "serde_bytes")]
    pub Vec<u8>,
    /// The address that they came from.
    pub String,
);

/// Asks what a packet costs: the request of `quote_route_fee`, which is answered with satoshi.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteRouteFeeRequest {
    /// Where it shall go.
    pub destination: [u8; 32],
    /// What the caller offers at least, in satoshi.
    pub base_fee_sats: u64,
}

/// Asks for an invoice of another node: the request of `request_hop_invoice`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopInvoiceRequest {
    /// The node.
    pub destination: [u8; 32],
    /// What it shall be about.
    pub amount_msats: u64,
    /// How long it should be payable.
    pub expiry_seconds: Option<u64>,
}

/// An invoice that buys credit for this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopInvoiceResponse {
    /// BOLT11.
    pub invoice: String,
    /// What it asks for.
    pub amount_msats: u64,
    /// Until when it can be paid and shown, Unix seconds.
    pub expires_at: u64,
}

/// Asks for packets that have arrived: the request of `poll_local_deliveries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollRequest {
    /// The application that they are for; all, where none is named.
    pub protocol_id: Option<String>,
    /// How many at most.
    pub max_packets: Option<u64>,
}

/// A packet that has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalDelivery {
    /// The application that it is for; empty where its source has named none.
    pub protocol_id: String,
    /// What it carried.
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
    /// Who sent it, authenticated.
    pub source: [u8; 32],
}

/// Packets that have arrived: the answer of `poll_local_deliveries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocalDeliveries(#[serde(deserialize_with = "unreserved")] pub Vec<LocalDelivery>);

/// The request of a method that needs none: no bytes at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoRequest;

impl From<Proof> for PaymentProof {
    fn from(proof: Proof) -> Self {
        match proof {
            Proof::Lightning {
                invoice,
                preimage,
                amount_msats,
                timestamp,
                expires_at,
            } => Self::Lightning {
                invoice,
                preimage,
                amount_msats,
                timestamp,
                expires_at,
            },
            Proof::OnChainSettlement {
                payment_request_id,
                tx_hash,
                amount_sats,
                timestamp,
            } => Self::OnChainSettlement {
                payment_request_id,
                tx_hash,
                amount_sats,
                timestamp,
            },
            Proof::InstantSettlement {
                covenant_proof,
                output_index,
                merkle_proof,
                amount_sats,
                timestamp,
            } => Self::InstantSettlement {
                covenant_proof,
                output_index,
                merkle_proof,
                amount_sats,
                timestamp,
            },
        }
    }
}
