//! Where packets go: peers, links, prices, routes and the fee split.
//!
//! A [`RoutingTable`] knows the nodes that are connected here, the links and prices of those further away, and finds
//! the cheapest way to any of them. [`split`] says who gets what of a packet's fee; [`least_total`] is its inverse: the
//! least fee for which every party's share covers its own price. Nothing here sends.

mod error;
mod fee;
mod least_total;
mod quote;
mod split;
mod table;

pub use error::RoutingError;
pub use fee::FeeDistribution;
pub use least_total::least_total;
pub use quote::RouteQuote;
pub use split::{Split, split};
pub use table::{MAX_ADDRESS_BYTES, MAX_DIRECT_PEERS, MAX_LINKS_PER_NODE, MAX_NODES, RoutingTable};
