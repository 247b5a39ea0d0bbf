//! What a node spends: within every limit, over restarts and many payments at once, and written down with its reason.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::{RefusalReason, SendOptions};
use mesh_types::*;
use std::{sync::atomic::Ordering, time::Duration};
use support::{store::Stores, *};
use tokio::task::JoinSet;

const PAID: Msat = Msat::from_msat(10_000);

/// Limits that nothing reaches, and no fees.
fn unlimited() -> SpendingConfig {
    SpendingConfig {
        per_packet_msat: u64::MAX,
        per_route_msat: u64::MAX,
        per_peer_per_day_msat: u64::MAX,
        per_day_msat: u64::MAX,
        fee_share_permille: 0,
    }
}

/// A source with these limits, a relay and a destination that want to be paid.
async fn three(spending: SpendingConfig, stores: &Stores) -> Chain {
    let source = MeshConfig { spending, ..open() };
    let configs = vec![source, gated(RELAY_PRICE), gated(DESTINATION_PRICE)];
    Chain::with_stores(configs, stores.each()).await
}

fn options(packets_ahead: u64, tops_up: bool) -> SendOptions {
    SendOptions {
        packets_ahead,
        tops_up,
        ..SendOptions::default()
    }
}

/// An invoice of the node `payee` for the source's credit there.
fn invoice(chain: &Chain, payee: u8, amount: Msat) -> String {
    let now = chain.clock.now();
    let request = quote_request(payee, id(1), amount, now);
    chain.nodes[usize::from(payee) - 1]
        .wallet
        .issue(&request, now)
}

async fn pay(chain: &Chain, payee: u8, amount: Msat) -> Result<(), MeshError> {
    let invoice = invoice(chain, payee, amount);
    let paid = chain.mesh(0).pay(id(payee), &invoice, amount).await;
    paid.map(|_| ())
}

fn paid(chain: &Chain) -> usize {
    chain.nodes[0].wallet.paid.lock().unwrap().len()
}

/// The words of a refusal by one of the node's own limits.
fn limit(result: Result<impl std::fmt::Debug, MeshError>) -> String {
    match result {
        Err(MeshError::SpendingLimit(words)) => words,
        other => panic!("expected a limit, got {other:?}"),
    }
}

fn check_words(words: &str, parts: &[&str]) {
    for part in parts {
        assert!(words.contains(part), "{part:?} is not in: {words}");
    }
}

#[tokio::test]
async fn a_packet_that_costs_more_than_the_limit_for_one_is_neither_paid_for_nor_offered() {
    let stores = Stores::of(3);
    let spending = SpendingConfig {
        per_packet_msat: 9_999,
        ..unlimited()
    };
    let chain = three(spending, &stores).await;
    for payee in [2, 3] {
        pay(&chain, payee, PAID).await.unwrap();
    }
    for _ in 0..2 {
        let sent = chain
            .mesh(0)
            .send(id(3), b"dear".to_vec(), options(1, false));
        let words = limit(sent.await.map_err(MeshError::from));
        check_words(&words, &["per_packet_msat is 9999 msat", "10000 msat more"]);
    }
    assert_eq!(paid(&chain), 2);
    assert_eq!(money(chain.mesh(1)).await.earned, Msat::ZERO);
}

#[tokio::test]
async fn the_nodes_of_a_route_together_are_paid_no_more_than_the_limit_for_one() {
    let stores = Stores::of(3);
    let spending = SpendingConfig {
        per_route_msat: 8_999,
        ..unlimited()
    };
    let chain = three(spending, &stores).await;
    let sent = chain.mesh(0).send(id(3), b"x".to_vec(), options(1, false));
    let words = limit(sent.await.map_err(MeshError::from));
    check_words(
        &words,
        &[
            "per_route_msat is 8999 msat",
            "of which 0 msat are used",
            "9000 msat more",
            "next packet",
        ],
    );
    assert_eq!(paid(&chain), 0, "nobody is paid where not all can be");
    let too_much = pay(&chain, 2, Msat::from_msat(9_000)).await;
    check_words(&limit(too_much), &["per_route_msat"]);
}

