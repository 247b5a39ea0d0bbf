use mesh_types::{Claim, ClaimKey, Msat, NodeId, UnixTime};

/// A payment that has been verified and not yet been claimed.
///
/// Only a [`crate::Verifier`] makes one, and it cannot be copied: whoever claims a payment takes it by value.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a verified payment is money: claim it"]
pub struct VerifiedPayment {
    claim: Claim,
}

impl VerifiedPayment {
    pub(crate) const fn new(claim: Claim) -> Self {
        Self { claim }
    }

    /// What has to be claimed before the payment counts.
    pub const fn claim(&self) -> Claim {
        self.claim
    }

    /// What was paid, as a key.
    pub const fn key(&self) -> ClaimKey {
        self.claim.key
    }

    /// Whose credit it is.
    pub const fn payer(&self) -> NodeId {
        self.claim.payer
    }

    /// How much.
    pub const fn amount(&self) -> Msat {
        self.claim.amount
    }

    /// Until when the proof can be shown.
    pub const fn expires_at(&self) -> UnixTime {
        self.claim.expires_at
    }
}
