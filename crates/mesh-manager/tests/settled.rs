//! What the wallet has received is credited to the payer whom the quote names, though no packet brings the proof: once, also
//! after a restart, and whichever comes first. And a wallet that goes away and comes back.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::RefusalReason;
use mesh_types::*;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use support::{
    relay::{RELAY, Relay, SOURCE},
    store::TestStore,
    *,
};

const PAID: Msat = Msat::from_msat(10_000);

/// A relay, its wallet and its store, over several lives.
struct Place {
    wallet: TableWallet,
    store: Arc<TestStore>,
    clock: ManualClock,
}

impl Place {
    fn new() -> Self {
        Self {
            wallet: TableWallet::new(100 + RELAY).telling(),
            store: Arc::default(),
            clock: ManualClock::start(),
        }
    }

    async fn start(&self) -> Relay {
        Relay::with_wallet(
            gated(RELAY_PRICE),
            &self.store,
            self.clock.clone(),
            Arc::default(),
            self.wallet.clone(),
        )
        .await
    }

    fn proof(&self, invoice: &str) -> PaymentProof {
        proof(invoice, self.wallet.preimage_of(invoice))
    }
}

async fn quote(relay: &Relay) -> String {
    relay.mesh.quote_for(id(SOURCE), PAID).await.unwrap()
}

async fn deposited(relay: &Relay) -> Msat {
    money(&relay.mesh).await.deposited
}

async fn show(relay: &Relay, proof: &PaymentProof) -> Result<(), RefusalReason> {
    let packet = relay.packet(Some(proof.clone()));
    let taken = relay.take(&packet).await;
    taken.map_err(|refusal| refusal.reason())
}

#[tokio::test]
async fn whoever_pays_the_payer_named_in_the_quote_is_credited_once_by_itself() {
    let place = Place::new();
    let relay = place.start().await;
    let invoice = quote(&relay).await;
    place.wallet.receive(&invoice);
    // By the task that keeps in touch with the wallet, without being driven.
    while deposited(&relay).await == Msat::ZERO {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..3 {
        relay.mesh.credit_settled().await.unwrap();
    }
    assert_eq!(deposited(&relay).await, PAID);
    relay.take(&relay.packet(None)).await.unwrap();
    let events = relay.api.events.lock().unwrap();
    let verified = events.iter().filter(
        |event| matches!(event, MeshEvent::PaymentVerified { payer, .. } if *payer == id(SOURCE)),
    );
    assert_eq!(verified.count(), 1);
}

#[tokio::test]
async fn what_was_paid_while_the_relay_was_down_is_credited_once_by_its_next_life() {
    let place = Place::new();
    let relay = place.start().await;
    relay.mesh.credit_settled().await.unwrap();
    let (first, second) = (quote(&relay).await, quote(&relay).await);
    place.wallet.receive(&first);
    relay.mesh.credit_settled().await.unwrap();
    drop(relay);
    place.wallet.receive(&second);
    // Down for two days: the quote's time is over, the money has come in time.
    place.clock.advance(Duration::from_secs(2 * 86_400));
    place.wallet.is_away.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let relay = place.start().await;
        // The wallet is late, too. Claims of that time are not forgotten before it has told.
        place.clock.advance(Duration::from_secs(3_600));
        relay.mesh.maintain().await;
        place.wallet.is_away.store(false, Ordering::SeqCst);
        relay.mesh.credit_settled().await.unwrap();
        assert_eq!(deposited(&relay).await.to_msat(), 2 * PAID.to_msat());
    }
}

#[tokio::test]
async fn a_proof_shown_first_is_not_credited_again_when_the_wallet_tells_however_late() {
    let place = Place::new();
    let relay = place.start().await;
    let invoice = quote(&relay).await;
    show(&relay, &place.proof(&invoice)).await.unwrap();
    place.wallet.is_away.store(true, Ordering::SeqCst);
    place.wallet.receive(&invoice);
    // The wallet cannot tell for so long that the claim could be forgotten.
    for _ in 0..3 {
        place.clock.advance(Duration::from_secs(86_400));
        relay.mesh.maintain().await;
    }
    place.wallet.is_away.store(false, Ordering::SeqCst);
    relay.mesh.credit_settled().await.unwrap();
    assert_eq!(deposited(&relay).await, PAID);
    // Now it is forgotten, and what the wallet tells again is not taken for new.
    place.clock.advance(Duration::from_secs(86_400));
    relay.mesh.credit_settled().await.unwrap();
    relay.mesh.maintain().await;
    let forgotten = place.store.remove_expired(place.clock.now()).await;
    assert_eq!(forgotten, Ok(0), "nothing was left to forget");
    place.wallet.receive(&invoice);
    relay.mesh.credit_settled().await.unwrap();
    assert_eq!(deposited(&relay).await, PAID);
}

