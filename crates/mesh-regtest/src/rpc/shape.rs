//! What bitcoind says of blocks and transactions.

use super::error::RpcError;
use crate::chain::{Ledger, Stored};
use bitcoin::{
    Address, BlockHash, Network, Script, Transaction,
    consensus::encode::{serialize, serialize_hex},
    hex::DisplayHex as _,
};
use serde_json::{Map, Value, json};

/// How much a block tells of its transactions.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verbosity {
    Ids,
    Transactions,
}

pub(super) fn chain_info(ledger: &Ledger) -> Result<Value, RpcError> {
    let tip = ledger.tip();
    let header = ledger
        .stored(&tip)
        .map(|stored| header(ledger, &tip, stored));
    let header = header.unwrap_or_default();
    let field = |name: &str| header.get(name).cloned().unwrap_or_default();
    Ok(json!({
        "chain": "regtest",
        "blocks": ledger.height(),
        "headers": ledger.height(),
        "bestblockhash": tip.to_string(),
        "bits": field("bits"),
        "target": field("target"),
        "difficulty": field("difficulty"),
        "time": field("time"),
        "mediantime": field("mediantime"),
        "verificationprogress": 1,
        "initialblockdownload": false,
        "chainwork": field("chainwork"),
        "size_on_disk": 0,
        "pruned": false,
        "warnings": [],
    }))
}

pub(super) fn header(ledger: &Ledger, hash: &BlockHash, stored: &Stored) -> Value {
    let header = &stored.block.header;
    let height = stored.height;
    let mut shaped = json!({
        "hash": hash.to_string(),
        "confirmations": confirmations(ledger, hash),
        "height": height,
        "version": header.version.to_consensus(),
        "versionHex": format!("{:08x}", header.version.to_consensus()),
        "merkleroot": header.merkle_root.to_string(),
        "time": header.time,
        "mediantime": ledger.median_time(height),
        "nonce": header.nonce,
        "bits": format!("{:08x}", header.bits.to_consensus()),
        "target": header.target().to_be_bytes().to_lower_hex_string(),
        "difficulty": header.difficulty_float(),
        "chainwork": stored.work.to_be_bytes().to_lower_hex_string(),
        "nTx": stored.block.txdata.len(),
    });
    let before = height.checked_sub(1).map(|_| header.prev_blockhash);
    put(&mut shaped, "previousblockhash", before);
    let after = height
        .checked_add(1)
        .and_then(|height| ledger.hash_at(height));
    let after = after.filter(|_| ledger.is_in_chain(hash));
    put(&mut shaped, "nextblockhash", after);
    shaped
}

pub(super) fn block(
    ledger: &Ledger,
    hash: &BlockHash,
    stored: &Stored,
    verbosity: Verbosity,
) -> Value {
    let mut shaped = header(ledger, hash, stored);
    let block = &stored.block;
    let transactions = block.txdata.iter().map(|transaction| match verbosity {
        Verbosity::Ids => transaction.compute_txid().to_string().into(),
        Verbosity::Transactions => plain_transaction(transaction),
    });
    let transactions: Vec<Value> = transactions.collect();
    if let Some(fields) = shaped.as_object_mut() {
        fields.insert("size".to_owned(), block.total_size().into());
        fields.insert("weight".to_owned(), block.weight().to_wu().into());
        fields.insert("tx".to_owned(), transactions.into());
    }
    shaped
}

/// A transaction, with its block.
pub(super) fn transaction(
    ledger: &Ledger,
    transaction: &Transaction,
    hash: Option<&BlockHash>,
) -> Value {
    let mut shaped = plain_transaction(transaction);
    let stored = hash.and_then(|hash| ledger.stored(hash));
    if let (Some(hash), Some(stored), Some(fields)) = (hash, stored, shaped.as_object_mut()) {
        let time = stored.block.header.time;
        fields.insert("blockhash".to_owned(), hash.to_string().into());
        // A block that was undone confirms nothing.
        let confirmations = confirmations(ledger, hash).max(0);
        fields.insert("confirmations".to_owned(), confirmations.into());
        fields.insert("time".to_owned(), time.into());
        fields.insert("blocktime".to_owned(), time.into());
    }
    shaped
}

fn plain_transaction(transaction: &Transaction) -> Value {
    let inputs = transaction.input.iter().map(|input| {
        let mut shaped = if transaction.is_coinbase() {
            json!({ "coinbase": input.script_sig.to_hex_string() })
        } else {
            json!({
                "txid": input.previous_output.txid.to_string(),
                "vout": input.previous_output.vout,
                "scriptSig": {
                    "asm": input.script_sig.to_asm_string(),
                    "hex": input.script_sig.to_hex_string(),
                },
            })
        };
        if let Some(fields) = shaped.as_object_mut() {
            let sequence = input.sequence.to_consensus_u32();
            fields.insert("sequence".to_owned(), sequence.into());
            let witness = input.witness.iter().map(|item| item.to_lower_hex_string());
            let witness: Vec<_> = witness.collect();
            if !witness.is_empty() {
                fields.insert("txinwitness".to_owned(), witness.into());
            }
        }
        shaped
    });
    let outputs = (0_u32..).zip(&transaction.output).map(|(n, output)| {
        json!({
            "value": output.value.to_btc(),
            "n": n,
            "scriptPubKey": script(&output.script_pubkey),
        })
    });
    json!({
        "txid": transaction.compute_txid().to_string(),
        "hash": transaction.compute_wtxid().to_string(),
        "version": transaction.version.0,
        "size": serialize(transaction).len(),
        "vsize": transaction.vsize(),
        "weight": transaction.weight().to_wu(),
        "locktime": transaction.lock_time.to_consensus_u32(),
        "vin": inputs.collect::<Vec<_>>(),
        "vout": outputs.collect::<Vec<_>>(),
        "hex": serialize_hex(transaction),
    })
}

pub(super) fn script(script: &Script) -> Value {
    let kind = match () {
        () if script.is_p2pk() => "pubkey",
        () if script.is_p2pkh() => "pubkeyhash",
        () if script.is_p2sh() => "scripthash",
        () if script.is_p2wpkh() => "witness_v0_keyhash",
        () if script.is_p2wsh() => "witness_v0_scripthash",
        () if script.is_p2tr() => "witness_v1_taproot",
        () if script.is_op_return() => "nulldata",
        () if script.is_witness_program() => "witness_unknown",
        () => "nonstandard",
    };
    let mut shaped = Map::new();
    shaped.insert("asm".to_owned(), script.to_asm_string().into());
    shaped.insert("hex".to_owned(), script.to_hex_string().into());
    if let Ok(address) = Address::from_script(script, Network::Regtest) {
        shaped.insert("address".to_owned(), address.to_string().into());
    }
    shaped.insert("type".to_owned(), kind.into());
    Value::Object(shaped)
}

/// Blocks from this one to the tip; -1 for one that was undone.
fn confirmations(ledger: &Ledger, hash: &BlockHash) -> i64 {
    let stored = ledger.stored(hash).filter(|_| ledger.is_in_chain(hash));
    stored.map_or(-1, |stored| {
        i64::from(ledger.height()) - i64::from(stored.height) + 1
    })
}

fn put(shaped: &mut Value, name: &str, hash: Option<BlockHash>) {
    if let Some((hash, fields)) = hash.zip(shaped.as_object_mut()) {
        fields.insert(name.to_owned(), hash.to_string().into());
    }
}
