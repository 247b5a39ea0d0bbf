//! A quote of the running program, paid by a wallet that is no node: credited by itself, over a restart too.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod program;

use program::{Home, Running, blvm_mesh, paid::assert_has, stranger::pay};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};
use tempfile::TempDir;

const PAYER: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const QUOTE: [&str; 4] = ["quote", PAYER, "--amount", "5000"];

fn home() -> (TempDir, Home) {
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(root.path(), "node", "listen_addr = \"127.0.0.1:0\"");
    (root, home)
}

fn invoice(quoted: &Value) -> String {
    quoted.get("invoice").unwrap().as_str().unwrap().to_owned()
}

/// What the node holds for the payer, once it holds something.
fn credit(node: &Running, home: &Home) -> Value {
    node.expect("credited");
    let status = home.ask(&["status"]);
    let credits = status.get("credits").unwrap().as_array().unwrap().clone();
    assert_eq!(credits.len(), 1, "{status}");
    credits.into_iter().next().unwrap()
}

#[tokio::test]
async fn whoever_pays_it_the_credit_is_the_named_nodes() {
    let (root, home) = home();
    let node = home.start();
    let quoted = home.ask(&QUOTE);
    pay(root.path(), &invoice(&quoted)).await;
    let credit = credit(&node, &home);
    assert_eq!(credit.get("payer").unwrap(), PAYER);
    assert_eq!(credit.get("credit_msat").unwrap(), 5_000_000);
    let ledger = home.ask(&["ledger"]);
    let hash = quoted.get("payment_hash").unwrap().as_str().unwrap();
    assert!(ledger.to_string().contains(hash), "{ledger}");
}

#[tokio::test]
async fn what_is_paid_while_the_node_is_down_is_credited_when_it_is_back() {
    let (root, home) = home();
    let node = home.start();
    let quoted = home.ask(&QUOTE);
    node.kill();
    pay(root.path(), &invoice(&quoted)).await;
    let node = home.start();
    assert_eq!(credit(&node, &home).get("credit_msat").unwrap(), 5_000_000);
    node.kill();
    let node = home.start();
    let status = home.ask(&["status"]);
    let deposited = status.pointer("/money/deposited_msat");
    assert_eq!(deposited.unwrap(), 5_000_000, "{status}");
    drop(node);
}

#[tokio::test]
async fn it_is_shown_as_text_and_code_and_waited_for() {
    let (root, home) = home();
    let _node = home.start();
    let mut waiting = blvm_mesh(&QUOTE);
    waiting.args(["--wait", "--config", home.config()]);
    let mut waiting = waiting.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(waiting.stdout.take().unwrap()).lines();
    let mut shown = Vec::new();
    let is_invoice = |line: &String| line.starts_with("lnbcrt50u1");
    while !shown.last().is_some_and(is_invoice) {
        shown.push(lines.next().unwrap().unwrap());
    }
    assert!(waiting.try_wait().unwrap().is_none(), "it waits");
    pay(root.path(), shown.last().unwrap()).await;
    shown.extend(lines.map(Result::unwrap));
    assert!(waiting.wait().unwrap().success());
    let shown = shown.join("\n");
    assert_has(
        &shown,
        &["NO REAL MONEY", PAYER, "█▀▀", "credited    5,000.000 sat"],
    );
}
