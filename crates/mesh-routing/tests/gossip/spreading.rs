//! News, restarts, partitions, silence and forgeries.

use crate::mesh::{Mesh, START, StandIn, announcement, engine, id, signed};
use mesh_routing::{Gossip, LIFETIME, OwnWords};
use mesh_types::{CarryLimits, GossipMessage, Held, Msat, NodeId, Price, SignedAnnouncement};
use std::sync::Arc;
use std::time::Duration;

/// Somebody who is no engine.
const LIAR: u32 = 900;

const SECOND: Duration = Duration::from_secs(1);

fn priced(msat: u64) -> OwnWords {
    OwnWords {
        price: Price {
            per_packet: Msat::from_msat(msat),
            per_kib: Msat::ZERO,
        },
        limits: CarryLimits::default(),
        addresses: vec!["203.0.113.7:8334".to_owned()],
    }
}

fn settled(count: u32) -> Mesh {
    let mut mesh = Mesh::ring(count);
    mesh.run_for(30 * SECOND);
    assert!(mesh.agree());
    mesh
}

/// An announcement goes over a link of a peer that asked for it: as bytes, once.
fn crossed_at_most_once(mesh: &Mesh) {
    let most = mesh.traffic.crossings.values().max();
    assert_eq!(most, Some(&1));
}

#[test]
fn all_nodes_come_to_know_all_others_and_find_ways_to_them() {
    let mesh = settled(60);
    for number in 0..60 {
        let node = mesh.node(number);
        assert_eq!(node.gossip.known_nodes(), 60);
        for other in (0..60).filter(|other| *other != number) {
            assert!(node.table.find_route(&id(other)).is_some());
        }
    }
    crossed_at_most_once(&mesh);
}

#[test]
fn what_a_node_says_that_it_carries_and_how_long_its_links_take_shapes_the_routes_of_others() {
    let mut mesh = Mesh::of(4);
    for number in 0..3 {
        mesh.link(number, number + 1);
    }
    mesh.run_for(10 * SECOND);
    let small = OwnWords {
        limits: CarryLimits {
            max_payload_bytes: 2_048,
            ..CarryLimits::default()
        },
        ..OwnWords::default()
    };
    let now = mesh.now;
    mesh.node_mut(2).gossip.say(small, now).unwrap();
    mesh.run_for(10 * SECOND);
    let leads = |mesh: &Mesh, bytes| {
        let table = &mesh.node(0).table;
        table.find_routes(&id(3), bytes, 1).pop()
    };
    assert_eq!(leads(&mesh, 2_049), None);
    // Said is 20 ms there and back of two of the links, and nothing was measured of our own.
    assert_eq!(leads(&mesh, 2_048).unwrap().latency_ms, 50 + 10 + 10);
    let now = mesh.now;
    mesh.node_mut(2)
        .gossip
        .say(OwnWords::default(), now)
        .unwrap();
    mesh.run_for(10 * SECOND);
    assert!(leads(&mesh, 50_000).is_some());
}

#[test]
fn news_reach_all_as_bytes_over_each_link_at_most_once() {
    let mut mesh = settled(60);
    mesh.traffic = Default::default();
    let now = mesh.now;
    mesh.node_mut(7).gossip.say(priced(40), now).unwrap();
    mesh.run_for(10 * SECOND);
    let of_seven = |mesh: &Mesh| {
        let of = |(_, _, node, _): &&(_, _, _, u64)| *node == id(7);
        mesh.traffic.crossings.keys().filter(of).count()
    };
    // Each node but the one whose news they are is sent them once: by one link.
    assert_eq!(of_seven(&mesh), 59);
    crossed_at_most_once(&mesh);
    assert!(mesh.agree());
    let said = |number| mesh.node(number).gossip.announcement(&id(7)).unwrap();
    assert_eq!(said(30).announcement.price, priced(40).price);
    let route = mesh.node(30).table.find_route(&id(7)).unwrap();
    let quote = mesh.node(30).table.quote_route(&route, 0).unwrap();
    assert!(quote.total >= Msat::from_msat(40));
}

#[test]
fn a_newcomer_is_told_all_and_whoever_comes_back_only_what_is_new() {
    let mut mesh = settled(60);
    mesh.start(100);
    mesh.traffic = Default::default();
    mesh.link(100, 0);
    mesh.link(100, 20);
    mesh.run_for(20 * SECOND);
    assert_eq!(mesh.node(100).gossip.known_nodes(), 61);
    crossed_at_most_once(&mesh);
    assert!(mesh.agree());

    mesh.unlink(100, 0);
    mesh.unlink(100, 20);
    mesh.run_for(60 * SECOND);
    let now = mesh.now;
    mesh.node_mut(5).gossip.say(priced(1), now).unwrap();
    mesh.run_for(100 * SECOND);
    mesh.traffic = Default::default();
    mesh.link(100, 0);
    // Shorter than what the newcomer's link makes news of itself.
    mesh.run_for(SECOND / 4);
    let items = mesh.traffic.items;
    assert!((1..10).contains(&items), "{items} items");
    mesh.run_for(200 * SECOND);
    assert!(mesh.agree());
}

