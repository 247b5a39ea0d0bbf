use blvm_mesh::{
    OutPoint, TxHash,
    bitcoin::{
        self, Amount, ScriptBuf, Sequence, TxIn, TxOut, Txid, Witness, absolute::LockTime,
        block::Header, hashes::Hash as _, transaction::Version,
    },
};
use thiserror::Error;

/// The node's transaction holds a number that no transaction of the network can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the node holds a number that no block can")]
pub(crate) struct OutOfRange;

/// Takes a transaction from the node, which keeps witnesses elsewhere.
pub(crate) fn from_node(from: &blvm_node::Transaction) -> Result<bitcoin::Transaction, OutOfRange> {
    let input = from.inputs.iter().map(|input| {
        Ok(TxIn {
            previous_output: bitcoin::OutPoint {
                txid: Txid::from_byte_array(input.prevout.hash),
                vout: input.prevout.index,
            },
            script_sig: ScriptBuf::from_bytes(input.script_sig.clone()),
            sequence: Sequence(bits(input.sequence)?),
            witness: Witness::new(),
        })
    });
    let output = from.outputs.iter().map(|output| {
        Ok(TxOut {
            value: Amount::from_sat(u64::try_from(output.value).map_err(|_| OutOfRange)?),
            script_pubkey: ScriptBuf::from_bytes(output.script_pubkey.clone()),
        })
    });
    Ok(bitcoin::Transaction {
        version: Version(signed(bits(from.version)?)),
        lock_time: LockTime::from_consensus(bits(from.lock_time)?),
        input: input.collect::<Result<_, _>>()?,
        output: output.collect::<Result<_, _>>()?,
    })
}

/// A transaction as the node takes it: without witnesses, and the witnesses of its inputs.
pub(crate) fn to_node(from: &bitcoin::Transaction) -> (blvm_node::Transaction, Vec<Vec<Vec<u8>>>) {
    let inputs = from.input.iter().map(|input| blvm_node::TransactionInput {
        prevout: blvm_node::OutPoint {
            hash: input.previous_output.txid.to_byte_array(),
            index: input.previous_output.vout,
        },
        sequence: input.sequence.0.into(),
        script_sig: input.script_sig.to_bytes(),
    });
    let outputs = from
        .output
        .iter()
        .map(|output| blvm_node::TransactionOutput {
            value: i64::try_from(output.value.to_sat()).unwrap_or(i64::MAX),
            script_pubkey: output.script_pubkey.to_bytes(),
        });
    let version = u32::from_le_bytes(from.version.0.to_le_bytes());
    let transaction = blvm_node::Transaction {
        version: version.into(),
        inputs: inputs.collect(),
        outputs: outputs.collect(),
        lock_time: from.lock_time.to_consensus_u32().into(),
    };
    let witnesses = from.input.iter().map(|input| input.witness.to_vec());
    (transaction, witnesses.collect())
}

/// A block's hash, worked out from its header.
pub(crate) fn block_hash(header: &blvm_node::BlockHeader) -> Result<[u8; 32], OutOfRange> {
    let header = Header {
        version: bitcoin::block::Version::from_consensus(
            i32::try_from(header.version).map_err(|_| OutOfRange)?,
        ),
        prev_blockhash: bitcoin::BlockHash::from_byte_array(header.prev_block_hash),
        merkle_root: bitcoin::TxMerkleNode::from_byte_array(header.merkle_root),
        time: bits(header.timestamp)?,
        bits: bitcoin::CompactTarget::from_consensus(bits(header.bits)?),
        nonce: bits(header.nonce)?,
    };
    Ok(header.block_hash().to_byte_array())
}

pub(crate) fn tx_hash(transaction: &bitcoin::Transaction) -> TxHash {
    TxHash::from_bytes(transaction.compute_txid().to_byte_array())
}

pub(crate) fn spent(input: &TxIn) -> OutPoint {
    OutPoint {
        tx_hash: TxHash::from_bytes(input.previous_output.txid.to_byte_array()),
        index: input.previous_output.vout,
    }
}

fn bits(number: u64) -> Result<u32, OutOfRange> {
    u32::try_from(number).map_err(|_| OutOfRange)
}

const fn signed(bits: u32) -> i32 {
    i32::from_le_bytes(bits.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::consensus::{deserialize, serialize};

    /// A transaction with two inputs, one with a witness, a negative version and the largest numbers.
    fn odd() -> bitcoin::Transaction {
        let input = |seed, witness| TxIn {
            previous_output: bitcoin::OutPoint {
                txid: Txid::from_byte_array([seed; 32]),
                vout: u32::MAX,
            },
            script_sig: ScriptBuf::from_bytes(vec![seed; 3]),
            sequence: Sequence::MAX,
            witness,
        };
        bitcoin::Transaction {
            version: Version(-2),
            lock_time: LockTime::from_consensus(u32::MAX),
            input: vec![
                input(1, Witness::new()),
                input(2, Witness::from_slice(&[[7; 64]])),
            ],
            output: vec![TxOut {
                value: Amount::MAX_MONEY,
                script_pubkey: ScriptBuf::from_bytes(vec![0x51]),
            }],
        }
    }

    #[test]
    fn a_transaction_goes_to_the_node_and_comes_back_with_the_same_id() {
        let transaction = odd();
        let (given, witnesses) = to_node(&transaction);
        assert_eq!(witnesses, [vec![], vec![vec![7; 64]]]);
        let back = from_node(&given).unwrap();
        assert_eq!(back.compute_txid(), transaction.compute_txid());
        assert_eq!(
            deserialize::<bitcoin::Transaction>(&serialize(&back)).unwrap(),
            back
        );
    }

    #[test]
    fn numbers_that_no_transaction_holds_are_refused() {
        let (given, _) = to_node(&odd());
        let mut negative = given.clone();
        negative.outputs[0].value = -1;
        let mut long = given;
        long.version = 1 << 32;
        assert_eq!(from_node(&negative).unwrap_err(), OutOfRange);
        assert_eq!(from_node(&long).unwrap_err(), OutOfRange);
    }

    #[test]
    fn the_first_block_of_the_main_network_has_its_hash() {
        let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Bitcoin).header;
        let header = blvm_node::BlockHeader {
            version: 1,
            prev_block_hash: [0; 32],
            merkle_root: genesis.merkle_root.to_byte_array(),
            timestamp: genesis.time.into(),
            bits: genesis.bits.to_consensus().into(),
            nonce: genesis.nonce.into(),
        };
        assert_eq!(
            block_hash(&header),
            Ok(genesis.block_hash().to_byte_array())
        );
    }
}
