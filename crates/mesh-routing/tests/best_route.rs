//! The route that is found is the best of all ways, whatever was asked and changed before: small meshes against an oracle
//! that tries every way.

#![expect(
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

use mesh_routing::{
    ALWAYS_FAIR_MSAT, DEFAULT_LINK_LATENCY_MS, MAX_CRUMBS_MSAT, MAX_TIMES_DEARER, PAYLOAD_STEP,
    Place, RoutingTable, least_total,
};
use mesh_types::{Msat, NodeId, Price, Route, UnixTime};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NODES: usize = 8;

/// A small mesh; node 0 is local, and its links are connections.
#[derive(Debug, Clone, Default)]
struct Mesh {
    ids: Vec<NodeId>,
    links: BTreeMap<(usize, usize), Terms>,
    prices: BTreeMap<usize, Price>,
    rooms: BTreeMap<usize, usize>,
}

#[derive(Debug, Clone, Copy)]
struct Terms {
    latency_ms: u32,
    room: usize,
    is_full: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            latency_ms: DEFAULT_LINK_LATENCY_MS,
            room: usize::MAX,
            is_full: false,
        }
    }
}

#[derive(Debug, Clone)]
enum Change {
    Link(usize, usize),
    Unlink(usize, usize),
    Latency(usize, usize, u32),
    LinkRoom(usize, usize, usize),
    Price(usize, Price),
    Room(usize, usize),
    Full(usize, usize),
    AllHaveRoom,
}

/// How good a way is: the first is the best.
type Rank = (u64, u32, usize, Vec<NodeId>);

impl Mesh {
    fn apply(&mut self, change: &Change) {
        let ordered = |a: usize, b: usize| (a.min(b), a.max(b));
        match *change {
            Change::Link(a, b) => {
                self.links.entry(ordered(a, b)).or_default();
            }
            Change::Unlink(a, b) => {
                self.links.remove(&ordered(a, b));
            }
            Change::Latency(a, b, latency_ms) => {
                let link = self.links.get_mut(&ordered(a, b));
                link.into_iter()
                    .for_each(|link| link.latency_ms = latency_ms);
            }
            Change::LinkRoom(a, b, room) => {
                let link = self.links.get_mut(&ordered(a, b));
                link.into_iter().for_each(|link| link.room = room);
            }
            Change::Price(node, price) => {
                self.prices.insert(node, price);
            }
            Change::Room(node, room) => {
                self.rooms.insert(node, room);
            }
            Change::Full(a, b) => {
                let link = self.links.get_mut(&ordered(a, b));
                link.into_iter().for_each(|link| link.is_full = true);
            }
            Change::AllHaveRoom => {
                self.links
                    .values_mut()
                    .for_each(|link| link.is_full = false);
            }
        }
    }

    fn apply_to(&self, table: &RoutingTable, change: &Change) {
        let id = |node: usize| self.ids[node];
        match *change {
            Change::Link(0, peer) | Change::Link(peer, 0) => {
                table.add_direct_peer(id(peer), "10.0.0.1:8334".to_owned());
            }
            Change::Link(a, b) => assert_eq!(table.add_link(id(a), id(b)), Ok(())),
            Change::Unlink(0, peer) | Change::Unlink(peer, 0) => {
                table.remove_direct_peer(&id(peer));
            }
            Change::Unlink(a, b) => {
                table.remove_link(&id(a), &id(b));
            }
            Change::Latency(a, b, latency_ms) => {
                table.set_link_latency(&id(a), &id(b), latency_ms);
            }
            Change::LinkRoom(a, b, room) => {
                table.set_link_room(&id(a), &id(b), room);
            }
            Change::Price(node, price) => assert_eq!(table.set_price(id(node), price), Ok(())),
            Change::Room(node, room) => assert_eq!(table.set_node_room(id(node), room), Ok(())),
            Change::Full(a, b) => {
                table.mark_full(Place::Link(id(a), id(b)), UnixTime::from_secs(10));
            }
            Change::AllHaveRoom => table.refresh(UnixTime::from_secs(10)),
        }
    }

    fn price(&self, node: usize, payload_bytes: usize) -> Option<Msat> {
        let price = self.prices.get(&node).copied().unwrap_or_default();
        price.of(payload_bytes)
    }

    fn room(&self, node: usize) -> usize {
        self.rooms.get(&node).copied().unwrap_or(usize::MAX)
    }

