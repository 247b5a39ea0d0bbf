//! A regtest chain, and a Lightning network on it, inside one process.
//!
//! For tests and demos, never for money: the key of its miner is written in its code, and policy that protects a node of
//! the real network is left out.
//!
//! [`Chain`] holds blocks, unspent outputs and a mempool, checks what it is given by consensus rules, and mines when it is
//! told to. [`RpcServer`] answers questions about it as bitcoind does, so that whatever asks a bitcoind can ask it.

mod chain;
mod clock;
mod rpc;

pub use chain::{
    Chain, ChainError, Coin, FIRST_BLOCKS, Found, MATURITY, MAX_BLOCKS_AT_ONCE, MAX_POOL, Rejection,
};
pub use rpc::{MAX_CONNECTIONS, MAX_REQUEST, RpcServer};
