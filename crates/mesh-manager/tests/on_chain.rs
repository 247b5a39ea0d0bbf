//! Payments on the chain, at a relay: asked for, credited, undone, and back again.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use bitcoin::{Transaction, consensus::serialize};
use mesh_manager::{MeshManager, Refusal, RefusalReason};
use mesh_payment::{CovenantKind, CovenantProof, Quote, SettlementError, VerifyError};
use mesh_types::*;
use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};
use support::{
    relay::{RELAY, Relay, SOURCE},
    settling::*,
    store::TestStore,
    *,
};

/// What a quote of these tests asks for: more than three packets' worth.
const PAID: Msat = Msat::from_msat(2_000_000);
const PRICE: Msat = Msat::from_msat(600_000);
/// What packets offer: the relay's part of it is its price.
const OFFER: Msat = Msat::from_msat(2_000_000);

fn offering(relay: &Relay, proof: Option<PaymentProof>) -> Vec<u8> {
    relay.packet_offering(OFFER, proof)
}

fn config() -> MeshConfig {
    MeshConfig {
        on_chain: taking(),
        ..gated(PRICE)
    }
}

async fn relay_over(store: &Arc<TestStore>, blocks: &Arc<BlockChain>) -> Relay {
    relay_at(store, blocks, ManualClock::start()).await
}

async fn relay_at(store: &Arc<TestStore>, blocks: &Arc<BlockChain>, clock: ManualClock) -> Relay {
    Relay::with(config(), store, clock, Arc::clone(blocks)).await
}

fn quote(mesh: &MeshManager) -> Quote {
    let offered = mesh.quote_on_chain(id(SOURCE), PAID).unwrap();
    assert_eq!(offered.script_pubkey, our_script());
    offered.quote
}

/// A relay whose source has paid on the chain, one block deep, and sent one packet.
struct Settled {
    relay: Relay,
    store: Arc<TestStore>,
    blocks: Arc<BlockChain>,
    tx_hash: TxHash,
    transaction: Transaction,
    proof: PaymentProof,
}

impl Settled {
    async fn new() -> Self {
        let (store, blocks) = (Arc::new(TestStore::default()), Arc::<BlockChain>::default());
        let relay = relay_over(&store, &blocks).await;
        let (tx_hash, transaction, proof) = settle(&quote(&relay.mesh), 1);
        blocks.mine(tx_hash, &transaction, 1);
        let packet = offering(&relay, Some(proof.clone()));
        relay.take(&packet).await.unwrap();
        Self {
            relay,
            store,
            blocks,
            tx_hash,
            transaction,
            proof,
        }
    }

    /// Sends a packet that is paid from credit.
    async fn send(&self) -> Result<(), Refusal> {
        self.relay.take(&offering(&self.relay, None)).await
    }
}

#[tokio::test]
async fn a_payment_on_the_chain_is_credit_that_carries_packets() {
    let settled = Settled::new().await;
    settled.send().await.unwrap();
    let money = money(&settled.relay.mesh).await;
    assert_eq!(money.deposited, PAID);
    assert_eq!(money.earned.to_msat(), 2 * PRICE.to_msat());
    assert_eq!((money.frozen, money.watched), (Msat::ZERO, 1));
    let again = offering(&settled.relay, Some(settled.proof.clone()));
    let again = settled.relay.take(&again).await;
    assert_eq!(again.unwrap_err(), Refusal::ProofReplayed);
}

/// A covenant that pays `quote`, with its coin.
struct Covenant {
    proof: PaymentProof,
    covenant: CovenantProof,
    coin: OutPoint,
}

impl Covenant {
    fn paying(quote: Quote) -> Self {
        Self::with_coin(quote, 6)
    }

    fn with_coin(quote: Quote, seed: u8) -> Self {
        let sats = quote.amount.to_sats_floor();
        let outputs = vec![
            output(0, quote.named_in_covenant()),
            output(sats, our_script()),
        ];
        let covenant = CovenantProof {
            kind: CovenantKind::CtvWitnessScript,
            quote,
            template: transaction(seed, outputs),
        };
        let proof = PaymentProof::InstantSettlement {
            covenant_proof: covenant.to_bytes(),
            output_index: 1,
            merkle_proof: Vec::new(),
            amount_sats: sats,
            timestamp: quote.expires_at.to_secs(),
        };
        let tx_hash = TxHash::from_bytes([seed; 32]);
        let coin = OutPoint { tx_hash, index: 0 };
        Self {
            proof,
            covenant,
            coin,
        }
    }

