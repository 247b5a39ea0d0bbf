//! The module API and the RPC names of a mesh, for callers that know no other node than theirs.
//!
//! The [messages](SendPacketRequest) travel in bincode, as [`decode`] and [`encode`] have it. docs/blvm-node.md has a table of
//! the methods, with what each does here.

mod codec;
mod messages;

pub use codec::{DecodeError, MAX_REQUEST_BYTES, decode, decode_answer, encode};
pub use messages::{
    DiscoverRouteRequest, DiscoverRouteResponse, HandleMeshPacketRequest, HopInvoiceRequest,
    HopInvoiceResponse, LocalDeliveries, LocalDelivery, NetworkStats, NoRequest, NodeList,
    PeerEntry, PeerList, PollRequest, Proof, QuoteRouteFeeRequest, ReplayStats, RouteStats,
    SendPacketRequest, SendPacketResponse,
};
