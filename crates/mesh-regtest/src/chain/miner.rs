//! The wallet of the miner, whose key everybody knows.

use super::{ChainError, Coin, Ledger, check::sum};
use bitcoin::{
    Amount, CompressedPublicKey, EcdsaSighashType, OutPoint, ScriptBuf, Sequence, Transaction,
    TxIn, TxOut, Witness,
    absolute::LockTime,
    ecdsa::Signature,
    secp256k1::{All, Message, Secp256k1, SecretKey},
    sighash::SighashCache,
    transaction::Version,
};

/// Its key.
const KEY: [u8; 32] = [0x6d; 32];

/// What it pays a virtual byte, in satoshi: twice the least.
const FEE_RATE: u64 = 2;

/// Virtual bytes of an input of its own, of an output of any usual kind, and of everything else.
const INPUT_VSIZE: u64 = 69;
const OUTPUT_VSIZE: u64 = 43;
const BASE_VSIZE: u64 = 12;

/// Change that is not worth an output of its own is left to the next miner, in satoshi.
const DUST: u64 = 1_000;

pub(super) fn script() -> Result<ScriptBuf, ChainError> {
    let (secp, key) = key()?;
    Ok(script_of(&secp, &key))
}

/// Pays an amount to a script, in its first output.
pub(super) fn pay(
    ledger: &Ledger,
    to: ScriptBuf,
    amount: Amount,
) -> Result<Transaction, ChainError> {
    let (secp, key) = key()?;
    let own = script_of(&secp, &key);
    let mut chosen: Vec<(OutPoint, Coin)> = Vec::new();
    let mut coins = ledger.spendable(&own);
    let (available, needed) = loop {
        let available = sum(chosen.iter().map(|(_, coin)| coin.output.value));
        let available = available.ok_or(ChainError::Broken("more money than there is"))?;
        let inputs = u64::try_from(chosen.len()).unwrap_or(u64::MAX);
        let vsize = BASE_VSIZE
            .saturating_add(OUTPUT_VSIZE.saturating_mul(2))
            .saturating_add(INPUT_VSIZE.saturating_mul(inputs));
        let fee = Amount::from_sat(vsize.saturating_mul(FEE_RATE));
        let needed = amount.checked_add(fee).unwrap_or(Amount::MAX);
        if available >= needed && !chosen.is_empty() {
            break (available, needed);
        }
        match coins.pop() {
            Some(coin) => chosen.push(coin),
            None => return Err(ChainError::NoCoins { available, needed }),
        }
    };
    let mut output = vec![TxOut {
        value: amount,
        script_pubkey: to,
    }];
    let change = available.checked_sub(needed).unwrap_or(Amount::ZERO);
    if change.to_sat() >= DUST {
        output.push(TxOut {
            value: change,
            script_pubkey: own.clone(),
        });
    }
    let input = chosen.iter().map(|(outpoint, _)| TxIn {
        previous_output: *outpoint,
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        ..TxIn::default()
    });
    let mut transaction = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: input.collect(),
        output,
    };
    sign(&mut transaction, &chosen, &secp, &key)?;
    Ok(transaction)
}

fn sign(
    transaction: &mut Transaction,
    spent: &[(OutPoint, Coin)],
    secp: &Secp256k1<All>,
    key: &SecretKey,
) -> Result<(), ChainError> {
    let public = key.public_key(secp);
    let mut cache = SighashCache::new(&mut *transaction);
    for (input, (_, coin)) in spent.iter().enumerate() {
        let output = &coin.output;
        let sighash_type = EcdsaSighashType::All;
        let sighash =
            cache.p2wpkh_signature_hash(input, &output.script_pubkey, output.value, sighash_type);
        let sighash = sighash.map_err(|_| ChainError::Broken("the miner's coin is not its own"))?;
        let signature = Signature {
            signature: secp.sign_ecdsa(&Message::from(sighash), key),
            sighash_type,
        };
        if let Some(witness) = cache.witness_mut(input) {
            *witness = Witness::p2wpkh(&signature, &public);
        }
    }
    Ok(())
}

fn key() -> Result<(Secp256k1<All>, SecretKey), ChainError> {
    let key = SecretKey::from_slice(&KEY);
    let key = key.map_err(|_| ChainError::Broken("the miner's key is none"))?;
    Ok((Secp256k1::new(), key))
}

fn script_of(secp: &Secp256k1<All>, key: &SecretKey) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&CompressedPublicKey(key.public_key(secp)).wpubkey_hash())
}
