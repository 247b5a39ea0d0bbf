//! Any instant settlement, and any answer of the chain: no panic, one encoding for one covenant, and it is verified when a
//! judge that is written naively finds nothing wrong, and never otherwise.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]
#![allow(dead_code, reason = "each test file uses its own part of it")]

#[path = "on_chain.rs"]
pub(crate) mod on_chain;

use bitcoin::{
    ScriptBuf, Transaction, TxOut,
    consensus::serialize,
    taproot::{ControlBlock, LeafVersion, TaprootMerkleBranch},
};
use mesh_payment::{
    CovenantKind, CovenantProof, LeastLevel, Question, SettlementPolicy, Verification,
    VerifiedPayment, Verifier, VerifyError,
};
use mesh_types::{
    ChainOutput, ChainTransaction, Claim, ClaimKey, Msat, Network, PaymentProof, TxHash,
};
use on_chain::{
    NOW, QUOTE, is_named, is_ours, is_quote_good, naive_amount, naive_name, name, pay, settle,
    template::{naive_ctv, naive_template_hash, sha256, tagged, with_len},
    verifier,
};
use secp256k1::{Parity, Scalar, Secp256k1, VerifyOnly, XOnlyPublicKey};
use std::{num::NonZeroU32, sync::LazyLock};

/// Set in the flags when the quote is a good one, whatever stands there.
pub(crate) const GOOD_QUOTE: u16 = 1;
/// Set when the template is to name the quote, whatever its OP_RETURN output holds.
pub(crate) const NAMED: u16 = 2;
/// Set when the proof's other fields are to agree with the template.
pub(crate) const AGREE: u16 = 4;
/// Set when the output that the proof names is to pay this node what the quote asks for, and its own value more.
pub(crate) const PAYS: u16 = 8;
/// Set when a leaf's control block is to be the right one.
pub(crate) const RIGHT_CONTROL: u16 = 16;
/// Set when the coin has the right script.
pub(crate) const RIGHT_SCRIPT: u16 = 32;
/// Set when the coin holds its value more than the template pays out.
pub(crate) const COVERS: u16 = 64;
/// Set when a coin in the mempool is enough.
pub(crate) const EAGER: u16 = 128;
/// Set when the network does not enforce BIP-119.
pub(crate) const WITHOUT_CTV: u16 = 256;
/// Set when the network does not enforce BIP-446.
pub(crate) const WITHOUT_TEMPLATE_HASH: u16 = 512;
/// Set when the node has no quote key.
pub(crate) const NO_KEY: u16 = 1_024;

static SECP: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// BIP-341's point that is nobody's key.
static NOBODY: LazyLock<XOnlyPublicKey> = LazyLock::new(|| {
    let hex = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
    hex.parse().unwrap()
});

/// What the chain says of the coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coin {
    /// 0: missing, 1: spent, 254: new coins, 255: spent by its template, anything else: there.
    pub(crate) state: u8,
    /// How its script is wrong, where it is not to be right.
    pub(crate) script: u8,
    pub(crate) value_sats: u64,
    pub(crate) depth: u32,
}

/// An instant settlement, and what the chain says of it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) flags: u16,
    pub(crate) least_depth: u8,
    pub(crate) coin: Coin,
    /// How many hashes of nothing stand in the path to a block.
    pub(crate) path_len: u8,
    pub(crate) output_index: u32,
    pub(crate) amount_sats: u64,
    pub(crate) timestamp: u64,
    pub(crate) covenant_proof: Vec<u8>,
}

/// Judges `data` as an instant settlement.
pub(crate) fn run(data: &[u8]) {
    if let Some(case) = Case::read(data) {
        case.judge();
    }
}

