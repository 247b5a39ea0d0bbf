//! What the chain takes, and what it refuses.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, TapSighashType, TxOut, Witness,
    absolute::LockTime,
    key::{Keypair, TapTweak as _, UntweakedPublicKey},
    opcodes::all::{OP_CLTV, OP_DROP, OP_PUSHNUM_1},
    script::Builder,
    secp256k1::{Message, Secp256k1},
    sighash::{Prevouts, SighashCache},
    taproot::Signature,
};
use mesh_regtest::{Chain, ChainError, FIRST_BLOCKS, MATURITY, Rejection};
use support::{Key, sats, spend};

const FUNDS: Amount = sats(1_000_000);
const FEE: u64 = 1_000;
const LESS: Amount = sats(1_000_000 - FEE);

/// A chain, and an output of the key with [`FUNDS`] in its newest block.
fn funded(key: &Key) -> (Chain, OutPoint) {
    let chain = Chain::new().unwrap();
    let outpoint = chain.fund(key.script(), FUNDS).unwrap();
    chain.mine(1).unwrap();
    (chain, outpoint)
}

fn anyone() -> ScriptBuf {
    Builder::new().push_opcode(OP_PUSHNUM_1).into_script()
}

#[test]
fn every_block_keeps_the_rules_that_others_check() {
    let (chain, _) = funded(&Key::new(1));
    assert_eq!(chain.height(), FIRST_BLOCKS + 1);
    for height in 1..=chain.height() {
        let block = chain.block(&chain.block_hash(height).unwrap()).unwrap();
        let before = chain.block_hash(height - 1).unwrap();
        assert_eq!(block.header.prev_blockhash, before);
        block.header.validate_pow(block.header.target()).unwrap();
        assert!(block.check_merkle_root() && block.check_witness_commitment());
        // The library reads heights from 17 on only.
        if height > 16 {
            assert_eq!(block.bip34_block_height(), Ok(u64::from(height)));
        }
    }
}

#[test]
fn what_the_right_key_signs_is_spent_and_mined() {
    let (key, other) = (Key::new(1), Key::new(2));
    let (chain, outpoint) = funded(&key);
    let transaction = key.sign(spend(&[outpoint], other.script(), LESS), &[FUNDS]);
    let txid = chain.submit(transaction.clone()).unwrap();
    assert_eq!(chain.mempool(), [txid]);
    assert_eq!(chain.coin(&outpoint), None);
    assert_eq!(chain.transaction(&txid).unwrap().block, None);
    let mined = chain.mine(1).unwrap();
    let found = chain.transaction(&txid).unwrap();
    assert_eq!(found.block, Some((mined[0], chain.height())));
    assert_eq!(found.transaction, transaction);
    assert!(chain.mempool().is_empty());
    let coin = chain.coin(&OutPoint { txid, vout: 0 }).unwrap();
    assert_eq!((coin.output.value, coin.height), (LESS, chain.height()));
    // The fee is the miner's.
    let coinbase = &chain.block(&mined[0]).unwrap().txdata[0];
    assert_eq!(coinbase.output[0].value, sats(5_000_000_000 + FEE));
}

#[test]
fn a_bad_signature_is_refused() {
    let (key, other) = (Key::new(1), Key::new(2));
    let (chain, outpoint) = funded(&key);
    let unsigned = spend(&[outpoint], key.script(), LESS);
    let forged = other.sign(unsigned.clone(), &[FUNDS]);
    let wrong_amount = key.sign(unsigned.clone(), &[LESS]);
    let mut changed = key.sign(unsigned.clone(), &[FUNDS]);
    changed.output[0].script_pubkey = other.script();
    for bad in [unsigned, forged, wrong_amount, changed] {
        assert_eq!(chain.submit(bad), Err(Rejection::Script { input: 0 }));
    }
    assert!(chain.mempool().is_empty());
}

#[test]
fn what_is_spent_in_the_chain_is_not_spent_again() {
    let key = Key::new(1);
    let (chain, outpoint) = funded(&key);
    let first = key.sign(spend(&[outpoint], key.script(), LESS), &[FUNDS]);
    chain.submit(first.clone()).unwrap();
    chain.mine(1).unwrap();
    let second = key.sign(spend(&[outpoint], anyone(), LESS), &[FUNDS]);
    assert_eq!(chain.submit(second), Err(Rejection::MissingOrSpent));
    assert_eq!(chain.submit(first), Err(Rejection::AlreadyInChain));
}