#[test]
fn a_restart_supersedes_what_was_said_before() {
    let mut mesh = settled(20);
    let before = mesh.node(3).gossip.announcement(&id(3)).unwrap();
    let before = before.announcement.sequence;
    let neighbours: Vec<u32> = (0..20)
        .filter(|other| mesh.neighbours(3).contains(&id(*other)))
        .collect();
    mesh.kill(3);
    mesh.run_for(5 * SECOND);
    mesh.start(3);
    for other in neighbours {
        mesh.link(3, other);
    }
    mesh.run_for(120 * SECOND);
    let after = mesh.node(11).gossip.announcement(&id(3)).unwrap();
    assert!(after.announcement.sequence > before);
    assert!(mesh.agree());
    assert!(mesh.node(11).table.find_route(&id(3)).is_some());
}

#[test]
fn a_restart_with_a_clock_that_was_set_back_goes_beyond_what_it_said_before() {
    let mut mesh = settled(20);
    // As if node 3 had said something in an earlier life, a minute ahead.
    let links = mesh.neighbours(3);
    let ahead = mesh.now.plus(60 * SECOND);
    let earlier = signed(announcement(id(3), links, ahead));
    let sequence = earlier.announcement.sequence;
    mesh.link(LIAR, 5);
    offer(&mut mesh, LIAR, 5, earlier);
    mesh.run_for(20 * SECOND);
    let own = mesh.node(3).gossip.announcement(&id(3)).unwrap();
    assert!(own.announcement.sequence > sequence);
    mesh.run_for(60 * SECOND);
    assert!(mesh.agree());
}

/// Has node `from` offer an announcement to its neighbour `to`, and send it.
fn offer(mesh: &mut Mesh, from: u32, to: u32, item: SignedAnnouncement) {
    let held = Held {
        node_id: item.announcement.node_id,
        sequence: item.announcement.sequence,
    };
    mesh.inject(from, to, GossipMessage::Have(vec![held]));
    mesh.run_for(Duration::from_millis(60));
    mesh.inject(from, to, GossipMessage::Items(vec![Arc::new(item)]));
}

#[test]
fn two_halves_learn_of_each_other_when_a_partition_heals() {
    let mut mesh = Mesh::of(40);
    for number in 0..20 {
        mesh.link(number, (number + 1) % 20);
        mesh.link(20 + number, 20 + (number + 1) % 20);
    }
    mesh.link(0, 20);
    mesh.run_for(30 * SECOND);
    assert!(mesh.agree());
    assert!(
        mesh.node(10).table.find_route(&id(30)).is_some()
            || mesh.node(10).gossip.known_nodes() == 40
    );

    mesh.unlink(0, 20);
    mesh.run_for(30 * SECOND);
    let now = mesh.now;
    for number in [5, 25] {
        mesh.node_mut(number).gossip.say(priced(9), now).unwrap();
    }
    mesh.run_for(30 * SECOND);
    // The half that is away is still known, and there is no way to it.
    assert_eq!(mesh.node(1).gossip.known_nodes(), 40);
    assert_eq!(mesh.node(1).table.find_route(&id(21)), None);
    assert!(!mesh.agree());

    mesh.link(0, 20);
    mesh.run_for(60 * SECOND);
    assert!(mesh.agree());
    assert!(mesh.node(1).table.find_route(&id(21)).is_some());
}

#[test]
fn a_node_that_goes_silent_is_out_of_reach_in_seconds_and_forgotten_in_an_hour() {
    let mut mesh = settled(20);
    mesh.kill(3);
    mesh.run_for(20 * SECOND);
    assert_eq!(mesh.node(11).table.find_route(&id(3)), None);
    assert!(mesh.node(11).gossip.announcement(&id(3)).is_some());
    mesh.run_for(LIFETIME + 60 * SECOND);
    assert!(mesh.node(11).gossip.announcement(&id(3)).is_none());
    // Those that speak are still there, hours later.
    mesh.run_for(3 * LIFETIME);
    assert_eq!(mesh.node(11).gossip.known_nodes(), 19);
    assert!(mesh.node(11).table.find_route(&id(4)).is_some());
}

