use super::{
    call::{Params, hash},
    error::{RpcError, code},
};
use crate::{
    MAX_POOL, Rejection,
    chain::{Entry, Ledger},
    clock,
};
use bitcoin::{Amount, FeeRate, OutPoint, Transaction, Txid, consensus::encode::deserialize_hex};
use serde_json::{Value, json};

type Answered = Result<Value, RpcError>;

/// The most that a transaction may pay, in BTC a thousand virtual bytes, when the caller does not say.
const MAX_FEE_RATE: f64 = 0.1;

/// Transactions that one call may ask about, as bitcoind has it.
const MAX_AT_ONCE: usize = 25;

pub(super) fn info(ledger: &Ledger) -> Value {
    let entries = || ledger.pool().iter();
    let bytes: u64 = entries().map(|entry| entry.vsize).sum();
    let fees: u64 = entries().map(|entry| entry.fee.to_sat()).sum();
    let rate = Amount::from_sat(1_000).to_btc();
    json!({
        "loaded": true,
        "size": entries().count(),
        "bytes": bytes,
        "usage": bytes,
        "total_fee": Amount::from_sat(fees).to_btc(),
        "maxmempool": MAX_POOL,
        "mempoolminfee": rate,
        "minrelaytxfee": rate,
        "incrementalrelayfee": rate,
        "unbroadcastcount": entries().count(),
        "fullrbf": true,
    })
}

pub(super) fn list(ledger: &Ledger, params: &Params) -> Answered {
    let entries = ledger.pool().iter();
    if params.flag(0, "verbose", false)? {
        let entries = entries.map(|entry| (entry.txid.to_string(), shape(ledger, entry)));
        Ok(Value::Object(entries.collect()))
    } else {
        Ok(entries.map(|entry| entry.txid.to_string()).collect())
    }
}

pub(super) fn entry(ledger: &Ledger, params: &Params) -> Answered {
    let entry = ledger.pool().get(&params.hash(0, "txid")?);
    let entry = entry.ok_or(RpcError::new(
        code::ADDRESS_OR_KEY,
        "Transaction not in mempool",
    ))?;
    Ok(shape(ledger, entry))
}

/// What bitcoind says of an entry, without its relatives' sums.
fn shape(ledger: &Ledger, entry: &Entry) -> Value {
    let pool = ledger.pool();
    let spends = entry.transaction.input.iter();
    let depends: Vec<_> = spends
        .map(|input| input.previous_output.txid)
        .filter(|txid| pool.get(txid).is_some())
        .map(|txid| txid.to_string())
        .collect();
    let spent_by = (0..)
        .zip(&entry.transaction.output)
        .filter_map(|(vout, _)| {
            let txid = entry.txid;
            pool.spender(&OutPoint { txid, vout })
        });
    let spent_by: Vec<_> = spent_by.map(|txid| txid.to_string()).collect();
    json!({
        "vsize": entry.vsize,
        "weight": entry.transaction.weight().to_wu(),
        "time": entry.time,
        "height": entry.height,
        "wtxid": entry.transaction.compute_wtxid().to_string(),
        "fees": { "base": entry.fee.to_btc(), "modified": entry.fee.to_btc() },
        "depends": depends,
        "spentby": spent_by,
        "bip125-replaceable": true,
        "unbroadcast": true,
    })
}

pub(super) fn send(ledger: &mut Ledger, params: &Params) -> Answered {
    let transaction = decode(params.text(0, "hexstring")?)?;
    let txid = ledger.submit(transaction, max_rate(params)?, clock::now())?;
    Ok(json!(txid.to_string()))
}

