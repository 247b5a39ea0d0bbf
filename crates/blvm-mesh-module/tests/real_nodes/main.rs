//! Real nodes on regtest, each a process of its own, with the mesh inside.
//!
//! Lightning payments here are those of the sandbox wallet: real invoices, no money. Payments on the chain are real
//! transactions in real blocks.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

mod beside;
mod blvm_lightning;
mod covenants;
mod crossing;
mod free_messages;
mod granted;
mod inside;
mod json_rpc;
mod module;
mod module_api;
mod on_chain;
mod payer;
mod real_channels;
mod wallet;

use std::path::Path;

/// The program under test.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_blvm-mesh-full-node"))
}
