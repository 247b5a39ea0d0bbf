//! Payments whose outcome is not known: looked up, never made twice, and shown when they turn up. Invoices whose settlement
//! is asked for.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::{RefusalReason, SendOptions};
use mesh_types::*;
use std::{sync::Arc, time::Duration};
use support::{
    relay::{RELAY, Relay, SOURCE},
    store::{Stores, TestStore},
    *,
};

const PAID: Msat = Msat::from_msat(10_000);

/// A source, a relay that wants to be paid, and a destination.
async fn three(stores: &Stores) -> Chain {
    let configs = vec![open(), gated(RELAY_PRICE), open()];
    Chain::with_stores(configs, stores.each()).await
}

/// Lets the source pay a quote of the relay's, whatever comes of it.
async fn pay(chain: &Chain) -> Result<(), MeshError> {
    let way = route(&[1, 2, 3]);
    let source = chain.mesh(0);
    let quoted = source.request_quote(&way, 1, PAID, Duration::from_secs(5));
    let invoice = quoted.await.unwrap().invoice.unwrap();
    source.pay(id(2), &invoice, PAID).await.map(|_| ())
}

/// Buys nothing for packets that may follow.
fn once() -> SendOptions {
    SendOptions {
        tops_up: false,
        ..SendOptions::default()
    }
}

fn will(chain: &Chain, outcome: Outcome) {
    *chain.nodes.first().unwrap().wallet.outcome.lock().unwrap() = outcome;
}

fn paid(chain: &Chain) -> usize {
    chain
        .nodes
        .first()
        .unwrap()
        .wallet
        .paid
        .lock()
        .unwrap()
        .len()
}

async fn kept(stores: &Stores) -> usize {
    stores.at(0).kept_proofs().await.unwrap().len()
}

#[tokio::test]
async fn a_payment_whose_answer_was_lost_is_looked_up_and_shown() {
    let stores = Stores::of(3);
    let chain = three(&stores).await;
    will(&chain, Outcome::LostBehind);
    let unknown = pay(&chain).await.unwrap_err();
    assert!(unknown.to_string().contains("not known"), "{unknown}");
    will(&chain, Outcome::Told);
    let again = pay(&chain).await.unwrap_err();
    assert!(again.to_string().contains("under way"), "{again}");
    assert_eq!(paid(&chain), 1, "nothing is paid twice");
    chain.mesh(0).look_up_payments().await;
    let send = chain.mesh(0).send(id(3), b"paid".to_vec(), once());
    assert_eq!(send.await.unwrap().deposited, Msat::ZERO);
    assert_eq!(money(chain.mesh(1)).await.deposited, PAID);
    assert_eq!((paid(&chain), kept(&stores).await), (1, 0));
}

#[tokio::test]
async fn the_next_packet_looks_up_what_became_of_a_payment_by_itself() {
    let stores = Stores::of(3);
    let chain = three(&stores).await;
    will(&chain, Outcome::LostBehind);
    assert!(pay(&chain).await.is_err());
    will(&chain, Outcome::Told);
    let send = chain.mesh(0).send(id(3), b"paid".to_vec(), once());
    assert_eq!(send.await.unwrap().deposited, Msat::ZERO);
    assert_eq!((paid(&chain), kept(&stores).await), (1, 0));
}

