mod call;
mod error;
mod mempool;
mod methods;
mod server;
mod shape;

pub use server::{MAX_CONNECTIONS, MAX_REQUEST, RpcAccess, RpcServer};
