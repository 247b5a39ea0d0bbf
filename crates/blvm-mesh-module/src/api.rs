//! The module API and the RPC names of a mesh, for callers that know no other node than theirs.
//!
//! A [`MeshApi`] answers for a [`blvm_mesh_node::Node`], however the call came: [`MeshApi::handle`] takes
//! [messages](SendPacketRequest) in bincode, and is the node's own `ModuleAPI`; [`MeshApi::call`] takes JSON-RPC.
//! docs/blvm-node.md has a table of the methods, with what each does here.

mod codec;
mod dispatch;
mod error;
mod json;
mod mesh_api;
mod messages;
mod protocol_id;
mod send;

pub use codec::{DecodeError, MAX_REQUEST_BYTES, decode, decode_answer, encode};
pub use dispatch::{API_VERSION, METHODS};
pub use error::ApiError;
pub use json::RPC_METHODS;
pub use mesh_api::{
    CallerLimits, LONGEST_CALL, MAX_CALLS, MAX_PACKETS, MeshApi, QUOTED_BYTES, USUAL_PACKETS,
};
pub use messages::{
    DiscoverRouteRequest, DiscoverRouteResponse, HandleMeshPacketRequest, HopInvoiceRequest,
    HopInvoiceResponse, LocalDeliveries, LocalDelivery, NetworkStats, NoRequest, NodeList,
    PeerEntry, PeerList, PollRequest, Proof, QuoteRouteFeeRequest, ReplayStats, RouteStats,
    SendPacketRequest, SendPacketResponse,
};
pub use protocol_id::MAX_PROTOCOL_ID_BYTES;
pub use send::packet_id;