    /// All ways to `destination` that visit no node twice and have room.
    fn all_ways(&self, destination: usize, payload_bytes: usize) -> Vec<(Vec<usize>, u32)> {
        let (mut ways, mut open) = (Vec::new(), vec![(vec![0], 0)]);
        while let Some((way, latency_ms)) = open.pop() {
            let last = way[way.len() - 1];
            if last == destination {
                ways.push((way, latency_ms));
                continue;
            }
            for next in (1..NODES).filter(|next| !way.contains(next)) {
                let Some(link) = self.links.get(&(last.min(next), last.max(next))) else {
                    continue;
                };
                if !link.is_full && link.room.min(self.room(next)) >= payload_bytes {
                    let way = [way.as_slice(), &[next]].concat();
                    open.push((way, latency_ms + link.latency_ms));
                }
            }
        }
        ways
    }

    /// Every way with its rank, and the least total of any.
    fn ranked(&self, destination: usize, payload_bytes: usize) -> (Vec<Rank>, Option<Msat>) {
        let (mut ranks, mut totals) = (Vec::new(), Vec::new());
        for (way, latency_ms) in self.all_ways(destination, payload_bytes) {
            let price = |node: &usize| self.price(*node, payload_bytes);
            let relays = &way[1..way.len() - 1];
            let relay_prices: Option<Vec<Msat>> = relays.iter().map(price).collect();
            let (Some(asked), Some(relay_prices)) = (price(&destination), relay_prices) else {
                continue;
            };
            let ids = way.iter().map(|node| self.ids[*node]).collect();
            if let Some(even) = even_total(asked, &relay_prices) {
                ranks.push((even, latency_ms, relays.len(), ids));
            }
            totals.extend(least_total(asked, &relay_prices));
        }
        ranks.sort();
        (ranks, totals.into_iter().min())
    }
}

/// The least total that pays everybody out of shares rounded down, remainders left aside; by trying, from a bound below.
fn even_total(asked: Msat, relays: &[Msat]) -> Option<u64> {
    let Some(dearest) = relays.iter().max() else {
        return least_total(asked, &[]).map(Msat::to_msat);
    };
    let asked = u128::from(asked.to_msat());
    let for_relays = u128::from(dearest.to_msat()) * relays.len() as u128;
    let below = (asked * 5 / 3).max(for_relays * 10 / 3);
    let total = (below.saturating_sub(20)..).find(|total| {
        let (source, relays) = (total / 10, total * 3 / 10);
        relays >= for_relays && total - source - relays >= asked
    });
    total.and_then(|total| u64::try_from(total).ok())
}

const fn id(number: u8) -> NodeId {
    let mut bytes = [0; 32];
    bytes[0] = number;
    bytes[31] = number / 2;
    NodeId::from_bytes(bytes)
}

fn price() -> impl Strategy<Value = Price> {
    let msat = prop_oneof![
        6 => Just(0),
        8 => 1..20_u64,
        4 => prop_oneof![Just(100), Just(200), Just(300)],
        1 => (0..3_u64).prop_map(|below| u64::MAX / 10 * 3 - below),
        1 => Just(u64::MAX),
    ];
    (msat.clone(), msat).prop_map(|(packet, kib)| Price {
        per_packet: Msat::from_msat(packet),
        per_kib: Msat::from_msat(kib),
    })
}

fn change() -> impl Strategy<Value = Change> {
    let pair = || (0..NODES, 0..NODES).prop_filter("two ends", |(a, b)| a != b);
    let latency_ms = prop_oneof![Just(0), 1..4_u32, Just(50), Just(100)];
    let room = || prop_oneof![Just(0), Just(700), Just(2_000), Just(usize::MAX)];
    prop_oneof![
        12 => pair().prop_map(|(a, b)| Change::Link(a, b)),
        2 => pair().prop_map(|(a, b)| Change::Unlink(a, b)),
        8 => (pair(), latency_ms).prop_map(|((a, b), ms)| Change::Latency(a, b, ms)),
        2 => (pair(), room()).prop_map(|((a, b), room)| Change::LinkRoom(a, b, room)),
        8 => (0..NODES, price()).prop_map(|(node, price)| Change::Price(node, price)),
        2 => pair().prop_map(|(a, b)| Change::Full(a, b)),
        1 => Just(Change::AllHaveRoom),
        1 => (1..NODES, room()).prop_map(|(node, room)| Change::Room(node, room)),
    ]
}

fn ids() -> impl Strategy<Value = Vec<NodeId>> {
    let numbers: Vec<u8> = (1..=NODES as u8).collect();
    let shuffled = Just(numbers).prop_shuffle();
    shuffled.prop_map(|numbers| numbers.into_iter().map(id).collect())
}

