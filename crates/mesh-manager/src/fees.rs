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

    /// Learns from what became of a payment.
    pub(crate) fn learn(&self, payment: &OwnPayment) {
        match payment.outcome {
            PaymentOutcome::Unknown => {}
            PaymentOutcome::Paid { .. } => self.paid(payment.payee, payment.fee),
            PaymentOutcome::Failed { .. } => self.failed(payment.payee),
        }
    }

    /// A payment was made, for that fee. Behind one that failed it tells no less than what had to be allowed: a wallet may hold
    /// back a reserve for fees, and refuse where that is more, whatever routing then costs.
    pub(crate) fn paid(&self, payee: NodeId, fee: Msat) {
        self.change(payee, |fees| {
            let allowed = fees.assumed.take().unwrap_or_default();
            fees.paid.push_back(fee.max(allowed));
            if fees.paid.len() > REMEMBERED {
                fees.paid.pop_front();
            }
        });
    }

    /// A payment did not go through for what was allowed. Whether for the fee, nobody tells: the next may cost twice as much.
    pub(crate) fn failed(&self, payee: NodeId) {
        let expected = self.expected(&payee);
        let twice = expected.checked_mul(2).unwrap_or(MOST_ASSUMED);
        let assumed = twice.clamp(ASSUMED, MOST_ASSUMED).max(expected);
        self.change(payee, |fees| fees.assumed = Some(assumed));
    }

    fn change(&self, payee: NodeId, change: impl FnOnce(&mut Fees)) {
        let mut book = self.0.lock();
        if book.len() < MAX_PAYEES || book.contains_key(&payee) {
            change(book.entry(payee).or_default());
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
        assert_eq!(book.expected(&payee), Msat::from_msat(8_000));
        for _ in 0..REMEMBERED {
            book.learn(&payment(30, PaymentOutcome::Paid { at }));
        }
        assert_eq!(book.expected(&payee), Msat::from_msat(30));
    }
}
