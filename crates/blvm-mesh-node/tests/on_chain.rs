//! A node that asks a Bitcoin node takes payments on the chain: the one of [`Regtest::start`].

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

use bitcoin::{
    Address, Amount, ScriptBuf, Sequence, Transaction, TxIn, TxOut, WPubkeyHash, Witness,
    absolute::LockTime, hashes::Hash as _, opcodes::OP_TRUE, script::Builder, transaction::Version,
};
use blvm_mesh::{
    Attempt, CovenantKind, CovenantProof, MeshConfig, MeshMode, Msat, Network, OnChainConfig,
    PaymentProof, PeerAddress, ProofForHop, Quote, RefusalCode, Reply, Route,
};
use blvm_mesh_node::{
    Home, Node, NodeConfig, StartError, Unwatched,
    config::{LightningSection, NodeSection},
};
use mesh_chain::ChainConfig;
use mesh_regtest::Regtest;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::sleep;

/// What is deposited: three packets' worth, and a little more.
const PAID: Msat = Msat::from_msat(3_000_000);
const PRICE_MSAT: u64 = 900_000;

/// What a packet offers: of a way of two nodes, the second gets nine tenths.
const FEE: Msat = Msat::from_msat(1_000_000);

const FUNDS: Amount = Amount::from_sat(100_000);

/// A payer and a payee that are linked; the payee asks the chain.
struct Scene {
    chain: Regtest,
    payer: Node,
    payee: Node,
    _folder: TempDir,
}

impl Scene {
    async fn enter() -> Self {
        let chain = Regtest::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let asked = asking(&chain, folder.path());
        let address = Address::from_script(&ours(), bitcoin::Network::Regtest).unwrap();
        let mesh = MeshConfig {
            mode: MeshMode::PaymentGated,
            price_per_packet_msat: PRICE_MSAT,
            price_per_kib_msat: 0,
            on_chain: OnChainConfig {
                addresses: vec![address.to_string()],
                ctv_on: vec![Network::Regtest],
                ..OnChainConfig::default()
            },
            ..MeshConfig::default()
        };
        let payee = start(&folder.path().join("payee"), mesh, Some(asked))
            .await
            .unwrap();
        let peer = PeerAddress {
            node_id: payee.manager().node_id(),
            address: payee.local_addr().unwrap().to_string(),
        };
        let mesh = MeshConfig {
            mode: MeshMode::Open,
            peers: vec![peer],
            ..MeshConfig::default()
        };
        let payer = start(&folder.path().join("payer"), mesh, None)
            .await
            .unwrap();
        Self {
            chain,
            payer,
            payee,
            _folder: folder,
        }
    }

    fn quote(&self) -> (Quote, ScriptBuf) {
        let payer = self.payer.manager().node_id();
        let offered = self.payee.manager().quote_on_chain(payer, PAID).unwrap();
        (offered.quote, offered.script_pubkey)
    }

    async fn send(&self, proof: Option<&PaymentProof>) -> Reply {
        let [from, to] = [&self.payer, &self.payee].map(|node| node.manager().node_id());
        let attempt = Attempt {
            route: Route::new(vec![from, to]).unwrap(),
            payload: b"hello".to_vec(),
            fee: FEE,
            proof: proof.map(|proof| ProofForHop {
                hop: 1,
                proof: proof.clone(),
            }),
            is_sealed: true,
            timeout: Duration::from_secs(10),
        };
        self.payer.manager().attempt(attempt).await.unwrap().1
    }

    /// Sends a packet again and again until it is answered as expected: links and indices take a moment.
    async fn expect(&self, proof: Option<&PaymentProof>, is_expected: impl Fn(&Reply) -> bool) {
        let mut last = None;
        for _ in 0..200 {
            if self.payer.links().peers().is_empty() {
                sleep(Duration::from_millis(50)).await;
                continue;
            }
            let reply = self.send(proof).await;
            if is_expected(&reply) {
                return;
            }
            last = Some(reply);
            self.payee.manager().watch_payments().await;
            sleep(Duration::from_millis(50)).await;
        }
        panic!("{last:?}");
    }

    async fn leave(self) {
        self.payer.shutdown().await;
        self.payee.shutdown().await;
    }
}

async fn start(
    folder: &Path,
    mesh: MeshConfig,
    chain: Option<ChainConfig>,
) -> Result<Node, StartError> {
    let config = NodeConfig {
        mesh: MeshConfig {
            network: Network::Regtest,
            listen_addr: "127.0.0.1:0".parse().unwrap(),
            ..mesh
        },
        node: NodeSection::in_folder(folder.to_owned()),
        lightning: LightningSection::None,
        chain,
    };
    let home = Home::Durable(config.node.store.clone());
    Node::start(&config, home, Arc::new(Unwatched)).await
}

fn asking(chain: &Regtest, folder: &Path) -> ChainConfig {
    let access = chain.access();
    let cookie = folder.join(".cookie");
    fs::write(&cookie, format!("{}:{}", access.user, access.password)).unwrap();
    fs::set_permissions(&cookie, Permissions::from_mode(0o600)).unwrap();
    ChainConfig {
        address: access.address.to_string(),
        cookie: Some(cookie),
        user: None,
        password: None,
    }
}

