//! What must hold with any client, whatever happens on the way.

use super::{
    scene::{AMOUNT, FEE, LIMITS, Scene, request},
    sides::Side,
};
use mesh_regtest::{Loss, ldk_node::lightning_invoice::Bolt11Invoice, wait_until};
use mesh_types::{
    Incoming, InvoiceRequest, LightningError, Msat, Network, Outgoing, PaidInvoice, PayLimits,
};
use std::time::Duration;
use tokio::task::JoinHandle;

type Paying = JoinHandle<Result<PaidInvoice, LightningError>>;

/// An invoice of the payee's, and what our clients call it.
struct Issued {
    request: InvoiceRequest,
    text: String,
    hash: [u8; 32],
    /// What its payer has to find in the end.
    paid: PaidInvoice,
}

async fn issue<S: Side>(scene: &Scene<S>) -> Issued {
    issue_as(scene, request()).await
}

async fn issue_as<S: Side>(scene: &Scene<S>, request: InvoiceRequest) -> Issued {
    let text = scene.payee.client().create_invoice(request.clone()).await;
    let text = text.unwrap();
    let hash = *text
        .parse::<Bolt11Invoice>()
        .unwrap()
        .payment_hash()
        .as_ref();
    let paid = PaidInvoice {
        preimage: request.preimage,
        fee: FEE,
    };
    Issued {
        request,
        text,
        hash,
        paid,
    }
}

/// Begins a payment that the payee holds, and waits until he does.
async fn pay_into_hold<S: Side>(scene: &Scene<S>, issued: &Issued) -> Paying {
    scene.payee.peer().hold(true);
    let (client, text) = (scene.payer.client(), issued.text.clone());
    let paying = tokio::spawn(async move { client.pay_invoice(&text, LIMITS).await });
    wait_until_held(scene, issued);
    paying
}

fn wait_until_held<S: Side>(scene: &Scene<S>, issued: &Issued) {
    let payee = scene.payee.peer();
    wait_until("a payment to be held", || {
        Ok(payee.held()?.contains(&issued.hash))
    })
    .unwrap();
}

/// Asks the payer's client until the payment is paid.
async fn find_paid<S: Side>(scene: &Scene<S>, issued: &Issued) {
    for _ in 0..600 {
        match scene.payer.client().outgoing(issued.hash).await {
            Ok(Outgoing::Paid(paid)) => return assert_eq!(paid, issued.paid),
            Ok(Outgoing::Pending) => tokio::time::sleep(Duration::from_millis(50)).await,
            other => panic!("{other:?}"),
        }
    }
    panic!("the payment does not end");
}

/// Pays an invoice that is paid, and sees that it costs nothing more.
async fn pay_again<S: Side>(scene: &Scene<S>, issued: &Issued, before: u64) {
    let all = AMOUNT.checked_add(FEE).unwrap();
    scene.has_spent(before, all);
    let again = scene.payer.client().pay_invoice(&issued.text, LIMITS).await;
    assert_eq!(again, Ok(issued.paid));
    scene.has_spent(before, all);
    let settled = Ok(Incoming::Settled { amount: AMOUNT });
    assert_eq!(scene.payee.client().incoming(issued.hash).await, settled);
}

fn assert_unknown(outcome: &Result<PaidInvoice, LightningError>) {
    assert!(
        matches!(outcome, Err(LightningError::Unknown(_))),
        "{outcome:?}"
    );
}

fn assert_failed(outcome: &Result<PaidInvoice, LightningError>) {
    assert!(
        matches!(outcome, Err(LightningError::PaymentFailed(_))),
        "{outcome:?}"
    );
}

/// Sees that an invoice is paid by nobody, and that nothing was spent.
async fn assert_not_paid<S: Side>(scene: &Scene<S>, issued: &Issued, before: u64) {
    let outgoing = scene.payer.client().outgoing(issued.hash).await;
    assert_eq!(outgoing, Ok(Outgoing::NotPaid));
    let incoming = scene.payee.client().incoming(issued.hash).await;
    assert_eq!(incoming, Ok(Incoming::Unpaid));
    scene.has_spent(before, Msat::ZERO);
}