    fn fund(&self, blocks: &BlockChain, depth: u32) {
        let script = self.covenant.kind.script(&self.covenant.template).unwrap();
        let found = ChainOutput::Unspent {
            script_pubkey: script.to_bytes(),
            value_sats: PAID.to_sats_floor(),
            depth,
            is_coinbase: false,
        };
        blocks.outputs.lock().unwrap().insert(self.coin, found);
        blocks.mine(self.coin.tx_hash, &self.covenant.template, depth);
    }

    /// The transaction that collects it.
    fn spend(&self) -> (TxHash, Transaction) {
        let spend = self.covenant.spend();
        (hash_of(&spend), spend)
    }
}

#[tokio::test]
async fn a_covenant_is_credit_once_its_coin_is_there() {
    let (store, blocks) = (Arc::new(TestStore::default()), Arc::<BlockChain>::default());
    let relay = relay_over(&store, &blocks).await;
    let covenant = Covenant::paying(quote(&relay.mesh));
    let show = async || {
        let packet = offering(&relay, Some(covenant.proof.clone()));
        relay.take(&packet).await.map_err(|it| it.reason())
    };
    assert_eq!(show().await, Err(RefusalReason::ProofPending));
    covenant.fund(&blocks, 0);
    assert_eq!(show().await, Err(RefusalReason::ProofPending));
    covenant.fund(&blocks, 1);
    assert_eq!(show().await, Ok(()));
    assert_eq!(show().await, Err(RefusalReason::ProofReplayed));
    assert_eq!(money(&relay.mesh).await.deposited, PAID);
}

#[tokio::test]
async fn what_a_covenant_pays_is_collected_also_in_the_next_life() {
    let (store, blocks) = (Arc::new(TestStore::default()), Arc::<BlockChain>::default());
    let relay = relay_over(&store, &blocks).await;
    let covenant = Covenant::paying(quote(&relay.mesh));
    covenant.fund(&blocks, 1);
    let packet = offering(&relay, Some(covenant.proof.clone()));
    relay.take(&packet).await.unwrap();
    drop(relay);
    let clock = ManualClock::start();
    clock.advance(Duration::from_secs(60));
    let next = relay_at(&store, &blocks, clock).await;
    next.mesh.watch_payments().await;
    let (tx_hash, spend) = covenant.spend();
    let submitted = || blocks.submitted.lock().unwrap().len();
    let last = || blocks.submitted.lock().unwrap().last().cloned();
    assert_eq!(last(), Some(serialize(&spend)));
    for (depth, kept) in [(0, 1), (5, 1), (6, 0)] {
        blocks.mine(tx_hash, &spend, depth);
        let before = submitted();
        next.mesh.watch_payments().await;
        assert_eq!(submitted(), before, "it is sent already");
        assert_eq!(store.kept_proofs().await.unwrap().len(), kept, "{depth}");
    }
}

#[tokio::test]
async fn what_a_covenant_pays_is_collected_though_the_chain_cannot_tell_of_its_spending_nor_of_payments()
 {
    let settled = Settled::new().await;
    let covenant = Covenant::paying(quote(&settled.relay.mesh));
    covenant.fund(&settled.blocks, 1);
    let mut proofs = vec![covenant.proof.clone()];
    let (tx_hash, spend) = covenant.spend();
    let mut untold = vec![tx_hash, settled.tx_hash];
    for seed in 7..10 {
        let (tx_hash, transaction, proof) = settle(&quote(&settled.relay.mesh), seed);
        settled.blocks.mine(tx_hash, &transaction, 1);
        proofs.push(proof);
        untold.push(tx_hash);
    }
    for proof in proofs {
        let packet = offering(&settled.relay, Some(proof));
        settled.relay.take(&packet).await.unwrap();
    }
    settled.blocks.unanswerable.lock().unwrap().extend(untold);
    settled.relay.mesh.watch_payments().await;
    let submitted = settled.blocks.submitted.lock().unwrap().clone();
    assert_eq!(submitted.last(), Some(&serialize(&spend)));
}

