use crate::{
    Invoice, ProofKind, QuoteKey, SettlementPolicy, Verification, VerifiedPayment, VerifyError,
    covenant, lightning, on_chain,
};
use mesh_types::{Network, NodeId, PaymentProof, SettledInvoice, UnixTime};
use secp256k1::PublicKey;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// How far the clock of this node's wallet may be from the node's own, either way.
///
/// Two minutes, because packets are allowed as much, and a wallet that is further off is refused by its peers.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(120);

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
    /// What payments on the chain look like; the default takes none. They need the quote key.
    pub settlement: SettlementPolicy,
}

impl Verifier {
    /// Verifies that `proof` pays a quote of this node's, where nobody can ask the chain: a proof that needs it is refused.
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
        match self.begin(proof, now)? {
            Verification::Verified(payment) => Ok(payment),
            Verification::Asks(_) => Err(VerifyError::NotEnabled(ProofKind::of(proof))),
        }
    }

    /// Says whether a payment of `invoice` will be known as one to this node: it carries the preimage of its quote, or the
    /// signature of the payee key. A payer who paid any other would have nothing to show.
    pub fn would_recognise(&self, invoice: &str, preimage: &[u8; 32]) -> bool {
        let Ok(invoice) = Invoice::parse(invoice) else {
            return false;
        };
        let hash: [u8; 32] = Sha256::digest(preimage).into();
        hash == *invoice.payment_hash()
            || self
                .payee_key
                .as_ref()
                .is_some_and(|key| invoice.is_signed_by(key))
    }

    /// Verifies that an invoice which this node's wallet says is settled pays a quote of this node's (P-26): its payment can be
    /// claimed without a proof. `None` when it carries no quote at all, as whatever else the wallet is used for.
    ///
    /// It is not asked whether the quote's time is over: what was paid in time may be told late.
    ///
    /// # Errors
    /// [`VerifyError`] when its quote is not this node's, or not what was paid.
    pub fn settled(
        &self,
        invoice: &SettledInvoice,
    ) -> Option<Result<VerifiedPayment, VerifyError>> {
        lightning::settled(self, invoice).transpose()
    }

    /// Verifies all of `proof` that can be verified without the chain.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn begin(&self, proof: &PaymentProof, now: UnixTime) -> Result<Verification, VerifyError> {
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
                lightning::verify(self, &shown, now).map(Verification::Verified)
            }
            _ if self.settlement.scripts.is_empty() => {
                Err(VerifyError::NotEnabled(ProofKind::of(proof)))
            }
            PaymentProof::OnChainSettlement {
                payment_request_id,
                tx_hash,
                amount_sats,
                timestamp,
            } => {
                let shown = on_chain::Shown {
                    payment_request_id,
                    tx_hash,
                    amount_sats: *amount_sats,
                    timestamp: *timestamp,
                };
                on_chain::begin(self, &shown, now)
            }
            PaymentProof::InstantSettlement {
                covenant_proof,
                output_index,
                merkle_proof,
                amount_sats,
                timestamp,
            } => {
                let shown = covenant::Shown {
                    covenant_proof,
                    output_index: *output_index,
                    merkle_proof,
                    amount_sats: *amount_sats,
                    timestamp: *timestamp,
                };
                covenant::begin(self, &shown, now)
            }
        }
    }
}
