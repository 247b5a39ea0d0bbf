//! The mesh inside a real blvm-node, or beside one.
//!
//! [`MeshInside`] is started with a [`blvm_node::node::Node`], in one process with it, and stopped after it. Packets travel
//! on the mesh's own links; the node supplies the block chain ([`ChainFacts`]) and hears and tells events, which are hints
//! and never evidence. [`FullNodeConfig`] reads the node's configuration file with a `[mesh]` table in it. The program
//! `blvm-mesh-full-node` is the three put together; its [`demo`] runs three of itself ([`regtest`]).
//!
//! [`MeshBeside`] is the same in a process of its own, as a module of the node, which it asks over the node's IPC
//! ([`NodeSocket`]); [`ProcessConfig`] reads its `config.toml`, [`start_log`] writes its log, and an [`RpcServer`] answers its
//! JSON-RPC. The program `blvm-mesh-module` is these.
//!
//! There are no rules of the mesh here. What the released node does otherwise than its documentation says is listed in
//! docs/blvm-node.md, with the version where it was seen.

pub mod api;
mod callers;
mod calls;
mod chain_facts;
mod config;
mod demo;
mod events;
mod inside;
mod ipc;
mod lightning_module;
mod log_file;
mod node_source;
mod outbox;
mod process;
mod process_config;
mod recent_blocks;
mod register;
pub mod regtest;
mod relay_cost;
mod rpc_server;
mod settings_file;
mod transactions;

pub use chain_facts::ChainFacts;
pub use config::{ConfigError, FullNodeConfig, MESH_DIR};
pub use demo::{DemoError, demo};
pub use events::EventCounts;
pub use inside::{InsideError, MeshInside};
pub use ipc::{IpcState, NodeSocket};
pub use lightning_module::{ANSWER_PATIENCE, BookError, LightningModule, MAX_OPEN_INVOICES};
pub use log_file::{LOG_BYTES, LOG_FILE, start_log};
pub use process::{MeshBeside, MeshBesideError};
pub use process_config::{CONFIG_FILE, ProcessConfig, ProcessConfigError, RPC_ADDR_BY_DEFAULT};
pub use relay_cost::{RelayCostError, relay_cost};
pub use rpc_server::{
    COOKIE_FILE, MAX_BODY_BYTES, MAX_CONNECTIONS, RpcBindError, RpcMethods, RpcServer,
};
pub use settings_file::SettingsFileError;

/// The name under which a node knows the mesh among its modules.
pub const MODULE_NAME: &str = "blvm-mesh";
