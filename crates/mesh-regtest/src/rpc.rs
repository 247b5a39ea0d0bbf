mod call;
mod client;
mod error;
mod mempool;
mod methods;
mod server;
mod shape;

pub use client::AskError;
pub use server::{MAX_CONNECTIONS, MAX_REQUEST, RpcAccess, RpcServer};