#[test]
fn forgeries_replays_and_links_of_one_side_change_nothing() {
    let mut mesh = settled(20);
    let known = |mesh: &Mesh, node| mesh.node(2).gossip.announcement(&id(node)).cloned();
    mesh.link(LIAR, 2);
    let (honest, now) = (known(&mesh, 9), mesh.now);
    let later = now.plus(SECOND);

    let mut forged = signed(announcement(id(9), [id(2)], later));
    forged.signature[0] ^= 1;
    offer(&mut mesh, LIAR, 2, forged);
    mesh.run_for(SECOND);
    assert_eq!(mesh.node(2).gossip.counts().forged, 1);
    assert_eq!(known(&mesh, 9), honest);

    let old = signed(announcement(id(9), [id(2)], START));
    offer(&mut mesh, LIAR, 2, old.clone());
    mesh.run_for(SECOND);
    assert_eq!(known(&mesh, 9), honest);
    mesh.inject(LIAR, 2, GossipMessage::Items(vec![Arc::new(old)]));
    mesh.run_for(SECOND);
    assert_eq!(
        mesh.node(2).gossip.counts().signatures,
        mesh.node(2).gossip.counts().taken + 1
    );

    // A stranger says that it is linked with node 12, of which node 12 knows nothing.
    let stranger = signed(announcement(id(77), [id(12), id(LIAR)], mesh.now));
    offer(&mut mesh, LIAR, 2, stranger);
    mesh.run_for(20 * SECOND);
    assert!(known(&mesh, 77).is_some());
    assert_eq!(mesh.node(2).table.find_route(&id(77)), None);
    assert_eq!(mesh.node(12).table.find_route(&id(77)), None);
}

#[test]
fn a_peer_that_hands_on_forgeries_is_not_heard_any_more() {
    let mut mesh = settled(20);
    mesh.link(LIAR, 2);
    for round in 1..=3 {
        let at = mesh.now.plus(round * SECOND);
        let mut forged = signed(announcement(id(9), [id(2)], at));
        forged.signature[0] ^= 1;
        assert!(!mesh.node(2).gossip.is_muted(&id(LIAR), mesh.now));
        offer(&mut mesh, LIAR, 2, forged);
        mesh.run_for(SECOND);
    }
    assert!(mesh.node(2).gossip.is_muted(&id(LIAR), mesh.now));
    let news = signed(announcement(id(88), [id(LIAR)], mesh.now));
    offer(&mut mesh, LIAR, 2, news);
    mesh.run_for(SECOND);
    assert!(mesh.node(2).gossip.announcement(&id(88)).is_none());
    assert!(mesh.node(2).gossip.counts().unheard >= 2);
}

#[test]
fn a_peer_that_is_withheld_is_not_announced_and_no_way_leads_over_its_link() {
    let mut mesh = Mesh::of(4);
    for (a, b) in [(0, 1), (1, 2), (2, 3)] {
        mesh.link(a, b);
    }
    mesh.run_for(20 * SECOND);
    assert!(mesh.node(0).table.find_route(&id(3)).is_some());
    let now = mesh.now;
    mesh.node_mut(1).gossip.withhold(&id(2), true, now);
    mesh.run_for(20 * SECOND);
    let said = mesh.node(3).gossip.announcement(&id(1)).unwrap();
    assert_eq!(said.announcement.link_with(&id(2)), None);
    assert_eq!(mesh.node(0).table.find_route(&id(3)), None);
    let now = mesh.now;
    mesh.node_mut(1).gossip.withhold(&id(2), false, now);
    mesh.run_for(20 * SECOND);
    assert!(mesh.node(0).table.find_route(&id(3)).is_some());
}

#[test]
fn a_link_that_flaps_is_announced_less_and_less_often() {
    let mut mesh = settled(10);
    let before = mesh.traffic.items;
    for _ in 0..600 {
        mesh.unlink(0, 1);
        mesh.run_for(SECOND / 2);
        mesh.link(0, 1);
        mesh.run_for(SECOND / 2);
    }
    let said = |number| mesh.node(number).gossip.counts().taken;
    // Ten minutes of flapping, at both ends: some fourteen announcements each, not six hundred.
    let items = mesh.traffic.items - before;
    assert!(items < 40 * 10, "{items} items");
    assert!(said(5) < 60);
    mesh.run_for(120 * SECOND);
    assert!(mesh.agree());
    assert_eq!(mesh.node(5).gossip.counts().too_many_of_origin, 0);
}

