//! The Lightning wallets that a mesh node can earn and pay with.
//!
//! [`open()`] opens the one that the settings choose: Core Lightning by its unix socket, LND by REST, LNbits by REST, or a
//! node inside this program, which is LDK's. Each is a module behind a feature of its own, speaks its back end's API, and
//! implements `LightningNode`. None of them decides anything about a mesh.
//!
//! Money is safe by three rules. A payment is looked up before it is made, and again when its answer is lost, so it is
//! never made twice. What is not known is said to be unknown, and is never a failure. An invoice is handed on only
//! when it reads as it was asked for.

#![cfg_attr(
    not(any(feature = "cln", feature = "lnd", feature = "lnbits", feature = "ldk")),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        reason = "no back end, only settings"
    )
)]

mod call;
#[cfg(feature = "cln")]
mod cln;
mod config;
mod error;
#[cfg(feature = "rest")]
mod http;
mod invoice;
#[cfg(feature = "ldk")]
mod ldk;
#[cfg(feature = "lnbits")]
mod lnbits;
#[cfg(feature = "lnd")]
mod lnd;
mod open;
mod pay;
mod said;

#[cfg(feature = "cln")]
pub use cln::{Cln, MAX_CLN_ANSWER};
pub use config::{
    BitcoindConfig, ChainConfig, ClnConfig, LdkConfig, LightningConfig, LnbitsConfig, LndConfig,
    MAX_SECRET_LEN,
};
pub use error::OpenError;
#[cfg(feature = "rest")]
pub use http::{CONNECT_PATIENCE, MAX_HTTP_ANSWER};
#[cfg(feature = "ldk")]
pub use ldk::{Ldk, LdkChannel, LdkStatus, MAX_WAITING_INVOICES, OPENING_PATIENCE, OpenChannel};
#[cfg(feature = "lnbits")]
pub use lnbits::{Lnbits, PROBE_AMOUNT};
#[cfg(feature = "lnd")]
pub use lnd::Lnd;
pub use mesh_secret::{SecretError, SecretFrom};
pub use open::{Opened, open};
pub use pay::{MAX_WAIT, REQUEST_PATIENCE};
