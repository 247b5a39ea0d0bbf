use crate::{Msat, NodeId, PaymentOutcome, StoreError, UnixTime};
use async_trait::async_trait;

/// Keeps which payers asked for their balance back, what was taken from them for it, and what became of that.
#[async_trait]
pub trait RefundStore: Send + Sync {
    /// Takes what a refund may cost out of its payer's credit and writes the refund down, in one durable step: unless one with
    /// its payment hash was ever begun, or less than that is free. What is frozen or drawn is not free.
    ///
    /// Of any number of refunds begun at once, here and by whoever shares the store, no more is taken than there is.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell, or [`MAX_OPEN_REFUNDS`] are under way: nothing may be paid then.
    async fn begin_refund(&self, refund: Refund) -> Result<RefundBegun, StoreError>;

    /// Writes down, in one durable step, what became of a refund, and gives back what it has not cost. Saying it again changes
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell, or the payer's balance has no room now; nothing is lost by saying it again.
    async fn end_refund(&self, end: RefundEnd) -> Result<(), StoreError>;

    /// The refund of that payment hash, whenever it was.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    async fn refund(&self, payment_hash: [u8; 32]) -> Result<Option<Refund>, StoreError>;

    /// All refunds of which nobody knows what became of them, at most [`MAX_OPEN_REFUNDS`].
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    async fn open_refunds(&self) -> Result<Vec<Refund>, StoreError>;
}

/// The most refunds that are under way.
///
/// 256, because each keeps an invoice of some KiB and a question to the wallet every two seconds; at the bound others wait.
pub const MAX_OPEN_REFUNDS: usize = 256;

/// The most that routing may cost a refund, in thousandths of its amount: 2 %, as for a deposit by default.
pub const REFUND_FEE_PERMILLE: u64 = 20;

/// The most that routing may cost a refund however small it is: 1 sat, the usual base fee of one hop.
pub const REFUND_LEAST_FEE: Msat = Msat::from_msat(1_000);

/// The most that routing may cost a refund of `amount`: the payer bears it.
pub fn most_refund_fee(amount: Msat) -> Msat {
    let share = u128::from(amount.to_msat()) * u128::from(REFUND_FEE_PERMILLE);
    let share = u64::try_from(share.div_ceil(1_000)).unwrap_or(u64::MAX);
    Msat::from_msat(share).max(REFUND_LEAST_FEE)
}

/// The most that can be refunded out of `balance`, in whole satoshi.
pub fn most_refundable(balance: Msat) -> Msat {
    let of_share = u128::from(balance.to_msat()) * 1_000 / u128::from(1_000 + REFUND_FEE_PERMILLE);
    let of_share = u64::try_from(of_share).unwrap_or(u64::MAX);
    let most = of_share.min(balance.saturating_sub(REFUND_LEAST_FEE).to_msat());
    Msat::from_msat(most - most % 1_000)
}

/// A balance on its way back to its payer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// What is paid.
    pub payment_hash: [u8; 32],
    /// Whose credit it is taken from.
    pub payer: NodeId,
    /// When it was begun.
    pub at: UnixTime,
    /// How much, routing fees excepted.
    pub amount: Msat,
    /// What routing cost; the most that it may while that is not known, and nothing when it failed.
    pub fee: Msat,
    /// The payer's invoice while the outcome is not known; empty afterwards.
    pub invoice: String,
    /// What became of it.
    pub outcome: PaymentOutcome,
}

impl Refund {
    /// What it takes out of the credit; `None` when that is more than there can be.
    pub fn taken(&self) -> Option<Msat> {
        match self.outcome {
            PaymentOutcome::Failed { .. } => Some(Msat::ZERO),
            PaymentOutcome::Unknown | PaymentOutcome::Paid { .. } => {
                self.amount.checked_add(self.fee)
            }
        }
    }

    /// What it is once `end` is known; `None` when nothing ends: it has ended before, or `end` is no end of it.
    pub fn ended(&self, end: &RefundEnd) -> Option<Self> {
        let is_end = self.outcome == PaymentOutcome::Unknown
            && end.outcome != PaymentOutcome::Unknown
            && end.payment_hash == self.payment_hash
            && end.payer == self.payer;
        let fee = match end.outcome {
            PaymentOutcome::Failed { .. } => Msat::ZERO,
            // The payer never bears more than was taken.
            PaymentOutcome::Unknown | PaymentOutcome::Paid { .. } => end.fee.min(self.fee),
        };
        is_end.then(|| Self {
            fee,
            invoice: String::new(),
            outcome: end.outcome,
            ..self.clone()
        })
    }
}

/// The end of a refund that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundEnd {
    /// Which one.
    pub payment_hash: [u8; 32],
    /// Whose.
    pub payer: NodeId,
    /// What became of it.
    pub outcome: PaymentOutcome,
    /// What routing cost.
    pub fee: Msat,
}

/// Whether a refund may be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundBegun {
    /// It is written down, and what it may cost is taken.
    Noted,
    /// The same payer has begun one of that payment hash before; nothing was changed.
    Known(Refund),
    /// Another payer has begun one of that payment hash before.
    Anothers,
    /// Its payer has too little.
    TooLittle {
        /// What is free.
        free: Msat,
        /// What would be besides if nothing were drawn.
        drawn: Msat,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_can_be_refunded_fits_with_its_fee_and_a_satoshi_more_does_not() {
        for sats in (0..3_000).chain([2_100_000_000_000_000]) {
            for more in [0, 1, 19, 999] {
                let balance = Msat::from_msat(sats * 1_000 + more);
                let most = most_refundable(balance);
                let cost = |amount: Msat| amount.checked_add(most_refund_fee(amount));
                assert_eq!(most.to_msat() % 1_000, 0);
                assert!(
                    most == Msat::ZERO || cost(most) <= Some(balance),
                    "{balance}"
                );
                let dearer = most.checked_add(Msat::from_msat(1_000));
                assert!(dearer.and_then(cost) > Some(balance), "{balance}");
            }
        }
    }

    #[test]
    fn the_most_that_routing_may_cost_is_two_percent_and_one_satoshi_at_least() {
        let fee = |msat| most_refund_fee(Msat::from_msat(msat)).to_msat();
        assert_eq!(
            [1, 50_000, 50_001, 1_000_000].map(fee),
            [1_000, 1_000, 1_001, 20_000]
        );
        assert_eq!(fee(u64::MAX), u64::MAX / 50 + 1);
    }
}
