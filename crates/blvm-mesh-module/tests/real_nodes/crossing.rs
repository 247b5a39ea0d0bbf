use crate::program;
use blvm_mesh_module::regtest::{RealHome, RealNode, Settings};
use blvm_mesh_node::control::{Answer, Request, SendCall, SentReport};
use serde_json::json;
use tempfile::TempDir;

/// An address that nobody has the key of.
const NOBODY: &str = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202";

/// Three homes in a line, by the Bitcoin protocol and by links: the middle and the far one are paid.
struct Line {
    near: RealHome,
    middle: RealHome,
    far: RealHome,
    _root: TempDir,
}

impl Line {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let home = |name| RealHome::new(root.path(), name).unwrap();
        let [near, middle, far] = ["near", "middle", "far"].map(home);
        let price = |msat| format!("price_per_packet_msat = {msat}\nprice_per_kib_msat = 0");
        let configure = |home: &RealHome, peer, mesh: &str| {
            let settings = Settings { peer, mesh };
            home.configure(settings).unwrap();
        };
        configure(&middle, None, &price(3_000));
        configure(&far, Some(&middle), &price(6_000));
        let known = format!(
            "mode = \"open\"\n[[mesh.known_nodes]]\nnode_id = \"{}\"\nlinked_with = [\"{}\"]",
            far.id(),
            middle.id()
        );
        configure(&near, Some(&middle), &known);
        Self {
            near,
            middle,
            far,
            _root: root,
        }
    }

    async fn start(&self) -> [RealNode; 3] {
        let start = async |home| RealNode::start(program(), home).await.unwrap();
        let mut middle = start(&self.middle).await;
        let (near, far) = (start(&self.near).await, start(&self.far).await);
        linked(&mut middle, 2).await;
        for node in [&near, &far] {
            node.rpc.connect(&self.middle).await.unwrap();
        }
        connected(&mut middle, 2).await;
        [near, middle, far]
    }

    async fn send(&self, near: &RealNode, text: &str) -> SentReport {
        let call = SendCall {
            destination: self.far.id(),
            payload_hex: blvm_mesh::to_hex(text.as_bytes()),
            limit_sats: 1_000,
            packets_ahead: 10,
            timeout_secs: 30,
            in_clear: false,
        };
        match near.ask(Request::Send(call)).await.unwrap() {
            Answer::Sent(sent) => sent,
            other => panic!("{other:?}"),
        }
    }
}

async fn linked(node: &mut RealNode, links: usize) {
    let so = async |node: &RealNode| Ok(node.status().await?.peers.len() == links);
    node.until("the links", so).await.unwrap();
}

/// Waits for connections of the Bitcoin protocol.
async fn connected(node: &mut RealNode, peers: usize) {
    let so =
        async |node: &RealNode| Ok(node.rpc.call("getconnectioncount", json!([])).await? == peers);
    node.until("the peers", so).await.unwrap();
}

async fn at_height(node: &mut RealNode, height: u64) {
    let so = async |node: &RealNode| Ok(node.rpc.height().await? == height);
    node.until("the blocks", so).await.unwrap();
}

#[tokio::test]
async fn a_paid_packet_crosses_a_real_node_while_blocks_do_and_its_credit_survives_a_power_cut() {
    let line = Line::new();
    let [near, mut middle, mut far] = line.start().await;
    near.rpc.mine(3, NOBODY).await.unwrap();
    for node in [&mut middle, &mut far] {
        at_height(node, 3).await;
    }

    let sent = line.send(&near, "hello").await;
    assert_eq!(
        sent.route,
        [line.near.id(), line.middle.id(), line.far.id()]
    );
    assert_eq!((sent.fee_msat, sent.deposited_msat), (10_000, 90_000));
    let delivery = far.receive().await.unwrap();
    assert_eq!(delivery.payload_hex, blvm_mesh::to_hex(b"hello"));
    assert_eq!((delivery.source, delivery.sealed), (line.near.id(), true));
    let money = middle.status().await.unwrap().money;
    assert_eq!((money.deposited_msat, money.earned_msat), (30_000, 3_000));

    middle.kill().await.unwrap();
    let mut middle = RealNode::start(program(), &line.middle).await.unwrap();
    linked(&mut middle, 2).await;
    let money = middle.status().await.unwrap().money;
    assert_eq!(money.deposited_msat, 30_000);
    let sent = line.send(&near, "again").await;
    assert_eq!(sent.deposited_msat, 0, "it is paid from the credit");
    assert_eq!(
        far.receive().await.unwrap().payload_hex,
        blvm_mesh::to_hex(b"again")
    );

    for node in [near, middle, far] {
        assert_eq!(node.stop().await.unwrap(), Some(0));
    }
}
