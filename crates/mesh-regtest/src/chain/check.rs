//! The rules of consensus for one transaction.

use super::{Coin, MATURITY, Rejection};
use bitcoin::{
    Amount, Transaction, TxOut, Weight, Witness,
    consensus::{serialize, validation::verify_script},
    key::{TapTweak as _, XOnlyPublicKey},
    secp256k1::{Message, Secp256k1, VerifyOnly},
    sighash::{Annex, Prevouts, SighashCache},
    taproot::{Signature, TAPROOT_ANNEX_PREFIX},
};
use std::collections::HashSet;

/// Where a lock time stops to be a height and begins to be a time.
const LOCK_TIME_THRESHOLD: u32 = 500_000_000;

/// The parts of a sequence number that lock an input.
mod sequence {
    pub(super) const DISABLED: u32 = 1 << 31;
    pub(super) const IS_TIME: u32 = 1 << 22;
    pub(super) const MASK: u32 = 0xffff;
    /// Locks by time count in units of 512 seconds.
    pub(super) const TIME_SHIFT: u32 = 9;
}

/// The block that a transaction is to be in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) height: u32,
    /// The median time of the eleven blocks before it.
    pub(super) median_time: u32,
}

/// Checks what can be seen from the transaction alone.
pub(super) fn alone(tx: &Transaction) -> Result<(), Rejection> {
    if tx.input.is_empty() {
        return Err(Rejection::NoInputs);
    }
    if tx.output.is_empty() {
        return Err(Rejection::NoOutputs);
    }
    if tx.weight() > Weight::MAX_BLOCK {
        return Err(Rejection::Oversize);
    }
    let total = sum(tx.output.iter().map(|output| output.value));
    if total.is_none_or(|total| total > Amount::MAX_MONEY) {
        return Err(Rejection::TooLarge);
    }
    let distinct: HashSet<_> = tx.input.iter().map(|input| input.previous_output).collect();
    if distinct.len() != tx.input.len() {
        return Err(Rejection::DuplicateInputs);
    }
    if tx.is_coinbase() {
        return Err(Rejection::Coinbase);
    }
    if tx.input.iter().any(|input| input.previous_output.is_null()) {
        return Err(Rejection::NullInput);
    }
    Ok(())
}

/// Checks the lock time of BIP 113.
pub(super) fn lock_time(tx: &Transaction, place: Place) -> Result<(), Rejection> {
    let lock = tx.lock_time.to_consensus_u32();
    let reached = if lock < LOCK_TIME_THRESHOLD {
        place.height
    } else {
        place.median_time
    };
    let is_off = tx.input.iter().all(|input| input.sequence.is_final());
    if lock < reached || lock == 0 || is_off {
        Ok(())
    } else {
        Err(Rejection::NonFinal)
    }
}

/// Checks the relative lock times of BIP 68.
///
/// - `median_time`: the median time at a height.
pub(super) fn sequences(
    tx: &Transaction,
    spent: &[Coin],
    place: Place,
    median_time: impl Fn(u32) -> u32,
) -> Result<(), Rejection> {
    if tx.version.0.cast_unsigned() < 2 {
        return Ok(());
    }
    for (input, coin) in tx.input.iter().zip(spent) {
        let lock = input.sequence.to_consensus_u32();
        let units = lock & sequence::MASK;
        let open = if lock & sequence::DISABLED != 0 {
            true
        } else if lock & sequence::IS_TIME != 0 {
            let born = median_time(coin.height.saturating_sub(1));
            born.saturating_add(units << sequence::TIME_SHIFT) <= place.median_time
        } else {
            coin.height.saturating_add(units) <= place.height
        };
        if !open {
            return Err(Rejection::SequenceLocked);
        }
    }
    Ok(())
}

/// Checks that nothing is spent too early and nothing comes from nowhere, and gives the fee.
pub(super) fn amounts(tx: &Transaction, spent: &[Coin], place: Place) -> Result<Amount, Rejection> {
    for coin in spent.iter().filter(|coin| coin.is_coinbase) {
        let depth = place.height.saturating_sub(coin.height);
        if depth < MATURITY {
            return Err(Rejection::Immature { depth });
        }
    }
    let input = sum(spent.iter().map(|coin| coin.output.value)).ok_or(Rejection::TooLarge)?;
    let output = sum(tx.output.iter().map(|output| output.value)).ok_or(Rejection::TooLarge)?;
    let fee = input.checked_sub(output);
    fee.ok_or(Rejection::CreatesValue { input, output })
}

/// Checks every script: what is older than taproot with Bitcoin Core's own code.
pub(super) fn scripts(tx: &Transaction, spent: &[Coin]) -> Result<(), Rejection> {
    let bytes = serialize(tx);
    let outputs: Vec<_> = spent.iter().map(|coin| coin.output.clone()).collect();
    for (input, output) in outputs.iter().enumerate() {
        let script = &output.script_pubkey;
        let is_good = if script.is_p2tr() {
            taproot(tx, input, &outputs).is_some()
        } else {
            verify_script(script, input, output.value, &bytes).is_ok()
        };
        if !is_good {
            return Err(Rejection::Script { input });
        }
    }
    Ok(())
}

/// Checks a spend by the key of a taproot output. One by its scripts is not understood here, so it is never good.
fn taproot(tx: &Transaction, input: usize, outputs: &[TxOut]) -> Option<()> {
    let (program, witness) = (outputs.get(input)?, &tx.input.get(input)?.witness);
    let key = program.script_pubkey.as_bytes().get(2..)?;
    let key = XOnlyPublicKey::from_slice(key)
        .ok()?
        .dangerous_assume_tweaked();
    let annex = annex(witness);
    if witness.len() != 1 + usize::from(annex.is_some()) {
        return None;
    }
    let signature = Signature::from_slice(witness.nth(0)?).ok()?;
    let annex = annex.map(Annex::new).transpose().ok()?;
    let sighash = SighashCache::new(tx)
        .taproot_signature_hash(
            input,
            &Prevouts::All(outputs),
            annex,
            None,
            signature.sighash_type,
        )
        .ok()?;
    let verifier: Secp256k1<VerifyOnly> = Secp256k1::verification_only();
    let message = Message::from(sighash);
    let public = key.to_x_only_public_key();
    verifier
        .verify_schnorr(&signature.signature, &message, &public)
        .ok()
}

fn annex(witness: &Witness) -> Option<&[u8]> {
    let last = witness.last().filter(|_| witness.len() > 1)?;
    (last.first() == Some(&TAPROOT_ANNEX_PREFIX)).then_some(last)
}

pub(super) fn sum(mut amounts: impl Iterator<Item = Amount>) -> Option<Amount> {
    amounts.try_fold(Amount::ZERO, Amount::checked_add)
}
