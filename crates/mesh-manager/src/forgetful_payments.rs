use crate::ForgetfulStore;
use async_trait::async_trait;
use mesh_types::{
    Begun, DayCaps, DaySums, MAX_PAYMENT_LINES, Msat, NodeId, OwnPayment, PaymentEnd,
    PaymentOutcome, PaymentProof, SpendingStore, Spent, StoreError, UnixTime,
};
use std::collections::{BTreeMap, VecDeque};

/// What a [`ForgetfulStore`] knows of this node's own payments.
#[derive(Debug, Default)]
pub(crate) struct Payments {
    lines: VecDeque<OwnPayment>,
    spent: BTreeMap<(UnixTime, NodeId), Spent>,
}

impl Payments {
    fn may_begin(&self, payment: &OwnPayment, caps: DayCaps) -> Begun {
        let is_under_way = |line: &OwnPayment| {
            line.payment_hash == payment.payment_hash && line.outcome == PaymentOutcome::Unknown
        };
        if self.lines.iter().any(is_under_way) {
            return Begun::UnderWay;
        }
        caps.admit(self.on_day(payment.at, payment.payee), payment.spent())
    }

    fn begin(&mut self, payment: OwnPayment) {
        self.change_day(payment.at, payment.payee, Spent::default(), payment.spent());
        self.lines.push_back(payment);
        if self.lines.len() as u64 > MAX_PAYMENT_LINES {
            self.lines.pop_front();
        }
    }

    fn end(&mut self, end: &PaymentEnd) {
        let mut lines = self.lines.iter_mut().rev();
        let found = lines.find(|line| {
            line.payment_hash == end.payment_hash && line.outcome == PaymentOutcome::Unknown
        });
        let Some(line) = found else { return };
        let before = line.spent();
        line.outcome = end.outcome;
        line.fee = match end.outcome {
            PaymentOutcome::Failed { .. } => Msat::ZERO,
            PaymentOutcome::Unknown | PaymentOutcome::Paid { .. } => end.fee,
        };
        let (at, payee, after) = (line.at, line.payee, line.spent());
        self.change_day(at, payee, before, after);
    }

    fn change_day(&mut self, at: UnixTime, payee: NodeId, before: Spent, after: Spent) {
        let sums = self.spent.entry((at.day(), payee)).or_default();
        // What is taken away was added before, and the bounds of a day keep the rest from overflowing.
        let changed = sums
            .checked_sub(before)
            .and_then(|sums| sums.checked_add(after));
        *sums = changed.unwrap_or(*sums);
    }

    fn on_day(&self, at: UnixTime, payee: NodeId) -> DaySums {
        let day = |node: [u8; 32]| (at.day(), NodeId::from_bytes(node));
        let mut sums = DaySums::default();
        for ((_, other), spent) in self.spent.range(day([0; 32])..=day([0xff; 32])) {
            sums.all = sums.all.checked_add(*spent).unwrap_or(sums.all);
            if *other == payee {
                sums.payee = *spent;
            }
        }
        sums
    }
}

#[async_trait]
impl SpendingStore for ForgetfulStore {
    async fn begin_payment(
        &self,
        payment: OwnPayment,
        note: PaymentProof,
        caps: DayCaps,
    ) -> Result<Begun, StoreError> {
        let mut memory = self.0.lock();
        let begun = memory.payments.may_begin(&payment, caps);
        if begun == Begun::Noted {
            memory.keep(payment.payee, note)?;
            memory.payments.begin(payment);
        }
        Ok(begun)
    }

    async fn end_payment(&self, end: PaymentEnd) -> Result<(), StoreError> {
        let mut memory = self.0.lock();
        memory.forget(end.payee, &end.note);
        if let Some(proof) = &end.proof {
            memory.keep(end.payee, proof.clone())?;
        }
        if end.outcome != PaymentOutcome::Unknown {
            memory.payments.end(&end);
        }
        Ok(())
    }

    async fn spent_on_day(&self, at: UnixTime, payee: NodeId) -> Result<DaySums, StoreError> {
        Ok(self.0.lock().payments.on_day(at, payee))
    }

    async fn last_payments(&self, most: usize) -> Result<Vec<OwnPayment>, StoreError> {
        let memory = self.0.lock();
        let newest = memory.payments.lines.iter().rev();
        Ok(newest.take(most).cloned().collect())
    }
}