#[test]
fn what_was_never_there_is_not_spent() {
    let key = Key::new(1);
    let (chain, mut outpoint) = funded(&key);
    outpoint.vout = 7;
    let transaction = key.sign(spend(&[outpoint], key.script(), LESS), &[FUNDS]);
    assert_eq!(chain.submit(transaction), Err(Rejection::MissingOrSpent));
}

#[test]
fn the_mempool_replaces_only_what_pays_less() {
    let key = Key::new(1);
    let (chain, outpoint) = funded(&key);
    let paying = |fee: u64| {
        let amount = FUNDS - sats(fee);
        key.sign(spend(&[outpoint], key.script(), amount), &[FUNDS])
    };
    let first = chain.submit(paying(1_000)).unwrap();
    let amount = FUNDS - sats(1_000);
    let after = OutPoint {
        txid: first,
        vout: 0,
    };
    let child = key.sign(spend(&[after], anyone(), amount - sats(1_000)), &[amount]);
    chain.submit(child).unwrap();
    // It has to pay for the child that it drives out, and for its own relay.
    for fee in [900, 1_001, 2_001] {
        let refused = chain.submit(paying(fee));
        assert_eq!(refused, Err(Rejection::ReplacementTooCheap));
    }
    let better = chain.submit(paying(2_500)).unwrap();
    assert_eq!(chain.mempool(), [better]);
    assert_eq!(chain.submit(paying(2_500)), Ok(better), "again is fine");
}

#[test]
fn a_replacement_does_not_spend_what_it_drives_out() {
    let key = Key::new(1);
    let (chain, outpoint) = funded(&key);
    let first = key.sign(spend(&[outpoint], key.script(), LESS), &[FUNDS]);
    let txid = chain.submit(first).unwrap();
    let outpoints = [outpoint, OutPoint { txid, vout: 0 }];
    let absurd = spend(&outpoints, key.script(), LESS);
    let absurd = key.sign(absurd, &[FUNDS, LESS]);
    assert_eq!(chain.submit(absurd), Err(Rejection::MissingOrSpent));
}

#[test]
fn new_coins_are_spent_after_a_hundred_blocks() {
    let key = Key::new(1);
    let chain = Chain::new().unwrap();
    let mined = chain.mine_to(1, &key.script()).unwrap();
    let txid = chain.block(&mined[0]).unwrap().txdata[0].compute_txid();
    let outpoint = OutPoint { txid, vout: 0 };
    let amount = Amount::from_int_btc(50);
    let early = key.sign(spend(&[outpoint], key.script(), LESS), &[amount]);
    for depth in [1, MATURITY - 1] {
        chain.mine(depth - (chain.height() - FIRST_BLOCKS)).unwrap();
        let refused = chain.submit(early.clone());
        assert_eq!(refused, Err(Rejection::Immature { depth }));
    }
    chain.mine(1).unwrap();
    chain.submit(early).unwrap();
}

#[test]
fn money_does_not_come_from_nowhere() {
    let key = Key::new(1);
    let (chain, outpoint) = funded(&key);
    let more = FUNDS + sats(1);
    let transaction = key.sign(spend(&[outpoint], key.script(), more), &[FUNDS]);
    let refused = Rejection::CreatesValue {
        input: FUNDS,
        output: more,
    };
    assert_eq!(chain.submit(transaction), Err(refused));
    let mut overflowing = spend(&[outpoint], key.script(), Amount::MAX);
    overflowing.output.push(overflowing.output[0].clone());
    assert_eq!(chain.submit(overflowing), Err(Rejection::TooLarge));
}

