//! A node that pays another one on the chain: it asks what to pay, is paid for by whatever wallet, and shows the payment.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::{
    MeshManager, OnChainDeposit, OnChainPayment, OnChainQuote, Refusal, SendOptions,
};
use mesh_protocol::ControlMessage;
use mesh_types::*;
use std::{num::NonZeroU32, sync::atomic::Ordering, time::Duration};
use support::{settling::*, store::Stores, *};

const AMOUNT: Msat = Msat::from_msat(2_000_000);
const PATIENCE: Duration = Duration::from_secs(10);

/// A payer, a relay that asks nothing, and a payee on the chain.
async fn scene(stores: &Stores) -> Chain {
    let payee = MeshConfig {
        on_chain: taking(),
        ..gated(DESTINATION_PRICE)
    };
    Chain::with_stores(vec![open(), open(), payee], stores.each()).await
}

fn blocks(chain: &Chain) -> &BlockChain {
    &chain.nodes[2].api.blocks
}

async fn quoted(chain: &Chain) -> OnChainQuote {
    let asked = chain
        .mesh(0)
        .request_on_chain_quote(id(3), AMOUNT, PATIENCE);
    asked.await.unwrap()
}

/// A payment of what was quoted, so deep in the payee's chain.
fn pay(chain: &Chain, quoted: &OnChainQuote, depth: u32) -> OnChainPayment {
    let (tx_hash, transaction, _) = settle(&quoted.quote, 1);
    blocks(chain).mine(tx_hash, &transaction, depth);
    OnChainPayment {
        quote: quoted.quote,
        tx_hash,
        amount: quoted.quote.amount,
    }
}

async fn shown(mesh: &MeshManager, payment: OnChainPayment) -> Result<OnChainDeposit, MeshError> {
    mesh.deposit_on_chain(payment, PATIENCE).await
}

fn waits(shown: Result<OnChainDeposit, MeshError>) -> String {
    match shown {
        Ok(OnChainDeposit::Waits { why }) => why,
        other => panic!("{other:?}"),
    }
}

async fn kept(stores: &Stores) -> usize {
    stores.at(0).kept_proofs().await.unwrap().len()
}

async fn credit(chain: &Chain) -> Msat {
    money(chain.mesh(2)).await.credit
}

#[tokio::test]
async fn a_far_node_says_what_has_to_be_paid_on_the_chain_for_credit_there() {
    let chain = scene(&Stores::of(3)).await;
    let asked = Msat::from_msat(1_500_001);
    let answer = chain.mesh(0).request_on_chain_quote(id(3), asked, PATIENCE);
    let OnChainQuote {
        quote,
        script_pubkey,
        network,
        least_depth,
    } = answer.await.unwrap();
    assert_eq!((quote.payer, quote.payee), (id(1), id(3)));
    assert_eq!(quote.amount, Msat::from_msat(1_501_000));
    let lifetime = Duration::from_secs(86_400);
    assert_eq!(quote.expires_at, START.plus(lifetime));
    assert_eq!(script_pubkey, our_script());
    assert_eq!((network, least_depth), (Network::Regtest, NonZeroU32::MIN));
}

#[tokio::test]
async fn a_node_that_takes_no_payments_on_the_chain_says_so() {
    let chain = scene(&Stores::of(3)).await;
    let asked = chain
        .mesh(0)
        .request_on_chain_quote(id(2), AMOUNT, PATIENCE);
    let error = asked.await.unwrap_err().to_string();
    assert!(error.contains("takes no payments on the chain"), "{error}");
}

#[tokio::test]
async fn what_no_node_quotes_is_not_asked_for() {
    let chain = scene(&Stores::of(3)).await;
    let (too_little, too_much) = (Msat::from_msat(999_000), Msat::from_msat(16_777_216_000));
    let amounts = [
        (Msat::ZERO, "is not paid on the chain"),
        (too_little, "is not paid on the chain"),
        (too_much, "is more than"),
        (Msat::MAX, "is more than"),
    ];
    for (amount, why) in amounts {
        let asked = chain
            .mesh(0)
            .request_on_chain_quote(id(3), amount, PATIENCE);
        let error = asked.await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(chain.mesh(2).quote_on_chain(id(1), amount).is_err());
    }
    assert!(chain.wires.sequences_from(id(1)).is_empty());
}

