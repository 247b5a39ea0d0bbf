//! Nothing twice: claims of payments and windows of sequence numbers.
//!
//! A [`ClaimSet`] remembers which payments were accepted, by the one key under which each can be claimed. A
//! [`SequenceWindow`] remembers which packets of one source came through; [`SequenceWindows`] keeps one for each source.
//! [`ReplayPrevention`] decides both together. All of it is exact, bounded, and takes the time as an argument; what a
//! payment is, this crate does not know.

mod claim_set;
mod prevention;
mod sequence_window;
mod sequence_windows;

pub use claim_set::{ClaimError, ClaimSet, MAX_CLAIM_LIFETIME};
pub use prevention::{MAX_CLAIMS, ReplayPrevention};
pub use sequence_window::{
    MAX_SEQUENCE, MAX_SEQUENCE_JUMP, SequenceError, SequenceWindow, WINDOW_WIDTH,
};
pub use sequence_windows::{MAX_SOURCES, SequenceWindows, SourceError};
