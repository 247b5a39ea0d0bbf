//! What the server says, compared with what bitcoind documents.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bitcoin::{
    Address, Amount, Block, Network, OutPoint, Transaction,
    consensus::encode::{deserialize_hex, serialize_hex},
};
use mesh_regtest::{Chain, FIRST_BLOCKS, RpcServer};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};
use support::{Key, sats, spend};

const FUNDS: Amount = sats(10_000_000);
const LESS: Amount = sats(9_999_000);

struct Asked {
    chain: Chain,
    server: RpcServer,
}

impl Asked {
    fn new() -> Self {
        let chain = Chain::new().unwrap();
        let server = RpcServer::start(chain.clone()).unwrap();
        Self { chain, server }
    }

    fn post(&self, credentials: &str, body: &str) -> (u16, String) {
        let authorization = STANDARD.encode(credentials);
        let head = format!("POST / HTTP/1.1\r\nAuthorization: Basic {authorization}\r\n");
        self.send(&head, body)
    }

    fn send(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.server.access().address).unwrap();
        let len = body.len();
        let rest = format!("Host: a\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(rest.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn credentials(&self) -> String {
        let access = self.server.access();
        format!("{}:{}", access.user, access.password)
    }

    fn answer(&self, method: &str, params: &Value) -> (u16, Value) {
        let body = json!({ "id": 7, "method": method, "params": params }).to_string();
        let (status, body) = self.post(&self.credentials(), &body);
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(answer["id"], 7);
        (status, answer)
    }

    fn ask(&self, method: &str, params: &Value) -> Value {
        let (status, mut answer) = self.answer(method, params);
        assert_eq!((status, &answer["error"]), (200, &Value::Null), "{method}");
        answer["result"].take()
    }

    /// The number and the words of the error that a call has to meet.
    fn refusal(&self, method: &str, params: &Value) -> (i64, String) {
        let (status, answer) = self.answer(method, params);
        assert!(status >= 400 && answer["result"].is_null(), "{answer}");
        let error = &answer["error"];
        let message = error["message"].as_str().unwrap().to_owned();
        (error["code"].as_i64().unwrap(), message)
    }
}

#[test]
fn only_the_right_password_opens() {
    let asked = Asked::new();
    let body = json!({ "id": 1, "method": "getblockcount" }).to_string();
    let user = asked.server.access().user.as_str();
    let right = asked.credentials();
    assert_eq!(asked.post(&right, &body).0, 200);
    let longer = format!("{right}0");
    for wrong in ["", user, &format!("{user}:wrong"), &longer] {
        assert_eq!(asked.post(wrong, &body), (401, String::new()), "{wrong}");
    }
    assert_eq!(asked.send("POST / HTTP/1.1\r\n", &body).0, 401);
    assert_eq!(asked.send("GET / HTTP/1.1\r\n", "").0, 405);
}

#[test]
fn a_cookie_file_has_user_and_password() {
    let asked = Asked::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".cookie");
    asked.server.write_cookie(&path).unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap(), asked.credentials());
}

#[test]
fn what_is_no_call_is_told_so() {
    let asked = Asked::new();
    let refused = asked.refusal("getmagic", &json!([]));
    assert_eq!(refused, (-32601, "Method not found".to_owned()));
    let (status, body) = asked.post(&asked.credentials(), "{");
    assert_eq!(status, 500);
    assert!(body.contains("-32700"), "{body}");
    for invalid in [json!(1), json!({}), json!({ "method": 1 })] {
        let (status, body) = asked.post(&asked.credentials(), &invalid.to_string());
        assert!(status == 400 && body.contains("-32600"), "{body}");
    }
    // JSON-RPC 2.0 has no HTTP status of its own for errors.
    let v2 = json!({ "jsonrpc": "2.0", "id": 1, "method": "getmagic" });
    let (status, body) = asked.post(&asked.credentials(), &v2.to_string());
    let body: Value = serde_json::from_str(&body).unwrap();
    let error = json!({ "code": -32601, "message": "Method not found" });
    let expected = json!({ "jsonrpc": "2.0", "id": 1, "error": error });
    assert_eq!((status, body), (200, expected));
}

#[test]
fn several_calls_come_in_one_request() {
    let asked = Asked::new();
    let calls = json!([
        { "id": 1, "method": "getblockcount" },
        { "id": 2, "method": "getmagic" },
    ]);
    let (status, body) = asked.post(&asked.credentials(), &calls.to_string());
    let answers: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(answers[0]["result"], FIRST_BLOCKS);
    assert_eq!(answers[1]["error"]["code"], -32601);
}