#[tokio::test]
async fn a_flood_of_questions_is_answered_with_busy_and_harms_nobody_else() {
    let chain = scene(&Stores::of(3)).await;
    let mut answers = 0;
    let refused = loop {
        let asked = chain
            .mesh(0)
            .request_on_chain_quote(id(3), AMOUNT, PATIENCE);
        match asked.await {
            Ok(_) => answers += 1,
            Err(error) => break error,
        }
        assert!(answers < 1_000);
    };
    assert!(matches!(refused, MeshError::Busy(_)), "{refused}");
    let other = chain
        .mesh(1)
        .request_on_chain_quote(id(3), AMOUNT, PATIENCE);
    other.await.unwrap();
}

/// What the payer makes of a payee that answers so instead of with a quote of its own.
async fn answered_with(chain: &Chain, answer: impl Fn(u64) -> ControlMessage) -> MeshError {
    let payer = chain.mesh(0).clone();
    let asking =
        tokio::spawn(async move { payer.request_on_chain_quote(id(3), AMOUNT, PATIENCE).await });
    while !asking.is_finished() {
        // Answers to what was not asked are refused.
        let _ = chain.answer_as(&[3, 2, 1], &answer).await;
        tokio::task::yield_now().await;
    }
    asking.await.unwrap().unwrap_err()
}

#[tokio::test]
async fn a_quote_that_buys_somebody_else_credit_or_cannot_be_what_was_asked_for_is_not_handed_out()
{
    let chain = scene(&Stores::of(3)).await;
    let offer = |payee: u8, payer: NodeId, amount: Msat, lifetime_secs: u64| {
        let quoter = mesh_payment::Quoter {
            payee: id(payee),
            key: quote_key(payee),
            lifetime: Duration::from_secs(lifetime_secs),
            price_epoch: 0,
        };
        quoter.offer(payer, amount, [5; 16], START).unwrap()
    };
    let good = offer(3, id(1), AMOUNT, 86_400).to_text();
    let text = |quote: mesh_payment::Quote| quote.to_text();
    let script = our_script().into_bytes();
    let anybody = [&[0x51, 2], [0x4e, 0x73].as_slice()].concat();
    let (regtest, once) = (Network::Regtest, 1);
    let lies = [
        (
            "another payer",
            text(offer(3, id(9), AMOUNT, 86_400)),
            script.clone(),
            regtest,
            once,
        ),
        (
            "by another node",
            text(offer(2, id(1), AMOUNT, 86_400)),
            script.clone(),
            regtest,
            once,
        ),
        (
            "another amount",
            text(offer(3, id(1), Msat::from_msat(2_001_000), 86_400)),
            script.clone(),
            regtest,
            once,
        ),
        (
            "too soon",
            text(offer(3, id(1), AMOUNT, 1_000)),
            script.clone(),
            regtest,
            once,
        ),
        ("too soon", good.clone(), script.clone(), regtest, 1_000),
        (
            "later than any",
            text(offer(3, id(1), AMOUNT, 700_000)),
            script.clone(),
            regtest,
            once,
        ),
        (
            "another network",
            good.clone(),
            script,
            Network::Bitcoin,
            once,
        ),
        ("no address", good.clone(), vec![0x6a], regtest, once),
        ("no address", good, anybody, regtest, once),
        (
            "no quote",
            "coffee".to_owned(),
            our_script().into_bytes(),
            regtest,
            once,
        ),
    ];
    // The payee's own answer never comes.
    chain.wires.drop_to("node-3");
    for (why, id, script_pubkey, network, depth) in lies {
        let error = answered_with(&chain, |sequence| ControlMessage::OnChainQuote {
            sequence,
            network,
            least_depth: NonZeroU32::new(depth).unwrap(),
            script_pubkey: script_pubkey.clone(),
            payment_request_id: id.clone(),
        });
        let error = error.await;
        let is_told = matches!(error, MeshError::PaymentVerificationFailed(_));
        assert!(is_told && error.to_string().contains(why), "{why}: {error}");
    }
}

#[tokio::test]
async fn a_relay_cannot_have_itself_paid_in_place_of_the_node_that_was_asked() {
    let chain = scene(&Stores::of(3)).await;
    chain.wires.drop_to("node-3");
    let quoter = mesh_payment::Quoter {
        payee: id(3),
        key: quote_key(2),
        lifetime: Duration::from_secs(86_400),
        price_epoch: 0,
    };
    let quote = quoter.offer(id(1), AMOUNT, [5; 16], START).unwrap();
    let payer = chain.mesh(0).clone();
    let asking =
        tokio::spawn(async move { payer.request_on_chain_quote(id(3), AMOUNT, PATIENCE).await });
    let mut answers = 0;
    while answers < 5 {
        let answer = |sequence| ControlMessage::OnChainQuote {
            sequence,
            network: Network::Regtest,
            least_depth: NonZeroU32::MIN,
            script_pubkey: our_script().into_bytes(),
            payment_request_id: quote.to_text(),
        };
        for heard in chain.answer_as(&[2, 1], answer).await {
            assert_eq!(heard, Err(Refusal::Unasked));
            answers += 1;
        }
        tokio::task::yield_now().await;
    }
    assert!(!asking.is_finished());
    asking.abort();
}

