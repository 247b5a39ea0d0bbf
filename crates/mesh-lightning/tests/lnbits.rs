//! LNbits's back end, against a double of its API.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

#[macro_use]
mod suite;
#[path = "lnbits/double.rs"]
mod double;
mod rest;
#[path = "lnbits/settled.rs"]
mod settled_by_lnbits;

use double::{INVOICE_KEY, LnbitsPair, Trait};
use mesh_lightning::{LightningConfig, Lnbits, LnbitsConfig, OpenError, SecretFrom};
use mesh_types::{Incoming, LightningError, LightningNode as _, Msat, Network};
use rest::{certificates::own, secret_file};
use suite::{
    AMOUNT, LIMITS, Pair as _, request,
    wallet::{Fault, Op, Outcome, hash_of},
};

lightning_tests!(LnbitsPair);
settled_tests!(LnbitsPair);

/// The same server with another key.
fn with_key(pair: &LnbitsPair, key: &str) -> LnbitsConfig {
    let path = pair.folder().join("other");
    secret_file(&path, key.as_bytes());
    LnbitsConfig {
        key: SecretFrom::File(path),
        ..pair.config().clone()
    }
}

#[tokio::test]
async fn who_signs_is_asked_once() {
    let pair = LnbitsPair::with(&[]).await;
    for _ in 0..3 {
        pair.node().info().await.unwrap();
    }
    assert_eq!(pair.wallet().state().asked.len(), 1);
}

#[tokio::test]
async fn parts_of_a_satoshi_are_refused() {
    let pair = LnbitsPair::with(&[]).await;
    let mut odd = request(1);
    odd.amount = Msat::from_msat(21_001);
    let refused = pair.node().create_invoice(odd).await;
    assert_fails!(refused, Refused);
    assert_eq!(pair.wallet().state().asked.len(), 0);
}

#[tokio::test]
async fn old_servers_name_the_invoice_otherwise() {
    let pair = LnbitsPair::with(&[Trait::OldName]).await;
    pair.node().create_invoice(request(1)).await.unwrap();
}

#[tokio::test]
async fn a_payment_whose_fee_is_not_known_is_not_tried() {
    let pair = LnbitsPair::with(&[]).await;
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.wallet().breaks(Op::Fee, Fault::Truncated);
    let untried = pair.node().pay_invoice(&text, LIMITS).await;
    assert_fails!(untried, Unreachable);
    assert_eq!(pair.wallet().state().paid, 0);
}

#[tokio::test]
async fn a_fee_that_may_be_too_high_is_not_risked() {
    let pair = LnbitsPair::with(&[]).await;
    pair.wallet().state().outcome = Outcome::Pays { fee: 501 };
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    let failed = pair.node().pay_invoice(&text, LIMITS).await;
    assert_fails!(failed, PaymentFailed);
    assert_eq!(pair.wallet().state().paid, 0);
}

#[tokio::test]
async fn a_fee_beyond_what_was_named_is_told_as_it_is() {
    let pair = LnbitsPair::with(&[Trait::SpendsMore]).await;
    pair.wallet().state().outcome = Outcome::Pays { fee: 9_000 };
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    let paid = pair.node().pay_invoice(&text, LIMITS).await.unwrap();
    assert_eq!(paid.fee, Msat::from_msat(9_000));
}

#[tokio::test]
async fn an_invoice_key_receives_and_does_not_pay() {
    let pair = LnbitsPair::with(&[]).await;
    let node = Lnbits::open(&with_key(&pair, INVOICE_KEY), Network::Regtest).unwrap();
    node.create_invoice(request(1)).await.unwrap();
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    let refused = node.pay_invoice(&text, LIMITS).await.unwrap_err();
    assert!(matches!(refused, LightningError::Refused(_)), "{refused}");
    assert!(refused.to_string().contains("admin key"), "{refused}");
    assert_eq!(pair.wallet().state().paid, 0);
}

