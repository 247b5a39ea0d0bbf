//! What a source learns about those who carry for it, and where its packets go then.

use mesh_routing::{
    BUSY_FOR, DOUBTED_AFTER, FALLEN_BELOW, Fault, MAX_DOUBTED_LINKS, MAX_SCORED_NODES, Outcome,
    Place, RISEN_ABOVE, RoutingTable, SCORE_HALF_LIFE, Scores,
};
use mesh_types::{Msat, NodeId, Price, UnixTime};
use proptest::prelude::*;
use std::time::Duration;

const LOCAL: NodeId = id(0);
const QUICK: Duration = Duration::from_millis(200);

const fn id(number: u32) -> NodeId {
    let [a, b, c, d] = number.to_be_bytes();
    let mut bytes = [0; 32];
    bytes[0] = a;
    bytes[1] = b;
    bytes[2] = c;
    bytes[3] = d;
    NodeId::from_bytes(bytes)
}

fn ids(numbers: &[u32]) -> Vec<NodeId> {
    numbers.iter().copied().map(id).collect()
}

const fn at(second: u64) -> UnixTime {
    UnixTime::from_secs(1_790_000_000 + second)
}

/// A source and the mesh round it. Time passes by a second with each packet.
struct World {
    table: RoutingTable,
    second: u64,
}

impl World {
    /// Relays ask their number, so that the lowest carries while it is trusted.
    fn new(peers: &[u32], links: &[(u32, u32)]) -> Self {
        let table = RoutingTable::new(LOCAL);
        for peer in peers {
            table.add_direct_peer(id(*peer), "10.0.0.1:8334".to_owned());
        }
        for (a, b) in links {
            assert_eq!(table.add_link(id(*a), id(*b)), Ok(()));
            for node in [a, b] {
                let per_packet = Msat::from_msat(u64::from(*node) * 1_000);
                let price = Price {
                    per_packet,
                    per_kib: Msat::ZERO,
                };
                assert_eq!(table.set_price(id(*node), price), Ok(()));
            }
        }
        Self { table, second: 0 }
    }

    fn now(&self) -> UnixTime {
        at(self.second)
    }

    fn wait(&mut self, time: Duration) {
        self.second += time.as_secs();
        self.table.refresh(self.now());
    }

    /// Sends a packet that arrives unless `fate` has another outcome for its route; gives the route.
    fn send(&mut self, to: u32, fate: impl Fn(&[NodeId]) -> Option<Outcome>) -> Vec<NodeId> {
        self.wait(Duration::from_secs(1));
        let route = self.table.find_route(&id(to)).unwrap_or_default();
        let delivered = Outcome::Delivered { took: QUICK };
        let outcome = fate(&route).unwrap_or(delivered);
        self.table.learn(&route, outcome, self.now());
        route
    }

    /// Sends packets to both in turn, and says how many of them went over `relay`.
    fn send_over(
        &mut self,
        relay: u32,
        to: &[u32],
        fate: impl Fn(&[NodeId]) -> Option<Outcome>,
    ) -> usize {
        let mut over = 0;
        for to in to.iter().cycle().take(40) {
            let route = self.send(*to, &fate);
            over += usize::from(route.contains(&id(relay)));
        }
        over
    }

    fn score(&self, node: u32) -> f64 {
        self.table.standing(&id(node), self.now()).score
    }

    fn is_fallen(&self, node: u32) -> bool {
        self.table.standing(&id(node), self.now()).is_fallen
    }
}

fn drops(node: u32) -> impl Fn(&[NodeId]) -> Option<Outcome> {
    move |route| route.contains(&id(node)).then_some(Outcome::Silence)
}

#[test]
fn a_black_hole_loses_its_score_after_a_few_packets_and_traffic_goes_elsewhere() {
    let mut world = World::new(&[1, 2], &[(1, 8), (1, 9), (2, 8), (2, 9)]);
    assert!(world.send_over(1, &[8, 9], drops(1)) <= 7);
    assert!(world.is_fallen(1) && !world.is_fallen(2));
    assert!(world.score(1) < FALLEN_BELOW && world.score(2) > 0.9);
    for destination in [8, 9] {
        assert_eq!(world.send(destination, |_| None), ids(&[0, 2, destination]));
    }
    let standing = world.table.standing(&id(1), world.now());
    assert!(
        standing
            .reasons
            .iter()
            .all(|(fault, _)| *fault == Fault::Silence)
    );
    assert_eq!(world.table.standings(world.now()).first(), Some(&standing));
}

#[test]
fn a_relay_that_always_delivered_and_becomes_a_black_hole_falls_as_well() {
    let to = [7, 8, 9];
    let links = to.map(|to| [(1, to), (2, to)]).concat();
    let mut world = World::new(&[1, 2], &links);
    assert_eq!(world.send_over(1, &to, |_| None), 40);
    assert!(world.send_over(1, &to, drops(1)) <= 9);
    assert!(world.is_fallen(1));
    assert!(to.iter().all(|to| world.score(*to) > 0.9));
}

