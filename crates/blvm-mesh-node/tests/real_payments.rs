//! Nodes of the mesh, each a process, that pay each other over real channels: LDK nodes on a regtest chain, the payer's behind
//! a front of Core Lightning and the relay's behind one of LND.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod program;

use blvm_mesh::NodeId;
use mesh_regtest::{
    ClnFront, LightningNetwork, LndFront, Loss, ldk_node::payment::PaymentKind, wait_until,
};
use program::{Home, Running, free_port};
use serde_json::Value;
use std::{path::Path, time::Duration};
use tempfile::TempDir;

/// The LDK nodes: the one that pays, and the one that is paid over a third.
const PAYING: &str = "a";
const PAID: &str = "c";

/// What the relay asks for a packet.
const PRICE_MSAT: u64 = 3_000;

/// A source, a relay that wants to be paid, a destination, and their money.
struct Mesh {
    source: Home,
    relay: Home,
    destination: NodeId,
    _running: [Running; 2],
    at_relay: Option<Running>,
    cln: ClnFront,
    lnd: Option<LndFront>,
    network: LightningNetwork,
    folder: TempDir,
}

impl Mesh {
    fn start() -> Self {
        let network = LightningNetwork::line().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let socket = root.join("lightning-rpc");
        let cln = ClnFront::start(network.peer(PAYING).unwrap(), &socket).unwrap();
        let lnd = front(&network, root);
        let port = free_port();
        let relay = Home::with_wallet(
            root,
            "relay",
            &format!(
                "listen_addr = \"127.0.0.1:{port}\"\nprice_per_packet_msat = {PRICE_MSAT}\nprice_per_kib_msat = 0\nrefunds = true"
            ),
            &format!(
                "backend = \"lnd\"\naddress = \"{}\"\ntls_cert = {:?}\nmacaroon = {{ file = {:?} }}",
                lnd.address(),
                lnd.tls_cert(),
                lnd.macaroon()
            ),
        );
        let linked = format!(
            "mode = \"open\"\nlisten_addr = \"127.0.0.1:0\"\npeers = [\"{}@127.0.0.1:{port}\"]",
            relay.id
        );
        let destination = Home::with_wallet(root, "destination", &linked, "backend = \"none\"");
        let knows = format!(
            "{linked}\n[[mesh.known_nodes]]\nnode_id = \"{}\"\nlinked_with = [\"{}\"]",
            destination.id, relay.id
        );
        let cln_backend = format!("backend = \"cln\"\nsocket = {socket:?}");
        let source = Home::with_wallet(root, "source", &knows, &cln_backend);
        let at_relay = relay.start();
        let running = [destination.start(), source.start()];
        at_relay.expect("link up");
        at_relay.expect("link up");
        Self {
            source,
            relay,
            destination: destination.id,
            _running: running,
            at_relay: Some(at_relay),
            cln,
            lnd: Some(lnd),
            network,
            folder,
        }
    }

    fn send(&self, data: &str) -> Result<Value, String> {
        let to = self.destination.to_string();
        let ran = self
            .source
            .command(&["send", &to, "--data", data], &["--json"]);
        if ran.code == Some(0) {
            return Ok(serde_json::from_str(&ran.out).unwrap());
        }
        Err(ran.err)
    }

    /// What the payer's node has sent and the payee's has received, in millisatoshi, once nothing is on its way.
    fn moved(&self) -> u64 {
        let mut moved = None;
        wait_until("payments to come to rest", || {
            moved = self.network.moved_msat(PAYING, PAID)?;
            Ok(moved.is_some())
        })
        .unwrap();
        moved.unwrap()
    }

    fn deposited(&self) -> u64 {
        let status = self.relay.ask(&["status"]);
        status["money"]["deposited_msat"].as_u64().unwrap()
    }

    /// Waits until all that was paid is deposited.
    fn agree(&self) -> u64 {
        let moved = self.moved();
        wait_until("what was paid to be deposited", || {
            Ok(self.deposited() == moved)
        })
        .unwrap();
        moved
    }

    /// Pays an invoice from the payer's node, past the mesh.
    fn pay(&self, invoice: &str) {
        let node = self.network.peer(PAYING).unwrap().node().unwrap();
        let invoice = invoice.parse().unwrap();
        node.bolt11_payment().send(&invoice, None).unwrap();
    }

    fn quote(&self, sats: &str) -> Result<String, String> {
        let payer = self.source.id.to_string();
        let ran = self
            .relay
            .command(&["quote", &payer, "--amount", sats], &["--json"]);
        if ran.code == Some(0) {
            let quoted: Value = serde_json::from_str(&ran.out).unwrap();
            return Ok(quoted["invoice"].as_str().unwrap().to_owned());
        }
        Err(ran.err)
    }
}