impl Case {
    /// Reads what [`Case::write`] lays out, and mends what its flags say.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let (&flags, rest) = data.split_first_chunk()?;
        let (&[least_depth, state, script, path_len], rest) = rest.split_first_chunk()?;
        let (&value_sats, rest) = rest.split_first_chunk()?;
        let (&depth, rest) = rest.split_first_chunk()?;
        let (&output_index, rest) = rest.split_first_chunk()?;
        let (&amount_sats, rest) = rest.split_first_chunk()?;
        let (&timestamp, rest) = rest.split_first_chunk()?;
        let mut case = Self {
            flags: u16::from_be_bytes(flags),
            least_depth,
            coin: Coin {
                state,
                script,
                value_sats: u64::from_be_bytes(value_sats),
                depth: u32::from_be_bytes(depth),
            },
            path_len,
            output_index: u32::from_be_bytes(output_index),
            amount_sats: u64::from_be_bytes(amount_sats),
            timestamp: u64::from_be_bytes(timestamp),
            covenant_proof: rest.to_vec(),
        };
        if let Some(shown) = case.shown() {
            case.mend(shown);
        }
        Some(case)
    }

    /// Lays it out: flags, the least depth, the coin's state and script, the length of the path, the coin's value and
    /// depth, output, amount, timestamp, and the covenant.
    pub(crate) fn write(&self) -> Vec<u8> {
        let Coin {
            state,
            script,
            value_sats,
            depth,
        } = self.coin;
        [
            self.flags.to_be_bytes().as_slice(),
            &[self.least_depth, state, script, self.path_len],
            &value_sats.to_be_bytes(),
            &depth.to_be_bytes(),
            &self.output_index.to_be_bytes(),
            &self.amount_sats.to_be_bytes(),
            &self.timestamp.to_be_bytes(),
            &self.covenant_proof,
        ]
        .concat()
    }

    /// The covenant, which has one encoding.
    fn shown(&self) -> Option<CovenantProof> {
        match CovenantProof::from_bytes(&self.covenant_proof) {
            Ok(shown) => {
                assert_eq!(shown.to_bytes(), self.covenant_proof);
                Some(shown)
            }
            Err(error) => {
                assert!(!error.to_string().contains(char::is_control));
                None
            }
        }
    }

    fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    fn output_index(&self) -> usize {
        usize::try_from(self.output_index).unwrap()
    }

    fn mend(&mut self, mut shown: CovenantProof) {
        if self.has(GOOD_QUOTE) {
            shown.quote = *QUOTE;
        }
        if self.has(PAYS) {
            pay(&mut shown.template, self.output_index(), &shown.quote);
        }
        if self.has(NAMED) {
            name(&mut shown.template, naive_name("covenant", &shown.quote));
        }
        if self.has(AGREE) {
            let paid = shown.template.output.get(self.output_index());
            self.amount_sats = paid.map_or(self.amount_sats, |it| it.value.to_sat());
            self.timestamp = shown.quote.expires_at.to_secs();
            self.path_len = 0;
        }
        if let (CovenantKind::CtvLeaf { .. } | CovenantKind::TemplateHashLeaf { .. }, true) =
            (&shown.kind, self.has(RIGHT_CONTROL))
        {
            let (_, parity) = naive_leaf(&naive_bound(&shown));
            let right = ControlBlock {
                leaf_version: LeafVersion::TapScript,
                output_key_parity: parity,
                internal_key: *NOBODY,
                merkle_branch: TaprootMerkleBranch::default(),
            };
            if let CovenantKind::CtvLeaf { control } | CovenantKind::TemplateHashLeaf { control } =
                &mut shown.kind
            {
                *control = right;
            }
        }
        self.covenant_proof = shown.to_bytes();
        assert_eq!(self.shown(), Some(shown), "what is written is read");
    }

    fn least(&self) -> u32 {
        1 + u32::from(self.least_depth % 4)
    }

    fn proof(&self) -> PaymentProof {
        PaymentProof::InstantSettlement {
            covenant_proof: self.covenant_proof.clone(),
            output_index: self.output_index,
            merkle_proof: vec![[0; 32]; usize::from(self.path_len)],
            amount_sats: self.amount_sats,
            timestamp: self.timestamp,
        }
    }

    fn found(&self, shown: &CovenantProof) -> ChainOutput {
        match self.coin.state {
            0 => ChainOutput::Missing,
            1 | 255 => ChainOutput::Spent,
            state => ChainOutput::Unspent {
                is_coinbase: state == 254,
                script_pubkey: self.coin_script(shown),
                value_sats: self.coin_value(&shown.template),
                depth: self.coin.depth,
            },
        }
    }

    fn coin_value(&self, template: &Transaction) -> u64 {
        if self.has(COVERS) {
            let out = u64::try_from(naive_out(template)).unwrap_or(u64::MAX);
            out.saturating_add(self.coin.value_sats)
        } else {
            self.coin.value_sats
        }
    }

    /// The right script; or with one bit of it flipped, or none, or the script of the same hash as another kind.
    fn coin_script(&self, shown: &CovenantProof) -> Vec<u8> {
        let mut script = naive_script(shown);
        if self.has(RIGHT_SCRIPT) {
            return script;
        }
        let len = script.len();
        match (
            self.coin.script,
            script.get_mut(usize::from(self.coin.script) % len),
        ) {
            (255, _) | (_, None) => Vec::new(),
            (254, _) => naive_bound(shown),
            (253, _) => naive_p2wsh(&naive_bound(shown)),
            (252, _) => naive_leaf(&naive_bound(shown)).0,
            (_, Some(byte)) => {
                *byte ^= 1;
                script
            }
        }
    }

    fn policy(&self) -> SettlementPolicy {
        let regtest_without = |flag| {
            let network = (!self.has(flag)).then_some(Network::Regtest);
            [Network::Signet].into_iter().chain(network).collect()
        };
        SettlementPolicy {
            least_depth: NonZeroU32::new(self.least()).unwrap(),
            least_level: if self.has(EAGER) {
                LeastLevel::Funded
            } else {
                LeastLevel::Confirmed
            },
            ctv_on: regtest_without(WITHOUT_CTV),
            template_hash_on: regtest_without(WITHOUT_TEMPLATE_HASH),
            ..SettlementPolicy::default()
        }
    }

    /// Judges it, compares the verdict with the naive one, and answers it.
    pub(crate) fn judge(&self) -> Option<Claim> {
        let verifier = verifier(self.policy());
        let verifier = Verifier {
            quote_key: verifier.quote_key.filter(|_| !self.has(NO_KEY)),
            ..verifier
        };
        let shown = self.shown();
        let claim = settle(self.verdict(&verifier, shown.as_ref()));
        let naive = shown.and_then(|shown| self.naive_claim(&shown));
        assert_eq!(claim, naive, "{self:?}");
        if claim.is_some() {
            let unasked = settle(verifier.verify(&self.proof(), NOW));
            assert_eq!(unasked, None, "without a chain nothing is verified");
        }
        claim
    }

    fn verdict(
        &self,
        verifier: &Verifier,
        shown: Option<&CovenantProof>,
    ) -> Result<VerifiedPayment, VerifyError> {
        let Verification::Asks(Question::Output(question)) = verifier.begin(&self.proof(), NOW)?
        else {
            panic!("{self:?} asks for no output");
        };
        let shown = shown.unwrap();
        let template = &shown.template;
        let [coin] = template.input.as_slice() else {
            panic!("{template:?} asks for one of several coins");
        };
        let coin = coin.previous_output;
        let asked = question.outpoint();
        assert_eq!(
            asked.tx_hash.as_bytes(),
            AsRef::<[u8; 32]>::as_ref(&coin.txid)
        );
        assert_eq!(asked.index, coin.vout);
        match question.answer(&self.found(shown))? {
            Verification::Verified(payment) => Ok(payment),
            Verification::Asks(Question::Spend(question)) => {
                let spent = ChainTransaction {
                    bytes: serialize(&shown.spend()),
                    depth: self.coin.depth,
                };
                let txid = template.compute_txid();
                let asked = question.tx_hash();
                assert_eq!(asked.as_bytes(), AsRef::<[u8; 32]>::as_ref(&txid));
                question.answer((self.coin.state == 255).then_some(&spent))
            }
            other => panic!("{other:?}"),
        }
    }

    /// What is credited, if anything: rules P-15 to P-21 and P-23 by hand.
    fn naive_claim(&self, shown: &CovenantProof) -> Option<Claim> {
        let CovenantProof {
            quote, template, ..
        } = shown;
        let output = template.output.get(self.output_index())?;
        let amount_msat = naive_amount(output, quote)?;
        let is_good = self.is_enforced(&shown.kind)
            && !self.has(NO_KEY)
            && is_quote_good(quote)
            && self.path_len == 0
            && is_minable(template)
            && template.output.iter().filter(|it| is_ours(it)).count() == 1
            && self.amount_sats == output.value.to_sat()
            && self.timestamp == quote.expires_at.to_secs()
            && is_named(template, &naive_name("covenant", quote))
            && self.is_funded(shown)
            && is_bound_by_leaf_alone(shown);
        let coin = template.input.first()?.previous_output;
        let funding: [u8; 32] = *AsRef::<[u8; 32]>::as_ref(&coin.txid);
        let key = [
            funding.as_slice(),
            &coin.vout.to_be_bytes(),
            &self.output_index.to_be_bytes(),
        ];
        is_good.then(|| Claim {
            key: ClaimKey::from_tagged_hash(tagged("blvm-mesh/1/claim/covenant", &key.concat())),
            payer: quote.payer,
            amount: Msat::from_msat(amount_msat),
            expires_at: quote.expires_at,
            on_chain: Some(TxHash::from_bytes(funding)),
        })
    }

    /// The coin is there, deep enough, holds enough, and is bound to the template: rule P-21.
    fn is_funded(&self, shown: &CovenantProof) -> bool {
        match self.found(shown) {
            ChainOutput::Unspent {
                script_pubkey,
                value_sats,
                depth,
                is_coinbase,
            } => {
                !is_coinbase
                    && u128::from(value_sats) >= naive_out(&shown.template)
                    && (self.has(EAGER) || depth >= self.least())
                    && script_pubkey == naive_script(shown)
            }
            _ => self.coin.state == 255 && self.coin.depth >= self.least(),
        }
    }

    fn is_enforced(&self, kind: &CovenantKind) -> bool {
        match kind {
            CovenantKind::TemplateHashLeaf { .. } => !self.has(WITHOUT_TEMPLATE_HASH),
            _ => !self.has(WITHOUT_CTV),
        }
    }
}