pub(crate) async fn says_who_it_is<S: Side>(scene: Scene<S>) {
    let info = scene.payee.client().info().await.unwrap();
    assert_eq!(info.payee_key, scene.payee.peer().node_id().serialize());
    assert_eq!(info.network, Network::Regtest);
    let nobody = scene.payee.client().incoming([0; 32]).await;
    assert_eq!(nobody, Ok(Incoming::NotOurs));
    let nothing = scene.payer.client().outgoing([0; 32]).await;
    assert_eq!(nothing, Ok(Outgoing::NotPaid));
}

pub(crate) async fn pays_over_a_relay_and_sees_what_it_took<S: Side>(scene: Scene<S>) {
    let issued = issue(&scene).await;
    let before = scene.purse();
    assert_not_paid(&scene, &issued, before).await;
    let paid = scene.payer.client().pay_invoice(&issued.text, LIMITS).await;
    assert_eq!(paid, Ok(issued.paid));
    find_paid(&scene, &issued).await;
    pay_again(&scene, &issued, before).await;
}

pub(crate) async fn an_invoice_is_paid_once_however_often_it_is_asked<S: Side>(scene: Scene<S>) {
    let issued = issue(&scene).await;
    let before = scene.purse();
    let at_once = (0..3).map(|_| {
        let (client, text) = (scene.payer.client(), issued.text.clone());
        tokio::spawn(async move { client.pay_invoice(&text, LIMITS).await })
    });
    // Some of them may find it under way, and none that it failed.
    for paying in at_once.collect::<Vec<_>>() {
        match paying.await.unwrap() {
            Ok(paid) => assert_eq!(paid, issued.paid),
            unknown => assert_unknown(&unknown),
        }
    }
    find_paid(&scene, &issued).await;
    for _ in 0..2 {
        pay_again(&scene, &issued, before).await;
    }
}

pub(crate) async fn an_answer_lost_after_the_payment_is_found_at_once<S: Side>(scene: Scene<S>) {
    let issued = issue(&scene).await;
    let before = scene.purse();
    scene.payer.lose_next_answer(Loss::AfterOutcome);
    let paid = scene.payer.client().pay_invoice(&issued.text, LIMITS).await;
    assert_eq!(paid, Ok(issued.paid));
    pay_again(&scene, &issued, before).await;
}

pub(crate) async fn an_answer_lost_on_the_way_is_unknown_until_it_is_found_paid<S: Side>(
    scene: Scene<S>,
) {
    let issued = issue(&scene).await;
    let before = scene.purse();
    scene.payer.lose_next_answer(Loss::AfterSending);
    let paying = pay_into_hold(&scene, &issued).await;
    assert_unknown(&paying.await.unwrap());
    let client = scene.payer.client();
    assert_eq!(client.outgoing(issued.hash).await, Ok(Outgoing::Pending));
    assert_unknown(&client.pay_invoice(&issued.text, LIMITS).await);
    scene.payee.peer().claim(issued.hash).unwrap();
    find_paid(&scene, &issued).await;
    pay_again(&scene, &issued, before).await;
}

pub(crate) async fn a_payment_that_is_held_is_not_settled_and_may_come_back<S: Side>(
    scene: Scene<S>,
) {
    let issued = issue(&scene).await;
    let before = scene.purse();
    let paying = pay_into_hold(&scene, &issued).await;
    let held = scene.payee.client().incoming(issued.hash).await;
    assert_eq!(held, Ok(S::HELD));
    let pending = scene.payer.client().outgoing(issued.hash).await;
    assert_eq!(pending, Ok(Outgoing::Pending));
    assert!(!paying.is_finished());
    scene.payee.peer().cancel(issued.hash).unwrap();
    assert_failed(&paying.await.unwrap());
    assert_not_paid(&scene, &issued, before).await;
}

pub(crate) async fn an_expired_invoice_is_not_paid<S: Side>(scene: Scene<S>) {
    let short = InvoiceRequest {
        expiry: Duration::from_secs(1),
        ..request()
    };
    let issued = issue_as(&scene, short).await;
    let before = scene.purse();
    let invoice: Bolt11Invoice = issued.text.parse().unwrap();
    wait_until("an invoice to expire", || Ok(invoice.is_expired())).unwrap();
    assert_failed(&scene.payer.client().pay_invoice(&issued.text, LIMITS).await);
    assert_not_paid(&scene, &issued, before).await;
}