#[test]
fn a_black_hole_on_the_way_to_one_destination_is_passed_by_though_it_may_be_the_destination() {
    let mut world = World::new(&[1, 2], &[(1, 9), (2, 9)]);
    assert_eq!(world.send_over(1, &[9], drops(1)), DOUBTED_AFTER as usize);
    assert!(!world.is_fallen(1) && world.score(1) > 0.66);
    assert!(world.table.is_distrusted(Place::Link(id(9), id(1))));
    assert_eq!(world.send(1, |_| None), ids(&[0, 1]));
}

#[test]
fn an_honest_relay_next_to_a_black_hole_recovers() {
    let links = [(1, 3), (2, 3), (3, 8), (3, 9), (1, 4), (4, 8), (4, 9)];
    let mut world = World::new(&[1, 2], &links);
    assert!(world.send_over(1, &[8, 9], drops(1)) <= 10);
    assert!(!world.is_fallen(3));
    assert_eq!(world.send(8, drops(1)), ids(&[0, 2, 3, 8]));
    assert!(world.score(3) > RISEN_ABOVE, "{}", world.score(3));
}

#[test]
fn a_destination_that_answers_nobody_makes_no_relay_fall() {
    let mut world = World::new(
        &[1, 2, 3],
        &[(1, 9), (2, 9), (3, 9), (1, 8), (2, 8), (3, 8)],
    );
    for _ in 0..40 {
        world.send(9, drops(9));
    }
    for relay in [1, 2, 3] {
        assert!(!world.is_fallen(relay) && world.score(relay) > 0.66);
    }
    assert_eq!(world.send(8, |_| None), ids(&[0, 1, 8]));
}

#[test]
fn scores_recover_with_time_and_what_still_drops_falls_again_sooner() {
    let mut world = World::new(&[1, 2], &[(1, 8), (1, 9), (2, 8), (2, 9)]);
    let first = world.send_over(1, &[8, 9], drops(1));
    world.wait(SCORE_HALF_LIFE);
    assert!(world.is_fallen(1));
    world.wait(SCORE_HALF_LIFE * 3);
    assert!(!world.is_fallen(1) && world.score(1) > RISEN_ABOVE);
    let again = world.send_over(1, &[8, 9], drops(1));
    assert!(0 < again && again <= first, "{again} after {first}");
    world.wait(SCORE_HALF_LIFE * 12);
    assert_eq!(world.table.standings(world.now()), []);
    assert_eq!(world.send(8, |_| None), ids(&[0, 1, 8]));
}

#[test]
fn a_refusal_clears_the_hops_before_it() {
    let mut scores = Scores::default();
    let route = ids(&[0, 1, 2, 3, 9]);
    let refused = Outcome::Refused {
        by: id(3),
        fault: Fault::Dearer,
    };
    for second in 0..10 {
        scores.learn(&route, refused, QUICK, at(second));
    }
    for node in [1, 2, 9] {
        assert_eq!(scores.standing(&id(node), at(10)).reasons, []);
    }
    assert!(scores.is_out(Place::Node(id(3))));
    let unheard = Outcome::Refused {
        by: id(7),
        fault: Fault::Dearer,
    };
    assert_eq!(scores.learn(&route, unheard, QUICK, at(11)), []);
    assert_eq!(scores.standing(&id(7), at(11)).reasons, []);
}

#[test]
fn a_link_that_its_relay_denies_is_left_out_at_once_and_comes_back_later() {
    let mut world = World::new(&[1, 2], &[(1, 9), (2, 9)]);
    let denies = |route: &[NodeId]| {
        let refused = Outcome::Refused {
            by: id(1),
            fault: Fault::NoLink,
        };
        route.contains(&id(1)).then_some(refused)
    };
    assert_eq!(world.send(9, denies), ids(&[0, 1, 9]));
    assert_eq!(world.send(9, denies), ids(&[0, 2, 9]));
    // Coming and going changes nothing.
    assert!(world.table.remove_link(&id(1), &id(9)));
    assert_eq!(world.table.add_link(id(1), id(9)), Ok(()));
    assert_eq!(world.send(9, denies), ids(&[0, 2, 9]));
    world.wait(SCORE_HALF_LIFE * 2);
    assert_eq!(world.send(9, |_| None), ids(&[0, 1, 9]));
    assert_eq!(world.send(9, |_| None), ids(&[0, 1, 9]));
}

#[test]
fn who_lies_about_many_links_falls_and_who_has_one_bad_neighbour_does_not() {
    let mut liar = Scores::default();
    let mut honest = Scores::default();
    let refused = Outcome::Refused {
        by: id(1),
        fault: Fault::NoLink,
    };
    for number in 0..20 {
        let second = u64::from(number) * 30;
        liar.learn(&ids(&[0, 1, 10 + number]), refused, QUICK, at(second));
        honest.learn(&ids(&[0, 1, 2, 10 + number]), refused, QUICK, at(second));
    }
    assert!(liar.is_out(Place::Node(id(1))));
    assert!(!honest.is_out(Place::Node(id(1))));
}

