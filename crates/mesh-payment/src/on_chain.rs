use crate::{
    ProofField, Question, Quote, SettlementError, Verification, VerifiedPayment, Verifier,
    VerifyError, settlement, tagged::tagged,
};
use bitcoin::{
    ScriptBuf,
    hashes::{Hash as _, HashEngine as _, sha256},
};
use mesh_types::{ChainTransaction, Claim, ClaimKey, TxHash, UnixTime};
use std::num::NonZeroU32;

/// The fields of an on-chain settlement, as they were shown.
pub(crate) struct Shown<'a> {
    pub(crate) payment_request_id: &'a str,
    pub(crate) tx_hash: &'a [u8; 32],
    pub(crate) amount_sats: u64,
    pub(crate) timestamp: u64,
}

/// Judges an on-chain settlement by everything but the chain.
pub(crate) fn begin(
    verifier: &Verifier,
    shown: &Shown<'_>,
    now: UnixTime,
) -> Result<Verification, VerifyError> {
    let quote = Quote::from_text(shown.payment_request_id)?;
    settlement::check_quote(verifier, &quote, shown.timestamp, now)?;
    // The amount that the proof names has to be the one that is paid: what it lacks is lacking whatever the chain says.
    settlement::covering(shown.amount_sats, quote.amount)?;
    let policy = &verifier.settlement;
    let question = TransactionQuestion {
        tx_hash: TxHash::from_bytes(*shown.tx_hash),
        quote,
        claimed_sats: shown.amount_sats,
        scripts: policy.scripts.clone(),
        least_depth: policy.least_depth,
    };
    Ok(Verification::Asks(Question::Transaction(question)))
}

/// A payment request of ours, and the transaction that is said to pay it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "without an answer nothing is paid"]
pub struct TransactionQuestion {
    tx_hash: TxHash,
    quote: Quote,
    claimed_sats: u64,
    scripts: Vec<ScriptBuf>,
    least_depth: NonZeroU32,
}

impl TransactionQuestion {
    /// The transaction that has to be looked up.
    pub const fn tx_hash(&self) -> TxHash {
        self.tx_hash
    }

    /// Goes on with what the chain says.
    ///
    /// # Errors
    /// [`VerifyError`] when the transaction is not there, not deep enough, or does not pay this quote.
    ///
    /// # Security
    /// The answer has to come from a node of one's own: it is believed.
    pub fn answer(self, found: Option<&ChainTransaction>) -> Result<VerifiedPayment, VerifyError> {
        let found = found.ok_or(SettlementError::NotOnChain)?;
        let transaction = settlement::read(found, self.tx_hash)?;
        if transaction.is_coinbase() {
            return Err(SettlementError::Coinbase.into());
        }
        let outputs = transaction.output.as_slice();
        let ours = || {
            let numbered = (0_u32..).zip(outputs);
            numbered.filter(|(_, output)| self.scripts.contains(&output.script_pubkey))
        };
        let (index, output) = match (ours().next(), ours().count()) {
            (Some(one), 1) => one,
            (_, 0) => return Err(SettlementError::NotOurScript.into()),
            (_, outputs) => return Err(SettlementError::SeveralOutputs { outputs }.into()),
        };
        let value_sats = output.value.to_sat();
        let amount = settlement::covering(value_sats, self.quote.amount)?;
        ProofField::AmountSats.expect(self.claimed_sats, value_sats)?;
        settlement::check_name(outputs, &self.quote.named_on_chain())?;
        settlement::check_depth(found, self.least_depth)?;
        Ok(VerifiedPayment::new(Claim {
            key: claim_key(self.tx_hash, index),
            payer: self.quote.payer,
            amount,
            expires_at: self.quote.expires_at,
            on_chain: Some(self.tx_hash),
        }))
    }
}

/// A payment on the chain is claimed by the output that pays us, whatever else stands in its proof.
fn claim_key(tx_hash: TxHash, index: u32) -> ClaimKey {
    let mut engine = tagged(b"blvm-mesh/1/claim/on-chain");
    engine.input(tx_hash.as_bytes());
    engine.input(&index.to_be_bytes());
    ClaimKey::from_tagged_hash(sha256::Hash::from_engine(engine).to_byte_array())
}
