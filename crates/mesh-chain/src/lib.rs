//! The block chain as a Bitcoin node tells it over JSON-RPC.
//!
//! [`BitcoinRpc`] is the [`mesh_types::ChainNode`] over bitcoind, blvm-node and whatever else answers the same calls. It asks
//! the one node that its operator has named ([`ChainConfig`]), with a cookie that is read anew for every call, or with a user
//! and a password; it needs no wallet there, and no index of transactions, though it tells more with one: docs/chain.md.
//!
//! What cannot be told is an error, never a guess: a node that is away, behind, on another network or strange answers nothing.

mod answer;
mod config;
mod credentials;
mod error;
mod http;
mod node;
mod places;
mod rpc;

pub use config::{ChainConfig, MAX_SECRET_LEN};
pub use error::OpenError;
pub use http::{ANSWER_PATIENCE, CONNECT_PATIENCE, MAX_ANSWER, MAX_AT_ONCE};
pub use mesh_secret::{SecretError, SecretFrom};
pub use node::{BitcoinRpc, MAX_BEHIND, MAX_LOOKED_AT};
pub use places::MAX_PLACES;
