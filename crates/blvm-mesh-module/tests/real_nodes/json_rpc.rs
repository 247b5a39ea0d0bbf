//! The mesh beside a real blvm-node, which it asks over JSON-RPC as any Bitcoin node.

use crate::{
    on_chain::{count_at_depth, mine, our_script, settings_on_chain, settle},
    payer::{PAID, Payer, WhyNot},
    program,
    wallet::{Wallet, broadcast, mine_with},
};
use blvm_mesh::{
    ChainNode as _, ChainOutput, Network, OutPoint, TxHash,
    bitcoin::{Amount, Transaction, TxOut, Txid, consensus::serialize, hashes::Hash as _},
};
use blvm_mesh_module::regtest::{DEADLINE, RPC_PASSWORD, RPC_USER, RealHome, RealNode, Settings};
use blvm_mesh_node::{
    Brought, NodeConfig, Service, Unwatched,
    control::{Answer, Client, MoneyReport, Request},
};
use mesh_chain::{BitcoinRpc, ChainConfig, OpenError, SecretFrom};
use serde_json::json;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// A transaction that nobody has made.
const UNKNOWN: TxHash = TxHash::from_bytes([7; 32]);

/// A blvm-node with blocks, and a client that asks it.
struct Scene {
    node: RealNode,
    wallet: Wallet,
    config: ChainConfig,
    client: BitcoinRpc,
}

impl Scene {
    /// A client that has seen nothing yet.
    fn stranger(&self) -> BitcoinRpc {
        BitcoinRpc::new(&self.config, Network::Regtest).unwrap()
    }

    async fn output(&self, transaction: &Transaction, index: u32) -> ChainOutput {
        let tx_hash = hash(transaction);
        let outpoint = OutPoint { tx_hash, index };
        self.client.output(outpoint).await.unwrap()
    }

    /// How deep a transaction is said to be, with its own bytes.
    async fn depth(&self, transaction: &Transaction) -> Option<u32> {
        let found = self.client.transaction(hash(transaction)).await.unwrap()?;
        assert_eq!(found.bytes, serialize(transaction));
        Some(found.depth)
    }

    /// A transaction with one output of ours, and one that goes back to the wallet.
    fn payment(&mut self) -> Transaction {
        self.wallet.pay(&[coin()])
    }
}

fn coin() -> TxOut {
    TxOut {
        value: Amount::from_sat(12_345),
        script_pubkey: our_script(),
    }
}

fn unspent(depth: u32) -> ChainOutput {
    ChainOutput::Unspent {
        script_pubkey: our_script().into_bytes(),
        value_sats: coin().value.to_sat(),
        depth,
        is_coinbase: false,
    }
}

fn hash(transaction: &Transaction) -> TxHash {
    TxHash::from_bytes(transaction.compute_txid().to_byte_array())
}

/// Writes a password where it is read from.
fn secret(folder: &Path, name: &str, password: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, password).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

fn access(home: &RealHome, password: PathBuf) -> ChainConfig {
    ChainConfig {
        address: home.rpc.to_string(),
        cookie: None,
        user: Some(RPC_USER.to_owned()),
        password: Some(SecretFrom::File(password)),
    }
}

#[tokio::test]
async fn a_real_node_is_asked_over_json_rpc_and_where_it_cannot_be_believed_nothing_is_told() {
    let root = tempfile::tempdir().unwrap();
    let home = RealHome::new(root.path(), "asked").unwrap();
    home.configure(Settings::default()).unwrap();
    let node = RealNode::start(program(), &home).await.unwrap();
    let config = access(&home, secret(root.path(), "password", RPC_PASSWORD));
    let (client, warnings) = BitcoinRpc::open(&config, Network::Regtest).await.unwrap();
    assert_eq!(warnings, [""; 0]);
    who_may_not_ask_and_who_asks_for_another_network_is_told_so(&home, root.path(), &config).await;

    let mut scene = Scene {
        wallet: Wallet::mined_on(&node).await,
        node,
        config,
        client,
    };
    new_coins_are_told_from_others(&scene).await;
    what_nobody_has_made_is_not_there(&mut scene).await;
    a_payment_is_seen_in_the_mempool_and_grows_deep(&mut scene).await;
    what_is_spent_is_not_there_to_be_spent(&mut scene).await;
    a_transaction_is_sent_once_however_often_it_is_sent(&mut scene).await;
    a_block_that_is_undone_takes_its_payment_with_it(&mut scene).await;
    a_node_that_goes_tells_nothing_until_it_is_back(scene, &home).await;
}

