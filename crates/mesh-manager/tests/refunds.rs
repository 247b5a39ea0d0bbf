//! Credit that goes back to its payer: once, whatever is lost and whoever dies, and never more than there is.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_protocol::{ControlMessage, PacketView, RefusalCode};
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
use tokio::task::JoinSet;

const DEPOSITED: Msat = Msat::from_msat(100_000);
const TIMEOUT: Duration = Duration::from_secs(30);

/// The source, and another payer with a link to the relay of its own.
const ANOTHER: u8 = 4;

/// A relay, its wallet and its store over several lives, and the wallets of two payers.
struct Place {
    wallet: TableWallet,
    payers: TableWallet,
    store: Arc<TestStore>,
    clock: ManualClock,
}

impl Place {
    async fn new() -> Self {
        let wallet = TableWallet::new(100 + RELAY);
        *wallet.incoming.lock().unwrap() = Some(Incoming::NotOurs);
        *wallet.fee.lock().unwrap() = Msat::from_msat(300);
        let place = Self {
            payers: wallet.beside(100 + SOURCE),
            wallet,
            store: Arc::default(),
            clock: ManualClock::start(),
        };
        for (number, payer) in [(1, SOURCE), (2, ANOTHER)] {
            let claim = Claim {
                key: ClaimKey::from_payment_hash([number; 32]),
                payer: id(payer),
                amount: DEPOSITED,
                expires_at: START.plus(Duration::from_secs(600)),
                on_chain: None,
            };
            let claimed = place.store.claim(claim, PacketTag::NONE, START).await;
            assert_eq!(claimed, Ok(ClaimOutcome::New));
        }
        place
    }

    async fn start(&self) -> Asked {
        self.start_with(true).await
    }

    async fn start_with(&self, refunds: bool) -> Asked {
        let config = MeshConfig {
            refunds,
            ..gated(RELAY_PRICE)
        };
        let (store, clock) = (&self.store, self.clock.clone());
        let wallet = self.wallet.clone();
        let relay = Relay::with_wallet(config, store, clock, Arc::default(), wallet).await;
        for payer in [SOURCE, ANOTHER] {
            relay.api.wires.drop_to(&format!("node-{payer}"));
            relay.mesh.handle_event(NodeEvent::PeerConnected {
                peer_addr: format!("node-{payer}"),
                peer_node_id: Some(id(payer)),
            });
        }
        Asked {
            relay,
            another: engine(ANOTHER, open(), &[RELAY]),
        }
    }

    fn invoice(&self, number: u8, amount: u64) -> String {
        self.invoice_for(number, amount, Duration::from_secs(600))
    }

    fn invoice_for(&self, number: u8, amount: u64, expiry: Duration) -> String {
        let request = InvoiceRequest {
            amount: Msat::from_msat(amount),
            preimage: [number; 32],
            description: "back".to_owned(),
            expiry,
        };
        self.payers.issue(&request, self.clock.now())
    }

    fn paid(&self) -> usize {
        self.wallet.paid.lock().unwrap().len()
    }

    fn becomes(&self, outcome: Outcome) {
        *self.wallet.outcome.lock().unwrap() = outcome;
    }

    async fn credit(&self) -> Msat {
        self.store.credit(id(SOURCE)).await.unwrap()
    }

    async fn check_books(&self) {
        let books = self.store.books(0).await.unwrap();
        let parts = [books.credit, books.earned, books.refunded];
        let sum = parts.into_iter().map(Msat::to_msat).sum();
        assert_eq!(books.deposited, Msat::from_msat(sum));
    }
}

/// A relay that answers.
struct Asked {
    relay: Relay,
    another: mesh_manager::Engine,
}

impl Asked {
    /// Asks, and does not wait for the answer.
    async fn send(&self, payer: u8, invoice: &str) -> u64 {
        let message = ControlMessage::RefundRequest {
            invoice: invoice.to_owned(),
        };
        let draft = mesh_manager::Draft {
            kind: PacketKind::Control,
            ..data(&[payer, RELAY], &message.encode().unwrap(), Msat::ZERO)
        };
        let source = match payer {
            SOURCE => &self.relay.source,
            _ => &self.another,
        };
        let packet = compose(source, draft, self.relay.api.clock.now());
        let taken = self.relay.mesh.receive(id(payer), packet.bytes).await;
        taken.unwrap();
        packet.sequence
    }

