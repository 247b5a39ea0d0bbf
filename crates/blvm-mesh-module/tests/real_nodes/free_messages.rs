use crate::program;
use blvm_mesh_module::regtest::{BitcoinPeer, Line};

/// So many that paid packets and blocks pass meanwhile.
const PINGS: u64 = 3_000;
const PACKETS: u64 = 20;

#[tokio::test]
async fn free_bitcoin_messages_reach_the_node_and_come_back_byte_for_byte_while_paid_packets_cross()
{
    let root = tempfile::tempdir().unwrap();
    let line = Line::new(root.path()).unwrap();
    let mut nodes = line.start(program()).await.unwrap();
    line.mine(&mut nodes).await.unwrap();
    let [near, middle, far] = &nodes;
    let mut peer = BitcoinPeer::of(middle).await.unwrap();
    let crossing = async {
        for _ in 0..PACKETS {
            line.send(near, "paid").await.unwrap();
            let delivery = far.receive().await.unwrap();
            assert_eq!(delivery.payload_hex, blvm_mesh::to_hex(b"paid"));
        }
    };
    let (pinged, ()) = tokio::join!(peer.ping(PINGS, 16), crossing);
    pinged.unwrap();
    // A packet whose receipt is late is sent, and paid for, once more.
    let earned = middle.status().await.unwrap().money.earned_msat;
    assert!(earned >= PACKETS * Line::MIDDLE_MSAT);
    assert!(earned < PINGS * Line::MIDDLE_MSAT, "no ping is paid for");
}
