//! Five programs on one machine, each told of one other: they learn of all, pay each other's way, and outlive a relay.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod program;

use program::{Home, Running, blvm_mesh, free_port, paid::assert_has};
use serde_json::Value;
use std::{thread::sleep, time::Duration};
use tempfile::TempDir;

/// How often it is looked whether something has come about, and how soon again: a minute and a half in all.
const LOOKS: usize = 900;
const PAUSE: Duration = Duration::from_millis(100);

const COUNT: usize = 5;

/// What each asks; so the fewest relays are the cheapest.
const PRICE: u64 = 3_000;

/// Nodes in a ring: each dials the next, and the last one the first.
struct Ring {
    homes: Vec<Home>,
    running: Vec<Option<Running>>,
    _root: TempDir,
}

impl Ring {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let ports: Vec<u16> = (0..COUNT).map(|_| free_port()).collect();
        let homes: Vec<Home> = (0..COUNT)
            .map(|at| Home::new(root.path(), &format!("node-{at}"), &settings(ports[at])))
            .collect();
        let mut ring = Self {
            homes,
            running: (0..COUNT).map(|_| None).collect(),
            _root: root,
        };
        for (at, port) in ports.iter().enumerate() {
            let next = (at + 1) % COUNT;
            let peer = format!("peers = [\"{}@127.0.0.1:{}\"]", ring.id(next), ports[next]);
            ring.homes[at].configure(&format!("{peer}\n{}", settings(*port)));
        }
        (0..COUNT).for_each(|at| ring.start_one(at));
        ring
    }

    fn start_one(&mut self, at: usize) {
        self.running[at] = Some(self.homes[at].start());
    }

    fn kill(&mut self, at: usize) {
        self.running[at].take().unwrap().kill();
    }

    fn id(&self, at: usize) -> String {
        self.homes[at].id.to_string()
    }

    fn ids(&self, way: &[usize]) -> Vec<Value> {
        way.iter().map(|at| Value::String(self.id(*at))).collect()
    }

    /// The nodes of the best route, as `blvm-mesh routes` shows it; none where there is none.
    fn best_route(&self, from: usize, to: usize) -> Vec<Value> {
        let routes = self.homes[from].ask(&["routes", &self.id(to)]);
        let hops = routes["routes"][0]["hops"].as_array().cloned();
        let hops = hops.unwrap_or_default();
        hops.iter().map(|hop| hop["node_id"].clone()).collect()
    }

    /// Waits until all nodes that run know all of them, so many links, and what each asks.
    fn know_each_other(&self, links: usize) {
        let running: Vec<usize> = (0..COUNT)
            .filter(|at| self.running[*at].is_some())
            .collect();
        for from in &running {
            until(&format!("{from} knows {running:?}"), || {
                let topology = self.homes[*from].ask(&["topology"]);
                let known = topology["nodes"].as_array().unwrap();
                let is_known = |at: &usize| {
                    let id = Value::String(self.id(*at));
                    let node = known.iter().find(|node| node["node_id"] == id);
                    node.is_some_and(|node| at == from || node["price"]["per_packet_msat"] == PRICE)
                };
                let linked = topology["links"].as_array().map(Vec::len);
                running.iter().all(is_known) && linked == Some(links)
            });
        }
    }

    /// Sends a packet, which is paid for and confirmed; answers with the way it took.
    fn send(&self, from: usize, to: usize) -> Vec<Value> {
        let data = format!("from {from} to {to}");
        let target = self.id(to);
        let send = ["send", &target, "--data", &data, "--packets-ahead", "2"];
        let sent = self.homes[from].ask(&send);
        let received = self.homes[to].ask(&["receive", "--wait", "30", "--max", "1"]);
        let payload = blvm_mesh::to_hex(data.as_bytes());
        assert_eq!(received[0]["payload_hex"], payload);
        assert_eq!(received[0]["source"], self.id(from));
        assert!(sent["fee_msat"].as_u64().unwrap() >= PRICE, "{sent}");
        sent["route"].as_array().unwrap().clone()
    }
}

fn settings(port: u16) -> String {
    let listening = format!("listen_addr = \"127.0.0.1:{port}\"");
    format!("{listening}\nprice_per_packet_msat = {PRICE}\nprice_per_kib_msat = 0")
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let came = (0..LOOKS).any(|look| {
        if look > 0 {
            sleep(PAUSE);
        }
        holds()
    });
    assert!(came, "never: {what}");
}