/// Whether the mempool would take a transaction. Of several, none sees the others, other than at bitcoind.
pub(super) fn test(ledger: &Ledger, params: &Params) -> Answered {
    let texts = params.get(0, "rawtxs").and_then(Value::as_array);
    let texts = texts.filter(|texts| (1..=MAX_AT_ONCE).contains(&texts.len()));
    let texts = texts.ok_or_else(|| {
        let message = format!("Array must contain between 1 and {MAX_AT_ONCE} transactions.");
        RpcError::new(code::PARAMETER, message)
    })?;
    let max_rate = max_rate(params)?;
    let mut answers = Vec::new();
    for text in texts {
        let transaction = decode(text.as_str().unwrap_or_default())?;
        let mut answer = json!({
            "txid": transaction.compute_txid().to_string(),
            "wtxid": transaction.compute_wtxid().to_string(),
            "allowed": false,
        });
        let judged = if ledger.pool().get(&transaction.compute_txid()).is_some() {
            Err(Refused::with_details("txn-already-in-mempool".to_owned()))
        } else {
            let examined = ledger.examine(transaction, clock::now());
            examined.map_err(Refused::from)
        };
        let judged = judged.and_then(|(entry, _)| {
            let most = max_rate.and_then(|rate| rate.fee_vb(entry.vsize));
            if most.is_some_and(|most| entry.fee > most) {
                return Err(Refused::plain("max-fee-exceeded"));
            }
            Ok(entry)
        });
        if let Some(fields) = answer.as_object_mut() {
            match judged {
                Ok(entry) => {
                    fields.insert("allowed".to_owned(), true.into());
                    fields.insert("vsize".to_owned(), entry.vsize.into());
                    let fees = json!({ "base": entry.fee.to_btc() });
                    fields.insert("fees".to_owned(), fees);
                }
                Err(refused) => {
                    fields.insert("reject-reason".to_owned(), refused.reason.into());
                    if let Some(details) = refused.details {
                        fields.insert("reject-details".to_owned(), details.into());
                    }
                }
            }
        }
        answers.push(answer);
    }
    Ok(Value::Array(answers))
}

/// Why a transaction would not be taken: in short, and at length.
struct Refused {
    reason: String,
    details: Option<String>,
}

impl Refused {
    fn plain(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            details: None,
        }
    }

    fn with_details(details: String) -> Self {
        let (reason, _) = details.split_once(", ").unwrap_or((&details, ""));
        Self {
            reason: reason.to_owned(),
            details: Some(details),
        }
    }
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::MissingOrSpent => Self::plain("missing-inputs"),
            other => Self::with_details(other.to_string()),
        }
    }
}

pub(super) fn spenders(ledger: &Ledger, params: &Params) -> Answered {
    let outputs = params.get(0, "outputs").and_then(Value::as_array);
    let outputs = outputs.filter(|outputs| !outputs.is_empty());
    let invalid = || RpcError::new(code::PARAMETER, "Invalid parameter, outputs are missing");
    let mut answers = Vec::new();
    for output in outputs.ok_or_else(invalid)? {
        let text = output.get("txid").and_then(Value::as_str);
        let vout = output.get("vout").and_then(Value::as_u64);
        let outpoint = OutPoint {
            txid: hash(text.ok_or_else(invalid)?, "txid")?,
            vout: u32::try_from(vout.ok_or_else(invalid)?).map_err(|_| invalid())?,
        };
        let mut answer = output.clone();
        let spender: Option<Txid> = ledger.pool().spender(&outpoint);
        if let Some((spender, fields)) = spender.zip(answer.as_object_mut()) {
            fields.insert("spendingtxid".to_owned(), spender.to_string().into());
        }
        answers.push(answer);
    }
    Ok(Value::Array(answers))
}

fn decode(hex: &str) -> Result<Transaction, RpcError> {
    deserialize_hex(hex).map_err(|_| {
        let message = "TX decode failed. Make sure the tx has at least one input.";
        RpcError::new(code::DESERIALIZATION, message)
    })
}

/// The most that a transaction may pay for its size; nothing when the caller says 0.
fn max_rate(params: &Params) -> Result<Option<FeeRate>, RpcError> {
    let btc = match params.get(1, "maxfeerate") {
        None => Some(MAX_FEE_RATE),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_f64(),
    };
    let rate = btc.and_then(|btc| Amount::from_btc(btc).ok());
    let rate = rate.ok_or(RpcError::new(code::TYPE, "Invalid amount"))?;
    Ok((rate > Amount::ZERO).then(|| FeeRate::from_sat_per_kwu(rate.to_sat().div_ceil(4))))
}
