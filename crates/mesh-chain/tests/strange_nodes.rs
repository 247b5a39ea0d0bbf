//! Nodes that are away, behind, elsewhere, hostile or strange tell a mesh nothing.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod double;

use double::{Double, PASSWORD, Reply, info, write_secret};
use mesh_chain::{BitcoinRpc, ChainConfig, MAX_ANSWER, OpenError};
use mesh_types::{ChainNode as _, ChainOutput, Network, OutPoint, TxHash};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

const TX: TxHash = TxHash::from_bytes([7; 32]);
const OUTPUT: OutPoint = OutPoint {
    tx_hash: TX,
    index: 0,
};

/// Asks all three questions, none of which may have an answer, and gives what is said of it.
async fn refused(node: &BitcoinRpc) -> String {
    let output = node.output(OUTPUT).await.unwrap_err();
    node.transaction(TX).await.unwrap_err();
    node.submit(vec![1, 2, 3]).await.unwrap_err();
    let said = output.to_string();
    assert!(!said.contains(PASSWORD), "{said}");
    said
}

fn coin() -> Value {
    json!({
        "bestblock": "0f".repeat(32),
        "confirmations": 3,
        "value": 0.000_010_01,
        "scriptPubKey": { "hex": "51" },
        "coinbase": false,
    })
}

#[tokio::test]
async fn a_node_of_another_network_is_refused_at_the_start_and_later() {
    let asked = AtomicU32::new(0);
    let double = Double::start(move |method, _| {
        let is_first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        let chain = if is_first { "regtest" } else { "main" };
        (method == "getblockchaininfo").then(|| info(chain, 101, 101, false))
    })
    .await;
    let node = double.met().await;
    let said = refused(&node).await;
    assert!(said.contains("is not on regtest any more"), "{said}");
    let error = double.open().await.unwrap_err();
    assert!(matches!(error, OpenError::WrongNetwork { .. }));
    let said = error.to_string();
    assert!(
        said.contains("is on main, and this node is on regtest"),
        "{said}"
    );
}

#[tokio::test]
async fn a_node_that_is_behind_tells_nothing_until_it_has_caught_up() {
    let blocks = Arc::new(AtomicU32::new(90));
    let told = Arc::clone(&blocks);
    let double = Double::start(move |method, _| match method {
        "getblockchaininfo" => {
            let blocks = told.load(Ordering::SeqCst);
            Some(info("regtest", blocks, 101, blocks == 101))
        }
        "gettxout" => Some(Reply::Result(coin())),
        _ => None,
    })
    .await;
    let node = double.met().await;
    let said = refused(&node).await;
    assert!(said.contains("is at block 90 of 101"), "{said}");
    // The download is not over where the node says so, whatever the numbers are.
    blocks.store(101, Ordering::SeqCst);
    refused(&node).await;
    // The newest block may be on its way.
    blocks.store(100, Ordering::SeqCst);
    let found = node.output(OUTPUT).await.unwrap();
    let expected = ChainOutput::Unspent {
        script_pubkey: vec![0x51],
        value_sats: 1_001,
        depth: 3,
        is_coinbase: false,
    };
    assert_eq!(found, expected);
}

#[tokio::test]
async fn answers_that_no_node_gives_are_errors() {
    let deep = "[".repeat(100_000);
    let replies: Vec<fn() -> Reply> = vec![
        || Reply::Raw(Vec::new()),
        || Reply::Raw(b"\x00\x01\x02".to_vec()),
        || Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        || Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec()),
        || Reply::Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec()),
        || Reply::Body(200, String::new()),
        || Reply::Body(200, "<html>".to_owned()),
        || Reply::Body(200, "[]".to_owned()),
        || Reply::Body(200, "null".to_owned()),
        || Reply::Body(200, "{\"result\":\"\\ud800\"}".to_owned()),
        || Reply::Body(503, "Work queue depth exceeded".to_owned()),
        || Reply::Result(Value::Null),
        || Reply::Result(json!("regtest")),
        || Reply::Result(json!({ "chain": "regtest" })),
        || Reply::Error(-28, "Loading block index…".to_owned()),
        || Reply::Error(-1, "\r\n".repeat(10_000)),
    ];
    let number = Arc::new(AtomicU32::new(u32::MAX));
    let chosen = Arc::clone(&number);
    let count = replies.len();
    let double = Double::start(move |method, _| {
        let number = usize::try_from(chosen.load(Ordering::SeqCst)).unwrap();
        let reply = match replies.get(number) {
            Some(reply) => reply(),
            None if number == count => Reply::Body(200, deep.clone()),
            None => return None,
        };
        (method == "getblockchaininfo").then_some(reply)
    })
    .await;
    let node = double.met().await;
    for chosen in 0..=count {
        number.store(u32::try_from(chosen).unwrap(), Ordering::SeqCst);
        let said = refused(&node).await;
        let is_a_line = said.len() < 600 && !said.contains(['\r', '\n']);
        assert!(is_a_line, "{chosen}: {said}");
    }
}