/// One input, nothing to wait for, and no more bitcoin than there are: rule P-20.
fn is_minable(template: &Transaction) -> bool {
    let [input] = template.input.as_slice() else {
        return false;
    };
    let sequence = input.sequence.0;
    let waits_for_time = sequence != u32::MAX && template.lock_time.to_consensus_u32() != 0;
    // BIP 68: bit 31 disables it, the low 16 bits say how long, and the version is read without a sign.
    let has_ages = u32::from_le_bytes(template.version.0.to_le_bytes()) >= 2;
    let waits_for_age = has_ages && sequence >> 31 == 0 && sequence & 0xffff != 0;
    let is_dust = |it: &TxOut| {
        if it.script_pubkey.is_op_return() {
            it.value.to_sat() > 0
        } else {
            it.value < it.script_pubkey.minimal_non_dust()
        }
    };
    let is_relayed = [1, 2, 3].contains(&template.version.0)
        && template.weight().to_wu() <= 400_000
        && template.total_sigop_cost(|_| None) <= 16_000
        && !template.output.iter().any(is_dust);
    is_relayed
        && input.script_sig.is_empty()
        && !waits_for_time
        && !waits_for_age
        && naive_out(template) <= 2_100_000_000_000_000
}

fn naive_out(template: &Transaction) -> u128 {
    let values = template.output.iter().map(|it| it.value.to_sat());
    values.map(u128::from).sum()
}

