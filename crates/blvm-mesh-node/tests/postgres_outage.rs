//! A relay whose PostgreSQL server goes away and comes back.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where something is not as it expects"
)]

#[path = "../../mesh-store/tests/postgres/server.rs"]
mod postgres;
mod program;

use program::{Home, free_port};
use serde_json::Value;
use std::time::Duration;

/// A ping on regtest, which rides free.
const PING: &str = "fabfb5da70696e6700000000000000000800000078f5ff4a6d65642d6873656d";

/// How often a store that is back is looked for: half a minute in all.
const LOOKS: usize = 150;

#[test]
fn while_postgresql_is_down_paid_packets_are_refused_free_ones_flow_and_service_resumes_by_itself()
{
    let Some(server) = postgres::Server::start("") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let port = free_port();
    let store = server.database();
    let relay = Home::new(
        root.path(),
        "relay",
        &format!(
            "listen_addr = \"127.0.0.1:{port}\"\nprice_per_packet_msat = 3000\nprice_per_kib_msat = 0\n\
             [node]\nstore = \"{store}\""
        ),
    );
    let open = format!(
        "listen_addr = \"127.0.0.1:0\"\nmode = \"open\"\npeers = [\"{}@127.0.0.1:{port}\"]",
        relay.id
    );
    let destination = Home::new(root.path(), "destination", &open);
    let known = format!(
        "{open}\n[[mesh.known_nodes]]\nnode_id = \"{}\"\nlinked_with = [\"{}\"]",
        destination.id, relay.id
    );
    let source = Home::new(root.path(), "source", &known);
    let [running, _destination, _source] = [&relay, &destination, &source].map(Home::start);
    let to = destination.id.to_string();
    let paid = || source.command(&["send", &to, "--data", "paid"], &["--timeout", "10"]);
    let money = |name: &str| -> Value { relay.ask(&["status"])["money"][name].clone() };
    let is_up = || relay.ask(&["status"])["store"]["reachable"] == true;
    let eventually = |what: &str, is_so: &dyn Fn() -> bool| {
        let looks = (0..LOOKS).any(|_| {
            is_so() || {
                std::thread::sleep(Duration::from_millis(200));
                false
            }
        });
        assert!(looks, "{what}");
    };

    eventually("the way is open", &|| paid().code == Some(0));
    eventually("it is booked", &|| money("unbooked_msat") == 0);
    let (deposited, earned) = (money("deposited_msat"), money("earned_msat"));
    assert_eq!(earned, 3_000);

    server.stop();
    eventually("the status says it", &|| !is_up());
    let refused = paid();
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("busy"), "{}", refused.err);
    let free = source.command(&["send", &to, "--hex", PING], &[]);
    assert_eq!(free.code, Some(0), "{}", free.err);

    server.go_on();
    eventually("the store is back", &is_up);
    eventually("paid packets pass again", &|| paid().code == Some(0));
    eventually("it is booked", &|| money("unbooked_msat") == 0);
    assert_eq!(money("deposited_msat"), deposited, "nothing was paid twice");
    assert_eq!(money("earned_msat"), 6_000);

    server.stop();
    eventually("the status says it again", &|| !is_up());
    assert_eq!(running.stop(), Some(0), "it ends though the server is away");
}
