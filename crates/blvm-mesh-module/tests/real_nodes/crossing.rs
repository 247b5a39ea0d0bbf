use crate::program;
use blvm_mesh_module::regtest::{Line, RealNode};

#[tokio::test]
async fn a_paid_packet_crosses_a_real_node_while_blocks_do_and_its_credit_survives_a_power_cut() {
    let root = tempfile::tempdir().unwrap();
    let line = Line::new(root.path()).unwrap();
    let mut nodes = line.start(program()).await.unwrap();
    assert!(line.mine(&mut nodes).await.unwrap() >= 1);
    let [near, middle, far] = nodes;

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

    middle.kill().await.unwrap();
    let mut middle = RealNode::start(program(), &line.middle).await.unwrap();
    let linked = async |middle: &RealNode| Ok(middle.status().await?.peers.len() == 2);
    middle.until("the links", linked).await.unwrap();
    let money = middle.status().await.unwrap().money;
    assert_eq!(money.deposited_msat, 30_000);
    let sent = line.send(&near, "again").await.unwrap();
    assert_eq!(sent.deposited_msat, 0, "it is paid from the credit");
    let delivery = far.receive().await.unwrap();
    assert_eq!(delivery.payload_hex, blvm_mesh::to_hex(b"again"));
    for node in [near, middle, far] {
        assert_eq!(node.stop().await.unwrap(), Some(0));
    }
}
