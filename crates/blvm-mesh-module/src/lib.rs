//! The mesh inside a real blvm-node, in one process with it.
//!
//! [`MeshInside`] is started with a [`blvm_node::node::Node`] and stopped after it. Packets travel on the mesh's own links;
//! the node supplies the block chain ([`ChainFacts`]) and hears and tells events, which are hints and never evidence.
//! [`FullNodeConfig`] reads the node's configuration file with a `[mesh]` table in it. The program `blvm-mesh-full-node` is
//! the three put together; its [`demo`] runs three of itself ([`regtest`]).
//!
//! There are no rules of the mesh here. What the released node does otherwise than its documentation says is listed in
//! docs/blvm-node.md, with the version where it was seen.

pub mod api;
mod chain_facts;
mod config;
mod demo;
mod events;
mod inside;
mod lightning_module;
mod node_source;
mod recent_blocks;
mod register;
pub mod regtest;
mod relay_cost;
mod transactions;

pub use chain_facts::ChainFacts;
pub use config::{ConfigError, FullNodeConfig, MESH_DIR};
pub use demo::{DemoError, demo};
pub use inside::{InsideError, MeshInside};
pub use lightning_module::{ANSWER_PATIENCE, BookError, LightningModule, MAX_OPEN_INVOICES};
pub use relay_cost::{RelayCostError, relay_cost};
