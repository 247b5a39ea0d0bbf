use crate::{
    MeshManager,
    exchange::NoAnswer,
    manager::{Shared, no_store},
    route_watch::best,
    unshown::is_over,
};
use mesh_payment::{Quote, SettlementError};
use mesh_protocol::RefusalCode;
use mesh_types::{MeshError, Msat, NodeId, PaymentProof, ProofForHop, TxHash, UnixTime};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Weak, time::Duration};
use tokio::time::sleep;

/// How often it is looked whether a proof is to be shown.
const INTERVAL: Duration = Duration::from_secs(1);

/// How soon a payment that is not credited yet is shown again: at first, and at most.
///
/// Blocks come every ten minutes, and each look costs the payee a question to its chain.
const FIRST_PAUSE: Duration = Duration::from_secs(15);
const LAST_PAUSE: Duration = Duration::from_secs(300);

/// How long an answer is waited for when nobody waits behind it.
const ANSWER: Duration = Duration::from_secs(5);

/// A payment on the chain, as whoever made it knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnChainPayment {
    /// What it pays.
    pub quote: Quote,
    /// The transaction.
    pub tx_hash: TxHash,
    /// What the output holds that pays: what was quoted, or more.
    pub amount: Msat,
}

/// What became of a payment on the chain that its payee was told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnChainDeposit {
    /// It is credit.
    Credited {
        /// What this node has with the payee now.
        credit: Msat,
    },
    /// It is kept, and shown again until the payee has credited it or the quote is over; after a restart, too.
    Waits {
        /// Why it is not credited yet.
        why: String,
    },
}

/// When payments on the chain are shown next. It is not kept over a restart: then all are shown at once.
#[derive(Debug, Default)]
pub(crate) struct Showing(Mutex<HashMap<PaymentProof, Tries>>);

#[derive(Debug, Clone, Copy)]
struct Tries {
    next_at: UnixTime,
    pause: Duration,
}

/// What a payee says of a proof.
enum Said {
    Credited(Msat),
    /// It does not hold, and never will: what a transaction pays does not change.
    Refused,
    /// Later it may hold.
    Later(String),
}

impl Showing {
    fn is_due(&self, proof: &PaymentProof, now: UnixTime) -> bool {
        let tries = self.0.lock();
        tries
            .get(proof)
            .is_none_or(|tries| !tries.next_at.is_alive_at(now))
    }

    fn put_off(&self, proof: &PaymentProof, now: UnixTime) {
        let mut all = self.0.lock();
        let tries = all.entry(proof.clone()).or_insert(Tries {
            next_at: now,
            pause: FIRST_PAUSE,
        });
        tries.next_at = now.plus(tries.pause);
        tries.pause = tries.pause.saturating_mul(2).min(LAST_PAUSE);
    }

    /// Forgets the tries of proofs that are kept no more.
    fn keep_only(&self, kept: &[(NodeId, PaymentProof)]) {
        let mut all = self.0.lock();
        if all.len() > kept.len() {
            all.retain(|proof, _| kept.iter().any(|(_, it)| it == proof));
        }
    }

    fn forget(&self, proof: &PaymentProof) {
        self.0.lock().remove(proof);
    }
}

/// Shows payees what they were paid on the chain until the mesh is gone.
pub(crate) async fn keep_showing(mesh: Weak<Shared>) {
    loop {
        sleep(INTERVAL).await;
        let Some(shared) = mesh.upgrade() else { return };
        let kept = shared.unshown.on_chain();
        shared.showing.keep_only(&kept);
        drop(shared);
        for (payee, proof) in kept {
            let Some(shared) = mesh.upgrade() else { return };
            let mesh = MeshManager { shared };
            let is_due = mesh
                .shared
                .showing
                .is_due(&proof, mesh.shared.node_api.now());
            if is_due {
                mesh.show_again(payee, &proof).await;
            }
        }
    }
}

impl MeshManager {
    /// Tells the payee of a quote that it was paid on the chain, for this node's credit there.
    ///
    /// The proof is kept durably before it is shown, and shown again by itself while the payee does not answer, is busy, or
    /// the payment is not deep enough.
    ///
    /// # Errors
    /// [`MeshError::PaymentVerificationFailed`] when the quote is for another node or over, the amount is less than it asks
    /// for, or the payee says that the proof does not hold; [`MeshError::Busy`] when it cannot be kept.
    pub async fn deposit_on_chain(
        &self,
        payment: OnChainPayment,
        timeout: Duration,
    ) -> Result<OnChainDeposit, MeshError> {
        let shared = &self.shared;
        let payee = payment.quote.payee;
        let proof = self.proof_of(&payment)?;
        if !shared.unshown.has_room(shared.node_api.now()).await {
            let reason = "too many proofs wait to be shown";
            return Err(MeshError::Busy(reason.to_owned()));
        }
        let kept = shared.unshown.keep(payee, &proof).await;
        kept.map_err(no_store)?;
        // So that it is not shown twice at once, and soon again.
        shared.showing.forget(&proof);
        shared.showing.put_off(&proof, shared.node_api.now());
        match self.show_on_chain(payee, &proof, timeout).await {
            Said::Credited(credit) => {
                self.forget_shown(payee, &proof).await;
                Ok(OnChainDeposit::Credited { credit })
            }
            Said::Later(why) => Ok(OnChainDeposit::Waits { why }),
            Said::Refused => {
                self.forget_shown(payee, &proof).await;
                Err(MeshError::PaymentVerificationFailed(format!(
                    "{payee} does not take the proof: transaction {} does not pay this quote as it has to be paid",
                    payment.tx_hash
                )))
            }
        }
    }