    /// What was answered until now, by the number of the request.
    fn answers(&self) -> Vec<(u64, ControlMessage)> {
        let log = self.relay.api.wires.log.lock().unwrap().clone();
        let messages = log.iter().filter_map(|(_, _, bytes)| {
            let message = ControlMessage::decode(PacketView::parse(bytes).unwrap().payload());
            match message.ok()? {
                message @ (ControlMessage::Refunded { sequence, .. }
                | ControlMessage::Refused { sequence, .. }) => Some((sequence, message)),
                _ => None,
            }
        });
        messages.collect()
    }

    async fn answer(&self, asked: u64) -> ControlMessage {
        loop {
            let mut answers = self.answers().into_iter();
            if let Some((_, found)) = answers.find(|(sequence, _)| *sequence == asked) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn ask(&self, payer: u8, invoice: &str) -> Result<(u64, u64, u64), RefusalCode> {
        let sequence = self.send(payer, invoice).await;
        match self.answer(sequence).await {
            ControlMessage::Refunded {
                amount,
                fee,
                credit,
                ..
            } => Ok((amount.to_msat(), fee.to_msat(), credit.to_msat())),
            ControlMessage::Refused { code, .. } => Err(code),
            other => unreachable!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn credit_goes_back_once_however_often_it_is_asked_for() {
    let place = Place::new().await;
    let relay = place.start().await;
    let invoice = place.invoice(1, 60_000);
    let answer = Ok((60_000, 300, 39_700));
    for _ in 0..3 {
        assert_eq!(relay.ask(SOURCE, &invoice).await, answer);
    }
    drop(relay);
    assert_eq!(place.start().await.ask(SOURCE, &invoice).await, answer);
    assert_eq!(place.paid(), 1);
    place.check_books().await;
}

#[tokio::test]
async fn where_the_operator_does_not_offer_it_nothing_is_paid() {
    let place = Place::new().await;
    let relay = place.start_with(false).await;
    let refused = relay.ask(SOURCE, &place.invoice(1, 60_000)).await;
    assert_eq!(refused, Err(RefusalCode::NotEnabled));
    assert_eq!((place.paid(), place.credit().await), (0, DEPOSITED));
    assert!(!MeshConfig::default().refunds);
}

#[tokio::test]
async fn what_the_credit_does_not_cover_with_its_fee_is_refused() {
    let place = Place::new().await;
    let relay = place.start().await;
    for amount in [98_040, 100_001, 2_000_000_000_000] {
        let refused = relay.ask(SOURCE, &place.invoice(1, amount)).await;
        assert_eq!(refused, Err(RefusalCode::CreditTooLow), "{amount}");
    }
    assert_eq!((place.paid(), place.credit().await), (0, DEPOSITED));
    let most = relay.ask(SOURCE, &place.invoice(2, 98_000)).await;
    assert_eq!(most, Ok((98_000, 300, 1_700)));
}

#[tokio::test]
async fn frozen_credit_does_not_go_back() {
    let place = Place::new().await;
    let key = ClaimKey::from_tagged_hash([9; 32]);
    let on_chain = Claim {
        key,
        payer: id(SOURCE),
        amount: DEPOSITED,
        expires_at: START.plus(Duration::from_secs(600)),
        on_chain: Some(TxHash::from_bytes([9; 32])),
    };
    let claimed = place.store.claim(on_chain, PacketTag::NONE, START).await;
    assert_eq!(claimed, Ok(ClaimOutcome::New));
    place.store.judge(key, Standing::Gone).await.unwrap();
    let relay = place.start().await;
    let invoice = place.invoice(1, 150_000);
    let refused = relay.ask(SOURCE, &invoice).await;
    assert_eq!(refused, Err(RefusalCode::CreditTooLow));
    place.store.judge(key, Standing::Holds).await.unwrap();
    assert!(relay.ask(SOURCE, &invoice).await.is_ok());
}

#[tokio::test]
async fn credit_in_hand_is_given_back_first_and_what_was_spent_of_it_stays_earned() {
    let place = Place::new().await;
    let relay = place.start().await;
    relay.relay.take(&relay.relay.packet(None)).await.unwrap();
    assert_eq!(place.credit().await, Msat::ZERO);
    // The relay's share of the fee, 3,000, is spent, and not booked yet.
    let too_much = relay.ask(SOURCE, &place.invoice(1, 95_200)).await;
    assert_eq!(too_much, Err(RefusalCode::CreditTooLow));
    let refunded = relay.ask(SOURCE, &place.invoice(2, 95_000)).await;
    assert_eq!(refunded, Ok((95_000, 300, 1_700)));
    assert_eq!(money(&relay.relay.mesh).await.earned, RELAY_PRICE);
    place.check_books().await;
}

#[tokio::test]
async fn the_hash_of_another_payers_refund_is_refused_and_tells_nothing() {
    let place = Place::new().await;
    let relay = place.start().await;
    let invoice = place.invoice(1, 60_000);
    relay.ask(SOURCE, &invoice).await.unwrap();
    let refused = relay.ask(ANOTHER, &invoice).await;
    assert_eq!(refused, Err(RefusalCode::InvoiceRefused));
    let kept = place.store.credit(id(ANOTHER)).await;
    assert_eq!((place.paid(), kept), (1, Ok(DEPOSITED)));
}

#[tokio::test]
async fn an_invoice_that_is_none_of_the_payers_to_be_paid_is_refused() {
    let place = Place::new().await;
    let relay = place.start().await;
    let day = Duration::from_secs(86_400);
    for invoice in [
        "lnbcrt1nothing".to_owned(),
        place.invoice_for(1, 60_000, Duration::from_secs(59)),
        place.invoice_for(2, 60_000, day),
    ] {
        let refused = relay.ask(SOURCE, &invoice).await;
        assert_eq!(refused, Err(RefusalCode::InvoiceRefused), "{invoice}");
    }
    *place.wallet.incoming.lock().unwrap() = Some(Incoming::Unpaid);
    let own = relay.ask(SOURCE, &place.invoice(3, 60_000)).await;
    assert_eq!(own, Err(RefusalCode::InvoiceRefused));
    *place.wallet.incoming.lock().unwrap() = None;
    let away = relay.ask(SOURCE, &place.invoice(3, 60_000)).await;
    assert_eq!(away, Err(RefusalCode::Busy));
    assert_eq!((place.paid(), place.credit().await), (0, DEPOSITED));
}

#[tokio::test]
async fn a_refund_that_cannot_be_paid_gives_everything_back_and_is_not_tried_again() {
    let place = Place::new().await;
    let relay = place.start().await;
    let invoice = place.invoice(1, 60_000);
    *place.wallet.fee.lock().unwrap() = Msat::from_msat(1_201);
    let failed = Err(RefusalCode::RefundFailed);
    assert_eq!(relay.ask(SOURCE, &invoice).await, failed);
    *place.wallet.fee.lock().unwrap() = Msat::from_msat(1_200);
    assert_eq!(relay.ask(SOURCE, &invoice).await, failed);
    assert_eq!((place.paid(), place.credit().await), (0, DEPOSITED));
    let other = relay.ask(SOURCE, &place.invoice(2, 60_000)).await;
    assert_eq!(other, Ok((60_000, 1_200, 38_800)));
}

#[tokio::test]
async fn a_refund_whose_answer_was_lost_is_looked_up_over_a_restart_and_paid_once() {
    let place = Place::new().await;
    let relay = place.start().await;
    let invoice = place.invoice(1, 60_000);
    place.becomes(Outcome::LostBehind);
    let lost = relay.ask(SOURCE, &invoice).await;
    assert_eq!(lost, Err(RefusalCode::Busy));
    assert_eq!(place.credit().await, Msat::from_msat(38_800));
    drop(relay);
    let relay = place.start().await;
    let answer = relay.ask(SOURCE, &invoice).await;
    assert_eq!(answer, Ok((60_000, 300, 39_700)));
    assert_eq!(place.paid(), 1);
    place.check_books().await;
}

#[tokio::test]
async fn a_relay_that_dies_before_its_wallet_has_paid_gives_back_when_the_invoice_has_ended() {
    for silent in [0, 1] {
        let place = Place::new().await;
        let relay = place.start().await;
        let invoice = place.invoice(1, 60_000);
        // It dies behind the step in the store, or the wallet's answer is lost and nothing was paid.
        place.store.silent_payments.store(silent, Ordering::SeqCst);
        place.becomes(Outcome::LostBefore);
        assert_eq!(relay.ask(SOURCE, &invoice).await, Err(RefusalCode::Busy));
        drop(relay);
        place.becomes(Outcome::Told);
        let relay = place.start().await;
        relay.relay.mesh.look_up_payments().await;
        assert_eq!(relay.ask(SOURCE, &invoice).await, Err(RefusalCode::Busy));
        assert_eq!(place.credit().await, Msat::from_msat(38_800));
        place.clock.advance(Duration::from_secs(661));
        relay.relay.mesh.look_up_payments().await;
        assert_eq!((place.paid(), place.credit().await), (0, DEPOSITED));
        place.check_books().await;
    }
}

#[tokio::test]
async fn a_relay_that_dies_after_paying_and_before_noting_it_pays_nothing_again() {
    let place = Place::new().await;
    let relay = place.start().await;
    let invoice = place.invoice(1, 60_000);
    place.store.lost_refund_ends.store(1, Ordering::SeqCst);
    let paid = relay.ask(SOURCE, &invoice).await;
    assert_eq!(paid, Ok((60_000, 300, 38_800)));
    assert_eq!(place.store.open_refunds().await.unwrap().len(), 1);
    drop(relay);
    // Also when the invoice has ended meanwhile.
    place.clock.advance(Duration::from_secs(661));
    let relay = place.start().await;
    relay.relay.mesh.look_up_payments().await;
    assert_eq!(place.store.open_refunds().await, Ok(Vec::new()));
    assert_eq!(place.credit().await, Msat::from_msat(39_700));
    let again = relay.ask(SOURCE, &invoice).await;
    assert_eq!(again, Ok((60_000, 300, 39_700)));
    assert_eq!(place.paid(), 1);
    place.check_books().await;
}

#[tokio::test]
async fn a_refund_that_is_being_paid_is_not_given_up_however_long_that_takes() {
    let place = Place::new().await;
    let relay = place.start().await;
    let gate = place.wallet.hold();
    let asked = relay.send(SOURCE, &place.invoice(1, 60_000)).await;
    while place.wallet.waiting.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    place.clock.advance(Duration::from_secs(661));
    relay.relay.mesh.look_up_payments().await;
    assert_eq!(place.store.open_refunds().await.unwrap().len(), 1);
    gate.add_permits(1);
    let answer = relay.answer(asked).await;
    assert!(
        matches!(answer, ControlMessage::Refunded { .. }),
        "{answer:?}"
    );
    assert_eq!(place.credit().await, Msat::from_msat(39_700));
    place.check_books().await;
}

#[tokio::test]
async fn a_refund_whose_failure_was_not_noted_gives_back_later() {
    let place = Place::new().await;
    let relay = place.start().await;
    let invoice = place.invoice(1, 60_000);
    place.store.lost_refund_ends.store(1, Ordering::SeqCst);
    place.becomes(Outcome::Failed);
    assert_eq!(relay.ask(SOURCE, &invoice).await, Err(RefusalCode::Busy));
    place.clock.advance(Duration::from_secs(661));
    let failed = relay.ask(SOURCE, &invoice).await;
    assert_eq!(failed, Err(RefusalCode::RefundFailed));
    assert_eq!((place.paid(), place.credit().await), (0, DEPOSITED));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_requests_at_once_for_one_invoice_one_is_paid() {
    let place = Place::new().await;
    let relay = Arc::new(place.start().await);
    let invoice = place.invoice(1, 30_000);
    let gate = place.wallet.hold();
    let mut asks = JoinSet::new();
    for _ in 0..64 {
        let (relay, invoice) = (Arc::clone(&relay), invoice.clone());
        asks.spawn(async move { relay.send(SOURCE, &invoice).await });
    }
    asks.join_all().await;
    while relay.answers().len() < 63 || place.wallet.waiting.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(place.wallet.waiting.load(Ordering::SeqCst), 1);
    gate.add_permits(64);
    while place.store.open_refunds().await != Ok(Vec::new()) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // What a payer may ask refills.
    place.clock.advance(Duration::from_secs(60));
    assert!(relay.ask(SOURCE, &invoice).await.is_ok());
    assert_eq!(place.paid(), 1);
    place.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_requests_at_once_no_more_is_paid_than_there_is_and_no_more_than_a_payer_may_ask() {
    let place = Place::new().await;
    let relay = Arc::new(place.start().await);
    let mut asks = JoinSet::new();
    for number in 0..64 {
        let payer = if number % 2 == 0 { SOURCE } else { ANOTHER };
        // Four of the source's fit; of the other's ten would, and it may ask for eight at once.
        let amount = if payer == SOURCE { 23_000 } else { 8_000 };
        let (relay, invoice) = (Arc::clone(&relay), place.invoice(number + 1, amount));
        asks.spawn(async move { (payer, relay.ask(payer, &invoice).await) });
    }
    let answers = asks.join_all().await;
    let paid = |of: u8| {
        let paid = answers
            .iter()
            .filter(|(payer, it)| *payer == of && it.is_ok());
        paid.count()
    };
    assert!(paid(SOURCE) <= 4 && paid(SOURCE) > 0, "{answers:?}");
    assert!(paid(ANOTHER) <= 8 && paid(ANOTHER) > 0, "{answers:?}");
    assert_eq!(place.paid(), paid(SOURCE) + paid(ANOTHER));
    place.check_books().await;
}

#[tokio::test]
async fn a_refund_that_arrives_is_no_deposit() {
    let store = Arc::default();
    let wallet = TableWallet::new(100 + RELAY).telling();
    let (config, clock) = (gated(RELAY_PRICE), ManualClock::start());
    let node = Relay::with_wallet(config, &store, clock, Arc::default(), wallet.clone()).await;
    let request = InvoiceRequest {
        amount: DEPOSITED,
        preimage: [1; 32],
        description: "blvm-mesh refund".to_owned(),
        expiry: Duration::from_secs(600),
    };
    wallet.receive(&wallet.issue(&request, START));
    node.mesh.credit_settled().await.unwrap();
    assert_eq!(money(&node.mesh).await.deposited, Msat::ZERO);
}

#[tokio::test]
async fn a_payer_gets_its_whole_balance_back_over_a_route_and_again_nothing() {
    let stores = Stores::of(3);
    let configs = [open(), gated(RELAY_PRICE), gated(DESTINATION_PRICE)].map(|config| MeshConfig {
        refunds: true,
        ..config
    });
    let chain = Chain::with_stores(configs.to_vec(), stores.each()).await;
    let claim = Claim {
        key: ClaimKey::from_payment_hash([1; 32]),
        payer: id(1),
        amount: DEPOSITED,
        expires_at: START.plus(Duration::from_secs(600)),
        on_chain: None,
    };
    stores
        .at(2)
        .claim(claim, PacketTag::NONE, START)
        .await
        .unwrap();
    let (payer, payee) = (&chain.nodes[0], &chain.nodes[2].wallet);
    *payee.incoming.lock().unwrap() = Some(Incoming::NotOurs);
    *payer.wallet.incoming.lock().unwrap() = Some(Incoming::Settled {
        amount: Msat::from_msat(98_000),
    });
    let way = route(&[1, 2, 3]);
    // The first answer is lost with the wallet's, and the same is asked for again.
    *payee.outcome.lock().unwrap() = Outcome::LostBehind;
    let refunded = payer.mesh.refund(&way, 2, None, TIMEOUT).await.unwrap();
    assert_eq!(refunded.amount, Msat::from_msat(98_000));
    assert_eq!(refunded.credit, Msat::from_msat(2_000));
    assert!(refunded.has_arrived && refunded.by == id(3));
    assert_eq!(payee.paid.lock().unwrap().len(), 1);
    let most = Some(Msat::from_msat(3_000));
    let too_much = payer.mesh.refund(&way, 2, most, TIMEOUT).await;
    assert!(matches!(
        too_much,
        Err(MeshError::PaymentVerificationFailed(_))
    ));
    assert_eq!(money(chain.mesh(2)).await.refunded, Msat::from_msat(98_000));
}
