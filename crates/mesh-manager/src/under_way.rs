use crate::{
    MeshManager, PaidQuote,
    manager::{Shared, no_store},
    payer::{Payable, PaymentUnderWay},
};
use mesh_types::{LightningError, LightningNode, MeshError, NodeId, Outgoing, PaymentProof};

impl MeshManager {
    /// Pays, with a note in the store from before the wallet is asked until the outcome is known.
    pub(crate) async fn see_through(
        &self,
        payee: NodeId,
        payable: &Payable,
        lightning: &dyn LightningNode,
    ) -> Result<PaidQuote, MeshError> {
        let unshown = &self.shared.unshown;
        let note = payable.under_way();
        let _asking = unshown
            .begin(payee, &note, payable.payment_hash)
            .await
            .map_err(no_store)?;
        match payable.pay(lightning).await {
            Ok(paid) => {
                let paid = payable.paid(paid.preimage);
                self.count_spent(paid.amount);
                unshown.keep(payee, paid.proof.clone()).await;
                unshown.forget(&payee, &note).await;
                Ok(paid)
            }
            Err(error) => {
                if !matches!(error, LightningError::Unknown(_)) {
                    unshown.forget(&payee, &note).await;
                }
                Err(self.shared.failed(&error))
            }
        }
    }

    /// Asks the wallet what became of payments whose outcome is not known; what was paid is shown when it is needed next.
    ///
    /// A running mesh does this by itself; it is here for those who drive a mesh without its clock.
    pub async fn look_up_payments(&self) {
        self.shared.look_up_payments().await;
    }
}

impl Shared {
    pub(crate) async fn look_up_payments(&self) {
        let Some(lightning) = self.node_api.lightning() else {
            return;
        };
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
        match lightning.outgoing(payment.payment_hash).await? {
            Outgoing::Pending => return Ok(()),
            // The request may still be on its way to the wallet, as long as the invoice can be paid.
            Outgoing::NotPaid if payment.expires_at.is_alive_at(self.node_api.now()) => {
                return Ok(());
            }
            Outgoing::NotPaid => {}
            Outgoing::Paid(paid) => {
                tracing::info!(%payee, "a payment whose outcome was not known has been made");
                let proof = payment.proof(paid.preimage);
                self.unshown.keep(payee, proof).await;
            }
        }
        self.unshown.forget(&payee, note).await;
        Ok(())
    }
}
