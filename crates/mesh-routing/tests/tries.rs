//! Which way a source tries next, within a budget and a deadline, and what it learns of each.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

use mesh_routing::{
    BUSY_FOR, Fault, MAX_TRIES, NextTry, NoMoreTries, Outcome, RoutingTable, Tries, TryEnd,
    TryLimits, cost_of, split,
};
use mesh_types::{Msat, NodeId, Price, UnixTime};
use proptest::prelude::*;
use std::time::Duration;

const LOCAL: u8 = 0;
const END: u8 = 99;
const START: UnixTime = UnixTime::from_secs(1_790_000_000);
const PLENTY: Msat = Msat::from_msat(1_000_000);

const fn id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

fn ids(numbers: &[u8]) -> Vec<NodeId> {
    numbers.iter().copied().map(id).collect()
}

fn asks(table: &RoutingTable, node: u8, msat: u64) {
    let per_packet = Msat::from_msat(msat);
    let price = Price {
        per_packet,
        per_kib: Msat::ZERO,
    };
    table.set_price(id(node), price).unwrap();
}

/// Ways over one relay each to the end; the first is the cheapest, and none costs three times as much.
fn side_by_side(relays: &[u8]) -> RoutingTable {
    let table = RoutingTable::new(id(LOCAL));
    for relay in relays {
        table.add_direct_peer(id(*relay), format!("node-{relay}"));
        table.add_link(id(*relay), id(END)).unwrap();
        asks(&table, *relay, 3_000 + u64::from(*relay));
    }
    table
}

fn limits() -> TryLimits {
    TryLimits {
        destination: id(END),
        payload_bytes: 0,
        is_free: false,
        budget: PLENTY,
        deadline: START.plus(Duration::from_secs(60)),
        patience: Duration::from_secs(10),
    }
}

fn way(next: &NextTry) -> Vec<NodeId> {
    next.route.to_vec()
}

const SILENCE: TryEnd = TryEnd::Silence {
    waited: Duration::from_secs(10),
};

const fn refused(by: u8, fault: Fault) -> TryEnd {
    TryEnd::Refused { by: id(by), fault }
}

#[test]
fn ways_are_tried_the_cheapest_first_and_none_twice() {
    let table = side_by_side(&[1, 2, 3]);
    let mut tries = Tries::new(limits());
    for relay in [1, 2, 3] {
        let next = tries.next(&table, START).unwrap();
        assert_eq!(way(&next), ids(&[LOCAL, relay, END]));
        tries.ended(&table, SILENCE, START);
    }
    assert_eq!(tries.next(&table, START), Err(NoMoreTries::NoOther));
}

#[test]
fn a_way_that_shares_no_relay_with_one_that_was_silent_comes_first() {
    // The second cheapest goes over relay 1 as well, and the third does not.
    let table = side_by_side(&[1]);
    for (a, b) in [(1, 5), (5, END), (6, END)] {
        table.add_link(id(a), id(b)).unwrap();
    }
    table.add_direct_peer(id(6), "node-6".to_owned());
    asks(&table, 6, 8_000);
    let mut tries = Tries::new(limits());
    let first = tries.next(&table, START).unwrap();
    assert_eq!(way(&first), ids(&[LOCAL, 1, END]));
    tries.ended(&table, SILENCE, START);
    let second = tries.next(&table, START).unwrap();
    assert_eq!(way(&second), ids(&[LOCAL, 6, END]));
}

#[test]
fn what_the_destination_refuses_is_not_tried_over_another_way() {
    let table = side_by_side(&[1, 2]);
    let mut tries = Tries::new(limits());
    tries.next(&table, START).unwrap();
    tries.ended(&table, refused(END, Fault::Other), START);
    assert_eq!(tries.next(&table, START), Err(NoMoreTries::Refused));
}

#[test]
fn nothing_is_tried_beyond_the_budget_nor_paid_for_twice() {
    let table = side_by_side(&[1, 2]);
    let fee = table.quote_route(&ids(&[LOCAL, 1, END]), 0).unwrap().total;
    let budget = Msat::from_msat(fee.to_msat() * 3 / 2);
    let mut tries = Tries::new(TryLimits { budget, ..limits() });
    let next = tries.next(&table, START).unwrap();
    assert_eq!(next.price, Some(fee));
    tries.spend(cost_of(&next.route, fee, Outcome::Silence));
    tries.ended(&table, SILENCE, START);
    let over = tries.next(&table, START).unwrap_err();
    let left = tries.budget_left();
    let least = table.quote_route(&ids(&[LOCAL, 2, END]), 0).unwrap().total;
    assert_eq!(over, NoMoreTries::TooDear { least, left });
}

