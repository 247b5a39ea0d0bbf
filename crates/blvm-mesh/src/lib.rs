//! Payment-gated packet routing, as a Bitcoin node imports it.
//!
//! The facade holds no rules: it names what the layered crates offer. Take one of them alone where that is enough;
//! `mesh-payment`, for one, verifies proofs of payment without any of the rest.
//!
//! # Starting a mesh, and sending
//!
//! A node hands over a [`ModuleContext`] and an [`NodeAPI`], its own side of the bargain: who it is, how it reaches its
//! peers, which Lightning wallet it has, what time it is.
//!
//! ```
//! use async_trait::async_trait;
//! use blvm_mesh::{
//!     Clock, LightningNode, MeshError, MeshEvent, MeshManager, ModuleContext, NodeAPI, NodeEvent, NodeId,
//!     PaymentProof, PaymentVerifier, SystemClock, UnixTime, load_or_create_identity,
//! };
//! use std::{collections::HashMap, sync::Arc};
//!
//! struct MyNode {
//!     id: NodeId,
//! }
//!
//! impl Clock for MyNode {
//!     fn now(&self) -> UnixTime {
//!         SystemClock.now()
//!     }
//! }
//!
//! #[async_trait]
//! impl NodeAPI for MyNode {
//!     fn get_node_id(&self) -> NodeId {
//!         self.id
//!     }
//!     async fn send_mesh_packet_to_peer(&self, peer: String, packet: Vec<u8>) -> Result<(), MeshError> {
//!         println!("{} bytes to {peer}", packet.len()); // here they go to the peer's link
//!         Ok(())
//!     }
//!     async fn publish_event(&self, event: MeshEvent) -> Result<(), MeshError> {
//!         println!("{event:?}");
//!         Ok(())
//!     }
//!     fn lightning(&self) -> Option<Arc<dyn LightningNode>> {
//!         None // a node with a wallet quotes invoices and pays them
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let data_dir = folder.path().display().to_string();
//! let settings = HashMap::from([("mode".to_owned(), "payment_gated".to_owned())]);
//! let ctx = ModuleContext::new("blvm-mesh".to_owned(), String::new(), data_dir.clone(), settings);
//! let identity = load_or_create_identity(&std::path::Path::new(&data_dir).join("identity.key"))?;
//! let node_api: Arc<dyn NodeAPI> = Arc::new(MyNode { id: identity.node_id() });
//! let manager = MeshManager::new(&ctx, Arc::clone(&node_api)).await?;
//!
//! // A peer's link is up: packets can go there, and over it.
//! let peer = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse()?;
//! manager.handle_event(NodeEvent::PeerConnected {
//!     peer_addr: "192.0.2.1:8334".to_owned(),
//!     peer_node_id: Some(peer),
//! });
//! let route = manager.route_to(&peer, 5).await?;
//! assert_eq!(*route, [manager.node_id(), peer]);
//!
//! // `send` pays what the route asks and waits until the destination confirms; bytes that are no packet are refused.
//! let refused = manager.send_mesh_packet("192.0.2.1:8334".to_owned(), b"hello".to_vec()).await;
//! assert!(matches!(refused, Err(MeshError::InvalidPacket(_))));
//!
//! // Without a wallet nobody can tell whether a proof is good, and that is an error, not a verdict.
//! let proof = PaymentProof::Lightning {
//!     invoice: "lnbc1...".to_owned(),
//!     preimage: [0; 32],
//!     amount_msats: 1_000,
//!     timestamp: 1_790_000_000,
//!     expires_at: 1_790_000_600,
//! };
//! assert!(PaymentVerifier::new(node_api).verify(&proof).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # Deciding without a node
//!
//! ```
//! use blvm_mesh::{DetectedProtocol, MeshMode, NodeId, RoutingPolicy, RoutingPolicyEngine, RoutingTable};
//!
//! let engine = RoutingPolicyEngine::new(MeshMode::PaymentGated);
//! let protocol = engine.detect_protocol(b"GET / HTTP/1.1");
//! assert_eq!(protocol, DetectedProtocol::Unknown);
//! assert_eq!(engine.determine_policy(protocol), RoutingPolicy::PaymentRequired);
//!
//! let [source, relay, destination] = [1, 2, 3].map(|byte| NodeId::from_bytes([byte; 32]));
//! let fee = RoutingTable::new(source).calculate_fee(&[source, relay, destination], 1_000);
//! assert_eq!((fee.destination_sats, fee.relay_sats, fee.source_sats), (600, vec![300], 100));
//! ```

pub use mesh_manager::{
    Asked, Attempt, Composed, Delivery, Draft, Engine, EngineSetup, ForgetfulStore, Halfway,
    IdentityError, LearningStatus, MAX_LOOKING, MeshManager, MessageId, Money, NodePrice,
    OnChainDeposit, OnChainPayment, OnChainQuote, PAYMENT_MARGIN, PaidQuote, Peer, PendingClaim,
    PendingDraw, PendingQuestion, QuoteToPay, QuotedInvoice, RefundReceived, Refusal,
    RefusalReason, Refused, Remembered, Reply, RoutePrice, SendError, SendOptions, Sent,
    SpendingLimit, Status, Step, SystemClock, Ticket, Tried, TriedEnd, identity_in,
    load_or_create_identity, pay_quote,
};
pub use mesh_payment::{
    Accounts, CovenantError, CovenantKind, CovenantLevel, CovenantProof, Invoice, LeastLevel,
    PaymentVerifier, Question, Quote, QuoteKey, Quoter, SettlementError, SettlementPolicy, Totals,
    Verification, VerificationResult, VerifiedPayment, Verifier, VerifyError, bitcoin, ctv,
    op_template_hash,
};
pub use mesh_protocol::{
    ControlMessage, IdentityKey, MAX_PACKET_LEN, MAX_PAYLOAD_LEN, PacketView, RefusalCode,
    RoutingPolicyEngine, emit,
};
pub use mesh_replay::{ClaimSet, MAX_CLAIMS, ReplayPrevention, SequenceWindows};
pub use mesh_routing::{
    Fault, FeeDistribution, FoundRoute, GossipCounts, LIFETIME as ANNOUNCEMENT_LIFETIME,
    MAX_ALTERNATIVES, RouteQuote, RoutingTable, Split, Standing as NodeStanding, Topology,
    TopologyLink, TopologyNode, least_total, split,
};
pub use mesh_types::{
    Begun, Books, ChainError, ChainNode, ChainOutput, ChainTransaction, Claim, ClaimKey,
    ClaimOutcome, ClaimStore, Clock, ConfigError, CreditStore, DayCaps, DaySpent, DaySums,
    DetectedProtocol, Drawn, FreeLane, Incoming, InvoiceRequest, KnownNode, LightningError,
    LightningInfo, LightningNode, MAX_PACKET_AGE, MAX_SETTLED, MeshConfig, MeshError, MeshEvent,
    MeshMode, MeshPacket, ModuleContext, Msat, Network, NodeAPI, NodeEvent, NodeId, NodeStore,
    OnChainConfig, OutPoint, Outgoing, OwnPayment, PacketKind, PacketTag, PaidInvoice, PayLimits,
    PaymentEnd, PaymentOutcome, PaymentProof, PaymentReason, PeerAddress, Price, ProofForHop,
    Refund, RefundBegun, RefundEnd, RefundStore, Route, RoutingPolicy, SequenceBlock, Settled,
    SettledInvoice, Settlement, SpendingConfig, SpendingStore, Spent, Standing, Store, StoreError,
    TxHash, UnixTime, Watched, from_hex, most_refund_fee, most_refundable, to_hex,
};
