//! The durable home of a node's money.
//!
//! Claims, credit, earnings, the node's key and its numbering live in one of two stores with one behaviour: a redb file
//! in the data folder, or a PostgreSQL database that several gateways share. [`MeshStore`] is the handle to either; it
//! implements the ports of `mesh-types`.
//!
//! All changes go through one queue. While one transaction is being made durable the next changes gather, and become
//! one transaction in their turn: the disk is waited for once for all of them, and nobody hears an answer before it.

mod backend;
mod error;
mod judgement;
mod ledger;
mod location;
mod open;
mod payment_parts;
#[cfg(feature = "postgres")]
mod postgres;
mod proof_bytes;
mod record;
#[cfg(feature = "redb")]
mod redb;
mod refunding;
mod store;
mod writer;

pub use error::OpenError;
pub use ledger::{
    Counts, Difference, EXPORT_VERSION, ExportError, Exported, ImportError, Journal, Ledger,
    LineError, MAX_DIFFERENCES, MAX_EXPORT_LINE, Overview, Period, Spending, SpendingDifference,
    SpendingFilter, SpendingVerdict, Totals, Twice, Verdict, Watching, check_export,
};
pub use location::{LocationError, StoreLocation};
pub use open::Compacted;
pub use record::{Account, ClaimRecord, Debit, Deposit, PaymentLine};
pub use store::MeshStore;
pub use writer::{MAX_BATCH, MAX_WAITING, PATIENCE};
