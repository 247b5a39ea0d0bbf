use crate::{ProofKind, QuoteKey, VerifiedPayment, VerifyError, lightning};
use mesh_types::{Network, NodeId, PaymentProof, UnixTime};
use secp256k1::PublicKey;

/// What a payment to this node looks like.
///
/// With neither a quote key nor a payee key no Lightning proof is good: there would be nothing to hold it against.
/// With both, either tells that an invoice was issued here (P-11).
///
/// # Security
/// A payee key is as good as the wallet behind it is this node's alone. Where others can have it sign invoices whose
/// text they choose, they can sign one for a quote of theirs and "pay" themselves: leave it out there, which a wallet
/// that takes the quotes' preimages allows.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// The node that quotes have to name.
    pub node_id: NodeId,
    /// The network that invoices have to be for.
    pub network: Network,
    /// The key of this node's quotes on that network ([`QuoteKey::on`]).
    pub quote_key: Option<QuoteKey>,
    /// The key that signs the invoices of this node's Lightning back end.
    pub payee_key: Option<PublicKey>,
}

impl Verifier {
    /// Verifies that `proof` pays a quote of this node's.
    ///
    /// It says nothing about whether the payment was used before: that is the claim's business.
    ///
    /// # Errors
    /// [`VerifyError`], one variant for each rule of `docs/payment.md`.
    ///
    /// # Security
    /// A false accept is unpaid carriage; a false reject makes the payer send again.
    pub fn verify(
        &self,
        proof: &PaymentProof,
        now: UnixTime,
    ) -> Result<VerifiedPayment, VerifyError> {
        match proof {
            PaymentProof::Lightning {
                invoice,
                preimage,
                amount_msats,
                timestamp,
                expires_at,
            } => {
                let shown = lightning::Shown {
                    invoice,
                    preimage,
                    amount_msats: *amount_msats,
                    timestamp: *timestamp,
                    expires_at: *expires_at,
                };
                lightning::verify(self, &shown, now)
            }
            PaymentProof::OnChainSettlement { .. } => {
                Err(VerifyError::NotEnabled(ProofKind::OnChainSettlement))
            }
            PaymentProof::InstantSettlement { .. } => {
                Err(VerifyError::NotEnabled(ProofKind::InstantSettlement))
            }
        }
    }
}
