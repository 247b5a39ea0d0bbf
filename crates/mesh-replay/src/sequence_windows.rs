use crate::SequenceError;
use crate::source_shard::SourceShard;
use mesh_types::{MeshError, NodeId, UnixTime};
use parking_lot::Mutex;
use std::hash::{BuildHasher, RandomState};
use thiserror::Error;

/// How many sources have a window at one time.
///
/// 65,536, because at 184 bytes each, and up to 12 for finding it, that is 13 MB; and because a node that hears more
/// sources than that within [`MAX_IDLE`](crate::MAX_IDLE) is being flooded.
pub const MAX_SOURCES: usize = 65_536;

/// How many parts the windows have, each behind its own lock: more than the threads that mark at one time.
const SHARDS: usize = 32;

/// One [`SequenceWindow`](crate::SequenceWindow) for each source.
///
/// A new source takes the place of the one that was silent longest, when that has been idle for longer than
/// [`MAX_IDLE`](crate::MAX_IDLE): nothing is lost then, because whoever uses this refuses packets by their timestamp,
/// and every packet that such a window remembers is too old. Where no source is that idle, the new one is refused, so a
/// flood of minted sources cannot push out those that are at work.
#[derive(Debug)]
pub struct SequenceWindows {
    shards: [Mutex<SourceShard>; SHARDS],
    hash_keys: RandomState,
}

/// Why a source's packet was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SourceError {
    /// The source's window refuses the number.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// The source is new and there is no room for its window.
    #[error("there is no room for another source")]
    SourcesFull,
    /// The clock stands before the end of what was dropped, so a new source might be one whose packets were seen.
    #[error("the clock went back, and new sources wait until it has caught up")]
    ClockWentBack,
}

impl From<SourceError> for MeshError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Sequence(error) => error.into(),
            SourceError::SourcesFull | SourceError::ClockWentBack => Self::Busy(error.to_string()),
        }
    }
}

impl SequenceWindows {
    /// Makes windows for up to [`MAX_SOURCES`] sources; they take memory as sources come.
    pub fn new() -> Self {
        Self::with_max_sources(MAX_SOURCES)
    }

    /// Makes windows for about `max_sources` sources: each of 32 parts takes a 32nd of them, rounded up.
    pub fn with_max_sources(max_sources: usize) -> Self {
        let max_of_shard = max_sources.div_ceil(SHARDS);
        Self {
            shards: std::array::from_fn(|_| Mutex::new(SourceShard::new(max_of_shard))),
            hash_keys: RandomState::new(),
        }
    }

    /// Says whether the source's number may come, and changes nothing.
    ///
    /// # Errors
    /// [`SourceError`] says why not.
    pub fn check(&self, source: &NodeId, sequence: u64, now: UnixTime) -> Result<(), SourceError> {
        let hash = self.hash_keys.hash_one(source);
        self.shard(hash).lock().check(hash, source, sequence, now)
    }

    /// Checks the source's number and remembers it.
    ///
    /// # Errors
    /// As [`SequenceWindows::check`]; nothing has changed then.
    pub fn mark(&self, source: &NodeId, sequence: u64, now: UnixTime) -> Result<(), SourceError> {
        self.mark_if(source, sequence, || Ok(()), now)
    }

    /// Checks the source's number and remembers it if `decide` agrees, which is asked last and under the source's lock.
    ///
    /// # Errors
    /// As [`SequenceWindows::check`], or what `decide` says; nothing has changed here then.
    pub(crate) fn mark_if<E: From<SourceError>>(
        &self,
        source: &NodeId,
        sequence: u64,
        decide: impl FnOnce() -> Result<(), E>,
        now: UnixTime,
    ) -> Result<(), E> {
        let hash_of = |source: &NodeId| self.hash_keys.hash_one(source);
        let hash = hash_of(source);
        let mut shard = self.shard(hash).lock();
        shard.check(hash, source, sequence, now)?;
        decide()?;
        Ok(shard.mark(hash, source, sequence, now, hash_of)?)
    }

    /// Takes a mark back, because the packet was not carried: the number may come again while it is inside the window.
    pub fn unmark(&self, source: &NodeId, sequence: u64) {
        let hash = self.hash_keys.hash_one(source);
        self.shard(hash).lock().unmark(hash, source, sequence);
    }

    /// Drops the windows of sources that were idle for longer than [`MAX_IDLE`](crate::MAX_IDLE) and gives how many, in
    /// time proportional to it.
    pub fn remove_idle(&self, now: UnixTime) -> usize {
        let hash_of = |source: &NodeId| self.hash_keys.hash_one(source);
        let shards = self.shards.iter();
        shards
            .map(|shard| shard.lock().remove_idle(now, hash_of))
            .sum()
    }

    /// How many sources have a window.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Says whether no source has a window.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of the heap the windows have.
    pub fn memory_bytes(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| shard.lock().memory_bytes()).sum()
    }

    fn shard(&self, hash: u64) -> &Mutex<SourceShard> {
        let [first, ..] = &self.shards;
        // The table takes places from the low bits and tags from the top seven; these are in between.
        let index = (hash >> 48) as usize % SHARDS;
        self.shards.get(index).unwrap_or(first)
    }
}

impl Default for SequenceWindows {
    fn default() -> Self {
        Self::new()
    }
}
