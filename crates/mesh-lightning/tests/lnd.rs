//! LND's back end, against a double of its REST API.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

#[macro_use]
mod suite;
#[path = "lnd/double.rs"]
mod double;
#[path = "lnd/macaroons.rs"]
mod macaroons;
mod rest;
#[path = "lnd/settled.rs"]
mod settled_by_lnd;

use double::{LndPair, Trait};
use mesh_lightning::{LightningConfig, Lnd, LndConfig, OpenError, SecretFrom};
use mesh_types::{Incoming, LightningError, Network, Outgoing, to_hex};
use rest::{
    certificates::{own, signed},
    secret_file,
};
use suite::{
    AMOUNT, LIMITS, Pair as _, request,
    wallet::{Outcome, Payment, Stage, hash_of},
};

lightning_tests!(LndPair);
settled_tests!(LndPair);

/// The same settings with another macaroon.
fn with_macaroon(pair: &LndPair, content: &[u8]) -> LndConfig {
    let path = pair.folder().join("other.macaroon");
    secret_file(&path, content);
    LndConfig {
        macaroon: SecretFrom::File(path),
        ..pair.config().clone()
    }
}

async fn first_word(config: LndConfig) -> String {
    let opened = mesh_lightning::open(&LightningConfig::Lnd(config), Network::Regtest).await;
    opened.unwrap().info.unwrap_err().to_string()
}

#[tokio::test]
async fn a_held_payment_is_not_paid() {
    let pair = LndPair::with(&[]).await;
    pair.node().create_invoice(request(1)).await.unwrap();
    let hash = hash_of(&[1; 32]);
    pair.wallet().set_stage(&hash, Stage::Held);
    assert_eq!(pair.node().incoming(hash).await, Ok(Incoming::Held));
}

#[tokio::test]
async fn old_nodes_say_otherwise_that_there_is_no_invoice() {
    let pair = LndPair::with(&[Trait::OldNotFound]).await;
    let incoming = pair.node().incoming(hash_of(&[1; 32])).await;
    assert_eq!(incoming, Ok(Incoming::NotOurs));
}

#[tokio::test]
async fn a_payment_that_track_finds_late_is_not_paid_twice() {
    let pair = LndPair::with(&[Trait::TracksLate]).await;
    let (text, hash) = pair.wallet().stranger_invoice(5, AMOUNT);
    let paid = (Payment::Paid { fee: 7 }, AMOUNT.to_msat());
    pair.wallet().state().payments.insert(hash, paid);
    let paid = pair.node().pay_invoice(&text, LIMITS).await.unwrap();
    assert_eq!(paid.preimage, [5; 32]);
    assert_eq!(pair.wallet().state().paid, 0);
}

#[tokio::test]
async fn parts_under_way_are_not_the_end_of_a_payment() {
    let pair = LndPair::with(&[Trait::TellsOfParts]).await;
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.node().pay_invoice(&text, LIMITS).await.unwrap();
    pair.wallet().state().outcome = Outcome::Hangs;
    let (text, hash) = pair.wallet().stranger_invoice(6, AMOUNT);
    let unknown = pair.node().pay_invoice(&text, LIMITS).await;
    assert_fails!(unknown, Unknown);
    assert_eq!(pair.node().outgoing(hash).await, Ok(Outgoing::Pending));
}

#[tokio::test]
async fn a_node_that_stops_while_it_pays_leaves_it_unknown() {
    let pair = LndPair::with(&[Trait::Stops]).await;
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    let unknown = pair.node().pay_invoice(&text, LIMITS).await;
    assert_fails!(unknown, Unknown);
}

