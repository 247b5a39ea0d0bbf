//! Builds blocks that every node of regtest takes.

use super::ChainError;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, Script, ScriptBuf, Sequence, Transaction,
    TxIn, TxMerkleNode, TxOut, Witness,
    absolute::LockTime,
    block::{Header, Version},
    hashes::Hash as _,
    script::Builder,
    transaction,
};

/// Blocks after which new coins are half as many on regtest.
const HALVING: u32 = 150;

/// New coins of a block before the first halving.
const FIRST_SUBSIDY: Amount = Amount::from_int_btc(50);

/// The easiest target, which half of all hashes meet.
const BITS: u32 = 0x207f_ffff;

/// What the coinbase's output with the commitment to witnesses begins with.
const COMMITMENT: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];

/// What a block is made of.
#[derive(Debug)]
pub(super) struct Template<'a> {
    pub(super) previous: BlockHash,
    pub(super) height: u32,
    pub(super) time: u32,
    /// What tells two blocks apart that are alike otherwise, as after a block was undone.
    pub(super) extra: u64,
    pub(super) script: &'a Script,
    pub(super) transactions: Vec<Transaction>,
    pub(super) fees: Amount,
}

/// Builds a block and proves its work.
pub(super) fn build(template: Template<'_>) -> Result<Block, ChainError> {
    let broken = ChainError::Broken;
    let header = Header {
        version: Version::NO_SOFT_FORK_SIGNALLING,
        prev_blockhash: template.previous,
        merkle_root: TxMerkleNode::all_zeros(),
        time: template.time,
        bits: CompactTarget::from_consensus(BITS),
        nonce: 0,
    };
    let reward = subsidy(template.height)
        .checked_add(template.fees)
        .ok_or(broken("the fees are too high"))?;
    let coinbase = coinbase(template.height, template.extra, reward, template.script);
    let mut txdata = vec![coinbase];
    txdata.extend(template.transactions);
    let mut block = Block { header, txdata };
    commit(&mut block)?;
    let root = block.compute_merkle_root();
    block.header.merkle_root = root.ok_or(broken("a block without transactions"))?;
    let target = block.header.target();
    while block.header.validate_pow(target).is_err() {
        let nonce = block.header.nonce.checked_add(1);
        block.header.nonce = nonce.ok_or(broken("no nonce proves the work"))?;
    }
    Ok(block)
}

/// New coins of a block at a height.
pub(super) fn subsidy(height: u32) -> Amount {
    let sats = FIRST_SUBSIDY.to_sat().checked_shr(height / HALVING);
    Amount::from_sat(sats.unwrap_or(0))
}

fn coinbase(height: u32, extra: u64, reward: Amount, script: &Script) -> Transaction {
    let tag = Builder::new()
        .push_int(i64::from(height))
        .push_slice(extra.to_le_bytes())
        .into_script();
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: tag,
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[[0_u8; 32]]),
        }],
        output: vec![TxOut {
            value: reward,
            script_pubkey: script.to_owned(),
        }],
    }
}

/// Lets the coinbase commit to the witnesses of all other transactions.
fn commit(block: &mut Block) -> Result<(), ChainError> {
    let broken = ChainError::Broken("a block without a coinbase");
    let root = block.witness_root().ok_or(broken.clone())?;
    let commitment = Block::compute_witness_commitment(&root, &[0; 32]);
    let mut script = COMMITMENT.to_vec();
    script.extend(commitment.to_byte_array());
    let coinbase = block.txdata.first_mut().ok_or(broken)?;
    coinbase.output.push(TxOut {
        value: Amount::ZERO,
        script_pubkey: ScriptBuf::from_bytes(script),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(height: u32, extra: u64) -> Template<'static> {
        Template {
            previous: BlockHash::all_zeros(),
            height,
            time: 1_700_000_000,
            extra,
            script: Script::new(),
            transactions: Vec::new(),
            fees: Amount::from_sat(7),
        }
    }

    #[test]
    fn a_block_keeps_the_rules_that_others_check() {
        for height in [1, 16, 17, 128, 40_000] {
            let block = build(template(height, 0)).unwrap();
            assert!(block.check_merkle_root());
            assert!(block.check_witness_commitment());
            block.header.validate_pow(block.header.target()).unwrap();
        }
    }

    #[test]
    fn a_coinbase_begins_with_its_height() {
        let begins = |height: u32| {
            let block = build(template(height, 0)).unwrap();
            let script = block.txdata[0].input[0].script_sig.to_bytes();
            script.into_iter().take(3).collect::<Vec<_>>()
        };
        assert_eq!(begins(1)[..1], [0x51]);
        assert_eq!(begins(16)[..1], [0x60]);
        assert_eq!(begins(17)[..2], [1, 17]);
        assert_eq!(begins(128), [2, 128, 0]);
    }

    #[test]
    fn new_coins_halve_and_fees_are_added() {
        assert_eq!(subsidy(149), Amount::from_int_btc(50));
        assert_eq!(subsidy(150), Amount::from_int_btc(25));
        assert_eq!(subsidy(u32::MAX), Amount::ZERO);
        let block = build(template(300, 0)).unwrap();
        let reward = block.txdata[0].output[0].value;
        assert_eq!(reward, Amount::from_sat(1_250_000_007));
    }

    #[test]
    fn two_blocks_at_one_height_differ() {
        let [one, other] = [0, 1].map(|extra| build(template(7, extra)).unwrap().block_hash());
        assert_ne!(one, other);
    }
}