#[test]
fn shapes_that_no_transaction_has_are_refused() {
    let key = Key::new(1);
    let (chain, outpoint) = funded(&key);
    let twice = spend(&[outpoint, outpoint], key.script(), LESS);
    assert_eq!(chain.submit(twice), Err(Rejection::DuplicateInputs));
    let none = spend(&[], key.script(), LESS);
    assert_eq!(chain.submit(none), Err(Rejection::NoInputs));
    let mut silent = spend(&[outpoint], key.script(), LESS);
    silent.output.clear();
    assert_eq!(chain.submit(silent), Err(Rejection::NoOutputs));
    let coinbase = spend(&[OutPoint::null()], key.script(), LESS);
    assert_eq!(chain.submit(coinbase), Err(Rejection::Coinbase));
    let null = spend(&[outpoint, OutPoint::null()], key.script(), LESS);
    assert_eq!(chain.submit(null), Err(Rejection::NullInput));
}

#[test]
fn a_satoshi_a_virtual_byte_is_the_least() {
    let key = Key::new(1);
    let (chain, outpoint) = funded(&key);
    let cheap = key.sign(
        spend(&[outpoint], key.script(), FUNDS - sats(109)),
        &[FUNDS],
    );
    assert_eq!(cheap.vsize(), 110);
    let refused = Rejection::FeeTooLow {
        fee: sats(109),
        needed: sats(110),
    };
    assert_eq!(chain.submit(cheap), Err(refused));
    let enough = spend(&[outpoint], key.script(), FUNDS - sats(110));
    chain.submit(key.sign(enough, &[FUNDS])).unwrap();
}

#[test]
fn a_lock_time_is_waited_for() {
    let key = Key::new(1);
    let (chain, outpoint) = funded(&key);
    let locked = |lock_time: LockTime| {
        let mut transaction = spend(&[outpoint], key.script(), LESS);
        transaction.lock_time = lock_time;
        key.sign(transaction, &[FUNDS])
    };
    let height = chain.height();
    let late = locked(LockTime::from_height(height + 1).unwrap());
    assert_eq!(chain.submit(late.clone()), Err(Rejection::NonFinal));
    let far = locked(LockTime::from_time(4_000_000_000).unwrap());
    assert_eq!(chain.submit(far), Err(Rejection::NonFinal));
    chain.mine(1).unwrap();
    chain.submit(late).unwrap();
}

#[test]
fn an_age_that_a_sequence_asks_for_is_waited_for() {
    let key = Key::new(1);
    let (chain, outpoint) = funded(&key);
    let aged = |sequence: Sequence| {
        let mut transaction = spend(&[outpoint], key.script(), LESS);
        transaction.input[0].sequence = sequence;
        key.sign(transaction, &[FUNDS])
    };
    let three = aged(Sequence::from_height(3));
    chain.mine(1).unwrap();
    assert_eq!(chain.submit(three.clone()), Err(Rejection::SequenceLocked));
    let hours = aged(Sequence::from_512_second_intervals(64));
    assert_eq!(chain.submit(hours), Err(Rejection::SequenceLocked));
    chain.mine(1).unwrap();
    chain.submit(three).unwrap();
}

#[test]
fn a_lock_in_a_script_is_checked() {
    let key = Key::new(1);
    let chain = Chain::new().unwrap();
    let height = chain.height() + 1;
    let script = Builder::new()
        .push_int(i64::from(height))
        .push_opcode(OP_CLTV)
        .push_opcode(OP_DROP)
        .push_opcode(OP_PUSHNUM_1)
        .into_script();
    let outpoint = chain.fund(script.to_p2wsh(), FUNDS).unwrap();
    chain.mine(1).unwrap();
    let spending = |lock: u32| {
        let mut transaction = spend(&[outpoint], key.script(), LESS);
        transaction.lock_time = LockTime::from_height(lock).unwrap();
        transaction.input[0].witness = Witness::from_slice(&[script.as_bytes()]);
        transaction
    };
    let early = chain.submit(spending(height - 1));
    assert_eq!(early, Err(Rejection::Script { input: 0 }));
    chain.submit(spending(height)).unwrap();
}

