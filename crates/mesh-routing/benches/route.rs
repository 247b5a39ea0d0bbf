//! Routes in meshes of 10,000 nodes and 50,000 links, beside the floor: one plain Dijkstra over the same graph.
//!
//! `cargo bench -p mesh-routing`

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench stops where something is not as it expects, and says what it measured"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use mesh_routing::{MAX_CACHED_ROUTES, Outcome, RoutingTable, least_total, split};
use mesh_types::{Msat, NodeId, Price, UnixTime};
use petgraph::algo::dijkstra;
use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::visit::EdgeRef;
use std::hint::black_box;
use std::time::Duration;

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
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[24..].copy_from_slice(&mixed.rotate_left(32).to_be_bytes());
    NodeId::from_bytes(bytes)
}

const fn per_packet(msat: u64) -> Price {
    Price {
        per_packet: Msat::from_msat(msat),
        per_kib: Msat::ZERO,
    }
}

/// What nodes ask in a mesh.
#[derive(Debug, Clone, Copy)]
enum Prices {
    /// From 1 to 1,000 msat for a packet, and as much for a KiB.
    Mixed,
    /// Relays as in `Mixed`; destinations, whose numbers are odd, nothing.
    FreeDestinations,
    /// Nothing: the latency alone decides.
    Free,
    /// Relays what fourteen, thirteen or fewer of them could get beside a destination that asks 1,000 sat, so that a search
    /// has to weigh hops against prices all the way.
    Tempting,
}

impl Prices {
    fn of(self, node: u64, numbers: &mut Numbers) -> Price {
        let price = Price {
            per_packet: Msat::from_msat(1 + numbers.below(1_000)),
            per_kib: Msat::from_msat(1 + numbers.below(1_000)),
        };
        match self {
            Self::FreeDestinations if node % 2 == 1 => Price::FREE,
            Self::Free => Price::FREE,
            Self::Tempting => per_packet(500_000 / (1 + numbers.below(14))),
            _ => price,
        }
    }
}

/// A mesh whose node 0 is local, with links of 5 to 204 ms; and the same for petgraph, with a weight for each link.
fn mesh(prices: Prices) -> (RoutingTable, UnGraph<u64, u64>) {
    let mut numbers = Numbers(88_172_645_463_325_252);
    let table = RoutingTable::new(id(0));
    let mut graph = UnGraph::new_undirected();
    for node in 0..NODES {
        let price = prices.of(node, &mut numbers);
        table.set_price(id(node), price).unwrap();
        graph.add_node(price.of(PAYLOAD).unwrap().to_msat());
    }
    let mut link = |a: u64, b: u64, latency_ms: u64| {
        table.set_link_latency(&id(a), &id(b), latency_ms as u32);
        graph.update_edge(
            NodeIndex::new(a as usize),
            NodeIndex::new(b as usize),
            latency_ms,
        );
    };
    for peer in 1..=PEERS {
        table.add_direct_peer(id(peer), "10.0.0.1:8334".to_owned());
        link(0, peer, 5 + numbers.below(200));
    }
    for _ in 0..LINKS - PEERS {
        let (a, b) = (1 + numbers.below(NODES - 1), 1 + numbers.below(NODES - 1));
        if a != b {
            table.add_link(id(a), id(b)).unwrap();
            link(a, b, 5 + numbers.below(200));
        }
    }
    (table, graph)
}

/// A destination that is no peer, another one each turn; odd ones only.
fn destination(turn: u64) -> u64 {
    (PEERS + 1 + turn * 7_919 % (NODES - PEERS - 2)) | 1
}

