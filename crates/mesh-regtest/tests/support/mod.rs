//! A key and what it can sign.

use bitcoin::{
    Amount, CompressedPublicKey, EcdsaSighashType, OutPoint, ScriptBuf, Sequence, Transaction,
    TxIn, TxOut, Witness,
    absolute::LockTime,
    ecdsa::Signature,
    secp256k1::{All, Message, Secp256k1, SecretKey},
    sighash::SighashCache,
    transaction::Version,
};

pub(crate) struct Key {
    secp: Secp256k1<All>,
    secret: SecretKey,
}

impl Key {
    pub(crate) fn new(number: u8) -> Self {
        Self {
            secp: Secp256k1::new(),
            secret: SecretKey::from_slice(&[number; 32]).unwrap(),
        }
    }

    pub(crate) fn script(&self) -> ScriptBuf {
        let public = CompressedPublicKey(self.secret.public_key(&self.secp));
        ScriptBuf::new_p2wpkh(&public.wpubkey_hash())
    }

    /// Signs the inputs of a transaction, each of which spends an amount of this key's.
    pub(crate) fn sign(&self, mut transaction: Transaction, amounts: &[Amount]) -> Transaction {
        let public = self.secret.public_key(&self.secp);
        let mut cache = SighashCache::new(&mut transaction);
        for (input, amount) in amounts.iter().enumerate() {
            let sighash_type = EcdsaSighashType::All;
            let sighash = cache
                .p2wpkh_signature_hash(input, &self.script(), *amount, sighash_type)
                .unwrap();
            let signature = self.secp.sign_ecdsa(&Message::from(sighash), &self.secret);
            let signature = Signature {
                signature,
                sighash_type,
            };
            *cache.witness_mut(input).unwrap() = Witness::p2wpkh(&signature, &public);
        }
        transaction
    }
}

/// A transaction that spends outputs to one script, unsigned.
pub(crate) fn spend(outpoints: &[OutPoint], to: ScriptBuf, amount: Amount) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: outpoints
            .iter()
            .map(|outpoint| TxIn {
                previous_output: *outpoint,
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                ..TxIn::default()
            })
            .collect(),
        output: vec![TxOut {
            value: amount,
            script_pubkey: to,
        }],
    }
}

pub(crate) const fn sats(sats: u64) -> Amount {
    Amount::from_sat(sats)
}
