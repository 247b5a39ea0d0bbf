//! Whole meshes: real packets and invoices between managers, queues instead of sockets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::{Attempt, INBOX_PACKETS, Money, Refusal, RefusalReason, Reply, SendOptions};
use mesh_protocol::{ControlMessage, RefusalCode, emit_authenticated};
use mesh_types::*;
use std::{sync::atomic::Ordering, time::Duration};
use support::{store::Stores, *};

const FEE: Msat = Msat::from_msat(10_000);
const PATIENCE: Duration = Duration::from_secs(20);

fn three() -> Vec<MeshConfig> {
    vec![open(), gated(RELAY_PRICE), gated(DESTINATION_PRICE)]
}

fn options() -> SendOptions {
    SendOptions {
        timeout: PATIENCE,
        packets_ahead: 1,
        tops_up: false,
        ..SendOptions::default()
    }
}

fn attempt(payload: &[u8], fee: Msat, proof: Option<ProofForHop>) -> Attempt {
    Attempt {
        route: route(&[1, 2, 3]),
        payload: payload.to_vec(),
        fee,
        proof,
        is_sealed: true,
        timeout: PATIENCE,
    }
}

/// Buys the source credit with the relay and hands the proof over, unshown.
async fn buy(chain: &Chain, seeds: &[u8], payload: &[u8]) -> ProofForHop {
    let unpaid = Attempt {
        route: route(seeds),
        ..attempt(payload, FEE, None)
    };
    let (_, reply) = chain.mesh(0).attempt(unpaid).await.unwrap();
    let Reply::PaymentRequired {
        by,
        invoice: Some(invoice),
        ..
    } = reply
    else {
        panic!("expected a quote, got {reply:?}")
    };
    let paid = chain
        .mesh(0)
        .pay(by, &invoice, Msat::from_msat(50_000))
        .await
        .unwrap();
    ProofForHop {
        hop: 1,
        proof: paid.proof,
    }
}

#[tokio::test]
async fn send_pays_every_priced_node_and_delivers_sealed() {
    let chain = Chain::of(three()).await;
    let sent = chain
        .mesh(0)
        .send(id(3), b"hello".to_vec(), options())
        .await
        .unwrap();
    assert_eq!(sent.fee, FEE);
    let delivery = chain.mesh(2).next_delivery().await;
    assert_eq!(
        (delivery.payload.as_slice(), delivery.source),
        (b"hello".as_slice(), id(1))
    );
    assert!(delivery.is_sealed);
    assert_eq!(money(chain.mesh(1)).await.earned, Msat::from_msat(3_000));
    assert_eq!(money(chain.mesh(2)).await.earned, Msat::from_msat(6_000));
    assert_eq!(chain.mesh(0).status().await.spent, sent.deposited);
    for node in &chain.nodes {
        money(&node.mesh).await;
    }
    let on_the_wire = chain.wires.log.lock().unwrap();
    assert!(
        !on_the_wire
            .iter()
            .any(|(_, _, bytes)| bytes.windows(5).any(|run| run == b"hello"))
    );
}

#[tokio::test]
async fn credit_bought_ahead_carries_the_next_packets_without_another_payment() {
    let chain = Chain::of(three()).await;
    let ahead = SendOptions {
        packets_ahead: 5,
        ..options()
    };
    for _ in 0..5 {
        chain
            .mesh(0)
            .send(id(3), b"again".to_vec(), ahead.clone())
            .await
            .unwrap();
    }
    assert_eq!(chain.nodes[0].wallet.paid.lock().unwrap().len(), 2);
    assert_eq!(money(chain.mesh(1)).await.earned, Msat::from_msat(15_000));
}

