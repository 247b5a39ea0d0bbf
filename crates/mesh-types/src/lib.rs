//! The words of blvm-mesh.
//!
//! Every other crate speaks in these types: who (`NodeId`), how much (`Msat`, `Price`), when (`UnixTime`),
//! along which way (`Route`), learned from whom (`Announcement`, `GossipMessage`), carrying what (`MeshPacket`),
//! paid how (`PaymentProof`, `Claim`), under which settings (`MeshConfig`), failing why (`MeshError`). The ports at
//! the end are what a mesh needs from the program around it: a node, a Lightning wallet, the block chain, a store for
//! the money, a clock.
//!
//! There is no behaviour here beyond checked constructors and checked arithmetic.
//!
//! ```
//! use mesh_types::{Msat, NodeId, Price, Route};
//!
//! let route = Route::new([1, 2, 3].map(|byte| NodeId::from_bytes([byte; 32])).to_vec())?;
//! assert_eq!(route.relay_count(), 1);
//!
//! let price = Price { per_packet: Msat::from_msat(100), per_kib: Msat::from_msat(1_000) };
//! assert_eq!(price.of(512), Some(Msat::from_msat(600)));
//! # Ok::<(), mesh_types::RouteError>(())
//! ```

mod amount;
mod announcement;
mod chain;
mod claim;
mod config;
mod context;
mod error;
mod event;
mod gossip;
mod hex;
mod lightning;
mod network;
mod node_id;
mod on_chain_config;
mod packet;
mod policy;
mod ports;
mod price;
mod proof;
mod refunds;
mod route;
mod spending;
mod spending_config;
mod store;
mod time;

pub use amount::Msat;
pub use announcement::{
    AnnouncedLink, Announcement, AnnouncementError, CarryLimits, MAX_ANNOUNCED_ADDRESS_BYTES,
    MAX_ANNOUNCED_ADDRESSES, MAX_ANNOUNCED_LINKS, MAX_ANNOUNCEMENT_SEQUENCE, SignedAnnouncement,
};
pub use chain::{ChainError, ChainNode, ChainOutput, ChainTransaction, OutPoint, TxHash};
pub use claim::{Claim, ClaimKey};
pub use config::{ConfigError, FreeLane, KnownNode, MeshConfig, PeerAddress, PeerAddressError};
pub use context::ModuleContext;
pub use error::MeshError;
pub use event::{MeshEvent, NodeEvent};
pub use gossip::{
    Comparison, Fingerprint, GossipMessage, Held, HeldRange, MAX_FIND_HOPS, MAX_ITEMS, MAX_LISTED,
    MAX_NAMED, MAX_RANGES, RangeContent,
};
pub use hex::{HexError, from_hex, to_hex};
pub use lightning::{
    Incoming, InvoiceRequest, LightningError, LightningInfo, LightningNode, MAX_SETTLED, Outgoing,
    PaidInvoice, PayLimits, SettledInvoice,
};
pub use network::{Network, UnknownNetwork};
pub use node_id::{NodeId, NodeIdError};
pub use on_chain_config::OnChainConfig;
pub use packet::{MAC_LEN, Mac, MeshPacket, PacketKind};
pub use policy::{DetectedProtocol, MeshMode, RoutingPolicy, UnknownMode};
pub use ports::{Clock, NodeAPI};
pub use price::Price;
pub use proof::{PaymentProof, ProofForHop};
pub use refunds::{
    MAX_OPEN_REFUNDS, REFUND_FEE_PERMILLE, REFUND_LEAST_FEE, Refund, RefundBegun, RefundEnd,
    RefundStore, most_refund_fee, most_refundable,
};
pub use route::{MAX_ROUTE_NODES, Route, RouteError};
pub use spending::{
    Begun, DayCaps, DaySpent, DaySums, MAX_PAYMENT_LINES, OwnPayment, PaymentEnd, PaymentOutcome,
    PaymentReason, SpendingStore, Spent,
};
pub use spending_config::SpendingConfig;
pub use store::{
    Books, CLAIM_SKEW, ClaimOutcome, ClaimStore, CreditStore, Drawn, MAX_BALANCE, MAX_KEPT_PROOFS,
    MAX_WATCHED, NodeStore, PacketTag, SequenceBlock, Settled, Settlement, Standing, Store,
    StoreError, Watched,
};
pub use time::{MAX_PACKET_AGE, UnixTime};
