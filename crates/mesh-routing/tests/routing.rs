//! Which way a packet takes, and what the table refuses to hold.

use mesh_routing::{
    MAX_ADDRESS_BYTES, MAX_DIRECT_PEERS, MAX_LINKS_PER_NODE, MAX_NODES, Place, RoutingError,
    RoutingTable, least_total, split,
};
use mesh_types::{MAX_ROUTE_NODES, Msat, NodeId, Price, UnixTime};
use std::sync::atomic::{AtomicBool, Ordering};

const LOCAL: NodeId = id(0);

const fn id(number: u32) -> NodeId {
    let [a, b, c, d] = number.to_be_bytes();
    let mut bytes = [0; 32];
    bytes[0] = a;
    bytes[1] = b;
    bytes[2] = c;
    bytes[3] = d;
    NodeId::from_bytes(bytes)
}

const fn per_packet(msat: u64) -> Price {
    Price {
        per_packet: Msat::from_msat(msat),
        per_kib: Msat::ZERO,
    }
}

/// A table with direct peers, links, and prices of a packet.
fn table(peers: &[u32], links: &[(u32, u32)], prices: &[(u32, u64)]) -> RoutingTable {
    let table = RoutingTable::new(LOCAL);
    for peer in peers {
        table.add_direct_peer(id(*peer), format!("10.0.0.{peer}:8334"));
    }
    for (a, b) in links {
        assert_eq!(table.add_link(id(*a), id(*b)), Ok(()));
    }
    for (node, price) in prices {
        assert_eq!(table.set_price(id(*node), per_packet(*price)), Ok(()));
    }
    table
}

fn route(table: &RoutingTable, destination: u32) -> Option<Vec<u32>> {
    let route = table.find_route(&id(destination))?;
    let number = |node: &NodeId| (0..100).find(|number| id(*number) == *node);
    route.iter().map(number).collect()
}

#[test]
fn a_connected_peer_is_reached_without_relays() {
    let table = table(&[1, 2], &[(1, 2)], &[(1, 1_000)]);
    assert_eq!(route(&table, 1), Some(vec![0, 1]));
    assert_eq!(route(&table, 2), Some(vec![0, 2]));
}

#[test]
fn nobody_routes_to_himself_or_to_strangers_or_over_links_that_do_not_connect() {
    let table = table(&[1], &[(1, 2), (3, 4)], &[(9, 5)]);
    assert_eq!(route(&table, 2), Some(vec![0, 1, 2]));
    for nowhere in [0, 3, 4, 9, 10] {
        assert_eq!(route(&table, nowhere), None);
        assert_eq!(route(&table, nowhere), None);
    }
}

#[test]
fn the_first_hop_is_a_connected_peer_whatever_links_were_told() {
    let table = table(&[1], &[(0, 3), (3, 4), (1, 4)], &[(1, 9_000)]);
    assert_eq!(route(&table, 3), Some(vec![0, 1, 4, 3]));
    assert!(!table.remove_link(&LOCAL, &id(3)));
}

#[test]
fn the_cheapest_way_is_taken_and_not_the_shortest() {
    let links = [(1, 9), (2, 3), (3, 9)];
    let dear = table(&[1, 2], &links, &[(1, 1_000), (2, 100), (3, 100)]);
    assert_eq!(route(&dear, 9), Some(vec![0, 2, 3, 9]));
    // Two relays at 100 need a total for two shares of 100; one relay at 190 is cheaper than that.
    let cheap = table(&[1, 2], &links, &[(1, 190), (2, 100), (3, 100)]);
    assert_eq!(route(&cheap, 9), Some(vec![0, 1, 9]));
}

#[test]
fn of_equally_cheap_ways_the_shortest_is_taken_then_the_first_in_order() {
    let free = table(&[5, 4, 3], &[(5, 9), (4, 9), (3, 8), (8, 9)], &[]);
    assert_eq!(route(&free, 9), Some(vec![0, 4, 9]));
    let links = [(1, 6), (1, 5), (5, 9), (6, 9), (2, 4), (4, 9)];
    let later = table(&[2, 1], &links, &[(4, 7), (5, 7), (6, 7)]);
    assert_eq!(route(&later, 9), Some(vec![0, 1, 5, 9]));
}

