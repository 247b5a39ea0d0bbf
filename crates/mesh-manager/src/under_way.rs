use crate::{
    MeshManager, PaidQuote,
    manager::{Shared, no_store},
    order::{OnTab, refusal},
    payer::{Payable, PaymentUnderWay},
};
use mesh_types::{
    LightningError, LightningNode, MeshError, Msat, NodeId, Outgoing, OwnPayment, PaidInvoice,
    PaymentEnd, PaymentOutcome, PaymentProof,
};
use std::time::Duration;

impl MeshManager {
    /// Pays, with a note and a line in the store from before the wallet is asked until the outcome is known.
    pub(crate) async fn see_through(
        &self,
        payment: OwnPayment,
        payable: &Payable,
        on_tab: &OnTab,
        lightning: &dyn LightningNode,
    ) -> Result<PaidQuote, MeshError> {
        let shared = &self.shared;
        let (unshown, fees) = (&shared.unshown, &shared.spending.fees);
        let note = payable.under_way();
        let caps = shared.spending.day_caps();
        let begun = unshown.begin(&payment, &note, caps).await;
        let _asking = match begun {
            Ok(Ok(asking)) => asking,
            Ok(Err(begun)) => {
                on_tab.failed();
                return Err(refusal(begun, &payment, self)
                    .unwrap_or_else(|| MeshError::Busy("it was not begun".to_owned())));
            }
            Err(error) => {
                on_tab.failed();
                return Err(no_store(error));
            }
        };
        let most_fee = payment.fee;
        let paid = payable.pay(lightning, most_fee).await;
        let at = shared.node_api.now();
        let end = |outcome, fee, proof| PaymentEnd {
            payment_hash: payment.payment_hash,
            payee: payment.payee,
            outcome,
            fee,
            note: note.clone(),
            proof,
        };
        match paid {
            Ok(PaidInvoice { preimage, fee }) => {
                let paid = payable.paid(preimage);
                let outcome = PaymentOutcome::Paid { at };
                self.count_spent(paid.amount);
                on_tab.paid(fee);
                fees.paid(payment.payee, fee);
                unshown
                    .end(end(outcome, fee, Some(paid.proof.clone())))
                    .await;
                Ok(paid)
            }
            Err(error) => {
                if !matches!(error, LightningError::Unknown(_)) {
                    let outcome = PaymentOutcome::Failed { at };
                    on_tab.failed();
                    if matches!(error, LightningError::PaymentFailed(_)) {
                        fees.failed(payment.payee);
                    }
                    unshown.end(end(outcome, Msat::ZERO, None)).await;
                }
                Err(self.shared.failed(&error))
            }
        }
    }

    /// Asks the wallet what became of payments and refunds whose outcome is not known; what was paid is shown when it is needed
    /// next.
    ///
    /// A running mesh does this by itself; it is here for those who drive a mesh without its clock.
    pub async fn look_up_payments(&self) {
        self.shared.look_up_payments().await;
        self.shared.look_up_refunds().await;
    }
}

impl MeshManager {
    /// Asks the wallet once what became of payments to `payee` whose outcome is not known, at most as long as `patience`.
    pub(crate) async fn look_up_payee(&self, payee: &NodeId, patience: Duration) {
        let Ok(lightning) = self.lightning() else {
            return;
        };
        let looking_up = async {
            for (to, note) in self.shared.unshown.all_under_way() {
                if to == *payee {
                    self.shared
                        .look_up_one(to, &note, lightning.as_ref())
                        .await?;
                }
            }
            Ok::<_, LightningError>(())
        };
        match tokio::time::timeout(patience, looking_up).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%payee, %error, "a payment is not looked up"),
            Err(_) => tracing::debug!(%payee, "the wallet is slow to look up a payment"),
        }
    }
}

impl Shared {
    pub(crate) async fn look_up_payments(&self) {
        let Some(lightning) = self.node_api.lightning() else {
            return;
        };
        self.unshown.say_again().await;
        for (payee, note) in self.unshown.all_under_way() {
            if let Err(error) = self.look_up_one(payee, &note, lightning.as_ref()).await {
                tracing::debug!(%payee, %error, "what became of a payment is not known yet");
                return;
            }
        }
    }

    async fn look_up_one(
        &self,
        payee: NodeId,
        note: &PaymentProof,
        lightning: &dyn LightningNode,
    ) -> Result<(), LightningError> {
        let Some(payment) = PaymentUnderWay::of(note) else {
            return Ok(());
        };
        if self.unshown.is_asking(&payment.payment_hash) {
            return Ok(());
        }
        let now = self.node_api.now();
        let (outcome, fee, proof) = match lightning.outgoing(payment.payment_hash).await? {
            Outgoing::Pending => return Ok(()),
            // The request may still be on its way to the wallet, as long as the invoice can be paid.
            Outgoing::NotPaid if payment.expires_at.is_alive_at(now) => return Ok(()),
            Outgoing::NotPaid => (PaymentOutcome::Failed { at: now }, Msat::ZERO, None),
            Outgoing::Paid(paid) => {
                tracing::info!(%payee, "a payment whose outcome was not known has been made");
                let proof = payment.proof(paid.preimage);
                self.spending.fees.paid(payee, paid.fee);
                (PaymentOutcome::Paid { at: now }, paid.fee, Some(proof))
            }
        };
        let end = PaymentEnd {
            payment_hash: payment.payment_hash,
            payee,
            outcome,
            fee,
            note: note.clone(),
            proof,
        };
        self.unshown.end(end).await;
        Ok(())
    }
}
