use crate::VerifyError;
use mesh_types::{Claim, ClaimKey, Incoming, Msat, NodeId, UnixTime};

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

    /// Checks what the wallet says of the invoice: with a right preimage alone it need not be this wallet's, or settled yet
    /// (P-25).
    ///
    /// # Errors
    /// [`VerifyError::NotIssuedHere`] when it is not this wallet's, [`VerifyError::Unsettled`] when it is not settled for as
    /// much.
    pub fn check_settled(&self, found: Incoming) -> Result<(), VerifyError> {
        match found {
            Incoming::Settled { amount } if amount >= self.claim.amount => Ok(()),
            Incoming::Settled { .. } | Incoming::Unpaid | Incoming::Held => {
                Err(VerifyError::Unsettled)
            }
            Incoming::NotOurs => Err(VerifyError::NotIssuedHere),
        }
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