#[test]
fn a_taproot_output_is_spent_by_its_key_alone() {
    let secp = Secp256k1::new();
    let keys = Keypair::from_seckey_slice(&secp, &[9; 32]).unwrap();
    let internal = UntweakedPublicKey::from_keypair(&keys).0;
    let script = ScriptBuf::new_p2tr(&secp, internal, None);
    let chain = Chain::new().unwrap();
    let outpoint = chain.fund(script.clone(), FUNDS).unwrap();
    let signed = |keys: &Keypair| {
        let mut transaction = spend(&[outpoint], anyone(), LESS);
        let spent = [TxOut {
            value: FUNDS,
            script_pubkey: script.clone(),
        }];
        let sighash = SighashCache::new(&transaction)
            .taproot_key_spend_signature_hash(0, &Prevouts::All(&spent), TapSighashType::Default)
            .unwrap();
        let signature = Signature {
            signature: secp.sign_schnorr_no_aux_rand(&Message::from(sighash), keys),
            sighash_type: TapSighashType::Default,
        };
        transaction.input[0].witness = Witness::p2tr_key_spend(&signature);
        transaction
    };
    let untweaked = signed(&keys);
    let refused = Err(Rejection::Script { input: 0 });
    assert_eq!(chain.submit(untweaked), refused);
    let by_script = {
        let mut transaction = spend(&[outpoint], anyone(), LESS);
        transaction.input[0].witness = Witness::from_slice(&[anyone().into_bytes(), vec![0; 33]]);
        transaction
    };
    assert_eq!(chain.submit(by_script), refused);
    chain
        .submit(signed(&keys.tap_tweak(&secp, None).to_keypair()))
        .unwrap();
}

#[test]
fn the_miner_pays_from_change_that_is_not_mined_yet() {
    let key = Key::new(1);
    let chain = Chain::new().unwrap();
    for _ in 0..3 {
        chain.fund(key.script(), FUNDS).unwrap();
    }
    assert_eq!(chain.mempool().len(), 3);
    chain.mine(1).unwrap();
    assert!(chain.mempool().is_empty());
    let too_much = chain.fund(key.script(), Amount::from_int_btc(1_000));
    assert!(
        matches!(too_much, Err(ChainError::NoCoins { .. })),
        "{too_much:?}"
    );
}

#[test]
fn a_block_undone_gives_back_what_it_spent() {
    let key = Key::new(1);
    let (chain, outpoint) = funded(&key);
    let transaction = key.sign(spend(&[outpoint], anyone(), LESS), &[FUNDS]);
    let txid = chain.submit(transaction).unwrap();
    let undone = chain.mine(2).unwrap();
    chain.invalidate(&undone[0]).unwrap();
    assert_eq!(chain.height(), FIRST_BLOCKS + 1);
    assert_eq!(chain.mempool(), [txid], "it waits again");
    assert_eq!(chain.coin(&outpoint), None, "the mempool spends it");
    let again = chain.mine(3).unwrap();
    assert!(!again.contains(&undone[0]), "another block");
    let found = chain.transaction(&txid).unwrap();
    assert_eq!(found.block, Some((again[0], FIRST_BLOCKS + 2)));
    assert!(
        chain.block(&undone[1]).is_some(),
        "it can still be asked for"
    );
}

#[test]
fn what_only_an_undone_block_made_valid_is_lost() {
    let key = Key::new(1);
    let chain = Chain::new().unwrap();
    let mined = chain.mine_to(1, &key.script()).unwrap();
    let txid = chain.block(&mined[0]).unwrap().txdata[0].compute_txid();
    chain.mine(MATURITY).unwrap();
    let outpoint = OutPoint { txid, vout: 0 };
    let amount = Amount::from_int_btc(50);
    let good = key.sign(spend(&[outpoint], anyone(), amount - sats(FEE)), &[amount]);
    chain.submit(good.clone()).unwrap();
    chain.invalidate(&mined[0]).unwrap();
    assert!(chain.mempool().is_empty());
    assert!(chain.transaction(&good.compute_txid()).is_none());
}

#[test]
fn the_first_block_and_strange_blocks_are_not_undone() {
    let chain = Chain::new().unwrap();
    let genesis = chain.block_hash(0).unwrap();
    chain.invalidate(&genesis).unwrap_err();
    let tip = chain.tip();
    chain.invalidate(&tip).unwrap();
    assert_eq!(chain.invalidate(&tip), Err(ChainError::NoBlock(tip)));
}