#[tokio::test]
async fn coins_and_transactions_that_do_not_read_are_errors() {
    let wrong_coins = [
        ("value", json!(-0.1)),
        ("value", json!(1e300)),
        ("value", json!(0.000_000_000_1)),
        ("value", json!("0.1")),
        ("confirmations", json!(-1)),
        ("confirmations", json!(u64::MAX)),
        ("scriptPubKey", json!({ "hex": "5" })),
        ("scriptPubKey", json!({ "hex": "zz" })),
        ("scriptPubKey", Value::Null),
        ("coinbase", json!(0)),
        ("bestblock", json!("0f")),
    ];
    for (field, value) in wrong_coins {
        let mut coin = coin();
        coin[field] = value;
        let said = coin.to_string();
        let double = Double::start(move |method, _| {
            (method == "gettxout").then(|| Reply::Result(coin.clone()))
        })
        .await;
        let node = double.met().await;
        assert!(node.output(OUTPUT).await.is_err(), "{said}");
    }
    for raw in [
        json!({ "hex": "0", "blockhash": "0f".repeat(32), "confirmations": 1 }),
        json!({ "hex": "00", "blockhash": "0f", "confirmations": 1 }),
        json!({ "blockhash": "0f".repeat(32), "confirmations": 1 }),
        json!("00"),
    ] {
        let said = raw.to_string();
        let double = Double::start(move |method, _| {
            (method == "getrawtransaction").then(|| Reply::Result(raw.clone()))
        })
        .await;
        let node = double.met().await;
        assert!(node.transaction(TX).await.is_err(), "{said}");
    }
}

#[tokio::test]
async fn an_output_that_a_block_brings_between_two_questions_is_not_called_spent() {
    let asked = AtomicU32::new(0);
    let double = Double::start(move |method, _| {
        let is_there = method == "gettxout" && asked.fetch_add(1, Ordering::SeqCst) > 0;
        is_there.then(|| Reply::Result(coin()))
    })
    .await;
    let found = double.met().await.output(OUTPUT).await.unwrap();
    assert!(matches!(found, ChainOutput::Unspent { depth: 3, .. }));
}

#[tokio::test]
async fn an_output_that_the_mempool_alone_has_spent_is_called_spent() {
    let double = Double::start(|method, params| {
        let is_in_chain = method == "gettxout" && params[2] == json!(false);
        is_in_chain.then(|| Reply::Result(coin()))
    })
    .await;
    let found = double.met().await.output(OUTPUT).await.unwrap();
    assert_eq!(found, ChainOutput::Spent);
}

#[tokio::test]
async fn a_block_that_was_undone_confirms_nothing_though_an_index_names_it() {
    for (confirmations, in_active_chain, depth) in [
        (json!(4), json!(true), Some(4)),
        (json!(4), json!(false), None),
        (json!(0), Value::Null, None),
        (json!(-1), Value::Null, None),
    ] {
        let double = Double::start(move |method, _| {
            (method == "getrawtransaction").then(|| {
                Reply::Result(json!({
                    "hex": "00",
                    "blockhash": "0f".repeat(32),
                    "confirmations": confirmations,
                    "in_active_chain": in_active_chain,
                }))
            })
        })
        .await;
        let found = double.met().await.transaction(TX).await.unwrap();
        assert_eq!(found.map(|found| found.depth), depth);
    }
}

