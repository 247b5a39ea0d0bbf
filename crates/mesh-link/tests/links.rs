//! What a link carries, and what it tells.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_link::{AttemptError, DialError, DownReason, HandshakeError, LinkConfig, LinkError};
use mesh_link::{LinkEvent, Links, MAX_FRAME_LEN, SendError};
use mesh_types::{NodeId, PeerAddress};
use std::net::SocketAddr;
use support::{Node, id, pair, quick, until};
use tokio::sync::mpsc;

#[tokio::test]
async fn two_nodes_link_and_know_each_other() {
    let mut a = Node::start(1).await;
    let mut b = Node::start(2).await;
    a.links.dial(b.peer()).unwrap();
    let LinkEvent::Up {
        node_id,
        address,
        outbound,
    } = a.event().await
    else {
        panic!("no link");
    };
    assert_eq!((node_id, address, outbound), (b.id, b.address(), true));
    let LinkEvent::Up {
        node_id, outbound, ..
    } = b.event().await
    else {
        panic!("no link");
    };
    assert_eq!((node_id, outbound), (a.id, false));

    a.links.try_send(&b.id, b"there".to_vec()).unwrap();
    assert_eq!(b.packet().await, b"there");
    b.links.try_send(&a.id, b"and back".to_vec()).unwrap();
    assert_eq!(a.packet().await, b"and back");

    until(|| a.links.peers()[0].packets_out == 1).await;
    let [info] = &a.links.peers()[..] else {
        panic!("not one link");
    };
    assert_eq!((info.packets_in, info.bytes_in), (1, 8));
    assert_eq!((info.packets_out, info.bytes_out), (1, 5));
    assert_eq!((info.node_id, info.outbound, info.dropped), (b.id, true, 0));
}

#[tokio::test]
async fn a_packet_has_one_byte_to_the_most_that_a_frame_holds() {
    let (a, mut b) = pair(quick()).await;
    for len in [1, 2, 65_000, MAX_FRAME_LEN] {
        let packet: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
        a.links.try_send(&b.id, packet.clone()).unwrap();
        assert_eq!(b.packet().await, packet);
    }
    let len = MAX_FRAME_LEN + 1;
    let too_long = a.links.try_send(&b.id, vec![0; len]);
    assert_eq!(too_long, Err(SendError::TooLong { len }));
    assert_eq!(a.links.try_send(&b.id, vec![]), Err(SendError::Empty));
    let nobody = a.links.try_send(&id(9), vec![1]);
    assert_eq!(nobody, Err(SendError::NotConnected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_packets_both_ways_at_once_arrive_whole_and_in_order() {
    const COUNT: u64 = 10_000;
    let (a, b) = pair(quick()).await;
    let tasks = [
        tokio::spawn(send_all(a.links.clone(), b.id, COUNT)),
        tokio::spawn(send_all(b.links.clone(), a.id, COUNT)),
        tokio::spawn(receive_all(a.events, COUNT)),
        tokio::spawn(receive_all(b.events, COUNT)),
    ];
    for task in tasks {
        support::soon(task).await.unwrap();
    }
}

async fn send_all(links: Links, to: NodeId, count: u64) {
    for number in 0..count {
        while let Err(error) = links.try_send(&to, packet(number)) {
            assert_eq!(error, SendError::QueueFull);
            tokio::task::yield_now().await;
        }
    }
}

async fn receive_all(mut events: mpsc::Receiver<LinkEvent>, count: u64) {
    for number in 0..count {
        match events.recv().await {
            Some(LinkEvent::Packet { bytes, .. }) => {
                assert!(bytes == packet(number), "packet {number} is another");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Packet `number`: most of them small, some of the greatest size, contents that depend on the number.
fn packet(number: u64) -> Vec<u8> {
    let chance = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let chance = usize::try_from(chance).unwrap();
    let most = if chance.is_multiple_of(64) {
        MAX_FRAME_LEN
    } else {
        2_000
    };
    let len = 8 + (chance / 64) % (most - 7);
    number.to_be_bytes().into_iter().cycle().take(len).collect()
}

#[tokio::test]
async fn a_closed_link_is_told_on_both_sides_and_dialled_again() {
    let (mut a, mut b) = pair(quick()).await;
    assert!(a.links.disconnect(&b.id));
    assert_eq!(a.down().await, DownReason::Local);
    assert_eq!(b.down().await, DownReason::PeerClosed);
    assert_eq!(a.up().await, b.id);
    assert_eq!(b.up().await, a.id);
    assert!(!a.links.disconnect(&id(9)));
}

#[tokio::test]
async fn a_node_that_was_not_dialled_gets_no_link() {
    let mut a = Node::start(1).await;
    let mut b = Node::start(2).await;
    let (expected, found) = (id(3), b.id);
    a.links
        .dial(PeerAddress {
            node_id: expected,
            ..b.peer()
        })
        .unwrap();
    let error = AttemptError::Handshake(HandshakeError::WrongNode { expected, found });
    let failed = LinkEvent::DialFailed {
        node_id: expected,
        error,
    };
    assert_eq!(a.event().await, failed);
    assert_eq!(a.links.dialled()[0].last_error, Some(error));
    until(|| b.links.totals().handshakes_failed > 0).await;
    b.links.shutdown().await;
    assert_eq!(b.events.recv().await, None, "b was told of a link");
}

#[tokio::test]
async fn a_node_does_not_link_with_itself() {
    let mut a = Node::start(1).await;
    assert_eq!(a.links.dial(a.peer()), Err(DialError::OwnId));
    let disguised = PeerAddress {
        node_id: id(2),
        ..a.peer()
    };
    a.links.dial(disguised).unwrap();
    let LinkEvent::DialFailed { error, .. } = a.event().await else {
        panic!("linked with itself");
    };
    assert_eq!(error, AttemptError::Handshake(HandshakeError::OwnId));
    assert_eq!(a.links.peers(), []);
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_the_start() {
    let local = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let error = Links::start([0; 32], local, quick()).await.unwrap_err();
    assert_eq!(error, LinkError::SecretKey);
    let a = Node::start(1).await;
    let taken = Links::start([2; 32], Some(a.address()), quick()).await;
    assert!(matches!(taken, Err(LinkError::Listen { address, .. }) if address == a.address()));
    let no_room = LinkConfig {
        event_queue: 0,
        ..quick()
    };
    let error = Links::start([2; 32], local, no_room).await.unwrap_err();
    assert!(matches!(
        error,
        LinkError::Config {
            field: "event_queue",
            ..
        }
    ));
}