pub(crate) async fn a_way_that_is_too_dear_is_not_taken<S: Side>(scene: Scene<S>) {
    let issued = issue(&scene).await;
    let before = scene.purse();
    let cheap = PayLimits {
        max_fee: FEE.checked_sub(Msat::from_msat(1)).unwrap(),
        ..LIMITS
    };
    let client = scene.payer.client();
    assert_failed(&client.pay_invoice(&issued.text, cheap).await);
    assert_not_paid(&scene, &issued, before).await;
    // What failed may be tried again.
    let paid = client.pay_invoice(&issued.text, LIMITS).await;
    assert_eq!(paid, Ok(issued.paid));
    pay_again(&scene, &issued, before).await;
}

pub(crate) async fn more_than_a_channel_holds_is_not_paid<S: Side>(scene: Scene<S>) {
    let large = InvoiceRequest {
        amount: Msat::from_msat(2_000_000_000),
        ..request()
    };
    let issued = issue_as(&scene, large).await;
    let before = scene.purse();
    assert_failed(&scene.payer.client().pay_invoice(&issued.text, LIMITS).await);
    assert_not_paid(&scene, &issued, before).await;
}

pub(crate) async fn a_payer_that_dies_finds_its_payment_again<S: Side>(mut scene: Scene<S>) {
    let issued = issue(&scene).await;
    let before = scene.purse();
    let paying = pay_into_hold(&scene, &issued).await;
    scene.kill(|scene| &mut scene.payer);
    assert_unknown(&paying.await.unwrap());
    let client = scene.payer.client();
    let gone = client.outgoing(issued.hash).await;
    assert!(
        matches!(gone, Err(LightningError::Unreachable(_))),
        "{gone:?}"
    );
    let gone = client.pay_invoice(&issued.text, LIMITS).await;
    assert!(
        matches!(gone, Err(LightningError::Unreachable(_))),
        "{gone:?}"
    );
    scene.revive(|scene| &mut scene.payer);
    assert_eq!(client.outgoing(issued.hash).await, Ok(Outgoing::Pending));
    assert_unknown(&client.pay_invoice(&issued.text, LIMITS).await);
    scene.payee.peer().claim(issued.hash).unwrap();
    find_paid(&scene, &issued).await;
    pay_again(&scene, &issued, before).await;
}

pub(crate) async fn a_payee_that_dies_still_has_what_it_holds<S: Side>(mut scene: Scene<S>) {
    let issued = issue(&scene).await;
    let before = scene.purse();
    let paying = pay_into_hold(&scene, &issued).await;
    scene.kill(|scene| &mut scene.payee);
    let gone = scene.payee.client().incoming(issued.hash).await;
    assert!(
        matches!(gone, Err(LightningError::Unreachable(_))),
        "{gone:?}"
    );
    scene.revive(|scene| &mut scene.payee);
    wait_until_held(&scene, &issued);
    let held = scene.payee.client().incoming(issued.hash).await;
    assert_eq!(held, Ok(S::HELD));
    scene.payee.peer().claim(issued.hash).unwrap();
    assert_eq!(paying.await.unwrap(), Ok(issued.paid));
    pay_again(&scene, &issued, before).await;
}

pub(crate) async fn a_payee_that_starts_again_knows_its_invoices<S: Side>(mut scene: Scene<S>) {
    let issued = issue(&scene).await;
    let before = scene.purse();
    scene.kill(|scene| &mut scene.payee);
    scene.revive(|scene| &mut scene.payee);
    let again = scene
        .payee
        .client()
        .create_invoice(issued.request.clone())
        .await;
    assert_eq!(again.as_ref(), Ok(&issued.text), "the very same invoice");
    let paid = scene.payer.client().pay_invoice(&issued.text, LIMITS).await;
    assert_eq!(paid, Ok(issued.paid));
    pay_again(&scene, &issued, before).await;
}