/// As blvm-node 0.1.83 does.
#[tokio::test]
async fn a_node_that_never_says_how_deep_a_transaction_is_is_asked_about_its_outputs() {
    let spent = Arc::new(AtomicU32::new(1));
    let is_spent = Arc::clone(&spent);
    let tip = Arc::new(AtomicU32::new(101));
    let height = Arc::clone(&tip);
    let double = Double::start(move |method, params| match method {
        "getblockchaininfo" => {
            let height = height.load(Ordering::SeqCst);
            Some(info("regtest", height, height, false))
        }
        "getrawtransaction" => Some(Reply::Result(json!({ "hex": "00" }))),
        "getmempoolentry" => Some(Reply::Error(-32602, "not found in mempool".to_owned())),
        "gettxout" if is_spent.load(Ordering::SeqCst) == 0 => Some(Reply::Result(coin())),
        "getblockheader" => Some(Reply::Result(json!({ "height": 101 }))),
        "getblockhash" => {
            assert_eq!(params, &json!([99]));
            let digits = if is_spent.load(Ordering::SeqCst) < 2 {
                "0a"
            } else {
                "0b"
            };
            Some(Reply::Result(json!(digits.repeat(32))))
        }
        _ => None,
    })
    .await;
    let node = double.met().await;
    // Spent before it was ever seen: nothing is told.
    node.transaction(TX).await.unwrap_err();
    spent.store(0, Ordering::SeqCst);
    assert_eq!(node.transaction(TX).await.unwrap().unwrap().depth, 3);
    // Spent later: its block is where it was, and deeper.
    spent.store(1, Ordering::SeqCst);
    tip.store(103, Ordering::SeqCst);
    assert_eq!(node.transaction(TX).await.unwrap().unwrap().depth, 5);
    // Another block is in its place.
    spent.store(2, Ordering::SeqCst);
    assert_eq!(node.transaction(TX).await, Ok(None));
    // Or the chain is shorter now.
    spent.store(1, Ordering::SeqCst);
    tip.store(98, Ordering::SeqCst);
    assert_eq!(node.transaction(TX).await, Ok(None));
}

#[tokio::test]
async fn a_transaction_is_gone_only_when_a_complete_index_says_so_at_an_unchanged_tip() {
    for (complete, height, moves, is_told) in [
        (true, 101, false, true),
        (false, 101, false, false),
        (true, 100, false, false),
        (true, 101, true, false),
    ] {
        let asked = AtomicU32::new(0);
        let double = Double::start(move |method, _| match method {
            "getindexinfo" => Some(Reply::Result(json!({
                "txindex": { "synced": complete, "best_block_height": height }
            }))),
            "getblockchaininfo" if moves && asked.fetch_add(1, Ordering::SeqCst) == 2 => {
                Some(Reply::Result(json!({
                    "chain": "regtest",
                    "blocks": 101,
                    "headers": 101,
                    "bestblockhash": "0e".repeat(32),
                    "initialblockdownload": false,
                })))
            }
            _ => None,
        })
        .await;
        let found = double.met().await.transaction(TX).await;
        assert_eq!(found.is_ok_and(|found| found.is_none()), is_told);
    }
}