fn front(network: &LightningNetwork, root: &Path) -> LndFront {
    LndFront::start(network.peer(PAID).unwrap(), &root.join("lnd")).unwrap()
}

#[test]
fn packets_are_paid_over_channels_and_every_satoshi_is_accounted_for() {
    let mesh = Mesh::start();
    for number in 0..5 {
        mesh.send(&format!("packet {number}")).unwrap();
    }
    let moved = mesh.agree();
    assert!(moved >= 5 * PRICE_MSAT, "{moved}");
    // What routing cost is in the payer's own book, and stays a small part.
    let spent = mesh.source.ask(&["ledger", "spent"]).to_string();
    assert!(spent.contains("1000"), "{spent}");
    let books = mesh.relay.command(&["ledger", "verify"], &[]);
    assert_eq!(books.code, Some(0), "{}{}", books.out, books.err);
}

#[test]
fn a_quote_that_a_stranger_pays_is_credited_though_the_relay_dies_in_between() {
    let mut mesh = Mesh::start();
    mesh.pay(&mesh.quote("100").unwrap());
    assert_eq!(mesh.agree(), 100_000);
    let invoice = mesh.quote("200").unwrap();
    mesh.at_relay.take().unwrap().kill();
    mesh.pay(&invoice);
    assert_eq!(mesh.moved(), 300_000);
    mesh.at_relay = Some(mesh.relay.start());
    assert_eq!(mesh.agree(), 300_000);
}

/// Loses the answer to the first payment: its packet goes through in the end, on one payment.
fn lose(loss: Loss) {
    let mesh = Mesh::start();
    mesh.cln.lose_next_answer(loss);
    let mut tries = 0;
    while let Err(error) = mesh.send("lost and found") {
        tries += 1;
        assert!(tries < 60, "it is never found: {error}");
        std::thread::sleep(Duration::from_millis(500));
    }
    let node = mesh.network.peer(PAYING).unwrap().node().unwrap();
    let sent = node.list_payments_with_filter(|it| matches!(it.kind, PaymentKind::Bolt11 { .. }));
    let spent = mesh.source.ask(&["ledger", "spent"]);
    assert_eq!(sent.len(), 1, "{spent:#}");
    assert_eq!(mesh.agree(), sent[0].amount_msat.unwrap());
}

#[test]
fn an_answer_that_is_lost_behind_the_payment_is_found_and_nothing_is_paid_twice() {
    lose(Loss::AfterOutcome);
}

#[test]
fn an_answer_that_is_lost_while_the_payment_is_under_way_is_found_and_nothing_is_paid_twice() {
    lose(Loss::AfterSending);
}

#[test]
fn a_balance_comes_back_over_the_channels_with_its_fee_taken_from_it() {
    let mesh = Mesh::start();
    mesh.pay(&mesh.quote("500").unwrap());
    assert_eq!(mesh.agree(), 500_000);
    let balance = |name| -> u64 {
        let node = mesh.network.peer(name).unwrap().node().unwrap();
        let channels = node.list_channels();
        channels.iter().map(|it| it.outbound_capacity_msat).sum()
    };
    let before = [balance(PAYING), balance(PAID)];
    let relay = mesh.relay.id.to_string();
    let refunded = mesh.source.ask(&["refund", &relay, "--amount", "300"]);
    let told = ["amount_msat", "fee_msat", "credit_msat"].map(|name| refunded[name].as_u64());
    let expected = [Some(300_000), Some(1_000), Some(199_000)];
    assert_eq!(told, expected, "{refunded}");
    assert_eq!(refunded["arrived"], true);
    // The channels say so, too.
    wait_until("the payment to come to rest", || {
        let after = [balance(PAYING), balance(PAID)];
        Ok(after == [before[0] + 300_000, before[1] - 301_000])
    })
    .unwrap();
    let status = mesh.relay.ask(&["status"]);
    assert_eq!(status["money"]["refunded_msat"], 301_000, "{status}");
    let books = mesh.relay.command(&["ledger", "verify"], &[]);
    assert_eq!(books.code, Some(0), "{}{}", books.out, books.err);
}

#[test]
fn a_wallet_that_goes_away_stops_quotes_and_comes_back_by_itself() {
    let mut mesh = Mesh::start();
    mesh.send("before").unwrap();
    drop(mesh.lnd.take());
    wait_until("the relay to notice", || Ok(mesh.quote("100").is_err())).unwrap();
    let refused = mesh.quote("100").unwrap_err();
    assert!(
        refused.contains("away") || refused.contains("not reachable"),
        "{refused}"
    );
    // There is credit left, and it is served.
    mesh.send("meanwhile").unwrap();
    mesh.lnd = Some(front(&mesh.network, mesh.folder.path()));
    wait_until("the relay to quote again", || Ok(mesh.quote("100").is_ok())).unwrap();
    mesh.pay(&mesh.quote("100").unwrap());
    mesh.agree();
}