#[test]
fn a_relay_that_delays_loses_its_score() {
    let mut world = World::new(&[1, 2], &[(1, 8), (1, 9), (2, 8), (2, 9)]);
    let delays = |route: &[NodeId]| {
        let took = Duration::from_secs(5);
        let is_over = route.contains(&id(1));
        is_over.then_some(Outcome::Delivered { took })
    };
    assert!(world.send_over(1, &[8, 9], delays) <= 12);
    assert!(world.is_fallen(1));
    let reasons = world.table.standing(&id(1), world.now()).reasons;
    assert!(reasons.iter().all(|(fault, _)| *fault == Fault::Late));
}

#[test]
fn a_relay_that_is_busy_is_spared_for_a_moment() {
    let mut world = World::new(&[1, 2], &[(1, 9), (2, 9)]);
    let busy = |by: u32| {
        let fault = Fault::Busy;
        move |_: &[NodeId]| Some(Outcome::Refused { by: id(by), fault })
    };
    assert_eq!(world.send(9, busy(1)), ids(&[0, 1, 9]));
    assert_eq!(world.send(9, |_| None), ids(&[0, 2, 9]));
    world.wait(BUSY_FOR);
    assert_eq!(world.send(9, busy(9)), ids(&[0, 1, 9]));
    assert_eq!(world.send(9, |_| None), ids(&[0, 1, 9]));
}

#[test]
fn a_relay_that_loses_one_packet_in_fifty_keeps_its_score() {
    let mut world = World::new(&[1, 2], &[(1, 8), (1, 9), (2, 8), (2, 9)]);
    for number in 0..1_000_u32 {
        let is_lost = number % 50 == 49;
        let route = world.send(8 + number % 2, |_| is_lost.then_some(Outcome::Silence));
        assert_eq!(route, ids(&[0, 1, 8 + number % 2]));
    }
}

#[test]
fn scores_remember_no_more_than_their_bound_and_never_forget_who_is_left_out() {
    let mut scores = Scores::default();
    for second in 0..20 {
        scores.learn(&ids(&[0, 1]), Outcome::Silence, QUICK, at(second));
    }
    let learned = |scores: &mut Scores| {
        for number in 100..100 + 3 * MAX_SCORED_NODES as u32 {
            let route = ids(&[0, number, number + 1, number + 2]);
            scores.learn(&route, Outcome::Silence, QUICK, at(30));
        }
    };
    let info = allocation_counter::measure(|| learned(&mut scores));
    assert_eq!(scores.standings(at(30)).len(), MAX_SCORED_NODES);
    assert!(info.bytes_current < 4_000_000, "{}", info.bytes_current);
    assert!(scores.is_out(Place::Node(id(1))));
    for number in 0..2 * MAX_DOUBTED_LINKS as u32 {
        let refused = Outcome::Refused {
            by: id(50),
            fault: Fault::NoLink,
        };
        scores.learn(&ids(&[0, 50, 100_000 + number]), refused, QUICK, at(31));
    }
    let back = scores.refresh(at(31 + 24 * 3_600)).len();
    assert!(
        (MAX_DOUBTED_LINKS..=MAX_DOUBTED_LINKS + 2).contains(&back),
        "{back}"
    );
    assert_eq!(scores.standings(at(31 + 48 * 3_600)).len(), 0);
}

/// What a liar does with one packet that comes its way, as the source sees it.
#[derive(Debug, Clone, Copy)]
enum Lie {
    Carry,
    Drop,
    Delay,
    Refuse(Fault),
}

fn lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        3 => Just(Lie::Carry),
        4 => Just(Lie::Drop),
        1 => Just(Lie::Delay),
        1 => prop_oneof![Just(Fault::NoLink), Just(Fault::Busy), Just(Fault::Dearer)].prop_map(Lie::Refuse),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_liar_makes_nobody_but_itself_fall(
        packets in prop::collection::vec(
            (prop::sample::subsequence((1..30_u32).collect::<Vec<_>>(), 1..8), any::<prop::sample::Index>(), lie(), 0..120_u64),
            1..400,
        ),
    ) {
        let liar = 100;
        let mut scores = Scores::default();
        let mut second = 0;
        for (mut route, place, lie, pause) in packets {
            second += pause;
            // The liar is on each route, as a relay or as the destination, and chooses what to do knowing all of it.
            route.insert(place.index(route.len() + 1), liar);
            route.insert(0, 0);
            let outcome = match lie {
                Lie::Carry => Outcome::Delivered { took: QUICK },
                Lie::Drop => Outcome::Silence,
                Lie::Delay => Outcome::Delivered { took: Duration::from_secs(60) },
                Lie::Refuse(fault) => Outcome::Refused { by: id(liar), fault },
            };
            scores.learn(&ids(&route), outcome, QUICK, at(second));
            for standing in scores.standings(at(second)) {
                if standing.node != id(liar) {
                    prop_assert!(!standing.is_fallen, "{standing:?}");
                    prop_assert!(standing.score > 0.66, "{standing:?}");
                }
            }
        }
    }
}