#[tokio::test]
async fn without_an_index_what_is_not_found_cannot_be_told() {
    let double = Double::start(|method, _| match method {
        "getindexinfo" => Some(Reply::Error(-32601, "Method not found".to_owned())),
        _ => None,
    })
    .await;
    let (node, warnings) = double.open().await.unwrap();
    assert!(warnings[0].contains("-txindex"), "{warnings:?}");
    let said = node.transaction(TX).await.unwrap_err().to_string();
    assert!(said.contains("-txindex"), "{said}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n".to_vec();
    let announced = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec();
    for head in [head, announced] {
        let asked = AtomicU32::new(0);
        let double = Double::start(move |_, _| {
            let is_first = asked.fetch_add(1, Ordering::SeqCst) < 2;
            (!is_first).then(|| {
                let mut bytes = head.clone();
                bytes.resize(MAX_ANSWER + 100_000, b' ');
                Reply::Raw(bytes)
            })
        })
        .await;
        let said = refused(&double.met().await).await;
        assert!(said.contains("is longer than 8388608 bytes"), "{said}");
    }
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_given_up() {
    let asked = AtomicU32::new(0);
    let double = Double::start(move |_, _| {
        let is_first = asked.fetch_add(1, Ordering::SeqCst) < 2;
        (!is_first).then_some(Reply::Silence)
    })
    .await;
    let node = double.met().await;
    let said = node.output(OUTPUT).await.unwrap_err().to_string();
    assert!(said.contains("took longer than 10 s"), "{said}");
}

#[tokio::test]
async fn a_node_that_is_away_is_met_later() {
    let double = Double::start(|_, _| None).await;
    let nowhere = ChainConfig {
        address: "127.0.0.1:1".to_owned(),
        ..double.config()
    };
    let (node, warnings) = BitcoinRpc::open(&nowhere, Network::Regtest).await.unwrap();
    assert!(
        warnings[0].contains("no Bitcoin node at 127.0.0.1:1"),
        "{warnings:?}"
    );
    refused(&node).await;

    // It has not started yet, so there is no cookie.
    let early = double.cookie("mesh:early");
    let path = early.cookie.clone().unwrap();
    std::fs::remove_file(&path).unwrap();
    let (node, warnings) = BitcoinRpc::open(&early, Network::Regtest).await.unwrap();
    assert!(
        warnings[0].starts_with("starting without the chain"),
        "{warnings:?}"
    );
    write_secret(&path, "__cookie__:first");
    node.output(OUTPUT).await.unwrap();
    write_secret(&path, "__cookie__:second");
    node.output(OUTPUT).await.unwrap();
    let shown = double.shown();
    assert_eq!(shown.first().unwrap(), "Basic X19jb29raWVfXzpmaXJzdA==");
    assert_eq!(shown.last().unwrap(), "Basic X19jb29raWVfXzpzZWNvbmQ=");
}

#[tokio::test]
async fn a_node_that_does_not_let_us_in_is_said_at_the_start_and_repeats_no_password() {
    for status in [401, 403] {
        let body = format!("who is {PASSWORD}?");
        let double = Double::start(move |_, _| Some(Reply::Body(status, body.clone()))).await;
        let error = double.open().await.unwrap_err();
        assert!(matches!(error, OpenError::Denied(_)));
        let said = error.to_string();
        assert!(
            said.contains("does not take this user and password"),
            "{said}"
        );
        assert!(!said.contains(PASSWORD), "{said}");
    }
    let echo = Double::start(|method, _| {
        let is_first = matches!(method, "getblockchaininfo" | "getindexinfo");
        (!is_first).then(|| Reply::Error(-1, format!("who is {PASSWORD}?")))
    })
    .await;
    let node = echo.met().await;
    let said = node.transaction(TX).await.unwrap_err().to_string();
    assert!(said.contains("who is …?"), "{said}");
    assert!(!format!("{node:?} {node}").contains(PASSWORD));
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_said() {
    let double = Double::start(|_, _| None).await;
    let good = double.config();
    let cookie = double.cookie("mesh:cookie").cookie;
    let (user, password) = (good.user.clone(), good.password.clone());
    let gone = Some(mesh_chain::SecretFrom::File("/no/such/password".into()));
    let wrong = |cookie, user, password| ChainConfig {
        address: double.address.clone(),
        cookie,
        user,
        password,
    };
    for config in [
        wrong(None, None, None),
        wrong(None, user.clone(), None),
        wrong(None, None, password.clone()),
        wrong(cookie, user.clone(), password.clone()),
        wrong(None, Some("a:b".to_owned()), password),
        wrong(None, user, gone),
        ChainConfig {
            address: "http://127.0.0.1".to_owned(),
            ..good
        },
        double.cookie("no cookie"),
    ] {
        BitcoinRpc::open(&config, Network::Regtest)
            .await
            .unwrap_err();
    }
}

#[tokio::test]
async fn what_a_node_has_already_is_sent() {
    for (code, is_fine) in [(-27, true), (-25, false), (-26, false), (-22, false)] {
        let double = Double::start(move |method, params| {
            (method == "sendrawtransaction").then(|| {
                assert_eq!(params, &json!(["010203"]));
                Reply::Error(code, "as it is".to_owned())
            })
        })
        .await;
        let sent = double.met().await.submit(vec![1, 2, 3]).await;
        assert_eq!(sent.is_ok(), is_fine, "{code} {sent:?}");
    }
}
