use crate::{ClaimError, ClaimSet, MAX_CLAIM_LIFETIME, SequenceWindows, SourceError};
use mesh_types::{ClaimKey, Clock, MeshError, NodeId, PaymentProof, UnixTime};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};
use thiserror::Error;

/// How many claims [`ReplayPrevention`] remembers.
///
/// 1,048,576, because they take at most 64 MiB.
pub const MAX_CLAIMS: usize = 1 << 20;

/// Claims of proofs and sequence windows, decided together; in memory only, so a restart forgets them.
///
/// It is for programs that verify proofs themselves and hand them here afterwards. A proof's own fields are its
/// sender's word, so they decide nothing but a refusal: a claim is remembered for [`MAX_CLAIM_LIFETIME`] whatever
/// expiry the proof names, and a proof that names one further ahead than that is refused.
pub struct ReplayPrevention {
    clock: Arc<dyn Clock>,
    windows: SequenceWindows,
    claims: ClaimSet,
}

impl fmt::Debug for ReplayPrevention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayPrevention")
            .field("claims", &self.claims.len())
            .field("sources", &self.windows.len())
            .finish_non_exhaustive()
    }
}

/// Why a proof or a packet was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum ReplayError {
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("proofs by {kind} are not enabled")]
    NotEnabled { kind: &'static str },
}

impl From<ReplayError> for MeshError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Claim(error) => error.into(),
            ReplayError::Source(error) => error.into(),
            ReplayError::NotEnabled { .. } => Self::PaymentVerificationFailed(error.to_string()),
        }
    }
}

impl ReplayPrevention {
    /// Starts with nothing remembered.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            windows: SequenceWindows::new(),
            claims: ClaimSet::new(MAX_CLAIMS),
        }
    }

    /// Claims a verified proof and marks the packet that brought it, both or neither.
    ///
    /// The claim's key is what was paid: for Lightning the SHA-256 of the preimage, which is the payment hash, and never
    /// the invoice's text, the timestamp or the amount.
    ///
    /// # Errors
    /// [`MeshError::ReplayDetected`] when the proof was claimed or the packet came before,
    /// [`MeshError::PaymentVerificationFailed`] when the proof's time is over, too far ahead, or its kind not enabled,
    /// [`MeshError::InvalidPacket`] when no honest source would use the number, [`MeshError::Busy`] when a bound is
    /// reached. Nothing has changed then.
    ///
    /// # Security
    /// Only for proofs that were verified, in packets that are authentic and fresh: an unverified proof would take the
    /// place of a real one, and a packet of somebody else would move the source's window.
    pub fn check_replay(
        &self,
        proof: &PaymentProof,
        source: &NodeId,
        sequence: u64,
    ) -> Result<(), MeshError> {
        let now = self.clock.now();
        Ok(self.decide(proof, source, sequence, now)?)
    }

    /// Forgets the claims that have expired and gives how many they were; drops the windows of idle sources too.
    pub fn cleanup_expired(&self) -> usize {
        let now = self.clock.now();
        self.windows.remove_idle(now);
        self.claims.remove_expired(now)
    }

    /// Locks are taken in one order: a source's shard, then a claim's. Nothing here or below takes them the other way.
    fn decide(
        &self,
        proof: &PaymentProof,
        source: &NodeId,
        sequence: u64,
        now: UnixTime,
    ) -> Result<(), ReplayError> {
        let (key, expires_at) = key_and_expiry(proof)?;
        if !expires_at.is_alive_at(now) {
            return Err(ClaimError::Expired { expires_at, now }.into());
        }
        let remember_until = now.plus(MAX_CLAIM_LIFETIME);
        if expires_at > remember_until {
            return Err(ClaimError::LivesTooLong { expires_at }.into());
        }
        let claim = || Ok(self.claims.claim(key, remember_until, now)?);
        self.windows.mark_if(source, sequence, claim, now)
    }
}

/// What was paid, and until when the sender says that it counts.
///
/// The other kinds of proof have a key that only verification can derive (an output of a transaction), so they are
/// refused until there is such a verification.
fn key_and_expiry(proof: &PaymentProof) -> Result<(ClaimKey, UnixTime), ReplayError> {
    match proof {
        PaymentProof::Lightning {
            preimage,
            expires_at,
            ..
        } => Ok((
            ClaimKey::from_payment_hash(Sha256::digest(preimage).into()),
            UnixTime::from_secs(*expires_at),
        )),
        PaymentProof::OnChainSettlement { .. } => Err(ReplayError::NotEnabled {
            kind: "on-chain settlement",
        }),
        PaymentProof::InstantSettlement { .. } => Err(ReplayError::NotEnabled {
            kind: "instant settlement",
        }),
    }
}
