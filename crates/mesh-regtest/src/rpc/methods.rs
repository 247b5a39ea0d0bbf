use super::{
    call::{Call, Params},
    error::{RpcError, code},
    mempool,
    shape::{self, Verbosity},
};
use crate::Chain;
use bitcoin::{Address, BlockHash, Network, OutPoint, Txid, consensus::encode::serialize_hex};
use serde_json::{Value, json};

type Answered = Result<Value, RpcError>;

/// Satoshi a virtual byte that are proposed: twice the least that is taken.
const FEE_ESTIMATE: u64 = 2;

/// What the server calls itself.
const SUBVERSION: &str = concat!("/mesh-regtest:", env!("CARGO_PKG_VERSION"), "/");

/// The release of bitcoind whose answers are imitated.
const VERSION: u32 = 290_000;

pub(super) fn answer(chain: &Chain, has_index: bool, call: &Call) -> Answered {
    let params = &call.params;
    match call.method.as_str() {
        "estimatesmartfee" => fee_estimate(params),
        "generatetoaddress" => generate(chain, params),
        "getbestblockhash" => Ok(json!(chain.tip().to_string())),
        "getblock" => block(chain, params),
        "getblockchaininfo" => shape::chain_info(&chain.ledger()),
        "getblockcount" => Ok(json!(chain.height())),
        "getblockhash" => block_hash(chain, params),
        "getblockheader" => block_header(chain, params),
        "getindexinfo" if !has_index => Ok(json!({})),
        "getindexinfo" => Ok(json!({
            "txindex": { "synced": true, "best_block_height": chain.height() }
        })),
        "getmempoolentry" => mempool::entry(&chain.ledger(), params),
        "getmempoolinfo" => Ok(mempool::info(&chain.ledger())),
        "getnetworkinfo" => Ok(network_info()),
        "getrawmempool" => mempool::list(&chain.ledger(), params),
        "getrawtransaction" => raw_transaction(chain, has_index, params),
        "gettxout" => output(chain, params),
        "gettxspendingprevout" => mempool::spenders(&chain.ledger(), params),
        "invalidateblock" => invalidate(chain, params),
        "sendrawtransaction" => mempool::send(&mut chain.ledger(), params),
        "testmempoolaccept" => mempool::test(&chain.ledger(), params),
        _ => Err(RpcError::new(code::NO_SUCH_METHOD, "Method not found")),
    }
}

fn not_found(what: &str) -> RpcError {
    RpcError::new(code::ADDRESS_OR_KEY, what)
}

fn fee_estimate(params: &Params) -> Answered {
    let blocks = params.number(0, "conf_target")?;
    if !(1..=1_008).contains(&blocks) {
        let message = "Invalid conf_target, must be between 1 and 1008";
        return Err(RpcError::new(code::PARAMETER, message));
    }
    let rate = bitcoin::Amount::from_sat(FEE_ESTIMATE.saturating_mul(1_000));
    Ok(json!({ "feerate": rate.to_btc(), "blocks": blocks }))
}

fn generate(chain: &Chain, params: &Params) -> Answered {
    let blocks = params.within(0, "nblocks")?;
    let address: Result<Address<_>, _> = params.text(1, "address")?.parse();
    let address = address.map_err(|_| not_found("Error: Invalid address"))?;
    let address = address.require_network(Network::Regtest);
    let address = address.map_err(|_| not_found("Error: Invalid address"))?;
    let mined = chain.mine_to(blocks, &address.script_pubkey());
    let mined = mined.map_err(|error| RpcError::new(code::MISC, error.to_string()))?;
    Ok(mined.iter().map(BlockHash::to_string).collect())
}

fn invalidate(chain: &Chain, params: &Params) -> Answered {
    let undone = chain.invalidate(&params.hash(0, "blockhash")?);
    undone.map_err(|_| not_found("Block not found"))?;
    Ok(Value::Null)
}

fn block_hash(chain: &Chain, params: &Params) -> Answered {
    let height = params.within(0, "height");
    let hash = height.ok().and_then(|height| chain.block_hash(height));
    params.number(0, "height")?;
    let hash = hash.ok_or(RpcError::new(code::PARAMETER, "Block height out of range"))?;
    Ok(json!(hash.to_string()))
}