/// The payee's script.
fn ours() -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([4; 20]))
}

/// A script that everybody can spend without a signature.
fn anybody() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

fn output(value: Amount, script_pubkey: ScriptBuf) -> TxOut {
    TxOut {
        value,
        script_pubkey,
    }
}

fn spend(from: bitcoin::OutPoint, witness: Witness, output: Vec<TxOut>) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: from,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness,
        }],
        output,
    }
}

const fn delivered(reply: &Reply) -> bool {
    matches!(reply, Reply::Delivered)
}

const fn unpaid(reply: &Reply) -> bool {
    matches!(reply, Reply::PaymentRequired { .. })
}

fn refused(with: RefusalCode) -> impl Fn(&Reply) -> bool {
    move |reply| matches!(reply, Reply::Refused { code, .. } if *code == with)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_on_the_chain_counts_when_it_is_mined_and_not_when_its_block_is_undone() {
    let scene = Scene::enter().await;
    scene
        .expect(None, |reply| {
            matches!(reply, Reply::Refused { .. }) || unpaid(reply)
        })
        .await;
    let (quote, script) = scene.quote();
    let funded = scene.chain.fund(anybody().to_p2wsh(), FUNDS).unwrap();
    let sats = quote.amount.to_sats_floor();
    let witness = Witness::from_slice(&[anybody().into_bytes()]);
    let outputs = vec![
        output(Amount::from_sat(sats), script),
        output(Amount::ZERO, quote.named_on_chain()),
        output(Amount::from_sat(95_000), anybody().to_p2wsh()),
    ];
    let payment = spend(funded, witness, outputs);
    let proof = PaymentProof::OnChainSettlement {
        payment_request_id: quote.to_text(),
        tx_hash: payment.compute_txid().to_byte_array(),
        amount_sats: sats,
        timestamp: quote.expires_at.to_secs(),
    };
    scene.chain.submit(&payment).unwrap();
    scene
        .expect(Some(&proof), refused(RefusalCode::ProofPending))
        .await;
    scene.chain.mine(1).unwrap();
    scene.expect(Some(&proof), delivered).await;
    scene
        .expect(Some(&proof), refused(RefusalCode::ProofReplayed))
        .await;
    scene.expect(None, delivered).await;

    let block = scene.chain.tip().unwrap();
    scene.chain.invalidate(&block).unwrap();
    scene.payee.manager().watch_payments().await;
    scene.expect(None, |reply| !delivered(reply)).await;
    scene.chain.mine(1).unwrap();
    scene.expect(None, delivered).await;
    scene.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_covenant_counts_when_its_coin_is_there_and_bound_to_it() {
    let scene = Scene::enter().await;
    let (quote, script) = scene.quote();
    let sats = quote.amount.to_sats_floor();
    let template = |coin| {
        let outputs = vec![
            output(Amount::from_sat(sats), script.clone()),
            output(Amount::ZERO, quote.named_in_covenant()),
        ];
        spend(coin, Witness::new(), outputs)
    };
    let kind = CovenantKind::CtvWitnessScript;
    let proof = |coin| {
        let covenant = CovenantProof {
            kind: kind.clone(),
            quote,
            template: template(coin),
        };
        PaymentProof::InstantSettlement {
            covenant_proof: covenant.to_bytes(),
            output_index: 0,
            merkle_proof: Vec::new(),
            amount_sats: sats,
            timestamp: quote.expires_at.to_secs(),
        }
    };
    let nowhere = bitcoin::OutPoint {
        txid: bitcoin::Txid::from_byte_array([9; 32]),
        vout: 0,
    };
    scene
        .expect(Some(&proof(nowhere)), |reply| {
            matches!(reply, Reply::Refused { .. })
        })
        .await;
    // The hash leaves the coin out, so the script is the same for each.
    let script = kind.script(&template(nowhere)).unwrap();
    let unbound = scene.chain.fund(anybody().to_p2wsh(), FUNDS).unwrap();
    let coin = scene.chain.fund(script, FUNDS).unwrap();
    scene.chain.mine(1).unwrap();
    scene
        .expect(Some(&proof(unbound)), refused(RefusalCode::ProofInvalid))
        .await;
    scene.expect(Some(&proof(coin)), delivered).await;
    scene.expect(None, delivered).await;
    scene.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_cannot_be_used_is_said_at_the_start() {
    let chain = Regtest::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let asked = asking(&chain, folder.path());
    fs::write(folder.path().join(".cookie"), "__cookie__:wrong").unwrap();
    let error = start(folder.path(), MeshConfig::default(), Some(asked))
        .await
        .unwrap_err();
    let said = error.to_string();
    assert!(
        said.starts_with("[chain] the Bitcoin node at 127.0.0.1:"),
        "{said}"
    );
    assert!(said.contains("does not take this cookie"), "{said}");
}
