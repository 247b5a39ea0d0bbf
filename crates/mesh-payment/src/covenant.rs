mod kind;
mod level;
mod proof;
mod template;

pub use kind::{CovenantKind, KindError};
pub use level::{CovenantLevel, LeastLevel};
pub use proof::{CovenantError, CovenantProof};
pub use template::TemplateError;

use crate::{
    ProofField, Question, SettlementError, Verification, VerifiedPayment, Verifier, VerifyError,
    settlement, tagged::tagged,
};
use bitcoin::{
    ScriptBuf, TxOut,
    hashes::{Hash as _, HashEngine as _, sha256},
};
use mesh_types::{ChainOutput, ChainTransaction, Claim, ClaimKey, OutPoint, TxHash, UnixTime};
use std::num::NonZeroU32;

/// The fields of an instant settlement, as they were shown.
pub(crate) struct Shown<'a> {
    pub(crate) covenant_proof: &'a [u8],
    pub(crate) output_index: u32,
    pub(crate) merkle_proof: &'a [[u8; 32]],
    pub(crate) amount_sats: u64,
    pub(crate) timestamp: u64,
}

/// Judges a covenant by everything but the chain: the cheap rules first, the hash and the curve last.
pub(crate) fn begin(
    verifier: &Verifier,
    shown: &Shown<'_>,
    now: UnixTime,
) -> Result<Verification, VerifyError> {
    let proof = CovenantProof::from_bytes(shown.covenant_proof)?;
    if !shown.merkle_proof.is_empty() {
        return Err(CovenantError::MerklePath.into());
    }
    let policy = &verifier.settlement;
    if !policy.is_enforced(&proof.kind, verifier.network) {
        return Err(SettlementError::NotEnforced {
            opcode: proof.kind.opcode(),
            network: verifier.network,
        }
        .into());
    }
    let quote = &proof.quote;
    settlement::check_quote(verifier, quote, shown.timestamp, now)?;
    let (funding, out) = template::check(&proof.template).map_err(CovenantError::from)?;
    let outputs = proof.template.output.as_slice();
    let output = usize::try_from(shown.output_index)
        .ok()
        .and_then(|index| outputs.get(index));
    let output = output.ok_or(SettlementError::NoSuchOutput {
        index: shown.output_index,
        outputs: outputs.len(),
    })?;
    if !policy.scripts.contains(&output.script_pubkey) {
        return Err(SettlementError::NotOurScript.into());
    }
    let is_ours = |it: &&TxOut| policy.scripts.contains(&it.script_pubkey);
    let ours = outputs.iter().filter(is_ours).count();
    if ours > 1 {
        return Err(SettlementError::SeveralOutputs { outputs: ours }.into());
    }
    let value_sats = output.value.to_sat();
    let amount = settlement::covering(value_sats, quote.amount)?;
    ProofField::AmountSats.expect(shown.amount_sats, value_sats)?;
    settlement::check_name(outputs, &quote.named_in_covenant())?;
    let claim = Claim {
        key: claim_key(&funding, shown.output_index),
        payer: quote.payer,
        amount,
        expires_at: quote.expires_at,
        on_chain: Some(funding.tx_hash),
    };
    let script = proof.kind.script(&proof.template);
    Ok(Verification::Asks(Question::Output(OutputQuestion {
        outpoint: funding,
        script: script.map_err(CovenantError::from)?,
        least_sats: out,
        spent_in: TxHash::from_bytes(proof.template.compute_txid().to_byte_array()),
        least_depth: policy.least_depth,
        least_level: policy.least_level,
        claim,
    })))
}

/// A covenant is claimed by the coin that it is made of and the output that pays us, whatever else stands in its proof.
fn claim_key(funding: &OutPoint, output_index: u32) -> ClaimKey {
    let mut engine = tagged(b"blvm-mesh/1/claim/covenant");
    engine.input(funding.tx_hash.as_bytes());
    engine.input(&funding.index.to_be_bytes());
    engine.input(&output_index.to_be_bytes());
    ClaimKey::from_tagged_hash(sha256::Hash::from_engine(engine).to_byte_array())
}

/// A covenant of which everything is right but what only the chain knows: whether its coin is there.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "without an answer nothing is paid"]
pub struct OutputQuestion {
    outpoint: OutPoint,
    script: ScriptBuf,
    least_sats: u64,
    spent_in: TxHash,
    least_depth: NonZeroU32,
    least_level: LeastLevel,
    claim: Claim,
}

impl OutputQuestion {
    /// The output that has to be looked up: the covenant's coin.
    pub const fn outpoint(&self) -> OutPoint {
        self.outpoint
    }

    /// Goes on with what the chain says. A coin that is not there may have been spent by its own template, in the payer's
    /// favour: then that is asked.
    ///
    /// # Errors
    /// [`VerifyError`] when the coin is not bound to the template, holds too little or is not deep enough.
    ///
    /// # Security
    /// The answer has to come from a node of one's own: it is believed.
    pub fn answer(self, found: &ChainOutput) -> Result<Verification, VerifyError> {
        let level = CovenantLevel::of(found, self.least_depth);
        let ChainOutput::Unspent {
            script_pubkey,
            value_sats,
            is_coinbase,
            ..
        } = found
        else {
            return Ok(Verification::Asks(Question::Spend(SpendQuestion {
                tx_hash: self.spent_in,
                level,
                least_depth: self.least_depth,
                claim: self.claim,
            })));
        };
        if *script_pubkey != self.script.as_bytes() {
            return Err(SettlementError::NotCommitted.into());
        }
        if *is_coinbase {
            return Err(SettlementError::Coinbase.into());
        }
        if *value_sats < self.least_sats {
            return Err(SettlementError::MoreOutThanIn {
                out_sats: self.least_sats,
                in_sats: *value_sats,
            }
            .into());
        }
        if !self.least_level.is_met_by(level) {
            return Err(SettlementError::Level(level).into());
        }
        Ok(Verification::Verified(VerifiedPayment::new(self.claim)))
    }
}

/// A covenant whose coin is not there: whether its own template has spent it.
///
/// Whoever sees a covenant's proof can send its template, before the proof arrives. It pays all the same.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "without an answer nothing is paid"]
pub struct SpendQuestion {
    tx_hash: TxHash,
    level: CovenantLevel,
    least_depth: NonZeroU32,
    claim: Claim,
}

impl SpendQuestion {
    /// The transaction that has to be looked up: the template, which needs no signature that would change its id.
    pub const fn tx_hash(&self) -> TxHash {
        self.tx_hash
    }

    /// Goes on with what the chain says.
    ///
    /// # Errors
    /// [`SettlementError::Level`] when the chain does not have it either, [`SettlementError::TooShallow`] when it is not deep
    /// enough.
    ///
    /// # Security
    /// As [`OutputQuestion::answer`].
    pub fn answer(self, found: Option<&ChainTransaction>) -> Result<VerifiedPayment, VerifyError> {
        let found = found.ok_or(SettlementError::Level(self.level))?;
        settlement::read(found, self.tx_hash)?;
        settlement::check_depth(found, self.least_depth)?;
        Ok(VerifiedPayment::new(self.claim))
    }
}

fn outpoint(point: &bitcoin::OutPoint) -> OutPoint {
    OutPoint {
        tx_hash: TxHash::from_bytes(point.txid.to_byte_array()),
        index: point.vout,
    }
}