#[tokio::test]
async fn a_price_above_the_limit_is_not_paid() {
    let chain = Chain::of(three()).await;
    let thrifty = SendOptions {
        limit: Msat::from_msat(2_999),
        ..options()
    };
    let error = chain
        .mesh(0)
        .send(id(3), b"dear".to_vec(), thrifty)
        .await
        .unwrap_err();
    assert!(
        matches!(error.reason, MeshError::PaymentVerificationFailed(_)),
        "{error}"
    );
    assert!(chain.nodes[0].wallet.paid.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_bitcoin_message_is_sent_free_and_in_clear() {
    let chain = Chain::of(three()).await;
    let sent = chain
        .mesh(0)
        .send(id(3), bitcoin_ping(5), options())
        .await
        .unwrap();
    assert_eq!((sent.fee, sent.deposited), (Msat::ZERO, Msat::ZERO));
    let delivery = chain.mesh(2).next_delivery().await;
    assert_eq!(delivery.payload, bitcoin_ping(5));
    assert!(!delivery.is_sealed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixty_four_packets_with_one_proof_exactly_one_is_credited() {
    let chain = Chain::of(three()).await;
    let proof = buy(&chain, &[1, 2, 3], b"race").await;
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (mesh, attempt) = (
            chain.mesh(0).clone(),
            attempt(b"race", FEE, Some(proof.clone())),
        );
        racing.spawn(async move { mesh.attempt(attempt).await.unwrap().1 });
    }
    let replies = racing.join_all().await;
    let replayed = Reply::Refused {
        by: id(2),
        code: RefusalCode::ProofReplayed,
    };
    assert_eq!(
        replies.iter().filter(|reply| **reply == replayed).count(),
        63
    );
    assert_eq!(money(chain.mesh(1)).await.deposited, Msat::from_msat(3_000));
    assert_eq!(chain.mesh(1).status().await.claimed, 1);
}

#[tokio::test]
async fn a_claimed_proof_is_refused_in_every_later_packet() {
    let chain = Chain::of(vec![open(), gated(RELAY_PRICE), open()]).await;
    let proof = buy(&chain, &[1, 2, 3], b"once").await;
    let first = chain
        .mesh(0)
        .attempt(attempt(b"once", FEE, Some(proof.clone())))
        .await
        .unwrap();
    assert_eq!(first.1, Reply::Delivered);
    let second = chain
        .mesh(0)
        .attempt(attempt(b"twice", FEE, Some(proof)))
        .await
        .unwrap();
    assert_eq!(
        second.1,
        Reply::Refused {
            by: id(2),
            code: RefusalCode::ProofReplayed
        }
    );
}

#[tokio::test]
async fn a_store_that_cannot_answer_means_refused_and_nothing_credited() {
    let stores = Stores::of(3);
    let chain = Chain::with_stores(three(), stores.each()).await;
    let proof = buy(&chain, &[1, 2, 3], b"x").await;
    stores.at(1).is_down.store(true, Ordering::SeqCst);
    let (_, reply) = chain
        .mesh(0)
        .attempt(attempt(b"x", FEE, Some(proof)))
        .await
        .unwrap();
    assert_eq!(
        reply,
        Reply::Refused {
            by: id(2),
            code: RefusalCode::Busy
        }
    );
    assert!(chain.mesh(1).status().await.money.is_err());
    stores.at(1).is_down.store(false, Ordering::SeqCst);
    assert_eq!(money(chain.mesh(1)).await, Money::default());
    assert_eq!(
        chain.mesh(1).status().await.refusals[&RefusalReason::Store],
        1
    );
}

#[tokio::test]
async fn a_proof_survives_the_failure_of_the_packet_that_brought_it() {
    let chain = Chain::of(vec![open(), gated(RELAY_PRICE), open()]).await;
    let proof = buy(&chain, &[1, 2, 3], b"late").await;
    let draft = mesh_manager::Draft {
        proof: Some(proof),
        ..data(&[1, 2, 3], b"late", FEE)
    };
    let composed = chain
        .mesh(0)
        .engine()
        .compose(draft, [1; 24], chain.clock.now())
        .unwrap();
    chain.wires.are_full.store(true, Ordering::SeqCst);
    let refused = chain
        .mesh(1)
        .receive(id(1), composed.bytes)
        .await
        .unwrap_err();
    assert_eq!(refused.reason(), RefusalReason::Busy);
    chain.wires.are_full.store(false, Ordering::SeqCst);
    assert_eq!(money(chain.mesh(1)).await.credit, RELAY_PRICE);
    let (_, reply) = chain
        .mesh(0)
        .attempt(attempt(b"late", FEE, None))
        .await
        .unwrap();
    assert_eq!(reply, Reply::Delivered);
}

#[tokio::test]
async fn a_flood_of_quote_requests_gets_prices_and_only_a_few_invoices() {
    let chain = Chain::of(three()).await;
    let mut invoices = 0;
    for _ in 0..100 {
        let (_, reply) = chain
            .mesh(0)
            .attempt(attempt(b"?", FEE, None))
            .await
            .unwrap();
        let Reply::PaymentRequired { price, invoice, .. } = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(price, RELAY_PRICE);
        invoices += usize::from(invoice.is_some());
    }
    assert!((1..=20).contains(&invoices), "{invoices} invoices");
}

#[tokio::test]
async fn a_reply_that_nobody_asked_for_or_by_somebody_else_changes_nothing() {
    let chain = Chain::of(three()).await;
    // The relay says for the destination that a packet was delivered; and answers what was never asked.
    for sequence in [1, u64::MAX >> 1] {
        let draft = mesh_manager::Draft {
            kind: PacketKind::Control,
            payload: ControlMessage::Delivered { sequence }.encode().unwrap(),
            ..data(&[2, 1], b"", Msat::ZERO)
        };
        let bytes = chain
            .mesh(1)
            .engine()
            .compose(draft, [0; 24], chain.clock.now())
            .unwrap()
            .bytes;
        assert_eq!(
            chain.mesh(0).receive(id(2), bytes).await,
            Err(Refusal::Unasked)
        );
    }
}

#[tokio::test]
async fn a_full_inbox_refuses_and_pushes_nothing_out() {
    let chain = Chain::of(vec![open(), open()]).await;
    let way = route(&[1, 2]);
    let unpaid = |text: &[u8]| Attempt {
        route: way.clone(),
        is_sealed: false,
        ..attempt(text, Msat::ZERO, None)
    };
    let room = INBOX_PACKETS / 2;
    for number in 0..room {
        let text = number.to_string();
        let (_, reply) = chain
            .mesh(0)
            .attempt(unpaid(text.as_bytes()))
            .await
            .unwrap();
        assert_eq!(reply, Reply::Delivered);
    }
    let (_, reply) = chain.mesh(0).attempt(unpaid(b"one more")).await.unwrap();
    assert_eq!(
        reply,
        Reply::Refused {
            by: id(2),
            code: RefusalCode::Busy
        }
    );
    let waiting = chain.mesh(1).poll_deliveries(usize::MAX);
    assert_eq!(waiting.len(), room);
    assert_eq!(waiting[0].payload, b"0");
}

#[tokio::test]
async fn route_events_are_published_on_change_only() {
    let chain = Chain::of(three()).await;
    for _ in 0..3 {
        chain.mesh(0).route_to(&id(3), 0).await.unwrap();
    }
    for _ in 0..3 {
        chain.mesh(0).route_to(&id(77), 0).await.unwrap_err();
    }
    let gone = NodeEvent::PeerDisconnected {
        peer_addr: "node-2".to_owned(),
        reason: "test".to_owned(),
    };
    chain.mesh(0).handle_event(gone);
    chain.mesh(0).route_to(&id(3), 0).await.unwrap_err();
    let events = chain.nodes[0].api.events.lock().unwrap();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| match event {
            MeshEvent::RouteDiscovered { .. } => "discovered",
            MeshEvent::RouteFailed { .. } => "failed",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["discovered", "failed", "failed"]);
}

#[tokio::test]
async fn a_claimed_payment_is_published_with_its_payer() {
    let chain = Chain::of(three()).await;
    chain
        .mesh(0)
        .send(id(3), b"x".to_vec(), options())
        .await
        .unwrap();
    let events = chain.nodes[1].api.events.lock().unwrap();
    assert!(matches!(
        events.as_slice(),
        [MeshEvent::PaymentVerified { payer, amount, .. }] if *payer == id(1) && *amount == RELAY_PRICE
    ));
}

#[tokio::test]
async fn an_event_that_says_paid_credits_nobody() {
    let chain = Chain::of(three()).await;
    chain.mesh(1).handle_event(NodeEvent::PaymentVerified {
        payment_id: "forged".to_owned(),
        amount_msats: 1_000_000,
    });
    assert_eq!(money(chain.mesh(1)).await, Money::default());
}

#[tokio::test]
async fn handle_packet_takes_a_packet_and_says_why_not_in_the_contracts_words() {
    let chain = Chain::of(three()).await;
    let source = identity(1);
    let packet = MeshPacket {
        kind: PacketKind::Data,
        sealed: false,
        receipt: false,
        route: route(&[1, 2, 3]),
        sequence: 5,
        copy_of: None,
        timestamp: START.to_secs(),
        fee_msat: 0,
        proof: None,
        payload: bitcoin_ping(1),
        macs: Vec::new(),
    };
    let keys = [2, 3].map(|hop| source.pair_with(&id(hop)).unwrap().outgoing_mac);
    let bytes = emit_authenticated(&packet, &keys).unwrap();
    let packet = mesh_protocol::PacketView::parse(&bytes)
        .unwrap()
        .to_packet()
        .unwrap();
    chain.mesh(1).handle_packet(packet.clone()).await.unwrap();
    let again = chain
        .mesh(1)
        .handle_packet(packet.clone())
        .await
        .unwrap_err();
    assert!(matches!(again, MeshError::ReplayDetected(_)), "{again}");
    let elsewhere = MeshPacket {
        route: route(&[1, 8, 3]),
        ..packet
    };
    let error = chain.mesh(1).handle_packet(elsewhere).await.unwrap_err();
    assert!(matches!(error, MeshError::RoutingError(_)), "{error}");
}

#[tokio::test]
async fn send_mesh_packet_refuses_what_the_receiver_would_refuse() {
    let chain = Chain::of(three()).await;
    let error = chain
        .mesh(0)
        .send_mesh_packet("node-2".to_owned(), vec![1, 2, 3])
        .await
        .unwrap_err();
    assert!(matches!(error, MeshError::InvalidPacket(_)), "{error}");
    let draft = data(&[1, 2], b"x", Msat::ZERO);
    let bytes = chain
        .mesh(0)
        .engine()
        .compose(draft, [0; 24], START)
        .unwrap()
        .bytes;
    let nowhere = chain
        .mesh(0)
        .send_mesh_packet("node-9".to_owned(), bytes.clone())
        .await
        .unwrap_err();
    assert!(matches!(nowhere, MeshError::NetworkError(_)), "{nowhere}");
    chain
        .mesh(0)
        .send_mesh_packet("node-2".to_owned(), bytes)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_payload_too_long_for_any_receiver_is_refused_before_it_leaves() {
    let chain = Chain::of(three()).await;
    let error = chain
        .mesh(0)
        .send(id(3), vec![0; 300_000], options())
        .await
        .unwrap_err();
    assert!(
        matches!(error.reason, MeshError::InvalidPacket(_)),
        "{error}"
    );
    assert!(chain.wires.log.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_nobody_answers_is_an_error_and_not_a_success() {
    let chain = Chain::of(vec![open(), open()]).await;
    chain
        .mesh(0)
        .engine()
        .routes()
        .add_direct_peer(id(50), "node-2".to_owned());
    let lost = Attempt {
        route: route(&[1, 50]),
        ..attempt(b"x", Msat::ZERO, None)
    };
    let error = chain.mesh(0).attempt(lost).await.unwrap_err();
    assert!(matches!(error, MeshError::NetworkError(_)), "{error}");
}

/// A message that the relay sends to the source about the packet `sequence`.
async fn relay_says(chain: &Chain, message: ControlMessage) -> Result<(), Refusal> {
    let draft = mesh_manager::Draft {
        kind: PacketKind::Control,
        payload: message.encode().unwrap(),
        ..data(&[2, 1], b"", Msat::ZERO)
    };
    let composed = chain
        .mesh(1)
        .engine()
        .compose(draft, [0; 24], chain.clock.now())
        .unwrap();
    chain.mesh(0).receive(id(2), composed.bytes).await
}

#[tokio::test]
async fn a_relay_cannot_quote_or_credit_in_the_place_of_the_node_that_was_asked() {
    let chain = Chain::of(three()).await;
    let invoice = chain.nodes[1].wallet.issue(
        &InvoiceRequest {
            amount: Msat::from_msat(6_000),
            preimage: [3; 32],
            description: "mine".to_owned(),
            expiry: Duration::from_secs(600),
        },
        START,
    );
    // The destination's answer never comes; the relay knows the request's number and answers in its place.
    chain.wires.drop_to("node-3");
    let source = chain.mesh(0).clone();
    let short = SendOptions {
        timeout: Duration::from_millis(300),
        ..options()
    };
    let sending = tokio::spawn(async move { source.send(id(3), b"x".to_vec(), short).await });
    let mut refused = 0;
    while !sending.is_finished() {
        let sent: Vec<u64> = chain.wires.sequences_from(id(1));
        for sequence in sent {
            let quote = ControlMessage::Quote {
                sequence,
                price: Price {
                    per_packet: Msat::from_msat(1),
                    per_kib: Msat::ZERO,
                },
                credit: Msat::ZERO,
                invoice: Some(invoice.clone()),
            };
            let outcome = relay_says(&chain, quote).await;
            refused += usize::from(outcome == Err(Refusal::Unasked));
        }
        tokio::task::yield_now().await;
    }
    assert!(sending.await.unwrap().is_err());
    assert!(refused > 0);
    assert!(chain.nodes[0].wallet.paid.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_quote_for_more_than_was_asked_for_is_not_paid() {
    let chain = Chain::of(three()).await;
    let quote = |amount| {
        let request = support::quote_request(2, id(1), amount, START);
        chain.nodes[1].wallet.issue(&request, START)
    };
    let dear = quote(Msat::from_msat(900_000));
    let error = chain
        .mesh(0)
        .pay(id(2), &dear, Msat::from_msat(3_000))
        .await
        .unwrap_err();
    assert!(
        matches!(error, MeshError::PaymentVerificationFailed(_)),
        "{error}"
    );
    let others = support::quote_request(2, id(9), Msat::from_msat(3_000), START);
    let others = chain.nodes[1].wallet.issue(&others, START);
    assert!(
        chain
            .mesh(0)
            .pay(id(2), &others, Msat::from_msat(3_000))
            .await
            .is_err()
    );
    assert!(chain.nodes[0].wallet.paid.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_quote_that_ends_within_a_minute_is_not_paid() {
    let chain = Chain::of(three()).await;
    let request = support::quote_request(2, id(1), Msat::from_msat(3_000), START);
    let invoice = chain.nodes[1].wallet.issue(&request, START);
    chain.clock.advance(Duration::from_secs(540));
    assert!(
        chain
            .mesh(0)
            .pay(id(2), &invoice, Msat::from_msat(3_000))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_was_paid_and_not_shown_is_shown_before_anything_else_is_paid() {
    let chain = Chain::of(vec![open(), gated(RELAY_PRICE), open()]).await;
    // Paid, and then the caller went away without showing the proof.
    let _ = buy(&chain, &[1, 2, 3], b"x").await;
    let sent = chain
        .mesh(0)
        .send(id(3), b"x".to_vec(), options())
        .await
        .unwrap();
    assert_eq!(sent.deposited, Msat::ZERO);
    assert_eq!(chain.nodes[0].wallet.paid.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_fee_above_the_limit_is_not_offered_even_from_credit() {
    let chain = Chain::of(three()).await;
    chain
        .mesh(0)
        .send(
            id(3),
            b"x".to_vec(),
            SendOptions {
                packets_ahead: 9,
                ..options()
            },
        )
        .await
        .unwrap();
    let thrifty = SendOptions {
        limit: Msat::from_msat(9_999),
        ..options()
    };
    let error = chain
        .mesh(0)
        .send(id(3), b"y".to_vec(), thrifty)
        .await
        .unwrap_err();
    assert!(
        matches!(error.reason, MeshError::PaymentVerificationFailed(_)),
        "{error}"
    );
    assert_eq!(money(chain.mesh(1)).await.earned, Msat::from_msat(3_000));
}

#[tokio::test]
async fn a_refused_packet_repeated_by_others_does_not_use_up_what_its_source_asks_for() {
    let chain = Chain::of(three()).await;
    let unpaid = data(&[1, 2, 3], b"x", FEE);
    let bytes = chain
        .mesh(0)
        .engine()
        .compose(unpaid, [0; 24], START)
        .unwrap()
        .bytes;
    for _ in 0..50 {
        chain
            .mesh(1)
            .receive(id(1), bytes.clone())
            .await
            .unwrap_err();
    }
    chain
        .mesh(0)
        .send(id(3), b"x".to_vec(), options())
        .await
        .unwrap();
}