async fn who_may_not_ask_and_who_asks_for_another_network_is_told_so(
    home: &RealHome,
    folder: &Path,
    config: &ChainConfig,
) {
    let wrong = access(home, secret(folder, "wrong", "correct-horse"));
    let error = BitcoinRpc::open(&wrong, Network::Regtest)
        .await
        .unwrap_err();
    assert!(matches!(error, OpenError::Denied(_)), "{error}");
    assert!(!error.to_string().contains("correct-horse"), "{error}");
    let error = BitcoinRpc::open(config, Network::Bitcoin)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, OpenError::WrongNetwork { found, .. } if found == "regtest"),
        "{error}"
    );
}

async fn new_coins_are_told_from_others(scene: &Scene) {
    let node = &scene.node.rpc;
    let tip = node.height().await.unwrap();
    for height in [1, tip] {
        let block = node.call("getblockhash", json!([height])).await.unwrap();
        let block = node.call("getblock", json!([block, 1])).await.unwrap();
        let txid: Txid = block["tx"][0].as_str().unwrap().parse().unwrap();
        let outpoint = OutPoint {
            tx_hash: TxHash::from_bytes(txid.to_byte_array()),
            index: 0,
        };
        let expected = ChainOutput::Unspent {
            script_pubkey: crate::wallet::address().script_pubkey().into_bytes(),
            value_sats: 5_000_000_000,
            depth: u32::try_from(tip - height + 1).unwrap(),
            is_coinbase: true,
        };
        assert_eq!(scene.client.output(outpoint).await, Ok(expected));
    }
}

async fn what_nobody_has_made_is_not_there(scene: &mut Scene) {
    for index in [0, u32::MAX] {
        let outpoint = OutPoint {
            tx_hash: UNKNOWN,
            index,
        };
        let found = scene.client.output(outpoint).await;
        assert_eq!(found, Ok(ChainOutput::Missing));
    }
    // This node's index leaves out the first block and never calls itself complete, so it cannot say that there is none.
    scene.client.transaction(UNKNOWN).await.unwrap_err();
}

async fn a_payment_is_seen_in_the_mempool_and_grows_deep(scene: &mut Scene) {
    let payment = scene.payment();
    assert_eq!(scene.output(&payment, 0).await, ChainOutput::Missing);
    broadcast(&scene.node, &payment).await.unwrap();
    for depth in 0..3 {
        assert_eq!(scene.output(&payment, 0).await, unspent(depth));
        assert_eq!(scene.depth(&payment).await, Some(depth));
        mine(&scene.node, 1).await;
    }
}

async fn what_is_spent_is_not_there_to_be_spent(scene: &mut Scene) {
    let first = scene.wallet.pay(&[]);
    broadcast(&scene.node, &first).await.unwrap();
    mine(&scene.node, 1).await;
    assert_eq!(scene.depth(&first).await, Some(1));
    let second = scene.wallet.pay(&[]);
    broadcast(&scene.node, &second).await.unwrap();
    assert_eq!(scene.output(&first, 0).await, ChainOutput::Spent);
    mine(&scene.node, 1).await;
    assert_eq!(scene.output(&first, 0).await, ChainOutput::Missing);
    // All its outputs are spent now, and this node never says how deep a transaction is: who has seen it knows.
    assert_eq!(scene.depth(&first).await, Some(2));
    let told = scene.stranger().transaction(hash(&first)).await;
    let said = told.unwrap_err().to_string();
    assert!(said.contains("does not say how deep"), "{said}");
}

async fn a_transaction_is_sent_once_however_often_it_is_sent(scene: &mut Scene) {
    let payment = scene.payment();
    let mut unsigned = payment.clone();
    unsigned.input[0].witness.clear();
    for wrong in [serialize(&unsigned), vec![1, 2, 3], Vec::new()] {
        scene.client.submit(wrong).await.unwrap_err();
    }
    for _ in 0..2 {
        let sent = scene.client.submit(serialize(&payment)).await;
        assert_eq!(sent, Ok(()));
        let waiting = scene.node.rpc.call("getrawmempool", json!([])).await;
        let expected = json!([payment.compute_txid().to_string()]);
        assert_eq!(waiting.unwrap(), expected);
    }
    mine(&scene.node, 1).await;
    assert_eq!(scene.depth(&payment).await, Some(1));
    // "Already in chain" is what this node also says of what was undone, so it is not believed.
    let again = scene.client.submit(serialize(&payment)).await;
    assert!(again.is_err());
}