/// Many covenants were collected long ago, the node has no index to say so, and refuses to send what spends their coins again.
#[tokio::test(start_paused = true)]
async fn covenants_whose_collecting_cannot_be_told_do_not_keep_others_from_being_collected() {
    let settled = Settled::new().await;
    let mut expected = Vec::new();
    for seed in 100..110 {
        let covenant = Covenant::with_coin(quote(&settled.relay.mesh), seed);
        covenant.fund(&settled.blocks, 1);
        let packet = offering(&settled.relay, Some(covenant.proof.clone()));
        settled.relay.take(&packet).await.unwrap();
        let (tx_hash, spend) = covenant.spend();
        settled.blocks.unanswerable.lock().unwrap().push(tx_hash);
        expected.push(serialize(&spend));
    }
    settled.blocks.refuses_to_send.store(true, Ordering::SeqCst);
    settled.blocks.submitted.lock().unwrap().clear();
    tokio::time::sleep(Duration::from_secs(4 * 30 + 1)).await;
    let submitted = settled.blocks.submitted.lock().unwrap().clone();
    assert!(expected.iter().all(|spend| submitted.contains(spend)));
    assert!(
        submitted.len() < 2 * expected.len(),
        "a round that fails is broken off"
    );
}

#[tokio::test]
async fn a_covenant_whose_coin_is_undone_freezes_its_credit() {
    let (store, blocks) = (Arc::new(TestStore::default()), Arc::<BlockChain>::default());
    let relay = relay_over(&store, &blocks).await;
    let covenant = Covenant::paying(quote(&relay.mesh));
    covenant.fund(&blocks, 1);
    let packet = offering(&relay, Some(covenant.proof.clone()));
    relay.take(&packet).await.unwrap();
    blocks.undo(covenant.coin.tx_hash);
    relay.mesh.watch_payments().await;
    let frozen = relay.take(&offering(&relay, None)).await.unwrap_err();
    assert_eq!(frozen.reason(), RefusalReason::PaymentRequired);
}

#[tokio::test]
async fn a_payment_that_is_too_early_may_be_shown_again_when_it_is_deeper() {
    let (store, blocks) = (Arc::new(TestStore::default()), Arc::<BlockChain>::default());
    let relay = relay_over(&store, &blocks).await;
    let (tx_hash, transaction, proof) = settle(&quote(&relay.mesh), 1);
    let missing = relay.take(&offering(&relay, Some(proof.clone()))).await;
    let not_there = VerifyError::Settlement(SettlementError::NotOnChain);
    assert_eq!(missing.unwrap_err(), Refusal::ProofPending(not_there));
    blocks.mine(tx_hash, &transaction, 0);
    let packet = offering(&relay, Some(proof));
    let early = relay.take(&packet).await.unwrap_err();
    let shallow = SettlementError::TooShallow { depth: 0, least: 1 };
    assert_eq!(early, Refusal::ProofPending(shallow.into()));
    assert_eq!(money(&relay.mesh).await.deposited, Msat::ZERO);
    blocks.mine(tx_hash, &transaction, 1);
    // The very same packet: nothing of it was recorded.
    relay.take(&packet).await.unwrap();
    assert_eq!(money(&relay.mesh).await.deposited, PAID);
}

#[tokio::test]
async fn a_reorganisation_after_the_credit_freezes_it_until_the_payment_is_back() {
    let settled = Settled::new().await;
    settled.blocks.undo(settled.tx_hash);
    settled.relay.mesh.watch_payments().await;
    let frozen = settled.send().await.unwrap_err();
    assert_eq!(frozen.reason(), RefusalReason::PaymentRequired);
    let books = money(&settled.relay.mesh).await;
    assert_eq!((books.frozen, books.watched), (PAID, 1));
    assert_eq!(books.earned, PRICE, "what was carried was carried");
    // In the mempool again is not in the chain again.
    let (tx_hash, transaction) = (settled.tx_hash, &settled.transaction);
    settled.blocks.mine(tx_hash, transaction, 0);
    settled.relay.mesh.watch_payments().await;
    assert!(settled.send().await.is_err());
    settled.blocks.mine(tx_hash, transaction, 1);
    settled.relay.mesh.watch_payments().await;
    settled.send().await.unwrap();
    let books = money(&settled.relay.mesh).await;
    assert_eq!((books.frozen, books.watched), (Msat::ZERO, 1));
}

#[tokio::test]
async fn the_link_with_a_neighbour_whose_payment_was_undone_is_not_announced_until_it_is_back() {
    let settled = Settled::new().await;
    let mesh = &settled.relay.mesh;
    mesh.handle_event(NodeEvent::PeerConnected {
        peer_addr: "node-1".to_owned(),
        peer_node_id: Some(id(SOURCE)),
    });
    let withheld = || async {
        mesh.watch_payments().await;
        let peers = mesh.peers().await.into_iter();
        let withheld = peers.filter(|peer| peer.is_withheld);
        withheld.map(|peer| peer.node_id).collect::<Vec<_>>()
    };
    assert_eq!(withheld().await, []);
    settled.blocks.undo(settled.tx_hash);
    assert_eq!(withheld().await, [id(SOURCE)]);
    settled
        .blocks
        .mine(settled.tx_hash, &settled.transaction, 1);
    assert_eq!(withheld().await, []);
}

