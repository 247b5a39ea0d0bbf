//! FACTS attack 22: a peer that connects, disconnects and reconnects at the worst moment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_link::{AttemptError, DownReason, LinkEvent, Links};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use support::{Node, OrderCheck, Wire, id, pair, quick, soon, until};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, yield_now},
};

#[tokio::test]
async fn a_peer_that_comes_back_on_its_port_is_linked_again() {
    let (mut a, mut b) = pair(quick()).await;
    let address = b.address();
    for _ in 0..3 {
        b.links.shutdown().await;
        assert_eq!(a.down().await, DownReason::PeerClosed);
        b = Node::at(2, address, quick()).await;
        assert_eq!(a.up().await, b.id);
        assert_eq!(b.up().await, a.id);
        a.links.try_send(&b.id, b"welcome back".to_vec()).unwrap();
        assert_eq!(b.packet().await, b"welcome back");
    }
}

#[tokio::test]
async fn a_node_that_is_not_there_is_tried_until_it_is_forgotten() {
    let gone = Node::start(2).await;
    let peer = gone.peer();
    gone.links.shutdown().await;
    let mut a = Node::start(1).await;
    a.links.dial(peer.clone()).unwrap();
    let error = AttemptError::Connect(io::ErrorKind::ConnectionRefused);
    let node_id = peer.node_id;
    for _ in 0..3 {
        assert_eq!(a.event().await, LinkEvent::DialFailed { node_id, error });
    }
    let [info] = &a.links.dialled()[..] else {
        panic!("not one node is dialled");
    };
    assert!(info.failures >= 3, "{info:?}");
    assert_eq!(
        (&info.address, info.last_error),
        (&peer.address, Some(error))
    );
    assert!(a.links.forget(&node_id));
    assert!(!a.links.forget(&node_id));
    assert_eq!(a.links.dialled(), []);
}

#[tokio::test]
async fn a_forgotten_node_keeps_its_link_but_is_not_dialled_again() {
    let (mut a, mut b) = pair(quick()).await;
    a.links.forget(&b.id);
    a.links.try_send(&b.id, b"still linked".to_vec()).unwrap();
    assert_eq!(b.packet().await, b"still linked");
    a.links.disconnect(&b.id);
    assert_eq!(a.down().await, DownReason::Local);
    assert_eq!(b.down().await, DownReason::PeerClosed);
    b.links.dial(a.peer()).unwrap();
    let LinkEvent::Up { outbound, .. } = a.event().await else {
        panic!("no link");
    };
    assert!(!outbound);
}

#[tokio::test]
async fn a_node_with_a_new_address_is_dialled_there() {
    let mut a = Node::start(1).await;
    let gone = Node::start(2).await;
    let old = gone.peer();
    gone.links.shutdown().await;
    a.links.dial(old).unwrap();
    assert!(matches!(a.event().await, LinkEvent::DialFailed { .. }));
    let b = Node::start(2).await;
    a.links.dial(b.peer()).unwrap();
    assert_eq!(a.up().await, b.id);
    assert_eq!(a.links.dialled().len(), 1);
}

#[tokio::test]
async fn a_node_that_connects_anew_replaces_its_old_connection() {
    let mut b = Node::start(2).await;
    let mut old = Wire::connect(b.address()).await;
    let mut old_forger = old.link(6).await;
    assert_eq!(b.up().await, id(6));
    old.send(&old_forger.seal(b"on the old one")).await;
    assert_eq!(b.packet().await, b"on the old one");

    let mut new = Wire::connect(b.address()).await;
    let mut new_forger = new.link(6).await;
    assert_eq!(b.down().await, DownReason::Replaced);
    assert_eq!(b.up().await, id(6));
    old.closed().await;
    b.links
        .try_send(&id(6), b"on the new one".to_vec())
        .unwrap();
    assert_eq!(new_forger.open(&new.receive().await), b"on the new one");
    assert_eq!(b.links.peers().len(), 1);
}