#[test]
fn a_dear_way_that_is_left_out_for_the_budget_does_not_hide_one_that_fits() {
    let table = side_by_side(&[1, 2]);
    asks(&table, 1, 3_000);
    asks(&table, 2, 2_000);
    let fee = |relay| {
        let route = ids(&[LOCAL, relay, END]);
        table.quote_route(&route, 0).unwrap().total
    };
    let mut tries = Tries::new(TryLimits {
        budget: fee(1),
        ..limits()
    });
    assert_eq!(
        way(&tries.next(&table, START).unwrap()),
        ids(&[LOCAL, 2, END])
    );
    // It was refused before anybody carried it, so all of the budget is left.
    tries.ended(&table, refused(2, Fault::Other), START);
    assert_eq!(
        way(&tries.next(&table, START).unwrap()),
        ids(&[LOCAL, 1, END])
    );
}

#[test]
fn a_silent_way_takes_no_more_than_half_of_the_time_while_another_is_left() {
    let table = side_by_side(&[1, 2]);
    let deadline = START.plus(Duration::from_secs(8));
    let mut tries = Tries::new(TryLimits {
        deadline,
        ..limits()
    });
    let first = tries.next(&table, START).unwrap();
    assert_eq!(first.patience, Duration::from_secs(4));
    let then = START.plus(first.patience);
    tries.ended(&table, SILENCE, then);
    let second = tries.next(&table, then).unwrap();
    assert_eq!(second.patience, Duration::from_secs(4));
    tries.ended(&table, SILENCE, deadline);
    assert_eq!(tries.next(&table, deadline), Err(NoMoreTries::OutOfTime));
}

#[test]
fn a_way_that_turned_out_dearer_is_taken_at_its_new_price_where_it_still_is_the_best() {
    let table = side_by_side(&[1, 2]);
    let mut tries = Tries::new(limits());
    let first = tries.next(&table, START).unwrap();
    asks(&table, 1, 3_001);
    tries.ended(&table, TryEnd::Dearer { by: id(1) }, START);
    let again = tries.next(&table, START).unwrap();
    assert_eq!(way(&again), way(&first));
    asks(&table, 1, 4_000);
    tries.ended(&table, TryEnd::Dearer { by: id(1) }, START);
    assert_eq!(
        way(&tries.next(&table, START).unwrap()),
        ids(&[LOCAL, 2, END])
    );
    assert!(table.standing(&id(1), START).score < 1.0);
}

#[test]
fn a_node_that_raises_its_price_for_ever_does_not_hold_a_source_for_ever() {
    let table = side_by_side(&[1]);
    let mut tries = Tries::new(limits());
    for step in 0..MAX_TRIES {
        tries.next(&table, START).unwrap();
        asks(&table, 1, 4_000 + step as u64);
        // Nothing is learned here, or the relay would fall first.
        tries.ended(
            &RoutingTable::new(id(LOCAL)),
            TryEnd::Dearer { by: id(1) },
            START,
        );
    }
    assert_eq!(tries.next(&table, START), Err(NoMoreTries::TooMany));
}

#[test]
fn whom_the_wallet_cannot_pay_is_passed_by_and_not_blamed() {
    let table = side_by_side(&[1, 2]);
    let mut tries = Tries::new(limits());
    tries.next(&table, START).unwrap();
    tries.ended(&table, TryEnd::Unpaid { node: id(1) }, START);
    assert_eq!(
        way(&tries.next(&table, START).unwrap()),
        ids(&[LOCAL, 2, END])
    );
    tries.ended(&table, TryEnd::Unpaid { node: id(END) }, START);
    assert_eq!(tries.next(&table, START), Err(NoMoreTries::NoOther));
    assert!(table.standings(START).is_empty());
}