#[test]
fn the_chain_and_its_blocks_are_told() {
    let asked = Asked::new();
    let tip = asked.chain.tip().to_string();
    let info = asked.ask("getblockchaininfo", &json!([]));
    assert_eq!(info["chain"], "regtest");
    assert_eq!(info["blocks"], FIRST_BLOCKS);
    assert_eq!(info["bestblockhash"], tip);
    assert_eq!(info["initialblockdownload"], false);
    // Two hashes a block, the first one counted.
    let work = format!("{:064x}", 2 * (FIRST_BLOCKS + 1));
    assert_eq!(info["chainwork"], work);
    assert_eq!(asked.ask("getblockcount", &json!([])), FIRST_BLOCKS);
    assert_eq!(asked.ask("getbestblockhash", &json!([])), tip);
    assert_eq!(asked.ask("getblockhash", &json!([FIRST_BLOCKS])), tip);
    let named = asked.ask("getblockhash", &json!({ "height": FIRST_BLOCKS }));
    assert_eq!(named, tip);
    let header = asked.ask("getblockheader", &json!([tip]));
    assert_eq!(header["height"], FIRST_BLOCKS);
    assert_eq!(header["confirmations"], 1);
    assert_eq!(header["bits"], "207fffff");
    assert!(header.get("nextblockhash").is_none());
    let plain = asked.ask("getblockheader", &json!([tip, false]));
    assert_eq!(plain.as_str().unwrap().len(), 160);
    let block = asked.ask("getblock", &json!([tip, 0]));
    let block: Block = deserialize_hex(block.as_str().unwrap()).unwrap();
    assert_eq!(block.block_hash().to_string(), tip);
    let listed = asked.ask("getblock", &json!([tip]));
    let coinbase = block.txdata[0].compute_txid().to_string();
    assert_eq!(listed["tx"], json!([coinbase]));
    let full = asked.ask("getblock", &json!([tip, 2]));
    assert_eq!(full["tx"][0]["txid"], coinbase);
}

#[test]
fn what_is_not_there_has_bitcoinds_number() {
    let asked = Asked::new();
    let none = "00".repeat(32);
    for (method, params, code) in [
        ("getblockhash", json!([FIRST_BLOCKS + 1]), -8),
        ("getblockhash", json!([-1]), -8),
        ("getblockhash", json!(["1"]), -3),
        ("getblockhash", json!([]), -1),
        ("getblock", json!([none]), -5),
        ("getblock", json!(["xyz"]), -8),
        ("getblockheader", json!([none]), -5),
        ("getrawtransaction", json!([none]), -5),
        ("getmempoolentry", json!([none]), -5),
        ("invalidateblock", json!([none]), -5),
        ("sendrawtransaction", json!(["00"]), -22),
        ("estimatesmartfee", json!([0]), -8),
        ("generatetoaddress", json!([1, "x"]), -5),
    ] {
        let (found, message) = asked.refusal(method, &params);
        assert_eq!(found, code, "{method} {params} {message}");
    }
    let nothing = asked.ask("gettxout", &json!([none, 0]));
    assert!(nothing.is_null());
}

