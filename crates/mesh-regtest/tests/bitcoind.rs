//! Our server beside a real bitcoind, where the environment variable BITCOIND names one: the same calls, and the same answers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use bitcoin::{Address, Amount, Network, OutPoint, Transaction, consensus::encode::serialize_hex};
use mesh_regtest::{AskError, BITCOIND, FIRST_BLOCKS, Regtest, RegtestError};
use serde_json::{Value, json};
use std::{collections::BTreeSet, env, path::Path, thread::sleep, time::Duration};
use support::{Key, sats, spend};

const FUNDS: Amount = sats(10_000_000);
const LESS: Amount = sats(9_999_000);

/// How much of a call is named where its answers differ.
const MAX_NAMED: usize = 100;

/// Fields whose values have to be the same, because the chains have the same history; of others, the kind. Sizes are
/// among those, because signatures differ in length.
const EQUAL: &[&str] = &[
    "allowed",
    "base",
    "bits",
    "blocks",
    "chain",
    "chainwork",
    "coinbase",
    "confirmations",
    "depends",
    "difficulty",
    "fees",
    "fullrbf",
    "headers",
    "height",
    "in_active_chain",
    "initialblockdownload",
    "mempoolminfee",
    "minrelaytxfee",
    "n",
    "nTx",
    "pruned",
    "reject-reason",
    "sequence",
    "spentby",
    "target",
    "total_fee",
    "type",
    "unbroadcast",
    "value",
    "verificationprogress",
    "vout",
];

/// Of those, what depends on who has mined and paid: only its kind has to be the same where a miner has done it.
const MINERS_OWN: &[&str] = &["coinbase", "value"];

/// What a bitcoind says and our server does not: descriptors, sums over relatives, policy, targets, and what Knots adds.
const LEFT_OUT: &[&str] = &[
    "ancestor",
    "ancestorcount",
    "ancestorsize",
    "currentpriority",
    "desc",
    "descendant",
    "descendantcount",
    "descendantsize",
    "dustdynamic",
    "dustrelayfee",
    "dustrelayfeefloor",
    "effective-feerate",
    "effective-includes",
    "errors",
    "fee",
    "hash",
    "header_version",
    "rbf_policy",
    "reject-details",
    "startingpriority",
    "strippedsize",
    "truc_policy",
    "txcount",
    "usage",
];

/// What a call is answered with.
struct Told {
    call: String,
    is_miners: bool,
    answer: Result<Value, (i64, String)>,
}

/// A chain, and everything that it has told.
struct Witness<'a> {
    chain: &'a Regtest,
    told: Vec<Told>,
    /// The transaction that the miner has made.
    funding: Value,
}

impl Witness<'_> {
    fn ask(&mut self, method: &str, params: &Value) {
        let answer = match self.chain.access().ask(method, params) {
            Ok(answer) => Ok(answer),
            Err(AskError::Refused { code, message }) => Err((code, message)),
            Err(other) => panic!("{method}: {other}"),
        };
        let is_miners = method == "getblock"
            || method == "getrawtransaction" && params.get(0) == Some(&self.funding);
        let mut call = format!("{method} {params}");
        call.truncate(MAX_NAMED);
        self.told.push(Told {
            call,
            is_miners,
            answer,
        });
    }
}

/// Asks everything that our server can be asked, of a chain on which the same happens each time.
fn story(chain: &Regtest) -> Vec<Told> {
    let key = Key::new(1);
    let outpoint = chain.fund(key.script(), FUNDS).unwrap();
    let mut witness = Witness {
        chain,
        told: Vec::new(),
        funding: json!(outpoint.txid),
    };
    chain.mine(1).unwrap();
    find_in_index(chain, &outpoint);
    let signed = |outpoint, amount| {
        serialize_hex(&key.sign(spend(&[outpoint], key.script(), amount), &[FUNDS]))
    };
    let payment = key.sign(spend(&[outpoint], key.script(), LESS), &[FUNDS]);
    ask_of_blocks(&mut witness);
    ask_of_outputs(&mut witness, &outpoint);
    let absent = OutPoint {
        vout: 9,
        ..outpoint
    };
    let refused = [
        signed(absent, LESS),
        signed(outpoint, FUNDS),
        signed(outpoint, FUNDS * 2),
        signed(outpoint, sats(1_000)),
    ];
    for hex in refused {
        witness.ask("testmempoolaccept", &json!([[hex]]));
        witness.ask("sendrawtransaction", &json!([hex]));
    }
    witness.ask("sendrawtransaction", &json!(["00"]));
    witness.ask("testmempoolaccept", &json!([[]]));
    ask_of_a_payment(&mut witness, &payment, &outpoint);
    witness.told
}