fn block_header(chain: &Chain, params: &Params) -> Answered {
    let hash = params.hash(0, "blockhash")?;
    let ledger = chain.ledger();
    let stored = ledger.stored(&hash).ok_or(not_found("Block not found"))?;
    if params.flag(1, "verbose", true)? {
        Ok(shape::header(&ledger, &hash, stored))
    } else {
        Ok(json!(serialize_hex(&stored.block.header)))
    }
}

fn block(chain: &Chain, params: &Params) -> Answered {
    let hash = params.hash(0, "blockhash")?;
    let verbosity = match params.get(1, "verbosity") {
        None | Some(Value::Bool(true)) => 1,
        Some(Value::Bool(false)) => 0,
        Some(_) => params.number(1, "verbosity")?,
    };
    let ledger = chain.ledger();
    let stored = ledger.stored(&hash).ok_or(not_found("Block not found"))?;
    Ok(match verbosity {
        ..=0 => json!(serialize_hex(&stored.block)),
        1 => shape::block(&ledger, &hash, stored, Verbosity::Ids),
        2.. => shape::block(&ledger, &hash, stored, Verbosity::Transactions),
    })
}

fn raw_transaction(chain: &Chain, has_index: bool, params: &Params) -> Answered {
    let txid: Txid = params.hash(0, "txid")?;
    let verbose = params.flag(1, "verbosity", false)?;
    let within: Option<BlockHash> = match params.get(2, "blockhash") {
        None => None,
        Some(_) => Some(params.hash(2, "blockhash")?),
    };
    let ledger = chain.ledger();
    if let Some(hash) = within {
        let stored = ledger
            .stored(&hash)
            .ok_or(not_found("Block hash not found"))?;
        let mut all = stored.block.txdata.iter();
        let found = all.find(|transaction| transaction.compute_txid() == txid);
        let found = found.ok_or(not_found(
            "No such transaction found in the provided block. Use gettransaction for wallet transactions.",
        ))?;
        if !verbose {
            return Ok(json!(serialize_hex(found)));
        }
        let mut shaped = shape::transaction(&ledger, found, Some(&hash));
        if let Some(fields) = shaped.as_object_mut() {
            fields.insert(
                "in_active_chain".to_owned(),
                ledger.is_in_chain(&hash).into(),
            );
        }
        return Ok(shaped);
    }
    let found = ledger.find(&txid);
    let found = found.filter(|found| has_index || found.block.is_none());
    let found = found.ok_or(not_found(
        "No such mempool or blockchain transaction. Use gettransaction for wallet transactions.",
    ))?;
    if !verbose {
        return Ok(json!(serialize_hex(&found.transaction)));
    }
    let block = found.block.map(|(hash, _)| hash);
    Ok(shape::transaction(
        &ledger,
        &found.transaction,
        block.as_ref(),
    ))
}

fn output(chain: &Chain, params: &Params) -> Answered {
    let outpoint = OutPoint {
        txid: params.hash(0, "txid")?,
        vout: params.within(1, "n")?,
    };
    let ledger = chain.ledger();
    let coin = if params.flag(2, "include_mempool", true)? {
        ledger.coin_in_view(&outpoint)
    } else {
        ledger.coin(&outpoint).cloned()
    };
    let Some(coin) = coin else {
        return Ok(Value::Null);
    };
    // Coins of the mempool have the height of the next block, so they have no confirmations.
    let confirmations = ledger
        .height()
        .saturating_add(1)
        .saturating_sub(coin.height);
    Ok(json!({
        "bestblock": ledger.tip().to_string(),
        "confirmations": confirmations,
        "value": coin.output.value.to_btc(),
        "scriptPubKey": shape::script(&coin.output.script_pubkey),
        "coinbase": coin.is_coinbase,
    }))
}

fn network_info() -> Value {
    let rate = bitcoin::Amount::from_sat(1_000).to_btc();
    json!({
        "version": VERSION,
        "subversion": SUBVERSION,
        "protocolversion": 70016,
        "localservices": "0000000000000000",
        "localservicesnames": [],
        "localrelay": false,
        "timeoffset": 0,
        "networkactive": false,
        "connections": 0,
        "connections_in": 0,
        "connections_out": 0,
        "networks": [],
        "relayfee": rate,
        "incrementalfee": rate,
        "localaddresses": [],
        "warnings": [],
    })
}
