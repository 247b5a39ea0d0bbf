use super::{
    AMOUNT, Pair, request,
    wallet::{Stage, hash_of},
};
use crate::assert_fails;
use lightning_invoice::Bolt11Invoice;
use mesh_lightning::OpenError;
use mesh_types::{Incoming, LightningError, Msat, Network};
use std::time::Duration;

fn payment_hash(text: &str) -> [u8; 32] {
    let invoice: Bolt11Invoice = text.parse().unwrap();
    *invoice.payment_hash().as_ref()
}

pub(crate) async fn says_who_signs_and_on_which_network(pair: impl Pair) {
    let info = pair.node().info().await.unwrap();
    assert_eq!(info.payee_key, pair.wallet().payee_key());
    assert_eq!(info.network, Network::Regtest);
    assert_eq!(info.takes_preimages, pair.takes_preimages());
    assert_eq!(info.is_shared, !pair.takes_preimages());
}

pub(crate) async fn issues_an_invoice_that_reads_as_asked(pair: impl Pair) {
    let text = pair.node().create_invoice(request(1)).await.unwrap();
    let invoice: Bolt11Invoice = text.parse().unwrap();
    assert_eq!(invoice.amount_milli_satoshis(), Some(AMOUNT.to_msat()));
    assert_eq!(invoice.expiry_time(), Duration::from_secs(600));
    assert_eq!(invoice.description().to_string(), "mesh: 21 packets");
    let key = invoice.get_payee_pub_key().serialize();
    assert_eq!(key, pair.wallet().payee_key());
    let is_ours = payment_hash(&text) == hash_of(&[1; 32]);
    assert_eq!(is_ours, pair.takes_preimages());
}

pub(crate) async fn an_invoice_for_nothing_is_refused(pair: impl Pair) {
    let mut nothing = request(1);
    nothing.amount = Msat::ZERO;
    let refused = pair.node().create_invoice(nothing).await;
    assert_fails!(refused, Refused);
    let mut short = request(1);
    short.expiry = Duration::from_millis(900);
    let refused = pair.node().create_invoice(short).await;
    assert_fails!(refused, Refused);
    assert!(pair.wallet().state().invoices.is_empty());
}

pub(crate) async fn an_invoice_for_less_than_asked_is_not_handed_on(pair: impl Pair) {
    pair.wallet().state().cheats = true;
    let refused = pair.node().create_invoice(request(1)).await;
    let Err(LightningError::Refused(why)) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("another amount"), "{why}");
}

pub(crate) async fn a_repeated_request_finds_the_invoice_again(pair: impl Pair) {
    let first = pair.node().create_invoice(request(1)).await.unwrap();
    let again = pair.node().create_invoice(request(1)).await.unwrap();
    if !pair.takes_preimages() {
        assert_ne!(payment_hash(&first), payment_hash(&again));
        return;
    }
    assert_eq!(first, again);
    assert_eq!(pair.wallet().state().invoices.len(), 1);
    let mut dearer = request(1);
    dearer.amount = Msat::from_msat(22_000);
    let refused = pair.node().create_invoice(dearer).await;
    assert_fails!(refused, Refused);
}

pub(crate) async fn what_is_not_its_own_is_not_ours(pair: impl Pair) {
    let incoming = pair.node().incoming(hash_of(&[1; 32])).await;
    assert_eq!(incoming, Ok(Incoming::NotOurs));
    let (text, hash) = pair.wallet().stranger_invoice(2, AMOUNT);
    pair.node().pay_invoice(&text, super::LIMITS).await.unwrap();
    assert_eq!(pair.node().incoming(hash).await, Ok(Incoming::NotOurs));
}

pub(crate) async fn an_invoice_is_unpaid_until_it_is_settled(pair: impl Pair) {
    let text = pair.node().create_invoice(request(1)).await.unwrap();
    let hash = payment_hash(&text);
    assert_eq!(pair.node().incoming(hash).await, Ok(Incoming::Unpaid));
    pair.wallet().set_stage(&hash, Stage::Over);
    assert_eq!(pair.node().incoming(hash).await, Ok(Incoming::Unpaid));
    pair.wallet().set_stage(&hash, Stage::Paid);
    let settled = Ok(Incoming::Settled { amount: AMOUNT });
    assert_eq!(pair.node().incoming(hash).await, settled);
}

pub(crate) async fn an_expired_invoice_is_not_given_again(pair: impl Pair) {
    if !pair.takes_preimages() {
        return;
    }
    pair.node().create_invoice(request(1)).await.unwrap();
    pair.wallet().set_stage(&hash_of(&[1; 32]), Stage::Over);
    let refused = pair.node().create_invoice(request(1)).await;
    let Err(LightningError::Refused(why)) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("expired"), "{why}");
}

pub(crate) async fn a_wallet_of_another_network_is_not_opened(pair: impl Pair) {
    let settings = pair.settings();
    let opened = mesh_lightning::open(&settings, Network::Regtest).await;
    opened.unwrap().info.unwrap();
    let opened = mesh_lightning::open(&settings, Network::Signet).await;
    assert!(matches!(
        opened,
        Err(OpenError::WrongNetwork {
            expected: Network::Signet,
            found: Network::Regtest
        })
    ));
}
