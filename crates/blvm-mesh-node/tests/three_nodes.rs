//! Three programs on one machine, linked over loopback, paying each other in the sandbox.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod program;

use program::{Home, Running, free_port, run};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};
use tempfile::TempDir;

/// The three homes, in a line: source, relay, destination. The relay and the destination are paid.
struct Line {
    source: Home,
    relay: Home,
    destination: Home,
    _root: TempDir,
}

impl Line {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let home = |name, mesh: &str| Home::new(root.path(), name, mesh);
        let port = free_port();
        let any = "listen_addr = \"127.0.0.1:0\"";
        let priced = |msat| format!("price_per_packet_msat = {msat}\nprice_per_kib_msat = 0");
        let relay_mesh = format!("listen_addr = \"127.0.0.1:{port}\"\n{}", priced(3_000));
        let relay = home("relay", &relay_mesh);
        let peers = format!("{any}\npeers = [\"{}@127.0.0.1:{port}\"]", relay.id);
        let destination = home("destination", &format!("{peers}\n{}", priced(6_000)));
        let known = |id, linked| {
            format!("[[mesh.known_nodes]]\nnode_id = \"{id}\"\nlinked_with = [\"{linked}\"]")
        };
        let source = home(
            "source",
            &format!(
                "{peers}\nmode = \"open\"\n{}",
                known(destination.id, relay.id)
            ),
        );
        Self {
            source,
            relay,
            destination,
            _root: root,
        }
    }

    /// Starts all three and waits until they are linked.
    fn start(&self) -> [Running; 3] {
        let [relay, destination, source] =
            [&self.relay, &self.destination, &self.source].map(Home::start);
        for node in [&relay, &relay, &destination, &source] {
            node.expect("link up");
        }
        [source, relay, destination]
    }

    fn send(&self, data: &str) -> serde_json::Value {
        let to = self.destination.id.to_string();
        self.source.ask(&["send", &to, "--data", data])
    }

    fn receive(&self) -> serde_json::Value {
        self.destination
            .ask(&["receive", "--wait", "30", "--max", "1"])
    }
}

#[test]
fn a_send_pays_its_way_and_is_delivered_and_the_next_one_uses_the_credit() {
    let line = Line::new();
    let [source, relay, destination] = line.start();

    let to = line.destination.id.to_string();
    let price = line.source.ask(&["price", &to, "--bytes", "5"]);
    assert_eq!(price["total_msat"], 10_000);
    assert_eq!(price["nodes"][1]["share_msat"], 6_000);
    assert_eq!(line.source.ask(&["status"])["money"]["spent_msat"], 0);

    let sent = line.send("hello");
    assert_eq!(
        (&sent["fee_msat"], &sent["deposited_msat"]),
        (&10_000.into(), &90_000.into())
    );
    assert_eq!(sent["route"].as_array().unwrap().len(), 3);
    assert_eq!(sent["tries"][0]["end"], "delivered");
    let received = line.receive();
    assert_eq!(received[0]["payload_hex"], blvm_mesh::to_hex(b"hello"));
    assert_eq!(received[0]["source"], line.source.id.to_string());
    assert_eq!(received[0]["sealed"], true);

    let sent = line.send("again");
    assert_eq!(
        (&sent["fee_msat"], &sent["deposited_msat"]),
        (&10_000.into(), &0.into())
    );
    assert_eq!(
        line.receive()[0]["payload_hex"],
        blvm_mesh::to_hex(b"again")
    );

    let status = line.relay.ask(&["status"]);
    assert_eq!(status["node_id"], line.relay.id.to_string());
    assert_eq!(status["lightning"], "sandbox");
    assert_eq!(status["money"]["deposited_msat"], 30_000);
    assert_eq!(status["money"]["credit_msat"], 24_000);
    assert_eq!(status["money"]["earned_msat"], 6_000);
    assert_eq!(status["credits"][0]["payer"], line.source.id.to_string());
    assert_eq!(status["credits"][0]["credit_msat"], 24_000);
    assert_eq!(status["peers"].as_array().unwrap().len(), 2);
    let status = line.source.ask(&["status"]);
    assert_eq!(status["money"]["spent_msat"], 90_000);
    assert_eq!(status["money"]["spent_today_msat"], 90_000);
    assert_eq!(status["money"]["day_limit_msat"], 10_000_000);
    assert_eq!(status["dialling"].as_array().unwrap().len(), 0);

    let words = line.relay.command(&["status"], &[]).out;
    for part in [
        "earned      6,000 msat",
        "NO REAL MONEY",
        "payment_required",
        "24,000 msat",
    ] {
        assert!(words.contains(part), "{part:?} is not in:\n{words}");
    }
    for node in [source, relay, destination] {
        assert_eq!(node.stop(), Some(0));
    }
}

#[test]
fn a_bitcoin_message_crosses_free_of_charge() {
    let line = Line::new();
    let _nodes = line.start();
    let to = line.destination.id.to_string();
    let ping = "fabfb5da70696e6700000000000000000800000078f5ff4a6d65642d6873656d";
    let sent = line.source.ask(&["send", &to, "--hex", ping]);
    assert_eq!(
        (&sent["fee_msat"], &sent["deposited_msat"]),
        (&0.into(), &0.into())
    );
    let received = line.receive();
    assert_eq!(
        (&received[0]["payload_hex"], &received[0]["sealed"]),
        (&ping.into(), &false.into())
    );
    assert_eq!(line.relay.ask(&["status"])["money"]["deposited_msat"], 0);
}

