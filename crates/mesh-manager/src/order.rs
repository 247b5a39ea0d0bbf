use crate::{
    MeshManager, PaidQuote, QuoteToPay,
    manager::no_store,
    payer::Payable,
    spending::{LimitReached, RouteTab},
};
use mesh_types::{
    Begun, MeshError, Msat, NodeId, OwnPayment, PaymentOutcome, PaymentReason, Spent,
};
use std::sync::Arc;

/// A quote that this node is to pay, and for what.
pub(crate) struct Order<'a> {
    pub(crate) payee: NodeId,
    pub(crate) invoice: &'a str,
    /// The most to pay for it, routing fees excepted.
    pub(crate) limit: Msat,
    pub(crate) reason: PaymentReason,
    pub(crate) tab: Arc<RouteTab>,
}

/// A payment that is on its packet's tab until it has failed.
pub(crate) struct OnTab {
    pub(crate) tab: Arc<RouteTab>,
    amount: Msat,
    most_fee: Msat,
}

impl OnTab {
    fn reserve(tab: Arc<RouteTab>, amount: Msat, most_fee: Msat) -> Result<Self, MeshError> {
        tab.reserve(amount, most_fee)?;
        Ok(Self {
            tab,
            amount,
            most_fee,
        })
    }

    /// Nothing was paid, nor ever will be.
    pub(crate) fn failed(&self) {
        self.tab.release(self.amount, self.most_fee);
    }

    /// It was made, for that fee.
    pub(crate) fn paid(&self, fee: Msat) {
        self.tab
            .release(Msat::ZERO, self.most_fee.saturating_sub(fee));
    }
}

impl MeshManager {
    /// Pays, after every limit was checked and what may be spent was set aside.
    pub(crate) async fn pay_order(&self, order: Order<'_>) -> Result<PaidQuote, MeshError> {
        let lightning = self.lightning()?;
        self.shared.is_payable()?;
        let now = self.shared.node_api.now();
        let busy = |reason: &str| MeshError::Busy(reason.to_owned());
        let unshown = &self.shared.unshown;
        if !unshown.has_room(now).await {
            return Err(busy("too many paid proofs wait to be shown"));
        }
        unshown.nothing_is_under_way(&order.payee)?;
        let to_pay = QuoteToPay {
            invoice: order.invoice,
            payer: self.node_id(),
            payee: order.payee,
            limit: order.limit,
        };
        let payable = Payable::read(&to_pay, now)?;
        let most_fee = self.shared.spending.config().most_fee(payable.amount);
        let payment = OwnPayment {
            payment_hash: payable.payment_hash,
            at: now,
            payee: order.payee,
            amount: payable.amount,
            fee: most_fee,
            reason: order.reason,
            outcome: PaymentOutcome::Unknown,
        };
        let on_tab = OnTab::reserve(order.tab, payment.amount, most_fee)?;
        let mesh = self.clone();
        let under_way = Arc::clone(&self.shared.paying).read_owned().await;
        // A task of its own: a payment that has begun is seen through, and its proof kept, though the caller goes away.
        let paying = tokio::spawn(async move {
            let paid = mesh
                .see_through(payment, &payable, &on_tab, lightning.as_ref())
                .await;
            drop(under_way);
            paid
        });
        paying
            .await
            .map_err(|error| MeshError::LightningError(error.to_string()))?
    }

    /// What may still be spent today, the most that routing may cost included.
    pub(crate) async fn left_today(&self, payee: &NodeId) -> Result<LeftToday, MeshError> {
        let now = self.shared.node_api.now();
        let sums = self.shared.store.spent_on_day(now, *payee).await;
        let sums = sums.map_err(no_store)?;
        let caps = self.shared.spending.day_caps();
        let left = |cap: Msat, spent: Spent| cap.saturating_sub(spent.total());
        Ok(LeftToday {
            of_all: left(caps.per_day, sums.all),
            of_payee: left(caps.per_payee, sums.payee),
        })
    }
}

/// What the limits of a day leave.
pub(crate) struct LeftToday {
    /// On all nodes.
    pub(crate) of_all: Msat,
    /// On one node.
    pub(crate) of_payee: Msat,
}

/// Why a payment was not begun; nothing where it was.
pub(crate) fn refusal(begun: Begun, payment: &OwnPayment, mesh: &MeshManager) -> Option<MeshError> {
    if begun == Begun::UnderWay {
        let reason = "this invoice is being paid".to_owned();
        return Some(MeshError::Busy(reason));
    }
    let caps = mesh.shared.spending.day_caps();
    let reached = LimitReached::of(begun, caps, payment.spent().total(), payment.at);
    reached.map(MeshError::from)
}
