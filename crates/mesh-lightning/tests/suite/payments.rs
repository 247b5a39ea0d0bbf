use super::{
    AMOUNT, LIMITS, Pair,
    wallet::{Fault, Op, Outcome, Payment, stranger},
};
use crate::assert_fails;
use lightning_invoice::Currency;
use mesh_types::{Msat, Outgoing, PaidInvoice, PayLimits};
use std::time::Duration;

const PAID: PaidInvoice = PaidInvoice {
    preimage: [5; 32],
    fee: Msat::from_msat(7),
};

pub(crate) async fn pays_and_has_the_preimage_and_the_fee(pair: impl Pair) {
    let (text, hash) = pair.wallet().stranger_invoice(5, AMOUNT);
    assert_eq!(pair.node().outgoing(hash).await, Ok(Outgoing::NotPaid));
    assert_eq!(pair.node().pay_invoice(&text, LIMITS).await, Ok(PAID));
    assert_eq!(pair.node().outgoing(hash).await, Ok(Outgoing::Paid(PAID)));
}

pub(crate) async fn pays_once_however_often_it_is_asked(pair: impl Pair) {
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    for _ in 0..3 {
        assert_eq!(pair.node().pay_invoice(&text, LIMITS).await, Ok(PAID));
    }
    assert_eq!(pair.wallet().state().paid, 1);
}

pub(crate) async fn what_failed_may_be_tried_again(pair: impl Pair) {
    let (text, hash) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.wallet().state().outcome = Outcome::Fails;
    let failed = pair.node().pay_invoice(&text, LIMITS).await;
    assert_fails!(failed, PaymentFailed);
    assert_eq!(pair.node().outgoing(hash).await, Ok(Outgoing::NotPaid));
    pair.wallet().state().outcome = Outcome::Pays { fee: 7 };
    assert_eq!(pair.node().pay_invoice(&text, LIMITS).await, Ok(PAID));
}

pub(crate) async fn pays_no_more_than_the_fee_allowed(pair: impl Pair) {
    let (text, hash) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.wallet().state().outcome = Outcome::Pays { fee: 501 };
    let failed = pair.node().pay_invoice(&text, LIMITS).await;
    assert_fails!(failed, PaymentFailed);
    assert_eq!(pair.node().outgoing(hash).await, Ok(Outgoing::NotPaid));
}

pub(crate) async fn what_is_under_way_is_unknown_until_it_is_found_paid(pair: impl Pair) {
    let (text, hash) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.wallet().state().outcome = Outcome::Hangs;
    for _ in 0..2 {
        let unknown = pair.node().pay_invoice(&text, LIMITS).await;
        assert_fails!(unknown, Unknown);
    }
    assert_eq!(pair.node().outgoing(hash).await, Ok(Outgoing::Pending));
    assert_eq!(pair.wallet().state().paid, 1);
    let paid = (Payment::Paid { fee: 7 }, AMOUNT.to_msat());
    pair.wallet().state().payments.insert(hash, paid);
    assert_eq!(pair.node().outgoing(hash).await, Ok(Outgoing::Paid(PAID)));
    assert_eq!(pair.node().pay_invoice(&text, LIMITS).await, Ok(PAID));
    assert_eq!(pair.wallet().state().paid, 1);
}

pub(crate) async fn a_lost_answer_is_looked_for_and_found(pair: impl Pair) {
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.wallet().breaks(Op::Pay, Fault::LosesAnswer);
    assert_eq!(pair.node().pay_invoice(&text, LIMITS).await, Ok(PAID));
    assert_eq!(pair.wallet().state().paid, 1);
}

pub(crate) async fn a_lost_request_is_unknown_and_never_a_failure(pair: impl Pair) {
    let (text, hash) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.wallet().breaks(Op::Pay, Fault::Closes);
    let unknown = pair.node().pay_invoice(&text, LIMITS).await;
    assert_fails!(unknown, Unknown);
    assert_eq!(pair.node().outgoing(hash).await, Ok(Outgoing::NotPaid));
    assert_eq!(pair.node().pay_invoice(&text, LIMITS).await, Ok(PAID));
}

pub(crate) async fn a_payment_without_an_answer_ends_with_the_patience(pair: impl Pair) {
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.wallet().breaks(Op::Pay, Fault::Silent);
    let before = tokio::time::Instant::now();
    let unknown = pair.node().pay_invoice(&text, LIMITS).await;
    assert_fails!(unknown, Unknown);
    assert!(before.elapsed() <= LIMITS.patience + Duration::from_secs(1));
}

pub(crate) async fn what_cannot_be_looked_up_is_not_paid(pair: impl Pair) {
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    for fault in [Fault::Closes, Fault::Truncated, Fault::Silent] {
        pair.wallet().breaks(Op::Outgoing, fault);
        let untried = pair.node().pay_invoice(&text, LIMITS).await;
        assert_fails!(untried, Unreachable);
        if fault == Fault::Silent {
            tokio::time::resume();
        }
    }
    assert_eq!(pair.wallet().state().paid, 0);
}

pub(crate) async fn an_invoice_that_it_cannot_pay_is_not_sent(pair: impl Pair) {
    let (amountless, _) = stranger(Currency::Regtest, 5, None);
    let (mainnet, _) = stranger(Currency::Bitcoin, 5, Some(1_000));
    let limits = PayLimits {
        max_fee: Msat::ZERO,
        ..LIMITS
    };
    for text in ["lnbc1nonsense", "", &amountless, &mainnet] {
        let failed = pair.node().pay_invoice(text, limits).await;
        assert_fails!(failed, PaymentFailed);
    }
    assert_eq!(pair.wallet().state().asked.len(), 0);
}

pub(crate) async fn a_preimage_that_does_not_fit_proves_nothing(pair: impl Pair) {
    let (text, hash) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.wallet().state().preimages.insert(hash, [6; 32]);
    let unknown = pair.node().pay_invoice(&text, LIMITS).await;
    assert_fails!(unknown, Unknown);
    pair.node().outgoing(hash).await.unwrap_err();
}
