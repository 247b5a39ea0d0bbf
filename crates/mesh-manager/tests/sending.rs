//! A source that finds another way by itself: what it tries, what that costs, what it learns, and what it says of it.
//!
//! Time is virtual: it moves on when everybody waits.

mod support;

use mesh_manager::{ForgetfulStore, SendOptions, TriedEnd};
use mesh_protocol::{ControlMessage, MAX_PAYLOAD_LEN, RefusalCode};
use mesh_routing::{Fault, Place, SCORE_HALF_LIFE};
use mesh_types::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use support::{two_ways::*, *};
use tokio::time::Instant;

fn is_receipt(packet: &mesh_protocol::PacketView<'_>) -> bool {
    let message = ControlMessage::decode(packet.payload());
    matches!(message, Ok(ControlMessage::Delivered { .. }))
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_takes_the_money_and_drops_packets_is_passed_by_and_told_of() {
    let chain = two_ways().await;
    chain.wires.treat_data_of(CHEAP, Passage::Lost);
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    assert_eq!(sent.route, route(&[SOURCE, DEAR, DESTINATION]));
    let [lost, delivered] = sent.tries.as_slice() else {
        unreachable!("{:?}", sent.tries)
    };
    assert_eq!(lost.route, route(&[SOURCE, CHEAP, DESTINATION]));
    assert_eq!(lost.end, TriedEnd::Silence);
    // The relay's share and the destination's: nobody knows which of them has it.
    assert_eq!(lost.cost, Msat::from_msat(9_000));
    assert_eq!(delivered.end, TriedEnd::Delivered);
    assert_eq!(deliveries(&chain, DESTINATION), 1);
    assert_eq!(earned(&chain, CHEAP).await, 3_000);
    assert_eq!(earned(&chain, DESTINATION).await, 8_001);
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_falls_at_its_source_alone_and_recovers_and_no_honest_node_falls() {
    let chain = two_ways().await;
    chain.wires.treat_data_of(CHEAP, Passage::Lost);
    for round in 0..8 {
        let to = [DESTINATION, ANOTHER][round % 2];
        send_to(&chain, to).await.unwrap();
        for honest in [DEAR, DESTINATION, ANOTHER] {
            assert!(!standing(&chain, honest).is_fallen);
        }
    }
    let fallen = standing(&chain, CHEAP);
    assert!(fallen.is_fallen, "{fallen:?}");
    assert!(
        fallen
            .reasons
            .iter()
            .all(|(fault, _)| *fault == Fault::Silence)
    );
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    assert_eq!(sent.tries.len(), 1);
    // Nobody else has heard of it.
    for other in &chain.nodes[1..] {
        let told = other.mesh.engine().routes();
        assert!(told.standings(chain.clock.now()).is_empty());
    }
    // It is honest from now on, and tried again when time has passed.
    chain.wires.obey(|_, _| Passage::Free);
    chain.clock.advance(SCORE_HALF_LIFE * 4);
    chain.mesh(0).engine().routes().refresh(chain.clock.now());
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    assert_eq!(sent.route, route(&[SOURCE, CHEAP, DESTINATION]));
    assert_eq!(sent.tries.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_honest_relay_before_a_black_hole_does_not_fall_for_it() {
    let dear = Msat::from_msat(200);
    let configs = vec![open(), open(), open(), gated(dear), open(), open()];
    let links = [(1, 2), (2, 3), (3, 5), (3, 6), (1, 4), (4, 5), (4, 6)];
    let chain = Chain::linked(configs, &links, || Arc::new(ForgetfulStore::default())).await;
    announce(&chain, 4, dear);
    chain.wires.treat_data_of(3, Passage::Lost);
    for round in 0..12 {
        let sent = send_to(&chain, [5, 6][round % 2]).await.unwrap();
        assert_eq!(sent.route[1], id(4));
        for honest in [2, 4, 5, 6] {
            assert!(!standing(&chain, honest).is_fallen, "round {round}");
        }
    }
    let sent = send_to(&chain, 5).await.unwrap();
    assert_eq!(sent.tries.len(), 1, "the black hole is passed by");
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_is_slow_with_every_packet_falls() {
    let chain = two_ways().await;
    chain
        .wires
        .treat_data_of(CHEAP, Passage::Late(Duration::from_secs(3)));
    for round in 0..8 {
        let to = [DESTINATION, ANOTHER][round % 2];
        let sent = send_to(&chain, to).await.unwrap();
        assert_eq!(sent.tries.len(), 1, "late is not lost");
    }
    let fallen = standing(&chain, CHEAP);
    assert!(fallen.is_fallen, "{fallen:?}");
    assert!(
        fallen
            .reasons
            .iter()
            .any(|(fault, _)| *fault == Fault::Late)
    );
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    assert_eq!(sent.route, route(&[SOURCE, DEAR, DESTINATION]));
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_asks_more_than_it_announced_is_not_paid_where_another_is_cheaper() {
    let chain = two_ways().await;
    announce(&chain, DEAR, Msat::from_msat(1_000));
    announce(&chain, CHEAP, Msat::from_msat(3_100));
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    let ends: Vec<_> = sent.tries.iter().map(|it| it.end.clone()).collect();
    let dearer = TriedEnd::Dearer { by: id(DEAR) };
    assert_eq!(ends, [dearer, TriedEnd::Delivered]);
    assert_eq!(sent.tries[0].cost, Msat::ZERO);
    assert_eq!(sent.route, route(&[SOURCE, CHEAP, DESTINATION]));
    assert_eq!(money(chain.mesh(2)).await.deposited, Msat::ZERO);
    let reasons = standing(&chain, DEAR).reasons;
    assert!(matches!(reasons.as_slice(), [(Fault::Dearer, _)]));
    for honest in [CHEAP, DESTINATION] {
        assert!(standing(&chain, honest).reasons.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_only_relay_that_asks_more_than_it_announced_is_paid_within_the_budget() {
    let chain = two_ways().await;
    let routes = chain.mesh(0).engine().routes();
    routes.remove_direct_peer(&id(DEAR));
    announce(&chain, CHEAP, Msat::from_msat(1_000));
    announce(&chain, DESTINATION, Msat::from_msat(1_000));
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    let ends: Vec<_> = sent.tries.iter().map(|it| it.end.clone()).collect();
    assert_eq!(
        ends,
        [TriedEnd::Dearer { by: id(CHEAP) }, TriedEnd::Delivered]
    );
    assert_eq!(sent.fee, Msat::from_msat(10_000));
}

#[tokio::test(start_paused = true)]
async fn a_busy_relay_is_left_alone_for_a_moment_and_costs_nothing() {
    let chain = two_ways().await;
    chain.wires.treat_data_of(CHEAP, Passage::Full);
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    let busy = TriedEnd::Refused {
        by: id(CHEAP),
        code: RefusalCode::Busy,
    };
    assert_eq!(sent.tries[0].end, busy);
    assert_eq!(sent.tries[0].cost, Msat::ZERO);
    assert_eq!(sent.tries[1].end, TriedEnd::Delivered);
    assert_eq!(earned(&chain, CHEAP).await, 0);
    chain.wires.obey(|_, _| Passage::Free);
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    assert_eq!(sent.route, route(&[SOURCE, DEAR, DESTINATION]));
    chain.clock.advance(Duration::from_secs(6));
    // The mesh itself notices that the moment has passed.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    assert_eq!(sent.route, route(&[SOURCE, CHEAP, DESTINATION]));
}

#[tokio::test(start_paused = true)]
async fn what_fails_half_way_costs_what_was_carried() {
    let configs = vec![
        open(),
        gated(RELAY_PRICE),
        gated(RELAY_PRICE),
        gated(Msat::from_msat(9_000)),
        gated(DESTINATION_PRICE),
    ];
    let links = [(1, 2), (2, 3), (3, 5), (1, 4), (4, 5)];
    let chain = Chain::linked(configs, &links, || Arc::new(ForgetfulStore::default())).await;
    announce(&chain, 4, Msat::from_msat(9_000));
    // Credit everywhere on the first way, so that its packet is carried without a question.
    let first = send_to(&chain, 5).await.unwrap();
    assert_eq!(first.route, route(&[1, 2, 3, 5]));
    let before = earned(&chain, 2).await;
    let ahead = SendOptions {
        packets_ahead: 5,
        ..options()
    };
    let sent = chain.mesh(0).send(id(5), b"x".to_vec(), ahead);
    assert_eq!(sent.await.unwrap().route, route(&[1, 2, 3, 5]));
    chain.mesh(2).engine().routes().remove_direct_peer(&id(5));
    let sent = send_to(&chain, 5).await.unwrap();
    let no_route = TriedEnd::Refused {
        by: id(3),
        code: RefusalCode::NoRoute,
    };
    assert_eq!(sent.tries[0].end, no_route);
    assert_eq!(sent.tries[0].cost, Msat::from_msat(3_000));
    assert_eq!(sent.route, route(&[1, 4, 5]));
    assert_eq!(earned(&chain, 2).await - before, 2 * 3_000);
    assert_eq!(earned(&chain, 3).await, 2 * 3_000);
    let routes = chain.mesh(0).engine().routes();
    assert!(routes.is_distrusted(Place::Link(id(3), id(5))));
}

#[tokio::test(start_paused = true)]
async fn a_lost_receipt_does_not_deliver_twice_nor_cost_the_destination_twice() {
    let chain = two_ways().await;
    let receipts = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&receipts);
    chain.wires.obey(move |from, packet| {
        let is_lost = from == id(DESTINATION) && is_receipt(packet);
        if is_lost && count.fetch_add(1, Ordering::SeqCst) == 0 {
            return Passage::Lost;
        }
        Passage::Free
    });
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    let ends: Vec<_> = sent.tries.iter().map(|it| it.end.clone()).collect();
    assert_eq!(ends, [TriedEnd::Silence, TriedEnd::DeliveredBefore]);
    assert_eq!(deliveries(&chain, DESTINATION), 1);
    assert_eq!(earned(&chain, DESTINATION).await, 6_000);
    assert_eq!(receipts.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_comes_while_another_way_is_tried_ends_the_call() {
    let chain = two_ways().await;
    chain.wires.obey(|from, packet| match is_data(packet) {
        true if from == id(CHEAP) => Passage::Late(Duration::from_secs(15)),
        true if from == id(DEAR) => Passage::Lost,
        _ => Passage::Free,
    });
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    let ends: Vec<_> = sent.tries.iter().map(|it| it.end.clone()).collect();
    assert_eq!(ends, [TriedEnd::Silence, TriedEnd::DeliveredBefore]);
    assert_eq!(sent.route, route(&[SOURCE, CHEAP, DESTINATION]));
    assert_eq!(deliveries(&chain, DESTINATION), 1);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_holds_a_packet_back_and_sends_it_later_delivers_nothing_twice() {
    let chain = two_ways().await;
    chain
        .wires
        .treat_data_of(CHEAP, Passage::Late(Duration::from_secs(40)));
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    assert_eq!(sent.route, route(&[SOURCE, DEAR, DESTINATION]));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(deliveries(&chain, DESTINATION), 1);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_refuses_what_it_sends_on_does_not_make_a_source_sure_that_it_has_not_arrived()
{
    let chain = two_ways().await;
    let routes = chain.mesh(0).engine().routes();
    routes.remove_direct_peer(&id(DEAR));
    chain.wires.obey(|from, packet| match from {
        from if from == id(CHEAP) && is_data(packet) => Passage::Denied,
        from if from == id(CHEAP) && is_receipt(packet) => Passage::Lost,
        _ => Passage::Free,
    });
    let error = send_to(&chain, DESTINATION).await.unwrap_err();
    assert_eq!(deliveries(&chain, DESTINATION), 1);
    let busy = TriedEnd::Refused {
        by: id(CHEAP),
        code: RefusalCode::Busy,
    };
    assert_eq!(error.tries.last().unwrap().end, busy);
    assert!(error.may_have_arrived);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_comes_behind_the_refusal_of_a_relay_ends_the_call() {
    let chain = two_ways().await;
    chain.wires.obey(|from, packet| match is_data(packet) {
        true if from == id(CHEAP) => Passage::Denied,
        true if from == id(DEAR) => Passage::Lost,
        false if from == id(DESTINATION) && is_receipt(packet) => {
            Passage::Late(Duration::from_secs(1))
        }
        _ => Passage::Free,
    });
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    assert_eq!(sent.tries.last().unwrap().end, TriedEnd::DeliveredBefore);
    assert_eq!(sent.route, route(&[SOURCE, CHEAP, DESTINATION]));
    assert_eq!(deliveries(&chain, DESTINATION), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_tried_beyond_the_budget_or_the_deadline() {
    let chain = two_ways().await;
    chain.wires.obey(|from, packet| match is_data(packet) {
        true if from != id(SOURCE) => Passage::Lost,
        _ => Passage::Free,
    });
    let send = |options| {
        chain
            .mesh(0)
            .send(id(DESTINATION), b"once".to_vec(), options)
    };
    let once = SendOptions {
        limit: Msat::from_msat(20_000),
        ..options()
    };
    let poor = send(once).await.unwrap_err();
    assert_eq!(
        poor.tries.len(),
        1,
        "the second way costs more than is left"
    );
    assert!(poor.may_have_arrived);
    let began = Instant::now();
    let hasty = SendOptions {
        deadline: Duration::from_secs(8),
        ..options()
    };
    let late = send(hasty).await.unwrap_err();
    // On the virtual clock, which stands still while anybody works.
    assert_eq!(began.elapsed().as_secs(), 8);
    let waits: Vec<_> = late.tries.iter().map(|it| it.took.as_secs()).collect();
    assert_eq!(waits, [4, 4]);
    assert!(
        late.to_string()
            .ends_with("it may have arrived all the same")
    );
    assert_eq!(deliveries(&chain, DESTINATION), 0);
}

#[tokio::test(start_paused = true)]
async fn all_nodes_of_a_route_are_paid_at_once() {
    let chain = two_ways().await;
    let wallet = &chain.nodes[0].wallet;
    let gate = wallet.hold();
    let mesh = chain.mesh(0).clone();
    let sending =
        tokio::spawn(async move { mesh.send(id(DESTINATION), b"x".to_vec(), options()).await });
    while wallet.waiting.load(Ordering::SeqCst) < 2 {
        assert!(!sending.is_finished());
        tokio::task::yield_now().await;
    }
    gate.add_permits(2);
    let sent = sending.await.unwrap().unwrap();
    assert_eq!(sent.deposited, Msat::from_msat(9_000));
}

#[tokio::test(start_paused = true)]
async fn payments_at_once_share_what_a_limit_has_room_for_and_none_is_made_where_not_all_fit() {
    // Routing may cost as much as the deposit here, so each satoshi counts twice.
    let with_room = |per_route_msat| {
        let mut config = open();
        config.spending.per_route_msat = per_route_msat;
        two_ways_of(config)
    };
    let ahead = SendOptions {
        packets_ahead: 10,
        ..options()
    };
    for (room, deposited) in [(18_000, 9_000), (22_000, 11_000)] {
        let chain = with_room(room).await;
        let sent = chain
            .mesh(0)
            .send(id(DESTINATION), b"x".to_vec(), ahead.clone());
        assert_eq!(sent.await.unwrap().deposited, Msat::from_msat(deposited));
    }
    let chain = with_room(17_999).await;
    let sent = chain.mesh(0).send(id(DESTINATION), b"x".to_vec(), ahead);
    let error = sent.await.unwrap_err();
    assert!(
        matches!(error.reason, MeshError::SpendingLimit(_)),
        "{error}"
    );
    assert!(chain.nodes[0].wallet.paid.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_node_is_told_when_the_best_route_is_another_and_when_there_is_none() {
    let chain = two_ways().await;
    chain.wires.treat_data_of(CHEAP, Passage::Lost);
    for _ in 0..4 {
        send_to(&chain, DESTINATION).await.unwrap();
    }
    for relay in [CHEAP, DEAR] {
        let routes = chain.mesh(0).engine().routes();
        routes.remove_direct_peer(&id(relay));
    }
    for _ in 0..2 {
        send_to(&chain, DESTINATION).await.unwrap_err();
    }
    let events = chain.nodes[0].api.events.lock().unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| match event {
            MeshEvent::RouteDiscovered { route_path, .. } => Some(route_path[1]),
            _ => None,
        })
        .collect();
    // The other way carried the first packets, too; it became the best when the link of the first was put aside.
    assert_eq!(told, [Some(id(CHEAP)), Some(id(DEAR)), None]);
}

#[tokio::test(start_paused = true)]
async fn what_a_route_costs_is_told_before_anything_is_paid() {
    let (chain, options) = (two_ways().await, options());
    let ask = || chain.mesh(0).quote_route(id(DESTINATION), 4, &options);
    let price = ask().await.unwrap();
    assert_eq!(price.route, route(&[SOURCE, CHEAP, DESTINATION]));
    assert_eq!(price.packet_bytes, 44);
    assert_eq!(price.total, Msat::from_msat(10_000));
    assert_eq!(price.source_share, Msat::from_msat(1_000));
    let shares: Vec<_> = price.nodes.iter().map(|it| it.share.to_msat()).collect();
    assert_eq!(shares, [3_000, 6_000]);
    assert!(price.nodes.iter().all(|it| it.asks <= it.share));
    assert!(chain.nodes[0].wallet.paid.lock().unwrap().is_empty());
    let sent = send_to(&chain, DESTINATION).await.unwrap();
    assert_eq!(sent.fee, price.total);
    for too_many in [MAX_PAYLOAD_LEN, usize::MAX] {
        let asked = chain
            .mesh(0)
            .quote_route(id(DESTINATION), too_many, &options);
        assert!(matches!(asked.await, Err(MeshError::InvalidPacket(_))));
    }
    // A relay that answers nothing is passed by.
    chain.wires.drop_to("node-2");
    let price = ask().await.unwrap();
    assert_eq!(price.route, route(&[SOURCE, DEAR, DESTINATION]));
    assert_eq!(price.total, Msat::from_msat(13_334));
}
