//! Nothing twice: claims of payments and windows of sequence numbers.
//!
//! A [`ClaimSet`] remembers which payments were accepted, by the one key under which each can be claimed. A
//! [`SequenceWindow`] remembers which packets of one source came through; [`SequenceWindows`] keeps one for each
//! source. [`ReplayPrevention`] decides both together. All of it is exact, bounded, and in memory only; what a payment
//! is, this crate does not know.
//!
//! ```
//! use mesh_replay::{ClaimError, ClaimSet, SequenceWindow};
//! use mesh_types::{ClaimKey, UnixTime};
//!
//! let claims = ClaimSet::new(1_000);
//! let (key, now) = (ClaimKey::from_payment_hash([7; 32]), UnixTime::from_secs(1_800_000_000));
//! let expires_at = UnixTime::from_secs(1_800_000_600);
//! assert_eq!(claims.claim(key, expires_at, now), Ok(()));
//! assert_eq!(claims.claim(key, expires_at, now), Err(ClaimError::AlreadyClaimed));
//!
//! let mut window = SequenceWindow::new();
//! assert!(window.mark(42).is_ok());
//! assert!(window.mark(42).is_err());
//! ```

mod claim_set;
mod claim_shard;
mod expiry_bucket;
mod prevention;
mod sequence_window;
mod sequence_windows;
mod slab;
mod source_shard;

pub use claim_set::{ClaimError, ClaimSet, MAX_CLAIM_LIFETIME};
pub use prevention::{MAX_CLAIMS, ReplayPrevention};
pub use sequence_window::{
    MAX_SEQUENCE, MAX_SEQUENCE_JUMP, SequenceError, SequenceWindow, WINDOW_WIDTH,
};
pub use sequence_windows::{MAX_SOURCES, SequenceWindows, SourceError};
pub use source_shard::MAX_IDLE;