/// The index of a bitcoind is a moment behind its chain.
fn find_in_index(chain: &Regtest, outpoint: &OutPoint) {
    let params = json!([outpoint.txid, true]);
    for _ in 0..600 {
        let found = chain.access().ask("getrawtransaction", &params);
        if found.is_ok_and(|found| found.get("blockhash").is_some()) {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("{outpoint} is not in the index");
}

fn ask_of_blocks(witness: &mut Witness<'_>) {
    let tip = witness.chain.tip().unwrap();
    let none = "00".repeat(32);
    for (method, params) in [
        ("getblockchaininfo", json!([])),
        ("getblockcount", json!([])),
        ("getbestblockhash", json!([])),
        ("getblockhash", json!([1])),
        ("getblockhash", json!({ "height": 1 })),
        ("getblockhash", json!([FIRST_BLOCKS + 2])),
        ("getblockhash", json!([-1])),
        ("getblockhash", json!(["1"])),
        ("getblockheader", json!([tip])),
        ("getblockheader", json!([tip, false])),
        ("getblockheader", json!([none])),
        ("getblock", json!([tip])),
        ("getblock", json!([tip, 0])),
        ("getblock", json!([tip, 2])),
        ("getblock", json!([none])),
        ("getblock", json!([5])),
        ("getblock", json!(["xyz"])),
        ("getblock", json!(["x".repeat(64)])),
        ("getindexinfo", json!([])),
        ("getnetworkinfo", json!([])),
        ("generatetoaddress", json!([1, "x"])),
        ("invalidateblock", json!([none])),
        ("estimatesmartfee", json!([0])),
        ("getmagic", json!([])),
    ] {
        witness.ask(method, &params);
    }
}

fn ask_of_outputs(witness: &mut Witness<'_>, outpoint: &OutPoint) {
    let tip = witness.chain.tip().unwrap();
    let (txid, vout) = (outpoint.txid, outpoint.vout);
    let none = "00".repeat(32);
    for (method, params) in [
        ("getmempoolinfo", json!([])),
        ("getrawmempool", json!([])),
        ("getmempoolentry", json!([txid])),
        ("getrawtransaction", json!([txid])),
        ("getrawtransaction", json!([txid, true])),
        ("getrawtransaction", json!([txid, 1, tip])),
        ("getrawtransaction", json!([none])),
        ("getrawtransaction", json!([none, false, tip])),
        ("getrawtransaction", json!([none, false, none])),
        ("gettxout", json!([txid, vout])),
        ("gettxout", json!([txid, vout, false])),
        ("gettxout", json!([txid, 9])),
        ("gettxout", json!([none, 0])),
        ("gettxout", json!([none, -1])),
        ("gettxout", json!(["x", 0])),
        (
            "gettxspendingprevout",
            json!([[{ "txid": txid, "vout": vout }]]),
        ),
    ] {
        witness.ask(method, &params);
    }
}

/// A payment is sent, waits, is mined, and is undone.
fn ask_of_a_payment(witness: &mut Witness<'_>, payment: &Transaction, spent: &OutPoint) {
    let hex = serialize_hex(payment);
    let txid = payment.compute_txid();
    let spent_at = json!([spent.txid, spent.vout]);
    let spent_in_chain = json!([spent.txid, spent.vout, false]);
    let spender = json!([[{ "txid": spent.txid, "vout": spent.vout }]]);
    for (method, params) in [
        ("testmempoolaccept", json!([[hex]])),
        ("sendrawtransaction", json!([hex])),
        ("sendrawtransaction", json!([hex])),
        ("testmempoolaccept", json!([[hex]])),
        ("getrawmempool", json!([])),
        ("getmempoolentry", json!([txid])),
        ("getmempoolinfo", json!([])),
        ("getrawtransaction", json!([txid])),
        ("getrawtransaction", json!([txid, true])),
        ("gettxout", json!([txid, 0])),
        ("gettxout", spent_at.clone()),
        ("gettxout", spent_in_chain.clone()),
        ("gettxspendingprevout", spender),
    ] {
        witness.ask(method, &params);
    }
    let address = Address::from_script(&Key::new(2).script(), Network::Regtest).unwrap();
    witness.ask("generatetoaddress", &json!([2, address.to_string()]));
    let output = OutPoint { txid, vout: 0 };
    find_in_index(witness.chain, &output);
    let block = witness.chain.access();
    let found = block
        .ask("getrawtransaction", &json!([txid, true]))
        .unwrap();
    let block = found.get("blockhash").unwrap();
    for (method, params) in [
        ("getrawtransaction", json!([txid, true])),
        ("getblockheader", json!([block])),
        ("gettxout", json!([txid, 0])),
        ("gettxout", spent_at.clone()),
        ("gettxout", spent_in_chain),
        ("sendrawtransaction", json!([hex])),
        ("invalidateblock", json!([block])),
        ("getblockcount", json!([])),
        ("getblockheader", json!([block])),
        ("getrawmempool", json!([])),
        ("getrawtransaction", json!([txid, true])),
        ("gettxout", json!([txid, 0])),
        ("gettxout", spent_at),
    ] {
        witness.ask(method, &params);
    }
}

/// Says where two answers differ.
fn compare(
    path: &str,
    (here, there): (&Value, &Value),
    is_miners: bool,
    differences: &mut BTreeSet<String>,
) {
    let name = path.rsplit('.').next().unwrap_or_default();
    let is_equal = EQUAL.contains(&name) && !(is_miners && MINERS_OWN.contains(&name));
    match (here, there) {
        (Value::Object(here), Value::Object(there)) => {
            let is_map = here.keys().all(|key| key.len() == 64);
            if is_map && here.len() == there.len() {
                return;
            }
            for (name, value) in here {
                match there.get(name) {
                    Some(other) => {
                        let both = (value, other);
                        compare(&format!("{path}.{name}"), both, is_miners, differences);
                    }
                    None => drop(differences.insert(format!("{path}.{name}: here alone"))),
                }
            }
            let more = there.keys().filter(|name| !here.contains_key(*name));
            for name in more.filter(|name| !LEFT_OUT.contains(&name.as_str())) {
                differences.insert(format!("{path}.{name}: there alone"));
            }
        }
        (Value::Array(here), Value::Array(there)) => {
            for (here, there) in here.iter().zip(there) {
                compare(path, (here, there), is_miners, differences);
            }
            if here.len() != there.len() && is_equal {
                differences.insert(format!("{path}: {} and {}", here.len(), there.len()));
            }
        }
        _ if is_equal && here != there => {
            differences.insert(format!("{path}: {here} and {there}"));
        }
        _ if std::mem::discriminant(here) != std::mem::discriminant(there) => {
            differences.insert(format!("{path}: {here} and {there}"));
        }
        _ => {}
    }
}

#[test]
fn our_server_answers_as_a_real_bitcoind_does() {
    let Some(program) = env::var_os(BITCOIND) else {
        eprintln!("skipped: {BITCOIND} names no bitcoind; `cargo xtask bitcoind` fetches one");
        return;
    };
    let there = Regtest::bitcoind(Path::new(&program), &["-txindex"]).unwrap();
    let (here, there) = (story(&Regtest::here().unwrap()), story(&there));
    let mut differences = BTreeSet::new();
    for (here, there) in here.iter().zip(&there) {
        match (&here.answer, &there.answer) {
            (Ok(ours), Ok(theirs)) => {
                let both = (ours, theirs);
                compare(&here.call, both, here.is_miners, &mut differences);
            }
            (ours, theirs) if ours == theirs => {}
            (ours, theirs) => {
                differences.insert(format!("{}: {ours:?} and {theirs:?}", here.call));
            }
        }
    }
    let listed: Vec<_> = differences.into_iter().collect();
    assert!(listed.is_empty(), "{}", listed.join("\n"));
}

#[test]
fn a_program_that_is_none_is_said() {
    let gone = Regtest::bitcoind(Path::new("/no/such/bitcoind"), &[]).unwrap_err();
    assert!(matches!(gone, RegtestError::Bitcoind(_)), "{gone}");
    assert!(
        gone.to_string()
            .starts_with("/no/such/bitcoind cannot be started")
    );
    let other = Regtest::bitcoind(Path::new("false"), &[]).unwrap_err();
    assert!(
        other.to_string().starts_with("bitcoind ended with"),
        "{other}"
    );
}
