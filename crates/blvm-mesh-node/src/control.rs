//! The control socket: how the commands talk to a running node.
//!
//! It is a Unix socket in a folder that only its owner can enter. Each side writes lines of JSON: a [`Call`], answered by
//! a [`Reply`]. What is unknown is an error, on both sides.

mod client;
mod ledger;
mod lightning;
mod line;
mod on_chain;
mod protocol;
mod report;
mod sending;
mod server;
mod session;
mod socket;
mod spent;
mod stop;
mod surroundings;

pub use client::{Client, ClientError};
pub use ledger::{
    DebitPlace, DebitReport, DepositReport, DifferenceReport, ExportReport, JournalReport,
    LedgerCall, LedgerReport, Lines, MAX_LEDGER_LINES, OverviewReport, PayerReport, PeriodReport,
    VerdictReport,
};
pub use lightning::{ChannelReport, LightningCall, LightningReport, OpenCall, WalletReport};
pub use line::LineError;
pub use on_chain::{OnChainCall, OnChainReport, ShowCall, ShownReport, ToPayReport};
pub use protocol::{
    Answer, Call, CallError, DeliveryReport, Failure, FailureKind, MAX_CALL_BYTES, MAX_REPLY_BYTES,
    MAX_TAKEN, PROTOCOL_VERSION, QuoteReport, RefundCall, RefundReport, Reply, Request, SendCall,
    SentReport,
};
pub use report::{
    CreditReport, DialReport, LearningReport, MAX_LISTED_CREDITS, MoneyReport, PeerReport,
    PriceReport, StatusReport, StoreReport, TrafficReport,
};
pub use sending::{
    NodePriceReport, NotSentReport, PriceCall, RoutePriceReport, TriedReport, TriedWord,
};
pub use server::{MAX_SESSIONS, Server};
pub use socket::SocketError;
pub use spent::{
    DaySumsReport, OutcomeWord, PayeeSumsReport, PaymentReport, ReasonWord, SpentCall,
    SpentDifferenceReport, SpentReport, SumsReport,
};
pub use surroundings::{
    FaultReport, FaultWord, HopReport, LinkReport, MAX_LISTED_LINKS, MAX_LISTED_ROUTES,
    NeighbourReport, PlaceReport, RouteReport, RoutesCall, RoutesReport, StandingReport,
    TopologyReport,
};