#[tokio::test]
async fn packets_queued_for_a_replaced_connection_go_over_the_new_one() {
    let mut b = Node::start(2).await;
    let mut old = Wire::connect(b.address()).await;
    old.link(6).await;
    assert_eq!(b.up().await, id(6));
    // The old connection's peer has died without a word; its kernel buffers are full.
    let mut taken: u32 = 0;
    let mut in_vain = 0;
    while in_vain < 2_000 {
        match b
            .links
            .try_send(&id(6), [&taken.to_be_bytes()[..], &[7; 60_000]].concat())
        {
            Ok(()) => {
                taken += 1;
                in_vain = 0;
            }
            Err(_) => {
                in_vain += 1;
                yield_now().await;
            }
        }
    }
    let mut new = Wire::connect(b.address()).await;
    let mut forger = new.link(6).await;
    assert_eq!(b.down().await, DownReason::Replaced);
    assert_eq!(b.up().await, id(6));
    let mut last = None;
    while last != Some(taken - 1) {
        let packet = forger.open(&new.receive().await);
        let number = u32::from_be_bytes(packet[..4].try_into().unwrap());
        assert!(
            last.is_none_or(|last| number == last + 1),
            "a gap after {last:?}"
        );
        last = Some(number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_dial_each_other_at_once_end_with_one_link() {
    for _ in 0..20 {
        let (a, b) = (Node::start(1).await, Node::start(2).await);
        a.links.dial(b.peer()).unwrap();
        b.links.dial(a.peer()).unwrap();
        let (mut at_a, _) = follow(a.events);
        let (mut at_b, _) = follow(b.events);
        settled(&a.links, &b.links).await;
        carries(&a.links, &b.links, &mut at_a, &mut at_b).await;
        settled(&a.links, &b.links).await;
    }
}

/// Waits until packets come both ways. One may be lost with a connection that gives way; so they are sent until one comes.
async fn carries(a: &Links, b: &Links, at_a: &mut Heard, at_b: &mut Heard) {
    for heard in [at_a, at_b] {
        while heard.try_recv().is_ok() {}
        until(|| {
            let _ = a.try_send(&b.node_id(), vec![1]);
            let _ = b.try_send(&a.node_id(), vec![1]);
            heard.try_recv().is_ok()
        })
        .await;
    }
}

/// Waits until both nodes have one link, the same one.
async fn settled(a: &Links, b: &Links) {
    until(|| {
        let (at_a, at_b) = (a.peers(), b.peers());
        let ([at_a], [at_b]) = (&at_a[..], &at_b[..]) else {
            return false;
        };
        assert_eq!(at_a.node_id, b.node_id());
        assert_eq!(at_b.node_id, a.node_id());
        at_a.outbound != at_b.outbound
    })
    .await;
}

type Heard = mpsc::UnboundedReceiver<()>;

/// Checks the order of all events, passes on that a packet came, and answers how many links there were.
fn follow(mut events: mpsc::Receiver<LinkEvent>) -> (Heard, JoinHandle<u64>) {
    let (heard, hear) = mpsc::unbounded_channel();
    let following = tokio::spawn(async move {
        let mut order = OrderCheck::default();
        let mut ups = 0;
        while let Some(event) = events.recv().await {
            order.see(&event);
            ups += u64::from(matches!(event, LinkEvent::Up { .. }));
            if matches!(event, LinkEvent::Packet { .. }) {
                let _ = heard.send(());
            }
        }
        ups
    });
    (hear, following)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnecting_at_the_worst_moments_never_wedges_a_link() {
    let a = Node::start(1).await;
    let b = Node::start(2).await;
    let (a_links, b_links) = (a.links.clone(), b.links.clone());
    let (a_peer, b_peer, a_address) = (a.peer(), b.peer(), a.address());
    let (mut at_a, following_a) = follow(a.events);
    let (mut at_b, following_b) = follow(b.events);
    a_links.dial(b_peer.clone()).unwrap();
    b_links.dial(a_peer.clone()).unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let mut chaos = Vec::new();
    for (links, peer) in [(a_links.clone(), b_peer), (b_links.clone(), a_peer)] {
        let stop = Arc::clone(&stop);
        chaos.push(tokio::spawn(async move {
            let mut round = 0_u32;
            while !stop.load(Relaxed) {
                round = round.wrapping_add(1);
                let _ = links.try_send(&peer.node_id, vec![7; 100]);
                if round.is_multiple_of(50) {
                    links.disconnect(&peer.node_id);
                }
                if round.is_multiple_of(170) {
                    links.forget(&peer.node_id);
                    links.dial(peer.clone()).unwrap();
                }
                yield_now().await;
            }
        }));
    }
    // A second program with b's key, which takes b's place at a again and again, and leaves at once or lingers.
    for linger in [false, true] {
        let stop = Arc::clone(&stop);
        chaos.push(tokio::spawn(async move {
            let mut lingering = Vec::new();
            while !stop.load(Relaxed) {
                let mut wire = Wire::connect(a_address).await;
                // a refuses this one when its own dial, at the same moment, is the one to keep.
                if wire.try_link(2).await.is_some() && linger {
                    lingering.push(wire);
                    lingering.drain(..lingering.len().saturating_sub(4));
                }
            }
        }));
    }
    for _ in 0..1_000 {
        soon(at_a.recv()).await.unwrap();
    }
    stop.store(true, Relaxed);
    for task in chaos {
        soon(task).await.unwrap();
    }

    // When it is quiet again there is one link, and it carries both ways.
    settled(&a_links, &b_links).await;
    carries(&a_links, &b_links, &mut at_a, &mut at_b).await;
    soon(async { tokio::join!(a_links.shutdown(), b_links.shutdown()) }).await;
    let ups = soon(following_a).await.unwrap();
    soon(following_b).await.unwrap();
    assert!(ups > 10, "only {ups} links: nothing raced");
}
