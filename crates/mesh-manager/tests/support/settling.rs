use super::*;
use bitcoin::{
    Address, Amount, ScriptBuf, Sequence, Transaction, TxIn, TxOut, WPubkeyHash, Witness,
    absolute::LockTime, consensus::serialize, transaction::Version,
};
use mesh_payment::Quote;

/// What a node of these tests is paid to.
pub(crate) fn our_script() -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([4; 20]))
}

/// Which payments on the chain count at a node that is paid to that script.
pub(crate) fn taking() -> OnChainConfig {
    let address = Address::from_script(&our_script(), bitcoin::Network::Regtest).unwrap();
    OnChainConfig {
        addresses: vec![address.to_string()],
        ctv_on: vec![Network::Regtest],
        ..OnChainConfig::default()
    }
}

pub(crate) fn output(sats: u64, script_pubkey: ScriptBuf) -> TxOut {
    TxOut {
        value: Amount::from_sat(sats),
        script_pubkey,
    }
}

pub(crate) fn transaction(seed: u8, output: Vec<TxOut>) -> Transaction {
    let previous_output = bitcoin::OutPoint {
        txid: bitcoin::Txid::from_byte_array([seed; 32]),
        vout: 0,
    };
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output,
    }
}

pub(crate) fn hash_of(transaction: &Transaction) -> TxHash {
    TxHash::from_bytes(transaction.compute_txid().to_byte_array())
}

/// A transaction that pays `quote`, and its proof.
pub(crate) fn settle(quote: &Quote, seed: u8) -> (TxHash, Transaction, PaymentProof) {
    let sats = quote.amount.to_sats_floor();
    let outputs = vec![
        output(sats, our_script()),
        output(0, quote.named_on_chain()),
    ];
    let transaction = transaction(seed, outputs);
    let tx_hash = hash_of(&transaction);
    let proof = PaymentProof::OnChainSettlement {
        payment_request_id: quote.to_text(),
        tx_hash: *tx_hash.as_bytes(),
        amount_sats: sats,
        timestamp: quote.expires_at.to_secs(),
    };
    (tx_hash, transaction, proof)
}

impl BlockChain {
    /// Puts a transaction so deep into the chain; 0 is the mempool.
    pub(crate) fn mine(&self, tx_hash: TxHash, transaction: &Transaction, depth: u32) {
        let bytes = serialize(transaction);
        let found = ChainTransaction { bytes, depth };
        self.transactions.lock().unwrap().insert(tx_hash, found);
    }

    pub(crate) fn undo(&self, tx_hash: TxHash) {
        self.transactions.lock().unwrap().remove(&tx_hash);
    }
}
