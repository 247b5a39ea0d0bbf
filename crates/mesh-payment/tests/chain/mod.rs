//! A chain that a test writes, and the payments on it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]
#![allow(dead_code, reason = "each test file uses its own part of it")]

use crate::issuer::{AMOUNT, NOW, Node, PAYER};
use bitcoin::{
    Amount, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
    absolute::LockTime,
    consensus::serialize,
    hashes::Hash as _,
    key::{Secp256k1, TapTweak as _, XOnlyPublicKey},
    taproot::{ControlBlock, LeafVersion, TapNodeHash, TaprootMerkleBranch},
    transaction::Version,
};
use mesh_payment::{
    CovenantKind, CovenantProof, Question, Quote, SettlementPolicy, Verification, VerifiedPayment,
    Verifier, VerifyError, ctv, op_template_hash,
};
use mesh_types::{
    ChainError, ChainNode, ChainOutput, ChainTransaction, Network, NodeId, OutPoint, PaymentProof,
    TxHash, UnixTime,
};
use std::collections::HashMap;

/// BIP-341's point that is nobody's key.
pub(crate) const NO_KEY: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";

/// A script of the node under test.
pub(crate) fn our_script() -> ScriptBuf {
    p2wpkh(1)
}

/// A script of somebody else.
pub(crate) fn their_script() -> ScriptBuf {
    p2wpkh(2)
}

fn p2wpkh(seed: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_byte_array([seed; 20]))
}

/// A policy under which everything that can be paid on the chain of the tests counts once it is confirmed.
pub(crate) fn policy() -> SettlementPolicy {
    SettlementPolicy {
        scripts: vec![p2wpkh(9), our_script()],
        ctv_on: vec![Network::Regtest],
        template_hash_on: vec![Network::Regtest],
        ..SettlementPolicy::default()
    }
}

/// The node under test, which takes payments on the chain.
pub(crate) fn verifier() -> Verifier {
    with_policy(policy())
}

pub(crate) fn with_policy(settlement: SettlementPolicy) -> Verifier {
    Verifier {
        settlement,
        ..Node::ours().verifier()
    }
}

pub(crate) fn quote() -> Quote {
    quote_for(PAYER)
}

pub(crate) fn quote_for(payer: NodeId) -> Quote {
    let quoter = Node::ours().quoter;
    quoter.offer(payer, AMOUNT, [9; 16], NOW).unwrap()
}

pub(crate) const AMOUNT_SATS: u64 = AMOUNT.to_msat() / 1_000;

pub(crate) fn output(value_sats: u64, script_pubkey: ScriptBuf) -> TxOut {
    TxOut {
        value: Amount::from_sat(value_sats),
        script_pubkey,
    }
}

/// What spends a coin that is told from others by `seed`.
pub(crate) fn input(seed: u8) -> TxIn {
    TxIn {
        previous_output: bitcoin::OutPoint {
            txid: bitcoin::Txid::from_byte_array([seed; 32]),
            vout: 3,
        },
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    }
}

pub(crate) fn transaction(input: Vec<TxIn>, output: Vec<TxOut>) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input,
        output,
    }
}

/// How a covenant of the tests is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Bare,
    WitnessScript,
    CtvLeaf,
    TemplateHashLeaf,
}

pub(crate) const FORMS: [Form; 4] = [
    Form::Bare,
    Form::WitnessScript,
    Form::CtvLeaf,
    Form::TemplateHashLeaf,
];

/// A covenant, whatever it is worth: each part can be changed before it is shown.
#[derive(Debug, Clone)]
pub(crate) struct Covenant {
    pub(crate) form: Form,
    pub(crate) quote: Quote,
    pub(crate) template: Transaction,
    pub(crate) output_index: u32,
    /// What the coin holds beyond what the template pays out.
    pub(crate) fee_sats: u64,
}

impl Covenant {
    /// One that pays what `quote` asks for, change first.
    pub(crate) fn paying(quote: Quote, form: Form) -> Self {
        let outputs = vec![
            output(40_000, their_script()),
            output(AMOUNT_SATS, our_script()),
            output(0, quote.named_in_covenant()),
        ];
        Self {
            form,
            quote,
            template: transaction(vec![input(7)], outputs),
            output_index: 1,
            fee_sats: 500,
        }
    }

    pub(crate) fn good(form: Form) -> Self {
        Self::paying(quote(), form)
    }

