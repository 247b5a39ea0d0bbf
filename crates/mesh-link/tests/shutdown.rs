//! How links end: what was taken is sent, and nothing stays behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_link::{DialError, DownReason, LinkConfig, LinkEvent, SendError};
use std::time::Duration;
use support::{Node, Wire, id, pair, quick, soon};
use tokio::net::TcpListener;

#[tokio::test]
async fn what_was_taken_before_a_shutdown_arrives() {
    let (mut a, mut b) = pair(quick()).await;
    let packet = |number: u8| vec![number; 20_000];
    for number in 0..200 {
        a.links.try_send(&b.id, packet(number)).unwrap();
    }
    let receiving = tokio::spawn(async move {
        for number in 0..200 {
            assert!(
                b.packet().await == packet(number),
                "packet {number} is another"
            );
        }
        assert_eq!(b.down().await, DownReason::PeerClosed);
    });
    soon(a.links.shutdown()).await;
    soon(receiving).await.unwrap();
    assert_eq!(a.down().await, DownReason::Local);
    assert_eq!(soon(a.events.recv()).await, None);
    assert_eq!(a.links.totals().packets_lost, 0);
}

#[tokio::test]
async fn after_a_shutdown_nothing_is_taken_dialled_or_listened_to() {
    let (a, b) = pair(quick()).await;
    let address = a.address();
    soon(async { tokio::join!(a.links.shutdown(), b.links.shutdown()) }).await;
    assert_eq!(a.links.try_send(&b.id, vec![1]), Err(SendError::Closed));
    assert_eq!(a.links.dial(b.peer()), Err(DialError::Closed));
    assert_eq!(a.links.peers(), []);
    TcpListener::bind(address).await.unwrap();
    // Once more is as good as once.
    soon(a.links.shutdown()).await;
}

#[tokio::test]
async fn a_peer_that_takes_nothing_holds_a_shutdown_up_for_its_time_only() {
    let config = LinkConfig {
        shutdown_timeout: Duration::from_millis(50),
        ..quick()
    };
    let mut b = Node::with(2, config).await;
    let mut half_open = Wire::connect(b.address()).await;
    half_open.channel().await;
    let mut wire = Wire::connect(b.address()).await;
    wire.link(6).await;
    assert_eq!(b.up().await, id(6));
    for _ in 0..60 {
        b.links.try_send(&id(6), vec![1; 65_000]).unwrap();
    }
    soon(b.links.shutdown()).await;
    half_open.closed().await;
    assert_eq!(b.links.peers(), []);
}

#[tokio::test]
async fn a_program_that_reads_no_events_can_still_shut_down() {
    let config = LinkConfig {
        shutdown_timeout: Duration::from_millis(50),
        event_queue: 1,
        ..quick()
    };
    let b = Node::with(2, config).await;
    let mut a = Node::start(1).await;
    a.links.dial(b.peer()).unwrap();
    assert_eq!(a.up().await, b.id);
    for _ in 0..100 {
        a.links.try_send(&b.id, vec![1; 1_000]).unwrap();
    }
    soon(b.links.shutdown()).await;
}

#[tokio::test]
async fn links_that_nobody_holds_end() {
    let (a, mut b) = pair(quick()).await;
    let mut events = a.events;
    drop(a.links);
    while let Some(event) = soon(events.recv()).await {
        assert!(matches!(event, LinkEvent::Down { .. }), "{event:?}");
    }
    assert_eq!(b.down().await, DownReason::PeerClosed);
}
