use crate::{
    ProofKind, QuoteKey, SettlementPolicy, Verification, VerifiedPayment, Verifier, VerifyError,
};
use mesh_types::{
    LightningInfo, LightningNode, MeshError, Msat, Network, NodeAPI, NodeId, PaymentProof,
};
use secp256k1::PublicKey;
use std::{fmt, sync::Arc};

/// Verifies proofs for the node behind a [`NodeAPI`]: the async shell round a [`Verifier`].
#[derive(Clone)]
pub struct PaymentVerifier {
    node_api: Arc<dyn NodeAPI>,
    quote_key: Option<QuoteKey>,
    settlement: Option<(Network, SettlementPolicy)>,
}

/// What became of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationResult {
    /// Whether the proof pays a quote of this node's.
    pub verified: bool,
    /// What was paid, in whole satoshi, rounded down; zero when the proof is not good.
    pub amount_sats: u64,
    /// What was paid; zero when the proof is not good.
    pub amount_msats: u64,
    /// Whose credit the payment is; `None` when the proof is not good.
    pub payer: Option<NodeId>,
    /// The rule that the proof broke; `None` when it is good.
    pub error: Option<VerifyError>,
}

impl PaymentVerifier {
    /// Verifies for the node behind `node_api`, by the signature of its Lightning back end.
    pub fn new(node_api: Arc<dyn NodeAPI>) -> Self {
        Self {
            node_api,
            quote_key: None,
            settlement: None,
        }
    }

    /// Recognises this node's own quotes by `quote_key` too: forged quotes are refused, and own preimages hold without a
    /// signature.
    #[must_use]
    pub fn with_quote_key(self, quote_key: QuoteKey) -> Self {
        Self {
            quote_key: Some(quote_key),
            ..self
        }
    }

    /// Accepts payments on the chain of `network` too, as `policy` says. They need the quote key, and a node that can be
    /// asked about its chain.
    #[must_use]
    pub fn with_settlement(self, network: Network, policy: SettlementPolicy) -> Self {
        Self {
            settlement: Some((network, policy)),
            ..self
        }
    }

    /// Judges `proof` now. Whether its payment was claimed before is not asked here.
    ///
    /// # Errors
    /// When it cannot be decided: there is no Lightning back end for a Lightning proof, or it or the chain cannot be asked
    /// now. A proof that is not good is `Ok`, with `verified: false` and the reason.
    pub async fn verify(&self, proof: &PaymentProof) -> Result<VerificationResult, MeshError> {
        let verifier = match (proof, &self.settlement) {
            (PaymentProof::Lightning { .. }, _) | (_, None) => self.verifier().await?,
            (_, Some((network, policy))) => self.chain_verifier(*network, policy),
        };
        let verdict = match verifier.begin(proof, self.node_api.now()) {
            Ok(Verification::Verified(payment)) => self.settled(payment).await?,
            Ok(Verification::Asks(question)) => match self.node_api.chain() {
                Some(chain) => {
                    let asked = question.put_to(chain.as_ref()).await;
                    asked.map_err(|error| MeshError::Busy(error.to_string()))?
                }
                None => Err(VerifyError::NotEnabled(ProofKind::of(proof))),
            },
            Err(error) => Err(error),
        };
        Ok(verdict.as_ref().map_or_else(
            |error| VerificationResult::refused(error.clone()),
            VerificationResult::of,
        ))
    }

    /// Asks the wallet whether the invoice is settled, where a signature with its key alone says too little.
    async fn settled(
        &self,
        payment: VerifiedPayment,
    ) -> Result<Result<VerifiedPayment, VerifyError>, MeshError> {
        let lightning = self.node_api.lightning().ok_or_else(no_back_end)?;
        if !info(lightning.as_ref()).await?.is_shared {
            return Ok(Ok(payment));
        }
        let found = lightning.incoming(*payment.key().as_bytes()).await;
        let found = found.map_err(|error| MeshError::LightningError(error.to_string()))?;
        Ok(payment.check_settled(found).map(|()| payment))
    }

    /// Asks the node for what a [`Verifier`] of Lightning proofs has to know.
    ///
    /// # Errors
    /// When there is no Lightning back end, it cannot be reached, or its key is none.
    pub async fn verifier(&self) -> Result<Verifier, MeshError> {
        let lightning = self.node_api.lightning().ok_or_else(no_back_end)?;
        let info = info(lightning.as_ref()).await?;
        let payee_key = PublicKey::from_slice(&info.payee_key)
            .map_err(|error| MeshError::LightningError(format!("the back end's key: {error}")))?;
        Ok(Verifier {
            node_id: self.node_api.get_node_id(),
            network: info.network,
            quote_key: self.quote_key.clone(),
            payee_key: Some(payee_key),
            settlement: SettlementPolicy::default(),
        })
    }

    /// What judges payments on the chain: no wallet has to be asked for it.
    fn chain_verifier(&self, network: Network, policy: &SettlementPolicy) -> Verifier {
        Verifier {
            node_id: self.node_api.get_node_id(),
            network,
            quote_key: self.quote_key.clone(),
            payee_key: None,
            settlement: policy.clone(),
        }
    }
}

async fn info(lightning: &dyn LightningNode) -> Result<LightningInfo, MeshError> {
    lightning
        .info()
        .await
        .map_err(|error| MeshError::LightningError(error.to_string()))
}

fn no_back_end() -> MeshError {
    MeshError::LightningError(
        "this node has no Lightning back end, so it has issued no invoice".to_owned(),
    )
}

impl VerificationResult {
    fn of(payment: &VerifiedPayment) -> Self {
        let amount: Msat = payment.amount();
        Self {
            verified: true,
            amount_sats: amount.to_sats_floor(),
            amount_msats: amount.to_msat(),
            payer: Some(payment.payer()),
            error: None,
        }
    }

    fn refused(error: VerifyError) -> Self {
        Self {
            verified: false,
            amount_sats: 0,
            amount_msats: 0,
            payer: None,
            error: Some(error),
        }
    }
}

impl fmt::Debug for PaymentVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentVerifier")
            .field("quote_key", &self.quote_key)
            .finish_non_exhaustive()
    }
}
