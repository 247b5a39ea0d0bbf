//! A node's ledger on its way to PostgreSQL and back, and a node whose PostgreSQL goes away.
#![cfg(feature = "postgres")]
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod program;
#[path = "../../mesh-store/tests/postgres/server.rs"]
#[expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where something is not as it expects, and says what it leaves out"
)]
mod server;

use program::paid::{Paid, assert_has, booked};
use server::Server;
use std::fs;

#[test]
fn a_ledger_moves_to_postgresql_and_back_and_is_the_same() {
    let Some(server) = Server::shared() else {
        return;
    };
    let mut paid = Paid::new();
    booked(&paid.destination);
    let there = paid.file("there.jsonl");
    let there = there.to_str().unwrap();
    assert_eq!(paid.ledger(&["export", there]).code, Some(0));
    paid.stop();

    let store = format!("store = \"{}\"", server.database());
    let moved = paid.sibling("moved", &store);
    let imported = moved.command(&["ledger", "import", there], &[]);
    assert_eq!(imported.code, Some(0), "{}", imported.err);
    assert_has(&imported.out, &["imported into postgres:", "45.000 sats"]);
    let again = moved.command(&["ledger", "import", there], &[]);
    assert_eq!(again.code, Some(1), "{}", again.out);
    assert_eq!(moved.command(&["ledger", "verify"], &[]).code, Some(0));
    let back = paid.file("back.jsonl");
    let back = back.to_str().unwrap();
    let exported = moved.command(&["ledger", "export", back], &[]);
    assert_eq!(exported.code, Some(0), "{}", exported.err);
    assert_eq!(fs::read(back).unwrap(), fs::read(there).unwrap());
    for args in [
        &["--deposits", "--csv"] as &[&str],
        &["--payers"],
        &["--debits", "--all"],
    ] {
        let of = |home: &program::Home| home.command(&[&["ledger"], args].concat(), &[]);
        assert_eq!(of(&moved).out, of(&paid.destination).out, "{args:?}");
    }
    let running = moved.start();
    let status = moved.ask(&["status"]);
    assert_eq!(status["node_id"], paid.destination.id.to_string());
    assert_eq!(status["money"]["credit_msat"], 27_000);
    running.stop();

    let home = paid.sibling("home", "");
    let imported = home.command(&["ledger", "import", back], &[]);
    assert_eq!(imported.code, Some(0), "{}", imported.err);
    assert_eq!(home.command(&["ledger", "verify"], &[]).code, Some(0));
}

#[test]
fn a_status_says_when_postgresql_is_away_and_when_it_is_back() {
    let Some(server) = Server::start("") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let home = program::Home::new(root.path(), "node", "listen_addr = \"127.0.0.1:0\"");
    let text = fs::read_to_string(&home.config).unwrap();
    let store = format!("{text}\n[node]\nstore = \"{}\"\n", server.database());
    fs::write(&home.config, store).unwrap();
    let running = home.start();
    let status = home.command(&["status"], &[]).out;
    assert_has(&status, &["store       postgres:", "everything is booked"]);
    server.stop();
    let is_reachable = || {
        home.ask(&["status"])["store"]["reachable"]
            .as_bool()
            .unwrap()
    };
    assert!((0..1_000).any(|_| !is_reachable()), "it is never missed");
    let status = home.command(&["status"], &[]).out;
    assert_has(
        &status,
        &["store       postgres:", "paid packets are refused"],
    );
    let ledger = home.command(&["ledger"], &[]);
    assert_eq!(ledger.code, Some(1), "{}", ledger.out);
    server.go_on();
    assert!(
        (0..1_000).any(|_| is_reachable()),
        "it is never found again"
    );
    assert_eq!(home.command(&["ledger", "verify"], &[]).code, Some(0));
    assert_eq!(running.stop(), Some(0));
}