#[tokio::test]
async fn a_payment_that_a_packet_and_the_mesh_look_up_at_once_is_shown_once() {
    let stores = Stores::of(3);
    let chain = three(&stores).await;
    will(&chain, Outcome::LostBehind);
    assert!(pay(&chain).await.is_err());
    let mesh = chain.mesh(0);
    tokio::join!(mesh.look_up_payments(), mesh.look_up_payments());
    assert_eq!(kept(&stores).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_wallet_that_does_not_say_what_became_of_a_payment_holds_no_packet_up_for_ever() {
    let stores = Stores::of(3);
    let chain = three(&stores).await;
    will(&chain, Outcome::LostBehind);
    assert!(pay(&chain).await.is_err());
    will(&chain, Outcome::Told);
    chain.nodes.first().unwrap().wallet.looks_nothing_up();
    let send = chain.mesh(0).send(id(3), b"x".to_vec(), once());
    let error = send.await.unwrap_err();
    assert!(matches!(error.reason, MeshError::Busy(_)), "{error}");
    assert!(!error.may_have_arrived);
    assert_eq!(paid(&chain), 1, "nothing is paid twice");
}

#[tokio::test]
async fn a_payment_whose_payer_died_meanwhile_is_looked_up_in_the_next_life() {
    let stores = Stores::of(3);
    let chain = three(&stores).await;
    will(&chain, Outcome::LostBehind);
    assert!(pay(&chain).await.is_err());
    let wallet = chain.nodes.first().unwrap().wallet.clone();
    drop(chain);
    let chain = three(&stores).await;
    // The wallet lives on beside the node.
    let known = wallet.paid.lock().unwrap().clone();
    let next = &chain.nodes.first().unwrap().wallet;
    next.learn_from(&wallet);
    next.paid.lock().unwrap().extend(known);
    chain.mesh(0).look_up_payments().await;
    let send = chain.mesh(0).send(id(3), b"late".to_vec(), once());
    assert_eq!(send.await.unwrap().deposited, Msat::ZERO);
    assert_eq!(money(chain.mesh(1)).await.deposited, PAID);
}

#[tokio::test]
async fn a_request_that_never_reached_the_wallet_is_given_up_when_its_invoice_has_ended() {
    let stores = Stores::of(3);
    let chain = three(&stores).await;
    will(&chain, Outcome::LostBefore);
    assert!(pay(&chain).await.is_err());
    will(&chain, Outcome::Told);
    chain.clock.advance(Duration::from_secs(540));
    chain.mesh(0).look_up_payments().await;
    assert!(pay(&chain).await.is_err(), "it may still arrive");
    chain.clock.advance(Duration::from_secs(60));
    chain.mesh(0).look_up_payments().await;
    assert_eq!(kept(&stores).await, 0);
    pay(&chain).await.unwrap();
    assert_eq!((paid(&chain), kept(&stores).await), (1, 1));
}

#[tokio::test]
async fn a_payment_that_failed_leaves_no_note() {
    let stores = Stores::of(3);
    let chain = three(&stores).await;
    will(&chain, Outcome::Failed);
    assert!(pay(&chain).await.is_err());
    assert_eq!((paid(&chain), kept(&stores).await), (0, 0));
    will(&chain, Outcome::Told);
    pay(&chain).await.unwrap();
}

#[tokio::test]
async fn nothing_is_paid_that_could_not_be_written_down_before() {
    let stores = Stores::of(3);
    let chain = three(&stores).await;
    let way = route(&[1, 2, 3]);
    let quoted = chain
        .mesh(0)
        .request_quote(&way, 1, PAID, Duration::from_secs(5));
    let invoice = quoted.await.unwrap().invoice.unwrap();
    let is_down = &stores.at(0).is_down;
    is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(chain.mesh(0).pay(id(2), &invoice, PAID).await.is_err());
    assert_eq!(paid(&chain), 0);
}

/// A relay whose wallet is asked, and a good proof for it.
async fn asking(config: MeshConfig, is_shared: bool) -> (Relay, TableWallet, PaymentProof) {
    let mut wallet = TableWallet::new(100 + RELAY);
    wallet.is_shared = is_shared;
    let store = Arc::new(TestStore::default());
    let clock = ManualClock::start();
    let blocks = Arc::default();
    let relay = Relay::with_wallet(config, &store, clock, blocks, wallet.clone()).await;
    let request = quote_request(RELAY, id(SOURCE), PAID, START);
    let proof = proof(&wallet.issue(&request, START), request.preimage);
    (relay, wallet, proof)
}

fn checking() -> MeshConfig {
    MeshConfig {
        check_settlement: true,
        ..gated(RELAY_PRICE)
    }
}

#[tokio::test]
async fn an_unsettled_invoice_is_refused_even_with_the_right_preimage_where_the_operator_asks() {
    for (config, is_shared) in [(checking(), false), (gated(RELAY_PRICE), true)] {
        let (relay, wallet, proof) = asking(config, is_shared).await;
        let show = async |said| {
            *wallet.incoming.lock().unwrap() = said;
            let packet = relay.packet(Some(proof.clone()));
            relay
                .take(&packet)
                .await
                .map_err(|refusal| refusal.reason())
        };
        let less = Msat::from_msat(9_999);
        assert_eq!(show(None).await, Err(RefusalReason::Busy));
        for said in [
            Incoming::Unpaid,
            Incoming::Held,
            Incoming::Settled { amount: less },
        ] {
            assert_eq!(show(Some(said)).await, Err(RefusalReason::ProofPending));
        }
        let not_ours = show(Some(Incoming::NotOurs)).await;
        assert_eq!(not_ours, Err(RefusalReason::ProofInvalid));
        assert_eq!(money(&relay.mesh).await.deposited, Msat::ZERO);
        assert_eq!(show(Some(Incoming::Settled { amount: PAID })).await, Ok(()));
        assert_eq!(money(&relay.mesh).await.deposited, PAID);
    }
}

#[tokio::test]
async fn a_wallet_that_is_not_asked_decides_nothing() {
    let (relay, wallet, proof) = asking(gated(RELAY_PRICE), false).await;
    *wallet.incoming.lock().unwrap() = Some(Incoming::NotOurs);
    relay.take(&relay.packet(Some(proof))).await.unwrap();
}
