//! How nodes learn of each other: whole meshes of engines, wired together by queues in virtual time.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod limits;
mod mesh;
mod minted;
mod seeking;
mod spreading;
