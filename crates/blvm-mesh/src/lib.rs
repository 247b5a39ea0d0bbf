//! Payment-gated packet routing, as a Bitcoin node imports it.
//!
//! The facade holds no rules: it names what the layered crates offer. Take one of them alone where that is enough;
//! `mesh-payment` verifies proofs of payment without any of the rest.

pub use mesh_manager::{
    Attempt, Delivery, Engine, EngineSetup, IdentityError, MeshManager, PaidQuote, Refusal,
    RefusalReason, Reply, SendOptions, Sent, Status, Step, SystemClock, Ticket,
    load_or_create_identity,
};
pub use mesh_payment::{
    Accounts, Invoice, PaymentVerifier, Quote, QuoteKey, Quoter, Totals, VerificationResult,
    VerifiedPayment, Verifier, VerifyError,
};
pub use mesh_protocol::{
    ControlMessage, IdentityKey, MAX_PACKET_LEN, MAX_PAYLOAD_LEN, PacketView, RefusalCode,
    RoutingPolicyEngine, emit,
};
pub use mesh_replay::{ClaimSet, MAX_CLAIMS, ReplayPrevention, SequenceWindows};
pub use mesh_routing::{FeeDistribution, RouteQuote, RoutingTable, Split, least_total, split};
pub use mesh_types::{
    Claim, ClaimKey, ClaimOutcome, ClaimStore, Clock, ConfigError, DetectedProtocol,
    InvoiceRequest, KnownNode, LightningError, LightningInfo, LightningNode, MeshConfig, MeshError,
    MeshEvent, MeshMode, MeshPacket, ModuleContext, Msat, Network, NodeAPI, NodeEvent, NodeId,
    PacketKind, PaymentProof, PeerAddress, Price, ProofForHop, Route, RoutingPolicy, StoreError,
    UnixTime, from_hex, to_hex,
};
