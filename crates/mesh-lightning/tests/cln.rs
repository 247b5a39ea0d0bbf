//! Core Lightning's back end, against a double of its JSON-RPC.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

#[macro_use]
mod suite;
#[path = "cln/double.rs"]
mod double;

use double::{ClnPair, Trait};
use mesh_lightning::{ClnConfig, LightningConfig};
use mesh_types::{Incoming, Network, Outgoing};
use suite::{
    AMOUNT, LIMITS, Pair as _, request,
    wallet::{Payment, Stage, hash_of},
};

lightning_tests!(ClnPair);
settled_tests!(ClnPair);

#[tokio::test]
async fn a_node_without_pay_is_asked_to_xpay() {
    let pair = ClnPair::with(&[Trait::OnlyXpay]).await;
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    let paid = pair.node().pay_invoice(&text, LIMITS).await.unwrap();
    assert_eq!(paid.preimage, [5; 32]);
    assert_eq!(paid.fee.to_msat(), 7);
}

#[tokio::test]
async fn the_limits_reach_the_node() {
    let pair = ClnPair::with(&[]).await;
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.node().pay_invoice(&text, LIMITS).await.unwrap();
    let asked = pair.wallet().state().asked.clone();
    let pay = asked.iter().find(|text| text.contains("\"pay\"")).unwrap();
    assert!(pay.contains("\"maxfee\":500"), "{pay}");
    assert!(pay.contains("\"retry_for\":27"), "{pay}");
}

#[tokio::test]
async fn amounts_of_old_nodes_are_texts() {
    let pair = ClnPair::with(&[Trait::TextAmounts]).await;
    pair.node().create_invoice(request(1)).await.unwrap();
    let hash = hash_of(&[1; 32]);
    pair.wallet().set_stage(&hash, Stage::Paid);
    let settled = Ok(Incoming::Settled { amount: AMOUNT });
    assert_eq!(pair.node().incoming(hash).await, settled);
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    let paid = pair.node().pay_invoice(&text, LIMITS).await.unwrap();
    assert_eq!(paid.fee.to_msat(), 7);
}

#[tokio::test]
async fn of_several_attempts_the_paid_one_counts() {
    let pair = ClnPair::with(&[Trait::EarlierFailure]).await;
    let (_, hash) = pair.wallet().stranger_invoice(5, AMOUNT);
    assert_eq!(pair.node().outgoing(hash).await, Ok(Outgoing::NotPaid));
    let paid = (Payment::Paid { fee: 7 }, AMOUNT.to_msat());
    pair.wallet().state().payments.insert(hash, paid);
    let found = pair.node().outgoing(hash).await;
    assert!(matches!(found, Ok(Outgoing::Paid(_))), "{found:?}");
}

#[tokio::test]
async fn an_error_that_does_not_say_that_it_failed_is_unknown() {
    let pair = ClnPair::with(&[Trait::PluginDies]).await;
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    let unknown = pair.node().pay_invoice(&text, LIMITS).await;
    assert_fails!(unknown, Unknown);
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_named() {
    let mut pair = ClnPair::with(&[]).await;
    pair.stop().await;
    let error = pair.node().info().await.unwrap_err().to_string();
    assert!(error.contains("start lightningd"), "{error}");
    let missing = ClnConfig {
        socket: "/no/such/lightning-rpc".into(),
    };
    let opened = mesh_lightning::open(&LightningConfig::Cln(missing), Network::Regtest).await;
    let error = opened.unwrap().info.unwrap_err().to_string();
    assert!(
        error.contains("there is no socket /no/such/lightning-rpc"),
        "{error}"
    );
}

#[test]
fn settings_name_the_socket_and_nothing_else() {
    let good = "backend = \"cln\"\nsocket = \"/a/lightning-rpc\"";
    let config: LightningConfig = toml::from_str(good).unwrap();
    assert_eq!(config.backend(), "cln");
    let extra = format!("{good}\nrune = \"x\"");
    toml::from_str::<LightningConfig>(&extra).unwrap_err();
    toml::from_str::<LightningConfig>("backend = \"magic\"").unwrap_err();
}