#[tokio::test]
async fn deposits_for_packets_ahead_shrink_to_what_the_limits_have_room_for() {
    let stores = Stores::of(3);
    let spending = SpendingConfig {
        per_peer_per_day_msat: 20_500,
        ..unlimited()
    };
    let chain = three(spending, &stores).await;
    let sent = chain.mesh(0).send(id(3), b"x".to_vec(), options(10, false));
    assert_eq!(sent.await.unwrap().deposited, Msat::from_msat(40_000));
    assert_eq!(
        money(chain.mesh(1)).await.deposited,
        Msat::from_msat(20_000)
    );
}

#[tokio::test]
async fn one_node_is_paid_no_more_on_one_day_than_its_limit_and_others_are() {
    let stores = Stores::of(3);
    let spending = SpendingConfig {
        per_peer_per_day_msat: 15_000,
        ..unlimited()
    };
    let chain = three(spending, &stores).await;
    pay(&chain, 2, PAID).await.unwrap();
    let words = limit(pay(&chain, 2, Msat::from_msat(6_000)).await);
    check_words(
        &words,
        &[
            "per_peer_per_day_msat is 15000 msat",
            "10000 msat are used",
            "6000 msat more",
        ],
    );
    // 1,790,000,000 is at 14:13:20.
    check_words(&words, &["midnight UTC, in 9 h 47 min"]);
    pay(&chain, 3, PAID).await.unwrap();
    pay(&chain, 2, Msat::from_msat(5_000)).await.unwrap();
    let never = limit(pay(&chain, 3, Msat::from_msat(16_000)).await);
    check_words(&never, &["waiting does not help"]);
    chain.clock.advance(Duration::from_secs(35_199));
    let still = pay(&chain, 2, PAID).await;
    check_words(&limit(still), &["in 0 h 1 min"]);
    chain.clock.advance(Duration::from_secs(1));
    pay(&chain, 2, PAID).await.unwrap();
}

