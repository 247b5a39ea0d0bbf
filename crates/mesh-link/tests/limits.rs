//! FACTS attacks 13 and 24: half-open handshakes, queues and links without bound.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_link::{
    AttemptError, DownReason, HandshakeError, LinkConfig, LinkEvent, MAX_FRAME_LEN, Refusal,
    SendError,
};
use std::{net::SocketAddr, time::Duration};
use support::{Node, Wire, frame, id, quick, soon, until};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    task::yield_now,
};

#[tokio::test]
async fn a_handshake_that_creeps_is_cut_off_and_holds_nobody_up() {
    let mut b = Node::with(
        2,
        LinkConfig {
            handshake_timeout: Duration::from_secs(1),
            ..quick()
        },
    )
    .await;
    let mut creeping = Vec::new();
    for _ in 0..4 {
        let mut wire = Wire::connect(b.address()).await;
        wire.stream.write_all(&[0]).await.unwrap();
        creeping.push(wire);
    }
    let mut a = Node::start(1).await;
    a.links.dial(b.peer()).unwrap();
    assert_eq!(a.up().await, b.id);
    assert_eq!(b.up().await, a.id);
    for wire in &mut creeping {
        wire.closed().await;
    }
    until(|| b.links.totals().handshakes_timed_out >= 4).await;
}

#[tokio::test]
async fn a_handshake_is_cut_off_at_every_stage() {
    let config = LinkConfig {
        handshake_timeout: Duration::from_millis(500),
        ..quick()
    };
    let b = Node::with(2, config).await;
    let mut silent = Wire::connect(b.address()).await;
    silent.closed().await;
    let mut anonymous = Wire::connect(b.address()).await;
    anonymous.channel().await;
    anonymous.closed().await;
    until(|| b.links.totals().handshakes_timed_out == 2).await;
    assert_eq!(b.links.peers(), []);
}

#[tokio::test]
async fn half_open_connections_are_bounded_and_the_rest_is_closed_at_once() {
    let b = Node::with(
        2,
        LinkConfig {
            max_half_open: 3,
            ..quick()
        },
    )
    .await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        // Its channel shows that it has a slot.
        let mut wire = Wire::connect(b.address()).await;
        wire.channel().await;
        waiting.push(wire);
    }
    for refused in 1..=5 {
        Wire::connect(b.address()).await.closed().await;
        assert_eq!(b.links.totals().half_open_refused, refused);
    }
    drop(waiting.pop());
    until(|| b.links.totals().handshakes_failed == 1).await;
    Wire::connect(b.address()).await.link(6).await;
    assert_eq!(b.links.totals().half_open_refused, 5);
}

#[tokio::test]
async fn one_host_cannot_take_all_half_open_slots() {
    let b = Node::with(
        2,
        LinkConfig {
            max_half_open_per_ip: 2,
            ..quick()
        },
    )
    .await;
    let mut greedy = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::connect(b.address()).await;
        wire.channel().await;
        greedy.push(wire);
    }
    Wire::connect(b.address()).await.closed().await;
    assert_eq!(b.links.totals().half_open_refused, 1);
    let mut other = Wire::over(connect_from([127, 0, 0, 2], b.address()).await);
    other.link(6).await;
}

async fn connect_from(host: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((host, 0))).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test]
async fn links_are_bounded_except_with_nodes_that_we_dial() {
    let mut hub = Node::with(
        1,
        LinkConfig {
            max_links: 1,
            ..quick()
        },
    )
    .await;
    let mut first = Node::start(2).await;
    first.links.dial(hub.peer()).unwrap();
    assert_eq!(first.up().await, hub.id);
    assert_eq!(hub.up().await, first.id);

    let mut second = Node::start(3).await;
    second.links.dial(hub.peer()).unwrap();
    let error = AttemptError::Handshake(HandshakeError::Refused(Refusal::Full));
    let node_id = hub.id;
    assert_eq!(
        second.event().await,
        LinkEvent::DialFailed { node_id, error }
    );
    assert!(hub.links.totals().links_refused >= 1);

    let mut third = Node::start(4).await;
    hub.links.dial(third.peer()).unwrap();
    assert_eq!(third.up().await, hub.id);
    assert_eq!(hub.up().await, third.id);

    // A node that has a link may replace it though all are taken.
    let mut again = Wire::connect(hub.address()).await;
    again.link(2).await;
    assert_eq!(hub.down().await, DownReason::Replaced);
    assert_eq!(hub.up().await, first.id);
}