/// The bytes of the script that holds the coin's spender to the template.
fn naive_bound(shown: &CovenantProof) -> Vec<u8> {
    match shown.kind {
        CovenantKind::TemplateHashLeaf { .. } => {
            let hash = naive_template_hash(&shown.template, 0, None);
            [[32].as_slice(), &hash, &[0xce, 0x87]].concat()
        }
        _ => [[32].as_slice(), &naive_ctv(&shown.template, 0), &[0xb3]].concat(),
    }
}

/// The script that the coin has to have.
fn naive_script(shown: &CovenantProof) -> Vec<u8> {
    let bound = naive_bound(shown);
    match shown.kind {
        CovenantKind::CtvBare => bound,
        CovenantKind::CtvWitnessScript => naive_p2wsh(&bound),
        _ => naive_leaf(&bound).0,
    }
}

fn naive_p2wsh(bound: &[u8]) -> Vec<u8> {
    [[0, 32].as_slice(), &sha256(bound)].concat()
}

/// The taproot output whose one way to be spent is `bound`, and its key's parity (BIP-341).
fn naive_leaf(bound: &[u8]) -> (Vec<u8>, Parity) {
    let leaf = [[0xc0].as_slice(), &with_len(bound)].concat();
    let root = tagged("TapLeaf", &leaf);
    let tweak = tagged("TapTweak", &[NOBODY.serialize(), root].concat());
    let tweak = Scalar::from_be_bytes(tweak).unwrap();
    let (key, parity) = NOBODY.add_tweak(&*SECP, &tweak).unwrap();
    let script = ScriptBuf::from([[0x51, 32].as_slice(), &key.serialize()].concat());
    (script.into_bytes(), parity)
}

/// A leaf's control block has to be the one of a tree of one leaf, under nobody's key.
fn is_bound_by_leaf_alone(shown: &CovenantProof) -> bool {
    match &shown.kind {
        CovenantKind::CtvLeaf { control } | CovenantKind::TemplateHashLeaf { control } => {
            let (_, parity) = naive_leaf(&naive_bound(shown));
            let first = 0xc0 | parity.to_u8();
            control.serialize() == [[first].as_slice(), &NOBODY.serialize()].concat()
        }
        _ => true,
    }
}