#[tokio::test]
async fn a_key_of_another_server_is_refused() {
    let pair = LnbitsPair::with(&[]).await;
    let other = "00000000000000000000000000000000";
    let node = Lnbits::open(&with_key(&pair, other), Network::Regtest).unwrap();
    let refused = node.info().await.unwrap_err();
    assert!(matches!(refused, LightningError::Refused(_)), "{refused}");
    assert!(
        refused.to_string().contains("does not take this key"),
        "{refused}"
    );
    let (text, hash) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.node().pay_invoice(&text, LIMITS).await.unwrap();
    let refused = node.outgoing(hash).await;
    assert_fails!(refused, Refused);
}

#[tokio::test]
async fn what_is_no_key_is_refused_and_not_repeated() {
    let pair = LnbitsPair::with(&[]).await;
    for key in ["hunter2 hunter2", "\n", "hunter2\r\nX-Admin: yes"] {
        let error = Lnbits::open(&with_key(&pair, key), Network::Regtest).unwrap_err();
        assert!(matches!(error, OpenError::Key { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_fault_while_paying_is_looked_for_and_found() {
    let pair = LnbitsPair::with(&[Trait::FaultWhilePaying]).await;
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    let paid = pair.node().pay_invoice(&text, LIMITS).await.unwrap();
    assert_eq!(paid.preimage, [5; 32]);
}

#[tokio::test]
async fn a_fault_of_the_server_is_no_answer() {
    let pair = LnbitsPair::with(&[Trait::Fault]).await;
    let hash = hash_of(&[1; 32]);
    let error = pair.node().incoming(hash).await.unwrap_err();
    assert!(matches!(error, LightningError::Unreachable(_)), "{error}");
    assert!(error.to_string().contains("HTTP 500"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_no_lnbits_is_said_to_be_none() {
    let pair = LnbitsPair::with(&[Trait::WebServer]).await;
    let error = pair.node().info().await.unwrap_err().to_string();
    assert!(error.contains("does not answer as LNbits does"), "{error}");
    let unknown = pair.node().incoming(hash_of(&[1; 32])).await;
    assert_ne!(unknown, Ok(Incoming::NotOurs));
}

#[tokio::test]
async fn a_certificate_of_its_own_has_to_be_named() {
    let certified = own();
    let pair = LnbitsPair::behind(Some(certified.acceptor), &[]).await;
    let error = pair.node().info().await.unwrap_err().to_string();
    assert!(error.contains("set `tls_cert`"), "{error}");
    let pem = pair.folder().join("own.pem");
    std::fs::write(&pem, certified.pem).unwrap();
    let config = LnbitsConfig {
        tls_cert: Some(pem),
        ..pair.config().clone()
    };
    let config = LightningConfig::Lnbits(config);
    let opened = mesh_lightning::open(&config, Network::Regtest)
        .await
        .unwrap();
    opened.info.unwrap();
    let opened = mesh_lightning::open(&config, Network::Signet).await;
    assert!(matches!(opened, Err(OpenError::WrongNetwork { .. })));
}

#[tokio::test]
async fn a_key_does_not_travel_in_clear() {
    let pair = LnbitsPair::with(&[]).await;
    let config = LnbitsConfig {
        url: "http://lnbits.example".to_owned(),
        ..pair.config().clone()
    };
    let error = Lnbits::open(&config, Network::Regtest).unwrap_err();
    assert!(matches!(error, OpenError::InClear { .. }), "{error}");
}

#[test]
fn settings_hold_places_of_secrets() {
    let good = "backend = \"lnbits\"\nurl = \"https://a\"\nkey = { env = \"LNBITS_KEY\" }";
    let config: LightningConfig = toml::from_str(good).unwrap();
    assert_eq!(config.backend(), "lnbits");
    toml::from_str::<LightningConfig>(&good.replace("{ env = \"LNBITS_KEY\" }", "\"d08a\""))
        .unwrap_err();
}
