use crate::SequenceError;
use mesh_types::{MeshError, NodeId, UnixTime};
use thiserror::Error;

/// How many sources have a window at one time.
///
/// 65,536, because at some 200 bytes each that is 13 MB, and a node that hears more sources than that within four
/// minutes is being flooded.
pub const MAX_SOURCES: usize = 65_536;

/// One [`SequenceWindow`](crate::SequenceWindow) for each source.
#[derive(Debug)]
pub struct SequenceWindows {}

/// Why a source's packet was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SourceError {
    /// The source's window refuses the number.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// The source is new and there is no room for its window.
    #[error("no room for another source")]
    SourcesFull,
}

impl From<SourceError> for MeshError {
    fn from(_error: SourceError) -> Self {
        todo!()
    }
}

impl SequenceWindows {
    /// Makes an empty set of windows.
    pub fn new() -> Self {
        todo!()
    }

    /// Says whether the source's number may come, and changes nothing.
    ///
    /// # Errors
    /// [`SourceError`] says why not.
    pub fn check(
        &self,
        _source: &NodeId,
        _sequence: u64,
        _now: UnixTime,
    ) -> Result<(), SourceError> {
        todo!()
    }

    /// Checks the source's number and remembers it.
    ///
    /// # Errors
    /// As [`SequenceWindows::check`]; nothing has changed then.
    pub fn mark(
        &self,
        _source: &NodeId,
        _sequence: u64,
        _now: UnixTime,
    ) -> Result<(), SourceError> {
        todo!()
    }

    /// Takes a mark back, because the packet was not carried.
    pub fn unmark(&self, _source: &NodeId, _sequence: u64) {
        todo!()
    }

    /// Drops the windows that have been idle so long that nothing is lost, and gives how many.
    pub fn remove_idle(&self, _now: UnixTime) -> usize {
        todo!()
    }

    /// How many sources have a window.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Says whether no source has a window.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for SequenceWindows {
    fn default() -> Self {
        Self::new()
    }
}