    /// Shows payees at once what they were paid on the chain and have not credited yet.
    ///
    /// A running mesh does this by itself; it is here for those who drive a mesh without its clock.
    pub async fn show_payments(&self) {
        for (payee, proof) in self.shared.unshown.on_chain() {
            self.show_again(payee, &proof).await;
        }
    }

    fn proof_of(&self, payment: &OnChainPayment) -> Result<PaymentProof, MeshError> {
        let OnChainPayment {
            quote,
            tx_hash,
            amount,
        } = payment;
        let wrong = |why: String| Err(MeshError::PaymentVerificationFailed(why));
        if quote.payer != self.node_id() {
            return wrong(format!(
                "the quote is for the credit of {}, not of this node",
                quote.payer
            ));
        }
        if !quote.expires_at.is_alive_at(self.shared.node_api.now()) {
            return wrong("the quote is over: what pays it now is nobody's credit".to_owned());
        }
        if *amount < quote.amount {
            let (paid, quoted) = (*amount, quote.amount);
            return wrong(SettlementError::TooLittle { paid, quoted }.to_string());
        }
        Ok(PaymentProof::OnChainSettlement {
            payment_request_id: quote.to_text(),
            tx_hash: *tx_hash.as_bytes(),
            amount_sats: amount.to_sats_floor(),
            timestamp: quote.expires_at.to_secs(),
        })
    }

    /// Shows a kept proof, where there is a way, and takes down what becomes of it.
    async fn show_again(&self, payee: NodeId, proof: &PaymentProof) {
        let shared = &self.shared;
        if is_over(proof, shared.node_api.now()) {
            tracing::warn!(%payee, "a payment on the chain was not credited before its quote was over");
            return self.forget_shown(payee, proof).await;
        }
        if best(self.engine().routes(), &payee, 0).is_none() {
            return;
        }
        let said = self.show_on_chain(payee, proof, ANSWER).await;
        let now = shared.node_api.now();
        match said {
            Said::Credited(credit) => {
                tracing::info!(%payee, %credit, "a payment on the chain is credited");
                self.forget_shown(payee, proof).await;
            }
            Said::Later(why) => {
                tracing::debug!(%payee, why, "a payment on the chain is shown again later");
                shared.showing.put_off(proof, now);
            }
            Said::Refused => {
                tracing::warn!(%payee, "the proof of a payment on the chain does not hold, says its payee");
                self.forget_shown(payee, proof).await;
            }
        }
    }

    async fn show_on_chain(&self, payee: NodeId, proof: &PaymentProof, timeout: Duration) -> Said {
        let route = match self.route_within(&payee, 0, timeout).await {
            Ok(route) => route,
            Err(error) => return Said::Later(error.to_string()),
        };
        let position = route.len().saturating_sub(1);
        // A route has at most sixteen nodes.
        let hop = u8::try_from(position).unwrap_or(u8::MAX);
        let for_hop = ProofForHop {
            hop,
            proof: proof.clone(),
        };
        let shown = self.deposit_at(&route, for_hop, timeout).await;
        let credited = match shown {
            Ok(credit) => Some(credit),
            // By an answer that was lost, or a proof that was shown twice at once.
            Err(NoAnswer::Refused {
                code: RefusalCode::ProofReplayed,
                ..
            }) => None,
            Err(NoAnswer::Refused {
                code: RefusalCode::ProofInvalid,
                ..
            }) => return Said::Refused,
            Err(NoAnswer::Refused { code, .. }) => return Said::Later(code.to_string()),
            Err(why) => return Said::Later(MeshError::from(why).to_string()),
        };
        // Its price is asked for, too, so that the credit is known to whatever sends next.
        match (self.ask_node(&route, position, timeout).await, credited) {
            (Ok(terms), _) => Said::Credited(terms.credit),
            (Err(_), Some(credit)) => Said::Credited(credit),
            (Err(why), None) => Said::Later(MeshError::from(why).to_string()),
        }
    }

    async fn forget_shown(&self, payee: NodeId, proof: &PaymentProof) {
        self.shared.showing.forget(proof);
        self.shared.unshown.forget(&payee, proof).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(id: u8) -> PaymentProof {
        PaymentProof::OnChainSettlement {
            payment_request_id: "quote".to_owned(),
            tx_hash: [id; 32],
            amount_sats: 1_000,
            timestamp: 0,
        }
    }

    #[test]
    fn a_payment_is_shown_less_and_less_often_but_every_five_minutes() {
        let showing = Showing::default();
        let mut now = UnixTime::from_secs(1_790_000_000);
        assert!(showing.is_due(&proof(1), now));
        let mut pauses = Vec::new();
        for _ in 0..7 {
            showing.put_off(&proof(1), now);
            let pause = (1..).find(|secs| {
                let later = now.plus(Duration::from_secs(*secs));
                showing.is_due(&proof(1), later)
            });
            pauses.push(pause.unwrap());
            now = now.plus(LAST_PAUSE);
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
        assert!(showing.is_due(&proof(2), now));
    }

    #[test]
    fn nothing_is_remembered_of_payments_that_are_kept_no_more() {
        let showing = Showing::default();
        let now = UnixTime::from_secs(1_790_000_000);
        (0..5).for_each(|id| showing.put_off(&proof(id), now));
        let payee = NodeId::from_bytes([1; 32]);
        showing.keep_only(&[(payee, proof(3))]);
        assert_eq!(showing.0.lock().len(), 1);
        assert!(!showing.is_due(&proof(3), now));
    }
}