#[test]
fn a_relay_more_never_wins_by_the_crumbs_of_a_remainder() {
    let price = Msat::from_msat(1_000);
    let [one, two] = [1, 2].map(|relays| least_total(price, &vec![Msat::ZERO; relays]));
    assert!(two < one);
    let table = table(&[1, 2], &[(1, 9), (2, 3), (3, 9)], &[(9, 1_000)]);
    assert_eq!(route(&table, 9), Some(vec![0, 1, 9]));
}

#[test]
fn the_size_of_a_packet_decides_between_a_price_for_packets_and_one_for_bytes() {
    let table = table(&[1, 2], &[(1, 9), (2, 9)], &[(1, 500)]);
    let by_size = Price {
        per_packet: Msat::ZERO,
        per_kib: Msat::from_msat(390),
    };
    assert_eq!(table.set_price(id(2), by_size), Ok(()));
    let relay = |bytes| table.find_route_for(&id(9), bytes).map(|route| route[1]);
    assert_eq!(relay(0), Some(id(2)));
    assert_eq!(relay(1_024), Some(id(2)));
    assert_eq!(relay(1_200), Some(id(2)));
    assert_eq!(relay(1_281), Some(id(1)));
    assert_eq!(relay(usize::MAX), Some(id(1)));
}

#[test]
fn a_route_has_at_most_16_nodes() {
    assert_eq!(MAX_ROUTE_NODES, 16);
    let chain: Vec<(u32, u32)> = (1..20).map(|n| (n, n + 1)).collect();
    let table = table(&[1], &chain, &[]);
    for destination in 1..=15 {
        let whole: Vec<u32> = (0..=destination).collect();
        assert_eq!(route(&table, destination), Some(whole));
    }
    assert_eq!(route(&table, 16), None);
}

#[test]
fn a_route_that_no_amount_could_pay_is_none() {
    let dear = Price {
        per_packet: Msat::MAX,
        per_kib: Msat::MAX,
    };
    let table = table(&[1, 2, 3], &[(1, 9), (2, 9)], &[]);
    for node in [1, 3] {
        assert_eq!(table.set_price(id(node), dear), Ok(()));
    }
    assert_eq!(route(&table, 9), Some(vec![0, 2, 9]));
    assert_eq!(route(&table, 3), None);
    assert_eq!(table.set_price(id(2), dear), Ok(()));
    assert_eq!(route(&table, 9), None);
    assert_eq!(table.find_route_for(&id(9), usize::MAX), None);
}

#[test]
fn what_changes_in_the_graph_changes_the_routes_that_were_found_before() {
    let table = table(&[1, 2], &[(1, 9), (2, 9)], &[(1, 10), (2, 20)]);
    assert_eq!(route(&table, 9), Some(vec![0, 1, 9]));
    assert_eq!(table.set_price(id(1), per_packet(30)), Ok(()));
    assert_eq!(route(&table, 9), Some(vec![0, 2, 9]));
    assert!(table.remove_link(&id(9), &id(2)));
    assert_eq!(route(&table, 9), Some(vec![0, 1, 9]));
    assert!(table.remove_direct_peer(&id(1)));
    assert_eq!(route(&table, 9), None);
    table.add_direct_peer(id(9), "10.0.0.9:8334".to_owned());
    assert_eq!(route(&table, 9), Some(vec![0, 9]));
}

#[test]
fn a_peer_keeps_its_links_and_price_over_a_lost_connection() {
    let table = table(&[1], &[(1, 9)], &[(1, 10)]);
    assert!(table.remove_direct_peer(&id(1)));
    assert!(!table.remove_direct_peer(&id(1)));
    assert_eq!(table.peer_address(&id(1)), None);
    assert_eq!(route(&table, 9), None);
    table.add_direct_peer(id(1), "10.0.0.77:8334".to_owned());
    assert_eq!(
        table.peer_address(&id(1)).as_deref(),
        Some("10.0.0.77:8334")
    );
    let found = table.find_route(&id(9));
    let quote = found.and_then(|route| table.quote_route(&route, 0));
    assert_eq!(
        quote.map(|quote| quote.split.per_relay),
        Some(Msat::from_msat(10))
    );
}