async fn a_block_that_is_undone_takes_its_payment_with_it(scene: &mut Scene) {
    let payment = scene.payment();
    broadcast(&scene.node, &payment).await.unwrap();
    mine(&scene.node, 1).await;
    assert_eq!(scene.depth(&payment).await, Some(1));
    let tip = scene.node.rpc.call("getbestblockhash", json!([])).await;
    let undo = json!([tip.unwrap()]);
    scene.node.rpc.call("invalidateblock", undo).await.unwrap();
    let undone = async |scene: &Scene| {
        assert_eq!(scene.output(&payment, 0).await, ChainOutput::Missing);
        assert_eq!(scene.depth(&payment).await, None);
        // The node has it in its index still: who has not seen it in its block is told neither that it is there nor
        // that it is not.
        let told = scene.stranger().transaction(hash(&payment)).await;
        assert!(told.is_err(), "{told:?}");
    };
    undone(scene).await;
    mine(&scene.node, 1).await;
    undone(scene).await;
    mine_with(&scene.node, &payment).await;
    assert_eq!(scene.output(&payment, 0).await, unspent(1));
    assert_eq!(scene.depth(&payment).await, Some(1));
}

async fn a_node_that_goes_tells_nothing_until_it_is_back(mut scene: Scene, home: &RealHome) {
    let payment = scene.payment();
    broadcast(&scene.node, &payment).await.unwrap();
    mine(&scene.node, 2).await;
    assert_eq!(scene.depth(&payment).await, Some(2));
    let Scene {
        node,
        client,
        wallet,
        config,
    } = scene;
    node.kill().await.unwrap();
    client.transaction(hash(&payment)).await.unwrap_err();
    let again = async {
        let end = Instant::now() + DEADLINE;
        loop {
            match client.transaction(hash(&payment)).await {
                // Not for a moment is it anything but that deep.
                Ok(found) => break assert_eq!(found.map(|found| found.depth), Some(2)),
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let (node, ()) = tokio::join!(RealNode::start(program(), home), again);
    let scene = Scene {
        node: node.unwrap(),
        client,
        wallet,
        config,
    };
    assert_eq!(scene.output(&payment, 0).await, unspent(2));
    mine(&scene.node, 1).await;
    assert_eq!(scene.depth(&payment).await, Some(3));
}

#[tokio::test]
async fn a_mesh_beside_a_real_node_credits_what_is_paid_on_the_chain_until_it_is_undone() {
    let root = tempfile::tempdir().unwrap();
    let asked = RealHome::new(root.path(), "asked").unwrap();
    asked.configure(Settings::default()).unwrap();
    let node = RealNode::start(program(), &asked).await.unwrap();
    let mut wallet = Wallet::mined_on(&node).await;

    let home = RealHome::new(root.path(), "beside").unwrap();
    secret(&home.mesh_dir(), "password", RPC_PASSWORD);
    let text = format!(
        "[chain]\naddress = \"{}\"\nuser = \"{RPC_USER}\"\npassword = {{ file = \"password\" }}\n\
         [mesh]\nnetwork = \"regtest\"\nlisten_addr = \"{}\"\n{}",
        asked.rpc,
        home.mesh,
        settings_on_chain("")
    );
    let config = NodeConfig::parse(&text, &home.mesh_dir()).unwrap();
    let mesh = Service::start(&config, Arc::new(Unwatched), Brought::default())
        .await
        .unwrap();
    let payer = Payer::of(&home).await;
    let (transaction, proof) = settle(&mut wallet, &payer.quote(&home));
    count_at_depth(&node, &payer, &transaction, &proof).await;
    let paid = money(&home).await;
    assert_eq!((paid.deposited_msat, paid.watched), (PAID.to_msat(), 1));
    assert_eq!(payer.send(None).await, Ok(()), "the credit carries");

    let hash = node.rpc.call("getblockhash", json!([102])).await.unwrap();
    let undo = node.rpc.call("invalidateblock", json!([hash]));
    undo.await.unwrap();
    let end = Instant::now() + DEADLINE;
    while money(&home).await.frozen_msat == 0 {
        assert!(Instant::now() < end, "the credit is not frozen");
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(payer.send(None).await, Err(WhyNot::Unpaid));
    mesh.stop().await;
}

/// What the mesh in a home has taken and owes.
async fn money(home: &RealHome) -> MoneyReport {
    let mut client = Client::connect(&home.control()).await.unwrap();
    match client.ask(Request::Status {}).await.unwrap() {
        Answer::Status(status) => status.money,
        other => unreachable!("{other:?}"),
    }
}
