use mesh_types::{Msat, NodeId, OwnPayment, PaymentOutcome};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};

/// What routing a payment is taken to cost where none to that node was made yet.
///
/// One satoshi, because that is the base fee which most nodes ask for forwarding, and one forwards where the payer has a
/// channel with a well linked node. What depends on the amount is far less than the share that is allowed.
const ASSUMED: Msat = Msat::from_msat(1_000);

/// The most that is assumed where payments fail.
///
/// Eight satoshi: three tries. What then fails does so for want of something else than fees.
const MOST_ASSUMED: Msat = Msat::from_msat(8_000);

/// How many of the last payments to a node tell what the next one costs: the dearest of them.
const REMEMBERED: usize = 8;

/// The most nodes of which fees are known; each takes some hundred bytes. What is beyond is assumed.
const MAX_PAYEES: usize = 4_096;

/// What routing payments to each node has cost.
#[derive(Debug, Default)]
pub(crate) struct FeeBook(Mutex<HashMap<NodeId, Fees>>);

#[derive(Debug, Default)]
struct Fees {
    paid: VecDeque<Msat>,
    /// What is assumed since payments have failed.
    assumed: Option<Msat>,
}

impl FeeBook {
    /// What routing the next payment to `payee` is taken to cost.
    pub(crate) fn expected(&self, payee: &NodeId) -> Msat {
        let book = self.0.lock();
        let fees = book.get(payee);
        let known = fees.and_then(|fees| fees.assumed.or(fees.paid.iter().max().copied()));
        known.unwrap_or(ASSUMED)
    }

    /// Learns from the outcome of a payment: what it cost, or that it did not go through for what was allowed.
    pub(crate) fn learn(&self, payment: &OwnPayment) {
        let expected = self.expected(&payment.payee);
        let mut book = self.0.lock();
        if book.len() >= MAX_PAYEES && !book.contains_key(&payment.payee) {
            return;
        }
        let fees = book.entry(payment.payee).or_default();
        match payment.outcome {
            PaymentOutcome::Unknown => {}
            PaymentOutcome::Paid { .. } => {
                fees.assumed = None;
                fees.paid.push_back(payment.fee);
                if fees.paid.len() > REMEMBERED {
                    fees.paid.pop_front();
                }
            }
            // Whether it failed for the fee nobody tells: so the next may cost twice as much.
            PaymentOutcome::Failed { .. } => {
                let twice = expected.checked_mul(2).unwrap_or(MOST_ASSUMED);
                fees.assumed = Some(twice.clamp(ASSUMED, MOST_ASSUMED).max(expected));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_types::{PaymentReason, UnixTime};

    fn payment(fee: u64, outcome: PaymentOutcome) -> OwnPayment {
        OwnPayment {
            payment_hash: [1; 32],
            at: UnixTime::default(),
            payee: NodeId::from_bytes([1; 32]),
            amount: Msat::from_msat(50_000),
            fee: Msat::from_msat(fee),
            reason: PaymentReason::Manual,
            outcome,
        }
    }

    #[test]
    fn the_dearest_of_the_last_payments_tells_what_the_next_one_costs() {
        let (book, at) = (FeeBook::default(), UnixTime::default());
        let payee = NodeId::from_bytes([1; 32]);
        let other = NodeId::from_bytes([2; 32]);
        assert_eq!(book.expected(&payee), ASSUMED);
        for fee in [0, 700, 300] {
            book.learn(&payment(fee, PaymentOutcome::Paid { at }));
        }
        assert_eq!(book.expected(&payee), Msat::from_msat(700));
        assert_eq!(book.expected(&other), ASSUMED);
        for _ in 0..REMEMBERED {
            book.learn(&payment(20, PaymentOutcome::Paid { at }));
        }
        assert_eq!(book.expected(&payee), Msat::from_msat(20));
        for expected in [1_000, 2_000, 4_000, 8_000, 8_000] {
            book.learn(&payment(0, PaymentOutcome::Failed { at }));
            assert_eq!(book.expected(&payee), Msat::from_msat(expected));
        }
        book.learn(&payment(30, PaymentOutcome::Paid { at }));
        assert_eq!(book.expected(&payee), Msat::from_msat(30));
    }
}
