use crate::{CovenantError, CovenantLevel, InvoiceError, QuoteError, SettlementError};
use mesh_types::{MeshError, Msat, Network, NodeId, PaymentProof, UnixTime};
use std::fmt;
use thiserror::Error;

/// Which rule a proof of payment broke. Each variant is one rule of `docs/payment.md`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The invoice is not BOLT11, or is ambiguous (P-1).
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    /// The invoice is for another network (P-2).
    #[error("the invoice is not for {expected}")]
    WrongNetwork {
        /// This node's network.
        expected: Network,
    },
    /// The invoice lets the payer choose the amount (P-3).
    #[error("the invoice names no amount")]
    Amountless,
    /// The preimage is not the payment hash's (P-4).
    #[error("the preimage does not hash to the invoice's payment hash")]
    WrongPreimage,
    /// What the proof says of itself is not what its invoice, or its quote and its transaction, say (P-5, P-15).
    #[error("the proof's {field} is {claimed}, and has to be {actual}")]
    FieldMismatch {
        /// The field.
        field: ProofField,
        /// What the proof says.
        claimed: u64,
        /// What it has to be.
        actual: u64,
    },
    /// The invoice carries a hash instead of a description (P-6).
    #[error("the invoice's description is a hash and carries no quote")]
    NoQuote,
    /// The invoice's description, or the payment request's id, is no quote (P-6, P-15).
    #[error("what should be a mesh quote is none: {0}")]
    Quote(#[from] QuoteError),
    /// The quote was made by another node (P-7).
    #[error("the quote is by {payee}, not by this node")]
    QuoteOfAnotherNode {
        /// The node that it names.
        payee: NodeId,
    },
    /// The quote carries this node's name and not its tag (P-8).
    #[error("the quote was not made by this node")]
    ForgedQuote,
    /// The quote's amount is not the invoice's (P-9).
    #[error("the quote asks for {quoted}, its invoice for {invoiced}")]
    QuoteAmount {
        /// By the quote.
        quoted: Msat,
        /// By the invoice.
        invoiced: Msat,
    },
    /// The quote or the invoice is over (P-10).
    #[error("the payment could be shown until {}, Unix seconds", expired_at.to_secs())]
    Expired {
        /// The first moment at which it was over.
        expired_at: UnixTime,
    },
    /// The invoice was made in the future, by more than clocks may differ (P-10).
    #[error("the invoice was made at {}, Unix seconds, which is still to come", made_at.to_secs())]
    FromTheFuture {
        /// When it was made, by its own word.
        made_at: UnixTime,
    },
    /// The invoice has neither a preimage of this node's making nor its payee's signature (P-11).
    #[error("the invoice was issued by somebody else")]
    NotIssuedHere,
    /// The wallet does not say, or not yet, that the invoice is settled (P-25).
    #[error("the invoice is not settled")]
    Unsettled,
    /// The covenant's bytes are none that counts (P-19, P-20).
    #[error(transparent)]
    Covenant(#[from] CovenantError),
    /// The transaction is no payment of this quote, or not yet (P-16 to P-22).
    #[error(transparent)]
    Settlement(#[from] SettlementError),
    /// Proofs of this kind are not accepted (P-12).
    #[error("{0} proofs are not enabled on this node")]
    NotEnabled(ProofKind),
}

/// A field of a proof that says what something else says already, and has to agree with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofField {
    /// `amount_msats`.
    Amount,
    /// `amount_sats`.
    AmountSats,
    /// `timestamp`.
    Timestamp,
    /// `expires_at`.
    Expiry,
}

/// A kind of proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofKind {
    /// An invoice and its preimage.
    Lightning,
    /// A transaction that pays a request.
    OnChainSettlement,
    /// A covenant that pays a request when it is spent.
    InstantSettlement,
}

impl ProofField {
    /// Checks that a proof says of itself what is so.
    pub(crate) fn expect(self, claimed: u64, actual: u64) -> Result<(), VerifyError> {
        if claimed == actual {
            return Ok(());
        }
        Err(VerifyError::FieldMismatch {
            field: self,
            claimed,
            actual,
        })
    }
}

impl VerifyError {
    /// Whether the same proof may hold later, when more blocks have come.
    pub const fn is_pending(&self) -> bool {
        matches!(
            self,
            Self::Unsettled
                | Self::Settlement(
                    SettlementError::NotOnChain
                        | SettlementError::TooShallow { .. }
                        | SettlementError::Level(
                            CovenantLevel::CommitmentOnly | CovenantLevel::Funded { .. }
                        )
                )
        )
    }
}

impl ProofKind {
    pub(crate) const fn of(proof: &PaymentProof) -> Self {
        match proof {
            PaymentProof::Lightning { .. } => Self::Lightning,
            PaymentProof::OnChainSettlement { .. } => Self::OnChainSettlement,
            PaymentProof::InstantSettlement { .. } => Self::InstantSettlement,
        }
    }
}

impl fmt::Display for ProofField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amount => "amount_msats",
            Self::AmountSats => "amount_sats",
            Self::Timestamp => "timestamp",
            Self::Expiry => "expires_at",
        })
    }
}

impl fmt::Display for ProofKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lightning => "Lightning",
            Self::OnChainSettlement => "on-chain settlement",
            Self::InstantSettlement => "instant settlement",
        })
    }
}

impl From<VerifyError> for MeshError {
    fn from(error: VerifyError) -> Self {
        Self::PaymentVerificationFailed(error.to_string())
    }
}
