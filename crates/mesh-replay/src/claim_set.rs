use async_trait::async_trait;
use mesh_types::{Claim, ClaimKey, ClaimOutcome, ClaimStore, MeshError, StoreError, UnixTime};
use std::time::Duration;
use thiserror::Error;

/// How far ahead a claim's expiry may lie.
///
/// Seven days, because no quote lives longer, and because it bounds how many expiry buckets there can be.
pub const MAX_CLAIM_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The payments that were claimed, in memory only: a restart forgets them.
#[derive(Debug)]
pub struct ClaimSet {}

/// Why a payment was not claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ClaimError {
    /// It was claimed before.
    #[error("the payment was claimed before")]
    AlreadyClaimed,
    /// Its time is over.
    #[error("the payment could be claimed until {} and it is {}", expires_at.to_secs(), now.to_secs())]
    Expired {
        /// When it ended.
        expires_at: UnixTime,
        /// The time of the claim.
        now: UnixTime,
    },
    /// It would have to be remembered for longer than [`MAX_CLAIM_LIFETIME`].
    #[error("the payment expires at {}, later than a claim is remembered", expires_at.to_secs())]
    LivesTooLong {
        /// When it would end.
        expires_at: UnixTime,
    },
    /// As many payments as the set may hold are claimed and not expired.
    #[error("the set holds {max_claims} claims and takes no more")]
    Full {
        /// The bound.
        max_claims: usize,
    },
}

impl From<ClaimError> for MeshError {
    fn from(_error: ClaimError) -> Self {
        todo!()
    }
}

impl ClaimSet {
    /// Makes an empty set for at most `max_claims` claims.
    pub fn new(_max_claims: usize) -> Self {
        todo!()
    }

    /// Claims a payment, once: of all calls with one key, exactly one succeeds.
    ///
    /// # Errors
    /// [`ClaimError`]; the set is then as it was.
    pub fn claim(
        &self,
        _key: ClaimKey,
        _expires_at: UnixTime,
        _now: UnixTime,
    ) -> Result<(), ClaimError> {
        todo!()
    }

    /// Says whether the payment was claimed and is still remembered.
    pub fn contains(&self, _key: &ClaimKey) -> bool {
        todo!()
    }

    /// Forgets what has expired and gives how many claims that were, in time proportional to it.
    pub fn remove_expired(&self, _now: UnixTime) -> usize {
        todo!()
    }

    /// How many claims are remembered.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Says whether no claim is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of the heap the set has.
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
}

#[async_trait]
impl ClaimStore for ClaimSet {
    async fn claim(&self, _claim: Claim, _now: UnixTime) -> Result<ClaimOutcome, StoreError> {
        todo!()
    }
}