#[test]
fn direct_peers_come_in_order_with_their_latest_address() {
    let table = table(&[3, 1, 2], &[(4, 5)], &[]);
    table.add_direct_peer(id(2), "10.0.0.22:8334".to_owned());
    let peers = table.direct_peers();
    let ids: Vec<NodeId> = peers.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [id(1), id(2), id(3)]);
    assert_eq!(&*peers[1].1, "10.0.0.22:8334");
    assert_eq!((table.refused_peers(), table.local()), (0, LOCAL));
}

#[test]
fn a_quote_is_the_least_that_covers_every_price_of_its_route() {
    let table = table(&[1], &[(1, 2), (2, 9)], &[(1, 40), (9, 77)]);
    let by_size = Price {
        per_packet: Msat::from_msat(5),
        per_kib: Msat::from_msat(100),
    };
    assert_eq!(table.set_price(id(2), by_size), Ok(()));
    let route = [LOCAL, id(1), id(2), id(9)];
    let (packet, relays) = (Msat::from_msat(77), [40, 5 + 118].map(Msat::from_msat));
    let quote = table.quote_route(&route, 1_200);
    let total = quote.map(|quote| quote.total);
    assert_eq!(total, least_total(packet, &relays));
    assert_eq!(
        quote.map(|quote| quote.split),
        total.map(|total| split(total, 2))
    );
    for no_route in [
        &route[..1],
        &[],
        &[LOCAL, id(1), LOCAL],
        &[LOCAL, id(55)],
        &[id(55), id(1)],
    ] {
        assert_eq!(table.quote_route(no_route, 0), None);
    }
}

#[test]
fn the_table_refuses_what_is_out_of_bounds_and_stays_as_it_was() {
    let table = RoutingTable::new(LOCAL);
    let long = "x".repeat(MAX_ADDRESS_BYTES + 1);
    let (node, bytes) = (id(1), long.len());
    let too_long = Err(RoutingError::AddressTooLong { bytes });
    assert_eq!(table.try_add_direct_peer(node, &long), too_long);
    assert_eq!(table.try_add_direct_peer(node, &long[1..]), Ok(()));
    assert!(table.remove_direct_peer(&node));
    assert_eq!(
        table.try_add_direct_peer(LOCAL, "a:1"),
        Err(RoutingError::Local)
    );
    assert_eq!(
        table.add_link(node, node),
        Err(RoutingError::SelfLink { node })
    );

    for peer in 1..=MAX_DIRECT_PEERS as u32 {
        assert_eq!(table.try_add_direct_peer(id(peer), "a:1"), Ok(()));
    }
    let stranger = id(MAX_DIRECT_PEERS as u32 + 1);
    assert_eq!(
        table.try_add_direct_peer(stranger, "a:1"),
        Err(RoutingError::PeersFull)
    );
    table.add_direct_peer(stranger, "a:1".to_owned());
    table.add_direct_peer(id(7), long);
    assert_eq!(table.refused_peers(), 2);
    assert_eq!(table.try_add_direct_peer(id(7), "b:2"), Ok(()));
    assert_eq!(table.direct_peers().len(), MAX_DIRECT_PEERS);
    assert_eq!(table.find_route(&stranger), None);

    for other in 0..MAX_LINKS_PER_NODE as u32 {
        assert_eq!(table.add_link(stranger, id(10_000 + other)), Ok(()));
    }
    let full = RoutingError::LinksFull { node: stranger };
    assert_eq!(table.add_link(stranger, id(9_999)), Err(full));
    assert_eq!(table.add_link(id(9_999), stranger), Err(full));
    assert_eq!(table.add_link(stranger, id(10_000)), Ok(()));
    assert!(!table.remove_link(&stranger, &id(9_999)));
    assert!(table.remove_link(&id(10_000), &stranger));
    assert_eq!(table.add_link(id(9_999), stranger), Ok(()));
}