#[tokio::test]
async fn a_payment_is_kept_until_it_is_deep_and_then_it_is_credit_that_carries_packets() {
    let stores = Stores::of(3);
    let chain = scene(&stores).await;
    let quoted = quoted(&chain).await;
    let payment = pay(&chain, &quoted, 0);
    let why = waits(shown(chain.mesh(0), payment).await);
    assert!(why.contains("not deep enough"), "{why}");
    assert_eq!(chain.mesh(0).status().await.uncredited, 1);
    assert_eq!((kept(&stores).await, credit(&chain).await), (1, Msat::ZERO));

    pay(&chain, &quoted, 1);
    chain.mesh(0).show_payments().await;
    assert_eq!((kept(&stores).await, credit(&chain).await), (0, AMOUNT));
    let again = shown(chain.mesh(0), payment).await.unwrap();
    assert_eq!(again, OnChainDeposit::Credited { credit: AMOUNT });
    assert_eq!((kept(&stores).await, credit(&chain).await), (0, AMOUNT));

    let options = SendOptions::default();
    let sent = chain.mesh(0).send(id(3), b"paid".to_vec(), options);
    sent.await.unwrap();
    let left = Msat::from_msat(AMOUNT.to_msat() - DESTINATION_PRICE.to_msat());
    assert_eq!(credit(&chain).await, left);
    assert!(chain.nodes[0].wallet.paid.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_payment_that_waits_is_shown_by_itself_in_the_payers_next_life() {
    let stores = Stores::of(3);
    let chain = scene(&stores).await;
    let quoted = quoted(&chain).await;
    // Nobody hears of it in this life.
    chain.wires.drop_to("node-2");
    let quick = Duration::from_millis(50);
    let payment = pay(&chain, &quoted, 1);
    let shown = chain.mesh(0).deposit_on_chain(payment, quick).await;
    assert!(waits(shown).contains("no answer"));
    drop(chain);
    assert_eq!(kept(&stores).await, 1);

    let chain = scene(&stores).await;
    pay(&chain, &quoted, 1);
    while kept(&stores).await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(credit(&chain).await, AMOUNT);
}

#[tokio::test]
async fn a_payee_that_is_busy_is_shown_the_payment_again() {
    let stores = Stores::of(3);
    let chain = scene(&stores).await;
    let quoted = quoted(&chain).await;
    let payment = pay(&chain, &quoted, 1);
    blocks(&chain).is_away.store(true, Ordering::SeqCst);
    let why = waits(shown(chain.mesh(0), payment).await);
    assert!(why.contains("busy"), "{why}");
    blocks(&chain).is_away.store(false, Ordering::SeqCst);
    chain.mesh(0).show_payments().await;
    assert_eq!((kept(&stores).await, credit(&chain).await), (0, AMOUNT));
}

#[tokio::test]
async fn a_wrong_transaction_is_refused_with_a_sentence_and_not_kept() {
    let stores = Stores::of(3);
    let chain = scene(&stores).await;
    let quoted = quoted(&chain).await;
    // It pays the payee as much, and for something else.
    let other = transaction(2, vec![output(2_000, our_script())]);
    let tx_hash = hash_of(&other);
    blocks(&chain).mine(tx_hash, &other, 9);
    let payment = OnChainPayment {
        quote: quoted.quote,
        tx_hash,
        amount: quoted.quote.amount,
    };
    let error = shown(chain.mesh(0), payment).await.unwrap_err().to_string();
    let named = payment.tx_hash.to_string();
    assert!(
        error.contains("does not take the proof") && error.contains(&named),
        "{error}"
    );
    assert_eq!(kept(&stores).await, 0);
    let less = OnChainPayment {
        amount: Msat::from_msat(1_999_000),
        ..payment
    };
    assert!(shown(chain.mesh(0), less).await.is_err());
    assert_eq!(kept(&stores).await, 0);
}

#[tokio::test]
async fn nobody_is_credited_with_what_somebody_else_has_paid() {
    let stores = Stores::of(3);
    let chain = scene(&stores).await;
    let payers = quoted(&chain).await;
    let payment = pay(&chain, &payers, 1);
    // The relay has seen the payment, and shows it as its own: with the payer's quote, and with one of its own.
    let thief = chain.mesh(1);
    let error = shown(thief, payment).await.unwrap_err().to_string();
    assert!(error.contains("for the credit of"), "{error}");
    let own = thief.request_on_chain_quote(id(3), AMOUNT, PATIENCE);
    let stolen = OnChainPayment {
        quote: own.await.unwrap().quote,
        ..payment
    };
    let error = shown(thief, stolen).await.unwrap_err().to_string();
    assert!(error.contains("does not pay this quote"), "{error}");
    assert_eq!(credit(&chain).await, Msat::ZERO);
    let credited = shown(chain.mesh(0), payment).await.unwrap();
    assert_eq!(credited, OnChainDeposit::Credited { credit: AMOUNT });
}

#[tokio::test]
async fn a_payment_that_waits_holds_up_no_packet_that_is_paid_otherwise() {
    let stores = Stores::of(3);
    let chain = scene(&stores).await;
    let quoted = quoted(&chain).await;
    let payment = pay(&chain, &quoted, 0);
    waits(shown(chain.mesh(0), payment).await);
    let options = SendOptions::default();
    let sent = chain.mesh(0).send(id(3), b"paid".to_vec(), options);
    sent.await.unwrap();
    assert_eq!(chain.nodes[0].wallet.paid.lock().unwrap().len(), 1);
    assert_eq!(kept(&stores).await, 1);
}

#[tokio::test]
async fn a_payment_that_a_change_of_the_chain_has_undone_is_shown_until_it_is_back() {
    let stores = Stores::of(3);
    let chain = scene(&stores).await;
    let quoted = quoted(&chain).await;
    let payment = pay(&chain, &quoted, 0);
    waits(shown(chain.mesh(0), payment).await);
    blocks(&chain).undo(payment.tx_hash);
    chain.mesh(0).show_payments().await;
    assert_eq!((kept(&stores).await, credit(&chain).await), (1, Msat::ZERO));
    pay(&chain, &quoted, 1);
    chain.mesh(0).show_payments().await;
    assert_eq!((kept(&stores).await, credit(&chain).await), (0, AMOUNT));
}

#[tokio::test]
async fn a_proof_that_turns_out_not_to_hold_is_given_up() {
    let stores = Stores::of(3);
    let chain = scene(&stores).await;
    let quoted = quoted(&chain).await;
    let outputs = vec![output(1_999, our_script())];
    let transaction = transaction(3, outputs);
    let payment = OnChainPayment {
        quote: quoted.quote,
        tx_hash: hash_of(&transaction),
        amount: AMOUNT,
    };
    waits(shown(chain.mesh(0), payment).await);
    blocks(&chain).mine(payment.tx_hash, &transaction, 1);
    assert_eq!(kept(&stores).await, 1);
    chain.mesh(0).show_payments().await;
    assert_eq!((kept(&stores).await, credit(&chain).await), (0, Msat::ZERO));
}

#[tokio::test]
async fn a_payment_is_shown_no_longer_than_its_quote_is_good() {
    let stores = Stores::of(3);
    let chain = scene(&stores).await;
    let quoted = quoted(&chain).await;
    let payment = pay(&chain, &quoted, 0);
    waits(shown(chain.mesh(0), payment).await);
    chain.clock.advance(Duration::from_secs(86_400 + 121));
    chain.mesh(0).show_payments().await;
    assert_eq!(kept(&stores).await, 0);
    let error = shown(chain.mesh(0), payment).await.unwrap_err().to_string();
    assert!(error.contains("the quote is over"), "{error}");
}

#[tokio::test]
async fn what_was_paid_above_the_quote_is_credited_too() {
    let chain = scene(&Stores::of(3)).await;
    let quoted = quoted(&chain).await;
    let outputs = vec![
        output(2_500, our_script()),
        output(0, quoted.quote.named_on_chain()),
    ];
    let transaction = transaction(1, outputs);
    let tx_hash = hash_of(&transaction);
    blocks(&chain).mine(tx_hash, &transaction, 1);
    let payment = |amount| OnChainPayment {
        quote: quoted.quote,
        tx_hash,
        amount,
    };
    assert!(shown(chain.mesh(0), payment(AMOUNT)).await.is_err());
    let paid = Msat::from_msat(2_500_000);
    let credited = shown(chain.mesh(0), payment(paid)).await.unwrap();
    assert_eq!(credited, OnChainDeposit::Credited { credit: paid });
}
