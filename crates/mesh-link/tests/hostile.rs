//! What a peer may do to a link over a real socket: nothing but end it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_link::{DownReason, Hello, LinkConfig, LinkEvent, ProtocolError, Role};
use mesh_types::PeerAddress;
use std::{net::SocketAddr, time::Duration};
use support::{Forger, Node, Wire, frame, id, quick, soon, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

async fn linked() -> (Node, Wire, Forger) {
    linked_with(quick()).await
}

async fn linked_with(config: LinkConfig) -> (Node, Wire, Forger) {
    let mut node = Node::with(2, config).await;
    let mut wire = Wire::connect(node.address()).await;
    let forger = wire.link(6).await;
    assert_eq!(node.up().await, id(6));
    (node, wire, forger)
}

#[tokio::test]
async fn garbage_instead_of_a_handshake_is_closed() {
    let b = Node::start(2).await;
    let bitcoin = *b"\xf9\xbe\xb4\xd9version\0\0\0\0\0\x66\0\0\0\x11\x22\x33\x44";
    let garbage: [&[u8]; 5] = [
        &bitcoin,
        b"GET / HTTP/1.1\r\n\r\n",
        &[0, 0],
        &[0xff; 70_000],
        &[&[0, 32][..], &[9; 32], &[0, 113], &[9; 113]].concat(),
    ];
    for (index, bytes) in (1..).zip(garbage) {
        let mut wire = Wire::connect(b.address()).await;
        // The node may close before all is written.
        let _ = wire.stream.write_all(bytes).await;
        wire.closed().await;
        until(|| b.links.totals().handshakes_failed == index).await;
    }
    assert_eq!(b.links.peers(), []);
}

#[tokio::test]
async fn a_hello_that_proves_nothing_gets_no_link() {
    let mut b = Node::start(2).await;
    let (mut old_wire, victim) = (Wire::connect(b.address()).await, id(1));
    let (old, _) = old_wire.channel().await;
    let recorded = old.hello(1, Role::Initiator, Some(b.id));
    drop(old_wire);

    let forged = |forger: &Forger| Hello {
        node_id: victim,
        ..forger.hello(6, Role::Initiator, Some(id(2)))
    };
    let own = |forger: &Forger| forger.hello(2, Role::Initiator, Some(id(2)));
    let replayed = |_: &Forger| recorded;
    let lies: [&dyn Fn(&Forger) -> Hello; 3] = [&forged, &own, &replayed];
    for lie in lies {
        let mut wire = Wire::connect(b.address()).await;
        let (mut forger, _) = wire.channel().await;
        let hello = lie(&forger);
        wire.send(&forger.seal(&hello.emit())).await;
        wire.closed().await;
    }
    until(|| b.links.totals().handshakes_failed == 4).await;
    b.links.shutdown().await;
    assert_eq!(b.events.recv().await, None, "somebody got a link");
}

#[tokio::test]
async fn a_frame_that_is_not_authentic_ends_the_link() {
    for len in [16, 17, 1_000, 65_535] {
        let (mut b, mut wire, _) = linked().await;
        wire.send(&vec![7; len]).await;
        let reason = DownReason::Protocol(ProtocolError::NotAuthentic);
        assert_eq!(b.down().await, reason);
        wire.closed().await;
    }
}

#[tokio::test]
async fn a_frame_too_short_for_its_tag_ends_the_link() {
    for len in [0, 1, 15] {
        let (mut b, mut wire, _) = linked().await;
        wire.send(&vec![7; len]).await;
        let reason = b.down().await;
        assert!(
            matches!(reason, DownReason::Protocol(ProtocolError::Frame(error)) if error.found == len),
            "{reason:?}"
        );
        wire.closed().await;
    }
}

#[tokio::test]
async fn a_connection_that_ends_inside_a_frame_ends_the_link() {
    for cut in 1..=3 {
        let (mut b, mut wire, mut forger) = linked().await;
        wire.send(&forger.seal(b"whole")).await;
        let half = frame(&forger.seal(b"never whole"));
        wire.stream
            .write_all(&half[..half.len() - cut * 9])
            .await
            .unwrap();
        drop(wire);
        assert_eq!(b.packet().await, b"whole");
        let reason = DownReason::Protocol(ProtocolError::Truncated);
        assert_eq!(b.down().await, reason);
    }
}

#[tokio::test]
async fn a_frame_that_comes_again_or_out_of_order_ends_the_link() {
    let (mut b, mut wire, mut forger) = linked().await;
    let first = forger.seal(b"pay me once");
    wire.send(&first).await;
    wire.send(&first).await;
    assert_eq!(b.packet().await, b"pay me once");
    let reason = DownReason::Protocol(ProtocolError::NotAuthentic);
    assert_eq!(b.down().await, reason);

    let (mut b, mut wire, mut forger) = linked().await;
    forger.seal(b"left out");
    wire.send(&forger.seal(b"second")).await;
    assert_eq!(b.down().await, reason);
}

#[tokio::test]
async fn frames_that_come_byte_by_byte_are_packets_all_the_same() {
    let (mut b, mut wire, mut forger) = linked().await;
    let frames = [frame(&forger.seal(b"one")), frame(&forger.seal(b"two"))].concat();
    for byte in frames {
        wire.stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(b.packet().await, b"one");
    assert_eq!(b.packet().await, b"two");
}

#[tokio::test]
async fn one_bit_flipped_on_the_way_ends_the_link_on_both_sides() {
    let mut a = Node::start(1).await;
    let mut b = Node::start(2).await;
    let middle = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = middle.local_addr().unwrap().to_string();
    let flipping = tokio::spawn(flip_after_the_handshake(middle, b.address()));
    a.links
        .dial(PeerAddress {
            node_id: b.id,
            address,
        })
        .unwrap();
    assert_eq!(a.up().await, b.id);
    assert_eq!(b.up().await, a.id);
    a.links.forget(&b.id);
    a.links.try_send(&b.id, vec![1; 1_200]).unwrap();
    let reason = DownReason::Protocol(ProtocolError::NotAuthentic);
    assert_eq!(b.down().await, reason);
    assert_eq!(a.down().await, DownReason::PeerClosed);
    soon(flipping).await.unwrap();
}

/// Carries bytes both ways, and flips one bit of what the dialler sends after its handshake.
async fn flip_after_the_handshake(middle: TcpListener, to: SocketAddr) {
    let (near, _) = middle.accept().await.unwrap();
    let far = TcpStream::connect(to).await.unwrap();
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let forth = async {
        let mut handshake = [0; 2 + 32 + 2 + 113];
        near_in.read_exact(&mut handshake[..34]).await.unwrap();
        far_out.write_all(&handshake[..34]).await.unwrap();
        near_in.read_exact(&mut handshake[34..]).await.unwrap();
        far_out.write_all(&handshake[34..]).await.unwrap();
        let mut packet = [0; 2 + 1_200 + 16];
        near_in.read_exact(&mut packet).await.unwrap();
        packet[600] ^= 0x10;
        far_out.write_all(&packet).await.unwrap();
    };
    let back = async {
        let _ = tokio::io::copy(&mut far_in, &mut near_out).await;
        let _ = near_out.shutdown().await;
    };
    tokio::join!(forth, back);
}

#[tokio::test]
async fn a_silent_peer_is_given_up() {
    let config = LinkConfig {
        idle_timeout: Duration::from_millis(100),
        ..quick()
    };
    let (mut b, mut wire, _) = linked_with(config).await;
    assert_eq!(b.down().await, DownReason::Idle);
    wire.closed().await;
}

#[tokio::test]
async fn keepalives_hold_a_quiet_link() {
    let config = LinkConfig {
        idle_timeout: Duration::from_millis(1_200),
        ..quick()
    };
    let (mut b, mut wire, mut forger) = linked_with(config).await;
    // Five keepalives take longer than the idle timeout; the peer answers each with its own.
    for _ in 0..5 {
        assert_eq!(forger.open(&wire.receive().await), []);
        wire.send(&forger.seal(&[])).await;
    }
    wire.send(&forger.seal(b"still here")).await;
    assert_eq!(
        b.event().await,
        LinkEvent::Packet {
            from: id(6),
            bytes: b"still here".to_vec()
        }
    );
}