#[test]
fn a_table_full_of_nodes_takes_no_more_until_one_says_nothing_any_more() {
    let table = RoutingTable::new(LOCAL);
    for node in 1..MAX_NODES as u32 {
        assert_eq!(table.set_price(id(node), per_packet(1)), Ok(()));
    }
    let full = Err(RoutingError::NodesFull);
    let (new, newer) = (id(MAX_NODES as u32), id(MAX_NODES as u32 + 1));
    assert_eq!(table.set_price(new, per_packet(1)), full);
    assert_eq!(table.add_link(id(1), new), full);
    assert_eq!(table.add_link(new, newer), full);
    assert_eq!(table.try_add_direct_peer(new, "a:1"), full);
    assert_eq!(table.set_price(id(5), Price::FREE), Ok(()));
    assert_eq!(table.add_link(new, newer), full);
    assert_eq!(table.add_link(id(1), new), Ok(()));
    assert_eq!(table.set_price(id(5), per_packet(1)), full);
}

#[test]
fn minted_peers_that_come_and_go_leave_nothing_behind() {
    let table = table(&[1], &[(1, 9)], &[]);
    let churn = |from: u32| {
        for node in from..from + 20_000 {
            table.add_direct_peer(id(node), "10.0.0.1:8334".to_owned());
            assert_eq!(table.add_link(id(node), id(9)), Ok(()));
            assert!(table.remove_link(&id(9), &id(node)));
            assert!(table.remove_direct_peer(&id(node)));
        }
    };
    churn(100);
    let before = table.memory_bytes();
    let info = allocation_counter::measure(|| churn(100_000));
    assert!(info.bytes_current.abs() < 4_096, "{}", info.bytes_current);
    assert!(table.memory_bytes() <= before);
    assert_eq!(route(&table, 9), Some(vec![0, 1, 9]));
}

#[test]
fn ten_thousand_nodes_with_fifty_thousand_links_take_less_than_50_mb() {
    let table = RoutingTable::new(LOCAL);
    let info = allocation_counter::measure(|| {
        for node in 1..=10_000 {
            for step in [1, 7, 77, 777, 4_777] {
                let other = (node - 1 + step) % 10_000 + 1;
                assert_eq!(table.add_link(id(node), id(other)), Ok(()));
            }
            assert_eq!(
                table.set_price(id(node), per_packet(u64::from(node))),
                Ok(())
            );
        }
    });
    assert!(info.bytes_current < 50_000_000, "{}", info.bytes_current);
    let told = i64::try_from(table.memory_bytes()).unwrap_or_default();
    let apart = (told - info.bytes_current).abs();
    assert!(
        apart < told / 20,
        "{told} told, {} held",
        info.bytes_current
    );
}

#[test]
fn searches_while_the_graph_changes_find_routes_of_one_graph_or_the_other() {
    let table = table(&[1, 2], &[(1, 9), (2, 9)], &[]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let found = route(&table, 9);
                    assert!(found == Some(vec![0, 1, 9]) || found == Some(vec![0, 2, 9]));
                }
            });
        }
        let stale = (0..2_000).find(|round| {
            let (dear, cheap) = (id(round % 2 + 1), id((round + 1) % 2 + 1));
            assert_eq!(table.set_price(dear, per_packet(100)), Ok(()));
            assert_eq!(table.set_price(cheap, per_packet(1)), Ok(()));
            // The cheap one from here on, whatever the searches put into the cache meanwhile.
            table.find_route(&id(9)) != Some(vec![LOCAL, cheap, id(9)])
        });
        done.store(true, Ordering::Relaxed);
        assert_eq!(stale, None);
    });
}

#[test]
fn of_equally_dear_ways_the_fastest_is_taken_though_it_has_more_hops() {
    let links = [(1, 9), (2, 3), (3, 9)];
    let table = table(&[1, 2], &links, &[(9, 1_000)]);
    assert_eq!(route(&table, 9), Some(vec![0, 1, 9]));
    assert!(table.set_link_latency(&id(9), &id(1), 200));
    assert_eq!(route(&table, 9), Some(vec![0, 2, 3, 9]));
    assert!(table.set_link_latency(&LOCAL, &id(2), 151));
    assert_eq!(route(&table, 9), Some(vec![0, 1, 9]));
    assert!(!table.set_link_latency(&id(1), &id(3), 1));
    // A relay that asks more than the remainder of the price leaves is not worth any hurry.
    assert!(table.set_link_latency(&LOCAL, &id(2), 1));
    assert_eq!(table.set_price(id(3), per_packet(1_000)), Ok(()));
    assert_eq!(route(&table, 9), Some(vec![0, 1, 9]));
}