#[test]
fn a_transaction_is_sent_waits_and_is_mined() {
    let asked = Asked::new();
    let key = Key::new(1);
    let outpoint = asked.chain.fund(key.script(), FUNDS).unwrap();
    asked.chain.mine(1).unwrap();
    let transaction = key.sign(spend(&[outpoint], key.script(), LESS), &[FUNDS]);
    let (hex, txid) = (serialize_hex(&transaction), transaction.compute_txid());
    let output = json!([outpoint.txid.to_string(), outpoint.vout]);
    let before = asked.ask("gettxout", &output);
    assert_eq!(before["confirmations"], 1);
    assert_eq!(before["value"], json!(0.1));
    assert_eq!(before["scriptPubKey"]["type"], "witness_v0_keyhash");
    let judged = asked.ask("testmempoolaccept", &json!([[hex]]));
    assert_eq!(judged[0]["allowed"], true);
    assert_eq!(judged[0]["fees"]["base"], json!(0.000_01));
    assert_eq!(
        asked.ask("sendrawtransaction", &json!([hex])),
        txid.to_string()
    );
    assert_eq!(
        asked.ask("sendrawtransaction", &json!([hex])),
        txid.to_string()
    );
    assert_eq!(
        asked.ask("getrawmempool", &json!([])),
        json!([txid.to_string()])
    );
    let entry = asked.ask("getmempoolentry", &json!([txid.to_string()]));
    assert_eq!(entry["height"], FIRST_BLOCKS + 1);
    assert_eq!(entry["vsize"], transaction.vsize());
    assert_eq!(asked.ask("getmempoolinfo", &json!([]))["size"], 1);
    assert!(asked.ask("gettxout", &output).is_null());
    let in_chain = asked.ask("gettxout", &json!([output[0], output[1], false]));
    assert_eq!(in_chain["confirmations"], 1);
    let asking = json!([[{ "txid": output[0], "vout": output[1] }]]);
    let spender = asked.ask("gettxspendingprevout", &asking);
    assert_eq!(spender[0]["spendingtxid"], txid.to_string());
    let waiting = asked.ask("gettxout", &json!([txid.to_string(), 0]));
    assert_eq!(waiting["confirmations"], 0);
    let found = asked.ask("getrawtransaction", &json!([txid.to_string(), true]));
    assert!(found.get("blockhash").is_none());
    let address = Address::from_script(&key.script(), Network::Regtest).unwrap();
    let mined = asked.ask("generatetoaddress", &json!([2, address.to_string()]));
    let found = asked.ask("getrawtransaction", &json!([txid.to_string(), 1]));
    assert_eq!(found["blockhash"], mined[0]);
    assert_eq!(found["confirmations"], 2);
    assert_eq!(found["vin"][0]["txid"], output[0]);
    let plain = asked.ask("getrawtransaction", &json!([txid.to_string()]));
    let plain: Transaction = deserialize_hex(plain.as_str().unwrap()).unwrap();
    assert_eq!(plain, transaction);
}

#[test]
fn refused_transactions_have_bitcoinds_numbers_and_words() {
    let asked = Asked::new();
    let key = Key::new(1);
    let outpoint = asked.chain.fund(key.script(), FUNDS).unwrap();
    asked.chain.mine(1).unwrap();
    let missing = OutPoint {
        vout: 9,
        ..outpoint
    };
    let paying = |outpoint, amount| key.sign(spend(&[outpoint], key.script(), amount), &[FUNDS]);
    let unsigned = spend(&[outpoint], key.script(), LESS);
    for (transaction, code, words) in [
        (paying(missing, LESS), -25, "bad-txns-inputs-missingorspent"),
        (unsigned, -26, "mandatory-script-verify-flag-failed"),
        (
            paying(outpoint, FUNDS * 2),
            -26,
            "bad-txns-in-belowout, value in",
        ),
        (
            paying(outpoint, FUNDS),
            -26,
            "min relay fee not met, 0 < 110",
        ),
        (
            paying(outpoint, sats(1_000)),
            -25,
            "Fee exceeds maximum configured by user",
        ),
    ] {
        let hex = serialize_hex(&transaction);
        let (found, message) = asked.refusal("sendrawtransaction", &json!([hex]));
        assert_eq!(found, code, "{message}");
        assert!(message.starts_with(words), "{message}");
        let judged = asked.ask("testmempoolaccept", &json!([[hex]]));
        assert_eq!(judged[0]["allowed"], false);
    }
    let dear = serialize_hex(&paying(outpoint, sats(1_000)));
    asked.ask("sendrawtransaction", &json!([dear, 0]));
    asked.chain.mine(1).unwrap();
    let (code, _) = asked.refusal("sendrawtransaction", &json!([dear]));
    assert_eq!(code, -27);
}

#[test]
fn a_block_undone_is_told_to_confirm_nothing() {
    let asked = Asked::new();
    let tip = asked.chain.tip().to_string();
    let before = asked.chain.block_hash(FIRST_BLOCKS - 1).unwrap();
    assert!(asked.ask("invalidateblock", &json!([tip])).is_null());
    assert_eq!(
        asked.ask("getbestblockhash", &json!([])),
        before.to_string()
    );
    let header = asked.ask("getblockheader", &json!([tip]));
    assert_eq!(header["confirmations"], -1);
    assert_eq!(header["previousblockhash"], before.to_string());
    asked.chain.mine(2).unwrap();
    assert_eq!(asked.ask("getblockcount", &json!([])), FIRST_BLOCKS + 1);
}

#[test]
fn a_server_that_is_dropped_listens_no_more() {
    let Asked { server, .. } = Asked::new();
    let address = server.access().address;
    TcpStream::connect(address).unwrap();
    drop(server);
    TcpStream::connect(address).unwrap_err();
}
