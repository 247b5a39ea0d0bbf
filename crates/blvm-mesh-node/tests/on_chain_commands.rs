//! Paying another node on the chain with the commands alone: asked what to pay, paid by a wallet that knows nothing of meshes,
//! shown, and spent; between programs that are killed meanwhile. The chain is the one of [`Regtest::start`].

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod program;

use bitcoin::{
    Address, Amount, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, WPubkeyHash, Witness,
    absolute::LockTime, hashes::Hash as _, opcodes::OP_TRUE, script::Builder, transaction::Version,
};
use blvm_mesh::{NodeId, from_hex};
use mesh_regtest::Regtest;
use program::{Home, Ran, Running, free_port, paid::assert_has};
use serde_json::Value;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};
use tempfile::TempDir;

/// What a payment of these tests comes from.
const FUNDS: Amount = Amount::from_sat(100_000);

/// A node that takes payments on the chain, and two that are linked with it.
struct Scene {
    chain: Regtest,
    payee: Home,
    payer: Home,
    other: Home,
    running: Vec<Running>,
    _root: TempDir,
}

impl Scene {
    fn enter() -> Self {
        let chain = Regtest::start().unwrap();
        let root = tempfile::tempdir().unwrap();
        let port = free_port();
        let payee = Home::new(root.path(), "payee", &taking(&chain, root.path(), port));
        let peers = format!("peers = [\"{}@127.0.0.1:{port}\"]", payee.id);
        let linked = format!("listen_addr = \"127.0.0.1:0\"\nmode = \"open\"\n{peers}");
        let [payer, other] = ["payer", "other"].map(|name| Home::new(root.path(), name, &linked));
        let mut scene = Self {
            chain,
            payee,
            payer,
            other,
            running: Vec::new(),
            _root: root,
        };
        scene.start();
        scene
    }

    /// Starts all nodes, and waits until they are linked.
    fn start(&mut self) {
        self.running = [&self.payee, &self.payer, &self.other]
            .map(Home::start)
            .into();
        for linked in self.running.iter().skip(1) {
            linked.expect("link up");
        }
    }

    fn kill(&mut self) {
        self.running.drain(..).for_each(Running::kill);
    }

    fn payee(&self) -> String {
        self.payee.id.to_string()
    }

    fn ask(&self, payer: &Home) -> Value {
        payer.ask(&["deposit", &self.payee(), "--amount", "2000"])
    }

    fn show(&self, payer: &Home, to_pay: &Value, txid: Txid, more: &[&str]) -> Ran {
        let quote = to_pay["quote"].as_str().unwrap();
        let (payee, txid) = (self.payee(), txid.to_string());
        let show = ["deposit", &payee, "--quote", quote, "--txid", &txid];
        payer.command(&show, more)
    }

    /// Pays what was asked for, as any wallet does: to an address, with bytes in an OP_RETURN output, and with change.
    fn pay(&self, to_pay: &Value) -> Txid {
        let address = to_pay["address"].as_str().unwrap();
        let address = address.parse::<Address<_>>().unwrap().assume_checked();
        let op_return: [u8; 32] = from_hex(to_pay["op_return"].as_str().unwrap()).unwrap();
        let amount = Amount::from_sat(to_pay["amount_sats"].as_u64().unwrap());
        self.send(vec![
            (Amount::from_sat(95_000), anybody().to_p2wsh()),
            (amount, address.script_pubkey()),
            (Amount::ZERO, ScriptBuf::new_op_return(op_return)),
        ])
    }

    fn send(&self, outputs: Vec<(Amount, ScriptBuf)>) -> Txid {
        let funded = self.chain.fund(anybody().to_p2wsh(), FUNDS).unwrap();
        let output = outputs.into_iter().map(|(value, script_pubkey)| TxOut {
            value,
            script_pubkey,
        });
        let transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: funded,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                witness: Witness::from_slice(&[anybody().into_bytes()]),
            }],
            output: output.collect(),
        };
        self.chain.submit(&transaction).unwrap()
    }

    /// What the payee holds for a node.
    fn credit(&self, payer: NodeId) -> u64 {
        let status = self.payee.ask(&["status"]);
        let credits = status["credits"].as_array().unwrap();
        let its = credits
            .iter()
            .find(|credit| credit["payer"] == payer.to_string());
        its.map_or(0, |credit| credit["credit_msat"].as_u64().unwrap())
    }
}

/// The settings of a node that is paid on the chain.
fn taking(chain: &Regtest, folder: &Path, port: u16) -> String {
    let access = chain.access();
    let cookie = folder.join(".cookie");
    fs::write(&cookie, format!("{}:{}", access.user, access.password)).unwrap();
    fs::set_permissions(&cookie, Permissions::from_mode(0o600)).unwrap();
    let script = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([4; 20]));
    let address = Address::from_script(&script, bitcoin::Network::Regtest).unwrap();
    format!(
        "listen_addr = \"127.0.0.1:{port}\"\nprice_per_packet_msat = 9000\nprice_per_kib_msat = 0\n\n\
         [mesh.on_chain]\naddresses = [\"{address}\"]\n\n\
         [chain]\naddress = \"{}\"\ncookie = \"{}\"",
        access.address,
        cookie.display()
    )
}