#[tokio::test]
async fn what_was_spent_today_counts_after_a_restart() {
    let stores = Stores::of(3);
    let spending = SpendingConfig {
        per_day_msat: 25_000,
        ..unlimited()
    };
    let chain = three(spending, &stores).await;
    pay(&chain, 2, PAID).await.unwrap();
    drop(chain);
    let chain = three(spending, &stores).await;
    pay(&chain, 3, PAID).await.unwrap();
    let words = limit(pay(&chain, 3, Msat::from_msat(6_000)).await);
    check_words(
        &words,
        &["per_day_msat is 25000 msat", "20000 msat are used"],
    );
    assert_eq!(paid(&chain), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_payments_at_once_none_is_beyond_a_limit() {
    let stores = Stores::of(3);
    let spending = SpendingConfig {
        per_peer_per_day_msat: 100_000,
        per_day_msat: 150_000,
        ..unlimited()
    };
    let chain = three(spending, &stores).await;
    // None is made before all have been asked for.
    let mut tasks = JoinSet::new();
    for number in 0..64 {
        let payee = if number % 3 == 0 { 3 } else { 2 };
        let amount = Msat::from_msat(1_000 + number * 1_000);
        let (mesh, invoice) = (chain.mesh(0).clone(), invoice(&chain, payee, amount));
        tasks.spawn(async move {
            let paid = mesh.pay(id(payee), &invoice, amount).await;
            (
                payee,
                amount.to_msat(),
                paid.map(|paid| paid.amount.to_msat()),
            )
        });
    }
    let outcomes = tasks.join_all().await;
    let sum = |of: &[u8]| {
        let made = outcomes.iter().filter(|(payee, ..)| of.contains(payee));
        made.filter_map(|(.., paid)| paid.as_ref().ok())
            .sum::<u64>()
    };
    for (payee, amount, outcome) in &outcomes {
        if let Err(error) = outcome {
            assert!(matches!(error, MeshError::SpendingLimit(_)), "{error}");
            let over_day = sum(&[2, 3]) + amount > 150_000;
            assert!(over_day || sum(&[*payee]) + amount > 100_000);
        }
    }
    assert!(sum(&[2]) <= 100_000 && sum(&[2, 3]) <= 150_000);
    let sums = stores.at(0).spent_on_day(START, id(2)).await.unwrap();
    assert_eq!(sums.all.amount.to_msat(), sum(&[2, 3]));
    assert_eq!(sums.payee.amount.to_msat(), sum(&[2]));
}

#[tokio::test]
async fn a_payment_counts_while_nobody_knows_what_became_of_it() {
    let stores = Stores::of(3);
    let spending = SpendingConfig {
        per_day_msat: 15_000,
        ..unlimited()
    };
    let chain = three(spending, &stores).await;
    let wallet = &chain.nodes[0].wallet;
    *wallet.outcome.lock().unwrap() = Outcome::LostBefore;
    assert!(matches!(
        pay(&chain, 2, PAID).await,
        Err(MeshError::LightningError(_))
    ));
    *wallet.outcome.lock().unwrap() = Outcome::Told;
    check_words(&limit(pay(&chain, 3, PAID).await), &["10000 msat are used"]);
    let outcome = async || {
        let lines = stores.at(0).last_payments(1).await.unwrap();
        lines[0].outcome
    };
    assert_eq!(outcome().await, PaymentOutcome::Unknown);
    // What became of it is found out: it was never made.
    chain.clock.advance(Duration::from_secs(600));
    chain.mesh(0).look_up_payments().await;
    let at = chain.clock.now();
    assert_eq!(outcome().await, PaymentOutcome::Failed { at });
    pay(&chain, 3, PAID).await.unwrap();
}

#[tokio::test]
async fn an_outcome_that_the_store_did_not_take_is_told_it_later() {
    let stores = Stores::of(3);
    let chain = three(unlimited(), &stores).await;
    let (mesh, invoice) = (chain.mesh(0).clone(), invoice(&chain, 2, PAID));
    let wallet = chain.nodes[0].wallet.clone();
    let held = wallet.hold();
    let paying = tokio::spawn(async move { mesh.pay(id(2), &invoice, PAID).await });
    while wallet.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    stores.at(0).is_down.store(true, Ordering::SeqCst);
    held.add_permits(1);
    paying.await.unwrap().unwrap();
    stores.at(0).is_down.store(false, Ordering::SeqCst);
    let line = async || stores.at(0).last_payments(1).await.unwrap()[0].clone();
    assert_eq!(line().await.outcome, PaymentOutcome::Unknown);
    chain.mesh(0).look_up_payments().await;
    assert_eq!(line().await.outcome, PaymentOutcome::Paid { at: START });
    assert_eq!(wallet.paid.lock().unwrap().len(), 1);
    assert_eq!(stores.at(0).kept_proofs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_payment_of_which_the_store_did_not_say_whether_it_is_noted_is_not_made_and_counts_no_longer()
 {
    let stores = Stores::of(3);
    let spending = SpendingConfig {
        per_day_msat: 10_000,
        ..unlimited()
    };
    let chain = three(spending, &stores).await;
    stores.at(0).silent_payments.store(1, Ordering::SeqCst);
    let unknown = pay(&chain, 2, PAID).await;
    assert!(matches!(unknown, Err(MeshError::Busy(_))), "{unknown:?}");
    assert_eq!(paid(&chain), 0);
    limit(pay(&chain, 3, PAID).await);
    chain.mesh(0).look_up_payments().await;
    assert_eq!(stores.at(0).kept_proofs().await, Ok(Vec::new()));
    pay(&chain, 3, PAID).await.unwrap();
}

#[tokio::test]
async fn a_deposit_grows_until_its_fee_is_a_small_enough_share_of_it() {
    let stores = Stores::of(3);
    let spending = SpendingConfig {
        fee_share_permille: 20,
        ..unlimited()
    };
    let chain = three(spending, &stores).await;
    let fee = |msat| *chain.nodes[0].wallet.fee.lock().unwrap() = Msat::from_msat(msat);
    fee(1_000);
    // By hand it is not made larger, and one satoshi is too much for three.
    let small = pay(&chain, 2, RELAY_PRICE).await;
    assert!(
        matches!(small, Err(MeshError::LightningError(_))),
        "{small:?}"
    );
    assert_eq!(paid(&chain), 0);
    // The failure says that it may cost more than was thought: two satoshi.
    let sent = chain.mesh(0).send(id(3), b"x".to_vec(), options(1, false));
    let deposited = sent.await.unwrap().deposited;
    assert_eq!(deposited, Msat::from_msat(100_000 + 50_000));
    let lines = stores.at(0).last_payments(2).await.unwrap();
    for line in &lines {
        assert!(line.fee.to_msat() * 50 <= line.amount.to_msat(), "{line:?}");
    }
    // Now it is known: the next deposits are as small as what was paid allows.
    fee(120);
    for amount in 0..8 {
        let amount = Msat::from_msat(6_000 + amount * 1_000);
        pay(&chain, 2, amount).await.unwrap();
    }
    let way = route(&[1, 2]);
    let spend = async || {
        let sent = chain.mesh(0).send(id(2), vec![7; 9], options(1, false));
        sent.await.unwrap().deposited
    };
    while chain
        .mesh(0)
        .request_quote(&way, 1, Msat::ZERO, PATIENCE)
        .await
        .unwrap()
        .credit
        > Msat::ZERO
        || !stores.at(0).kept_proofs().await.unwrap().is_empty()
    {
        if spend().await > Msat::ZERO {
            break;
        }
    }
    let last = stores.at(0).last_payments(1).await.unwrap();
    assert_eq!(
        (last[0].payee, last[0].amount),
        (id(2), Msat::from_msat(6_000))
    );
}

#[tokio::test]
async fn each_payment_is_a_line_with_its_reason() {
    let stores = Stores::of(3);
    let spending = SpendingConfig {
        fee_share_permille: 1_000,
        ..unlimited()
    };
    let chain = three(spending, &stores).await;
    *chain.nodes[0].wallet.fee.lock().unwrap() = Msat::from_msat(7);
    pay(&chain, 3, Msat::from_msat(1_000)).await.unwrap();
    let sent = chain.mesh(0).send(id(3), b"x".to_vec(), options(1, false));
    let sent = sent.await.unwrap();
    let lines = stores.at(0).last_payments(9).await.unwrap();
    let of = |payee: u8, reason: &PaymentReason| {
        let found = lines
            .iter()
            .find(|line| line.payee == id(payee) && line.reason == *reason);
        found.map(|line| {
            (
                line.amount.to_msat(),
                line.fee.to_msat(),
                line.at,
                line.outcome,
            )
        })
    };
    let outcome = PaymentOutcome::Paid { at: START };
    assert_eq!(
        of(3, &PaymentReason::Manual),
        Some((1_000, 7, START, outcome))
    );
    let PaymentReason::Packet {
        route: way,
        sequence,
    } = &lines[0].reason
    else {
        panic!("{lines:?}")
    };
    assert_eq!(*way, route(&[1, 2, 3]));
    // The packet that was refused, and not the one that then arrived.
    assert!(*sequence < sent.sequence);
    assert!(chain.wires.sequences_from(id(1)).contains(sequence));
    assert_eq!(of(2, &lines[0].reason), Some((3_000, 7, START, outcome)));
    assert_eq!(lines.len(), 3);
}

const PATIENCE: Duration = Duration::from_secs(10);

/// How often a packet of the source was refused for want of payment.
async fn stalls(chain: &Chain) -> u64 {
    let mut stalls = 0;
    for relay in [1, 2] {
        let status = chain.mesh(relay).status().await;
        let refusals = status.refusals.get(&RefusalReason::PaymentRequired);
        stalls += refusals.copied().unwrap_or_default();
    }
    stalls
}

#[tokio::test]
async fn a_stream_of_packets_never_waits_for_a_payment_after_the_first() {
    let stores = Stores::of(3);
    let chain = three(unlimited(), &stores).await;
    let wallet = chain.nodes[0].wallet.clone();
    let send = async || {
        let sent = chain
            .mesh(0)
            .send(id(3), b"stream".to_vec(), options(10, true));
        sent.await.unwrap()
    };
    assert!(send().await.deposited > Msat::ZERO);
    let stalls_before = stalls(&chain).await;
    let gate = wallet.hold();
    let mut held_for = 0;
    for _ in 0..100 {
        assert_eq!(send().await.deposited, Msat::ZERO);
        held_for += u64::from(wallet.waiting.load(Ordering::SeqCst) > 0);
        // A payment takes as long as three packets.
        if held_for == 3 {
            held_for = 0;
            gate.add_permits(wallet.waiting.load(Ordering::SeqCst) as usize);
            while wallet.waiting.load(Ordering::SeqCst) > 0
                || !stores.at(0).kept_proofs().await.unwrap().is_empty()
            {
                tokio::task::yield_now().await;
            }
        }
    }
    assert_eq!(
        stalls(&chain).await,
        stalls_before,
        "none was refused for want of payment"
    );
    let lines = stores.at(0).last_payments(99).await.unwrap();
    let top_ups = lines
        .iter()
        .filter(|line| matches!(line.reason, PaymentReason::TopUp { .. }));
    assert_eq!(top_ups.count(), lines.len() - 2);
    assert_eq!(money(chain.mesh(1)).await.earned, Msat::from_msat(303_000));
}

#[tokio::test]
async fn packets_that_outrun_their_deposits_get_larger_ones_until_they_do_not() {
    let stores = Stores::of(3);
    let chain = three(unlimited(), &stores).await;
    let wallet = chain.nodes[0].wallet.clone();
    let send = || {
        let mesh = chain.mesh(0).clone();
        let sending = async move { mesh.send(id(2), b"x".to_vec(), options(4, true)).await };
        tokio::spawn(sending)
    };
    send().await.unwrap().unwrap();
    let gate = wallet.hold();
    let (mut stalled_at, mut held_for) = (Vec::new(), 0);
    for number in 0..300 {
        let sending = send();
        for _ in 0..500 {
            if !sending.is_finished() {
                tokio::task::yield_now().await;
            }
        }
        held_for += u64::from(wallet.waiting.load(Ordering::SeqCst) > 0);
        if !sending.is_finished() {
            stalled_at.push(number);
        }
        // A payment takes as long as ten packets, which four at a time do not cover.
        if held_for == 10 || !sending.is_finished() {
            held_for = 0;
            gate.add_permits(wallet.waiting.load(Ordering::SeqCst) as usize);
        }
        sending.await.unwrap().unwrap();
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    assert!(!stalled_at.is_empty(), "four at a time are too few");
    assert!(stalled_at.iter().all(|at| *at < 100), "{stalled_at:?}");
}

#[tokio::test]
async fn one_node_is_topped_up_once_at_a_time() {
    let stores = Stores::of(3);
    let chain = three(unlimited(), &stores).await;
    let wallet = chain.nodes[0].wallet.clone();
    let send = async || {
        let sent = chain
            .mesh(0)
            .send(id(2), b"stream".to_vec(), options(20, true));
        sent.await.unwrap()
    };
    send().await;
    let gate = wallet.hold();
    for _ in 0..15 {
        send().await;
    }
    while wallet.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..4 {
        send().await;
        assert_eq!(wallet.waiting.load(Ordering::SeqCst), 1);
    }
    gate.add_permits(1);
    // Credit is used up now: the next packet waits for that one, and pays for none of its own.
    assert_eq!(send().await.deposited, Msat::ZERO);
    assert_eq!(paid(&chain), 2);
}

#[tokio::test]
async fn top_ups_stay_within_the_callers_limit_and_those_of_the_day() {
    for (spending, caller) in [
        (
            SpendingConfig {
                per_day_msat: 12_000,
                ..unlimited()
            },
            Msat::MAX,
        ),
        (unlimited(), Msat::from_msat(12_000)),
    ] {
        let stores = Stores::of(3);
        let chain = three(spending, &stores).await;
        let thrifty = SendOptions {
            limit: caller,
            ..options(4, true)
        };
        // The relay alone is paid: 10,000 of fee, of which it gets all that the destination does not.
        let mut sent = 0;
        while sent < 30
            && chain
                .mesh(0)
                .send(id(2), b"s".to_vec(), thrifty.clone())
                .await
                .is_ok()
        {
            sent += 1;
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
        let lines = stores.at(0).last_payments(99).await.unwrap();
        let most = lines.iter().map(|line| line.amount.to_msat()).max();
        assert!(most <= Some(12_000), "{lines:?}");
        let sum: u64 = lines.iter().map(|line| line.amount.to_msat()).sum();
        if caller == Msat::MAX {
            assert!(sent < 30 && sum <= 12_000, "{sent} packets, {sum} msat");
        } else {
            assert!(sent == 30 && lines.len() > 2, "{sent} packets, {lines:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_its_limit_keeps_short_is_not_taken_for_one_that_outruns_its_deposits() {
    let stores = Stores::of(3);
    let chain = three(unlimited(), &stores).await;
    let thrifty = SendOptions {
        limit: Msat::from_msat(7_000),
        ..options(10, true)
    };
    for _ in 0..60 {
        // The first packet pays for itself, so that there is no room for a top-up behind it.
        chain.clock.advance(Duration::from_secs(31));
        let sent = chain.mesh(0).send(id(2), b"s".to_vec(), thrifty.clone());
        sent.await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    // Half of ten packets' worth, and what one more top-up may bring.
    let credit = money(chain.mesh(1)).await.credit;
    assert!(credit <= Msat::from_msat(22_000), "{credit}");
}

#[tokio::test]
async fn a_top_up_that_fails_is_not_tried_again_at_once() {
    let stores = Stores::of(3);
    let chain = three(unlimited(), &stores).await;
    let wallet = chain.nodes[0].wallet.clone();
    let send = async || {
        let sent = chain.mesh(0).send(id(2), b"s".to_vec(), options(20, true));
        sent.await.unwrap();
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    };
    send().await;
    *wallet.outcome.lock().unwrap() = Outcome::Failed;
    for _ in 0..18 {
        send().await;
    }
    let tries = async || stores.at(0).last_payments(99).await.unwrap().len();
    assert_eq!(tries().await, 2);
    chain.clock.advance(Duration::from_secs(31));
    send().await;
    assert_eq!(tries().await, 3);
}

#[tokio::test]
async fn credit_that_others_have_shown_meanwhile_is_asked_for_and_not_bought_again() {
    let stores = Stores::of(3);
    let chain = three(unlimited(), &stores).await;
    for (payee, amount) in [(2, 24_000), (3, 48_000)] {
        pay(&chain, payee, Msat::from_msat(amount)).await.unwrap();
    }
    // All of them hear that there is no credit, and all of them show the same proofs.
    let mut sending = JoinSet::new();
    for _ in 0..8 {
        let mesh = chain.mesh(0).clone();
        sending.spawn(async move { mesh.send(id(3), b"x".to_vec(), options(1, false)).await });
    }
    for sent in sending.join_all().await {
        sent.unwrap();
    }
    assert_eq!(paid(&chain), 2);
}