    /// The leaf or witness script, made here by hand from the bytes that the BIPs name.
    fn bound_script(&self) -> ScriptBuf {
        let bytes = match self.form {
            Form::TemplateHashLeaf => {
                let hash = op_template_hash::template_hash(&self.template, 0, None);
                [&[32], hash.as_slice(), &[0xce, 0x87]].concat()
            }
            _ => {
                let hash = ctv::template_hash(&self.template, 0);
                [&[32], hash.as_slice(), &[0xb3]].concat()
            }
        };
        ScriptBuf::from(bytes)
    }

    fn control(&self, leaf: &ScriptBuf) -> (ControlBlock, ScriptBuf) {
        let secp = Secp256k1::verification_only();
        let internal_key: XOnlyPublicKey = NO_KEY.parse().unwrap();
        let root = TapNodeHash::from_script(leaf, LeafVersion::TapScript);
        let (key, parity) = internal_key.tap_tweak(&secp, Some(root));
        let control = ControlBlock {
            leaf_version: LeafVersion::TapScript,
            output_key_parity: parity,
            internal_key,
            merkle_branch: TaprootMerkleBranch::default(),
        };
        (control, ScriptBuf::new_p2tr_tweaked(key))
    }

    /// The kind as it is shown, and the script of the coin.
    pub(crate) fn bound(&self) -> (CovenantKind, ScriptBuf) {
        let script = self.bound_script();
        match self.form {
            Form::Bare => (CovenantKind::CtvBare, script),
            Form::WitnessScript => (CovenantKind::CtvWitnessScript, script.to_p2wsh()),
            Form::CtvLeaf => {
                let (control, script) = self.control(&script);
                (CovenantKind::CtvLeaf { control }, script)
            }
            Form::TemplateHashLeaf => {
                let (control, script) = self.control(&script);
                (CovenantKind::TemplateHashLeaf { control }, script)
            }
        }
    }

    pub(crate) fn out_sats(&self) -> u64 {
        let values = self.template.output.iter().map(|it| it.value.to_sat());
        values.fold(0, u64::saturating_add)
    }

    /// The coin as a node knows it.
    pub(crate) fn coin(&self, depth: u32) -> ChainOutput {
        ChainOutput::Unspent {
            script_pubkey: self.bound().1.into_bytes(),
            value_sats: self.out_sats().saturating_add(self.fee_sats),
            depth,
            is_coinbase: false,
        }
    }

    pub(crate) fn outpoint(&self) -> OutPoint {
        let point = self.template.input.first().unwrap().previous_output;
        OutPoint {
            tx_hash: TxHash::from_bytes(point.txid.to_byte_array()),
            index: point.vout,
        }
    }

    pub(crate) fn covenant_proof(&self) -> CovenantProof {
        CovenantProof {
            kind: self.bound().0,
            quote: self.quote,
            template: self.template.clone(),
        }
    }

    pub(crate) fn proof(&self) -> PaymentProof {
        self.proof_with(self.covenant_proof().to_bytes())
    }

    /// The proof whose other fields agree with the template, around these bytes.
    pub(crate) fn proof_with(&self, covenant_proof: Vec<u8>) -> PaymentProof {
        let index = usize::try_from(self.output_index).unwrap();
        let paid = self.template.output.get(index);
        PaymentProof::InstantSettlement {
            covenant_proof,
            output_index: self.output_index,
            merkle_proof: Vec::new(),
            amount_sats: paid.map_or(AMOUNT_SATS, |it| it.value.to_sat()),
            timestamp: self.quote.expires_at.to_secs(),
        }
    }

    /// Judges it on a chain that has its coin, one block deep.
    pub(crate) fn judge(&self) -> Result<VerifiedPayment, VerifyError> {
        self.judge_by(&verifier(), &self.coin(1))
    }

