use crate::program;
use blvm_mesh::{MeshConfig, Msat, NodeId};
use blvm_mesh_module::regtest::{Line, RealHome, RealNode, Settings, linked_with};
use blvm_mesh_node::{
    config::LightningSection,
    control::{Answer, PriceCall, Request, SendCall},
};
use std::{cell::Cell, collections::BTreeSet, path::Path, time::Duration};
use tokio::time::sleep;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(20);

/// Texts before and after a power cut: more than two payments cover.
const MANY: u32 = 25;

#[tokio::test]
async fn paid_packets_cross_a_real_node_while_blocks_do_and_meshes_and_power_come_and_go() {
    let root = tempfile::tempdir().unwrap();
    let line = Line::new(root.path()).unwrap();
    let mut nodes = line.start(program()).await.unwrap();
    assert!(line.mine(&mut nodes).await.unwrap() >= 1);
    let [mut near, mut middle, far] = nodes;

    let sent = line.send(&near, "hello").await.unwrap();
    let way = [line.near.id(), line.middle.id(), line.far.id()];
    assert_eq!(sent.route, way);
    assert_eq!((sent.fee_msat, sent.deposited_msat), (10_000, 90_000));
    let delivery = far.receive().await.unwrap();
    assert_eq!(delivery.payload_hex, blvm_mesh::to_hex(b"hello"));
    assert_eq!((delivery.source, delivery.sealed), (line.near.id(), true));
    let money = middle.status().await.unwrap().money;
    assert_eq!(money.deposited_msat, 30_000);
    assert_eq!(money.earned_msat, Line::MIDDLE_MSAT);

    let with_guest = a_guest_is_paid(root.path(), &mut near, (&line.middle, &mut middle)).await;
    let middle = a_power_cut(&line, &near, middle, &far).await;
    let (mut middle, far_money) = (middle, far.status().await.unwrap().money);
    let spent = near.status().await.unwrap().money.spent_msat;
    let is_there = async |middle: &RealNode| {
        let with_middle = middle.status().await?.money.deposited_msat;
        Ok(with_middle + far_money.deposited_msat + with_guest == spent)
    };
    let what = "what near has paid as credit, once";
    middle.until(what, is_there).await.unwrap();
    a_new_price_is_taken(&line, &mut middle).await;
    for node in [near, middle, far] {
        assert_eq!(node.stop().await.unwrap(), Some(0));
    }
}

/// A mesh node joins behind the middle one, is paid for what it takes, and leaves. Answers with what near has paid it.
async fn a_guest_is_paid(
    root: &Path,
    near: &mut RealNode,
    middle: (&RealHome, &mut RealNode),
) -> u64 {
    let folder = root.join("guest");
    let sandbox = LightningSection::Sandbox {
        path: root.join("sandbox"),
    };
    let guest = linked_with(middle.0, &folder, sandbox, MeshConfig::default())
        .await
        .unwrap();
    let mesh = guest.manager();
    let price = PriceCall {
        destination: mesh.node_id(),
        bytes: 5,
        timeout_secs: 30,
        in_clear: false,
    };
    // Near hears of it from middle.
    let is_known = async |near: &RealNode| {
        let answer = near.ask(Request::Price(price.clone())).await?;
        Ok(matches!(answer, Answer::Priced(_)))
    };
    near.until("the way to the guest", is_known).await.unwrap();
    let sent = near.ask(send(mesh.node_id(), "guest")).await.unwrap();
    assert!(matches!(sent, Answer::Sent(_)), "{sent:?}");
    assert_eq!(mesh.next_delivery().await.payload, b"guest");
    let money = mesh.status().await.money.unwrap();
    assert!(money.earned > Msat::ZERO);

    guest.shutdown().await;
    linked(middle.1, 2).await;
    let sent = near.ask(send(mesh.node_id(), "guest")).await.unwrap();
    assert!(
        matches!(sent, Answer::Failed(_) | Answer::NotSent(_)),
        "{sent:?}"
    );
    money.deposited.to_msat()
}

/// The middle node loses its power while near sends one text after another: near is told, goes on when middle is back, and
/// each text that arrives does so once and is paid for once.
async fn a_power_cut(line: &Line, near: &RealNode, middle: RealNode, far: &RealNode) -> RealNode {
    let (confirmed, failed, is_over) = (Cell::new(0), Cell::new(0), Cell::new(false));
    let sending = async {
        let mut texts = BTreeSet::new();
        while !is_over.get() {
            let text = format!("text {}", confirmed.get() + failed.get());
            match near.ask(send(line.far.id(), &text)).await.unwrap() {
                Answer::Sent(_) => {
                    confirmed.set(confirmed.get() + 1);
                    texts.insert(blvm_mesh::to_hex(text.as_bytes()));
                }
                Answer::Failed(_) | Answer::NotSent(_) => {
                    failed.set(failed.get() + 1);
                    sleep(LOOK).await;
                }
                other => panic!("{other:?}"),
            }
        }
        texts
    };
    let cutting = async {
        more(&confirmed, MANY).await;
        let deposited = middle.status().await.unwrap().money.deposited_msat;
        middle.kill().await.unwrap();
        more(&failed, 1).await;
        let mut middle = RealNode::start(program(), &line.middle).await.unwrap();
        linked(&mut middle, 2).await;
        let money = middle.status().await.unwrap().money;
        assert!(money.deposited_msat >= deposited, "the credit is there");
        more(&confirmed, MANY).await;
        is_over.set(true);
        middle
    };
    let (texts, middle) = tokio::join!(sending, cutting);

    let far_status = far.status().await.unwrap();
    let delivered = far_status.traffic.delivered;
    let mut arrived = BTreeSet::new();
    // The first has been received.
    for _ in 1..delivered {
        let is_new = arrived.insert(far.receive().await.unwrap().payload_hex);
        assert!(is_new, "nothing arrives twice");
    }
    assert!(texts.is_subset(&arrived), "what is confirmed arrives");
    assert_eq!(far_status.money.earned_msat, delivered * Line::FAR_MSAT);
    middle
}

/// The middle node is told to read its configuration again, which has another price.
async fn a_new_price_is_taken(line: &Line, middle: &mut RealNode) {
    let settings = Settings {
        peer: None,
        mesh: "price_per_packet_msat = 4000",
        ..Settings::default()
    };
    line.middle.configure(settings).unwrap();
    middle.hang_up().await.unwrap();
    let is_taken = async |middle: &RealNode| {
        let status = middle.status().await?;
        assert_eq!(status.peers.len(), 2);
        Ok(status.price.per_packet_msat == 4_000)
    };
    middle.until("the new price", is_taken).await.unwrap();
}

/// Waits until there are `more` of something.
async fn more(count: &Cell<u32>, more: u32) {
    let enough = count.get() + more;
    while count.get() < enough {
        sleep(LOOK).await;
    }
}

async fn linked(node: &mut RealNode, links: usize) {
    let is_so = async |node: &RealNode| Ok(node.status().await?.peers.len() == links);
    node.until("the links", is_so).await.unwrap();
}

/// A text to be sent, which is given up soon: what is lost with a node is not answered.
fn send(destination: NodeId, text: &str) -> Request {
    Request::Send(SendCall {
        destination,
        payload_hex: blvm_mesh::to_hex(text.as_bytes()),
        limit_sats: 1_000,
        packets_ahead: 10,
        timeout_secs: 5,
        deadline_secs: 5,
        in_clear: false,
    })
}
