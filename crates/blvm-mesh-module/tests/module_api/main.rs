//! The module API: its bytes, what it answers, and what it refuses.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod bad_bytes;
mod calls;
mod golden;
mod json_rpc;
mod two_nodes;