/// A script that everybody can spend without a signature.
fn anybody() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

#[test]
fn a_payment_on_the_chain_is_asked_for_paid_shown_and_spent_over_kills() {
    let mut scene = Scene::enter();
    let to_pay = scene.ask(&scene.payer);
    assert_eq!(to_pay["amount_sats"], 2_000);
    assert_eq!(to_pay["least_depth"], 1);
    let txid = scene.pay(&to_pay);
    let shown = scene.show(&scene.payer, &to_pay, txid, &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    assert_has(
        &shown.out,
        &["waits", "not in the chain yet", "shown again"],
    );
    assert_eq!(scene.credit(scene.payer.id), 0);
    let status = scene.payer.command(&["status"], &[]);
    assert_has(&status.out, &["1 payment of this node on the chain"]);

    // All are killed before the payment is deep; nobody is told to show it again.
    scene.kill();
    scene.chain.mine(1).unwrap();
    scene.start();
    scene.running[1].expect("a payment on the chain is credited");
    assert_eq!(scene.credit(scene.payer.id), 2_000_000);
    let again = scene.show(&scene.payer, &to_pay, txid, &["--json"]);
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["credited"]["credit_msat"], 2_000_000);

    let sent = scene
        .payer
        .ask(&["send", &scene.payee(), "--data", "hello"]);
    assert_eq!(sent["deposited_msat"], 0);
    assert_eq!(scene.credit(scene.payer.id), 1_991_000);
    let spent = scene.payer.ask(&["status"]);
    assert_eq!(spent["money"]["spent_msat"], 0);
    assert_eq!(spent["money"]["uncredited"], 0);
    let ledger = scene.payee.ask(&["ledger"]);
    assert_eq!(ledger["totals"]["deposited_msat"], 2_000_000, "{ledger}");
    let verified = scene.payee.command(&["ledger", "verify"], &[]);
    assert_eq!(verified.code, Some(0), "{}", verified.err);
}

#[test]
fn somebody_elses_payment_and_one_for_something_else_are_refused_with_a_sentence() {
    let scene = Scene::enter();
    let to_pay = scene.ask(&scene.payer);
    let txid = scene.pay(&to_pay);
    scene.chain.mine(1).unwrap();
    let own = scene.ask(&scene.other);
    let stolen = scene.show(&scene.other, &own, txid, &[]);
    assert_eq!(stolen.code, Some(1));
    assert_has(&stolen.err, &["does not pay this quote", &txid.to_string()]);
    let stolen = scene.show(&scene.other, &to_pay, txid, &[]);
    assert_eq!(stolen.code, Some(1));
    assert_has(&stolen.err, &["for the credit of"]);
    let address = to_pay["address"].as_str().unwrap();
    let address = address.parse::<Address<_>>().unwrap().assume_checked();
    let unnamed = scene.send(vec![(Amount::from_sat(2_000), address.script_pubkey())]);
    let shown = scene.show(&scene.payer, &to_pay, unnamed, &[]);
    assert_eq!(shown.code, Some(1));
    assert_has(&shown.err, &["does not pay this quote"]);
    assert_eq!(scene.credit(scene.other.id), 0);
    let shown = scene.show(&scene.payer, &to_pay, txid, &[]);
    assert_has(&shown.out, &["credited    2,000,000 msat"]);
}

#[test]
fn what_has_to_be_paid_is_said_by_the_payee_itself_as_well() {
    let scene = Scene::enter();
    let payer = scene.payer.id.to_string();
    let quote = ["quote", &payer, "--amount", "3000", "--on-chain"];
    let to_pay = scene.payee.ask(&quote);
    let shown = scene.payee.command(&quote, &[]);
    let address = to_pay["address"].as_str().unwrap();
    assert_has(
        &shown.out,
        &[
            "3,000 sat",
            "on regtest",
            address,
            "0.00003000 BTC",
            "bitcoin-cli -regtest -named send outputs='[{\"bcrt1",
            "blvm-mesh deposit",
            "--txid TXID",
        ],
    );
    let txid = scene.pay(&to_pay);
    scene.chain.mine(1).unwrap();
    let shown = scene.show(&scene.payer, &to_pay, txid, &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    assert_eq!(scene.credit(scene.payer.id), 3_000_000);
    // The payer takes no payments on the chain.
    let refused = scene.payer.command(&quote, &[]);
    assert_eq!(refused.code, Some(1));
    assert_has(&refused.err, &["on_chain.addresses"]);
    let other = scene.other.id.to_string();
    let refused = scene
        .payee
        .command(&["deposit", &other, "--amount", "2000"], &[]);
    assert_eq!(refused.code, Some(1));
    assert_has(&refused.err, &["takes no payments on the chain"]);
}
