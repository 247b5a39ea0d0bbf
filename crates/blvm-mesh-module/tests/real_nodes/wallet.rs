use blvm_mesh::bitcoin::{
    Address, Amount, Block, CompactTarget, Network, OutPoint, ScriptBuf, Sequence, Transaction,
    TxIn, TxMerkleNode, TxOut, Txid, Witness,
    absolute::LockTime,
    block::{self, Header},
    consensus::encode::serialize_hex,
    hashes::Hash as _,
    opcodes::all::OP_PUSHNUM_1,
    script::{Builder, PushBytes},
    transaction::Version,
};
use blvm_mesh_module::regtest::{RealNode, RegtestError};
use serde_json::{Value, json};

/// What a transaction of these tests leaves to the miner.
const FEE: Amount = Amount::from_sat(10_000);

/// Coins that need no signature: the script is `OP_1`, behind a witness program.
pub(crate) struct Wallet {
    coin: OutPoint,
    value: Amount,
}

fn script() -> ScriptBuf {
    Builder::new().push_opcode(OP_PUSHNUM_1).into_script()
}

/// Where the coins are.
pub(crate) fn address() -> Address {
    Address::p2wsh(&script(), Network::Regtest)
}

impl Wallet {
    /// Mines the blocks until the first of them can be spent.
    pub(crate) async fn mined_on(node: &RealNode) -> Self {
        let address = address().to_string();
        node.rpc.mine(101, &address).await.unwrap();
        let hash = node.rpc.call("getblockhash", json!([1])).await.unwrap();
        let block = node.rpc.call("getblock", json!([hash, 1])).await.unwrap();
        let txid: Txid = block["tx"][0].as_str().unwrap().parse().unwrap();
        Self {
            coin: OutPoint { txid, vout: 0 },
            value: Amount::from_int_btc(50),
        }
    }

    /// Spends the coin to `outputs`, and keeps what is left.
    pub(crate) fn pay(&mut self, outputs: &[TxOut]) -> Transaction {
        let paid: Amount = outputs.iter().map(|output| output.value).sum();
        let change = TxOut {
            value: self.value - paid - FEE,
            script_pubkey: address().script_pubkey(),
        };
        let transaction = spending(self.coin, outputs.iter().cloned().chain([change.clone()]));
        self.value = change.value;
        self.coin = OutPoint {
            txid: transaction.compute_txid(),
            vout: u32::try_from(outputs.len()).unwrap(),
        };
        transaction
    }
}

/// A transaction that spends a coin of the wallet's script.
fn spending(coin: OutPoint, outputs: impl Iterator<Item = TxOut>) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: coin,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[script().to_bytes()]),
        }],
        output: outputs.collect(),
    }
}

/// Hands a transaction to a node.
pub(crate) async fn broadcast(
    node: &RealNode,
    transaction: &Transaction,
) -> Result<Value, RegtestError> {
    let hex = serialize_hex(transaction);
    node.rpc.call("sendrawtransaction", json!([hex])).await
}

/// Mines a block with a transaction in it, whatever the node thinks of that.
pub(crate) async fn mine_with(node: &RealNode, transaction: &Transaction) {
    let height = i64::try_from(node.rpc.height().await.unwrap()).unwrap() + 1;
    let tip = node.rpc.call("getbestblockhash", json!([])).await.unwrap();
    let parent = node.rpc.call("getblock", json!([tip, 1])).await.unwrap();
    let reserved = [0; 32];
    let mut coinbase = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: Builder::new().push_int(height).push_int(7).into_script(),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[reserved]),
        }],
        output: vec![TxOut {
            value: Amount::from_int_btc(50),
            script_pubkey: address().script_pubkey(),
        }],
    };
    let header = Header {
        version: block::Version::from_consensus(4),
        prev_blockhash: tip.as_str().unwrap().parse().unwrap(),
        merkle_root: TxMerkleNode::all_zeros(),
        time: u32::try_from(parent["time"].as_u64().unwrap()).unwrap() + 1,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: 0,
    };
    let mut block = Block {
        header,
        txdata: vec![coinbase.clone(), transaction.clone()],
    };
    let root = block.witness_root().unwrap();
    let commitment = Block::compute_witness_commitment(&root, &reserved);
    let mut marked = vec![0xaa, 0x21, 0xa9, 0xed];
    marked.extend(commitment.to_byte_array());
    let marked: &PushBytes = marked.as_slice().try_into().unwrap();
    coinbase.output.push(TxOut {
        value: Amount::ZERO,
        script_pubkey: ScriptBuf::new_op_return(marked),
    });
    block.txdata[0] = coinbase;
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    while block.header.validate_pow(block.header.target()).is_err() {
        block.header.nonce += 1;
    }
    let hex = serialize_hex(&block);
    node.rpc.call("submitblock", json!([hex])).await.unwrap();
}