fn built(ids: &[NodeId], changes: &[Change]) -> (Mesh, RoutingTable) {
    let mut mesh = Mesh {
        ids: ids.to_vec(),
        ..Mesh::default()
    };
    let table = RoutingTable::new(ids[0]);
    for change in changes {
        mesh.apply(change);
        mesh.apply_to(&table, change);
    }
    (mesh, table)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_route_found_is_the_best_of_all_ways(
        ids in ids(),
        changes in prop::collection::vec(change(), 10..60),
        steps in prop_oneof![Just(0_usize), 0..9_usize],
    ) {
        let (mesh, table) = built(&ids, &changes);
        let payload_bytes = steps * PAYLOAD_STEP;
        prop_assert_eq!(table.find_route_for(&ids[0], payload_bytes), None);
        for (destination, id) in ids.iter().enumerate().skip(1) {
            let (ranks, least) = mesh.ranked(destination, payload_bytes);
            let best = ranks.first().map(|rank| rank.3.clone());
            for _ in ["searched", "remembered"] {
                let found = table.find_route_for(id, payload_bytes);
                prop_assert_eq!(&found, &best);
                if let Some(found) = found {
                    prop_assert_eq!(Route::check(&found), Ok(()));
                    let total = table.quote_route(&found, payload_bytes).map(|quote| quote.total);
                    let crumbs = total.zip(least).map(|(total, least)| total.saturating_sub(least));
                    prop_assert!(crumbs.is_some_and(|crumbs| crumbs <= MAX_CRUMBS_MSAT));
                }
            }
        }
    }

    #[test]
    fn alternatives_are_real_ways_in_order_the_best_first_and_fair(
        ids in ids(),
        changes in prop::collection::vec(change(), 20..80),
        count in 1..5_usize,
    ) {
        let (mesh, table) = built(&ids, &changes);
        for (destination, id) in ids.iter().enumerate().skip(1) {
            let (ranks, _) = mesh.ranked(destination, 0);
            let found = table.find_routes(id, 0, count);
            prop_assert_eq!(&found, &table.find_routes(id, 0, count));
            prop_assert!(found.len() <= count.min(ranks.len()));
            let places: Vec<_> = found
                .iter()
                .map(|route| ranks.iter().position(|rank| rank.3 == route.nodes))
                .collect();
            prop_assert!(places.iter().all(Option::is_some));
            prop_assert!(places.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(places.first(), ranks.first().map(|_| &Some(0)));
            for (route, place) in found.iter().zip(places.into_iter().flatten()) {
                prop_assert_eq!(route.price.to_msat(), ranks[place].0);
                prop_assert_eq!(route.latency_ms, ranks[place].1);
                let fair = ranks[0].0.saturating_mul(MAX_TIMES_DEARER).max(ALWAYS_FAIR_MSAT);
                prop_assert!(place == 0 || route.price.to_msat() <= fair);
            }
            // Two are asked for: the second shares no relay with the first where a fair way does not.
            let apart = ranks.iter().find(|rank| {
                let relays = |nodes: &[NodeId]| nodes[1..nodes.len() - 1].iter().copied().collect::<BTreeSet<_>>();
                rank.3 != ranks[0].3 && relays(&rank.3).is_disjoint(&relays(&ranks[0].3))
                    && rank.0 <= ranks[0].0.saturating_mul(MAX_TIMES_DEARER).max(ALWAYS_FAIR_MSAT)
            });
            if let Some(apart) = apart {
                let two = table.find_routes(id, 0, 2);
                prop_assert_eq!(&two[1].nodes, &apart.3);
            }
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn an_answer_remembered_over_changes_is_the_one_that_a_new_table_gives(
        ids in ids(),
        changes in prop::collection::vec(change(), 1..60),
        asked in prop::collection::vec((1..NODES, 0..3_usize, 1..4_usize), 60),
    ) {
        let (_, table) = built(&ids, &[]);
        for (at, change) in changes.iter().enumerate() {
            let (mesh, fresh) = built(&ids, &changes[..=at]);
            mesh.apply_to(&table, change);
            for (destination, steps, count) in &asked[..6 + at % 50] {
                let (id, bytes) = (&ids[*destination], steps * PAYLOAD_STEP);
                prop_assert_eq!(
                    table.find_route_for(id, bytes),
                    fresh.find_route_for(id, bytes)
                );
                prop_assert_eq!(
                    table.find_routes(id, bytes, *count),
                    fresh.find_routes(id, bytes, *count)
                );
            }
        }
    }
}
