//! The journey of a packet.
//!
//! [`Engine`] is the decision: synchronous, with the time as an argument, without sockets. It parses a packet, checks
//! that it is fresh and authentic, asks what it is and whether it has to pay, and answers with a [`Step`]: forward it,
//! deliver it, claim a payment or draw credit first, or a [`Refusal`]. Nothing has changed until a step's [`Ticket`] is redeemed.
//!
//! [`MeshManager`] is the async shell that carries the steps out for a real node: it hands packets to links, claims
//! payments in a store, answers quotes, learns of the mesh from its neighbours, keeps the application's inbox, and sends.
//!
//! ```
//! use mesh_manager::{Draft, Engine, EngineSetup, Step};
//! use mesh_payment::SettlementPolicy;
//! use mesh_protocol::{IdentityKey, KeyError};
//! use mesh_types::{MeshConfig, MeshMode, Msat, PacketKind, Route, SequenceBlock, UnixTime};
//!
//! let now = UnixTime::from_secs(1_790_000_000);
//! let engine = |secret| -> Result<Engine, KeyError> {
//!     let identity = IdentityKey::from_secret_bytes([secret; 32])?;
//!     let config = MeshConfig { mode: MeshMode::Open, ..MeshConfig::default() };
//!     let sequences = SequenceBlock { next: 1, end: 1_000, good_for: None };
//!     let settlement = SettlementPolicy::default();
//!     Ok(Engine::new(EngineSetup { identity, config, payee_key: None, settlement, sequences }, now))
//! };
//! let (source, destination) = (engine(1)?, engine(2)?);
//! let draft = Draft {
//!     route: Route::new(vec![source.node_id(), destination.node_id()])?,
//!     kind: PacketKind::Data,
//!     payload: b"hello".to_vec(),
//!     fee: Msat::ZERO,
//!     proof: None,
//!     is_sealed: true,
//!     wants_receipt: false,
//! };
//! let packet = source.compose(draft, [7; 24], now)?;
//! match destination.receive(&source.node_id(), &packet.bytes, now) {
//!     Ok(Step::Deliver { delivery, ticket }) => {
//!         assert_eq!(delivery.payload, b"hello");
//!         ticket.carried();
//!     }
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arrival;
mod budget;
mod carry;
mod chain;
mod chain_places;
mod clock;
mod compose;
mod conditions;
mod control;
mod credits;
mod debts;
mod delivery;
mod engine;
mod exchange;
mod failed;
mod fees;
mod finding;
mod forgetful;
mod forgetful_payments;
mod forgetful_refunds;
mod free_lane;
mod funding;
mod funding_error;
mod identity;
mod in_hand;
mod journey;
mod keyring;
mod learning;
mod manager;
mod numbering;
mod on_chain_deposit;
mod on_chain_quote;
mod order;
mod pause;
mod payer;
mod peers;
mod pending;
mod purse;
mod questions;
mod refund_asking;
mod refunds;
mod refusal;
mod reload;
mod route_price;
mod route_watch;
mod send;
mod sending;
mod sends;
mod setup;
mod spending;
mod status;
mod ticket;
mod top_up;
mod traffic;
mod tried;
mod under_way;
mod unshown;
mod wallet;
mod watch;

pub use budget::{BudgetSpent, Budgets, MAX_BUDGETS};
pub use clock::SystemClock;
pub use compose::{ComposeError, Composed, Draft, MessageId};
pub use delivery::{Delivery, INBOX_PACKETS};
pub use engine::{Engine, EngineSetup};
pub use failed::fault_of;
pub use finding::MAX_LOOKING;
pub use forgetful::ForgetfulStore;
pub use identity::{IdentityError, identity_in, load_or_create_identity};
pub use journey::{Answer, Step};
pub use learning::LearningStatus;
pub use manager::MeshManager;
pub use on_chain_deposit::{OnChainDeposit, OnChainPayment};
pub use on_chain_quote::OnChainQuote;
pub use pause::{Asked, Halfway, PendingClaim, PendingDraw, PendingQuestion};
pub use payer::{PAYMENT_MARGIN, PaidQuote, QuoteToPay, pay_quote};
pub use peers::Peer;
pub use pending::MAX_PENDING;
pub use questions::{Quoted, QuotedInvoice};
pub use refund_asking::RefundReceived;
pub use refusal::{Refusal, RefusalReason, Refused, Tell};
pub use route_price::{NodePrice, RoutePrice};
pub use send::{Attempt, Reply, SendOptions, Sent};
pub use spending::SpendingLimit;
pub use status::{Money, Remembered, Status};
pub use ticket::Ticket;
pub use tried::{SendError, Tried, TriedEnd};