#[test]
fn a_send_beyond_its_limit_pays_nothing_and_says_why() {
    let line = Line::new();
    let _nodes = line.start();
    let to = line.destination.id.to_string();
    let ran = line
        .source
        .command(&["send", &to, "--data", "x", "--limit-sats", "1"], &[]);
    assert_eq!(ran.code, Some(1));
    // Whether it has heard the prices already, or asks for them: it says what may be paid.
    assert!(ran.err.contains("1000 msat may be"), "{}", ran.err);
    assert_eq!(line.source.ask(&["status"])["money"]["spent_msat"], 0);
}

#[test]
fn a_relay_that_was_killed_comes_back_and_carries_again() {
    let line = Line::new();
    let [source, relay, destination] = line.start();
    let before = line.send("before")["deposited_msat"].clone();
    line.receive();
    let money = |name: &str| line.relay.ask(&["status"])["money"][name].clone();
    while money("unbooked_msat") != 0 {}
    relay.kill();
    source.expect("link down");
    destination.expect("link down");
    let relay = line.relay.start();
    for node in [&relay, &relay, &source, &destination] {
        node.expect("link up");
    }
    assert_eq!(
        line.relay.ask(&["status"])["node_id"],
        line.relay.id.to_string()
    );
    assert_eq!(before, 90_000);
    assert_eq!(
        line.send("after")["deposited_msat"],
        0,
        "the credit is there"
    );
    assert_eq!(
        line.receive()[0]["payload_hex"],
        blvm_mesh::to_hex(b"after")
    );
    assert_eq!(money("earned_msat"), 6_000);
}

#[test]
fn a_second_node_in_the_same_home_is_refused_and_the_first_lives_on() {
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(root.path(), "only", "listen_addr = \"127.0.0.1:0\"");
    let first = home.start();
    let ran = run(&["run", "--config", home.config()]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("another blvm-mesh is running here"),
        "{}",
        ran.err
    );
    assert_eq!(home.ask(&["status"])["node_id"], home.id.to_string());
    // What a killed node leaves behind is no hindrance.
    first.kill();
    let again = home.start();
    assert_eq!(home.ask(&["status"])["node_id"], home.id.to_string());
    assert_eq!(again.stop(), Some(0));
    assert!(
        !Path::new(home.config())
            .with_file_name("control/node.sock")
            .exists()
    );
}

#[test]
fn two_nodes_that_name_one_socket_do_not_take_it_from_each_other() {
    let root = tempfile::tempdir().unwrap();
    let socket = root.path().join("shared/node.sock");
    let mesh = format!(
        "listen_addr = \"127.0.0.1:0\"\n[node]\ncontrol_socket = \"{}\"",
        socket.display()
    );
    let (one, two) = (
        Home::new(root.path(), "one", &mesh),
        Home::new(root.path(), "two", &mesh),
    );
    let _first = one.start();
    let ran = run(&["run", "--config", two.config()]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("the control socket is not free"),
        "{}",
        ran.err
    );
    assert_eq!(two.ask(&["status"])["node_id"], one.id.to_string());
}

#[test]
fn an_address_in_use_is_told_with_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mesh = format!("listen_addr = \"{}\"", taken.local_addr().unwrap());
    let ran = run(&[
        "run",
        "--config",
        Home::new(root.path(), "only", &mesh).config(),
    ]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("cannot listen on 127.0.0.1:"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("[mesh] listen_addr"), "{}", ran.err);
}

#[test]
fn the_identity_key_is_made_at_the_first_start_and_kept_in_a_store_for_its_owner_alone() {
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(root.path(), "only", "listen_addr = \"127.0.0.1:0\"");
    let node = home.start();
    let store = home.config.with_file_name("store.redb");
    assert_eq!(
        store.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    let id = home.ask(&["status"])["node_id"].clone();
    assert_eq!(node.stop(), Some(0));
    let _node = home.start();
    assert_eq!(home.ask(&["status"])["node_id"], id);
}

#[test]
fn an_identity_key_in_a_file_is_taken_into_the_store_and_another_one_is_refused_later() {
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(root.path(), "only", "listen_addr = \"127.0.0.1:0\"");
    let write = |byte: &str| {
        let key = home.config.with_file_name("identity.key");
        fs::write(&key, byte.repeat(32)).unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    };
    write("01");
    let node = home.start();
    let first = home.ask(&["status"])["node_id"].clone();
    assert_eq!(node.stop(), Some(0));
    write("02");
    let ran = run(&["run", "--config", home.config()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains(first.as_str().unwrap()), "{}", ran.err);
    assert!(ran.err.contains("the store belongs to"), "{}", ran.err);
}

#[test]
fn a_node_with_the_sandbox_says_at_the_start_that_it_proves_no_money() {
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(root.path(), "only", "listen_addr = \"127.0.0.1:0\"");
    let ran = run(&["run", "--config", home.config(), "--check"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.contains("backend = \"sandbox\""), "{}", ran.out);
    let node = home.start();
    assert_eq!(node.stop(), Some(0));
}