#[tokio::test]
async fn a_macaroon_of_another_node_is_said_to_be_one() {
    let pair = LndPair::with(&[Trait::OtherRootKey]).await;
    let refused = pair.node().info().await.unwrap_err();
    assert!(matches!(refused, LightningError::Refused(_)));
    assert!(
        refused.to_string().contains("lncli bakemacaroon"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_macaroon_that_may_not_pay_is_refused_and_nothing_is_unknown() {
    let pair = LndPair::with(&[Trait::MayNotPay]).await;
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    let refused = pair.node().pay_invoice(&text, LIMITS).await.unwrap_err();
    assert!(matches!(refused, LightningError::Refused(_)), "{refused}");
    assert!(refused.to_string().contains("offchain:write"), "{refused}");
}

#[tokio::test]
async fn a_macaroon_that_can_do_more_or_less_than_is_needed_is_warned_of() {
    let pair = LndPair::with(&[]).await;
    for (macaroon, word) in [
        (macaroons::right(), None),
        (macaroons::admin(), Some("as an admin macaroon can")),
        (macaroons::without_paying(), Some("lacks offchain:write")),
    ] {
        for content in [
            macaroon.clone(),
            format!("{}\n", to_hex(&macaroon)).into_bytes(),
        ] {
            let config = with_macaroon(&pair, &content);
            let (_, warning) = Lnd::open(&config, Network::Regtest).unwrap();
            match (word, warning) {
                (None, warning) => assert_eq!(warning, None),
                (Some(word), warning) => {
                    let warning = warning.unwrap();
                    assert!(warning.contains(word), "{warning}");
                    assert!(warning.contains("info:read invoices:read invoices:write"));
                    assert!(!warning.contains(&to_hex(&macaroon)));
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_macaroon_is_refused_and_not_repeated() {
    let pair = LndPair::with(&[]).await;
    let whole = macaroons::right();
    for content in [&b"hunter2 hunter2"[..], b"0201zz", b"\x02", &whole[..20]] {
        let config = with_macaroon(&pair, content);
        let error = Lnd::open(&config, Network::Regtest).unwrap_err();
        assert!(matches!(error, OpenError::Macaroon { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn another_certificate_is_not_believed() {
    let pair = LndPair::with(&[]).await;
    let other = pair.folder().join("other.cert");
    std::fs::write(&other, own().pem).unwrap();
    let config = LndConfig {
        tls_cert: other,
        ..pair.config().clone()
    };
    let error = first_word(config).await;
    assert!(
        error.contains("a certificate that is not believed"),
        "{error}"
    );
    assert_eq!(pair.wallet().state().asked.len(), 0);
}

#[tokio::test]
async fn a_certificate_that_the_pinned_one_signed_is_believed_for_its_name() {
    let pair = LndPair::behind(signed("127.0.0.1"), &[]).await;
    pair.node().info().await.unwrap();
    let pair = LndPair::behind(signed("example.org"), &[]).await;
    let error = pair.node().info().await.unwrap_err().to_string();
    assert!(
        error.contains("a certificate that is not believed"),
        "{error}"
    );
}

#[tokio::test]
async fn a_certificate_file_without_one_is_refused() {
    let pair = LndPair::with(&[]).await;
    let mut config = pair.config().clone();
    std::fs::write(&config.tls_cert, "-----BEGIN NOTHING-----").unwrap();
    let error = Lnd::open(&config, Network::Regtest).unwrap_err();
    assert!(matches!(error, OpenError::Certificate { .. }), "{error}");
    config.tls_cert = "/no/such/tls.cert".into();
    let error = Lnd::open(&config, Network::Regtest).unwrap_err();
    assert!(
        matches!(error, OpenError::CertificateFile { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_no_lnd_is_said_to_be_none() {
    let pair = LndPair::with(&[Trait::WebServer]).await;
    let error = pair.node().info().await.unwrap_err().to_string();
    assert!(error.contains("does not answer as LND does"), "{error}");
    let unknown = pair.node().incoming(hash_of(&[1; 32])).await;
    assert_fails!(unknown, Unreachable);
}

#[tokio::test]
async fn a_server_without_tls_is_said_to_have_none() {
    let pair = LndPair::with(&[]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = LndConfig {
        address: listener.local_addr().unwrap().to_string(),
        ..pair.config().clone()
    };
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let error = first_word(config).await;
    assert!(error.contains("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_locked_wallet_is_unreachable_until_it_is_unlocked() {
    let pair = LndPair::with(&[Trait::Locked]).await;
    let error = pair.node().info().await.unwrap_err();
    assert!(matches!(error, LightningError::Unreachable(_)));
    assert!(error.to_string().contains("lncli unlock"), "{error}");
}

#[test]
fn settings_hold_places_of_secrets() {
    let good = "backend = \"lnd\"\naddress = \"127.0.0.1:8080\"\ntls_cert = \"/a/tls.cert\"\n\
                macaroon = { file = \"/a/mesh.macaroon\" }";
    let config: LightningConfig = toml::from_str(good).unwrap();
    assert_eq!(config.backend(), "lnd");
    toml::from_str::<LightningConfig>(&good.replace("file", "env")).unwrap();
    toml::from_str::<LightningConfig>(&good.replace("file", "hex")).unwrap_err();
    toml::from_str::<LightningConfig>(&format!("{good}\npassword = \"x\"")).unwrap_err();
}