    pub(crate) fn judge_by(
        &self,
        verifier: &Verifier,
        coin: &ChainOutput,
    ) -> Result<VerifiedPayment, VerifyError> {
        match verifier.begin(&self.proof(), NOW)? {
            Verification::Asks(Question::Output(question)) => {
                assert_eq!(question.outpoint(), self.outpoint());
                match question.answer(coin)? {
                    Verification::Verified(payment) => Ok(payment),
                    Verification::Asks(Question::Spend(question)) => question.answer(None),
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        }
    }

    /// Judges it on a chain where its coin is spent, and which knows `found` as its template.
    pub(crate) fn judge_spent(
        &self,
        verifier: &Verifier,
        found: Option<&ChainTransaction>,
    ) -> Result<VerifiedPayment, VerifyError> {
        let Verification::Asks(Question::Output(question)) = verifier.begin(&self.proof(), NOW)?
        else {
            panic!("it asks for no coin");
        };
        match question.answer(&ChainOutput::Spent)? {
            Verification::Asks(Question::Spend(question)) => question.answer(found),
            other => panic!("{other:?}"),
        }
    }

    /// The transaction that collects it, as a chain knows it.
    pub(crate) fn spend(&self, depth: u32) -> ChainTransaction {
        ChainTransaction {
            bytes: serialize(&self.covenant_proof().spend()),
            depth,
        }
    }
}

/// A transaction that is said to pay a request.
#[derive(Debug, Clone)]
pub(crate) struct OnChain {
    pub(crate) quote: Quote,
    pub(crate) transaction: Transaction,
}

impl OnChain {
    pub(crate) fn paying(quote: Quote) -> Self {
        let outputs = vec![
            output(40_000, their_script()),
            output(0, quote.named_on_chain()),
            output(AMOUNT_SATS, our_script()),
        ];
        let mut spent = input(8);
        spent.witness.push([1; 64]);
        Self {
            quote,
            transaction: transaction(vec![spent], outputs),
        }
    }

    pub(crate) fn good() -> Self {
        Self::paying(quote())
    }

    pub(crate) fn tx_hash(&self) -> TxHash {
        TxHash::from_bytes(self.transaction.compute_txid().to_byte_array())
    }

    pub(crate) fn found(&self, depth: u32) -> ChainTransaction {
        ChainTransaction {
            bytes: serialize(&self.transaction),
            depth,
        }
    }

    pub(crate) fn proof(&self) -> PaymentProof {
        let ours = self.transaction.output.iter();
        let paid = ours
            .filter(|it| it.script_pubkey == our_script())
            .map(|it| it.value.to_sat())
            .next();
        PaymentProof::OnChainSettlement {
            payment_request_id: self.quote.to_text(),
            tx_hash: *self.tx_hash().as_bytes(),
            amount_sats: paid.unwrap_or(AMOUNT_SATS),
            timestamp: self.quote.expires_at.to_secs(),
        }
    }

    pub(crate) fn judge(&self) -> Result<VerifiedPayment, VerifyError> {
        self.judge_by(&verifier(), Some(&self.found(1)))
    }

    pub(crate) fn judge_by(
        &self,
        verifier: &Verifier,
        found: Option<&ChainTransaction>,
    ) -> Result<VerifiedPayment, VerifyError> {
        match verifier.begin(&self.proof(), NOW)? {
            Verification::Asks(Question::Transaction(question)) => {
                assert_eq!(question.tx_hash(), self.tx_hash());
                question.answer(found)
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A chain that knows what it was told.
#[derive(Debug, Default, Clone)]
pub(crate) struct WrittenChain {
    pub(crate) outputs: HashMap<OutPoint, ChainOutput>,
    pub(crate) transactions: HashMap<TxHash, ChainTransaction>,
}

impl WrittenChain {
    /// One with the coin of `covenant` and the transaction of `on_chain`, at `depth`.
    pub(crate) fn with(covenant: &Covenant, on_chain: &OnChain, depth: u32) -> Self {
        Self {
            outputs: HashMap::from([(covenant.outpoint(), covenant.coin(depth))]),
            transactions: HashMap::from([(on_chain.tx_hash(), on_chain.found(depth))]),
        }
    }

    /// Judges any proof by it.
    pub(crate) fn judge(
        &self,
        verifier: &Verifier,
        proof: &PaymentProof,
        now: UnixTime,
    ) -> Result<VerifiedPayment, VerifyError> {
        let mut begun = verifier.begin(proof, now)?;
        loop {
            begun = match begun {
                Verification::Verified(payment) => return Ok(payment),
                Verification::Asks(Question::Output(question)) => {
                    let found = self.outputs.get(&question.outpoint());
                    question.answer(found.unwrap_or(&ChainOutput::Missing))?
                }
                Verification::Asks(Question::Spend(question)) => {
                    let found = self.transactions.get(&question.tx_hash());
                    return question.answer(found);
                }
                Verification::Asks(Question::Transaction(question)) => {
                    let found = self.transactions.get(&question.tx_hash());
                    return question.answer(found);
                }
            }
        }
    }
}

#[async_trait::async_trait]
impl ChainNode for WrittenChain {
    async fn output(&self, outpoint: OutPoint) -> Result<ChainOutput, ChainError> {
        let found = self.outputs.get(&outpoint).cloned();
        Ok(found.unwrap_or(ChainOutput::Missing))
    }

    async fn transaction(&self, tx_hash: TxHash) -> Result<Option<ChainTransaction>, ChainError> {
        Ok(self.transactions.get(&tx_hash).cloned())
    }

    async fn submit(&self, _: Vec<u8>) -> Result<(), ChainError> {
        Err(ChainError("what is written is written".to_owned()))
    }
}
