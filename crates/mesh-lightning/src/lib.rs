//! The Lightning wallets that a mesh node can earn and pay with.
//!
//! [`open()`] opens the one that the settings choose: Core Lightning by its unix socket, LND by REST, or LNbits by REST.
//! Each is a module behind a feature of its own, speaks its back end's API, and implements `LightningNode`. None of them
//! decides anything about a mesh.
//!
//! Money is safe by three rules. A payment is looked up before it is made, and again when its answer is lost, so it is
//! never made twice. What is not known is said to be unknown, and is never a failure. An invoice is handed on only
//! when it reads as it was asked for.

#[cfg(feature = "cln")]
mod cln;
mod config;
mod error;
mod invoice;
mod open;
mod pay;
mod said;

#[cfg(feature = "cln")]
pub use cln::{Cln, MAX_CLN_ANSWER};
pub use config::{ClnConfig, LightningConfig};
pub use error::OpenError;
pub use open::{Opened, open};
pub use pay::REQUEST_PATIENCE;
