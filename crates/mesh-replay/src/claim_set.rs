use crate::claim_shard::ClaimShard;
use crate::expiry_bucket::ExpiryBucket;
use mesh_types::{ClaimKey, MeshError, UnixTime};
use parking_lot::Mutex;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use thiserror::Error;

/// How far ahead a claim's expiry may lie.
///
/// Seven days, because no quote lives longer, and because it bounds how many expiry buckets a shard can have.
pub const MAX_CLAIM_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many parts the set has, each behind its own lock.
///
/// 32, because that is more than the threads that claim at one time, and a part of a set of a million grows in
/// about a millisecond.
const SHARDS: usize = 32;

/// The payments that were claimed, in memory only: a restart forgets them.
///
/// A program that takes real money keeps its claims in a durable `ClaimStore`, and may have this in front of it. A claim takes at most 64 bytes
/// while a set of a million or more fills; what expires is used again, or given back.
///
/// The hash that picks shards and places is keyed at random, because whoever pays chooses keys.
#[derive(Debug)]
pub struct ClaimSet {
    shards: [Mutex<ClaimShard>; SHARDS],
    hash_keys: RandomState,
    len: AtomicUsize,
    max_claims: usize,
}

/// Why a payment was not claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ClaimError {
    /// It was claimed before.
    #[error("the payment was claimed before")]
    AlreadyClaimed,
    /// Its time is over.
    #[error("the payment expired at {}, and it is {}", expires_at.to_secs(), now.to_secs())]
    Expired {
        /// When it ended.
        expires_at: UnixTime,
        /// The time of the claim; or of the last clean-up, when the clock has gone back since.
        now: UnixTime,
    },
    /// It would have to be remembered for longer than [`MAX_CLAIM_LIFETIME`].
    #[error("the payment expires at {}, later than a claim is remembered", expires_at.to_secs())]
    LivesTooLong {
        /// When it would end.
        expires_at: UnixTime,
    },
    /// The set holds as many claims as it may.
    #[error("the set holds {max_claims} claims and takes no more")]
    Full {
        /// The bound.
        max_claims: usize,
    },
}

impl From<ClaimError> for MeshError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::AlreadyClaimed => Self::ReplayDetected(error.to_string()),
            ClaimError::Expired { .. } | ClaimError::LivesTooLong { .. } => {
                Self::PaymentVerificationFailed(error.to_string())
            }
            ClaimError::Full { .. } => Self::Busy(error.to_string()),
        }
    }
}

impl ClaimSet {
    /// Makes an empty set for at most `max_claims` claims; it takes memory as it fills.
    pub fn new(max_claims: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(ClaimShard::new())),
            hash_keys: RandomState::new(),
            len: AtomicUsize::new(0),
            max_claims,
        }
    }

    /// Claims a payment: of all calls with one key, exactly one succeeds while the claim is remembered.
    ///
    /// It is remembered at least while `now < expires_at`, and goes with the first [`ClaimSet::remove_expired`] that
    /// comes 64 seconds or more after that.
    ///
    /// # Errors
    /// [`ClaimError`]; the set is then as it was.
    ///
    /// # Security
    /// `expires_at` is the payment's own, verified expiry: a payment that can be verified for longer than its claim is
    /// remembered can be claimed twice.
    pub fn claim(
        &self,
        key: ClaimKey,
        expires_at: UnixTime,
        now: UnixTime,
    ) -> Result<(), ClaimError> {
        if !expires_at.is_alive_at(now) {
            return Err(ClaimError::Expired { expires_at, now });
        }
        if expires_at > now.plus(MAX_CLAIM_LIFETIME) {
            return Err(ClaimError::LivesTooLong { expires_at });
        }
        let bucket = ExpiryBucket::of(expires_at).ok_or(ClaimError::LivesTooLong { expires_at })?;
        let hash = self.hash_keys.hash_one(key);
        let full = ClaimError::Full {
            max_claims: self.max_claims,
        };
        let mut shard = self.shard(hash).lock();
        if bucket.is_over_at(shard.swept_at()) {
            let now = shard.swept_at();
            return Err(ClaimError::Expired { expires_at, now });
        }
        if shard.contains(hash, &key) {
            return Err(ClaimError::AlreadyClaimed);
        }
        if !self.reserve_one() {
            return Err(full);
        }
        if !shard.insert(hash, key, bucket, |key| self.hash_keys.hash_one(key)) {
            self.len.fetch_sub(1, Ordering::Relaxed);
            return Err(full);
        }
        Ok(())
    }

    /// Says whether the payment was claimed and is still remembered.
    pub fn contains(&self, key: &ClaimKey) -> bool {
        let hash = self.hash_keys.hash_one(key);
        self.shard(hash).lock().contains(hash, key)
    }

    /// Forgets what has expired and gives how many claims that were, in time proportional to it.
    pub fn remove_expired(&self, now: UnixTime) -> usize {
        let mut removed = 0;
        for shard in &self.shards {
            let hash_of = |key: &ClaimKey| self.hash_keys.hash_one(key);
            let swept = shard.lock().remove_expired(now, hash_of);
            self.len.fetch_sub(swept.removed, Ordering::Relaxed);
            removed += swept.removed;
        }
        removed
    }

    /// How many claims are remembered.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Says whether no claim is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of the heap the set has, give or take the shape of its trees.
    pub fn memory_bytes(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| shard.lock().memory_bytes()).sum()
    }

    fn reserve_one(&self) -> bool {
        let one_more = |len| (len < self.max_claims).then_some(len + 1);
        self.len
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }

    fn shard(&self, hash: u64) -> &Mutex<ClaimShard> {
        let [first, ..] = &self.shards;
        // The table takes places from the low bits and tags from the top seven; these are in between.
        let index = (hash >> 48) as usize % SHARDS;
        self.shards.get(index).unwrap_or(first)
    }
}
