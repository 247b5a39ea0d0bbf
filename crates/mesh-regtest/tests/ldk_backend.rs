//! The LDK back end on a chain: three of its nodes in a line, whose payments are real but for the money.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

#[path = "ldk_backend/line.rs"]
mod line;
#[path = "ldk_backend/raw.rs"]
mod raw;

use lightning_invoice::Bolt11Invoice;
use line::{DEADLINE, Ground, LIMITS, Line, ROUTING_FEE, request, until};
use mesh_lightning::{ChainConfig, OpenChannel, OpenError};
use mesh_types::{
    Incoming, LightningError, LightningNode as _, Msat, Network, Outgoing, PaidInvoice, PayLimits,
    SettledInvoice,
};
use raw::Raw;
use std::time::Duration;

const AMOUNT: Msat = Msat::from_msat(21_000);
const SETTLED: Incoming = Incoming::Settled { amount: AMOUNT };
const HASTE: PayLimits = PayLimits {
    patience: Duration::from_secs(2),
    ..LIMITS
};

fn hash_of(invoice: &str) -> [u8; 32] {
    let invoice: Bolt11Invoice = invoice.parse().unwrap();
    *invoice.payment_hash().as_ref()
}

fn places(settled: &[SettledInvoice]) -> Vec<u64> {
    settled.iter().map(|settled| settled.place).collect()
}

