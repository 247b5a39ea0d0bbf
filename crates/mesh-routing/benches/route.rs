//! Routes in a mesh of 10,000 nodes and 50,000 links, beside the floor: one plain Dijkstra over the same graph.
//!
//! `cargo bench -p mesh-routing`

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench stops where something is not as it expects, and says what it measured"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use mesh_routing::{RoutingTable, least_total, split};
use mesh_types::{Msat, NodeId, Price};
use petgraph::algo::dijkstra;
use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::visit::EdgeRef;
use std::hint::black_box;

const NODES: u64 = 10_000;
const LINKS: u64 = 50_000;
const PEERS: u64 = 8;
const PAYLOAD: usize = 1_200;

/// Numbers that look random, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn id(number: u64) -> NodeId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(
        &(number + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_be_bytes(),
    );
    NodeId::from_bytes(bytes)
}

/// The mesh: node 0 is local; prices from 1 to 1,000 msat for a packet, and as much for a KiB.
fn mesh() -> (RoutingTable, UnGraph<u64, ()>) {
    let mut numbers = Numbers(88_172_645_463_325_252);
    let table = RoutingTable::new(id(0));
    let mut graph = UnGraph::new_undirected();
    for node in 0..NODES {
        let price = Price {
            per_packet: Msat::from_msat(1 + numbers.below(1_000)),
            per_kib: Msat::from_msat(1 + numbers.below(1_000)),
        };
        table.set_price(id(node), price).unwrap();
        graph.add_node(price.of(PAYLOAD).unwrap().to_msat());
    }
    for peer in 1..=PEERS {
        table.add_direct_peer(id(peer), "10.0.0.1:8334".to_owned());
        graph.add_edge(NodeIndex::new(0), NodeIndex::new(peer as usize), ());
    }
    for _ in 0..LINKS - PEERS {
        let (a, b) = (1 + numbers.below(NODES - 1), 1 + numbers.below(NODES - 1));
        if a != b {
            table.add_link(id(a), id(b)).unwrap();
            graph.add_edge(NodeIndex::new(a as usize), NodeIndex::new(b as usize), ());
        }
    }
    (table, graph)
}

fn route(c: &mut Criterion) {
    let (table, graph) = mesh();
    println!("graph: {:.2} MB", table.memory_bytes() as f64 / 1e6);
    let mut group = c.benchmark_group("route/10,000 nodes, 50,000 links");
    // As many destinations in turn as the cache never holds the answers of: each change of a price empties it.
    let mut turn = 0;
    let prices = [1, 2].map(|msat| Price {
        per_packet: Msat::from_msat(msat),
        per_kib: Msat::ZERO,
    });
    group.bench_function("cold", |b| {
        b.iter(|| {
            turn += 1;
            table.set_price(id(0), prices[turn % 2]).unwrap();
            let destination = id(PEERS + 1 + turn as u64 * 7_919 % (NODES - PEERS - 1));
            table.find_route_for(&destination, PAYLOAD)
        });
    });
    let destinations: Vec<NodeId> = (100..1_100).map(id).collect();
    let found = |id: &&NodeId| table.find_route_for(id, PAYLOAD).is_some();
    println!(
        "reached: {} of 1000",
        destinations.iter().filter(found).count()
    );
    group.bench_function("cached", |b| {
        b.iter(|| {
            turn += 1;
            table.find_route_for(&destinations[turn % 1_000], PAYLOAD)
        });
    });
    group.bench_function("floor: petgraph's Dijkstra to one node", |b| {
        b.iter(|| {
            turn += 1;
            let destination = PEERS as usize + 1 + turn * 7_919 % (NODES - PEERS - 1) as usize;
            let goal = Some(NodeIndex::new(destination));
            dijkstra(&graph, NodeIndex::new(0), goal, |edge| graph[edge.target()])
        });
    });
    group.bench_function("quote", |b| {
        let route = table.find_route_for(&destinations[0], PAYLOAD).unwrap();
        b.iter(|| table.quote_route(black_box(&route), PAYLOAD));
    });
    group.finish();
}

fn money(c: &mut Criterion) {
    let mut group = c.benchmark_group("route/fee");
    group.bench_function("split", |b| {
        b.iter(|| split(black_box(Msat::from_msat(123_456_789)), black_box(3)));
    });
    let relays = [700, 300, 555].map(Msat::from_msat);
    group.bench_function("least total", |b| {
        b.iter(|| least_total(black_box(Msat::from_msat(1_234)), black_box(&relays)));
    });
    group.finish();
}

criterion_group!(benches, route, money);
criterion_main!(benches);
