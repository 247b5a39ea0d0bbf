use mesh_types::MeshError;
use thiserror::Error;

/// How many numbers a window covers, the highest seen included.
///
/// 1,024, because a link that reorders further than that has lost more than it delivers; 128 bytes a source.
pub const WINDOW_WIDTH: u64 = 1_024;

/// How far a number may lie above the highest seen.
///
/// 2^48, because sequences start at the wall clock in microseconds and 2^48 of them are 8.9 years: no honest source
/// jumps that far, and no single packet can lock a source out of its numbers.
pub const MAX_SEQUENCE_JUMP: u64 = 1 << 48;

/// The greatest number that counts: 2^63 microseconds are 292,000 years.
pub const MAX_SEQUENCE: u64 = (1 << 63) - 1;

/// Which packets of one source came through, among the last [`WINDOW_WIDTH`] numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SequenceWindow {}

/// Why a sequence number was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SequenceError {
    /// The number came before.
    #[error("sequence {sequence} came before")]
    Duplicate {
        /// The number.
        sequence: u64,
    },
    /// The number lies below the window, so nobody knows whether it came before.
    #[error("sequence {sequence} is too old: the window starts at {lowest}")]
    TooOld {
        /// The number.
        sequence: u64,
        /// The lowest number that could still come.
        lowest: u64,
    },
    /// The number lies more than [`MAX_SEQUENCE_JUMP`] above the highest seen.
    #[error("sequence {sequence} jumps too far from {highest}")]
    JumpTooFar {
        /// The number.
        sequence: u64,
        /// The highest number seen.
        highest: u64,
    },
    /// The number is above [`MAX_SEQUENCE`].
    #[error("sequence {sequence} is out of range")]
    OutOfRange {
        /// The number.
        sequence: u64,
    },
}

impl From<SequenceError> for MeshError {
    fn from(_error: SequenceError) -> Self {
        todo!()
    }
}

impl SequenceWindow {
    /// Makes a window that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether the number may come, and changes nothing.
    ///
    /// # Errors
    /// [`SequenceError`] says why not.
    pub fn check(&self, _sequence: u64) -> Result<(), SequenceError> {
        todo!()
    }

    /// Checks the number and remembers it.
    ///
    /// # Errors
    /// As [`SequenceWindow::check`]; the window is then as it was.
    pub fn mark(&mut self, _sequence: u64) -> Result<(), SequenceError> {
        todo!()
    }

    /// Takes a mark back, because the packet was not carried: the number may come again while it is inside the window.
    pub fn unmark(&mut self, _sequence: u64) {
        todo!()
    }
}
