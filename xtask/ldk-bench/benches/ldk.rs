//! Routes in a mesh of 10,000 nodes and 50,000 links beside those of LDK's router and of a plain Dijkstra, in one run.
//!
//! The shape is the same, and what a relay asks there is what its channels ask here: LDK looks for the least sum of base fees,
//! with a scorer that knows nothing. It cannot look for the least total of a 60/30/10 split, nor does it know latencies.
//!
//! `cargo bench --manifest-path xtask/ldk-bench/Cargo.toml`

use bitcoin::Network;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use criterion::{Criterion, criterion_group, criterion_main};
use lightning::ln::msgs::UnsignedChannelUpdate;
use lightning::routing::gossip::{NetworkGraph, NodeId as LdkId};
use lightning::routing::router::{PaymentParameters, RouteParameters, find_route};
use lightning::routing::scoring::FixedPenaltyScorer;
use lightning::types::features::ChannelFeatures;
use lightning::util::logger::{Logger, Record};
use mesh_routing::RoutingTable;
use mesh_types::{Msat, NodeId, Price};
use petgraph::algo::dijkstra;
use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::visit::EdgeRef;
use std::time::{SystemTime, UNIX_EPOCH};

const NODES: u64 = 10_000;
const LINKS: u64 = 50_000;
const PEERS: u64 = 8;
const PAYLOAD: usize = 1_200;

struct Silent;

impl Logger for Silent {
    fn log(&self, _: Record) {}
}

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

/// One mesh, three times.
struct Mesh {
    keys: Vec<PublicKey>,
    ids: Vec<NodeId>,
    table: RoutingTable,
    ldk: NetworkGraph<&'static Silent>,
    plain: UnGraph<u64, ()>,
}

fn keys() -> Vec<PublicKey> {
    let secp = Secp256k1::new();
    let key = |number: u64| {
        let mut bytes = [1; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        SecretKey::from_slice(&bytes).unwrap().public_key(&secp)
    };
    (0..NODES).map(key).collect()
}

fn mesh() -> Mesh {
    let keys = keys();
    let id = |key: &PublicKey| NodeId::from_bytes(key.x_only_public_key().0.serialize());
    let ids: Vec<NodeId> = keys.iter().map(id).collect();
    let mut mesh = Mesh {
        table: RoutingTable::new(ids[0]),
        ldk: NetworkGraph::new(Network::Regtest, &Silent),
        plain: UnGraph::new_undirected(),
        keys,
        ids,
    };
    let mut numbers = Numbers(88_172_645_463_325_252);
    for node in 0..NODES as usize {
        let price = Price {
            per_packet: Msat::from_msat(1 + numbers.below(1_000)),
            per_kib: Msat::from_msat(1 + numbers.below(1_000)),
        };
        mesh.table.set_price(mesh.ids[node], price).unwrap();
        mesh.plain.add_node(price.of(PAYLOAD).unwrap().to_msat());
    }
    for peer in 1..=PEERS {
        let id = mesh.ids[peer as usize];
        mesh.table.add_direct_peer(id, "10.0.0.1:8334".to_owned());
        mesh.link(0, peer, peer);
    }
    for number in PEERS + 1..=LINKS {
        let (a, b) = (1 + numbers.below(NODES - 1), 1 + numbers.below(NODES - 1));
        if a != b {
            let [first, second] = [a, b].map(|node| mesh.ids[node as usize]);
            mesh.table.add_link(first, second).unwrap();
            let latency_ms = 5 + numbers.below(200) as u32;
            mesh.table.set_link_latency(&first, &second, latency_ms);
            mesh.link(a, b, number);
        }
    }
    mesh
}

impl Mesh {
    fn link(&mut self, a: u64, b: u64, number: u64) {
        let [a, b] = [a as usize, b as usize];
        self.plain
            .add_edge(NodeIndex::new(a), NodeIndex::new(b), ());
        // In LDK's channels the node with the lesser key is the first.
        let (a, b) = if self.keys[a].serialize() < self.keys[b].serialize() {
            (a, b)
        } else {
            (b, a)
        };
        let [one, two] = [a, b].map(|node| LdkId::from_pubkey(&self.keys[node]));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        self.ldk
            .add_channel_from_partial_announcement(
                number,
                Some(10_000_000),
                now,
                ChannelFeatures::empty(),
                one,
                two,
            )
            .unwrap();
        for (direction, node) in [(0, a), (1, b)] {
            let update = UnsignedChannelUpdate {
                chain_hash: ChainHash::using_genesis_block(Network::Regtest),
                short_channel_id: number,
                timestamp: now as u32,
                message_flags: 1,
                channel_flags: direction,
                cltv_expiry_delta: 1,
                htlc_minimum_msat: 0,
                htlc_maximum_msat: 1_000_000_000,
                fee_base_msat: self.plain[NodeIndex::new(node)] as u32,
                fee_proportional_millionths: 0,
                excess_data: Vec::new(),
            };
            self.ldk.update_channel_unsigned(&update).unwrap();
        }
    }

    fn ask_ldk(&self, destination: usize) -> bool {
        let payment =
            PaymentParameters::from_node_id(self.keys[destination], 0).with_max_path_count(1);
        let mut wanted = RouteParameters::from_payment_params_and_value(payment, 1_000);
        wanted.max_total_routing_fee_msat = None;
        let scorer = FixedPenaltyScorer::with_penalty(0);
        find_route(
            &self.keys[0],
            &wanted,
            &self.ldk,
            None,
            &Silent,
            &scorer,
            &(),
            &[42; 32],
        )
        .is_ok()
    }

    /// The destination's room changes before each question, which makes the table forget its routes and no others.
    fn ask_table(&self, destination: usize) -> bool {
        let id = self.ids[destination];
        for room in [1_000_000, usize::MAX] {
            self.table.set_node_room(id, room).unwrap();
        }
        self.table.find_route_for(&id, PAYLOAD).is_some()
    }

    fn ask_dijkstra(&self, destination: usize) -> bool {
        let goal = NodeIndex::new(destination);
        let costs = dijkstra(&self.plain, NodeIndex::new(0), Some(goal), |edge| {
            self.plain[edge.target()]
        });
        costs.contains_key(&goal)
    }
}

/// A destination that is no peer, another one each turn.
fn destination(turn: u64) -> usize {
    (PEERS + 1 + turn * 7_919 % (NODES - PEERS - 1)) as usize
}

fn routes(c: &mut Criterion) {
    let mesh = mesh();
    let mut group = c.benchmark_group("route/10,000 nodes, 50,000 links, beside LDK");
    type Ask = fn(&Mesh, usize) -> bool;
    let ways: [(&str, Ask); 3] = [
        ("cold", Mesh::ask_table),
        ("floor: petgraph's Dijkstra by price", Mesh::ask_dijkstra),
        ("floor: LDK's find_route", Mesh::ask_ldk),
    ];
    for (name, ask) in ways {
        let reached = (0..50)
            .filter(|turn| ask(&mesh, destination(*turn)))
            .count();
        println!("{name}: {reached} of 50 reached");
        let mut turn = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                turn += 1;
                ask(&mesh, destination(turn))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, routes);
criterion_main!(benches);