#[tokio::test]
async fn a_proof_shown_behind_the_wallets_word_pays_for_its_packet_and_for_no_other() {
    let place = Place::new();
    let relay = place.start().await;
    let invoice = quote(&relay).await;
    place.wallet.receive(&invoice);
    relay.mesh.credit_settled().await.unwrap();
    let proof = place.proof(&invoice);
    show(&relay, &proof).await.unwrap();
    let replayed = show(&relay, &proof).await;
    assert_eq!(replayed, Err(RefusalReason::ProofReplayed));
    relay.mesh.credit_settled().await.unwrap();
    let money = money(&relay.mesh).await;
    assert_eq!((money.deposited, money.earned), (PAID, RELAY_PRICE));
}

#[tokio::test]
async fn while_the_store_is_down_nothing_is_passed_over() {
    let place = Place::new();
    let relay = place.start().await;
    relay.mesh.credit_settled().await.unwrap();
    let invoice = quote(&relay).await;
    place.store.is_down.store(true, Ordering::SeqCst);
    place.wallet.receive(&invoice);
    assert!(relay.mesh.credit_settled().await.is_err());
    place.store.is_down.store(false, Ordering::SeqCst);
    relay.mesh.credit_settled().await.unwrap();
    assert_eq!(deposited(&relay).await, PAID);
}

#[tokio::test]
async fn a_store_that_is_new_credits_no_old_payment() {
    let place = Place::new();
    let relay = place.start().await;
    let (old, new) = (quote(&relay).await, {
        place.clock.advance(Duration::from_secs(1_300));
        quote(&relay).await
    });
    drop(relay);
    place.wallet.receive(&old);
    place.wallet.receive(&new);
    let anew = Place {
        store: Arc::default(),
        ..place
    };
    let relay = anew.start().await;
    relay.mesh.credit_settled().await.unwrap();
    assert_eq!(deposited(&relay).await, PAID);
}

#[tokio::test]
async fn more_than_the_wallet_tells_at_once_is_credited_too() {
    let place = Place::new();
    let relay = place.start().await;
    for number in 0..250_u64 {
        let request = mesh_payment::Quoter {
            payee: id(RELAY),
            key: quote_key(RELAY),
            lifetime: Duration::from_secs(600),
            price_epoch: 0,
        };
        let nonce = u128::from(number).to_be_bytes();
        let issued = request.quote(id(SOURCE), PAID, nonce, START).unwrap();
        place
            .wallet
            .receive(&place.wallet.issue(&issued.request, START));
    }
    relay.mesh.credit_settled().await.unwrap();
    assert_eq!(deposited(&relay).await.to_msat(), 250 * PAID.to_msat());
}

#[tokio::test]
async fn what_the_wallet_receives_for_others_is_nobodys_credit() {
    let place = Place::new();
    let relay = place.start().await;
    let mut shop = quote_request(RELAY, id(SOURCE), PAID, START);
    // A shop at the same wallet lets its customers write descriptions.
    shop.preimage = [3; 32];
    let of_shop = place.wallet.issue(&shop, START);
    place.wallet.receive(&of_shop);
    relay.mesh.credit_settled().await.unwrap();
    assert_eq!(deposited(&relay).await, Msat::ZERO);
    let shown = show(&relay, &place.proof(&of_shop)).await;
    assert_eq!(shown, Err(RefusalReason::ProofInvalid));
}

#[tokio::test]
async fn while_the_wallet_is_away_credit_is_served_and_nobody_is_asked_to_pay() {
    let place = Place::new();
    let relay = place.start().await;
    let invoice = quote(&relay).await;
    show(&relay, &place.proof(&invoice)).await.unwrap();
    let stranger = async || {
        let packet = relay.packet_offering(Msat::from_msat(100_000), None);
        let taken = relay.take(&packet).await;
        taken.map_err(|refusal| refusal.reason())
    };
    assert_eq!(stranger().await, Err(RefusalReason::PaymentRequired));
    place.wallet.is_away.store(true, Ordering::SeqCst);
    assert!(relay.mesh.credit_settled().await.is_err());
    assert_eq!(stranger().await, Err(RefusalReason::Busy));
    let quoted = relay.mesh.quote_for(id(SOURCE), PAID).await;
    assert!(matches!(quoted, Err(MeshError::Busy(_))), "{quoted:?}");
    relay.take(&relay.packet(None)).await.unwrap();
    place.wallet.is_away.store(false, Ordering::SeqCst);
    // It finds out by itself.
    while relay.mesh.quote_for(id(SOURCE), PAID).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stranger().await, Err(RefusalReason::PaymentRequired));
}

#[tokio::test]
async fn a_wallet_that_is_met_after_the_start_is_known_without_a_restart() {
    let mut place = Place::new();
    place.wallet.takes_preimages = false;
    place.wallet.is_shared = true;
    place.wallet.is_away.store(true, Ordering::SeqCst);
    let relay = place.start().await;
    assert!(relay.mesh.quote_for(id(SOURCE), PAID).await.is_err());
    place.wallet.is_away.store(false, Ordering::SeqCst);
    relay.mesh.credit_settled().await.unwrap();
    let invoice = quote(&relay).await;
    let proof = place.proof(&invoice);
    // Its key is shared, so it is asked whether the invoice is settled.
    assert_eq!(show(&relay, &proof).await, Err(RefusalReason::Busy));
    *place.wallet.incoming.lock().unwrap() = Some(Incoming::Settled { amount: PAID });
    show(&relay, &proof).await.unwrap();
}
