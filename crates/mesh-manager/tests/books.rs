//! A mesh and its store: what is asked, when it is booked, and what is left of it in the next life.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::{Refusal, RefusalReason};
use mesh_payment::Quoter;
use mesh_types::*;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use support::{
    relay::{RELAY, Relay, SOURCE},
    store::{Stores, TestStore},
    *,
};

/// A proof that pays the relay `amount` for the source's credit.
fn paid(amount: Msat, nonce: u8) -> PaymentProof {
    let quoter = Quoter {
        payee: id(RELAY),
        key: mesh_payment::QuoteKey::derive(&identity(RELAY).secret_bytes()).on(Network::Regtest),
        lifetime: Duration::from_secs(600),
        price_epoch: 0,
    };
    let issued = quoter
        .quote(id(SOURCE), amount, [nonce; 16], START)
        .unwrap();
    let invoice = TableWallet::new(100 + RELAY).issue(&issued.request, START);
    proof(&invoice, issued.request.preimage)
}

fn msat(msat: u64) -> Msat {
    Msat::from_msat(msat)
}

#[tokio::test]
async fn a_packet_whose_claim_was_not_answered_comes_again_and_is_carried_for_one_credit() {
    let store = Arc::new(TestStore::default());
    let relay = Relay::over(&store).await;
    store.silent_claims.store(1, Ordering::SeqCst);
    let packet = relay.packet(Some(paid(msat(5_000), 1)));
    let refused = relay.take(&packet).await.unwrap_err();
    assert!(matches!(refused, Refusal::Store(StoreError::Unknown(_))));
    relay.take(&packet).await.unwrap();
    let money = money(&relay.mesh).await;
    assert_eq!((money.deposited, money.earned), (msat(5_000), RELAY_PRICE));
}

#[tokio::test]
async fn the_same_proof_in_another_packet_is_a_replay_though_the_first_was_not_carried() {
    let store = Arc::new(TestStore::default());
    let relay = Relay::over(&store).await;
    relay.api.wires.are_full.store(true, Ordering::SeqCst);
    let proof = paid(msat(5_000), 1);
    let first = relay.packet(Some(proof.clone()));
    assert_eq!(
        relay.take(&first).await.unwrap_err().reason(),
        RefusalReason::Busy
    );
    relay.api.wires.are_full.store(false, Ordering::SeqCst);
    let second = relay.packet(Some(proof));
    assert_eq!(
        relay.take(&second).await.unwrap_err(),
        Refusal::ProofReplayed
    );
    relay.take(&first).await.unwrap();
    assert_eq!(money(&relay.mesh).await.deposited, msat(5_000));
}