#[tokio::test]
async fn a_payment_that_was_spent_before_it_was_undone_is_owed_from_what_is_paid_next() {
    let settled = Settled::new().await;
    settled.send().await.unwrap();
    settled.blocks.undo(settled.tx_hash);
    settled.relay.mesh.maintain().await;
    settled.relay.mesh.watch_payments().await;
    assert!(settled.send().await.is_err());
    // Another payment of as much: what was spent of the first is missing from it.
    let (tx_hash, transaction, proof) = settle(&quote(&settled.relay.mesh), 2);
    settled.blocks.mine(tx_hash, &transaction, 1);
    let packet = offering(&settled.relay, Some(proof));
    settled.relay.take(&packet).await.unwrap();
    let spendable = 2 * PAID.to_msat() - 3 * PRICE.to_msat() - PAID.to_msat();
    assert!(spendable < PRICE.to_msat());
    let over = settled.send().await.unwrap_err();
    assert_eq!(over.reason(), RefusalReason::PaymentRequired);
}

#[tokio::test]
async fn a_deep_payment_is_watched_no_more() {
    let settled = Settled::new().await;
    let (tx_hash, transaction) = (settled.tx_hash, &settled.transaction);
    for (depth, watched) in [(5, 1), (6, 0)] {
        settled.blocks.mine(tx_hash, transaction, depth);
        settled.relay.mesh.watch_payments().await;
        assert_eq!(money(&settled.relay.mesh).await.watched, watched);
    }
    let before = settled.blocks.questions.load(Ordering::SeqCst);
    settled.blocks.undo(tx_hash);
    settled.relay.mesh.watch_payments().await;
    assert_eq!(settled.blocks.questions.load(Ordering::SeqCst), before);
    settled.send().await.unwrap();
}

#[tokio::test]
async fn what_was_frozen_is_frozen_in_the_next_life_too() {
    let settled = Settled::new().await;
    settled.blocks.undo(settled.tx_hash);
    settled.relay.mesh.watch_payments().await;
    settled.relay.mesh.close().await;
    let clock = ManualClock::start();
    clock.advance(Duration::from_secs(60));
    let next = relay_at(&settled.store, &settled.blocks, clock).await;
    let frozen = next.take(&offering(&next, None)).await.unwrap_err();
    assert_eq!(frozen.reason(), RefusalReason::PaymentRequired);
    settled
        .blocks
        .mine(settled.tx_hash, &settled.transaction, 2);
    next.mesh.watch_payments().await;
    next.take(&offering(&next, None)).await.unwrap();
}

#[tokio::test]
async fn credit_that_another_gateway_has_in_hand_is_given_back_when_it_looks_at_the_chain() {
    let settled = Settled::new().await;
    let other = relay_over(&settled.store, &settled.blocks).await;
    // This one freezes it; the other has nothing in hand, and draws nothing.
    settled.blocks.undo(settled.tx_hash);
    other.mesh.watch_payments().await;
    assert!(other.take(&offering(&other, None)).await.is_err());
    // What the first has in hand it gives back in its own round.
    settled.relay.mesh.watch_payments().await;
    let refused = settled.send().await.unwrap_err();
    assert_eq!(refused.reason(), RefusalReason::PaymentRequired);
}

#[tokio::test]
async fn a_payment_that_the_chain_cannot_tell_about_does_not_hide_the_others() {
    let settled = Settled::new().await;
    let mut others = Vec::new();
    for seed in 2..6 {
        let (tx_hash, transaction, proof) = settle(&quote(&settled.relay.mesh), seed);
        settled.blocks.mine(tx_hash, &transaction, 1);
        let packet = offering(&settled.relay, Some(proof));
        settled.relay.take(&packet).await.unwrap();
        others.push(tx_hash);
    }
    let unanswerable = others.remove(0);
    settled
        .blocks
        .unanswerable
        .lock()
        .unwrap()
        .push(unanswerable);
    settled.blocks.undo(settled.tx_hash);
    for tx_hash in others {
        settled.blocks.undo(tx_hash);
    }
    settled.relay.mesh.watch_payments().await;
    let frozen = money(&settled.relay.mesh).await.frozen;
    assert_eq!(frozen.to_msat(), 4 * PAID.to_msat());
}

