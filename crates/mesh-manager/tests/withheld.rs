//! Neighbours that send and do not pay: when their link is not announced any more, and what nobody else can do about that.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::{Attempt, ForgetfulStore, Refusal, Reply, SendOptions};
use mesh_types::*;
use std::{sync::Arc, time::Duration};
use support::{learning::*, *};

/// The nodes `1 - 2 - … - n`, which have learned of each other.
async fn line(configs: Vec<MeshConfig>) -> (Chain, Hurry) {
    let count = configs.len() as u8;
    let chain = Chain::unlinked(configs, || Arc::new(ForgetfulStore::default())).await;
    for (a, b) in (1..count).zip(2..) {
        link(&chain, a, b);
    }
    let hurry = Hurry::on(&chain.clock);
    until("the ends know a way", || {
        knows_way(&chain, 1, count) && knows_way(&chain, count, 1)
    })
    .await;
    (chain, hurry)
}

async fn withheld(chain: &Chain, node: u8) -> Vec<NodeId> {
    let peers = chain.mesh(usize::from(node) - 1).peers().await.into_iter();
    let withheld = peers.filter(|peer| peer.is_withheld);
    withheld.map(|peer| peer.node_id).collect()
}

/// Sends packets that nobody pays for, five seconds apart, over `seeds`.
async fn send_unpaid(chain: &Chain, seeds: &[u8], packets: u32) {
    let source = chain.mesh(usize::from(seeds[0]) - 1);
    for _ in 0..packets {
        let attempt = Attempt {
            route: route(seeds),
            payload: b"not paid for".to_vec(),
            fee: Msat::from_msat(100_000),
            proof: None,
            is_sealed: false,
            timeout: PATIENCE,
        };
        let (_, reply) = source.attempt(attempt).await.unwrap();
        assert!(matches!(reply, Reply::PaymentRequired { .. }), "{reply:?}");
        chain.clock.advance(Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_neighbour_that_sends_and_does_not_pay_is_not_announced_until_it_pays() {
    let (chain, _hurry) = line(vec![open(), gated(RELAY_PRICE), open()]).await;
    send_unpaid(&chain, &[1, 2, 3], 20).await;
    assert_eq!(withheld(&chain, 2).await, [id(1)]);
    until("nobody is led over it", || !knows_way(&chain, 3, 1)).await;
    // Coming back makes nobody one who pays.
    chain.nodes[1].hears_that_gone(1);
    chain.nodes[1].hears_that_linked(1);
    assert_eq!(withheld(&chain, 2).await, [id(1)]);
    let options = SendOptions {
        timeout: PATIENCE,
        ..SendOptions::default()
    };
    let sending = chain.mesh(0).send(id(3), b"paid for".to_vec(), options);
    sending.await.unwrap();
    assert_eq!(withheld(&chain, 2).await, []);
    until("it is announced again", || knows_way(&chain, 3, 1)).await;
}

#[tokio::test]
async fn nobody_gets_an_honest_neighbour_withheld() {
    let configs = vec![open(), open(), gated(RELAY_PRICE), open()];
    let (chain, _hurry) = line(configs).await;
    // Unpaid packets of somebody else, which the neighbour hands on.
    send_unpaid(&chain, &[1, 2, 3, 4], 40).await;
    assert_eq!(withheld(&chain, 3).await, []);
    // One unpaid packet of its own, again and again: over its link, over another one, and with another name on it.
    send_unpaid(&chain, &[2, 3, 4], 1).await;
    let log = chain.wires.log.lock().unwrap().clone();
    let is_own = |(from, to, bytes): &&OnTheWire| {
        let packet = mesh_protocol::PacketView::parse(bytes).unwrap();
        *from == id(2) && to == "node-3" && packet.source() == *from && packet.route().len() == 3
    };
    let (_, _, own) = log.iter().rfind(is_own).unwrap();
    for _ in 0..40 {
        let again = chain.mesh(2).receive(id(2), own.clone()).await;
        assert!(matches!(again, Err(Refusal::PaymentRequired { .. })));
        let elsewhere = chain.mesh(2).receive(id(4), own.clone()).await;
        assert!(matches!(elsewhere, Err(Refusal::WrongPreviousHop { .. })));
        let mut forged = own.clone();
        *forged.last_mut().unwrap() ^= 1;
        chain.mesh(2).receive(id(2), forged).await.unwrap_err();
        chain.clock.advance(Duration::from_millis(1_600));
    }
    assert_eq!(withheld(&chain, 3).await, []);
}
