use crate::ForgetfulStore;
use async_trait::async_trait;
use mesh_types::{
    MAX_OPEN_REFUNDS, PaymentOutcome, Refund, RefundBegun, RefundEnd, RefundStore, StoreError,
};

#[async_trait]
impl RefundStore for ForgetfulStore {
    async fn begin_refund(&self, refund: Refund) -> Result<RefundBegun, StoreError> {
        let mut memory = self.0.lock();
        if let Some(known) = memory.refunds.get(&refund.payment_hash) {
            return Ok(if known.payer == refund.payer {
                RefundBegun::Known(known.clone())
            } else {
                RefundBegun::Anothers
            });
        }
        let open = memory.refunds.values();
        let open = open.filter(|it| it.outcome == PaymentOutcome::Unknown);
        if open.count() >= MAX_OPEN_REFUNDS {
            let reason = format!("{MAX_OPEN_REFUNDS} refunds are under way already");
            return Err(StoreError::Unavailable(reason));
        }
        let begun = memory.take_out(refund.payer, refund.taken());
        if begun == RefundBegun::Noted {
            memory.refunds.insert(refund.payment_hash, refund);
        }
        Ok(begun)
    }

    async fn end_refund(&self, end: RefundEnd) -> Result<(), StoreError> {
        let mut memory = self.0.lock();
        let before = memory.refunds.get(&end.payment_hash);
        let ended = before.and_then(|before| {
            let after = before.ended(&end)?;
            let back = before.taken()?.checked_sub(after.taken()?)?;
            Some((after, back))
        });
        if let Some((after, back)) = ended {
            memory.put_back(after.payer, back)?;
            memory.refunds.insert(after.payment_hash, after);
        }
        Ok(())
    }

    async fn refund(&self, payment_hash: [u8; 32]) -> Result<Option<Refund>, StoreError> {
        Ok(self.0.lock().refunds.get(&payment_hash).cloned())
    }

    async fn open_refunds(&self) -> Result<Vec<Refund>, StoreError> {
        let memory = self.0.lock();
        let all = memory.refunds.values();
        let open = all.filter(|it| it.outcome == PaymentOutcome::Unknown);
        Ok(open.take(MAX_OPEN_REFUNDS).cloned().collect())
    }
}
