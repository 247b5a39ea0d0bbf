//! The module API: its bytes, what it answers, and what it refuses.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod bad_bytes;
mod golden;
