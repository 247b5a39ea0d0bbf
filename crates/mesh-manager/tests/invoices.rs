//! Invoices that a node asks another for, to be paid by somebody else.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::QuotedInvoice;
use mesh_protocol::ControlMessage;
use mesh_types::*;
use std::time::Duration;
use support::*;

const AMOUNT: Msat = Msat::from_msat(10_000);
const PATIENCE: Duration = Duration::from_secs(10);

fn configs() -> Vec<MeshConfig> {
    vec![open(), gated(RELAY_PRICE), gated(DESTINATION_PRICE)]
}

#[tokio::test]
async fn the_invoice_of_a_far_node_buys_credit_there_whoever_pays_it() {
    let chain = Chain::of(configs()).await;
    let source = chain.mesh(0);
    let asked = source.request_invoice(id(3), AMOUNT, PATIENCE);
    let QuotedInvoice {
        invoice,
        amount,
        ends_at,
    } = asked.await.unwrap();
    assert_eq!(
        (amount, ends_at),
        (AMOUNT, START.plus(Duration::from_secs(600)))
    );
    let shown = ProofForHop {
        hop: 2,
        proof: proof(&invoice, chain.nodes[2].wallet.preimage_of(&invoice)),
    };
    let credit = source.deposit(&route(&[1, 2, 3]), shown, PATIENCE).await;
    assert_eq!(credit, Ok(AMOUNT));
    assert!(chain.nodes[0].wallet.paid.lock().unwrap().is_empty());
    let odd = Msat::from_msat(1_500);
    let quoted = source.request_invoice(id(2), odd, PATIENCE).await.unwrap();
    assert_eq!(quoted.amount, Msat::from_msat(2_000));
}

/// What the source makes of a relay that answers with this instead of a quote of its own.
async fn answered_with(quote: &InvoiceRequest) -> MeshError {
    let chain = Chain::of(configs()).await;
    let invoice = chain.nodes[1].wallet.issue(quote, START);
    // The relay's own answer never comes.
    chain.wires.drop_to("node-2");
    let source = chain.mesh(0).clone();
    let asking = tokio::spawn(async move { source.request_invoice(id(2), AMOUNT, PATIENCE).await });
    while !asking.is_finished() {
        let answer = |sequence| ControlMessage::Quote {
            sequence,
            price: Price::FREE,
            credit: Msat::ZERO,
            invoice: Some(invoice.clone()),
        };
        // Answers to what was not asked are refused.
        let _ = chain.answer_as(&[2, 1], answer).await;
        tokio::task::yield_now().await;
    }
    asking.await.unwrap().unwrap_err()
}

#[tokio::test]
async fn an_invoice_that_buys_somebody_else_credit_or_for_another_amount_is_not_handed_out() {
    let lies = [
        quote_request(2, id(9), AMOUNT, START),
        quote_request(3, id(1), AMOUNT, START),
        quote_request(2, id(1), Msat::from_msat(9_000), START),
        quote_request(2, id(1), Msat::from_msat(10_001), START),
        InvoiceRequest {
            description: "coffee".to_owned(),
            ..quote_request(2, id(1), AMOUNT, START)
        },
    ];
    for lie in lies {
        let error = answered_with(&lie).await;
        let is_told = matches!(error, MeshError::PaymentVerificationFailed(_));
        assert!(is_told, "{lie:?}: {error}");
    }
}

#[tokio::test]
async fn a_node_that_issues_no_invoice_says_so() {
    let chain = Chain::of(configs()).await;
    chain.nodes[2]
        .wallet
        .is_away
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let error = chain.mesh(0).request_invoice(id(3), AMOUNT, PATIENCE).await;
    let error = error.unwrap_err();
    assert!(matches!(error, MeshError::LightningError(_)), "{error}");
}