#[tokio::test]
async fn a_proof_whose_packet_was_carried_is_refused_without_asking_the_store() {
    let store = Arc::new(TestStore::default());
    let relay = Relay::over(&store).await;
    let proof = paid(msat(50_000), 1);
    relay
        .take(&relay.packet(Some(proof.clone())))
        .await
        .unwrap();
    for _ in 0..20 {
        let again = relay.take(&relay.packet(Some(proof.clone()))).await;
        assert_eq!(again.unwrap_err(), Refusal::ProofReplayed);
    }
    assert_eq!(store.claims_asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_proof_claimed_at_one_gateway_is_a_replay_at_the_other_whose_own_memory_knows_nothing() {
    let store = Arc::new(TestStore::default());
    let (one, other) = (Relay::over(&store).await, Relay::over(&store).await);
    let proof = paid(msat(5_000), 1);
    one.take(&one.packet(Some(proof.clone()))).await.unwrap();
    let refused = other.take(&other.packet(Some(proof))).await.unwrap_err();
    assert_eq!(refused, Refusal::ProofReplayed);
    assert_eq!(money(&other.mesh).await.deposited, msat(5_000));
}

#[tokio::test]
async fn claims_and_credit_outlive_the_process_that_made_them() {
    let store = Arc::new(TestStore::default());
    let proof = paid(msat(10_000), 1);
    let first = Relay::over(&store).await;
    first
        .take(&first.packet(Some(proof.clone())))
        .await
        .unwrap();
    first.mesh.close().await;
    drop(first);
    let second = Relay::over(&store).await;
    let replayed = second.take(&second.packet(Some(proof))).await;
    assert_eq!(replayed.unwrap_err(), Refusal::ProofReplayed);
    second.take(&second.packet(None)).await.unwrap();
    let money = money(&second.mesh).await;
    assert_eq!((money.credit, money.earned), (msat(4_000), msat(6_000)));
}

#[tokio::test]
async fn credit_of_a_payer_who_sends_nothing_goes_back_and_is_drawn_again() {
    let store = Arc::new(TestStore::default());
    let relay = Relay::over(&store).await;
    relay
        .take(&relay.packet(Some(paid(msat(10_000), 1))))
        .await
        .unwrap();
    let in_hand = || relay.mesh.engine().accounts().credit(&id(SOURCE));
    assert_eq!(in_hand(), msat(7_000));
    relay.mesh.maintain().await;
    relay.mesh.maintain().await;
    assert_eq!(in_hand(), Msat::ZERO);
    relay.take(&relay.packet(None)).await.unwrap();
    assert_eq!(in_hand(), msat(4_000));
    assert_eq!(money(&relay.mesh).await.credit, msat(4_000));
}

#[tokio::test(start_paused = true)]
async fn debits_that_are_not_booked_in_time_stop_paid_packets_until_they_are_and_no_free_ones() {
    let store = Arc::new(TestStore::that_books_late());
    let relay = Relay::over(&store).await;
    relay
        .take(&relay.packet(Some(paid(msat(50_000), 1))))
        .await
        .unwrap();
    // Within the interval nobody notices.
    relay.api.clock.advance(Duration::from_millis(200));
    relay.take(&relay.packet(None)).await.unwrap();
    relay.api.clock.advance(Duration::from_millis(1));
    let late = relay.take(&relay.packet(None)).await.unwrap_err();
    assert!(matches!(late, Refusal::Store(StoreError::Unavailable(_))));
    let ping = data(&[SOURCE, RELAY, 3], &bitcoin_ping(1), Msat::ZERO);
    let ping = compose(&relay.source, ping, relay.api.clock.now()).bytes;
    relay.take(&ping).await.unwrap();
    assert_eq!(relay.mesh.engine().accounts().totals().earned, 6_000);
    store.bookings.close();
    relay.take(&relay.packet(None)).await.unwrap();
    relay.mesh.maintain().await;
    assert_eq!(money(&relay.mesh).await.earned, msat(9_000));
}

#[tokio::test]
async fn a_crash_forgets_the_debits_that_were_not_booked_in_the_payers_favour() {
    let store = Arc::new(TestStore::default());
    let first = Relay::over(&store).await;
    first
        .take(&first.packet(Some(paid(msat(10_000), 1))))
        .await
        .unwrap();
    first.mesh.maintain().await;
    first.take(&first.packet(None)).await.unwrap();
    assert_eq!(money(&first.mesh).await.unbooked, RELAY_PRICE);
    // What a store does for a process that has died: what it had drawn goes back.
    let drawn = first.mesh.engine().accounts().totals();
    let back = Settlement {
        payer: id(SOURCE),
        spent: Msat::ZERO,
        packets: 0,
        back: msat(u64::try_from(drawn.credit + drawn.unsettled).unwrap()),
    };
    store.settle(vec![back], START).await.unwrap();
    let second = Relay::over(&store).await;
    let money = money(&second.mesh).await;
    assert_eq!((money.credit, money.earned), (msat(7_000), RELAY_PRICE));
}

#[tokio::test]
async fn a_source_without_credit_cannot_make_the_relay_ask_its_store_for_every_packet() {
    let store = Arc::new(TestStore::default());
    let relay = Relay::over(&store).await;
    for _ in 0..100 {
        let refused = relay.take(&relay.packet(None)).await.unwrap_err();
        assert_eq!(refused.reason(), RefusalReason::PaymentRequired);
    }
    assert_eq!(store.draws_asked.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn while_the_store_is_down_no_quote_is_given_that_could_not_be_credited() {
    let stores = Stores::of(2);
    let chain = Chain::with_stores(vec![open(), gated(RELAY_PRICE)], stores.each()).await;
    let ask = || async {
        let mesh = chain.mesh(0);
        mesh.request_quote(&route(&[1, 2]), 1, msat(3_000), Duration::from_secs(5))
            .await
    };
    stores.at(1).is_down.store(true, Ordering::SeqCst);
    assert!(matches!(ask().await, Err(MeshError::Busy(_))));
    stores.at(1).is_down.store(false, Ordering::SeqCst);
    assert!(ask().await.unwrap().invoice.is_some());
}

#[tokio::test]
async fn what_was_paid_and_not_shown_is_shown_in_the_next_life() {
    let stores = Stores::of(3);
    let configs = || vec![open(), gated(RELAY_PRICE), open()];
    let chain = Chain::with_stores(configs(), stores.each()).await;
    let quoted = chain
        .mesh(0)
        .request_quote(&route(&[1, 2, 3]), 1, msat(10_000), Duration::from_secs(5))
        .await
        .unwrap();
    let invoice = quoted.invoice.unwrap();
    chain
        .mesh(0)
        .pay(id(2), &invoice, msat(10_000))
        .await
        .unwrap();
    drop(chain);
    let chain = Chain::with_stores(configs(), stores.each()).await;
    let sent = chain
        .mesh(0)
        .send(id(3), b"late".to_vec(), Default::default())
        .await
        .unwrap();
    assert_eq!(sent.deposited, Msat::ZERO);
    assert_eq!(money(chain.mesh(1)).await.deposited, msat(10_000));
    assert_eq!(stores.at(0).kept_proofs().await.unwrap(), []);
}

#[tokio::test]
async fn packets_are_numbered_above_all_earlier_ones_even_when_the_clock_goes_back() {
    let store = Arc::new(TestStore::default());
    let number = async |clock: ManualClock| {
        let relay = Relay::at(&store, clock).await;
        let draft = data(&[RELAY, 3], b"mine", Msat::ZERO);
        let composed = relay.mesh.engine().compose(draft, [0; 24], START);
        composed.unwrap().sequence
    };
    let late = ManualClock::start();
    late.advance(Duration::from_secs(1_000));
    let first = number(late).await;
    assert!(number(ManualClock::start()).await > first);
}
