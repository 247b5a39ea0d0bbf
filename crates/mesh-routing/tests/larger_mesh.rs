//! Price, latency and hops of the route that is found, in meshes too large to try every way: against sums over layers.

#![expect(
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

use mesh_routing::{RoutingTable, least_total};
use mesh_types::{MAX_ROUTE_NODES, Msat, NodeId, Price};
use proptest::prelude::*;

const NODES: usize = 60;
const MAX_RELAYS: usize = MAX_ROUTE_NODES - 2;

#[derive(Debug)]
struct Mesh {
    /// With their latencies; node 0 is local.
    links: Vec<(usize, usize, u32)>,
    prices: Vec<u64>,
}

const fn id(number: usize) -> NodeId {
    NodeId::from_bytes([number as u8; 32])
}

fn mesh() -> impl Strategy<Value = Mesh> {
    let latency_ms = prop_oneof![Just(10_u32), 0..30_u32, 0..300_u32];
    let link = (1..NODES, 1..NODES, latency_ms.clone());
    let peer = (Just(0), 1..NODES, latency_ms);
    let price = prop_oneof![
        Just(0),
        1..10_u64,
        prop_oneof![Just(50), Just(100), Just(150)],
        0..1_000_u64
    ];
    (
        prop::collection::vec(peer, 1..4),
        prop::collection::vec(link, 60..200),
        prop::collection::vec(price, NODES),
    )
        .prop_map(|(peers, links, prices)| {
            let mut all = peers;
            for (a, b, latency_ms) in links {
                let (a, b) = (a.min(b), a.max(b));
                if a != b && !all.iter().any(|link| (link.0, link.1) == (a, b)) {
                    all.push((a, b, latency_ms));
                }
            }
            all.sort_unstable();
            all.dedup_by_key(|link| (link.0, link.1));
            Mesh { links: all, prices }
        })
}

impl Mesh {
    fn table(&self) -> RoutingTable {
        let table = RoutingTable::new(id(0));
        for (node, price) in self.prices.iter().enumerate().skip(1) {
            let per_packet = Msat::from_msat(*price);
            let price = Price {
                per_packet,
                ..Price::FREE
            };
            assert_eq!(table.set_price(id(node), price), Ok(()));
        }
        for (a, b, latency_ms) in &self.links {
            if *a == 0 {
                table.add_direct_peer(id(*b), "10.0.0.1:8334".to_owned());
            } else {
                assert_eq!(table.add_link(id(*a), id(*b)), Ok(()));
            }
            assert!(table.set_link_latency(&id(*a), &id(*b), *latency_ms));
        }
        table
    }

    /// Makes links slower for a while, each once a round, until the table has worked its bounds out anew in between.
    fn churn(&self, table: &RoutingTable) {
        let rounds = 600 / self.links.len() + 1;
        for (a, b, latency_ms) in self.links.iter().cycle().take(rounds * self.links.len()) {
            for latency_ms in [latency_ms + 100, *latency_ms] {
                assert!(table.set_link_latency(&id(*a), &id(*b), latency_ms));
            }
        }
    }

    /// For each number of hops up to the most: the least latency from the local node to `destination` over relays that ask at
    /// most `dearest`.
    fn fastest(&self, destination: usize, dearest: u64) -> Vec<Option<u32>> {
        let relays = |node: usize| node != 0 && node != destination && self.prices[node] <= dearest;
        let mut layer = vec![None; NODES];
        layer[0] = Some(0_u32);
        let mut found = vec![None];
        for _ in 1..=MAX_RELAYS + 1 {
            let mut next: Vec<Option<u32>> = vec![None; NODES];
            for (a, b, latency_ms) in &self.links {
                for (from, to) in [(*a, *b), (*b, *a)] {
                    let passes = from == 0 || relays(from);
                    if let Some(until) = layer[from].filter(|_| passes) {
                        let total = until + latency_ms;
                        next[to] = Some(next[to].map_or(total, |known: u32| known.min(total)));
                    }
                }
            }
            found.push(next[destination]);
            layer = next;
        }
        found
    }

    /// Price, latency and hops of the best.
    fn best(&self, destination: usize) -> Option<(u64, u32, usize)> {
        let asked = Msat::from_msat(self.prices[destination]);
        let mut dearests = self.prices.clone();
        dearests.sort_unstable();
        dearests.dedup();
        let mut best: Option<(u64, u32, usize)> = None;
        for dearest in dearests {
            for (hops, latency_ms) in self.fastest(destination, dearest).into_iter().enumerate() {
                let Some(latency_ms) = latency_ms else {
                    continue;
                };
                let price = match hops {
                    1 => least_total(asked, &[])?.to_msat(),
                    _ => even_total(asked.to_msat(), dearest * (hops as u64 - 1)),
                };
                let this = (price, latency_ms, hops);
                best = Some(best.map_or(this, |best| best.min(this)));
            }
        }
        best
    }
}

fn even_total(asked: u64, for_relays: u64) -> u64 {
    let shares = |total: u64| (total * 3 / 10, total - total / 10 - total * 3 / 10);
    let mut totals = asked.max(for_relays)..;
    let total = totals.find(|total| shares(*total).0 >= for_relays && shares(*total).1 >= asked);
    total.unwrap_or(u64::MAX)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn price_latency_and_hops_are_the_least_there_are(mesh in mesh(), is_churned: bool) {
        let table = mesh.table();
        if is_churned {
            mesh.churn(&table);
        }
        for destination in (1..NODES).step_by(4) {
            let found = table.find_routes(&id(destination), 0, 1).into_iter().next();
            let found = found.map(|found| {
                (found.price.to_msat(), found.latency_ms, found.nodes.len() - 1)
            });
            prop_assert_eq!(found, mesh.best(destination), "to {}", destination);
        }
    }
}
