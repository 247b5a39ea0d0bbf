//! Whoever mints identities by the thousand does not push honest nodes out.

use crate::mesh::{START, StandIn, announcement, engine, id, signed, teach};
use mesh_routing::{Gossip, MAX_PLACES, PLACES_FOR_STRAYS, PLACES_FREED, REFUSED_FOR};
use mesh_types::{MAX_ANNOUNCED_LINKS, SignedAnnouncement, UnixTime};
use std::collections::{BTreeMap, BTreeSet};

const HONEST: u32 = 10_000;
const MINTED: u32 = 50_000;

/// Who is linked with whom, both ways.
#[derive(Debug, Default, Clone)]
struct Links(BTreeMap<u32, BTreeSet<u32>>);

impl Links {
    fn add(&mut self, a: u32, b: u32) {
        if a != b {
            self.0.entry(a).or_default().insert(b);
            self.0.entry(b).or_default().insert(a);
        }
    }

    fn of(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        self.0.get(&node).into_iter().flatten().copied()
    }

    fn said_by(
        &self,
        nodes: impl IntoIterator<Item = u32>,
        now: UnixTime,
    ) -> Vec<SignedAnnouncement> {
        let said = |node| signed(announcement(id(node), self.of(node).map(id), now));
        nodes.into_iter().map(said).collect()
    }
}

/// A mesh in which each node has chosen five others: ten links each, give or take.
fn honest_mesh() -> Links {
    let mut links = Links::default();
    let mut state = 1_u64;
    for node in 0..HONEST {
        for _ in 0..5 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            links.add(node, (state >> 33) as u32 % HONEST);
        }
    }
    links
}

/// How minted identities are linked with each other and with the attackers that bring them in.
type Shape = fn(&mut Links, &[u32]);

/// As wide as links allow: behind each attacker nodes with as many children as a node can have.
fn wide(links: &mut Links, attackers: &[u32]) {
    tree(links, attackers, MAX_ANNOUNCED_LINKS as u32 - 60);
}

/// Three children each, so that the tree is deep.
fn deep(links: &mut Links, attackers: &[u32]) {
    tree(links, attackers, 3);
}

/// One behind the other, as far as a route leads: no node shares what reaches it.
fn lines(links: &mut Links, attackers: &[u32]) {
    let fan = 190 * attackers.len() as u32;
    for number in 0..MINTED {
        let above = match number < fan {
            true => attackers[number as usize % attackers.len()],
            false => HONEST + number - fan,
        };
        links.add(above, HONEST + number);
    }
}

fn tree(links: &mut Links, attackers: &[u32], children: u32) {
    let first = children * attackers.len() as u32;
    for number in 0..MINTED {
        let above = match number.checked_sub(first) {
            None => attackers[number as usize % attackers.len()],
            Some(below) => HONEST + below / children,
        };
        links.add(above, HONEST + number);
    }
}

fn with_peers(links: &Links) -> Gossip<StandIn> {
    let mut gossip = engine(0, START);
    for peer in links.of(0) {
        gossip.peer_up(id(peer), 10, START).unwrap();
    }
    gossip.take_messages();
    gossip
}

fn honest_lost(gossip: &Gossip<StandIn>) -> Vec<u32> {
    let is_lost = |node: &u32| gossip.announcement(&id(*node)).is_none();
    (1..HONEST).filter(is_lost).collect()
}

/// Honest nodes first, then the minted ones, then honest ones that come back; all told by one peer.
fn attack(attackers: &[u32], shape: Shape) -> Gossip<StandIn> {
    let honest = honest_mesh();
    let mut links = honest.clone();
    shape(&mut links, attackers);
    let mut gossip = with_peers(&honest);
    let teller = id(honest.of(0).next().unwrap());
    let mut now = START;
    let said = links.said_by(1..HONEST, now);
    teach(&mut gossip, teller, &said, &mut now);
    assert_eq!(honest_lost(&gossip), []);

    let minted = links.said_by(HONEST..HONEST + MINTED, now);
    teach(&mut gossip, teller, &minted, &mut now);
    assert!(gossip.places() <= MAX_PLACES);
    gossip
}