#[tokio::test]
async fn a_good_proof_shown_again_and_again_soon_has_nobody_ask_the_chain() {
    let settled = Settled::new().await;
    for _ in 0..60 {
        let packet = offering(&settled.relay, Some(settled.proof.clone()));
        assert!(settled.relay.take(&packet).await.is_err());
    }
    assert!(settled.blocks.questions.load(Ordering::SeqCst) <= 21);
}

#[tokio::test]
async fn while_the_chain_is_away_nothing_on_it_counts_and_nothing_is_frozen() {
    let settled = Settled::new().await;
    settled.blocks.is_away.store(true, Ordering::SeqCst);
    settled.relay.mesh.watch_payments().await;
    settled.send().await.unwrap();
    let (tx_hash, transaction, proof) = settle(&quote(&settled.relay.mesh), 2);
    settled.blocks.mine(tx_hash, &transaction, 6);
    let packet = offering(&settled.relay, Some(proof));
    let refused = settled.relay.take(&packet).await.unwrap_err();
    assert_eq!(refused.reason(), RefusalReason::Busy);
    settled.blocks.is_away.store(false, Ordering::SeqCst);
    settled.relay.take(&packet).await.unwrap();
}

#[tokio::test]
async fn a_source_that_shows_payments_that_are_none_soon_has_nobody_ask_the_chain() {
    let (store, blocks) = (Arc::new(TestStore::default()), Arc::<BlockChain>::default());
    let relay = relay_over(&store, &blocks).await;
    let quote = quote(&relay.mesh);
    for seed in 1..=60 {
        let (_, _, proof) = settle(&quote, seed);
        assert!(relay.take(&offering(&relay, Some(proof))).await.is_err());
    }
    assert_eq!(blocks.questions.load(Ordering::SeqCst), 20);
}

#[tokio::test]
async fn a_source_that_shows_payments_of_which_the_chain_cannot_tell_soon_has_nobody_ask_it() {
    let (store, blocks) = (Arc::new(TestStore::default()), Arc::<BlockChain>::default());
    let relay = relay_over(&store, &blocks).await;
    let quote = quote(&relay.mesh);
    for seed in 1..=60 {
        let (tx_hash, _, proof) = settle(&quote, seed);
        blocks.unanswerable.lock().unwrap().push(tx_hash);
        let refused = relay.take(&offering(&relay, Some(proof))).await;
        assert_eq!(refused.unwrap_err().reason(), RefusalReason::Busy);
    }
    assert_eq!(blocks.questions.load(Ordering::SeqCst), 20);
}

#[tokio::test]
async fn of_many_packets_with_one_payment_exactly_one_is_credited() {
    let (store, blocks) = (Arc::new(TestStore::default()), Arc::<BlockChain>::default());
    let relay = Arc::new(relay_over(&store, &blocks).await);
    let (tx_hash, transaction, proof) = settle(&quote(&relay.mesh), 1);
    blocks.mine(tx_hash, &transaction, 1);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (relay, packet) = (Arc::clone(&relay), offering(&relay, Some(proof.clone())));
        tasks.spawn(async move { relay.take(&packet).await });
    }
    let carried = tasks.join_all().await.into_iter().filter(Result::is_ok);
    assert_eq!(carried.count(), 1);
    assert_eq!(money(&relay.mesh).await.deposited, PAID);
}

#[tokio::test]
async fn a_setting_that_cannot_be_is_named_at_the_start() {
    let with = |change: fn(&mut OnChainConfig)| {
        let mut config = config();
        change(&mut config.on_chain);
        config
    };
    let wires = Wires::default();
    for (config, said) in [
        (
            with(|it| it.addresses.push("bc1qnonsense".to_owned())),
            "bc1qnonsense",
        ),
        (
            with(|it| {
                it.addresses
                    .push("1BitcoinEaterAddressDontSendf59kuE".to_owned())
            }),
            "no address of regtest",
        ),
        (with(|it| it.quote_lifetime_secs = 3_599), "3600 to 604800"),
        (
            with(|it| {
                it.quote_lifetime_secs = 3_600;
                it.least_depth = it.final_depth;
            }),
            "at least 7200",
        ),
        (
            with(|it| it.least_depth = it.final_depth.saturating_add(1)),
            "no less than least_depth",
        ),
    ] {
        let api = WiredNode {
            id: id(RELAY),
            wires: wires.clone(),
            clock: ManualClock::start(),
            wallet: None,
            store: Arc::new(TestStore::default()),
            blocks: Arc::default(),
            events: Mutex::default(),
        };
        let started = MeshManager::start(config, identity(RELAY), Arc::new(api)).await;
        let error = started.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}