/// Two programs run under one key, by a mistake: each goes beyond what the other says, and the mesh does not pay for it.
#[test]
fn two_that_run_under_one_key_do_not_flood_the_mesh() {
    let mut mesh = settled(20);
    mesh.link(LIAR, 5);
    let before = mesh.node(11).gossip.counts().taken;
    for _ in 0..60 {
        let own = mesh.node(5).gossip.announcement(&id(3)).unwrap();
        let mut other = own.announcement.clone();
        other.sequence += 1_000_000;
        offer(&mut mesh, LIAR, 5, signed(other));
        mesh.run_for(SECOND);
    }
    let taken = mesh.node(11).gossip.counts().taken - before;
    assert!(taken < 20, "{taken} taken");
}

/// What a node without peers of its own says, `later` milliseconds after the start.
fn said(later: u64) -> SignedAnnouncement {
    let mut said = announcement(id(50), [], START);
    said.sequence += later;
    signed(said)
}

fn have(item: &SignedAnnouncement) -> GossipMessage {
    GossipMessage::Have(vec![Held {
        node_id: item.announcement.node_id,
        sequence: item.announcement.sequence,
    }])
}

fn items(item: SignedAnnouncement) -> GossipMessage {
    GossipMessage::Items(vec![Arc::new(item)])
}

fn with_three_peers() -> Gossip<StandIn> {
    let mut gossip = engine(0, START);
    for number in 1..=3 {
        gossip.peer_up(id(number), 10, START).unwrap();
    }
    gossip.take_messages();
    gossip
}

/// Who was told of the node, and who was asked for it.
fn told_and_asked(gossip: &mut Gossip<StandIn>) -> [Vec<NodeId>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    for (to, message) in gossip.take_messages() {
        match message {
            GossipMessage::Have(held) if held.iter().any(|it| it.node_id == id(50)) => {
                found[0].push(to);
            }
            GossipMessage::Want(ids) if ids.contains(&id(50)) => found[1].push(to),
            _ => {}
        }
    }
    found
}

#[test]
fn who_offers_what_another_was_asked_for_is_not_told_of_it() {
    let mut gossip = with_three_peers();
    gossip.message(id(1), have(&said(0)), START);
    gossip.message(id(2), have(&said(0)), START);
    assert_eq!(told_and_asked(&mut gossip), [vec![], vec![id(1)]]);
    gossip.message(id(1), items(said(0)), START);
    gossip.tick(START.plus(SECOND));
    assert_eq!(told_and_asked(&mut gossip), [vec![id(3)], vec![]]);
}

#[test]
fn who_offers_something_newer_than_another_was_asked_for_is_asked_for_that() {
    let mut gossip = with_three_peers();
    gossip.message(id(1), have(&said(0)), START);
    gossip.message(id(2), have(&said(7)), START);
    assert_eq!(told_and_asked(&mut gossip), [vec![], vec![id(1)]]);
    gossip.message(id(1), items(said(0)), START);
    gossip.tick(START.plus(SECOND));
    let others = vec![id(2), id(3)];
    let [mut told, asked] = told_and_asked(&mut gossip);
    told.sort_by_key(|peer| *peer != id(2));
    assert_eq!([told, asked], [others, vec![id(2)]]);
}

#[test]
fn who_comes_in_the_place_of_a_peer_is_not_told_what_was_for_that_one() {
    let mut gossip = with_three_peers();
    gossip.message(id(1), have(&said(0)), START);
    gossip.message(id(1), items(said(0)), START);
    gossip.peer_down(&id(2), START);
    gossip.peer_up(id(4), 10, START).unwrap();
    gossip.take_messages();
    gossip.tick(START.plus(SECOND));
    assert_eq!(told_and_asked(&mut gossip)[0], [id(3)]);
}

#[test]
fn what_a_peer_that_is_gone_was_asked_for_another_that_offers_it_is() {
    let mut gossip = with_three_peers();
    gossip.message(id(1), have(&said(0)), START);
    gossip.message(id(2), have(&said(0)), START);
    gossip.message(id(3), have(&said(0)), START);
    gossip.peer_down(&id(2), START);
    assert_eq!(told_and_asked(&mut gossip)[1], [id(1)]);
    gossip.peer_down(&id(1), START);
    gossip.tick(START.plus(SECOND));
    assert_eq!(told_and_asked(&mut gossip)[1], [id(3)]);
}

#[test]
fn who_looks_for_no_routes_learns_all_the_same_and_works_no_changes_out() {
    let pair = [50, 51].map(|number| signed(announcement(id(number), [id(101 - number)], START)));
    let changes = [false, true].map(|tells_none| {
        let mut gossip = with_three_peers();
        if tells_none {
            gossip.tell_no_changes();
        }
        for item in pair.clone() {
            gossip.message(id(1), have(&item), START);
            gossip.message(id(1), items(item), START);
        }
        assert_eq!(gossip.announcements().count(), 2);
        gossip.take_changes().len()
    });
    assert_eq!(changes, [1, 0]);
}