#[test]
fn what_has_no_room_for_a_packet_is_left_out_for_that_packet_only() {
    let table = table(&[1, 2], &[(1, 9), (2, 9)], &[(2, 10)]);
    let relay = |bytes| table.find_route_for(&id(9), bytes).map(|route| route[1]);
    assert!(table.set_link_room(&id(9), &id(1), 1_024));
    assert_eq!((relay(1_024), relay(1_025)), (Some(id(1)), Some(id(2))));
    assert!(table.set_link_room(&LOCAL, &id(1), 100));
    assert_eq!((relay(0), relay(1_024)), (Some(id(1)), Some(id(2))));
    assert_eq!(table.set_node_room(id(2), 512), Ok(()));
    assert_eq!((relay(512), relay(513)), (Some(id(2)), None));
    assert!(table.set_link_room(&LOCAL, &id(1), usize::MAX));
    assert_eq!(table.set_node_room(id(9), 256), Ok(()));
    assert_eq!((relay(256), relay(257)), (Some(id(1)), None));
}

#[test]
fn what_is_full_is_left_out_until_it_is_over() {
    let table = table(&[1, 2], &[(1, 9), (2, 9)], &[(2, 10)]);
    let at = UnixTime::from_secs;
    assert!(table.mark_full(Place::Link(id(9), id(1)), at(100)));
    assert!(table.mark_full(Place::Node(id(2)), at(200)));
    assert!(!table.mark_full(Place::Node(id(55)), at(200)));
    assert!(!table.mark_full(Place::Link(id(1), id(2)), at(200)));
    assert_eq!(route(&table, 9), None);
    assert_eq!(route(&table, 1), Some(vec![0, 1]));
    assert_eq!(route(&table, 2), None);
    table.refresh(at(99));
    assert_eq!(route(&table, 9), None);
    table.refresh(at(100));
    assert_eq!(route(&table, 9), Some(vec![0, 1, 9]));
    assert!(table.mark_full(Place::Link(id(1), id(9)), at(300)));
    table.refresh(at(200));
    assert_eq!(route(&table, 9), Some(vec![0, 2, 9]));
}

#[test]
fn a_change_makes_the_table_search_again_only_for_what_it_could_change() {
    let links = [(1, 8), (2, 9), (3, 8), (3, 9)];
    let prices = [(1, 10), (2, 10), (3, 50), (4, 5), (5, 5)];
    let table = table(&[1, 2, 3], &links, &prices);
    let asked = |bytes: &[u32]| {
        let before = table.searches();
        bytes.iter().for_each(|node| drop(route(&table, *node)));
        table.searches() - before
    };
    assert_eq!(asked(&[8, 9, 8, 9]), 2);
    // What got worse and is not on a route, what got better and is still too dear, what only this node asks.
    assert_eq!(table.set_price(id(3), per_packet(60)), Ok(()));
    assert_eq!(table.set_price(id(3), per_packet(40)), Ok(()));
    assert_eq!(table.set_price(LOCAL, per_packet(7)), Ok(()));
    assert!(table.remove_link(&id(3), &id(8)));
    assert_eq!(table.add_link(id(3), id(8)), Ok(()));
    assert!(table.set_link_latency(&id(3), &id(9), 10));
    assert_eq!(asked(&[8, 9]), 0);
    // What a way leads over, for that way only.
    assert_eq!(table.set_price(id(1), per_packet(11)), Ok(()));
    assert_eq!(asked(&[8, 9]), 1);
    assert!(table.set_link_latency(&id(2), &id(9), 60));
    assert_eq!(asked(&[8, 9]), 1);
    // A link between cheap nodes that two more hops would need, each of the four paid as the dearest.
    assert_eq!(table.add_link(id(4), id(5)), Ok(()));
    assert_eq!(asked(&[8, 9]), 0);
    // One that could better both.
    assert_eq!(table.set_price(id(3), per_packet(10)), Ok(()));
    assert_eq!(asked(&[8, 9]), 2);
}