#[test]
fn a_link_of_ours_that_takes_nothing_is_left_out_for_a_moment_and_nobody_blamed() {
    let table = side_by_side(&[1, 2]);
    let mut tries = Tries::new(limits());
    tries.next(&table, START).unwrap();
    tries.ended(&table, TryEnd::Unsent, START);
    assert_eq!(table.find_route(&id(END)), Some(ids(&[LOCAL, 2, END])));
    assert!(table.standings(START).is_empty());
    table.refresh(START.plus(BUSY_FOR));
    assert_eq!(table.find_route(&id(END)), Some(ids(&[LOCAL, 1, END])));
}

#[test]
fn nobody_is_blamed_for_an_answer_that_was_not_waited_for() {
    let table = side_by_side(&[1, 2]);
    let wait = |waited| {
        let mut tries = Tries::new(limits());
        tries.next(&table, START).unwrap();
        tries.ended(&table, TryEnd::Silence { waited }, START);
    };
    let enough = table.late_after(&ids(&[LOCAL, 1, END]));
    wait(enough - Duration::from_millis(1));
    assert!(table.standings(START).is_empty());
    wait(enough);
    assert!(table.standing(&id(1), START).score < 1.0);
}

#[test]
fn a_question_without_an_answer_blames_nobody_behind_the_node_that_was_asked() {
    let table = side_by_side(&[1]);
    table.add_link(id(1), id(5)).unwrap();
    table.add_link(id(5), id(END)).unwrap();
    table.remove_link(&id(1), &id(END));
    let mut tries = Tries::new(limits());
    let next = tries.next(&table, START).unwrap();
    assert_eq!(way(&next), ids(&[LOCAL, 1, 5, END]));
    tries.ended(
        &table,
        TryEnd::Unanswered {
            node: id(5),
            waited: Duration::from_secs(10),
        },
        START,
    );
    let score = |node| table.standing(&id(node), START).score;
    assert!(score(1) < 1.0 && score(5) < 1.0);
    assert!(table.standings(START).iter().all(|it| it.node != id(END)));
}

#[test]
fn what_rides_free_costs_nothing_and_makes_nobody_look_good_or_bad_who_asks_for_money() {
    let table = side_by_side(&[1, 2]);
    let free = TryLimits {
        is_free: true,
        budget: Msat::ZERO,
        ..limits()
    };
    let took = Duration::ZERO;
    for end in [SILENCE, TryEnd::Delivered { took }] {
        let mut tries = Tries::new(free);
        let next = tries.next(&table, START).unwrap();
        assert_eq!(next.price, Some(Msat::ZERO));
        tries.ended(&table, end, START);
        assert!(table.standings(START).is_empty());
    }
    // Where nobody asks for anything, nothing tells what is free from what is not.
    asks(&table, 1, 0);
    let mut tries = Tries::new(free);
    tries.next(&table, START).unwrap();
    tries.ended(&table, SILENCE, START);
    assert!(!table.standings(START).is_empty());
}

#[test]
fn where_no_other_way_leads_one_that_is_busy_or_in_doubt_is_tried_and_none_over_who_has_fallen() {
    let table = side_by_side(&[1]);
    let tried = |end| {
        let mut tries = Tries::new(limits());
        let next = tries.next(&table, START).unwrap();
        assert_eq!(way(&next), ids(&[LOCAL, 1, END]));
        tries.ended(&table, end, START);
    };
    for fault in [Fault::Busy, Fault::NoLink] {
        tried(refused(1, fault));
        assert_eq!(table.find_route(&id(END)), None);
    }
    tried(TryEnd::Unsent);
    // It may be the destination's doing: the relay does not fall, and the link to it is in doubt.
    for _ in 0..10 {
        tried(SILENCE);
    }
    // Many a destination, and always the same relay.
    for other in 50..60 {
        let lost = ids(&[LOCAL, 1, other]);
        table.learn(&lost, Outcome::Silence, START);
    }
    assert!(table.standing(&id(1), START).is_fallen);
    let mut tries = Tries::new(limits());
    assert_eq!(tries.next(&table, START), Err(NoMoreTries::NoRoute));
}

#[test]
fn a_way_in_doubt_is_no_alternative_where_there_was_another() {
    let table = side_by_side(&[1, 2]);
    let mut tries = Tries::new(limits());
    for relay in [1, 2] {
        let next = tries.next(&table, START).unwrap();
        assert_eq!(way(&next), ids(&[LOCAL, relay, END]));
        tries.ended(&table, refused(relay, Fault::NoLink), START);
    }
    assert_eq!(tries.next(&table, START), Err(NoMoreTries::NoOther));
}