fn cold(c: &mut Criterion) {
    for (name, prices) in [
        ("mixed prices", Prices::Mixed),
        ("free destinations", Prices::FreeDestinations),
        ("all free", Prices::Free),
        ("tempting prices", Prices::Tempting),
    ] {
        let (table, graph) = mesh(prices);
        println!("{name}: {:.2} MB", table.memory_bytes() as f64 / 1e6);
        let reached = |n: &u64| {
            table
                .find_route_for(&id(destination(*n)), PAYLOAD)
                .is_some()
        };
        let reached = (0..1_000).filter(reached).count();
        println!("{name}: {reached} of 1,000 reached");
        let group = format!("route/10,000 nodes, 50,000 links, {name}");
        let mut group = c.benchmark_group(group);
        let mut turn = 0;
        // The destination's room changes before each question, which makes the table forget its routes and no others.
        let mut ask = |count: usize| {
            turn += 1;
            let destination = id(destination(turn));
            for room in [1_000_000, usize::MAX] {
                table.set_node_room(destination, room).unwrap();
            }
            if matches!(prices, Prices::Tempting) {
                table.set_price(destination, per_packet(1_000_000)).unwrap();
            }
            match count {
                1 => usize::from(table.find_route_for(&destination, PAYLOAD).is_some()),
                count => table.find_routes(&destination, PAYLOAD, count).len(),
            }
        };
        group.bench_function("cold", |b| b.iter(|| ask(1)));
        group.bench_function("cold, three alternatives", |b| b.iter(|| ask(3)));
        // The bounds that lead a search are then lower than they could be.
        for peer in 1..=3 {
            table.remove_direct_peer(&id(peer));
        }
        group.bench_function("cold, three of eight peers just lost", |b| {
            b.iter(|| ask(1))
        });
        let mut turn = 0;
        let mut floor = |by_latency: bool| {
            turn += 1;
            let goal = Some(NodeIndex::new(destination(turn) as usize));
            dijkstra(&graph, NodeIndex::new(0), goal, |edge| {
                if by_latency {
                    *edge.weight()
                } else {
                    graph[edge.target()]
                }
            })
        };
        match prices {
            Prices::Free => group.bench_function("floor: petgraph's Dijkstra by latency", |b| {
                b.iter(|| floor(true));
            }),
            _ => group.bench_function("floor: petgraph's Dijkstra by price", |b| {
                b.iter(|| floor(false));
            }),
        };
        group.finish();
    }
}

fn warm(c: &mut Criterion) {
    let (table, _) = mesh(Prices::Mixed);
    let mut group = c.benchmark_group("route/remembered");
    let destinations: Vec<NodeId> = (100..300).map(id).collect();
    for destination in &destinations {
        table.find_routes(destination, PAYLOAD, 3);
    }
    let mut turn = 0;
    let mut next = || {
        turn += 1;
        &destinations[turn % destinations.len()]
    };
    group.bench_function("cached", |b| {
        b.iter(|| table.find_route_for(next(), PAYLOAD));
    });
    group.bench_function("cached, three alternatives", |b| {
        b.iter(|| table.find_routes(next(), PAYLOAD, 3));
    });
    for node in 100..100 + MAX_CACHED_ROUTES as u64 {
        table.find_route_for(&id(node), PAYLOAD);
    }
    let (a, b) = (id(9_000), id(9_500));
    table.add_link(a, b).unwrap();
    let mut latency_ms = 100;
    group.bench_function(
        "a link's latency changes, with 4,096 routes remembered",
        |bench| {
            bench.iter(|| {
                latency_ms ^= 1;
                table.set_link_latency(&a, &b, latency_ms)
            });
        },
    );
    let route = table.find_route_for(&destinations[0], PAYLOAD).unwrap();
    group.bench_function(
        "a peer goes and comes, with the bounds that this moves",
        |b| {
            b.iter(|| {
                table.remove_direct_peer(&id(1));
                table.add_direct_peer(id(1), "10.0.0.1:8334".to_owned());
            });
        },
    );
    let (took, mut second) = (Duration::from_millis(100), 1_790_000_000);
    group.bench_function("learn of a delivery", |b| {
        b.iter(|| {
            second += 1;
            let now = UnixTime::from_secs(second);
            table.learn(&route, Outcome::Delivered { took }, now);
        });
    });
    group.bench_function("quote", |b| {
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

criterion_group!(benches, cold, warm, money);
criterion_main!(benches);