#[tokio::test]
async fn a_full_queue_says_so_loses_nothing_and_recovers() {
    let mut b = Node::with(
        2,
        LinkConfig {
            send_queue_packets: 8,
            ..quick()
        },
    )
    .await;
    let mut wire = Wire::connect(b.address()).await;
    let mut forger = wire.link(6).await;
    assert_eq!(b.up().await, id(6));

    let packet = |number: u32| [&number.to_be_bytes()[..], &vec![7; 60_000]].concat();
    let mut taken = 0;
    let full = loop {
        match b.links.try_send(&id(6), packet(taken)) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full, SendError::QueueFull);
    assert_eq!(taken, 8, "nothing has run in between on this one thread");
    assert_eq!(b.links.peers()[0].dropped, 1);
    for number in 0..taken {
        assert!(forger.open(&wire.receive().await) == packet(number));
    }
    b.links.try_send(&id(6), packet(taken)).unwrap();
    assert!(forger.open(&wire.receive().await) == packet(taken));
}

#[tokio::test]
async fn a_queue_is_bounded_in_bytes_too() {
    let config = LinkConfig {
        send_queue_bytes: MAX_FRAME_LEN,
        ..quick()
    };
    let mut b = Node::with(2, config).await;
    let mut wire = Wire::connect(b.address()).await;
    wire.link(6).await;
    assert_eq!(b.up().await, id(6));
    b.links.try_send(&id(6), vec![1; MAX_FRAME_LEN]).unwrap();
    assert_eq!(b.links.try_send(&id(6), vec![1]), Err(SendError::QueueFull));
}

#[tokio::test]
async fn a_slow_program_slows_its_peers_and_loses_nothing() {
    let mut b = Node::with(
        2,
        LinkConfig {
            event_queue: 4,
            ..quick()
        },
    )
    .await;
    let mut a = Node::start(1).await;
    a.links.dial(b.peer()).unwrap();
    assert_eq!(a.up().await, b.id);
    // b's program reads nothing now. What a may hand over is what fits in the queues and in the kernel's buffers.
    let packet = |number: u32| [&number.to_be_bytes()[..], &vec![7; 65_000]].concat();
    let mut taken = 0;
    let mut tries_in_vain = 0;
    while tries_in_vain < 5_000 {
        match a.links.try_send(&b.id, packet(taken)) {
            Ok(()) => {
                taken += 1;
                tries_in_vain = 0;
            }
            Err(error) => {
                assert_eq!(error, SendError::QueueFull);
                tries_in_vain += 1;
                yield_now().await;
            }
        }
        assert!(taken < 5_000, "nothing slows the sender down");
    }
    // Another node is not held up for good, and b learns of both.
    let mut c = Node::start(3).await;
    c.links.dial(b.peer()).unwrap();
    assert_eq!(c.up().await, b.id);
    assert_eq!(b.up().await, a.id);
    let mut next = 0;
    let mut c_is_up = false;
    while next < taken || !c_is_up {
        match b.event().await {
            LinkEvent::Packet { bytes, .. } => {
                assert!(bytes == packet(next));
                next += 1;
            }
            LinkEvent::Up { node_id, .. } => {
                assert_eq!(node_id, c.id);
                c_is_up = true;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_peer_that_takes_no_bytes_is_given_up_though_it_speaks() {
    let config = LinkConfig {
        idle_timeout: Duration::from_secs(1),
        ..quick()
    };
    let mut b = Node::with(2, config).await;
    let mut wire = Wire::connect(b.address()).await;
    let mut forger = wire.link(6).await;
    assert_eq!(b.up().await, id(6));
    let (_unread, mut speaking) = wire.stream.into_split();
    let speaks = tokio::spawn(async move {
        while speaking.write_all(&frame(&forger.seal(&[]))).await.is_ok() {
            yield_now().await;
        }
    });
    let down = async {
        loop {
            if let Ok(event) = b.events.try_recv() {
                return event;
            }
            let _ = b.links.try_send(&id(6), vec![1; MAX_FRAME_LEN]);
            yield_now().await;
        }
    };
    let (node_id, reason) = (id(6), DownReason::Stalled);
    assert_eq!(soon(down).await, LinkEvent::Down { node_id, reason });
    assert!(
        b.links.totals().packets_lost > 0,
        "what was taken is counted"
    );
    soon(speaks).await.unwrap();
}