#[test]
fn without_a_route_nothing_is_tried() {
    let table = RoutingTable::new(id(LOCAL));
    let mut tries = Tries::new(limits());
    assert_eq!(tries.next(&table, START), Err(NoMoreTries::NoRoute));
    let late = limits().deadline;
    assert_eq!(tries.next(&table, late), Err(NoMoreTries::OutOfTime));
    // Before anything was tried, nothing has ended.
    tries.ended(&table, SILENCE, START);
    assert!(table.standings(START).is_empty());
}

#[test]
fn a_packet_costs_what_those_have_taken_who_carried_it() {
    let route = ids(&[LOCAL, 1, 2, 3, END]);
    let fee = Msat::from_msat(10_000);
    let by = |node| Outcome::Refused {
        by: id(node),
        fault: Fault::Other,
    };
    let took = Duration::ZERO;
    for (outcome, cost) in [
        (by(1), 0),
        (by(2), 1_000),
        (by(3), 2_000),
        (by(END), 3_000),
        (Outcome::Silence, 9_000),
        (Outcome::Delivered { took }, 9_000),
        // Nobody of the route: what nobody can tell counts whole.
        (by(77), 10_000),
    ] {
        assert_eq!(cost_of(&route, fee, outcome), Msat::from_msat(cost));
    }
}

proptest! {
    #[test]
    fn whatever_becomes_of_its_tries_a_source_ends_within_its_limits(
        relays in prop::collection::btree_set(1..30_u8, 0..12),
        ends in prop::collection::vec((0..8_usize, any::<prop::sample::Index>()), 40),
        budget in 0..200_000_u64,
        seconds in 0..100_u64,
    ) {
        let relays: Vec<u8> = relays.into_iter().collect();
        let table = side_by_side(&relays);
        let budget = Msat::from_msat(budget);
        let deadline = START.plus(Duration::from_secs(seconds));
        let mut tries = Tries::new(TryLimits { budget, deadline, ..limits() });
        let mut now = START;
        let mut ends = ends.into_iter();
        let mut count = 0;
        while let Ok(next) = tries.next(&table, now) {
            count += 1;
            prop_assert!(count <= MAX_TRIES);
            prop_assert!(now.plus(next.patience) <= deadline);
            let fee = next.price.unwrap();
            prop_assert!(fee <= tries.budget_left());
            // There are more of them than tries.
            let (end, node) = ends.next().unwrap();
            let node = *node.get(&next.route);
            let end = match end {
                0 => SILENCE,
                1 => TryEnd::Refused { by: node, fault: Fault::NoLink },
                2 => TryEnd::Refused { by: node, fault: Fault::Busy },
                3 => TryEnd::Dearer { by: node },
                4 => TryEnd::Unpaid { node },
                5 => TryEnd::GivenUp,
                6 => TryEnd::Unanswered { node, waited: next.patience },
                _ => TryEnd::Unsent,
            };
            let outcome = match end {
                TryEnd::Silence { .. } => Some(Outcome::Silence),
                TryEnd::Refused { by, fault } => Some(Outcome::Refused { by, fault }),
                _ => None,
            };
            if let Some(outcome) = outcome {
                tries.spend(cost_of(&next.route, fee, outcome));
            }
            now = now.plus(next.patience);
            tries.ended(&table, end, now);
            prop_assert!(tries.spent() <= budget);
        }
    }

    #[test]
    fn no_packet_costs_more_than_it_offers(
        fee in any::<u64>(),
        relays in 0..14_u8,
        by in 0..20_u8,
    ) {
        let mut nodes: Vec<u8> = (0..=relays).collect();
        nodes.push(END);
        let (route, fee) = (ids(&nodes), Msat::from_msat(fee));
        let refused = Outcome::Refused { by: id(by), fault: Fault::Other };
        for outcome in [refused, Outcome::Silence] {
            prop_assert!(cost_of(&route, fee, outcome) <= fee);
        }
        let whole = cost_of(&route, fee, Outcome::Silence);
        let shares = split(fee, usize::from(relays));
        prop_assert_eq!(whole.checked_add(shares.source), Some(fee));
    }
}