#[test]
fn five_nodes_told_of_one_other_each_pay_each_others_way_outlive_a_relay_and_heal() {
    let mut ring = Ring::start();
    ring.know_each_other(5);
    for from in 0..COUNT {
        for to in (0..COUNT).filter(|to| *to != from) {
            let route = ring.send(from, to);
            let hops = (to + COUNT - from) % COUNT;
            assert_eq!(route.len(), 1 + hops.min(COUNT - hops), "{from} to {to}");
        }
    }
    for home in &ring.homes {
        // Four packets for it, and two that it relays.
        let status = home.ask(&["status"]);
        let earned = status["money"]["earned_msat"].as_u64().unwrap();
        assert!(earned >= 6 * PRICE, "{status}");
        assert_eq!(status["learning"]["known_nodes"], COUNT);
        assert_eq!(status["learning"]["forged"], 0);
    }

    // A relay dies: what it carried takes the other way round.
    assert_eq!(ring.send(1, 3), ring.ids(&[1, 2, 3]));
    ring.kill(2);
    let (short, long) = (ring.ids(&[2, 3]), ring.ids(&[0, 4, 3]));
    until("the way round is found", || ring.best_route(1, 3) == long);
    assert_eq!(ring.send(1, 3), ring.ids(&[1, 0, 4, 3]));
    assert_eq!(ring.send(3, 1), ring.ids(&[3, 4, 0, 1]));
    until("nobody goes to the dead", || {
        [0, 1, 3, 4]
            .iter()
            .all(|at| ring.best_route(*at, 2).is_empty())
    });

    // It comes back, and the mesh with it.
    ring.start_one(2);
    ring.know_each_other(5);
    until("the short way is back", || ring.best_route(1, 3) == short);
    assert_eq!(ring.send(1, 3), ring.ids(&[1, 2, 3]));
    assert_eq!(ring.send(0, 2).len(), 3);
}

#[test]
fn a_node_shows_its_peers_its_routes_and_the_mesh_in_words_and_for_programs() {
    let root = tempfile::tempdir().unwrap();
    let port = free_port();
    let announced = "announce_addresses = [\"relay.example:8334\"]";
    let relay = Home::new(
        root.path(),
        "relay",
        &format!("{}\n{announced}", settings(port)),
    );
    let home = Home::new(root.path(), "home", &settings(free_port()));
    let _relay = relay.start();
    let peer = format!("{}@127.0.0.1:{port}", relay.id);
    let started = Running::start(&["run", "--config", home.config(), "--peer", &peer]);
    started.expect("link up");
    until("the peer is measured, and its word is known", || {
        let peers = home.ask(&["peers"]);
        let peer = &peers[0];
        peer["latency_ms"].is_u64() && peer["announced"][0] == "relay.example:8334"
    });

    let peers = home.command(&["peers"], &[]).out;
    let (relay_id, home_id) = (relay.id.to_string(), home.id.to_string());
    assert_has(
        &peers,
        &[
            "1 peer\n",
            &relay_id,
            "announces relay.example:8334",
            "ms there and back",
            "price     3,000 msat a packet",
            "score     1.00",
        ],
    );
    let routes = home.command(&["routes"], &[]).out;
    assert_has(
        &routes,
        &["1 route, for a payload of 1,200 bytes", &relay_id, "1 hop"],
    );
    let route = home
        .command(&["routes", &relay_id, "--bytes", "0"], &[])
        .out;
    assert_has(
        &route,
        &["for a payload of 0 bytes", " 1  3,333 msat", "score 1.00"],
    );
    let unknown = "ab".repeat(32);
    let none = home.command(&["routes", &unknown], &[]).out;
    assert_has(&none, &["no route to abab"]);

    let drawing = home.command(&["topology"], &[]).out;
    assert_has(
        &drawing,
        &["2 nodes, 1 link", "this node", "└─ ", "3,000 msat a packet"],
    );
    let dot = home.command(&["topology"], &["--dot"]).out;
    assert_has(&dot, &["graph mesh {", &relay_id, &home_id, " -- "]);
    let both = home.command(&["topology"], &["--dot", "--json"]);
    assert_eq!(both.code, Some(2));
    let status = home.command(&["status"], &[]).out;
    assert_has(
        &status,
        &["mesh        1 other node known by announcements"],
    );
    let send = home.command(&["send", &unknown, "--data", "x", "--timeout", "1"], &[]);
    assert_eq!(send.code, Some(1));
    assert_has(
        &send.err,
        &["abab", "no route is known", "blvm-mesh topology"],
    );
}

#[test]
fn an_address_that_is_none_is_not_announced_and_a_peer_that_is_none_not_dialled() {
    let root = tempfile::tempdir().unwrap();
    let settings = "listen_addr = \"127.0.0.1:0\"\nannounce_addresses = [\"nowhere\"]";
    let home = Home::new(root.path(), "home", settings);
    let ran = program::run(&["run", "--config", home.config()]);
    assert_ne!(ran.code, Some(0));
    assert_has(&ran.err, &["announce_addresses", "<host>:<port>"]);
    let output = blvm_mesh(&["run", "--config", home.config(), "--peer", "nobody"]).output();
    let ran = program::Ran::from(output.unwrap());
    assert_eq!(ran.code, Some(2));
    assert_has(&ran.err, &["<node id>@<host>:<port>"]);
}
