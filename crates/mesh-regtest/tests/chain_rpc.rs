//! The client of Bitcoin nodes meets real blocks: one suite on the chain of this crate and on a real bitcoind, each with an
//! index of transactions and without.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

#[path = "chain_rpc/scene.rs"]
mod scene;
#[path = "chain_rpc/suite.rs"]
mod suite;
mod support;

use mesh_chain::{BitcoinRpc, OpenError};
use mesh_regtest::{Bitcoind, Regtest, RpcAccess};
use mesh_types::{ChainNode as _, Network};
use scene::{Kind, Scene, client, program};
use serde_json::json;

/// Makes a test of each function of the suite, for one kind of chain.
macro_rules! chain_tests {
    ($chain:ident, $kind:expr, $($name:ident),* $(,)?) => {
        mod $chain {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(scene) = Scene::enter($kind).await {
                        suite::$name(scene).await;
                    }
                }
            )*
        }
    };
    ($chain:ident, $kind:expr) => {
        chain_tests!($chain, $kind,
            an_output_is_seen_in_the_mempool_and_grows_deep,
            a_spent_output_is_not_there_to_be_spent,
            what_nobody_has_made_is_not_there,
            new_coins_are_told_from_others,
            a_transaction_grows_deep_and_loses_that_with_its_block,
            a_transaction_that_another_has_replaced_is_gone,
            a_transaction_whose_outputs_are_spent_is_still_told_as_far_as_it_can_be,
            a_transaction_is_sent_once_however_often_it_is_sent,
        );
    };
}

chain_tests!(ours, Kind::Ours);
chain_tests!(ours_without_index, Kind::OursWithoutIndex);
chain_tests!(bitcoind, Kind::Bitcoind);
chain_tests!(bitcoind_without_index, Kind::BitcoindWithoutIndex);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bitcoind_that_starts_again_is_found_with_its_new_cookie() {
    let Some(scene) = Scene::enter(Kind::Bitcoind).await else {
        return;
    };
    let node = scene.chain.node().unwrap();
    let before = node.access().password;
    suite::unknown_output_is_missing(&scene.client).await;
    node.restart().unwrap();
    assert_ne!(node.access().password, before);
    suite::unknown_output_is_missing(&scene.client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bitcoind_that_has_no_chain_yet_tells_nothing() {
    let Some(program) = program() else { return };
    let node = Bitcoind::start(&program, &["-chain=regtest"]).unwrap();
    let (client, _folder) = client(&node.access(), Some(node.cookie())).await;
    let said = client.output(suite::UNKNOWN).await.unwrap_err().to_string();
    assert!(said.contains("is still loading the chain"), "{said}");
}

/// As docs/chain.md has it, for a user of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calls_that_an_operator_is_told_to_allow_are_enough() {
    let Some(program) = program() else { return };
    let arguments = [
        "-txindex",
        "-rpcauth=mesh:6d657368$b7dd3983fde23390015dbe062a409bf8a22083a46c779774dafe091a9e377655",
        "-rpcwhitelist=mesh:getblockchaininfo,getindexinfo,gettxout,getrawtransaction,getmempoolentry,\
         getblockheader,getblockhash,sendrawtransaction",
        "-rpcwhitelistdefault=0",
    ];
    let chain = Regtest::bitcoind(&program, &arguments).unwrap();
    let access = RpcAccess {
        user: "mesh".to_owned(),
        password: "mesh-password".to_owned(),
        ..chain.access()
    };
    access.ask("stop", &json!([])).unwrap_err();
    let scene = Scene::on(Kind::Bitcoind, chain, &access).await;
    suite::a_transaction_grows_deep_and_loses_that_with_its_block(scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bitcoind_of_another_network_is_refused() {
    let Some(program) = program() else { return };
    let node = Bitcoind::start(&program, &["-chain=signet"]).unwrap();
    let config = scene::config(&node.access(), Some(node.cookie()));
    let error = BitcoinRpc::open(&config.0, Network::Regtest)
        .await
        .unwrap_err();
    assert!(matches!(error, OpenError::WrongNetwork { .. }), "{error}");
}
