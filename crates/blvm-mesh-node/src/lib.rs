//! A stand-alone mesh node and its command line.
//!
//! [`Node`] is one running node: an identity, [`mesh_link::Links`], a [`blvm_mesh::MeshManager`] between them, and a
//! wallet where the configuration names one ([`NodeConfig`]). What happens on it is told to a [`Watcher`]. `blvm-mesh run`
//! is a node with a log and a control socket ([`control`]), over which the other commands talk to it; a [`Service`] is the
//! same for a program that has a mesh beside other things;
//! `blvm-mesh demo` is three nodes and a story, checked as it is told.
//!
//! There are no rules of the mesh here, and the one wallet of its own is a sandbox ([`SandboxLightning`]).

mod cli;
mod command_error;
mod commands;
pub mod config;
pub mod control;
mod demo;
mod drawing;
mod embedded;
mod file_lock;
mod hex;
mod hops;
mod ledger_desk;
mod node;
mod node_api;
mod node_log;
mod on_chain_desk;
mod peer_book;
mod pump;
mod qr;
mod reload;
mod sandbox;
mod service;
mod surroundings;
mod text;
mod utc;
mod watcher;

pub use cli::main;
pub use config::NodeConfig;
pub use file_lock::LockError;
pub use node::{Brought, Home, Node, StartError};
pub use node_log::NodeLog;
pub use reload::{ReloadError, Reloaded, reload_on_hangup};
pub use sandbox::{SandboxBalance, SandboxError, SandboxLightning};
pub use service::{Service, ServiceError};
pub use watcher::{Passage, PassageHeader, Unwatched, Watcher};