fn nobody_is_lost(attackers: &[u32], shape: Shape) {
    let gossip = attack(attackers, shape);
    let counts = gossip.counts();
    assert!(counts.gone + counts.without_place > u64::from(MINTED) - 6_000);
    assert_eq!(honest_lost(&gossip), []);
}

/// Somebody of the mesh who is not our peer.
fn far() -> Vec<u32> {
    let honest = honest_mesh();
    let near: BTreeSet<u32> = honest.of(0).collect();
    (1..HONEST)
        .filter(|node| node % 1_000 == 7 && !near.contains(node))
        .take(3)
        .collect()
}

fn near() -> Vec<u32> {
    honest_mesh().of(0).take(3).collect()
}

#[test]
fn fifty_thousand_behind_one_node_push_nobody_out() {
    nobody_is_lost(&far()[..1], wide);
}

#[test]
fn fifty_thousand_behind_one_of_our_peers_push_nobody_out() {
    nobody_is_lost(&near()[..1], wide);
}

#[test]
fn fifty_thousand_in_lines_behind_one_of_our_peers_push_nobody_out() {
    nobody_is_lost(&near()[..1], lines);
}

#[test]
fn fifty_thousand_behind_three_nodes_push_nobody_out() {
    nobody_is_lost(&far(), wide);
}

#[test]
fn fifty_thousand_in_a_deep_tree_behind_three_nodes_push_nobody_out() {
    nobody_is_lost(&far(), deep);
}

#[test]
fn fifty_thousand_in_lines_behind_three_nodes_push_nobody_out() {
    nobody_is_lost(&far(), lines);
}

/// A third of our own links is more than the rule can make up for: the other two thirds keep their share.
#[test]
fn three_attackers_among_nine_peers_get_a_third_of_the_places_and_no_more() {
    let gossip = attack(&near(), lines);
    let kept = (HONEST as usize - 1) - honest_lost(&gossip).len();
    let linked = MAX_PLACES - PLACES_FREED - PLACES_FOR_STRAYS;
    let peers = honest_mesh().of(0).count();
    assert_eq!(peers, 9);
    assert!(kept >= linked * (peers - 3) / peers, "{kept} kept");
}

/// Nodes without a way from us never take more than what nobody else needs.
#[test]
fn strays_go_before_anybody_with_a_way() {
    let honest = honest_mesh();
    let mut gossip = with_peers(&honest);
    let teller = id(honest.of(0).next().unwrap());
    let mut now = START;
    // Twice the table of nodes that are linked with nobody.
    let strays = Links::default().said_by(HONEST..HONEST + 2 * MAX_PLACES as u32, now);
    teach(&mut gossip, teller, &strays, &mut now);
    assert!(gossip.places() <= MAX_PLACES);
    assert!(gossip.places() > MAX_PLACES - 2 * PLACES_FREED);
    let said = honest.said_by(1..HONEST, now);
    teach(&mut gossip, teller, &said, &mut now);
    assert_eq!(honest_lost(&gossip), []);
    let kept = gossip.known_nodes() - HONEST as usize;
    assert!(kept >= PLACES_FOR_STRAYS, "{kept} strays");
}

/// The places are full of minted identities when most of the mesh is heard of first.
#[test]
fn honest_nodes_come_in_though_minted_ones_were_first() {
    let honest = honest_mesh();
    let attackers = far();
    let mut links = honest.clone();
    deep(&mut links, &attackers);
    let mut gossip = with_peers(&honest);
    let teller = id(honest.of(0).next().unwrap());
    let mut now = START;
    let early = honest.said_by(1..HONEST / 3, now);
    teach(&mut gossip, teller, &early, &mut now);
    let brought_in = links.said_by(attackers.iter().copied(), now);
    teach(&mut gossip, teller, &brought_in, &mut now);
    let minted = links.said_by(HONEST..HONEST + MINTED / 2, now);
    teach(&mut gossip, teller, &minted, &mut now);
    for _ in 0..3 {
        let said = honest.said_by(1..HONEST, START);
        teach(&mut gossip, teller, &said, &mut now);
        now = now.plus(REFUSED_FOR);
        gossip.tick(now);
    }
    assert_eq!(honest_lost(&gossip), []);
}
