//! The split of a fee and its inverse: every millisatoshi goes to somebody, and every price is covered by the least.

use mesh_routing::{FeeDistribution, RoutingTable, Split, least_total, split};
use mesh_types::{Msat, NodeId};
use proptest::prelude::*;

const fn msat(msat: u64) -> Msat {
    Msat::from_msat(msat)
}

/// 60/30/10 in wide integers, as one would write it on paper.
fn on_paper(total: u64, relays: usize) -> Split {
    let (total, count) = (u128::from(total), relays as u128);
    let per_relay = (total * 30 / 100).checked_div(count).unwrap_or(0);
    let source = total * 10 / 100;
    let destination = total - source - count * per_relay;
    let narrow = |wide: u128| msat(u64::try_from(wide).unwrap_or_default());
    Split {
        destination: narrow(destination),
        per_relay: narrow(per_relay),
        relays,
        source: narrow(source),
    }
}

fn covers(total: u64, destination_price: u64, relay_prices: &[u64]) -> bool {
    let shares = on_paper(total, relay_prices.len());
    let relays_are_paid = |price: &u64| shares.per_relay >= msat(*price);
    shares.destination >= msat(destination_price) && relay_prices.iter().all(relays_are_paid)
}

fn prices(prices: &[u64]) -> Vec<Msat> {
    prices.iter().copied().map(msat).collect()
}

#[test]
fn a_hundred_is_split_as_sixty_thirty_ten() {
    for (relays, destination, per_relay) in [(0, 90, 0), (1, 60, 30), (2, 60, 15), (4, 62, 7)] {
        let expected = Split {
            destination: msat(destination),
            per_relay: msat(per_relay),
            relays,
            source: msat(10),
        };
        assert_eq!(split(msat(100), relays), expected);
    }
}

#[test]
fn positions_of_a_route_get_their_shares_and_nobody_else_does() {
    let shares = split(msat(1_000), 2);
    let of = [0, 1, 2, 3, 4, usize::MAX].map(|position| shares.share_at(position));
    assert_eq!(of, [100, 150, 150, 600, 0, 0].map(msat));
    let direct = split(msat(1_000), 0);
    assert_eq!(
        [0, 1, 2].map(|at| direct.share_at(at)),
        [100, 900, 0].map(msat)
    );
}

#[test]
fn a_fee_in_satoshi_conserves_every_satoshi_over_any_route() {
    let table = RoutingTable::new(NodeId::from_bytes([0; 32]));
    for nodes in 0..20_u8 {
        let route: Vec<NodeId> = (0..nodes).map(|n| NodeId::from_bytes([n; 32])).collect();
        for total in [0, 1, 9, 10, 99, 100, 101, 12_345, u64::MAX - 1, u64::MAX] {
            let fee = table.calculate_fee(&route, total);
            let parts = [fee.destination_sats, fee.source_sats].into_iter();
            let sum: u128 = parts.chain(fee.relay_sats.clone()).map(u128::from).sum();
            assert_eq!((sum, fee.total_sats), (u128::from(total), total));
            assert_eq!(fee.relay_sats.len(), route.len().saturating_sub(2));
        }
    }
}

#[test]
fn a_fee_in_satoshi_is_sixty_thirty_ten() {
    let table = RoutingTable::new(NodeId::from_bytes([0; 32]));
    let route: Vec<NodeId> = (0..5).map(|n| NodeId::from_bytes([n; 32])).collect();
    let expected = FeeDistribution {
        total_sats: 101,
        destination_sats: 61,
        relay_sats: vec![10, 10, 10],
        source_sats: 10,
    };
    assert_eq!(table.calculate_fee(&route, 101), expected);
}

#[test]
fn a_route_that_leads_nowhere_pays_nobody() {
    let table = RoutingTable::new(NodeId::from_bytes([0; 32]));
    for route in [vec![], vec![NodeId::from_bytes([0; 32])]] {
        let expected = FeeDistribution {
            total_sats: 7,
            destination_sats: 0,
            relay_sats: Vec::new(),
            source_sats: 7,
        };
        assert_eq!(table.calculate_fee(&route, 7), expected);
    }
}

#[test]
fn nothing_asked_costs_nothing() {
    for relays in 0..15 {
        let free = vec![Msat::ZERO; relays];
        assert_eq!(least_total(Msat::ZERO, &free), Some(Msat::ZERO));
    }
}

#[test]
fn the_dearest_relay_decides_what_all_relays_get() {
    assert_eq!(least_total(msat(0), &prices(&[30])), Some(msat(100)));
    assert_eq!(least_total(msat(0), &prices(&[30, 0, 0])), Some(msat(300)));
    assert_eq!(least_total(msat(600), &prices(&[30])), Some(msat(998)));
    assert_eq!(least_total(msat(900), &[]), Some(msat(999)));
}

#[test]
fn a_total_that_no_amount_holds_is_none() {
    let most = u64::MAX / 10 * 3 + 1;
    assert_eq!(least_total(Msat::MAX, &[]), None);
    assert_eq!(least_total(Msat::ZERO, &[Msat::MAX]), None);
    assert_eq!(least_total(Msat::MAX, &[Msat::MAX; 14]), None);
    assert!(covers(u64::MAX, 0, &[most]));
    assert!(least_total(Msat::ZERO, &[msat(most)]).is_some());
    assert_eq!(least_total(Msat::ZERO, &[msat(most + 1)]), None);
}

fn any_amount() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..2_000_u64,
        any::<u64>(),
        any::<u64>().prop_map(|n| n >> 20),
        (0..50_u64).prop_map(|below| u64::MAX - below),
    ]
}

proptest! {
    #[test]
    fn a_split_is_the_one_on_paper_and_conserves_every_millisatoshi(
        total in any_amount(),
        relays in prop_oneof![0..20_usize, any::<usize>()],
    ) {
        let shares = split(msat(total), relays);
        prop_assert_eq!(shares, on_paper(total, relays));
        let all_relays = u128::from(shares.per_relay.to_msat()) * relays as u128;
        let ends = [shares.destination, shares.source].map(|share| u128::from(share.to_msat()));
        prop_assert_eq!(ends[0] + ends[1] + all_relays, u128::from(total));
    }

    #[test]
    fn the_least_total_is_the_first_that_covers_when_all_are_tried(
        destination_price in 0..1_500_u64,
        relay_prices in prop::collection::vec(prop_oneof![Just(0), 0..40_u64], 0..15),
    ) {
        let tried = (0..100_000).find(|total| covers(*total, destination_price, &relay_prices));
        let answer = least_total(msat(destination_price), &prices(&relay_prices));
        prop_assert_eq!(answer.map(Msat::to_msat), tried);
        prop_assert!(tried.is_some());
    }

    #[test]
    fn the_least_total_of_great_prices_covers_and_none_below_does(
        destination_price in any_amount(),
        relay_prices in prop::collection::vec(any_amount(), 0..15),
    ) {
        let answer = least_total(msat(destination_price), &prices(&relay_prices));
        // Below, the destination's share misses its price by more than its remainders could ever make up.
        let end = match answer {
            Some(total) => {
                prop_assert!(covers(total.to_msat(), destination_price, &relay_prices));
                total.to_msat()
            }
            None => {
                prop_assert!(!covers(u64::MAX, destination_price, &relay_prices));
                u64::MAX
            }
        };
        for total in end.saturating_sub(100)..end {
            prop_assert!(!covers(total, destination_price, &relay_prices));
        }
    }
}
