//! A regtest chain, and a Lightning network on it, inside one process; or on a real bitcoind, where there is one.
//!
//! For tests and demos, never for money: the key of its miner is written in its code, and policy that protects a node of
//! the real network is left out.
//!
//! [`Chain`] holds blocks, unspent outputs and a mempool, checks what it is given by consensus rules, and mines when it is
//! told to. [`RpcServer`] answers questions about it as bitcoind does, so that whatever asks a bitcoind can ask it.
//! [`Regtest`] is that pair, or a real bitcoind where the environment variable [`BITCOIND`] names one.
//!
//! Behind the feature `lightning`, `LightningNetwork` has LDK nodes with channels between them on such a chain.

mod bitcoind;
mod chain;
mod clock;
#[cfg(feature = "lightning")]
mod front;
#[cfg(feature = "lightning")]
mod network;
mod regtest;
mod rpc;
mod worker;

pub use bitcoind::{Bitcoind, BitcoindError};
pub use chain::{
    Chain, ChainError, Coin, FIRST_BLOCKS, Found, MATURITY, MAX_BLOCKS_AT_ONCE, MAX_POOL, Rejection,
};
#[cfg(feature = "lightning")]
pub use front::{
    ClnFront, LndFront, Loss, MAX_CLN_REQUEST, MAX_FRONT_CONNECTIONS, MAX_LND_REQUEST,
};
#[cfg(feature = "lightning")]
pub use ldk_node;
#[cfg(feature = "lightning")]
pub use network::{
    ChannelPlan, LightningNetwork, MAX_INVOICES, NetworkError, PATIENCE, Peer, PeerConfig, Plan,
    wait_until,
};
pub use regtest::{BITCOIND, Regtest, RegtestError};
pub use rpc::{AskError, MAX_CONNECTIONS, MAX_REQUEST, RpcAccess, RpcServer};