const fn paid(number: u8) -> PaidInvoice {
    PaidInvoice {
        preimage: [number; 32],
        fee: ROUTING_FEE,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_over_a_relay_settles_once_with_our_preimage_and_its_fee() {
    let mut line = Line::new().await;
    let info = line.payee.info().await.unwrap();
    let before = line.payer.status().await.unwrap().in_channels_sats;
    let text = line.payee.create_invoice(request(1)).await.unwrap();
    let (hash, invoice) = (hash_of(&text), text.parse::<Bolt11Invoice>().unwrap());
    assert_eq!(invoice.get_payee_pub_key().serialize(), info.payee_key);
    assert_eq!(invoice.description().to_string(), "quote 1");
    assert_eq!(invoice.expiry_time(), Duration::from_secs(600));
    let again = line.payee.create_invoice(request(1)).await;
    assert_eq!(again.as_ref(), Ok(&text), "a repeated request");
    assert_eq!(line.payee.incoming(hash).await, Ok(Incoming::Unpaid));
    assert_eq!(line.payer.outgoing(hash).await, Ok(Outgoing::NotPaid));

    let waiting = line.payee.settled_behind(0, DEADLINE);
    let (made, settled) = tokio::join!(line.payer.pay_invoice(&text, LIMITS), waiting);
    assert_eq!(made, Ok(paid(1)));
    let expected = SettledInvoice {
        payment_hash: hash,
        description: "quote 1".to_owned(),
        amount: AMOUNT,
        place: 1,
    };
    assert_eq!(settled, Ok(vec![expected.clone()]));
    assert_eq!(line.payee.incoming(hash).await, Ok(SETTLED));

    for _ in 0..2 {
        assert_eq!(line.payer.pay_invoice(&text, LIMITS).await, Ok(paid(1)));
        line.restart_payer().await;
    }
    // 21 satoshi and the fee of one; a second payment would have taken as much again.
    until("the balance is right", async || {
        let status = line.payer.status().await.unwrap();
        (status.in_channels_sats == before.saturating_sub(22)).then_some(())
    })
    .await;
    line.restart_payee().await;
    assert_eq!(line.payee.create_invoice(request(1)).await, Ok(text));
    assert_eq!(line.payee.incoming(hash).await, Ok(SETTLED));
    let none = Duration::ZERO;
    let settled = line.payee.settled_behind(0, none).await;
    assert_eq!(settled, Ok(vec![expected]));
    assert_eq!(line.payee.settled_behind(1, none).await, Ok(vec![]));
    assert_eq!(line.payer.incoming(hash).await, Ok(Incoming::NotOurs));
    line.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_costs_more_than_allowed_or_comes_too_late_is_not_paid() {
    let line = Line::new().await;
    let text = line.payee.create_invoice(request(1)).await.unwrap();
    let stingy = PayLimits {
        max_fee: Msat::from_msat(ROUTING_FEE.to_msat() - 1),
        ..LIMITS
    };
    let failed = line.payer.pay_invoice(&text, stingy).await;
    assert!(
        matches!(failed, Err(LightningError::PaymentFailed(_))),
        "{failed:?}"
    );
    assert_eq!(
        line.payer.outgoing(hash_of(&text)).await,
        Ok(Outgoing::NotPaid)
    );
    assert_eq!(line.payer.pay_invoice(&text, LIMITS).await, Ok(paid(1)));

    let mut short = request(2);
    short.expiry = Duration::from_secs(1);
    let text = line.payee.create_invoice(short.clone()).await.unwrap();
    let invoice: Bolt11Invoice = text.parse().unwrap();
    until("the invoice expires", async || {
        invoice.is_expired().then_some(())
    })
    .await;
    let failed = line.payer.pay_invoice(&text, LIMITS).await;
    assert!(
        matches!(failed, Err(LightningError::PaymentFailed(_))),
        "{failed:?}"
    );
    assert_eq!(
        line.payee.incoming(hash_of(&text)).await,
        Ok(Incoming::Unpaid)
    );
    let refused = line.payee.create_invoice(short).await;
    assert!(
        matches!(refused, Err(LightningError::Refused(_))),
        "{refused:?}"
    );
    // The next request sweeps what has expired.
    line.payee.create_invoice(request(3)).await.unwrap();
    assert_eq!(
        line.payee.incoming(hash_of(&text)).await,
        Ok(Incoming::NotOurs)
    );

    let mut dear = request(4);
    dear.amount = Msat::from_msat(900_000_000);
    let text = line.payee.create_invoice(dear).await.unwrap();
    let failed = line.payer.pay_invoice(&text, LIMITS).await;
    assert!(
        matches!(failed, Err(LightningError::PaymentFailed(_))),
        "{failed:?}"
    );
    line.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_survives_the_restart_of_its_payer_and_of_a_payee_that_has_not_claimed_it() {
    let mut line = Line::new().await;
    let text = line.payee.create_invoice(request(1)).await.unwrap();
    let hash = hash_of(&text);
    line.payee.close().await;
    let raw = Raw::open(&line.c).await;
    let paying = line.payer.pay_invoice(&text, HASTE);
    let (unknown, ()) = tokio::join!(paying, raw.expect_claimable(hash));
    assert!(
        matches!(unknown, Err(LightningError::Unknown(_))),
        "{unknown:?}"
    );

    line.restart_payer().await;
    assert_eq!(line.payer.outgoing(hash).await, Ok(Outgoing::Pending));
    let unknown = line.payer.pay_invoice(&text, HASTE).await;
    assert!(
        matches!(unknown, Err(LightningError::Unknown(_))),
        "{unknown:?}"
    );

    // It stops with the event not acknowledged, and the payment not claimed.
    raw.stop().await;
    line.payee = line.c.open().await;
    let settled = line.payee.settled_behind(0, DEADLINE).await.unwrap();
    assert_eq!(places(&settled), [1]);
    assert_eq!(line.payee.incoming(hash).await, Ok(SETTLED));
    let outgoing = until("the payer knows", async || {
        let outgoing = line.payer.outgoing(hash).await.unwrap();
        (outgoing != Outgoing::Pending).then_some(outgoing)
    });
    assert_eq!(outgoing.await, Outgoing::Paid(paid(1)));
    assert_eq!(line.payer.pay_invoice(&text, LIMITS).await, Ok(paid(1)));
    line.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_settled_invoice_is_told_of_once_over_restarts_and_crashes() {
    let mut line = Line::new().await;
    for number in 1..=6 {
        let text = line.payee.create_invoice(request(number)).await.unwrap();
        match number {
            // Settled, and stopped before that was noted.
            2 | 5 => {
                line.payee.close().await;
                let raw = Raw::open(&line.c).await;
                let hash = hash_of(&text);
                let claiming = async {
                    raw.expect_claimable(hash).await;
                    raw.claim([number; 32], hash, AMOUNT.to_msat()).await;
                };
                let (made, ()) = tokio::join!(line.payer.pay_invoice(&text, LIMITS), claiming);
                assert_eq!(made, Ok(paid(number)));
                raw.stop().await;
                line.payee = line.c.open().await;
            }
            // Stopped in good order, in the middle of nothing.
            3 => {
                line.payer.pay_invoice(&text, LIMITS).await.unwrap();
                line.restart_payee().await;
            }
            _ => {
                line.payer.pay_invoice(&text, LIMITS).await.unwrap();
            }
        }
        let settled = line.payee.settled_behind(u64::from(number) - 1, DEADLINE);
        let settled = settled.await.unwrap();
        assert_eq!(places(&settled), [u64::from(number)]);
        assert_eq!(settled[0].payment_hash, hash_of(&text));
    }
    let all = line.payee.settled_behind(0, Duration::ZERO).await.unwrap();
    assert_eq!(places(&all), [1, 2, 3, 4, 5, 6]);
    let described = all.iter().map(|settled| settled.description.as_str());
    assert!(described.eq((1..=6).map(|number| format!("quote {number}"))));
    line.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_are_opened_listed_and_closed() {
    let line = Line::new().await;
    let status = line.relay.status().await.unwrap();
    assert_eq!(status.channels.len(), 2);
    assert_eq!(status.alias.as_deref(), Some("b"));
    assert!(status.channels.iter().all(|channel| channel.is_announced));
    assert_eq!(status.height, line.ground.chain.height().unwrap());
    let mine = line.payer.status().await.unwrap();
    assert!(
        mine.in_channels_sats > 490_000 && mine.on_chain_sats < 501_000,
        "{mine:?}"
    );
    let refused = line.payer.close_channel("00112233", false).await;
    assert!(
        matches!(refused, Err(LightningError::Refused(_))),
        "{refused:?}"
    );
    let greedy = OpenChannel {
        peer: status.node_id,
        address: status.listening[0].clone(),
        amount_sats: 100_000_000,
        push_sats: 0,
        is_private: true,
    };
    let refused = line.payer.open_channel(greedy).await.unwrap_err();
    assert!(
        refused.to_string().contains("sats on the chain"),
        "{refused}"
    );
    let id = mesh_types::to_hex(&mine.channels[0].id);
    line.payer.close_channel(&id[..16], false).await.unwrap();
    until("the channel is closed", async || {
        let status = line.payer.status().await.unwrap();
        status.channels.is_empty().then_some(())
    })
    .await;
    line.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_at_the_start() {
    let ground = Ground::new();
    let place = ground.place("a");
    let node = place.open().await;
    let second = place.try_open().await.unwrap_err();
    assert!(matches!(second, OpenError::FolderInUse { .. }), "{second}");
    let mut there = ground.place("b");
    there.config.listening_addresses = vec![place.address()];
    let taken = there.try_open().await.unwrap_err();
    assert!(taken.to_string().contains("cannot listen at"), "{taken}");
    node.close().await;
    let stopped = node.info().await;
    assert!(
        matches!(stopped, Err(LightningError::Unreachable(_))),
        "{stopped:?}"
    );

    let mut wrong = ground.place("c");
    let ChainConfig::Bitcoind(bitcoind) = &mut wrong.config.chain else {
        panic!("no Bitcoin node");
    };
    bitcoind.user = Some("mallory".to_owned());
    let error = wrong.try_open().await.unwrap_err().to_string();
    assert!(
        error.contains("does not take this user and password"),
        "{error}"
    );
    let ChainConfig::Bitcoind(bitcoind) = &mut wrong.config.chain else {
        panic!("no Bitcoin node");
    };
    bitcoind.address = "127.0.0.1:1".to_owned();
    let error = wrong.try_open().await.unwrap_err().to_string();
    assert!(error.contains("no Bitcoin node at 127.0.0.1:1"), "{error}");

    let signet = mesh_lightning::Ldk::open(&place.config, Network::Signet).await;
    let error = signet.map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("is regtest, and this node is on signet"),
        "{error}"
    );
    // And it still starts where it did.
    place.open().await.close().await;
}
