//! Requests for nodes that are not known.

use crate::mesh::{Mesh, START, announcement, engine, id, signed, teach};
use mesh_routing::{ASK_AGAIN_AFTER, FIND_FANOUT, FOUND_WITH, MAX_SOUGHT};
use mesh_types::{GossipMessage, MAX_FIND_HOPS};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A line of nodes, where one at the far end knows of a stranger that it tells nobody of unless asked.
#[test]
fn a_node_that_nobody_near_knows_is_found_some_hops_away() {
    let mut mesh = Mesh::of(5);
    for number in 0..4 {
        mesh.link(number, number + 1);
    }
    mesh.run_for(30 * SECOND);
    assert!(mesh.agree());
    // Node 4 forgets nothing, and the others never heard: as if their tables had been full.
    let mut now = mesh.now;
    let stranger = signed(announcement(id(50), [id(4)], now));
    let node = mesh.node_mut(4);
    node.gossip.peer_up(id(50), 1, now).unwrap();
    teach(&mut node.gossip, id(50), &[stranger], &mut now);
    node.gossip.take_messages();
    assert!(mesh.node(3).gossip.announcement(&id(50)).is_none());

    mesh.run_for(now.since(mesh.now));
    assert!(mesh.find(0, id(50)));
    mesh.run_for(10 * SECOND);
    for number in 0..4 {
        let found = mesh.node(number).gossip.announcement(&id(50));
        assert!(found.is_some(), "node {number}");
    }
    assert!(mesh.node(0).table.find_route(&id(50)).is_some());
}

fn finds(messages: Vec<(mesh_types::NodeId, GossipMessage)>) -> Vec<(mesh_types::NodeId, u8)> {
    let find = |(to, message)| match message {
        GossipMessage::Find { hops, .. } => Some((to, hops)),
        _ => None,
    };
    messages.into_iter().filter_map(find).collect()
}

#[test]
fn a_request_goes_to_few_peers_with_fewer_hops_and_once() {
    let mut gossip = engine(0, START);
    for number in 1..=20 {
        gossip.peer_up(id(number), 10, START).unwrap();
    }
    gossip.take_messages();
    let find = |hops| GossipMessage::Find {
        target: id(99),
        hops,
    };
    gossip.message(id(1), find(3), START);
    let handed_on = finds(gossip.take_messages());
    assert_eq!(handed_on.len(), FIND_FANOUT);
    assert!(
        handed_on
            .iter()
            .all(|(to, hops)| *to != id(1) && *hops == 2)
    );

    // The same from others, and from one that claims more hops than there are, leads nowhere.
    gossip.message(id(2), find(3), START);
    gossip.message(id(3), find(u8::MAX), START);
    assert_eq!(finds(gossip.take_messages()), []);

    let later = START.plus(ASK_AGAIN_AFTER);
    gossip.message(id(3), find(u8::MAX), later);
    let handed_on = finds(gossip.take_messages());
    assert!(handed_on.iter().all(|(_, hops)| *hops < MAX_FIND_HOPS));
    assert_eq!(handed_on.len(), FIND_FANOUT);
    gossip.message(id(4), find(0), later.plus(ASK_AGAIN_AFTER));
    assert_eq!(finds(gossip.take_messages()), []);
}

#[test]
fn requests_are_rate_limited_for_each_peer_and_bounded_for_all() {
    let mut gossip = engine(0, START);
    for number in 1..=100 {
        gossip.peer_up(id(number), 10, START).unwrap();
    }
    gossip.take_messages();
    let mut target = 1_000;
    let mut handed_on = 0;
    for peer in 1..=100 {
        for _ in 0..20 {
            target += 1;
            let find = GossipMessage::Find {
                target: id(target),
                hops: 2,
            };
            gossip.message(id(peer), find, START);
        }
        let sent = finds(gossip.take_messages()).len();
        assert!(sent <= 8 * FIND_FANOUT);
        handed_on += sent;
    }
    assert_eq!(handed_on, MAX_SOUGHT / 2 * FIND_FANOUT);
    // What others look for leaves us room.
    for number in 0..MAX_SOUGHT as u32 {
        let is_asked = gossip.find(id(5_000 + number), START);
        assert_eq!(is_asked, number < MAX_SOUGHT as u32 / 2);
    }
    assert!(gossip.find(id(9_000), START.plus(61 * SECOND)));
}

#[test]
fn an_answer_names_the_node_and_those_that_link_it() {
    let mut gossip = engine(0, START);
    gossip.peer_up(id(1), 10, START).unwrap();
    let mut now = START;
    let around: Vec<_> = (100..130).map(id).collect();
    let mut items = vec![signed(announcement(id(50), around.clone(), now))];
    items.extend(
        around
            .iter()
            .map(|node| signed(announcement(*node, [id(50)], START))),
    );
    teach(&mut gossip, id(1), &items, &mut now);
    gossip.take_messages();
    let find = GossipMessage::Find {
        target: id(50),
        hops: 2,
    };
    gossip.message(id(1), find, now);
    let messages = gossip.take_messages();
    let [(to, GossipMessage::Have(held))] = messages.as_slice() else {
        unreachable!("one answer, not {messages:?}");
    };
    assert_eq!(*to, id(1));
    assert_eq!(held.len(), 1 + FOUND_WITH);
    assert_eq!(held[0].node_id, id(50));
    assert!(held[1..].iter().all(|held| around.contains(&held.node_id)));
}
